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


def slots_of(layer):
    """(row, column, place in storage) of every connection."""
    columns, starts, lengths = (np.asarray(getattr(layer._csr, x)) for x in ("col_indices", "row_start", "row_nnz"))
    for row in range(layer.out_features):
        for place in range(starts[row], starts[row] + lengths[row]):
            yield row, columns[place], place


def dense(layer, stored, shape):
    """What is stored for every connection as an array, 0 elsewhere."""
    whole = np.zeros((layer.out_features, layer.in_features), np.asarray(stored).dtype)
    for row, column, place in slots_of(layer):
        whole[row, column] = stored[place]
    return whole.reshape(shape)


def mask_of(layer, shape):
    return dense(layer, np.ones(len(layer._values), bool), shape)


def rewire(layer, mask, dense_grad, n_update):
    algorithm = sparselab.RigL(0.5, drop_fraction=min((n_update + 0.5) / max(mask.sum(), 1), 1.0), update_freq=1)
    layer.apply(algorithm)
    x = torch.tensor(dense_grad.reshape(layer.out_features, -1), dtype=torch.float32)
    layer(x).backward(torch.eye(layer.out_features))  # the gradient of the weights is x
    algorithm.step()


def rigl_update(weight, mask, dense_grad, n_update):
    layer = layer_of(weight, mask)
    rewire(layer, mask, dense_grad, n_update)
    return mask_of(layer, mask.shape)


def update(weight, mask, slots, dense_grad, n_update, method="rigl", scores=None):
    if method != "rigl" or slots.keys() - {"velocity"}:
        raise NotImplementedError("RigL with SGD")
    layer = layer_of(weight, mask)
    momentum = torch.zeros_like(layer._values)
    optimizer = torch.optim.SGD([layer._values], lr=0.1, momentum=0.9)
    if slots:
        matrix = slots["velocity"].reshape(layer.out_features, -1)
        for row, column, place in slots_of(layer):
            momentum[place] = float(matrix[row, column])
        optimizer.state[layer._values]["momentum_buffer"] = momentum
    rewire(layer, mask, dense_grad, n_update)
    after = {"velocity": dense(layer, momentum.numpy(), mask.shape)} if slots else {}
    weights = dense(layer, layer._values.detach().numpy(), mask.shape)
    return {"weight": weights, "mask": mask_of(layer, mask.shape), "slots": after}


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
