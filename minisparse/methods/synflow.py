"""SynFlow: before training, without data, keep the connections that carry the most flow from inputs to outputs.

Tanaka, Kunin, Yamins, Ganguli. "Pruning neural networks without any data by iteratively conserving synaptic flow",
NeurIPS 2020. arXiv:2006.05467.

    Algorithm 1                                      here
    for k in 1 … n                                   recipes.synflow
    θ_μ ← μ ⊙ θ_0                                    project(params, masks)
    R ← 1ᵀ (Π_l |θ_μ^[l]|) 1                         recipes.synflow: the network of |θ| on an input of ones
    S ← ∂R/∂θ_μ ⊙ θ_μ                                flow
    τ ← (1 − ρ^(−k/n)) percentile of S; μ ← (τ < S)  n_kept; top_k_of_all, exactly that many

Conservation (theorems 1, 2): the scores of a hidden unit's inputs and of its outputs have equal sums, and those of a
layer add up to R. So the scores of a narrow layer are large, and no layer is emptied before the others.
"""

from collections.abc import Mapping

from ..backend import Array
from ..checks import real, same_keys, same_shapes, whole
from ..storage import as_numbers


def flow(weights: Mapping[str, Array], grads: Mapping[str, Array]) -> dict[str, Array]:
    """{name: ∂R/∂|w| · |w|}, the synaptic saliency of every weight (eq. 1).

    weights, grads: arrays of equal names and shapes; grads: of R with respect to |w|. ValueError for names or shapes
    that differ.
    """
    same_keys(weights=weights, grads=grads)
    for name, w in weights.items():
        same_shapes(**{f"weight {name!r}": w, "its gradient": grads[name]})
    return {name: abs(as_numbers(w)) * as_numbers(grads[name]) for name, w in weights.items()}


def n_kept(size: int, density: float, step: int, steps: int) -> int:
    """How many of `size` weights are left after round `step` of `steps`: density^(step/steps), half to even.

    Exponential, as in the paper, whose ρ is the compression ratio 1 / density. ValueError for numbers out of range.
    """
    real("density", density, "a number in (0, 1]", lambda density: 0 < density <= 1)
    whole("step", step, 1, whole("steps", steps, 1))
    return round(round(float(density) ** (step / steps) * whole("size", size, 0), 9))
