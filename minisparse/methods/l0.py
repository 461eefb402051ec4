"""L0: a gate on every group of weights that can be exactly zero, and a penalty on the expected number of open gates.

Louizos, Welling, Kingma. "Learning Sparse Neural Networks through L0 Regularization", ICLR 2018. arXiv:1712.01312.

    Section 2.2, the hard concrete distribution             here
    u ~ U(0, 1)                                             u, by `uniforms`
    s ← Sigmoid((log u − log(1 − u) + log α) / β)           gate
    s̄ ← s (ζ − γ) + γ
    z ← min(1, max(0, s̄))
    θ ← θ̃ ⊙ z                                               switched
    P(z ≠ 0) = Sigmoid(log α − β log(−γ/ζ))                 prob_open
    ẑ = min(1, max(0, Sigmoid(log α) (ζ − γ) + γ))          gate_at_test
    Sections 2.3 and 2.4, L2 with L0, and groups
    Σ_g P(z_g ≠ 0) (λ |g| + ½ κ ‖θ̃_g‖²)                     penalty

In a dict of parameters the gates of a layer are its "log_alpha". Their shape broadcasts to the weight's and
says what they gate: (n_in, 1) the inputs of a linear layer, (c_out,) the outputs of a convolution, the weight's full
shape single weights. Gates of outputs have the bias's shape and gate it too, in training as at test.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from .. import ops
from ..autograd import Tensor, as_tensor
from ..backend import Array, namespace
from ..checks import real, same_shapes

Values = Tensor | Array

BETA, GAMMA, ZETA = 2 / 3, -0.1, 1.1


def gate(log_alpha: Values, u: Array, beta: float = BETA, gamma: float = GAMMA, zeta: float = ZETA) -> Any:
    """z, a sample of the hard concrete distribution for each log α, differentiable with respect to it.

    log_alpha  (any shape) a Tensor or an array; z has the same type and dtype
    u          (a shape that broadcasts with log_alpha) uniform noise inside (0, 1)
    beta β     the temperature; gamma γ < 0 and zeta ζ > 1 are the ends of the stretched interval

    z is exactly 0 or 1 where it is clipped, with slope 0 there. ValueError for u outside the open interval.
    """
    _check(beta, gamma, zeta)
    raw = log_alpha.value if isinstance(log_alpha, Tensor) else log_alpha
    u = namespace(raw).asarray(u)
    if not bool(((u > 0) & (u < 1)).all()):
        raise ValueError("u has values that are not inside (0, 1), where its log-odds are finite; see l0.uniforms")
    log_odds = namespace(u).log(u) - namespace(u).log1p(-u)
    return _on(log_alpha, lambda a: _clipped((a + log_odds.astype(a.dtype)) * (1 / float(beta)), gamma, zeta))


def gate_at_test(log_alpha: Values, gamma: float = GAMMA, zeta: float = ZETA) -> Any:
    """ẑ, the gate without noise and temperature: 0 for log α ≤ −log 11 and 1 from log 11 on, at the default γ and ζ.

    log_alpha (any shape) a Tensor or an array; ẑ has the same type.
    """
    _check(BETA, gamma, zeta)
    return _on(log_alpha, lambda a: _clipped(a, gamma, zeta))


def prob_open(log_alpha: Values, beta: float = BETA, gamma: float = GAMMA, zeta: float = ZETA) -> Any:
    """P(z ≠ 0) for each log α (any shape), a Tensor or an array; the result has the same type.

    Differs from the authors' code, which clips it to [1e-6, 1 − 1e-6].
    """
    _check(beta, gamma, zeta)
    return _on(log_alpha, lambda a: ops.sigmoid(a - beta * math.log(-gamma / zeta)))


def uniforms(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Noise for `gate`, float64: uniform in [0, 1) with 0 moved inside.

    Differs from the authors' code, which draws from (1e-6, 1 − 1e-6).
    """
    return np.maximum(rng.random(shape), 2.0**-54)


def log_alpha_of(drop_rate: float) -> float:
    """log((1 − p) / p): the initial log α for a dropout rate p. ValueError for p outside the open interval (0, 1).

    Differs from the authors' code, which silently turns a rate of 0 into 0.5.
    """
    real("drop_rate", drop_rate, "a rate inside (0, 1)", lambda rate: 0 < rate < 1)
    return math.log(1 - drop_rate) - math.log(drop_rate)


def initial_log_alpha(rng: np.random.Generator, shape: tuple[int, ...], drop_rate: float) -> Array:
    """Normal with mean log((1 − p) / p) and standard deviation 0.01: the authors' initial log α for dropout rate p."""
    return log_alpha_of(drop_rate) + 0.01 * rng.standard_normal(shape)


def gates(params: Mapping[str, Values]) -> dict[str, Values]:
    """log α of every gated layer, {"fc1": …}, in order. Parameters without a prefix belong to the layer ""."""
    return {name.rpartition(".")[0]: a for name, a in params.items() if is_gate(name)}


def is_gate(name: str) -> bool:
    """Is this the name of a layer's log α, such as "fc1.log_alpha"?"""
    return name.rpartition(".")[2] == "log_alpha"


def switches(params: Mapping[str, Values], layer: str) -> list[str]:
    """The names of the parameters that a layer's gates multiply: its weight and, for gates of outputs, its bias.

    ValueError for gates without a weight, or that do not broadcast to it.
    """
    log_alpha, weight, bias = (f"{layer}.{part}".lstrip(".") for part in ("log_alpha", "weight", "bias"))
    if weight not in params:
        raise ValueError(
            f"params has {log_alpha!r}, but no {weight!r} that it gates; the parameters are {list(params)}"
        )
    of, to = tuple(params[log_alpha].shape), tuple(params[weight].shape)
    if len(of) > len(to) or any(n not in (1, m) for n, m in zip(of[::-1], to[::-1], strict=False)):
        raise ValueError(f"{log_alpha!r} has shape {of}, which does not broadcast to {to}, the shape of {weight!r}")
    return [weight, bias] if bias in params and tuple(params[bias].shape) == of else [weight]


def group_size(params: Mapping[str, Values], layer: str) -> int:
    """|g|: how many parameters each gate of the layer multiplies."""
    switched = sum(math.prod(params[name].shape) for name in switches(params, layer))
    return switched // math.prod(gates(params)[layer].shape)


def switched(params: Mapping[str, Values], z: Mapping[str, Values]) -> dict[str, Values]:
    """θ = θ̃ ⊙ z: the parameters without log α, those of each layer in `z` times its gates, of log α's shape."""
    log_alpha = gates(params)
    for layer, gate in z.items():
        same_shapes(**{f"log α of {layer!r}": log_alpha[layer], "its gate": gate})
    plain = {name: a for name, a in params.items() if not is_gate(name)}
    return plain | {name: params[name] * gate for layer, gate in z.items() for name in switches(params, layer)}


def folded(params: Mapping[str, Array]) -> dict[str, Array]:
    """θ = θ̃ ⊙ ẑ: the weights of a network without gates that computes what the gated network does at test."""
    return switched(params, {layer: gate_at_test(a) for layer, a in gates(params).items()})


def penalty(params: Mapping[str, Values], lambda_: float | Mapping[str, float], weight_decay: float = 0.0) -> Tensor:
    """Σ_g P_g (λ |g| + ½ κ Σ w²), a scalar: the expected cost of the gated groups.

    lambda_ λ: a number, or {layer: number} for every gated layer; the paper's "0.1/N" is 0.1 / N here
    weight_decay κ: acts on weights only; weights without a gate count with P = 1

    ValueError without gates, for layers that are not gated, and for a λ or κ that is negative or not finite.
    Differs from the authors' code: every bias counts once, with the right sign, and does not decay.
    """
    gated = gates(params)
    if not gated:
        raise ValueError(f"params has no log_alpha, so no gates; the parameters are {list(params)}")
    by_layer = lambda_ if isinstance(lambda_, Mapping) else dict.fromkeys(gated, lambda_)
    if by_layer.keys() != gated.keys():
        raise ValueError(f"lambda_ has the layers {list(by_layer)}; expected the gated layers, {list(gated)}")
    for name, price in (*by_layer.items(), ("weight_decay", weight_decay)):
        real(f"the penalty of {name!r}", price, "a finite number from 0", lambda price: 0 <= price < math.inf)

    prob = {layer: prob_open(as_tensor(a)) for layer, a in gated.items()}
    terms = [float(by_layer[layer]) * group_size(params, layer) * ops.sum(p) for layer, p in prob.items()]
    if weight_decay:
        for name, w in params.items():
            layer, _, part = name.rpartition(".")
            if part == "weight":
                squares = ops.mul(w, w)
                terms.append(0.5 * float(weight_decay) * ops.sum(prob[layer] * squares if layer in prob else squares))
    return sum(terms[1:], start=terms[0])


def densities(params: Mapping[str, Array]) -> dict[str, float]:
    """{"fc1.weight": mean P, …}, the expected density of each gated weight, for flops.count.

    Expected FLOPs as the authors count them: sum(flops.count(nn.sites(model, shape), densities).values()).
    """
    return {switches(params, layer)[0]: float(prob_open(a).mean(dtype=float)) for layer, a in gates(params).items()}


def expected_l0(params: Mapping[str, Array]) -> float:
    """E ‖θ‖₀: every parameter counts with the probability that its gate is open, or 1 without a gate."""
    return _count(params, prob_open)


def l0_at_test(params: Mapping[str, Array]) -> int:
    """‖θ‖₀ with the test gates: the parameters not behind a closed gate.

    It can be far from `expected_l0`: a test gate is closed from P = 0.31 down.
    """
    return round(_count(params, lambda a: gate_at_test(a) > 0))


def open_gates(params: Mapping[str, Array]) -> dict[str, Array]:
    """{"fc1": ẑ > 0, …}: which gates are open at test, boolean, in the shape of log α."""
    return {layer: gate_at_test(a) > 0 for layer, a in gates(params).items()}


def masks(params: Mapping[str, Array]) -> dict[str, Array]:
    """{"fc1.weight": boolean array, …}, in the weights' shapes: weights whose gate is open at test."""
    return {
        (name := switches(params, layer)[0]): namespace(on).broadcast_to(on, params[name].shape).copy()
        for layer, on in open_gates(params).items()
    }


def architecture(params: Mapping[str, Array]) -> str:
    """How many gates are open at test, layer by layer, as in the paper's table 1: "219-214-100", "20-25-45-462"."""
    return "-".join(str(int(on.sum())) for on in open_gates(params).values())


def _count(params: Mapping[str, Array], share: Callable[[Array], Array]) -> float:
    """The number of parameters except log α, each gated parameter weighted by `share` of its log α."""
    size = sum(math.prod(a.shape) for name, a in params.items() if not is_gate(name))
    lost = (float((1.0 - share(a)).sum(dtype=float)) * group_size(params, layer) for layer, a in gates(params).items())
    return size - sum(lost)


def _clipped(log_odds: Tensor, gamma: float, zeta: float) -> Tensor:
    return ops.clip(ops.sigmoid(log_odds) * (float(zeta) - float(gamma)) + float(gamma), 0, 1)


def _on(log_alpha: Values, f: Callable[[Tensor], Tensor]) -> Any:
    """f(log α), in the type of log α, Tensor or array; integers become float64."""
    if isinstance(log_alpha, Tensor):
        return f(log_alpha)
    array = namespace(log_alpha).asarray(log_alpha)
    return f(as_tensor(array if array.dtype.kind == "f" else array.astype(float))).value


def _check(beta: float, gamma: float, zeta: float) -> None:
    real("beta", beta, "a finite temperature above 0", lambda beta: 0 < beta < math.inf)
    if not -math.inf < gamma < 0 or not 1 < zeta < math.inf:
        raise ValueError(f"gamma is {gamma}, zeta {zeta}; expected gamma < 0 and zeta > 1, both finite")
