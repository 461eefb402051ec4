"""SRigL: RigL with the same number of inputs for every neuron, and without neurons that matter little.

Lasby, Golubeva, Evci, Nica, Ioannou. "Dynamic Sparse Training with Structured Sparsity", ICLR 2024. arXiv:2305.02299.

    section 3, every ΔT steps for each layer                               here
    1  |w| of active weights, |∇L| of pruned weights; K = α_t · active     recipes.srigl, rigl_count
    2  salient: not among the K smallest |w|, or among the K largest |∇L|  salient
    3  ablate neurons with fewer than γ_sal · k salient weights            alive
    4  the new fan-in k' of the others, from the layer's budget            fan_in
    5  prune the K smallest |w|                                            keep, kept
    6  regrow each neuron's largest |∇L| up to k'                          largest_inputs

A neuron is an output of the layer: a column of a linear weight, an output map of a kernel.
"""

import math

from ..backend import Array, namespace
from ..checks import real, same_shapes, whole
from ..masks import top_k
from ..storage import door


def srigl_update(
    weight: Array, mask: Array, dense_grad: Array, n_update: int, n_budget: int, gamma: float = 0.3
) -> Array:
    """The next mask of one layer: floor(n_budget / neurons) inputs for each surviving neuron, none for the others.

    weight, dense_grad (…, n_out), mask (same shape, bool); n_update: K; n_budget: connections that the layer may have,
    at least one for each neuron; gamma: γ_sal from 0, where no neuron is ablated, to 1.

    k = floor(n_budget / n_out). As many neurons as the budget needs survive anyhow, those with most salient weights.
    An ablated neuron may come back. A dropped connection may regrow at once. Ties go to the lower flat index.
    Differs from the authors' code, which rounds γ_sal · k down, to 1 at least, and counts the K largest |∇L| of all
    weights, also of those that stay.
    """
    same_shapes(weight=weight, mask=mask, dense_grad=dense_grad)
    real("gamma", gamma, "a number from 0 to 1", lambda gamma: 0 <= gamma <= 1)
    size, grad, n_out = abs(weight), abs(dense_grad), weight.shape[-1]
    n_in, n_budget = weight.size // n_out, whole("n_budget", n_budget, n_out, weight.size)
    keep = mask & ~top_k(-size, n_update, among=mask)
    salient = fan_ins(keep | top_k(grad, n_update, among=~keep))
    alive = (salient >= round(gamma * (n_budget // n_out), 9)) | top_k(salient, -(-n_budget // n_in))
    fan_in = n_budget // int(alive.sum())
    kept = largest_inputs(size, fan_in, keep & alive)
    return kept | largest_inputs(grad, (fan_in - fan_ins(kept)) * alive, ~kept)


@door("mask")
def fan_ins(mask: Array) -> Array:
    """The number of inputs of every neuron, (n_out,): the connections of a mask (…, n_out)."""
    return mask.reshape(-1, mask.shape[-1]).sum(axis=0)


@door("score")
def largest_inputs(score: Array, fan_in: int | Array, among: Array) -> Array:
    """Mark the `fan_in` inputs of highest score of every neuron, or all candidates where there are fewer.

    score (…, n_out), from 0; fan_in: a number, or one for each neuron, (n_out,); among: the candidates, bool.
    """
    same_shapes(score=score, among=among)
    xp, n_out = namespace(score), score.shape[-1]
    order = xp.where(among, -score, math.inf).reshape(-1, n_out).argsort(axis=0, kind="stable")
    return (order.argsort(axis=0, kind="stable") < fan_in).reshape(score.shape) & among
