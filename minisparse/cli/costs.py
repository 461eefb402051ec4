"""`minisparse cost`: what a network costs, from shapes alone."""

import math
import re
from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import partial
from typing import Annotated, Any

import typer
from rich.table import Table

from .. import flops, nn
from ..allocate import counts
from ..runs.methods import METHODS
from ..runs.names import NETWORKS, WITH_WIDTH, allotted, network
from ..runs.plan import Plan
from ..sparse import training_memory
from .options import AsJson, Quiet, option
from .tables import console, hush, plain_table, print_json, short

MOST = 10**15  # weights that can be counted exactly
MOST_OPTION = 10**9


def cost(
    model: Annotated[str, typer.Option(help=f"{', '.join(NETWORKS)}, or wrn-D-K, such as wrn-22-2.")],
    sparsity: Annotated[float, option("sparsity", panel=False)] = Plan().sparsity,
    distribution: Annotated[str, option("distribution", panel=False)] = Plan().distribution,
    dense: Annotated[list[str] | None, option("dense", panel=False)] = None,
    shape: Annotated[str | None, typer.Option(help="Of an example, such as 32x32x3. Default: the paper's.")] = None,
    classes: Annotated[int | None, typer.Option(min=1, max=MOST_OPTION, help="Default: the paper's.")] = None,
    width: Annotated[float | None, typer.Option(help=f"Factor on channels, for {', '.join(WITH_WIDTH)}.")] = None,
    method: Annotated[str | None, typer.Option(help=f"{', '.join(flops.TRAINING)}. Default: each.")] = None,
    period: Annotated[
        int, typer.Option(min=1, max=MOST_OPTION, help="ΔT of rigl: optimizer steps between updates.")
    ] = 100,
    batch: Annotated[
        int, typer.Option(min=1, max=MOST_OPTION, help="Examples per batch; factored gradients grow with it.")
    ] = 100,
    convention: Annotated[str, typer.Option(help=f"Counting convention: {', '.join(flops.CONVENTIONS)}.")] = "clean",
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Show the cost of a sparse network, layer by layer, in weights, multiply-adds and bytes; and of its training."""
    hush(quiet, as_json)
    built, example = network(model, partial(_example, shape), classes, width)
    sites = nn.sites(built, example)
    shapes = {site.name: site.kernel_shape for site in sites}
    weights = sum(math.prod(shape) for shape in shapes.values())
    if weights >= MOST:
        raise ValueError(f"--model {model} of this shape and width has {Decimal(weights):.1e} weights; expected fewer "
                         f"than {MOST:.0e}")  # fmt: skip
    densities, full = allotted(sites, sparsity, distribution, dense or [])
    kept = counts(shapes, densities)

    account = _account(sites, kept, full, convention)
    parameters = sum(math.prod(shape) for shape in built.shapes().values())
    account["parameters"] = {"dense": parameters, "kept": parameters - weights + sum(kept.values())}
    account["training"] = {
        name: flops.training_cost(name, **account["forward"], period=period)
        for name in ([method] if method else flops.TRAINING)
    }
    with_mask = {site: kept[site.name] for site in sites if site.name not in full}
    account["memory"] = {name: _memory(built, with_mask, name, batch) for name in account["training"]}
    asked = {"model": model, "shape": example, "sparsity": sparsity, "distribution": distribution, "period": period,
             "batch": batch}  # fmt: skip
    if as_json:
        print_json(asked | account)
    else:
        _print_account(account, period)
        _print_memory(account["memory"], batch)


def _memory(model: nn.Chain, with_mask: dict[nn.Site, int], method: str, batch: int) -> dict[str, Any]:
    """{"masked": bytes, "sparse": bytes} by sparse.training_memory, and under "refused" why no such run is possible.

    with_mask {site: connections} of the layers in the budget. A dense network has one storage only.
    """
    n_active = {site.name: n for site, n in with_mask.items()}
    count = partial(training_memory, model.shapes(), n_active, method, batch=batch)
    if method == "dense":
        return {"masked": count()}
    other = [site.name.removesuffix(".weight") for site in with_mask if site.kind != "linear"]
    of_layers = f"{other[0]} is a convolution: keep all such layers dense with --dense conv" if other else ""
    refusal = METHODS[method].refusal or of_layers
    in_bytes = {} if other else count(storage="sparse")
    return {"masked": count(), "sparse": in_bytes | ({"refused": refusal} if refusal else {})}


def _print_memory(memory: dict[str, Any], batch: int) -> None:
    console.print()
    console.print(_that_fits(partial(_memory_table, memory, batch)))
    reasons: dict[str, list[str]] = {}
    for name, of in memory.items():
        if reason := of.get("sparse", {}).get("refused"):
            reasons.setdefault(reason, []).append(name)
    for line in (
        "\nBytes between steps, and of the gradients in one; own: what snfs remembers, or an update of rigl scans",
        *(f"{', '.join(names)}, sparse: refused. {reason}" for reason, names in reasons.items()),
    ):
        console.print(line, soft_wrap=True)


def _memory_table(memory: dict[str, Any], batch: int, exact: bool) -> Table:
    """A row for each method and storage; a refused run in parentheses."""
    write = "{:,.0f}".format if exact else short
    table = plain_table(f"memory, batch {batch}", "weights", "momentum", "masks", "own", "gradients", gap=1)
    for name, of in memory.items():
        for storage, count in of.items():
            if "weights" in count:
                label = name if name == "dense" else f"{name}, {storage}"
                own = count["memory"] + count["update"]
                cells = (count["weights"], count["slots"], count["masks"], own, count["gradients"])
                table.add_row(f"({label})" if "refused" in count else label, *map(write, cells))
    return table


def _that_fits(table: Callable[..., Table]) -> Table:
    """The table with numbers in full, or to three digits where the window is too narrow."""
    full = table(exact=True)
    narrow = console.measure(full, options=console.options.update(max_width=999)).maximum > console.width
    return table(exact=False) if narrow else full


def _account(sites: Sequence[nn.Site], kept: dict[str, int], full: set[str], convention: str) -> dict[str, Any]:
    """Everything the command prints about the network's weights, ready for JSON."""
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
    console.print(_that_fits(partial(_account_table, account)))

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
    training = plain_table("training", f"{unit} of an example", "of dense")
    for name, cost in account["training"].items():
        label = f"{name}, ΔT {period}" if name == "rigl" else name
        training.add_row(label, f"{cost:,.0f}", f"{cost / (3 * dense):.4f}")
    console.print(training)


def _account_table(account: dict[str, Any], exact: bool) -> Table:
    """A row for each layer and a total; numbers in full, or to three digits for a narrow window."""
    write = "{:,.0f}".format if exact else short
    unit, layers = account["unit"], account["layers"]
    mult_adds = "mult-\nadds" if unit == "multiply-adds" else unit
    titles = ("kernel", "weights", "kept", "density", mult_adds, "dense\nbytes", "mask\nbytes", "CSR\nbytes")
    table = plain_table("layer", *titles, gap=1)
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


def _sparsity(layers: Sequence[dict[str, Any]]) -> float:
    weights = sum(layer["weights"] for layer in layers)
    return 1 - sum(layer["kept"] for layer in layers) / weights if weights else 0.0


def _example(text: str | None, papers: nn.Shape) -> nn.Shape:
    """The shape that --shape gives, with as many axes as the paper's, which is the default."""
    if text is None:
        return papers
    sides = text.split("x")
    if len(sides) != len(papers) or not all(re.fullmatch(r"[1-9]\d*", side) for side in sides):
        raise ValueError(f"--shape is {text!r}; expected a shape like {'x'.join(map(str, papers))}")
    return tuple(map(int, sides))
