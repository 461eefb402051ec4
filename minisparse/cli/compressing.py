"""`minisparse compress` and `decompress`: a run's network as a file of shared values and Huffman codes."""

from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from ..compress.file import Entry, Shared, measured, read, written
from ..files import may_write, replacing, write_arrays
from ..recipes.sharing import CENTROIDS
from ..runs import run as runs
from ..runs.compressing import at_inference, layers, retraining, shared
from ..runs.folder import refuse_own
from ..runs.names import chosen
from .options import AsJson, DataDir, Force, Quiet
from .results import Run
from .tables import console, hush, plain_table, print_json, show

ENDING = ".compressed"
CODING, RETRAINING = "Coding", "Retraining"
COLUMNS = (
    "weights",
    "left",
    "entries",
    "weight\nbits",
    "coded",
    "index\nbits",
    "coded",
    "size\n(P+Q)",
    "size\n(P+Q+H)",
)


def bits(words: str) -> Any:
    return typer.Option(min=1, max=16, help=words, rich_help_panel=CODING)


def compress(
    run: Run,
    conv_bits: Annotated[int, bits("Bits of a weight in convolutions: 2^b − 1 shared values, and a zero.")] = 8,
    linear_bits: Annotated[int, bits("The same in linear layers; the paper's LeNet-300-100 has 6.")] = 5,
    conv_index_bits: Annotated[int, bits("Bits of the distance between weights in convolutions.")] = 8,
    linear_index_bits: Annotated[int, bits("The same in linear layers.")] = 5,
    centroids: Annotated[
        str, typer.Option(help=f"Where k-means begins: {', '.join(CENTROIDS)}.", rich_help_panel=CODING)
    ] = "linear",
    epochs: Annotated[
        int, typer.Option(min=0, help="Epochs of training shared values.", rich_help_panel=RETRAINING)
    ] = 2,
    lr: Annotated[
        float,
        typer.Option(help="η of shared values, low since their gradients are sums.", rich_help_panel=RETRAINING),
    ] = 1e-5,
    momentum: Annotated[float, typer.Option(help="Momentum of sgd.", rich_help_panel=RETRAINING)] = 0.9,
    seed: Annotated[
        int, typer.Option(min=0, help="Of random centroids and of batches.", rich_help_panel=RETRAINING)
    ] = 0,
    out: Annotated[Path | None, typer.Option(help=f"The file. Default: weights{ENDING} in the run's folder.")] = None,
    data_dir: DataDir = None,
    force: Force = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Share a run's weights, train what they share, and write a Huffman-coded file (Han, Mao & Dally 2016).

    Weights of zero are no connections; biases and batch norm are stored as they are. The file is read back and compared
    bit for bit. One that exists is not replaced without --force, and a run's own files never are.
    """
    hush(quiet, as_json)
    chosen("--centroids", centroids, CENTROIDS)
    path = run / f"weights{ENDING}" if out is None else out
    refuse_own(path)
    may_write(path, force)
    task, params = at_inference(*runs.reopen(run, data_dir))
    sharing = shared(task, params, {"conv": conv_bits, "depthwise": conv_bits, "linear": linear_bits}, centroids, seed)
    accuracy = {"before": runs.evaluate(task, params)["accuracy"], "shared": _accuracy(sharing)}
    for step in retraining(sharing, epochs * task.per_epoch, lr, momentum, seed):
        sharing = sharing._replace(params=step.params)
    accuracy["retrained"] = _accuracy(sharing)
    widths = {"conv": conv_index_bits, "depthwise": conv_index_bits, "linear": linear_index_bits}
    made = layers(sharing, widths, runs.statistics(task, sharing.weights))
    back = read(written(path, made))
    for name, weight in sharing.weights.items():
        there: Any = back[name]
        there = there.weight() if isinstance(there, Shared) else there
        if there.dtype != weight.dtype or there.tobytes() != weight.tobytes():
            raise RuntimeError(
                f"{path}: {name!r} was not read back as it was written; a fault of minisparse or the disk"
            )

    sizes = {name.removesuffix(".weight"): measured(layer) for name, layer in made.items() if isinstance(layer, Shared)}
    n_bytes, n_dense = path.stat().st_size, sum(np.asarray(w).nbytes for w in params.values())
    if as_json:
        of_layers = [{"name": name, **size._asdict()} for name, size in sizes.items()]
        print_json({"file": str(path.resolve()), "bytes": n_bytes, "dense_bytes": n_dense, "accuracy": accuracy,
                    "layers": of_layers})  # fmt: skip
        return
    _report(sizes)
    console.print(
        f"\nTest accuracy is {accuracy['before']:.2%} before, {accuracy['shared']:.2%} with shared weights, "
        f"{accuracy['retrained']:.2%} after {epochs} epochs of training them. All parameters take {n_dense:,} bytes, "
        f"the file {n_bytes:,}, {n_dense / n_bytes:.1f} times less; it was read back bit for bit."
    )
    console.print(f"The file is {path.resolve()}", soft_wrap=True)


def _accuracy(sharing: Any) -> float:
    return runs.evaluate(sharing.task, sharing.weights)["accuracy"]


def _report(sizes: dict[str, Entry]) -> None:
    """The paper's tables 2 and 3: bits of an entry, and sizes as shares of the dense layer's, by layer."""
    table = plain_table("layer", *COLUMNS)
    for name, size in sizes.items():
        dense = size.weights * size.dense_bits
        table.add_row(
            name, f"{size.weights:,}", f"{size.connections / max(1, size.weights):.1%}", f"{size.entries:,}",
            str(size.weight_bits), f"{size.weight_huffman:.1f}", str(size.index_bits), f"{size.index_huffman:.1f}",
            f"{size.fixed / max(1, dense):.2%}", f"{size.coded / max(1, dense):.2%}",
        )  # fmt: skip
    total = lambda figure: sum(getattr(size, figure) for size in sizes.values())
    dense = max(1, sum(size.weights * size.dense_bits for size in sizes.values()))
    table.add_section()
    table.add_row(
        "total", f"{total('weights'):,}", f"{total('connections') / max(1, total('weights')):.1%}",
        f"{total('entries'):,}", "", "", "", "", f"{total('fixed') / dense:.2%}", f"{total('coded') / dense:.2%}",
    )  # fmt: skip
    show(table)


def decompress(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A file that compress wrote.")],
    out: Annotated[Path | None, typer.Option(help="The .npz file. Default: beside FILE, with its name.")] = None,
    force: Force = False,
) -> None:
    """Write the network in a compressed file as .npz, in minisparse's layout, with masks."""
    path = file.with_name(f"{file.name}.npz") if out is None else out
    refuse_own(path)
    may_write(path, force)
    arrays = {}
    for name, layer in read(file).items():
        arrays[name] = layer.weight() if isinstance(layer, Shared) else layer
        if isinstance(layer, Shared):
            arrays[f"{name}.mask"] = layer.mask
    with replacing(path) as unfinished:
        write_arrays(unfinished, arrays)
    console.print(f"{len(arrays)} arrays are in {path.resolve()}", soft_wrap=True)
