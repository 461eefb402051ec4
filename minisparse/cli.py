"""The command line: `minisparse demo`, `minisparse reproduce` and `minisparse cost`."""

import json
import math
import re
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Column, Table

from . import flops, models, nn
from .allocate import counts, density_of, erdos_renyi, erdos_renyi_kernel, uniform

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
console = Console()


@app.callback()
def minisparse() -> None:
    """Sparse neural-network training you can read."""


@app.command()
def demo(
    data: Annotated[str, typer.Option(help="digits (embedded, nothing to download) or mnist.")] = "digits",
    data_dir: Annotated[
        Path | None,
        typer.Option(help="Folder with mnist/*-ubyte.gz; $MINISPARSE_DATA, else a download, unless given."),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for the picture.")] = Path("minisparse-demo"),
    seed: Annotated[int, typer.Option(min=0, help="The same seed is the same run.")] = 0,
) -> None:
    """Train a 98 % sparse network with RigL, beside a static mask and a dense one; picture where connections went."""
    from threadpoolctl import threadpool_limits

    from .data import load
    from .experiments.rigl import DEMO, METHODS, Snapshot, central_share, cost, picture, snapshots

    if data not in ("digits", "mnist"):
        raise ValueError(f"--data is {data!r}; accepted are digits, mnist")
    train_set, test_set = load(data, data_dir, "train"), load(data, data_dir, "test")
    console.print(f"{data}: {len(train_set[1]):,} training and {len(test_set[1]):,} test images")

    runs: dict[str, list[Snapshot]] = {}
    columns = (TextColumn("{task.description:7}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    # Matrices this small gain little from a second BLAS thread, and lose much to it on a busy machine.
    with Progress(*columns, console=console) as progress, threadpool_limits(1):
        for method in METHODS:
            task = progress.add_task(method, total=DEMO.steps)
            runs[method] = []
            for snapshot in snapshots(method, train_set, test_set, seed, DEMO, every=DEMO.steps // 60):
                runs[method].append(snapshot)
                progress.update(task, completed=snapshot.steps)

    figures = ("sparsity, first layer", "all", "weights", "multiply-adds", "test accuracy")
    table = Table("method", *(Column(figure, justify="right") for figure in figures))
    for method, seen in runs.items():
        sparsity, weights, multiply_adds = cost(seen[-1].counts)
        first = 1 - seen[-1].pixels.sum() / (784 * 300)
        cells = (f"{first:.1%}", f"{sparsity:.1%}", f"{weights:,}", f"{multiply_adds:,.0f}", f"{seen[-1].accuracy:.1%}")
        table.add_row(method, *cells)
    console.print(table)
    best, n_test = max(seen[-1].accuracy for seen in runs.values()), len(test_set[1])
    error = (best * (1 - best) / n_test) ** 0.5
    console.print(f"With {n_test:,} test images, one standard error of an accuracy is about {error:.1%}.")

    first, last = runs["rigl"][0].pixels, runs["rigl"][-1].pixels
    frames = [(shot.steps, shot.pixels) for shot in runs["rigl"]]
    curves = {method: [(shot.steps, shot.accuracy) for shot in seen[1:]] for method, seen in runs.items()}
    path = picture(out / "connections_find_the_digits.png", data, train_set[0], frames, curves, DEMO)
    console.print(
        f"The first layer has {first.mean():.1f} connections a pixel; {central_share(first):.0%} of them were in the "
        f"central 20×20 pixels at the start, {central_share(last):.0%} are there now.",
        soft_wrap=True,
    )
    console.print(f"The picture is {path.resolve()}", soft_wrap=True)


@app.command()
def reproduce(
    name: Annotated[str, typer.Argument(help="rigl-mnist-98: 98 % sparse MNIST network, RigL, static and dense.")],
    seeds: Annotated[int, typer.Option(min=1, help="Runs of each method.")] = 3,
    jobs: Annotated[int, typer.Option(min=1, help="Runs at a time, each on one core.")] = 2,
    data_dir: Annotated[Path | None, typer.Option(help="Folder with mnist/*-ubyte.gz.")] = None,
    out: Annotated[Path, typer.Option(help="Folder for results and figures.")] = Path("figures"),
) -> None:
    """Run a paper's experiment in full. Finished runs are kept and not repeated, so an interrupted one goes on."""
    from .data import load
    from .experiments import rigl

    if name != "rigl-mnist-98":
        raise ValueError(f"NAME is {name!r}; accepted is rigl-mnist-98")
    images = load("mnist", data_dir)[0]
    folder = out / "rigl_mnist_98"
    console.print(f"Results go to {folder.resolve()}; runs that are finished there are not repeated", soft_wrap=True)
    results = []
    with Progress(TextColumn("runs"), BarColumn(), MofNCompleteColumn(), console=console) as progress:
        task = progress.add_task(name, total=seeds * len(rigl.METHODS))
        for result in rigl.reproduce(seeds, jobs, folder, data_dir):
            results.append(result)
            progress.update(task, advance=1)

    table = Table("method", *(Column(c, justify="right") for c in ("seeds", "last epoch", "best", "central 20×20")))
    for row in rigl.summary(results):
        accuracy = f"{row['accuracy']:.2%} ± {row['std']:.2%}"
        central = f"{row['central_start']:.1%} → {row['central_end']:.1%}"
        table.add_row(row["method"], str(row["seeds"]), accuracy, f"{row['best']:.2%}", central)
    console.print(table)
    path = rigl.picture_of(results, out / "connections_find_the_digits.png", images)
    console.print(f"Results are in {folder.resolve()}, the picture is {path.resolve()}", soft_wrap=True)


NETWORKS: dict[str, tuple[Callable[..., nn.Chain], nn.Shape]] = {
    "lenet-300-100": (lambda shape, **given: models.lenet_300_100(*shape, **given), (784,)),
    "lenet-5": (models.lenet_5, (28, 28, 1)),
    "alexnet": (models.alexnet, (227, 227, 3)),
    "vgg-16": (models.vgg_16, (224, 224, 3)),
    "vgg-c": (models.vgg_c, (32, 32, 3)),
    "vgg-d": (models.vgg_d, (32, 32, 3)),
    "vgg-like": (models.vgg_like, (32, 32, 3)),
    "resnet-50": (models.resnet_50, (224, 224, 3)),
    "mobilenet-v1": (models.mobilenet_v1, (224, 224, 3)),
}
WITH_WIDTH = ("resnet-50", "mobilenet-v1")
DISTRIBUTIONS = {"uniform": uniform, "uniform-all": uniform, "er": erdos_renyi, "erk": erdos_renyi_kernel}


@app.command()
def cost(
    model: Annotated[str, typer.Option(help=f"{', '.join(NETWORKS)}, or wrn-D-K, such as wrn-22-2.")],
    sparsity: Annotated[float, typer.Option(help="Of all weights outside the layers that are kept dense.")] = 0.9,
    distribution: Annotated[
        str, typer.Option(help="uniform (with the first layer dense), uniform-all, er or erk.")
    ] = "erk",
    dense: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Keep a layer dense, or all that are conv, depthwise, linear; repeatable."),
    ] = None,
    shape: Annotated[str | None, typer.Option(help="Of an example, such as 32x32x3; the paper's unless given.")] = None,
    classes: Annotated[int | None, typer.Option(min=1, help="The paper's unless given.")] = None,
    width: Annotated[float | None, typer.Option(help=f"A factor on channels: {', '.join(WITH_WIDTH)}.")] = None,
    method: Annotated[str | None, typer.Option(help=f"{', '.join(flops.TRAINING)}; each unless given.")] = None,
    period: Annotated[int, typer.Option(min=1, help="ΔT of rigl: optimizer steps between two updates.")] = 100,
    convention: Annotated[str, typer.Option(help=f"Whose counting: {', '.join(flops.CONVENTIONS)}.")] = "clean",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")] = False,
) -> None:
    """What a sparse network costs, layer by layer: weights, multiply-adds, bytes; and a step of training it."""
    network, example = _network(model, shape, classes, width)
    sites = nn.sites(network, example)
    if distribution not in DISTRIBUTIONS:
        raise ValueError(f"--distribution is {distribution!r}; accepted are {', '.join(DISTRIBUTIONS)}")
    full = _named(sites, dense or []) | ({sites[0].name} if distribution == "uniform" else set())
    shapes = {site.name: site.kernel_shape for site in sites}
    kept = counts(shapes, DISTRIBUTIONS[distribution](shapes, density_of(sparsity), full))

    account = _account(sites, kept, full, convention)
    weights = sum(math.prod(shape) for shape in shapes.values())
    parameters = sum(math.prod(shape) for shape in network.shapes().values())
    account["parameters"] = {"dense": parameters, "kept": parameters - weights + sum(kept.values())}
    account["training"] = {
        name: flops.training_cost(name, **account["forward"], period=period)
        for name in ([method] if method else flops.TRAINING)
    }
    asked = {"model": model, "shape": example, "sparsity": sparsity, "distribution": distribution, "period": period}
    if as_json:
        typer.echo(json.dumps(asked | account, indent=1))
    else:
        _print_account(account, period)


def _account(sites: Sequence[nn.Site], kept: dict[str, int], full: set[str], convention: str) -> dict[str, Any]:
    """Everything the command prints of the network's weights, as JSON has it."""
    densities = {site.name: kept[site.name] / math.prod(site.kernel_shape) for site in sites}
    unit, products = ("multiply-adds", 2) if convention == "clean" else ("FLOPs", 1)
    layers: list[dict[str, Any]] = [
        {
            "name": site.name.removesuffix(".weight"),
            "kernel": site.kernel_shape,
            "weights": math.prod(site.kernel_shape),
            "kept": kept[site.name],
            "density": densities[site.name],
            unit: round(count / products),
            "bytes": {
                kind: flops.storage(site.kernel_shape, kept[site.name], kind) for kind in ("dense", "bitmask", "csr")
            },
        }
        for site, count in zip(sites, flops.count(sites, densities, convention).values(), strict=True)
    ]
    budget = [layer for site, layer in zip(sites, layers, strict=True) if site.name not in full]
    return {
        "convention": convention,
        "unit": unit,
        "layers": layers,
        "dense_layers": [site.name.removesuffix(".weight") for site in sites if site.name in full],
        "sparsity_overall": _sparsity(layers),
        "sparsity_in_budget": _sparsity(budget),
        "forward": {
            "dense": round(sum(flops.count(sites, {}, convention).values()) / products),
            "sparse": sum(layer[unit] for layer in layers),
        },
        "size": sum(flops.size(sites, densities, convention).values()),
    }


def _print_account(account: dict[str, Any], period: int) -> None:
    table = _account_table(account, exact=True)
    if console.measure(table, options=console.options.update(max_width=999)).maximum > console.width:
        table = _account_table(account, exact=False)
    console.print(table)

    weights, kept = (sum(layer[key] for layer in account["layers"]) for key in ("weights", "kept"))
    outside = f", which leaves out {', '.join(account['dense_layers'])}" if account["dense_layers"] else ""
    dense, sparse, unit = account["forward"]["dense"], account["forward"]["sparse"], account["unit"]
    parameters = account["parameters"]
    for line in (
        "\nBytes of float32 values; mask: with one bit a weight; CSR: with int32 columns and row pointers",
        f"Weights: {kept:,} of {weights:,}, a sparsity of {account['sparsity_overall']:.2%}; "
        f"{account['sparsity_in_budget']:.2%} in the budget{outside}",
        f"Parameters, with biases and batch norm: {parameters['kept']:,} of {parameters['dense']:,}",
        f"Size by the convention {account['convention']}: {account['size'] / 1e6:,.3f} MB",
        f"One example forward: {sparse:,} of {dense:,} {unit}, {sparse / dense:.4f}\n",
    ):
        console.print(line, soft_wrap=True)
    training = _table("training", f"{unit} of an example", "of dense")
    for name, cost in account["training"].items():
        label = f"{name}, ΔT {period}" if name == "rigl" else name
        training.add_row(label, f"{cost:,.0f}", f"{cost / (3 * dense):.4f}")
    console.print(training)


def _account_table(account: dict[str, Any], exact: bool) -> Table:
    """A row for each layer and one for all of them; numbers in full, or in three digits for a narrow window."""
    write = "{:,.0f}".format if exact else _short
    unit, layers = account["unit"], account["layers"]
    mult_adds = "mult-\nadds" if unit == "multiply-adds" else unit
    titles = ("kernel", "weights", "kept", "density", mult_adds, "dense\nbytes", "mask\nbytes", "CSR\nbytes")
    table = _table("layer", *titles, gap=1)
    sums = {key: sum(layer[key] for layer in layers) for key in ("weights", "kept", unit)}
    stored = {kind: sum(layer["bytes"][kind] for layer in layers) for kind in ("dense", "bitmask", "csr")}
    for layer in (*layers, {"name": "total", "kernel": (), "bytes": stored, **sums}):
        if not layer["kernel"]:
            table.add_section()
        table.add_row(
            layer["name"],
            "×".join(map(str, layer["kernel"])),
            write(layer["weights"]),
            write(layer["kept"]),
            f"{layer['kept'] / layer['weights']:.2%}",
            write(layer[unit]),
            *map(write, layer["bytes"].values()),
        )
    return table


def _table(first: str, *others: str, gap: int = 2) -> Table:
    """A table of numbers without a frame; where it is too wide, names in its first column lose their ends."""
    columns = (Column(title, justify="right", no_wrap=True) for title in others)
    return Table(
        Column(first, overflow="ellipsis"),
        *columns,
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        padding=(0, gap - 1, 0, 0),
    )


def _short(number: float) -> str:
    """Three digits: 2,359,296 is 2.36M."""
    for letter, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if number >= 0.9995 * size:
            return f"{number / size:#.3g}".rstrip(".") + letter
    return f"{number:.0f}"


def _sparsity(layers: Sequence[dict[str, Any]]) -> float:
    weights = sum(layer["weights"] for layer in layers)
    return 1 - sum(layer["kept"] for layer in layers) / weights if weights else 0.0


def _network(name: str, shape: str | None, classes: int | None, width: float | None) -> tuple[nn.Chain, nn.Shape]:
    """The network that --model names, and the shape of its examples."""
    plain = name.lower().replace("_", "-")
    key = next((key for key in NETWORKS if key.replace("-", "") == plain.replace("-", "")), None)
    if wide := re.fullmatch(r"wrn-?(\d+)-([1-9]\d*)", plain):
        build: Callable[..., nn.Chain] = partial(models.wide_resnet, int(wide[1]), int(wide[2]))
        own: nn.Shape = (32, 32, 3)
    elif key:
        build, own = NETWORKS[key]
    else:
        raise ValueError(f"--model is {name!r}; accepted are {', '.join(NETWORKS)}, and wrn-D-K such as wrn-22-2")
    if width is not None and not (key in WITH_WIDTH and 0 < width < math.inf):
        raise ValueError(f"--width is {width} for {name}; accepted are positive numbers for {', '.join(WITH_WIDTH)}")
    example = own if shape is None else _example(shape, own)
    given = {"classes": classes, "width": width}
    return build(shape=example, **{key: value for key, value in given.items() if value is not None}), example


def _example(text: str, own: nn.Shape) -> nn.Shape:
    """The shape that --shape gives, with as many axes as the network's own."""
    sides = text.split("x")
    if len(sides) != len(own) or not all(re.fullmatch(r"[1-9]\d*", side) for side in sides):
        raise ValueError(f"--shape is {text!r}; accepted is a shape like {'x'.join(map(str, own))}")
    return tuple(map(int, sides))


def _named(sites: Sequence[nn.Site], names: Sequence[str]) -> set[str]:
    """The sites that --dense names, one by its layer's name or all of a kind."""
    found = {
        name: {s.name for s in sites if name in (s.kind, s.name, s.name.removesuffix(".weight"))} for name in names
    }
    if unknown := [name for name, matching in found.items() if not matching]:
        layers = ", ".join(site.name.removesuffix(".weight") for site in sites)
        raise ValueError(
            f"--dense is {unknown[0]!r}; accepted are conv, depthwise or linear where there are any, {layers}"
        )
    return set().union(*found.values())


def main() -> None:
    """What `minisparse` runs. A refusal is one sentence and exit status 2, an interruption 130; neither a traceback."""
    try:
        app()
    except (ValueError, TypeError, OSError) as error:
        Console(stderr=True).print(f"[bold red]minisparse:[/] {error}", soft_wrap=True, highlight=False)
        sys.exit(2)
