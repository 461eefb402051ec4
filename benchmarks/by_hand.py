"""The training steps of benchmarks.steps in NumPy, written by hand: no tape, no checks, every array allocated once.

A limit that moves with the machine: what minisparse takes beyond these is the price of its generality. Each function
takes our parameters and batches, and returns the step and the parameters, which it changes in place.
"""

import math
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import cycle
from typing import Any

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


def blocks(n: int, work: Callable[[slice], Any], size: int = 16) -> list[Any]:
    """[work(images)] for blocks of images, on as many Python threads as there are; BLAS then runs on one."""
    return list(_pool().map(work, [slice(i, i + size) for i in range(0, n, size)]))


@cache
def _pool() -> ThreadPoolExecutor:
    """Python threads in the place of BLAS's, from here on."""
    from threadpoolctl import ThreadpoolController

    libraries = ThreadpoolController().select(user_api="blas").lib_controllers
    threads = min((library.num_threads for library in libraries), default=1)
    for library in libraries:
        library.set_num_threads(1)
    return ThreadPoolExecutor(threads)


class NormRelu:
    """Batch norm and ReLU of x (N, H, W, C), made block by block by those who need it."""

    def __init__(self, shape: tuple[int, ...], dtype: np.dtype):
        self.d, self.pixels = np.empty(shape, dtype), math.prod(shape[:-1])

    def measure(self, x: np.ndarray, scale: np.ndarray, shift: np.ndarray) -> None:
        self.x, self.scale = x, scale
        (n, _, w, c), ones = x.shape, np.ones(x.shape[1] * 16, x.dtype)
        lines = lambda images: x[images].reshape(-1, w * c)
        total = sum(blocks(n, lambda images: ones[: len(lines(images))] @ lines(images)))
        self.mean = total.reshape(w, c).sum(axis=0) / self.pixels
        along = np.tile(self.mean, w)

        def squares(images: slice) -> np.ndarray:
            centred = lines(images) - along
            return np.einsum("ij,ij->j", centred, centred)

        var = sum(blocks(n, squares)).reshape(w, c).sum(axis=0) / self.pixels
        self.sharp = 1 / np.sqrt(var + 1e-5)
        self.along = along, np.tile(scale * self.sharp, w), np.tile(shift, w)

    def forward(self, images: slice) -> tuple[np.ndarray, np.ndarray]:
        """x − mean and the rectified pixels of a block."""
        x, (mean, gain, shift) = self.x[images], self.along
        centred = x.reshape(-1, len(mean)) - mean
        y = centred * gain
        y += shift
        return centred, np.maximum(y, 0, out=y).reshape(x.shape)

    def sums(self, images: slice, centred: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Take d of a block back through the ReLU."""
        d = self.d[images].reshape(centred.shape)
        d *= y.reshape(centred.shape) > 0
        return np.ones(len(d), d.dtype) @ d, np.einsum("ij,ij->j", d, centred)

    def backward(self, parts: list, grads: Arrays, name: str) -> np.ndarray:
        w, c = self.x.shape[2:]
        total, by_centred = (sum(part[i] for part in parts).reshape(w, c).sum(axis=0) for i in range(2))
        grads[f"{name}.shift"][...] = total
        grads[f"{name}.scale"][...] = by_centred * self.sharp
        gain = self.scale * self.sharp
        slope = -gain * self.sharp**2 * by_centred / self.pixels
        by_d, by_x, rest = (np.tile(a, w) for a in (gain, slope, -gain * total / self.pixels - slope * self.mean))

        def work(images: slice) -> None:
            d, x = (a[images].reshape(-1, w * c) for a in (self.d, self.x))
            d *= by_d
            d += x * by_x
            d += rest

        blocks(len(self.x), work)
        return self.d


class Same:
    """A "same" convolution, with a stride of 1 or 2, of pixels that `read(images)` makes."""

    def __init__(self, shape: tuple[int, ...], kernel: np.ndarray, stride: int = 1):
        n, h, w, self.c = shape
        self.k, self.stride, self.c_out = len(kernel), stride, kernel.shape[3]
        self.h, self.w = h // stride, w // stride
        self.y = np.empty((n, self.h, self.w, self.c_out), kernel.dtype)
        around = max(self.k - stride, 0)
        self.before, self.after = around // 2, around - around // 2

    def framed(self, x: np.ndarray, before: int, after: int) -> np.ndarray:
        n, h, w, c = x.shape
        framed = np.zeros((n, h + before + after, w + before + after, c), x.dtype)
        framed[:, before : before + h, before : before + w] = x
        return framed

    def lines(self, x: np.ndarray, before: int, after: int) -> list[np.ndarray]:
        """With stride 1: what each row of the kernel sees, (N, H W, k C), views of one array."""
        (n, h, w, c), framed = x.shape, self.framed(x, before, after)
        seen = np.lib.stride_tricks.sliding_window_view(framed, self.k, axis=2).swapaxes(3, 4)
        seen = np.ascontiguousarray(seen).reshape(n, -1, self.k * c)
        return [seen[:, i * w : (i + h) * w] for i in range(self.k)]

    def windows(self, x: np.ndarray) -> np.ndarray:
        """With stride 2: the whole window of every output as a row."""
        framed = self.framed(x, self.before, self.after)
        seen = np.lib.stride_tricks.sliding_window_view(framed, (self.k, self.k), axis=(1, 2))[:, ::2, ::2]
        return np.ascontiguousarray(seen.transpose(0, 1, 2, 4, 5, 3)).reshape(-1, self.k * self.k * self.c)

    def forward(self, read: Callable[[slice], np.ndarray], kernel: np.ndarray) -> np.ndarray:
        def work(images: slice) -> None:
            out, x = self.y[images], read(images)
            if self.stride == 2:
                np.matmul(self.windows(x), kernel.reshape(-1, self.c_out), out=out.reshape(-1, self.c_out))
            else:
                total(self.lines(x, self.before, self.after), kernel, out)

        blocks(len(self.y), work)
        return self.y

    def to_kernel(self, x: np.ndarray, d: np.ndarray) -> np.ndarray:
        """The kernel's gradient alone, with stride 1."""
        pixels = d.reshape(len(d), -1, self.c_out)
        seen = self.lines(x, self.before, self.after)
        return np.stack([(line.swapaxes(1, 2) @ pixels).sum(axis=0) for line in seen])

    def backward(self, x: np.ndarray, d: np.ndarray, kernel: np.ndarray, dx: np.ndarray) -> np.ndarray:
        """Add to dx where the stride is 2, else write it; the kernel's gradient."""
        if self.stride == 1:
            seen, pixels = self.lines(d, self.after, self.before), x.reshape(len(x), -1, self.c)
            total(seen, np.ascontiguousarray(kernel[::-1, ::-1].swapaxes(2, 3)), dx)
            flipped = np.stack([(line.swapaxes(1, 2) @ pixels).sum(axis=0) for line in seen])
            return flipped.reshape(self.k, self.k, self.c_out, self.c)[::-1, ::-1].swapaxes(2, 3)
        rows = d.reshape(-1, self.c_out)
        shares = (rows @ kernel.reshape(-1, self.c_out).T).reshape(*d.shape[:3], self.k, self.k, self.c)
        size = 2 * self.h + self.k - 1
        padded = np.zeros((len(d), size, size, self.c), d.dtype)
        for i in range(self.k):
            for j in range(self.k):
                padded[:, i : i + 2 * self.h : 2, j : j + 2 * self.w : 2] += shares[:, :, :, i, j]
        dx += padded[:, self.before : self.before + 2 * self.h, self.before : self.before + 2 * self.w]
        return (self.windows(x).T @ rows).reshape(kernel.shape)


def total(lines: list[np.ndarray], kernel: np.ndarray, out: np.ndarray) -> None:
    """The sum of what each row of the kernel makes of the pixels that it sees."""
    y, (k, _, c, c_out) = out.reshape(len(out), -1, out.shape[3]), kernel.shape
    term = np.empty_like(y)
    for i, (seen, row) in enumerate(zip(lines, kernel.reshape(k, k * c, c_out), strict=True)):
        np.matmul(seen, row, out=term if i else y)
        if i:
            y += term


def wide_resnet_10_1(params: Arrays, batches: Iterable[Batch], lr: float, momentum: float, weight_decay: float) -> Made:
    """Batch norm, ReLU and convolution of a block of images at a time; their way back makes the pixels again."""
    batches = list(batches)
    n, dtype, data = len(batches[0][0]), batches[0][0].dtype, cycle(batches)
    sgd = Momentum(params, lr, momentum, weight_decay)
    p, grads = sgd.params, sgd.grads
    shapes = [(n, 32, 32, 16), (n, 16, 16, 32), (n, 8, 8, 64)]
    stem = Same((n, 32, 32, 3), p["conv1.weight"])
    groups = ["group1_1", "group2_1", "group3_1"]
    inner = ["group1_1", "group2_1.block", "group3_1.block"]
    norms, convs, arounds, outs = [], [], [], [np.empty(shape, dtype) for shape in shapes]
    for i, shape in enumerate(shapes):
        before = shapes[max(i - 1, 0)]
        kernels = [p[f"{inner[i]}.{name}.weight"] for name in ("conv1", "conv2")]
        norms.append((NormRelu(before, dtype), NormRelu(shape, dtype)))
        convs.append((Same(before, kernels[0], 1 if i == 0 else 2), Same(shape, kernels[1])))
        arounds.append(Same(before, p[f"{inner[i]}.shortcut.weight"], 2) if i else None)
    last, mean = NormRelu(shapes[2], dtype), np.empty((n, 64), dtype)

    def conv_back(norm: NormRelu, conv: Same, name: str, d: np.ndarray, around: Same | None = None) -> list:
        kernel, beside = p[f"{name}.weight"], f"{name.rpartition('.')[0]}.shortcut.weight"

        def work(images: slice) -> tuple[np.ndarray, ...]:
            centred, y = norm.forward(images)
            norm.d[images] = 0
            kernels = [conv.backward(y, conv_d[images], kernel, norm.d[images])]
            if around:
                kernels.append(around.backward(y, d[images], p[beside], norm.d[images]))
            return *norm.sums(images, centred, y), *kernels

        conv_d = between if around else d
        parts = blocks(n, work)
        grads[f"{name}.weight"][...] = sum(part[2] for part in parts).reshape(kernel.shape)
        if around:
            grads[beside][...] = sum(part[3] for part in parts).reshape(grads[beside].shape)
        return parts

    between = np.empty(0)

    def step() -> float:
        nonlocal between
        images, labels = next(data)
        x = stem.forward(lambda part: images[part], p["conv1.weight"])
        for i, out in enumerate(outs):
            (norm1, norm2), (conv1, conv2), around = norms[i], convs[i], arounds[i]
            norm1.measure(x, p[f"{groups[i]}.bn1.scale"], p[f"{groups[i]}.bn1.shift"])
            y = conv1.forward(lambda part, norm=norm1: norm.forward(part)[1], p[f"{inner[i]}.conv1.weight"])
            norm2.measure(y, p[f"{inner[i]}.bn2.scale"], p[f"{inner[i]}.bn2.shift"])
            y = conv2.forward(lambda part, norm=norm2: norm.forward(part)[1], p[f"{inner[i]}.conv2.weight"])
            beside = around.forward(lambda part, norm=norm1: norm.forward(part)[1],
                                    p[f"{inner[i]}.shortcut.weight"]) if around else x  # fmt: skip
            np.add(y, beside, out=out)
            x = out
        last.measure(x, p["bn.scale"], p["bn.shift"])

        def average(images: slice) -> None:
            last.forward(images)[1].mean(axis=(1, 2), out=mean[images])

        blocks(n, average)
        z = mean @ p["fc.weight"]
        z += p["fc.bias"]
        loss = cross_entropy(z, labels)
        np.matmul(mean.T, z, out=grads["fc.weight"])
        z.sum(axis=0, out=grads["fc.bias"])
        to_mean = (z @ p["fc.weight"].T) / 64

        def to_last(images: slice) -> tuple[np.ndarray, ...]:
            last.d[images] = to_mean[images, None, None]
            return last.sums(images, *last.forward(images))

        d = last.backward(blocks(n, to_last), grads, "bn")
        for i in (2, 1, 0):
            (norm1, norm2), (conv1, conv2), around = norms[i], convs[i], arounds[i]
            parts = conv_back(norm2, conv2, f"{inner[i]}.conv2", d)
            between = norm2.backward(parts, grads, f"{inner[i]}.bn2")
            parts = conv_back(norm1, conv1, f"{inner[i]}.conv1", d if around else between, around)
            below = norm1.backward(parts, grads, f"{groups[i]}.bn1")
            if not around:
                below += d
            d = below
        work = lambda part: stem.to_kernel(images[part], d[part])
        grads["conv1.weight"][...] = sum(blocks(n, work)).reshape(grads["conv1.weight"].shape)
        sgd.step()
        return loss

    return step, sgd.params
