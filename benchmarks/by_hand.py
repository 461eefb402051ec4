"""The training steps of benchmarks.steps in NumPy, written by hand: no tape, no checks, every array allocated once.

A limit that moves with the machine: what minisparse takes beyond these is the price of its generality. Each function
takes our parameters and batches, and returns the step and the parameters, which it changes in place.
"""

from collections.abc import Callable, Iterable
from itertools import cycle

import numpy as np

Arrays = dict[str, np.ndarray]
Batch = tuple[np.ndarray, np.ndarray]
Made = tuple[Callable[[], float], Arrays]


class Momentum:
    """SGD with momentum on one flat buffer: parameters, gradients and velocities are views of its rows."""

    def __init__(self, params: Arrays, lr: float, momentum: float, weight_decay: float):
        self.lr, self.momentum = lr, momentum
        names = sorted(params, key=lambda name: not name.endswith(".weight"))  # those that decay come first
        sizes = [params[name].size for name in names]
        self.flat = np.zeros((4, sum(sizes)), params[names[0]].dtype)
        ends = np.cumsum(sizes)
        views = [
            {n: row[end - size : end].reshape(params[n].shape) for n, size, end in zip(names, sizes, ends, strict=True)}
            for row in self.flat
        ]
        self.params, self.grads = views[0], views[1]
        for name, array in params.items():
            self.params[name][...] = array
        self.decay, self.n_decayed = weight_decay, sum(s for n, s in zip(names, sizes, strict=True) if "weight" in n)

    def step(self) -> None:
        w, g, v, change = self.flat
        if self.decay:
            n = self.n_decayed
            g[:n] += np.multiply(w[:n], self.decay, out=change[:n])
        v *= self.momentum
        v += g
        w -= np.multiply(v, self.lr, out=change)


def cross_entropy(z: np.ndarray, labels: np.ndarray) -> float:
    """The mean loss; z, (N, classes), becomes its gradient."""
    rows = np.arange(len(z))
    z -= z.max(axis=1, keepdims=True)
    right = z[rows, labels].copy()
    np.exp(z, out=z)
    total = z.sum(axis=1, keepdims=True)
    loss = float((np.log(total[:, 0]) - right).mean())
    z /= total
    z[rows, labels] -= 1
    z /= len(z)
    return loss


def perceptron(params: Arrays, names: list[str], batch: int, dtype: np.dtype) -> tuple[Callable, Callable]:
    """forward(p, x) -> logits and backward(p, g, grad of logits, x, to_x) through linear layers with ReLUs between."""
    h = [np.empty((batch, params[f"{name}.weight"].shape[1]), dtype) for name in names]
    dh, on = [np.empty_like(a) for a in h], [np.empty(a.shape, bool) for a in h]

    def forward(p: Arrays, x: np.ndarray) -> np.ndarray:
        for i, name in enumerate(names):
            np.matmul(x, p[f"{name}.weight"], out=h[i])
            h[i] += p[f"{name}.bias"]
            if i < len(names) - 1:
                np.maximum(h[i], 0, out=h[i])
            x = h[i]
        return x

    def backward(p: Arrays, grads: Arrays, d: np.ndarray, x: np.ndarray, to_x: np.ndarray | None = None) -> None:
        for i in range(len(names) - 1, -1, -1):
            below = h[i - 1] if i else x
            np.matmul(below.T, d, out=grads[f"{names[i]}.weight"])
            d.sum(axis=0, out=grads[f"{names[i]}.bias"])
            if i:
                d = np.matmul(d, p[f"{names[i]}.weight"].T, out=dh[i - 1])
                d *= np.greater(below, 0, out=on[i - 1])
            elif to_x is not None:
                np.matmul(d, p[f"{names[i]}.weight"].T, out=to_x)

    return forward, backward


def lenet_300_100(params: Arrays, batches: Iterable[Batch], lr: float, momentum: float, weight_decay: float) -> Made:
    batches = list(batches)
    sgd, data = Momentum(params, lr, momentum, weight_decay), cycle(batches)
    forward, backward = perceptron(params, ["fc1", "fc2", "fc3"], len(batches[0][0]), batches[0][0].dtype)

    def step() -> float:
        x, labels = next(data)
        z = forward(sgd.params, x)
        loss = cross_entropy(z, labels)
        backward(sgd.params, sgd.grads, z, x)
        sgd.step()
        return loss

    return step, sgd.params


class Convolution:
    """A valid convolution with stride 1: every window of a block of images is a row of one matrix."""

    def __init__(self, batch: int, shape: tuple[int, int, int], kernel: np.ndarray, block: int = 16):
        (h, w, c), (k, _, _, self.c_out) = shape, kernel.shape
        self.k, self.out, self.block = k, (h - k + 1, w - k + 1), block
        self.rows = np.empty((block, *self.out, k, k, c), kernel.dtype)
        self.y = np.empty((batch, *self.out, self.c_out), kernel.dtype)
        self.dx = np.empty((batch, *shape), kernel.dtype)

    def windows(self, x: np.ndarray) -> np.ndarray:
        seen = np.lib.stride_tricks.sliding_window_view(x, (self.k, self.k), axis=(1, 2))
        self.rows[...] = seen.transpose(0, 1, 2, 4, 5, 3)
        return self.rows.reshape(self.block * self.out[0] * self.out[1], -1)

    def forward(self, x: np.ndarray, kernel: np.ndarray, bias: np.ndarray) -> np.ndarray:
        for i in range(0, len(x), self.block):
            out = self.y[i : i + self.block].reshape(-1, self.c_out)
            np.matmul(self.windows(x[i : i + self.block]), kernel.reshape(-1, self.c_out), out=out)
            out += bias
        return self.y

    def backward(
        self, x: np.ndarray, d: np.ndarray, kernel: np.ndarray, grads: Arrays, name: str, to_x: bool
    ) -> np.ndarray:
        grads[f"{name}.bias"][...] = d.reshape(-1, self.c_out).sum(axis=0)
        total = grads[f"{name}.weight"].reshape(-1, self.c_out)
        total[...] = 0
        (h_out, w_out), k = self.out, self.k
        for i in range(0, len(x), self.block):
            g = d[i : i + self.block].reshape(-1, self.c_out)
            total += self.windows(x[i : i + self.block]).T @ g
            if to_x:
                np.matmul(g, kernel.reshape(-1, self.c_out).T, out=self.rows.reshape(len(g), -1))
                dx = self.dx[i : i + self.block]
                dx[...] = 0
                for a in range(k):
                    for b in range(k):
                        dx[:, a : a + h_out, b : b + w_out] += self.rows[:, :, :, a, b]
        return self.dx


class PoolRelu:
    """The largest of every 2×2 window, and ReLU."""

    def __init__(self, shape: tuple[int, ...], dtype: np.dtype):
        n, h, w, c = shape
        self.y = np.empty((n, h // 2, w // 2, c), dtype)
        self.dx, self.down = np.empty(shape, dtype), np.empty((n, h // 2, w, c), dtype)

    def forward(self, x: np.ndarray) -> np.ndarray:
        np.maximum(x[:, ::2], x[:, 1::2], out=self.down)
        np.maximum(self.down[:, :, ::2], self.down[:, :, 1::2], out=self.y)
        return np.maximum(self.y, 0, out=self.y)

    def backward(self, x: np.ndarray, d: np.ndarray) -> np.ndarray:
        waiting = self.y > 0  # where the ReLU is off, nothing goes back
        for i in range(2):
            for j in range(2):
                first = (x[:, i::2, j::2] == self.y) & waiting
                waiting &= ~first
                np.multiply(d, first, out=self.dx[:, i::2, j::2])
        return self.dx


def lenet_5(params: Arrays, batches: Iterable[Batch], lr: float, momentum: float, weight_decay: float) -> Made:
    batches = list(batches)
    n, dtype = len(batches[0][0]), batches[0][0].dtype
    sgd, data = Momentum(params, lr, momentum, weight_decay), cycle(batches)
    conv1 = Convolution(n, (28, 28, 1), params["conv1.weight"])
    conv2 = Convolution(n, (12, 12, 20), params["conv2.weight"])
    pool1, pool2 = PoolRelu(conv1.y.shape, dtype), PoolRelu(conv2.y.shape, dtype)
    flat, d_flat = pool2.y.reshape(n, -1), np.empty((n, pool2.y[0].size), dtype)
    forward, backward = perceptron(params, ["fc1", "fc2"], n, dtype)

    def step() -> float:
        x, labels = next(data)
        p, grads = sgd.params, sgd.grads
        a = pool1.forward(conv1.forward(x, p["conv1.weight"], p["conv1.bias"]))
        pool2.forward(conv2.forward(a, p["conv2.weight"], p["conv2.bias"]))
        z = forward(p, flat)
        loss = cross_entropy(z, labels)
        backward(p, grads, z, flat, d_flat)
        d = pool2.backward(conv2.y, d_flat.reshape(pool2.y.shape))
        d = pool1.backward(conv1.y, conv2.backward(a, d, p["conv2.weight"], grads, "conv2", to_x=True))
        conv1.backward(x, d, p["conv1.weight"], grads, "conv1", to_x=False)
        sgd.step()
        return loss

    return step, sgd.params
