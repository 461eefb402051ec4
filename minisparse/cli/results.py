"""`minisparse evaluate`, `inspect` and `export`: the results of a run."""

import math
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from .. import nn
from ..backend import Array, to_numpy
from ..files import may_write
from ..methods.magnitude import leading_on, led_to
from ..models import pytorch as exchange
from ..runs import run as runs
from ..runs.folder import refuse_own
from ..runs.methods import METHODS
from ..runs.names import chosen
from ..sparse import dense
from .options import AsJson, DataDir, Force, Quiet
from .tables import console, hush, plain_table, print_json, show

Run = Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a run, finished or not.")]
ENDINGS = {"npz": ".npz", "safetensors": ".safetensors", "torch": ".pt"}


def evaluate(run: Run, data_dir: DataDir = None, as_json: AsJson = False, quiet: Quiet = False) -> None:
    """Test accuracy of a run's network in its present state."""
    hush(quiet, as_json)
    task, state = runs.reopen(run, data_dir)
    seen = runs.evaluate(task, state.params) | {"batches": state.number, "examples": len(task.test_set[1])}
    if as_json:
        print_json(seen)
        return
    error = (seen["accuracy"] * (1 - seen["accuracy"]) / seen["examples"]) ** 0.5
    console.print(
        f"After {state.number:,} of {task.steps:,} batches: test accuracy {seen['accuracy']:.2%} ± {error:.2%} "
        f"(one standard error of {seen['examples']:,} examples), loss {seen['loss']:.4f}",
        soft_wrap=True,
    )


def inspect(run: Run, data_dir: DataDir = None, as_json: AsJson = False, quiet: Quiet = False) -> None:
    """Show a run's masks layer by layer: connections, density, and unconnected or dead units.

    A unit is dead if no path from input to output runs through it. Where a network has branches or depthwise layers,
    only inputs and outputs without any connection in their layer are counted.
    """
    hush(quiet, as_json)
    task, state = runs.reopen(run, data_dir)
    sites = nn.sites(task.model, task.shape)
    kept = to_numpy(dict(METHODS[task.plan.method].kept(task, state.params, state.masks)))
    masks = {site.name: kept.get(site.name, np.ones(site.kernel_shape, bool)) for site in sites}
    links = {s.name: _link(s, masks[s.name]) for s in sites}
    dead = _dead(task.model, masks)
    layers = [
        {
            "name": name.removesuffix(".weight"),
            "kernel": list(mask.shape),
            "active": int(mask.sum()),
            "weights": mask.size,
            "density": int(mask.sum()) / max(mask.size, 1),
            "inputs_unread": int((~links[name].any(axis=1)).sum()),
            "outputs_unfed": int((~links[name].any(axis=0)).sum()),
            "dead_units": dead[name] if dead else None,
        }
        for name, mask in masks.items()
    ]
    if as_json:
        print_json({"batches": state.number, "layers": layers})
        return
    table = plain_table("layer", "kernel", "active", "of", "density", "inputs\nunread", "outputs\nunfed", "dead\nunits")
    for layer in layers:
        table.add_row(
            layer["name"],
            "×".join(map(str, layer["kernel"])),
            f"{layer['active']:,}",
            f"{layer['weights']:,}",
            f"{layer['density']:.2%}",
            f"{layer['inputs_unread']:,}",
            f"{layer['outputs_unfed']:,}",
            "" if layer["dead_units"] is None else f"{layer['dead_units']:,}",
        )
    active, size = (sum(layer[key] for layer in layers) for key in ("active", "weights"))
    table.add_section()
    table.add_row("total", "", f"{active:,}", f"{size:,}", f"{active / size:.2%}")
    show(table)


def _link(site: nn.Site, mask: Array) -> Array:
    """(inputs, outputs) bool: is there a connection anywhere in the window? A depthwise channel has one input."""
    if mask.ndim == 2:
        return mask
    flat = mask.reshape(math.prod(mask.shape[:-2]), *mask.shape[-2:]).any(axis=0)
    return np.diag(flat[:, 0]) if site.kind == "depthwise" else flat


def _dead(model: nn.Layer, masks: dict[str, Array]) -> dict[str, int] | None:
    """{site name: output units through which no path runs} for a plain sequence of layers; otherwise None."""
    parts = list(model.layers.values()) if isinstance(model, nn.Chain) else []
    for part in parts:
        if isinstance(part, nn.Chain | nn.Residual | nn.DepthwiseConv2d) or getattr(part, "groups", 1) > 1:
            return None
    order = list(masks)
    led, leading = led_to(masks, order), leading_on(masks, order)
    dead = dict.fromkeys(order, 0)
    for name, after in pairwise(order):
        fed = led[after][: len(leading[name])]
        dead[name] = int((~(fed & leading[name])).sum())
    return dead


def export(
    run: Run,
    to: Annotated[str, typer.Option(help=f"{', '.join(ENDINGS)}.")] = "npz",
    out: Annotated[
        Path | None, typer.Option(help="The file; its ending may be left out. Default: one in the run's folder.")
    ] = None,
    data_dir: DataDir = None,
    force: Force = False,
) -> None:
    """Write a run's weights: npz in minisparse's layout, with masks; safetensors and torch as a PyTorch state dict.

    Batch norm's statistics for inference are included. A file that exists is not replaced without --force, and a run's
    own files never are.
    """
    chosen("--to", to, ENDINGS)
    path = run / f"weights{ENDINGS[to]}" if out is None else _with_ending(out, to)
    refuse_own(path)
    may_write(path, force)
    task, state = runs.reopen(run, data_dir)
    entry, stats = METHODS[task.plan.method], runs.statistics(task, state.params)
    params, stats = to_numpy((dict(entry.inference(task, state.params)), stats))
    kept = entry.kept(task, state.params, state.masks)
    masks = to_numpy({name: kept[name] for name in state.masks})
    params, masks = ({name: dense(a) for name, a in tree.items()} for tree in (params, masks))
    arrays: dict[str, Any] = params | stats | {f"{name}.mask": mask for name, mask in masks.items()}
    if to != "npz":
        model, params = nn.ungated(task.model, params)
        arrays = exchange.to_torch(model, params, task.image if len(task.image) == 3 else task.shape, stats)
    console.print(f"{len(arrays)} arrays are in {exchange.save(path, arrays).resolve()}", soft_wrap=True)


def _with_ending(out: Path, to: str) -> Path:
    """The file that --out names. A dot in a name is part of it: a-S0.9 is a-S0.9.npz."""
    if out.suffix == ENDINGS[to]:
        return out
    if out.name in ("", "..") or out.suffix in ENDINGS.values():
        raise ValueError(f"--out is {str(out)!r}, --to {to!r}; expected the name of a file that ends in {ENDINGS[to]}")
    return out.with_name(out.name + ENDINGS[to])
