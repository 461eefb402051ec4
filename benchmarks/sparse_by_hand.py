"""The truly sparse steps of benchmarks.sparse by hand, in NumPy and SciPy: no tape, every array allocated once.

Activations lie units first, (units, batch), so that a connection is a pair of contiguous rows. A layer's connections
are stored twice, by output for the way forward and by input for the way back, with one array of values and an order
between them.
"""

from collections.abc import Iterable
from itertools import cycle
from typing import Any

import numpy as np
from scipy.sparse._sparsetools import csr_matvecs

from .by_hand import Arrays, Batch, Made, Momentum, cross_entropy

ROWS = 1024  # connections whose rows are gathered at a time: they fit a core's cache


class Sparse:
    """The connections of a layer: y = W^T x, and the way back."""

    def __init__(self, weight: Any, batch: int):
        (self.n_in, self.n_out), inputs, outputs = weight.shape, *divmod(weight.mask.flat, weight.shape[1])
        self.inputs, self.outputs = inputs.astype(np.int32), outputs.astype(np.int32)  # by input, as they are stored
        self.order = np.lexsort((inputs, outputs))  # by output
        self.by_output = self._ends(self.outputs[self.order], self.n_out), self.inputs[self.order]
        self.by_input = self._ends(self.inputs, self.n_in), self.outputs
        self.y = np.empty((self.n_out, batch), weight.dtype)
        self.dx = np.empty((self.n_in, batch), weight.dtype)
        self.rows = np.empty((2, ROWS, batch), weight.dtype)

    @staticmethod
    def _ends(rows: np.ndarray, n: int) -> np.ndarray:
        return np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=n))]).astype(np.int32)

    def forward(self, w: np.ndarray, bias: np.ndarray, x: np.ndarray) -> np.ndarray:
        self.y[...] = bias[:, None]
        csr_matvecs(self.n_out, self.n_in, x.shape[1], *self.by_output, w[self.order], x.ravel(), self.y.ravel())
        return self.y

    def to_x(self, w: np.ndarray, d: np.ndarray) -> np.ndarray:
        self.dx[...] = 0
        csr_matvecs(self.n_in, self.n_out, d.shape[1], *self.by_input, w, d.ravel(), self.dx.ravel())
        return self.dx

    def to_w(self, x: np.ndarray, d: np.ndarray, out: np.ndarray) -> None:
        for i in range(0, len(out), ROWS):
            here = slice(i, i + ROWS)
            a, b = self.rows[:, : len(out[here])]
            np.take(x, self.inputs[here], axis=0, out=a, mode="clip")
            np.take(d, self.outputs[here], axis=0, out=b, mode="clip")
            np.einsum("nb,nb->n", a, b, out=out[here])


def perceptron(params: dict[str, Any], batches: Iterable[Batch], lr: float, momentum: float) -> Made:
    """The step of an MLP whose weights are our truly sparse ones, but for the last; values by name."""
    batches = [(np.ascontiguousarray(x.T), labels) for x, labels in batches]
    names = [name.removesuffix(".weight") for name in params if name.endswith(".weight")]
    *hidden, last = names
    layers = [Sparse(params[f"{name}.weight"], batches[0][0].shape[1]) for name in hidden]
    sgd, data = Momentum({n: getattr(w, "values", w) for n, w in params.items()}, lr, momentum, 0.0), cycle(batches)
    on = [np.empty(layer.y.shape, bool) for layer in layers]

    def step() -> float:
        (x, labels), p, grads = next(data), sgd.params, sgd.grads
        seen = [x]
        for name, layer in zip(hidden, layers, strict=True):
            y = layer.forward(p[f"{name}.weight"], p[f"{name}.bias"], seen[-1])
            seen.append(np.maximum(y, 0, out=y))
        z = seen[-1].T @ p[f"{last}.weight"] + p[f"{last}.bias"]
        loss = cross_entropy(z, labels)
        np.matmul(seen[-1], z, out=grads[f"{last}.weight"])
        z.sum(axis=0, out=grads[f"{last}.bias"])
        d = p[f"{last}.weight"] @ z.T
        for i in range(len(layers) - 1, -1, -1):
            name, layer = hidden[i], layers[i]
            d *= np.greater(seen[i + 1], 0, out=on[i])
            layer.to_w(seen[i], d, grads[f"{name}.weight"])
            d.sum(axis=1, out=grads[f"{name}.bias"])
            if i:
                d = layer.to_x(p[f"{name}.weight"], d)
        sgd.step()
        return loss

    return step, sgd.params


def values(params: dict[str, Any]) -> Arrays:
    """The stored values of sparse weights, and dense arrays, by name."""
    return {name: getattr(array, "values", array) for name, array in params.items()}
