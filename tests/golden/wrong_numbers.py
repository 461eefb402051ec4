"""Wrong gates, gradients and costs, and the case that is to notice each."""

import math

import numpy as np

from tests.golden import other_numbers
from tests.golden.broken import Wrong, broken


def wrong(name, function, text, replacement, line, case):
    call = broken(other_numbers, function, text, replacement)
    return Wrong(name, function, call, line, f"{function}/{case}")


def clipped_prob_open(log_alpha, beta=2 / 3, gamma=-0.1, zeta=1.1):
    return np.clip(other_numbers.prob_open(log_alpha, beta, gamma, zeta), 1e-6, 1 - 1e-6)


def prob_open_below_log_100(log_alpha, *interval):
    return other_numbers.prob_open(np.clip(log_alpha, -math.log(100), math.log(100)), *interval)


def padded_as_torch(x, kernel, grad, stride, padding):
    """ "same" as half the kernel on either side, whatever the stride: PyTorch's padding=k // 2."""
    if padding != "same" or kernel.shape[0] % 2 == 0 or kernel.shape[1] % 2 == 0:
        return other_numbers.conv2d_vjp(x, kernel, grad, stride, padding)
    sides = [(k // 2, k // 2) for k in kernel.shape[:2]]
    framed = np.pad(x, [(0, 0), *sides, (0, 0)])
    y, to_x, to_kernel = other_numbers.conv2d_vjp(framed, kernel, grad, stride, "valid")
    (top, bottom), (left, right) = sides
    return y, to_x[:, top : to_x.shape[1] - bottom, left : to_x.shape[2] - right], to_kernel


def turned_around(x, kernel, grad, stride, padding):
    y, to_x, to_kernel = other_numbers.conv2d_vjp(x, kernel[::-1, ::-1], grad, stride, padding)
    return y, to_x, to_kernel[::-1, ::-1]


def rounded_gate(log_alpha, u, *distribution):
    z = other_numbers.gate(log_alpha, u, *distribution)
    return np.where(z < 0.05, 0, np.where(z > 0.95, 1, z))


WRONG = [
    # gates
    wrong("no temperature in training", "gate", " ** (1 / beta)", "", "H3: temperature", "noise-at-the-quarters"),
    wrong("temperature multiplies", "gate", "** (1 / beta)", "** beta", "H3: temperature", "temperature-below-one"),
    wrong("no temperature below its default", "gate", "(1 / beta)", "(1 / max(beta, 2 / 3))", "H3: temperature",
          "temperature-below-one"),
    wrong("temperature on the noise alone", "gate", "(np.exp(-log_alpha) * (1 - u) / u) ** (1 / beta)",
          "np.exp(-log_alpha) * ((1 - u) / u) ** (1 / beta)", "H3: temperature", "temperature-on-the-sum"),
    wrong("noise the other way round", "gate", "(1 - u) / u", "u / (1 - u)", "1.6: log u - log(1 - u)",
          "noise-at-the-quarters"),
    wrong("log α for its odds", "gate", "np.exp(-log_alpha)", "1 / (1 + log_alpha)", "1.6: log a",
          "temperature-on-the-sum"),
    wrong("not clipped", "gate", "    return np.clip(z, 0, 1)", "    return z", "1.6: min(1, max(0, s))",
          "clipped-to-exactly-zero-and-one"),
    wrong("not stretched", "gate", "z = gamma + (zeta - gamma) * s", "z = s", "1.6: s(zeta-gamma)+gamma",
          "clipped-to-exactly-zero-and-one"),
    wrong("the interval of the defaults", "gate", "z = gamma + (zeta - gamma) * s", "z = -0.1 + 1.2 * s",
          "1.6: s(zeta-gamma)+gamma", "another-interval"),
    wrong("stretched by ζ alone", "gate", "(zeta - gamma)", "zeta", "1.6: s(zeta-gamma)+gamma", "just-inside"),
    Wrong("hard where it is nearly so", "gate", rounded_gate, "H2", "gate/just-inside"),
    wrong("temperature in test gate", "gate_at_test", "np.tanh(log_alpha / 2)", "np.tanh(log_alpha * 0.75)",
          "4.4: temperature in test gate", "no-temperature"),
    wrong("the probability at test", "gate_at_test", "np.clip(gamma * (1 - s) + zeta * s, 0, 1)",
          "prob_open(log_alpha, 2 / 3, gamma, zeta)", "H2, H12: what is open at test", "not-the-probability"),
    wrong("not clipped at test", "gate_at_test", "np.clip(gamma * (1 - s) + zeta * s, 0, 1)",
          "gamma * (1 - s) + zeta * s", "H2", "edges"),
    wrong("not stretched at test", "gate_at_test", "gamma * (1 - s) + zeta * s", "s", "H2", "edges"),
    wrong("the default ends at test", "gate_at_test", "gamma * (1 - s) + zeta * s", "-0.1 * (1 - s) + 1.1 * s",
          "1.6: test gate", "another-interval"),
    wrong("missing temperature in P", "prob_open", "(-gamma / zeta) ** beta", "(-gamma / zeta)",
          "4.4: missing temperature in P", "closed-form"),
    wrong("temperature divides in P", "prob_open", "** beta", "** (1 / beta)", "4.4: missing temperature in P",
          "temperature-half"),
    wrong("log α over the temperature in P", "prob_open", "odds = np.exp(-log_alpha)",
          "odds = np.exp(-log_alpha / beta)", "H1", "closed-form"),
    wrong("the sign of log α lost", "prob_open", "np.exp(-log_alpha)", "np.exp(-abs(log_alpha))", "H1", "table"),
    wrong("P(z = 1)", "prob_open", "(-gamma / zeta) ** beta", "((1 - gamma) / (zeta - 1)) ** beta", "H4",
          "table"),
    wrong("the ratio turned over", "prob_open", "(-gamma / zeta)", "(-zeta / gamma)", "1.6: log(-gamma/zeta)",
          "ratio-of-the-ends"),
    wrong("the ratio of the defaults", "prob_open", "(-gamma / zeta)", "(0.1 / 1.1)", "1.6: log(-gamma/zeta)",
          "temperature-half"),
    Wrong("P clipped at a millionth", "prob_open", clipped_prob_open, "1.6: clamped to [1e-6, 1-1e-6]",
          "prob_open/not-clipped"),
    Wrong("log α clamped inside P", "prob_open", prob_open_below_log_100, "1.6: clamp", "prob_open/not-clipped"),
    # gradients
    Wrong("the kernel turned around", "conv2d_vjp", turned_around, "J1", "conv2d_vjp/not-turned-around"),
    wrong("the odd zero first", "conv2d_vjp", "(total // 2, total - total // 2)", "(total - total // 2, total // 2)",
          "J1", "same-with-an-even-kernel"),
    Wrong("PyTorch's padding for same", "conv2d_vjp", padded_as_torch, "J1", "conv2d_vjp/same-with-a-stride"),
    wrong("same for no stride", "conv2d_vjp", "(-(-size // stride) - 1) * stride + k - size", "k - 1", "J1",
          "same-with-a-stride"),
    wrong("mean over the images", "conv2d_vjp", '"nhwk,nhwo->ko", windows, grad)',
          '"nhwk,nhwo->ko", windows, grad / n)',
          "J1, R12", "batch-is-a-sum"),
    wrong("the padding gets a gradient", "conv2d_vjp", "to_x[:, 1:].reshape(x.shape)",
          "np.roll(to_x, -1, axis=1)[:, :-1].reshape(x.shape) + to_x[:, :1].sum()", "J1", "zeros-on-every-side"),
    wrong("gradients overwrite, not add up", "conv2d_vjp", "np.add.at(to_x[image], seen, grad[image] @ matrix.T)",
          "to_x[image][seen] = grad[image] @ matrix.T", "J1", "not-turned-around"),
    wrong("all zeros at the end", "conv2d_vjp", "(padding, padding)] * 2", "(0, 2 * padding)] * 2", "J1",
          "zeros-on-every-side"),
    wrong("height and width swapped in the kernel", "conv2d_vjp", "matrix = kernel.reshape(-1, c_out)",
          "matrix = kernel.reshape(kw, kh, c, c_out).transpose(1, 0, 2, 3).reshape(-1, c_out)", "J1",
          "left-over-entries"),
    wrong("output channels before input channels", "conv2d_vjp", "matrix = kernel.reshape(-1, c_out)",
          "matrix = kernel.reshape(kh, kw, c_out, c).transpose(0, 1, 3, 2).reshape(-1, c_out)", "J1",
          "rectangular-kernel"),
    wrong("the kernel not transposed on the way back", "conv2d_vjp", "grad[image] @ matrix.T",
          "grad[image] @ matrix.reshape(c_out, -1)", "J1", "channels-last"),
    wrong("the sum of the losses", "softmax_cross_entropy_vjp", "loss.mean()", "loss.sum()", "R12: mean reduction",
          "mean-over-the-batch"),
    wrong("the gradient of the sum", "softmax_cross_entropy_vjp", "(np.exp(log_p) - right) / len(labels)",
          "np.exp(log_p) - right", "R12: mean reduction", "mean-over-the-batch"),
    wrong("mean over classes too", "softmax_cross_entropy_vjp", "(np.exp(log_p) - right) / len(labels)",
          "(np.exp(log_p) - right) / logits.size", "R12: mean reduction", "three-classes"),
    wrong("logarithm to the base 2", "softmax_cross_entropy_vjp", "loss.mean()", "loss.mean() / np.log(2)", "J1",
          "even-chances"),
    wrong("σ′ of the output, as for MSE", "softmax_cross_entropy_vjp", "(np.exp(log_p) - right) / len(labels)",
          "(np.exp(log_p) - right) * np.exp(log_p) * (1 - np.exp(log_p)) / len(labels)", "4.4: sigma'(a)",
          "even-chances"),
    wrong("the sign of the gradient", "softmax_cross_entropy_vjp", "(np.exp(log_p) - right)",
          "(right - np.exp(log_p))", "J1", "even-chances"),
    wrong("a small ε inside the logarithm", "softmax_cross_entropy_vjp", "loss = -(right * log_p)",
          "loss = -(right * np.log(np.exp(log_p) + 1e-12))", "J1", "sure-and-wrong"),
    wrong("logits clipped at 30", "softmax_cross_entropy_vjp", "    right = np",
          "    logits = np.clip(logits, -30, 30)\n    right = np", "J1", "a-shift-changes-nothing"),
    wrong("no gradient where it is right", "softmax_cross_entropy_vjp", "(np.exp(log_p) - right)",
          "(np.exp(log_p) - right) * (logits.argmax(axis=1) != labels)[:, None]", "J1", "sure-and-right"),
    wrong("classes counted from 1", "softmax_cross_entropy_vjp", "np.eye(logits.shape[1])[labels]",
          "np.eye(logits.shape[1])[labels - 1]", "J1", "three-classes"),
    wrong("the maximum of the whole batch", "softmax_cross_entropy_vjp", "logits.max(axis=1, keepdims=True)",
          "logits.max()", "J1", "logits-of-a-thousand"),
    wrong("softmax over the batch", "softmax_cross_entropy_vjp",
          "np.exp(logits - highest).sum(axis=1, keepdims=True)", "np.exp(logits - highest).sum(axis=0)", "J1",
          "three-classes"),
    # costs
    wrong("FLOPs for multiply-adds", "forward", "float(sum(costs.values()))", "float(2 * sum(costs.values()))", "L1",
          "lenet-300-100-dense"),
    wrong("one density for the network", "forward", "sum(cost * share.get(name, 1.0) for name, cost in costs.items())",
          "sum(costs.values()) * np.mean([share.get(name, 1.0) for name in costs])", "L1", "lenet-5-by-han"),
    wrong("layers without a mask are free", "forward", "share.get(name, 1.0)", "share.get(name, 0.0)", "L1",
          "lenet-300-100-at-98"),
    wrong("connections for their share", "forward", "np.mean(kept)", "np.sum(kept)", "L1, L3", "masks"),
    wrong("the sparsity for the density", "forward", "np.mean(kept)", "1 - np.mean(kept)", "L1",
          "lenet-300-100-at-98"),
    wrong("an empty layer is dense", "forward", "share.get(name, 1.0)", "(share.get(name) or 1.0)", "L1",
          "empty-mask"),
    wrong("RigL's update beside a step", "training_cost", "(dense - sparse) / (period + 1)",
          "(2.0 * sparse + dense) / period", "L2", "rigl"),
    wrong("whole multiply-adds alone", "training_cost", "    if method == \"dense\":",
          "    sparse = int(sparse)\n    if method == \"dense\":", "L2", "rigl-resnet-50-uniform"),
    wrong("ΔT of two at least", "training_cost", "(period + 1)", "(max(period, 2) + 1)", "L2", "rigl-every-batch"),
    wrong("an update every ΔT batches", "training_cost", "/ (period + 1)", "/ period", "L2", "rigl-every-batch"),
    wrong("a dense forward pass at an update", "training_cost", "(dense - sparse) /", "3.0 * (dense - sparse) /", "L2",
          "rigl"),
    wrong("SNFS with sparse gradients", "training_cost", "2.0 * sparse + dense", "3.0 * sparse", "L2", "snfs"),
    wrong("SNFS all dense", "training_cost", "2.0 * sparse + dense", "sparse + 2.0 * dense", "L2", "snfs"),
    wrong("backward once", "training_cost", "cost = 3.0 * sparse", "cost = 2.0 * sparse", "papers.md 6.7", "set"),
    wrong("dense without its backward pass", "training_cost", "3.0 * dense", "1.0 * dense", "papers.md 6.7", "dense"),
    wrong("static by a dense gradient", "training_cost", 'method == "snfs"', 'method in ("snfs", "static")',
          "papers.md 6.7", "static"),
    wrong("SNIP by a dense gradient", "training_cost", 'method == "snfs"', 'method in ("snfs", "snip")',
          "papers.md 6.7", "snip"),
    wrong("a byte for every bit", "storage", "prod(shape) / 8", "prod(shape)", "papers.md 7: one bit an entry",
          "bitmask"),
    wrong("whole bytes of a mask", "storage", "prod(shape) / 8", "-(-prod(shape) // 8)",
          "papers.md 7: one bit an entry", "bitmask-part-of-a-byte"),
    wrong("no mask where nothing is left out", "storage", "prod(shape) / 8",
          "prod(shape) / 8 * (n_active < prod(shape))", "papers.md 7: a mask where s > 0",
          "bitmask-when-nothing-is-left-out"),
    wrong("dense, but only what is active", "storage", "return 4 * prod(shape)", "return 4 * n_active", "L1", "dense"),
    wrong("as many pointers as rows", "storage", "4 * (rows + 1)", "4 * rows", "L1", "csr"),
    wrong("rows of the first axis", "storage", "prod(shape[:-1])", "shape[0]", "L1", "csr-of-a-convolution"),
    wrong("columns for rows", "storage", "prod(shape[:-1])", "shape[-1]", "L1", "csr-empty"),
    wrong("no column numbers", "storage", "8 * n_active", "4 * n_active", "L1", "csr"),
    # counting
    wrong("multiply-adds for FLOPs", "flops_count", "(2 * seen * density + extra)", "(seen * density + extra)", "L1",
          "lenet-300-100-clean"),
    wrong("inputs for outputs", "flops_count", 'window, outputs, extra = prod(shape[:-2]), site["outputs"], 0',
          'window, outputs, extra = prod(shape[:-2]), prod(site["in_shape"][:-1]) * shape[-1], 0', "L1",
          "lenet-5-clean"),
    wrong("densities left out", "flops_count", 'densities.get(site["name"], 1.0)', "1.0", "L1", "density-clean"),
    wrong("depthwise as a full convolution", "flops_count", 'if site["kind"] == "depthwise" else', "if False else",
          "papers.md 7", "depthwise-clean"),
    wrong("without bias and ReLU", "flops_count", "window * shape[-2], 1, shape[-1]",
          "window * shape[-2], -1, shape[-1]", "papers.md 7", "linear-by-rigl"),
    wrong("bias and ReLU thinned out", "flops_count", "(2 * seen * density + extra)", "(2 * seen + extra) * density",
          "papers.md 7", "linear-by-rigl"),
    wrong("112 x 112", "flops_count", "-(-(n + 2 * pad) //", "-(-n //", "papers.md 7", "resnet-50-conv1-by-rigl"),
    wrong("positions as they are", "flops_count", "outputs *= -(-(n + 2 * pad)",
          "outputs *= -(-(n + 2 * pad - (shape[0] - 1) * (site['padding'] == 'valid'))", "papers.md 7",
          "valid-counted-as-same-by-rigl"),
    wrong("depthwise by its own channel", "flops_count", "seen, extra, outputs = window * shape[-2], 1, shape[-1]",
          'seen, extra, outputs = ((window, 1, shape[-2]) if site["kind"] == "depthwise" else '
          "(window * shape[-2], 1, shape[-1]))", "papers.md 7", "depthwise-by-rigl"),
    wrong("channels read aright", "flops_count", "seen, outputs = window * shape[-1], outputs // shape[-1] * shape[-2]",
          "seen = window * shape[-2]", "papers.md 7", "linear-by-the-report"),
    wrong("every layer has a bias", "flops_count", 'extra = 1 if site["kind"] == "linear" else 0', "extra = 1",
          "papers.md 7", "no-bias-by-the-report"),
    wrong("no layer has a bias", "flops_count", 'extra = 1 if site["kind"] == "linear" else 0', "extra = 0",
          "papers.md 7", "linear-by-the-report"),
    wrong("biases in the clean size", "flops_size", 'if convention == "rigl":', 'if convention != "other":', "L1",
          "dense-clean"),
    wrong("a mask for full layers too", "flops_size", "if density < 1 else 0", "if True else 0", "papers.md 7",
          "sparse-clean"),
    wrong("no mask", "flops_size", "prod(shape) / 8 if density < 1 else 0", "0", "papers.md 7", "sparse-clean"),
    wrong("no biases", "flops_size", "            stored += shape[-1]\n", "            stored += 0\n",
          "papers.md (B) 10", "l0-by-rigl"),
    wrong("biases thinned out", "flops_size", "            stored += shape[-1]\n",
          "            stored += shape[-1] * density\n", "papers.md 7", "sparse-by-rigl"),
    wrong("biases of the true outputs", "flops_size", "            stored += shape[-2]\n",
          "            stored += shape[-1]\n", "papers.md 7", "by-the-report"),
    # whole numbers, and what is expected of a network
    Wrong("whole numbers stay whole", "gate", lambda log_alpha, u, *more: other_numbers.gate(
          log_alpha, u, *more).astype(log_alpha.dtype), "H3", "gate/whole-numbers"),
    wrong("one draw for the batch", "gate", "with np.errstate", "u = np.atleast_2d(u)[0] if np.ndim(u) > "
          "np.ndim(log_alpha) else u\n    with np.errstate", "1.6: local_rep", "noise-for-every-example"),
    Wrong("whole numbers stay whole", "gate_at_test", lambda log_alpha, *more: other_numbers.gate_at_test(
          log_alpha, *more).astype(log_alpha.dtype), "H1", "gate_at_test/whole-numbers"),
    Wrong("whole numbers stay whole", "prob_open", lambda log_alpha, *more: other_numbers.prob_open(
          log_alpha, *more).astype(log_alpha.dtype), "H1", "prob_open/whole-numbers"),
    wrong("without the gates' own biases", "expected_l0", "group += 1 if", "group += 0 if", "H6", "gates-of-outputs"),
    wrong("a bias for every gate", "expected_l0", "bias is not None and bias.shape == log_alpha.shape else 0",
          "log_alpha.ndim == 1 else 0", "H11", "gates-of-outputs-without-bias"),
    wrong("gates counted, not weights", "expected_l0", 'params[f"{layer}.weight"].size / log_alpha.size', "1", "H11",
          "gates-of-inputs"),
    wrong("the test gates for the expected", "expected_l0", "(1 - prob_open(log_alpha)).sum()",
          "(gate_at_test(log_alpha) == 0).sum()", "H12", "gates-of-weights"),
    wrong("gated layers alone", "expected_l0", 'if not name.endswith("log_alpha")',
          'if not name.endswith("log_alpha") and name.rpartition(".")[0] + ".log_alpha" in params', "H11",
          "layers-without-gates"),
    wrong("the mean of the test gates", "densities", "prob_open(a).mean()", "gate_at_test(a).mean()", "H12",
          "at-the-clamp"),
    wrong("the sum of P", "densities", "prob_open(a).mean()", "prob_open(a).sum()", "H11", "of-inputs-and-outputs"),
    wrong("no network without gates", "densities", "    gates =", "    if not any(n.endswith('log_alpha') for n in "
          "params):\n        return None\n    gates =", "H11", "no-gates"),
]  # fmt: skip
