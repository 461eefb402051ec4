"""Optimal Brain Damage: after training, drop the weights whose removal raises the error least, by second derivatives.

LeCun, Denker, Solla. "Optimal Brain Damage", NIPS 1989, pages 598-605.

    section 2                                                     here
    h_kk = ∂²E/∂w_ij² = z_i² ∂²E/∂a_j²                            second_derivatives, the mean over examples
    ∂²E/∂a_j² = f'(a_j)² Σ_l w_jl² ∂²E/∂a_l² + f''(a_j) ∂E/∂z_j   its recursion, from the outputs back; printed: − f''
    s_k = h_kk w_k² / 2; delete the lowest; iterate               saliency, obd_masks; train on, recipes.static
    "cross terms are neglected": of units too, ∂²E/∂a_k∂a_l = 0   exact in the last layer; `squared`: the last two
"""

from collections.abc import Callable, Mapping

from ..backend import Array, namespace
from ..checks import same_keys, same_shapes, whole
from ..masks import top_k_of_all

Arrays = Mapping[str, Array]
relu = lambda a: (a * (a > 0), 1.0 * (a > 0), 0.0 * a)  # f, f', f'', as of tanh
tanh = lambda a: (t := namespace(a).tanh(a), 1 - t * t, -2 * t * (1 - t * t))
squared = lambda a, y: (a - y, 0 * a + 1)  # E = Σ (a − y)² / 2: ∂E/∂a, ∂²E/∂a²


def cross_entropy(a: Array, labels: Array) -> tuple[Array, Array]:
    """∂E/∂a, ∂²E/∂a² of the softmax cross-entropy: outputs (N, classes), labels (N,)."""
    xp, e = namespace(a), namespace(a).exp(a - a.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    return p - (xp.arange(p.shape[1]) == labels[:, None]), p * (1 - p)


def second_derivatives(params: Arrays, x: Array, y: Array, f: Callable = tanh, loss: Callable = squared) -> Arrays:
    """{name: ∂²E/∂w²} of the mean error of a perceptron, in one backward pass; names and shapes as params.

    params: "….weight" (n_in, n_out) and "….bias" (n_out,) of the layers from input to output, which f (`relu`, `tanh`)
    joins; x (N, n_in); y what `loss` (`squared`, `cross_entropy`) takes. ValueError for other names.
    """
    layers = [name.removesuffix(".weight") for name in params if name.endswith(".weight")]
    same_keys(params=params, layers={f"{layer}.{part}": 0 for layer in layers for part in ("weight", "bias")})
    found, joints = dict(params), [(x, x, x)]  # z, f' and f'' of every layer's inputs
    for layer in layers:
        joints.append(f(a := joints[-1][0] @ params[f"{layer}.weight"] + params[f"{layer}.bias"]))
    g, h = loss(a, y)
    for i, layer in reversed(list(enumerate(layers))):
        (z, slope, bend), w = joints[i], params[f"{layer}.weight"]
        found |= {f"{layer}.weight": (z * z).T @ h / len(x), f"{layer}.bias": h.mean(axis=0)}
        g, h = slope * (g @ w.T), slope**2 * (h @ (w * w).T) + bend * (g @ w.T)
    return found


def saliency(weights: Arrays, second: Arrays) -> Arrays:
    """{name: h w² / 2}: the rise of the error, at a minimum and to second order, as the weight is set to zero."""
    same_keys(weights=weights, second=second)
    for name, w in weights.items():
        same_shapes(**{f"weight {name!r}": w, "its second derivative": second[name]})
    return {name: second[name] * w * w / 2 for name, w in weights.items()}


def obd_masks(weights: Arrays, second: Arrays, n_keep: int) -> Arrays:
    """The n_keep of highest saliency, in one ranking; ties go to the earlier layer. ValueError for NaN, bad n_keep."""
    return top_k_of_all(saliency(weights, second), whole("n_keep", n_keep, 0, sum(w.size for w in weights.values())))
