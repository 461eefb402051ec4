"""Other correct implementations of gates, gradients and costs, in other words than the package's and the twins'.

wrong_numbers breaks them, a line at a time.
"""

from math import prod

import numpy as np

# gates: odds in place of sigmoids


def gate(log_alpha, u, beta=2 / 3, gamma=-0.1, zeta=1.1):
    with np.errstate(over="ignore"):
        closed = (np.exp(-log_alpha) * (1 - u) / u) ** (1 / beta)
    s = 1 / (1 + closed)
    z = gamma + (zeta - gamma) * s
    return np.clip(z, 0, 1)


def gate_at_test(log_alpha, gamma=-0.1, zeta=1.1):
    s = 0.5 + 0.5 * np.tanh(log_alpha / 2)
    return np.clip(gamma * (1 - s) + zeta * s, 0, 1)


def prob_open(log_alpha, beta=2 / 3, gamma=-0.1, zeta=1.1):
    with np.errstate(over="ignore"):
        odds = np.exp(-log_alpha)
    return 1 / (1 + odds * (-gamma / zeta) ** beta)


def expected_l0(params):
    lost = 0.0
    for name, log_alpha in params.items():
        layer, _, own = name.rpartition(".")
        if own == "log_alpha":
            group = params[f"{layer}.weight"].size / log_alpha.size
            bias = params.get(f"{layer}.bias")
            group += 1 if bias is not None and bias.shape == log_alpha.shape else 0
            lost += group * (1 - prob_open(log_alpha)).sum()
    return float(sum(a.size for name, a in params.items() if not name.endswith("log_alpha")) - lost)


def densities(params):
    gates = {name.removesuffix("log_alpha"): a for name, a in params.items() if name.endswith("log_alpha")}
    return {f"{layer}weight": float(prob_open(a).mean()) for layer, a in gates.items()}


# gradients: one matrix for the whole convolution


def conv2d_vjp(x, kernel, grad, stride, padding):
    n, h, w, c = x.shape
    kh, kw, _, c_out = kernel.shape
    if padding == "same":
        pads = []
        for size, k in ((h, kh), (w, kw)):
            total = max((-(-size // stride) - 1) * stride + k - size, 0)
            pads.append((total // 2, total - total // 2))
    else:
        pads = [(0, 0) if padding == "valid" else (padding, padding)] * 2
    framed = np.pad(np.arange(1, h * w * c + 1).reshape(h, w, c), [*pads, (0, 0)])  # who is where, 0 for nobody
    rows = range(0, framed.shape[0] - kh + 1, stride)
    columns = range(0, framed.shape[1] - kw + 1, stride)
    seen = np.array([[framed[i : i + kh, j : j + kw].ravel() for j in columns] for i in rows])
    flat = np.concatenate([np.zeros((n, 1)), x.reshape(n, -1)], axis=1)
    windows = flat[:, seen]
    matrix = kernel.reshape(-1, c_out)
    y = windows @ matrix
    to_kernel = np.einsum("nhwk,nhwo->ko", windows, grad).reshape(kernel.shape)
    to_x = np.zeros_like(flat)
    for image in range(n):
        np.add.at(to_x[image], seen, grad[image] @ matrix.T)
    return y, to_x[:, 1:].reshape(x.shape), to_kernel


def softmax_cross_entropy_vjp(logits, labels):
    right = np.eye(logits.shape[1])[labels]
    highest = logits.max(axis=1, keepdims=True)
    log_p = logits - highest - np.log(np.exp(logits - highest).sum(axis=1, keepdims=True))
    loss = -(right * log_p).sum(axis=1)
    return loss.mean(), (np.exp(log_p) - right) / len(labels)


# costs


def forward(costs, masks_or_densities):
    share = {name: np.mean(kept) for name, kept in masks_or_densities.items()}
    return float(sum(costs.values())), float(sum(cost * share.get(name, 1.0) for name, cost in costs.items()))


def training_cost(method, dense, sparse, period=None):
    if method == "dense":
        return 3.0 * dense
    if method == "snfs":
        return 2.0 * sparse + dense
    cost = 3.0 * sparse
    if method == "rigl":
        cost += (dense - sparse) / (period + 1)
    return cost


def storage(shape, n_active, kind="dense"):
    if kind == "dense":
        return 4 * prod(shape)
    if kind == "bitmask":
        return 4 * n_active + prod(shape) / 8
    rows = prod(shape[:-1])
    return 8 * n_active + 4 * (rows + 1)


# counting: a loop over the fields of each site


def flops_count(sites, densities, convention):
    found = {}
    for site in sites:
        density, shape = densities.get(site["name"], 1.0), site["kernel_shape"]
        window, outputs, extra = prod(shape[:-2]), site["outputs"], 0
        seen = window if site["kind"] == "depthwise" else window * shape[-2]
        if convention == "rigl":
            seen, extra, outputs = window * shape[-2], 1, shape[-1]
            pad = site["padding"] if isinstance(site["padding"], int) else 0
            for n in site["in_shape"][: len(shape) - 2]:
                outputs *= -(-(n + 2 * pad) // site["stride"])
        elif convention == "rigl-reproducibility":
            seen, outputs = window * shape[-1], outputs // shape[-1] * shape[-2]
            extra = 1 if site["kind"] == "linear" else 0
        found[site["name"]] = outputs * (2 * seen * density + extra)
    return found


def flops_size(sites, densities, convention):
    found = {}
    for site in sites:
        density, shape = densities.get(site["name"], 1.0), site["kernel_shape"]
        stored = prod(shape) * density
        if convention == "rigl":
            stored += shape[-1]
        elif convention != "clean" and site["kind"] == "linear":
            stored += shape[-2]
        found[site["name"]] = 4 * stored + (prod(shape) / 8 if density < 1 else 0)
    return found
