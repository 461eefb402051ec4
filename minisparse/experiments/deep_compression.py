"""Deep Compression (Han, Mao, Dally 2016): the LeNets pruned, their weights shared and retrained, and coded.

Pruning is that of the han studies, by the same qualities. Not in the paper, so ours:
- shared values are retrained by sgd with momentum 0.9, without L2; the rate, of 1e-5, 1e-4, 3e-4, 1e-3 and 3e-3, is the
  one with the lowest error of LeNet-300-100 with 6 bits on 5,000 validation images, after training on the other 55,000
- 2^b − 1 shared values and a zero for fillers, as in the authors' decoder, where the text says 2^b shared values
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np

from .. import plot, recipes
from ..backend import Array
from ..compress.file import Shared, measured, read, written
from ..data import Dataset, batches
from ..train import train
from .han.qualities import STAGES
from .han.studies import LENET_5, MLP
from .han.training import NETWORKS, descent, three_steps
from .studies import (
    NAMES,
    Finished,
    Ours,
    Row,
    Study,
    computed,
    each,
    each_seed,
    error,
    first_seed,
    loss_of,
    mnist,
    rows,
)

PAPER = "Han, Mao & Dally 2016"


class Printed(NamedTuple):
    """A layer in tables 2 and 3.

    size            weights; left: of them, in %
    weight, place   bits of a weight and of an index, and after Huffman coding
    fixed, coded    compression rates in %, P+Q and P+Q+H
    """

    size: int
    left: float
    weight: float
    weight_huffman: float
    place: float
    place_huffman: float
    fixed: float
    coded: float


TABLES: dict[str, dict[str, Printed]] = {
    "lenet-300-100": {
        "fc1": Printed(235_200, 8, 6, 4.4, 5, 3.7, 3.1, 2.32),
        "fc2": Printed(30_000, 9, 6, 4.4, 5, 4.3, 3.8, 3.04),
        "fc3": Printed(1_000, 26, 6, 4.3, 5, 3.2, 15.7, 12.70),
        "total": Printed(266_200, 8, 6, 5.1, 5, 3.7, 3.1, 2.49),
    },
    "lenet-5": {
        "conv1": Printed(500, 66, 8, 7.2, 5, 1.5, 78.5, 67.45),
        "conv2": Printed(25_000, 12, 8, 7.2, 5, 3.9, 6.0, 5.28),
        "fc1": Printed(400_000, 8, 5, 4.5, 5, 4.5, 2.7, 2.45),
        "fc2": Printed(5_000, 19, 5, 5.2, 5, 3.7, 6.9, 6.13),
        "total": Printed(430_500, 8, 5.3, 4.1, 5, 4.4, 3.05, 2.55),
    },
}
TABLE_1 = {"lenet-300-100": (1.64, 1.58, 27, 40), "lenet-5": (0.80, 0.74, 44, 39)}  # errors in %, KB, times
SHARING: dict[str, Any] = {"index_bits": 5, "share_batch": 64, "share_epochs": 5, "share_rate": 1e-5}
RUNS: dict[str, dict[str, Any]] = {
    "lenet-300-100": {**MLP, **SHARING, "bits": {"fc1.weight": 6, "fc2.weight": 6, "fc3.weight": 6}},
    "lenet-5": {
        **LENET_5, **SHARING,
        "bits": {"conv1.weight": 8, "conv2.weight": 8, "fc1.weight": 5, "fc2.weight": 5},
    },
}  # fmt: skip
TRIED = {"centroids": ["linear", "density", "random"], "tried_bits": [2, 3, 4, 5, 6, 7, 8], "tried_epochs": 1}


def compressed(
    data_dir: Path | None, *, network: str, seed: int, stages: Sequence[Mapping[str, Any]], bits: Mapping[str, int],
    index_bits: int, share_batch: int, share_epochs: int, share_rate: float, centroids: Sequence[str] = (),
    tried_bits: Sequence[int] = (), tried_epochs: int = 0, **training: Any,
) -> Iterator[float | dict[str, Any]]:  # fmt: skip
    """Train, prune in rounds, share, retrain, code, write and read back; errors in % at each stage.

    centroids, tried_bits, tried_epochs: also how each initialization does with as many bits in all layers.
    """
    model, shape = NETWORKS[network]
    train_set, _, test_set = mnist(data_dir, shape=shape)
    rng = np.random.default_rng(seed)
    params: Mapping[str, Array] = model.init(rng)
    masks, errors = None, []
    for done, now in three_steps(model, params, train_set, rng, seed, stages=stages, **training):
        if now is not None:
            params, masks = now.params, now.masks
            if now.phase != "prune":
                errors.append(error(model, params, test_set))
        yield done / 2
    assert masks is not None

    def retrained(bits: Mapping[str, int], centroids: str, epochs: int) -> tuple[float, float, dict, dict]:
        values, codes = recipes.share(params, masks, bits, np.random.default_rng(seed), centroids)
        before = error(model, recipes.shared_weights(values, codes), test_set)
        values = _retrained(loss_of(model), values, codes, train_set, seed, share_batch, epochs, share_rate)
        return before, error(model, recipes.shared_weights(values, codes), test_set), values, codes

    before, after, values, codes = retrained(bits, "linear", share_epochs)
    yield 0.7
    layers = {name: Shared(codes[name].mask, values[name], codes[name].index, index_bits) for name in bits}
    others = {name: w for name, w in values.items() if name not in bits}
    with TemporaryDirectory() as folder:
        path = written(Path(folder) / "network", {**layers, **others})
        size, back = path.stat().st_size, read(path)
    weights = {name: layer.weight() if isinstance(layer, Shared) else layer for name, layer in back.items()}
    wanted = recipes.shared_weights(values, codes)
    assert all(np.array_equal(weights[name], wanted[name]) for name in wanted)
    tried: dict[str, list[Any]] = {}
    for how in centroids:
        tried[how] = []
        for n in tried_bits:
            tried[how].append([n, *retrained(dict.fromkeys(bits, n), how, tried_epochs)[:2]])
            yield 0.9
    yield {
        "error_reference": errors[training["epochs"] - 1],
        "error_pruned": errors[-1],
        "error_shared": before,
        "error_last": after,
        "file_bytes": size,
        "layers": {name.partition(".")[0]: measured(layer)._asdict() for name, layer in layers.items()},
        "initializations": tried,
    }


def _retrained(
    loss: Callable, values: Mapping[str, Array], codes: Mapping[str, recipes.Code], examples: Dataset, seed: int,
    batch: int, epochs: int, rate: float,
) -> dict[str, Array]:  # fmt: skip
    """The shared values after `epochs`, the last fifth of them at a tenth of the rate."""
    per_epoch = len(examples[1]) // batch
    n = epochs * per_epoch
    optimizer = descent(rate, max(1, round(0.8 * n)), 0.0)
    given = batches(*examples, batch, seed + 1, 0, n)
    after = dict(values)
    for step in train(recipes.shared_loss(loss, codes), values, {}, given, recipes.static(),
                      np.random.default_rng(seed), optimizer):  # fmt: skip
        after = step.params
    return after


def figure_of(layer: str, figure: str) -> Callable[[Mapping[str, Any]], float]:
    """A figure of `Printed`, of a layer or of the total, from a run's result."""

    def ours(result: Mapping[str, Any]) -> float:
        own = result["layers"].values() if layer == "total" else [result["layers"][layer]]
        total = lambda name: sum(n[name] for n in own)
        entries, dense = total("entries"), 32 * total("weights")
        by_entry = lambda name: sum(n["entries"] * n[name] for n in own)
        if figure in ("fixed", "coded"):
            kinds = ("weight_bits", "index_bits") if figure == "fixed" else ("weight_huffman", "index_huffman")
            return 100 * (sum(map(by_entry, kinds)) + total("codebook")) / dense
        return by_entry(figure) / entries

    return ours


def _ours(network: str) -> tuple[Row, ...]:
    name, (reference, pruned, kilobytes, times) = NAMES[network], TABLE_1[network]
    number = {"lenet-300-100": 2, "lenet-5": 3}[network]
    prefix = f"deep-compression/{network}/"
    near = {"lenet-300-100": 0.2, "lenet-5": 0.15}[network]
    training = "the paper prints neither rates nor epochs, nor how often it ran; last epoch"
    first = rows(prefix, f"{PAPER}, table 1",
        ("error", f"{name}, pruned, shared and coded: error", pruned, "%", near, each("error_last")),
        ("lost", f"{name}: error after, minus before", round(pruned - reference, 2), "points", near,
         each(lambda result: result["error_last"] - result["error_reference"])),
        below=True, note=training,
    ) + rows(prefix, f"{PAPER}, table 1",
        ("file", f"{name}: the whole file, with biases and all that reading it takes", kilobytes, "KB", kilobytes / 10,
         each(lambda result: result["file_bytes"] / 1000), f"{times} times smaller in the paper: 10 % of its size"),
        below=True,
    )  # fmt: skip
    columns = (
        ("weight_huffman", "weight-bits", "bits of a weight after Huffman coding", "bits", lambda x: 0.5),
        ("place_huffman", "index-bits", "bits of a position after Huffman coding", "bits", lambda x: 0.5),
        ("fixed", "fixed", "of its dense size, before Huffman coding", "%", lambda x: x / 10),
        ("coded", "coded", "of its dense size, after Huffman coding", "%", lambda x: x / 10),
    )
    note = "half a bit; 10 % of a rate. Weights left, and so fillers, follow from qualities chosen on other data"
    return first + rows(prefix, f"{PAPER}, table {number}", *(
        (f"{key}-{layer}", f"{name}, {'all layers' if layer == 'total' else layer}: {about}",
         getattr(printed, field), unit, tolerance(getattr(printed, field)),
         each(figure_of(layer, field.replace("place", "index"))), note)
        for field, key, about, unit, tolerance in columns
        for layer, printed in TABLES[network].items()
    ))  # fmt: skip


def implied_rate(printed: Printed) -> float:
    """P+Q+H in %, from the table's bits and the number of entries, with fillers, that its P+Q rate implies."""
    dense = 32 * printed.size
    codebook = 32 * 2**printed.weight
    entries = (printed.fixed / 100 * dense - codebook) / (printed.weight + printed.place)
    return 100 * (entries * (printed.weight_huffman + printed.place_huffman) + codebook) / dense


def summed_rate(network: str, figure: str) -> float:
    """The rate of the whole network that the rates of the table's layers add up to, in %."""
    layers = [printed for layer, printed in TABLES[network].items() if layer != "total"]
    return sum(getattr(own, figure) * own.size for own in layers) / sum(own.size for own in layers)


def shared_rate(n: int, b: int, k: int) -> float:
    """n b / (n log2 k + k b), equation 1: n weights of b bits share k values."""
    return n * b / (n * float(np.log2(k)) + k * b)


def _analytic(network: str) -> tuple[Row, ...]:
    name, table = NAMES[network], TABLES[network]
    number = {"lenet-300-100": 2, "lenet-5": 3}[network]
    rounding = "from the table's own figures, which have two digits: 3 % of it"
    return rows(f"deep-compression/analytic/{network}/", f"{PAPER}, table {number}", *(
        (f"coded-{layer}", f"{name}, {layer}: of its dense size, after Huffman coding", printed.coded, "%",
         0.03 * printed.coded, computed(implied_rate, printed), rounding)
        for layer, printed in table.items() if layer != "total"
    ), *(
        (f"total-{figure}", f"{name}, all layers: of its dense size, {when} Huffman coding",
         getattr(table["total"], figure), "%", 0.03 * getattr(table["total"], figure),
         computed(summed_rate, network, figure), rounding)
        for figure, when in (("fixed", "before"), ("coded", "after"))
    ))  # fmt: skip


EQUATION = rows("deep-compression/analytic/", f"{PAPER}, equation 1",
    ("figure-3", "16 weights of 32 bits that share 4 values, times smaller", 3.2, "×", 0.0,
     computed(shared_rate, 16, 32, 4)),
)  # fmt: skip


def _worse(other: str) -> Ours:
    """By how much the error of an initialization is above linear's, after retraining, without 3 bits, as there."""

    def gap(result: Mapping[str, Any]) -> float:
        tried = {how: {n: after for n, _, after in points} for how, points in result["initializations"].items()}
        return float(np.mean([tried[other][n] - tried["linear"][n] for n in tried["linear"] if n != 3]))

    return each(gap)


FIGURE_8 = rows("deep-compression/initialization/", f"{PAPER}, figure 8", *(
    (other, f"LeNet-300-100 of 2 to 8 bits, without 3: error with {other} centroids above linear ones", None, "points",
     0.0, _worse(other), "the paper's figure is of AlexNet")
    for other in ("density", "random")
))  # fmt: skip


def _pictures(network: str, finished: Sequence[Finished], folder: Path, data_dir: Path | None) -> list[Path]:
    """The first seed's sizes at every stage, and its initializations."""
    run = first_seed(finished)
    if run is None:
        return []
    result, name = run["result"], network.replace("-", "_")
    layers = result["layers"]
    drawn = [
        plot.compressed_sizes(
            folder / f"compressed_sizes_{name}.png", f"{NAMES[network]}: what its weights take",
            {layer: _stages(n) for layer, n in layers.items()}, TABLE_1[network][2],
        )
    ]  # fmt: skip
    if result["initializations"]:
        title = f"{NAMES[network]}: error with shared weights, by how k-means begins"
        drawn.append(
            plot.shared_initializations(
                folder / f"shared_initializations_{name}.png", title, result["initializations"], result["error_pruned"]
            )
        )
    return drawn


def _stages(layer: Mapping[str, Any]) -> dict[str, float]:
    """{stage: kilobytes of a layer's weights, codebook and positions}."""
    entries, codebook = layer["entries"], layer["codebook"]
    bits = {
        "dense": 32 * layer["weights"],
        "pruned": entries * (32 + layer["index_bits"]),
        "shared": entries * (layer["weight_bits"] + layer["index_bits"]) + codebook,
        "coded": entries * (layer["weight_huffman"] + layer["index_huffman"]) + codebook,
    }
    return {stage: n / 8000 for stage, n in bits.items()}


def _study(network: str, minutes: float, seeds: int, more: tuple[Row, ...], tried: Mapping[str, Any]) -> Study:
    config = {"network": network, "stages": STAGES[network], **RUNS[network], **tried}
    return Study(
        f"deep-compression-{network}", PAPER,
        f"{NAMES[network]}, pruned as by Han et al. 2015; its weights shared and retrained, then coded.",
        minutes, seeds,
        runs=each_seed(compressed, {"compressed": config}),
        rows=(*_ours(network), *more),
        figures=partial(_pictures, network),
        causes=_causes(_ours(network) + more),
    )  # fmt: skip


def _causes(of: Sequence[Row]) -> dict[str, str]:
    return {start: why for start, why in CAUSES.items() if any(row.key.startswith(start) for row in of)}


CAUSES = {
    "deep-compression/lenet-300-100/weight-bits-fc3": "Our qualities leave 230 weights in the last layer, which share "
    "63 values: about four each, and nearly equal counts have nearly equal codewords.",
    "deep-compression/lenet-5/lost": "Our network is better before, 0.61 % for 0.80 %, and as good after.",
    "deep-compression/lenet-5/weight-bits-": "Uneven counts have shorter codes: ours of conv2 are less even than the "
    "paper's. Its 5.2 bits for a weight of fc2, of 5 before, cannot be.",
    "deep-compression/lenet-5/coded-fc2": "The paper counts 5.2 bits for a weight of 5.",
    **dict.fromkeys(
        [f"deep-compression/lenet-5/{what}" for what in ("file", "fixed-", "coded-conv2", "coded-fc1", "coded-total")],
        "Our qualities leave 10.2 % of the weights, the paper's 8.4 %: of conv2 19 % for 12 %, of fc1 9.5 % for 8 %.",
    ),
    "deep-compression/initialization/": "The paper's figure is of AlexNet. On MNIST the three initializations differ "
    "by a few test images of 10,000; k-means in one dimension ends in nearly the same places.",
    "deep-compression/analytic/": "The printed rates of the layers do not add up to that of the network: by its layers "
    "LeNet-300-100 is 31 times smaller before Huffman coding, 32 in the total, and LeNet-5 37 times after it, 39 in "
    "the total. Table 3 also has 5.2 bits for a weight of ip2 after Huffman coding, of 5 before.",
}
STUDIES = (
    _study("lenet-300-100", 6, 2, FIGURE_8, TRIED),
    _study("lenet-5", 20, 1, (), {}),
    Study(
        "deep-compression-analytic", PAPER, "Whether its tables 2 and 3 add up, and its example of equation 1.", 0, 1,
        runs=lambda seeds: [], rows=(*(r for n in TABLES for r in _analytic(n)), *EQUATION),
        figures=lambda finished, directory, data_dir: [],
        causes={"deep-compression/analytic/": CAUSES["deep-compression/analytic/"]},
    ),
)  # fmt: skip
