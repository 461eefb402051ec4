"""Truly sparse layers in PyTorch: by hand, of what its compressed tensors can do, and SparseLab's.

Weights come as minisparse stores them, (n_in, n_out) with the positions of their connections; PyTorch's are (n_out,
n_in). Networks take batches of images and answer with (batch, classes), whatever lies in between.
"""

import warnings
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

from minisparse.sparse import SparseWeight


class CsrLinear(nn.Module):
    """weight @ x + bias for x (n_in, batch): features are rows, on which MKL's product is fastest.

    `values` are the trained parameter, output by output. The compressed matrix shares its memory with them, so that
    the optimizer writes into both; the transposed matrix, for the gradient of x, copies them in its own order. Indices
    have 32 bits, as MKL's here do: others would be converted at every call.
    """

    def __init__(self, weight: SparseWeight, bias: np.ndarray):
        super().__init__()
        mask, order = weight.mask, np.argsort(weight.mask.columns, kind="stable")
        n_in, n_out = mask.shape
        self.values = nn.Parameter(torch.from_numpy(weight.values[order]))
        self.bias = nn.Parameter(torch.from_numpy(bias.copy()))
        self.places = torch.from_numpy(np.argsort(order))  # of the transposed matrix's entries among the values
        self.weight = _csr(mask.columns[order], mask.rows[order], self.values.detach(), (n_out, n_in))
        self.transposed = _csr(mask.rows, mask.columns, torch.from_numpy(weight.values.copy()), (n_in, n_out))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return _CsrProduct.apply(self.values, self.bias, x, self)

    def dense_weight(self) -> torch.Tensor:
        return self.weight.to_dense()


class _CsrProduct(torch.autograd.Function):
    """The weight's gradient is made at its connections only, by a sampled dense-dense product."""

    @staticmethod
    def forward(ctx: Any, values: torch.Tensor, bias: torch.Tensor, x: torch.Tensor, layer: CsrLinear) -> torch.Tensor:
        ctx.layer = layer
        ctx.save_for_backward(x)
        return torch.addmm(bias[:, None].expand(-1, x.shape[1]), layer.weight, x)

    @staticmethod
    def backward(ctx: Any, g: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        layer, (x,), g = ctx.layer, ctx.saved_tensors, g.contiguous()
        by_values = torch.sparse.sampled_addmm(layer.weight, g, x.T, beta=0.0).values()
        by_x = None
        if ctx.needs_input_grad[2]:
            torch.index_select(layer.values.detach(), 0, layer.places, out=layer.transposed.values())
            by_x = layer.transposed @ g
        return by_values, g.sum(1), by_x, None


class FeatureMajorLinear(nn.Linear):
    """A dense layer between features that are rows."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.addmm(self.bias[:, None], self.weight, x)


class FeatureMajor(nn.Module):
    """A network whose layers take (features, batch), for batches (batch, features)."""

    def __init__(self, layers: nn.Sequential):
        super().__init__()
        self.layers = layers

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(x.T).T


def dense_network(params: Mapping[str, Any]) -> nn.Module:
    """An MLP of minisparse's parameters, of which the whole is stored and trained."""
    return _network(params, _dense_layer, nn.Linear)


def csr_network(params: Mapping[str, Any]) -> nn.Module:
    """The same with CsrLinear where only the connections are stored.

    Its batches may be feature-major in memory, the views x.T of contiguous arrays; then nothing is copied.
    """
    return FeatureMajor(_network(params, CsrLinear, FeatureMajorLinear))


def sparselab_network(params: Mapping[str, Any]) -> nn.Module:
    """The same with SparseLab's layers, which know float32 alone."""
    import sparselab

    def layer(weight: SparseWeight, bias: np.ndarray) -> nn.Module:
        mask, order = weight.mask, np.argsort(weight.mask.columns, kind="stable")
        n_in, n_out = mask.shape
        made = sparselab.SparseLinear(n_in, n_out, sparsity=1 - len(mask.flat) / mask.size)
        values = torch.from_numpy(weight.values[order])
        made._csr = sparselab.PaddedCSR.from_torch_sparse_csr(
            _csr(mask.columns[order], mask.rows[order], values, (n_out, n_in))
        )
        made._values = nn.Parameter(torch.from_numpy(np.asarray(made._csr.values)))
        made.bias = nn.Parameter(torch.from_numpy(bias.copy()))
        made.dense_weight = lambda: torch.from_numpy(_entries_of(made._csr))
        return made

    return _network(params, layer, nn.Linear)


def _network(params: Mapping[str, Any], sparse: Callable[..., nn.Module], dense: Callable[..., nn.Module]) -> Any:
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    for i in range(1, len(params) // 2 + 1):
        weight, bias = params[f"fc{i}.weight"], params[f"fc{i}.bias"]
        if isinstance(weight, SparseWeight):
            layer = sparse(weight, bias)
        else:
            layer = dense(*weight.shape, dtype=getattr(torch, weight.dtype.name))
            with torch.no_grad():
                layer.weight.copy_(torch.from_numpy(weight).T)
                layer.bias.copy_(torch.from_numpy(bias))
        layers[f"fc{i}"] = layer
        layers[f"relu{i}"] = nn.ReLU()
    layers.popitem()
    return nn.Sequential(layers)


def _dense_layer(weight: SparseWeight, bias: np.ndarray) -> nn.Module:
    layer = nn.Linear(*weight.shape, dtype=getattr(torch, weight.dtype.name))
    rows, columns = (torch.from_numpy(places).long() for places in (weight.mask.rows, weight.mask.columns))
    with torch.no_grad():
        layer.weight.zero_()
        layer.weight[columns, rows] = torch.from_numpy(weight.values)
        layer.bias.copy_(torch.from_numpy(bias))
    return layer


def keep_masked(model: nn.Module, params: Mapping[str, Any]) -> None:
    """Let a dense network from `dense_network` train the connections alone: all other gradients are made zero."""
    for name, weight in params.items():
        if isinstance(weight, SparseWeight):
            mask = torch.from_numpy(weight.mask.dense().T)
            model.get_parameter(name).register_hook(lambda g, mask=mask: g * mask)


def parameters(model: nn.Module) -> dict[str, np.ndarray]:
    """The parameters under minisparse's names and in its shapes, with a zero wherever nothing is stored."""
    made = {}
    for path, layer in model.named_modules():
        if hasattr(layer, "bias"):
            name = path.rpartition(".")[2]
            weight = layer.dense_weight() if hasattr(layer, "dense_weight") else layer.weight
            made[f"{name}.weight"] = weight.detach().numpy().T
            made[f"{name}.bias"] = layer.bias.detach().numpy()
    return made


def _entries_of(padded: Any) -> np.ndarray:
    """SparseLab's matrix as an array: every row has room for more entries than it holds."""
    made = np.zeros((padded.nrows, padded.ncols), np.float32)
    values, columns = np.asarray(padded.values), np.asarray(padded.col_indices)
    for i, (start, n) in enumerate(zip(padded.row_start, padded.row_nnz, strict=True)):
        made[i, columns[start : start + n]] = values[start : start + n]
    return made


def _csr(rows: np.ndarray, columns: np.ndarray, values: torch.Tensor, shape: tuple[int, int]) -> torch.Tensor:
    """Entries that come row by row as PyTorch's compressed rows, on the memory of `values`."""
    starts = np.searchsorted(rows, np.arange(shape[0] + 1)).astype(np.int32)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta")
        indices = torch.from_numpy(starts), torch.from_numpy(columns)
        return torch.sparse_csr_tensor(*indices, values, shape, check_invariants=False)
