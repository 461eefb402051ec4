"""L0: every group of weights has a gate that can be exactly closed, and the expected number of open ones is a penalty.

Louizos, Welling, Kingma. "Learning Sparse Neural Networks through L0 Regularization", ICLR 2018. arXiv:1712.01312.

    Section 2.2, the hard concrete distribution             here
    u ~ U(0, 1)                                             u, by `uniforms`
    s ← Sigmoid((log u − log(1 − u) + log α) / β)           gate
    s̄ ← s (ζ − γ) + γ
    z ← min(1, max(0, s̄))
    θ ← θ̃ ⊙ z                                               switched
    P(z ≠ 0) = Sigmoid(log α − β log(−γ/ζ))                 prob_open
    ẑ = min(1, max(0, Sigmoid(log α) (ζ − γ) + γ))          gate_at_test
    Sections 2.3 and 2.4, L2 beside L0, and groups
    Σ_g P(z_g ≠ 0) (λ |g| + ½ κ ‖θ̃_g‖²)                     penalty

In a dict of parameters the gates of a layer are its "log_alpha". Their shape says what they switch, for it broadcasts
to the weight's: (n_in, 1) are a linear layer's inputs, (c_out,) a convolution's outputs, the weight's own shape single
weights. Gates of outputs have the bias's shape and switch it too, in training as at test.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from .. import ops
from ..autograd import Tensor, as_tensor
from ..backend import Array, namespace
from ..checks import real

Values = Tensor | Array

BETA, GAMMA, ZETA = 2 / 3, -0.1, 1.1


def gate(log_alpha: Values, u: Array, beta: float = BETA, gamma: float = GAMMA, zeta: float = ZETA) -> Any:
    """z, a sample of the hard concrete distribution for each log α, differentiable with respect to it.

    log_alpha  (any shape) a Tensor or an array, and z is one too; of its dtype
    u          (a shape that broadcasts with it) uniform noise inside (0, 1)
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
    """ẑ, the gate without noise, and without the temperature: 0 for log α ≤ −log 11 and 1 from log 11 on.

    log_alpha (any shape) a Tensor or an array, and ẑ is one too. Those ends are for the defaults of γ and ζ.
    """
    _check(BETA, gamma, zeta)
    return _on(log_alpha, lambda a: _clipped(a, gamma, zeta))


def prob_open(log_alpha: Values, beta: float = BETA, gamma: float = GAMMA, zeta: float = ZETA) -> Any:
    """P(z ≠ 0) for each log α (any shape), a Tensor or an array, and the probability is one too.

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
    """log((1 − p) / p): where log α starts for a dropout rate p. ValueError for p outside the open interval (0, 1).

    Differs from the authors' code: a rate of 0 does not silently become 0.5.
    """
    real("drop_rate", drop_rate, "rates inside (0, 1)", lambda rate: 0 < rate < 1)
    return math.log(1 - drop_rate) - math.log(drop_rate)


def initial_log_alpha(rng: np.random.Generator, shape: tuple[int, ...], drop_rate: float) -> Array:
    """N(log((1 − p) / p), 0.01) of `shape`, 0.01 the standard deviation: the authors' start for a dropout rate p."""
    return log_alpha_of(drop_rate) + 0.01 * rng.standard_normal(shape)


def gates(params: Mapping[str, Values]) -> dict[str, Values]:
    """log α of every gated layer, {"fc1": …}, in order. A layer's own parameters, without prefix, are the layer ""."""
    return {name.rpartition(".")[0]: a for name, a in params.items() if is_gate(name)}


def is_gate(name: str) -> bool:
    """Is this the name of a layer's log α: "fc1.log_alpha"."""
    return name.rpartition(".")[2] == "log_alpha"


def switches(params: Mapping[str, Values], layer: str) -> list[str]:
    """The names of the parameters that a layer's gates switch: its weight and, for gates of outputs, its bias.

    ValueError for gates that do not broadcast to the weight.
    """
    log_alpha, weight, bias = (f"{layer}.{own}".lstrip(".") for own in ("log_alpha", "weight", "bias"))
    of, to = tuple(params[log_alpha].shape), tuple(params[weight].shape)
    if len(of) > len(to) or any(n not in (1, m) for n, m in zip(of[::-1], to[::-1], strict=False)):
        raise ValueError(f"{log_alpha!r} has shape {of}, which does not broadcast to {to}, the shape of {weight!r}")
    return [weight, bias] if bias in params and tuple(params[bias].shape) == of else [weight]


def group_size(params: Mapping[str, Values], layer: str) -> int:
    """|g|: how many parameters each gate of the layer switches."""
    switched = sum(math.prod(params[name].shape) for name in switches(params, layer))
    return switched // math.prod(gates(params)[layer].shape)


def switched(params: Mapping[str, Values], z: Mapping[str, Values]) -> dict[str, Values]:
    """θ = θ̃ ⊙ z: the parameters without their log α, those of each layer in `z` multiplied by its gates."""
    plain = {name: a for name, a in params.items() if not is_gate(name)}
    return plain | {name: params[name] * own for layer, own in z.items() for name in switches(params, layer)}


def folded(params: Mapping[str, Array]) -> dict[str, Array]:
    """θ = θ̃ ⊙ ẑ: the weights of the network without gates that computes what the gated one does at test."""
    return switched(params, {layer: gate_at_test(a) for layer, a in gates(params).items()})


def penalty(params: Mapping[str, Values], lambda_: float | Mapping[str, float], weight_decay: float = 0.0) -> Tensor:
    """Σ_g P_g (λ |g| + ½ κ Σ w²), a scalar: what the gates' groups are expected to cost.

    lambda_ λ: a number, or {layer: number} for every gated layer; the paper's "0.1/N" is 0.1 / N here
    weight_decay κ: acts on weights only; those without a gate count with P = 1

    ValueError without gates, for other layers than the gated ones, and for a λ or κ that is negative or not finite.
    Differs from the authors' code: biases cost what they count, once and with the right sign, and do not decay.
    """
    closing = gates(params)
    if not closing:
        raise ValueError(f"params has no log_alpha, so nothing can close; the parameters are {list(params)}")
    by_layer = lambda_ if isinstance(lambda_, Mapping) else dict.fromkeys(closing, lambda_)
    if by_layer.keys() != closing.keys():
        raise ValueError(f"lambda_ has the layers {list(by_layer)}; expected the gated ones, {list(closing)}")
    for name, price in (*by_layer.items(), ("weight_decay", weight_decay)):
        real(f"the penalty of {name!r}", price, "finite numbers from 0", lambda price: 0 <= price < math.inf)

    prob = {layer: prob_open(as_tensor(a)) for layer, a in closing.items()}
    terms = [float(by_layer[layer]) * group_size(params, layer) * ops.sum(p) for layer, p in prob.items()]
    if weight_decay:
        for name, w in params.items():
            layer, _, own = name.rpartition(".")
            if own == "weight":
                squares = ops.mul(w, w)
                terms.append(0.5 * float(weight_decay) * ops.sum(prob[layer] * squares if layer in prob else squares))
    return sum(terms[1:], start=terms[0])


def densities(params: Mapping[str, Array]) -> dict[str, float]:
    """{"fc1.weight": mean P, …}, the share of each gated weight expected to be there: what flops.count takes.

    Expected FLOPs are then as the authors count them: sum(flops.count(nn.sites(model, shape), densities).values()).
    """
    return {switches(params, layer)[0]: float(prob_open(a).mean(dtype=float)) for layer, a in gates(params).items()}


def expected_l0(params: Mapping[str, Array]) -> float:
    """E ‖θ‖₀: every parameter counts with the probability that its gate is open, and in full without a gate."""
    return _count(params, prob_open)


def l0_at_test(params: Mapping[str, Array]) -> int:
    """‖θ‖₀ with the test gates: the parameters that no closed gate switches off.

    Not near `expected_l0` by itself: a test gate is closed from P = 0.31 down.
    """
    return round(_count(params, lambda a: gate_at_test(a) > 0))


def open_gates(params: Mapping[str, Array]) -> dict[str, Array]:
    """{"fc1": ẑ > 0, …}: which gates are open at test, boolean, of the shape of log α."""
    return {layer: gate_at_test(a) > 0 for layer, a in gates(params).items()}


def masks(params: Mapping[str, Array]) -> dict[str, Array]:
    """{"fc1.weight": boolean array, …}, of the weights' shapes: those behind an open gate at test."""
    return {
        (name := switches(params, layer)[0]): namespace(on).broadcast_to(on, params[name].shape).copy()
        for layer, on in open_gates(params).items()
    }


def architecture(params: Mapping[str, Array]) -> str:
    """How many gates are open at test, layer by layer, as in the paper's table 1: "219-214-100", "20-25-45-462"."""
    return "-".join(str(int(on.sum())) for on in open_gates(params).values())


def _count(params: Mapping[str, Array], share: Callable[[Array], Array]) -> float:
    """The parameters but log α, those of each gate counted by `share`."""
    size = sum(math.prod(a.shape) for name, a in params.items() if not is_gate(name))
    lost = (float((1.0 - share(a)).sum(dtype=float)) * group_size(params, layer) for layer, a in gates(params).items())
    return size - sum(lost)


def _clipped(log_odds: Tensor, gamma: float, zeta: float) -> Tensor:
    return ops.clip(ops.sigmoid(log_odds) * (float(zeta) - float(gamma)) + float(gamma), 0, 1)


def _on(log_alpha: Values, f: Callable[[Tensor], Tensor]) -> Any:
    """f(log α), a Tensor of a Tensor and an array of an array; whole numbers become float64."""
    if isinstance(log_alpha, Tensor):
        return f(log_alpha)
    array = namespace(log_alpha).asarray(log_alpha)
    return f(as_tensor(array if array.dtype.kind == "f" else array.astype(float))).value


def _check(beta: float, gamma: float, zeta: float) -> None:
    real("beta", beta, "finite temperatures above 0", lambda beta: 0 < beta < math.inf)
    if not -math.inf < gamma < 0 or not 1 < zeta < math.inf:
        raise ValueError(f"gamma is {gamma}, zeta {zeta}; expected gamma < 0 and zeta > 1, both finite")
