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
from ..runs.costing import memory, on_paper, training
from ..runs.methods import METHODS
from ..runs.names import NETWORKS, WITH_WIDTH, allotted, chosen, network
from ..runs.plan import Plan
from ..runs.times import LAST
from .options import AsJson, Quiet, option
from .tables import console, hush, plain_table, print_json, short

MOST = 10**15  # weights that can be counted exactly
MOST_OPTION, MOST_STEPS = 10**9, 10**6


def cost(
    model: Annotated[str, typer.Option(help=f"{', '.join(NETWORKS)}, or wrn-D-K, such as wrn-22-2.")],
    sparsity: Annotated[float, option("sparsity", panel=False)] = Plan().sparsity,
    distribution: Annotated[str, option("distribution", panel=False)] = Plan().distribution,
    dense: Annotated[list[str] | None, option("dense", panel=False)] = None,
    shape: Annotated[str | None, typer.Option(help="Of an example, such as 32x32x3. Default: the paper's.")] = None,
    classes: Annotated[int | None, typer.Option(min=1, max=MOST_OPTION, help="Default: the paper's.")] = None,
    width: Annotated[float | None, typer.Option(help=f"Factor on channels, for {', '.join(WITH_WIDTH)}.")] = None,
    method: Annotated[str | None, typer.Option(help=f"{', '.join(METHODS)}. Default: each.")] = None,
    period: Annotated[int, typer.Option(min=1, max=MOST_OPTION, help="ΔT, batches between updates.")] = 100,
    steps: Annotated[
        int, typer.Option(min=20, max=MOST_STEPS, help="Batches of the run, for methods whose masks grow or shrink.")
    ] = 10_000,
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
    chosen("--method", method or "dense", METHODS)
    plan = Plan(model=model, sparsity=sparsity, distribution=distribution, dense=tuple(dense or ()), delta_t=period)
    build = lambda factor: network(model, partial(_example, shape), classes, _times(width, factor))[0]
    budget = {name: density for name, density in densities.items() if name not in full}
    account |= {"training": {}, "memory": {}, "refused": {}}
    for name in [method] if method else METHODS:
        try:
            task = on_paper(plan._replace(method=name), build, example, budget, steps)
        except ValueError as error:
            account["refused"][name] = str(error)
            continue
        account["training"][name] = training(task._replace(convention=convention), account["forward"]["dense"])
        account["memory"][name] = memory(task, batch)
    asked = {"model": model, "shape": example, "sparsity": sparsity, "distribution": distribution, "period": period,
             "steps": steps, "batch": batch}  # fmt: skip
    if as_json:
        print_json(asked | account)
    else:
        _print_account(account, f"ΔT {period:,}, T_end {round(LAST * steps):,} in a run of {steps:,} batches")
        _print_memory(account["memory"], batch)


def _times(width: float | None, factor: float | None) -> float | None:
    """The factor on the channels of a network, narrower than asked for if `factor` says so."""
    return width if factor is None else (width or 1) * factor


def _print_memory(memory: dict[str, Any], batch: int) -> None:
    reasons: dict[str, list[str]] = {}
    for name, of in memory.items():
        if reason := of.get("sparse", {}).get("refused"):
            reasons.setdefault(reason, []).append(name)
    rows = _memory_rows(memory)
    alike = [f"as {names[0]}: {', '.join(name.partition(',')[0] for name in names[1:])}" for names in rows.values()
             if len(names) > 1]  # fmt: skip
    console.print()
    console.print(_that_fits(partial(_memory_table, rows, batch)))
    for line in (
        "\nBytes between steps, and of the gradients in one, where there are most connections; own: what a method "
        "remembers, or an update of rigl scans",
        *alike,
        *(f"{', '.join(names)}, sparse: refused: {reason}" for reason, names in reasons.items()),
    ):
        console.print(line, soft_wrap=True)


def _memory_rows(memory: dict[str, Any]) -> dict[tuple[int, ...], list[str]]:
    """{bytes: the methods and storages that take them}; a refused run in parentheses."""
    rows: dict[tuple[int, ...], list[str]] = {}
    for name, of in memory.items():
        for storage, count in of.items():
            if "weights" in count:
                label = name if "sparse" not in of else f"{name}, {storage}"
                own = count["memory"] + count["update"]
                cells = (count["weights"], count["slots"], count["masks"], own, count["gradients"])
                rows.setdefault(cells, []).append(f"({label})" if "refused" in count else label)
    return rows


def _memory_table(rows: dict[tuple[int, ...], list[str]], batch: int, exact: bool) -> Table:
    write = "{:,.0f}".format if exact else short
    table = plain_table(f"memory, batch {batch}", "weights", "momentum", "masks", "own", "gradients", gap=1)
    for cells, names in rows.items():
        table.add_row(names[0], *map(write, cells))
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


def _print_account(account: dict[str, Any], run: str) -> None:
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
        training.add_row(name, f"{cost:,.0f}", f"{cost / (3 * dense):.4f}")
    console.print(training)
    before = ", ".join(f"{name} {METHODS[name].before}" for name in account["training"] if METHODS[name].before)
    for line in (
        f"\n{run}" + (f"; batches of the dense network before it, not counted: {before}" if before else ""),
        *(["lottery: all its trainings together"] if "lottery" in account["training"] else []),
        *(f"{name}: none. {reason}" for name, reason in account["refused"].items()),
    ):
        console.print(line, soft_wrap=True)


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
