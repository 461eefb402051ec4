"""sparselab: one SparseLinear under its `RigL` or `SET`. A case of one axis is one row."""

import numpy as np
import sparselab
import torch


def layer_of(weight, mask):
    w, m = (x.reshape(1, -1) if x.ndim == 1 else x.reshape(-1, x.shape[-1]) for x in (weight, mask))
    layer = sparselab.SparseLinear(w.shape[1], w.shape[0], bias=False, sparsity=0.0)
    for row in range(len(w)):
        columns = np.flatnonzero(m[row]).astype(np.int32)
        layer._csr.rewrite_row(row, columns, w[row, columns].astype(np.float32))
    return layer


def mask_of(layer, shape):
    csr, mask = layer._csr, np.zeros((layer.out_features, layer.in_features), bool)
    columns, starts, lengths = (np.asarray(x) for x in (csr.col_indices, csr.row_start, csr.row_nnz))
    for row, (start, length) in enumerate(zip(starts, lengths, strict=False)):
        mask[row, columns[start : start + length]] = True
    return mask.reshape(shape)


def rigl_update(weight, mask, dense_grad, n_update):
    layer = layer_of(weight, mask)
    algorithm = sparselab.RigL(0.5, drop_fraction=min((n_update + 0.5) / max(mask.sum(), 1), 1.0), update_freq=1)
    layer.apply(algorithm)
    x = torch.tensor(dense_grad.reshape(layer.out_features, -1), dtype=torch.float32)
    layer(x).backward(torch.eye(layer.out_features))  # the gradient of the weights is x
    algorithm.step()
    return mask_of(layer, mask.shape)


class Given:
    """A random generator that chooses the places of largest noise, lowest first among equals."""

    def __init__(self, noise):
        self.rows = iter(noise)

    def choice(self, places, size, replace):
        noise = next(self.rows)
        return places[np.argsort(-noise[places], kind="stable")[:size]]


def set_update_by_magnitude(weight, mask, noise, n_update):
    layer = layer_of(weight, mask)
    algorithm = sparselab.SET(0.5, drop_fraction=min((n_update + 0.5) / max(mask.sum(), 1), 1.0), update_freq=1)
    algorithm._rng = Given(noise.reshape(layer.out_features, -1))
    layer.apply(algorithm)
    algorithm.step()
    return mask_of(layer, mask.shape)
