"""Sparse momentum on MNIST (Dettmers & Zettlemoyer 2019): error against density, beside other methods.

As in the authors' script: batches of 100 for 100 epochs of 54,000 images, the other 6,000 held out;
inputs of mean 0 and variance 1; Nesterov SGD at 0.1 with momentum 0.9, divided by 10 every 25,000 batches; L2 5e-4;
PyTorch's initial weights and biases; the same density in every layer; half of a layer's weights move at first, on a
cosine. LeNet-5 has 20 epochs here, and the learning rate falls every 5,000 batches.

Beside it, with the same training: SET (ζ 0.3) and a static mask, both from an Erdős–Rényi mask, as in SET's paper,
and the dense network. DSR and DEEP-R, which the authors also list, are not in this package. Nothing is chosen on the
test set.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from .. import nn, plot, recipes
from ..allocate import erdos_renyi, uniform
from ..backend import Array
from ..data import batches
from ..masks import Masks, random_masks
from ..optim import is_weight, sgd
from ..schedule import step_rate
from ..train import Method, train
from .studies import NAMES, Finished, Row, Run, Running, Study, each, each_seed, grouped, loss_of, rows
from .studies.epochs import by_epoch, measured
from .studies.measures import begun, errors_of, lenets, mnist, weights_of

METHODS = ("snfs", "set", "static", "dense")
BATCH, HELD_OUT = 100, 6000


def pytorch_uniform(rng: np.random.Generator, shape: nn.Shape) -> Array:
    """U(−r, r) with r = 1 / √fan_in, PyTorch's default for linear layers and convolutions."""
    return rng.uniform(-1, 1, shape) / np.sqrt(np.prod(shape[:-1]))


NETWORKS = lenets(initial=pytorch_uniform)
LENGTHS = {"lenet-300-100": (100, 25_000), "lenet-5": (20, 5000)}  # epochs, and batches until the learning rate falls

# density: (error in %, its standard error)
PAPER: dict[str, dict[float, tuple[float, float]]] = {
    "lenet-300-100": {0.01: (2.36, 0.044), 0.015: (2.053, 0.032), 0.018: (1.984, 0.053), 0.02: (1.99, 0.019),
                      0.044: (1.552, 0.027), 0.05: (1.53, 0.020), 0.08: (1.447, 0.014), 0.083: (1.426, 0.020)},
    "lenet-5": {0.004: (1.403, 0.088), 0.005: (1.144, 0.024), 0.009: (0.894, 0.033), 0.01: (0.83, 0.040),
                0.02: (0.76, 0.022), 0.05: (0.69, 0.021), 0.08: (0.645, 0.019), 0.093: (0.642, 0.030)},
}  # fmt: skip
# accuracy in %, by density
SUMMARY: dict[str, dict[float, float]] = {
    "snfs": {0.01: 97.53, 0.02: 98.20, 0.03: 98.30, 0.04: 98.42, 0.05: 98.53, 0.10: 98.67},
    "set": {0.01: 95.8, 0.02: 97.74, 0.03: 98.06, 0.04: 98.10, 0.05: 98.14, 0.10: 98.39},
    "dense": {1.0: 98.69},
}


def trained(
    seed: int, network: str, method: str, density: float, epochs: int, rate_period: int, rate: float = 0.1,
    momentum: float = 0.9, weight_decay: float = 5e-4, moved: float = 0.5, zeta: float = 0.3,
    data_dir: Path | None = None,
) -> Running:  # fmt: skip
    """Train one of NETWORKS by one of METHODS; errors are in %."""
    model, shape, rng, params = begun(NETWORKS[network], seed)
    (inputs, labels), _, test_set = mnist(data_dir, validation=HELD_OUT, standardize=True, shape=shape)
    params = with_pytorch_biases(params, rng)
    epoch = len(labels) // BATCH
    rule, masks = beginning(method, params, density, epoch, epochs, moved, zeta, rng)
    given = batches(inputs, labels, BATCH, seed, stop=epochs * epoch)
    descent = sgd(step_rate(rate, rate_period, 0.1), momentum, nesterov=True, weight_decay=weight_decay)
    run = train(loss_of(model), params, masks, given, rule, rng, descent)
    errors, _, last = yield from measured(by_epoch(run, epoch, epochs * epoch), model, test_set)
    yield {**errors_of(errors), "weights": weights_of(last.params, last.masks)}


def with_pytorch_biases(params: Mapping[str, Array], rng: np.random.Generator) -> dict[str, Array]:
    """`params` with PyTorch's biases: as its weights, between ±1 / √fan_in."""
    fans = {name.replace(".weight", ".bias"): w.size // w.shape[-1] for name, w in params.items() if is_weight(name)}
    return {
        name: (rng.uniform(-1, 1, w.shape) / np.sqrt(fans[name])).astype(w.dtype) if name in fans else w
        for name, w in params.items()
    }


def beginning(
    method: str, params: dict[str, Array], density: float, epoch: int, epochs: int, moved: float, zeta: float,
    rng: np.random.Generator,
) -> tuple[Method, Masks]:  # fmt: skip
    """The rule and the first masks: of equal density in every layer (sparse momentum), or Erdős–Rényi."""
    shapes = {name: w.shape for name, w in params.items() if is_weight(name)}
    if method == "dense":
        return recipes.static(), Masks({})
    if method == "snfs":
        return recipes.snfs(moved, epoch, epochs), random_masks(shapes, uniform(shapes, density), rng)
    rule = recipes.set(zeta, epoch, epochs) if method == "set" else recipes.static()
    return rule, random_masks(shapes, erdos_renyi(shapes, density), rng)


def _configs(network: str, *choices: tuple[str, float]) -> dict[str, dict[str, Any]]:
    """Configs by name: one for each (method, density)."""
    epochs, rate_period = LENGTHS[network]
    return {
        f"{method}-{100 * density:g}": {
            "network": network, "method": method, "density": density, "epochs": epochs, "rate_period": rate_period,
            "rate": 0.1, "momentum": 0.9, "weight_decay": 5e-4, "moved": 0.5, "zeta": 0.3,
        }
        for method, density in choices
    }  # fmt: skip


def densities(network: str) -> Callable[[int], list[Run]]:
    """Study.runs: sparse momentum at every density that the authors list; of each seed, 1 and 5 % first."""
    order = sorted(PAPER[network], key=lambda density: density not in (0.01, 0.05))
    return each_seed(trained, _configs(network, *(("snfs", density) for density in order)))


def methods() -> Callable[[int], list[Run]]:
    """Study.runs: all METHODS at every density of the authors' summary, the sparsest first."""
    sparse = [(method, density) for density in SUMMARY["snfs"] for method in METHODS[:-1]]
    return each_seed(trained, _configs("lenet-300-100", ("dense", 1.0), *sparse))


NOTES = {
    "lenet-300-100": "a tolerance of 0.2 points, for the authors' deviation over runs is some 0.1",
    "lenet-5": "20 of the authors' 100 epochs; a tolerance of 0.15 points",
}


def _by_density(network: str) -> tuple[Row, ...]:
    tolerance = 0.2 if network == "lenet-300-100" else 0.15
    return rows(f"snfs/{network}/", "the authors' results/MNIST_compression_comparison_*.csv", *(
        (f"{100 * density:g}", f"{NAMES[network]}, sparse momentum at {100 * density:g} % density: test error",
         error, "%", tolerance, each("error_last", network=network, method="snfs", density=density))
        for density, (error, _) in PAPER[network].items()
    ), below=True, note=NOTES[network])  # fmt: skip


def _by_method() -> tuple[Row, ...]:
    titles = {"snfs": "sparse momentum", "set": "SET", "dense": "dense"}
    notes = dict.fromkeys(titles, NOTES["lenet-300-100"])
    notes["set"] = "of whose SET that is, the authors do not say; " + notes["set"]
    return rows("snfs/table/", "the authors' results/MNIST_sparse_summary.csv, as an error", *(
        (f"{method}-{100 * density:g}", f"LeNet-300-100, {titles[method]}, {100 * density:g} % density: error",
         round(100 - share, 2), "%", 0.2, each("error_last", method=method, density=density), notes[method])
        for method, shares in SUMMARY.items()
        for density, share in shares.items()
    ), below=True)  # fmt: skip


def figures(name: str, finished: Sequence[Finished], directory: Path, data_dir: Path | None) -> list[Path]:
    """Error against density, each method with its mean and range over seeds, and the published errors."""
    errors: dict[str, dict[float, list[float]]] = {}
    for (method, density), seeds in grouped(finished, ("method", "density"), "error_last").items():
        errors.setdefault(method, {})[density] = seeds
    dense = errors.pop("dense", {}).get(1.0)
    if not errors:
        return []
    paper: dict[str, dict[float, tuple[float, float]]] = {"snfs": PAPER.get(name, {})}
    if name == "table":
        paper = {m: {d: (100 - share, 0.0) for d, share in SUMMARY[m].items()} for m in ("snfs", "set")}
    path = directory / f"error_against_density_{'methods' if name == 'table' else name.replace('-', '_')}.png"
    title = f"{NAMES.get(name, 'LeNet-300-100')} on MNIST"
    shown = {method: errors[method] for method in METHODS if method in errors}
    return [plot.error_against_density(path, title, shown, paper, dense)]


STUDIES = (
    Study("snfs-lenet-300-100", "Dettmers & Zettlemoyer 2019", "Sparse momentum on LeNet-300-100 at eight densities.",
          16, 3, densities("lenet-300-100"), _by_density("lenet-300-100"), partial(figures, "lenet-300-100")),
    Study("snfs-table", "Dettmers & Zettlemoyer 2019", "Sparse momentum, SET, a static mask and dense, at 90 to 99 %.",
          38, 3, methods(), _by_method(), partial(figures, "table")),
    Study("snfs-lenet-5", "Dettmers & Zettlemoyer 2019", "Sparse momentum on LeNet-5 at eight densities, 20 epochs.",
          44, 1, densities("lenet-5"), _by_density("lenet-5"), partial(figures, "lenet-5"), causes={
              "snfs/lenet-5/0.": "The network stays at chance: with PyTorch's initial weights hardly any signal passes "
              "so few connections. With weights larger by 1 / √density it learns: mean losses 0.30 at 0.4 %, 0.11 at "
              "0.9 % after three epochs (one run each). What the authors' code does otherwise is not found.",
              "snfs/lenet-5/": "20 of the authors' 100 epochs.",
          }),
)  # fmt: skip
