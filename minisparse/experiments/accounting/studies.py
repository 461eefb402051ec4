"""The rows of the analytic tables.

`tests/test_papers_costs.py` holds more, layer by layer, and says why some printed figures cannot be right.
"""

import math

from ... import nn
from ..studies import Row, Study, computed, rows
from . import costs
from .costs import expected, megabytes, mlp_cost, mobilenet, resnet, total
from .published import HAN, LOUIZOS, MOBILENET, NARROW, NOTES, README, RESNET, RIGL, SIZE_NOTES, SIZES, TABLE_2

AS_PRINTED = "half of the last printed digit"
LAST_DIGIT = "the last printed digit"


def _han(network: str) -> tuple[Row, ...]:
    build, shape, kept, active, n_kept, times, left, table = HAN[network]
    sites = nn.sites(build(), shape)
    sizes = [math.prod(site.kernel_shape) for site in sites]
    weights = sum(size * share / 100 for size, share in zip(sizes, kept, strict=True))
    shares = {s.name: k * a / 1e4 for s, k, a in zip(sites, kept, (100, *active[:-1]), strict=True)}
    share = 100 * total(sites, shares, "clean") / total(sites, None, "clean")
    prefix, from_table = f"han/analytic/{network.lower()}/", "from the percentages of the paper's own table"
    return rows(prefix, "Han et al. 2015, table 1",
        ("weights", f"{network}, weights left", n_kept, "", 0.05 * n_kept, computed(float, weights),
         f"{from_table}, which are whole numbers: 5 %"),
        ("times", f"{network}, times fewer weights", times, "×", 0.5, computed(float, sum(sizes) / weights),
         f"{from_table}; {AS_PRINTED}"),
    ) + rows(prefix, f"Han et al. 2015, {table}",
        ("flops", f"{network}, FLOPs left", left, "%", 1, computed(float, share),
         "weights left × activations of the layer before that are not zero; one point"),
    )  # fmt: skip


def _resnet() -> tuple[Row, ...]:
    names = {"inference": "inference", "rigl": "RigL, training", "snfs": "SNFS, training", "pruning": "gradual pruning"}
    longer = lambda times: f", {times:g} times as long" if times != 1 else ""
    size = lambda *choice: megabytes(resnet(), costs.resnet_densities(*choice))
    dense = Row(
        "rigl/resnet-50/flops", "ResNet-50, dense inference", 8.2, "GFLOPs", 0.05, f"{RIGL}, figure 2",
        computed(lambda: total(resnet()) / 1e9), note=f"the authors' counting; {AS_PRINTED}",
    )  # fmt: skip
    fractions = (
        Row(
            f"rigl/resnet-50/{quantity}-S{sparsity}-{distribution}-{times:g}x-{printed}",
            f"ResNet-50, {names[quantity]}{longer(times)}, {distribution} at {100 * sparsity:g} %",
            printed, "× dense", 0.005, source, computed(costs.resnet_cost, quantity, sparsity, distribution, times),
            note=NOTES.get((quantity, sparsity, distribution, printed), AS_PRINTED),
        )
        for quantity, distribution, times, shares, source in RESNET
        for sparsity, printed in shares.items()
    )  # fmt: skip
    sizes = rows("rigl/resnet-50/", README, *(
        (f"size-S{sparsity}-{distribution}",
         f"ResNet-50, size, {distribution}{f' at {100 * sparsity:g} %' if sparsity else ''}",
         printed, "MB", 0.001, computed(size, sparsity, distribution),
         SIZE_NOTES.get((sparsity, distribution), f"{LAST_DIGIT}, of zeros rounded up or down"))
        for distribution, sizes in SIZES.items()
        for sparsity, printed in sizes.items()
    ))  # fmt: skip
    return (dense, *fractions, *sizes)


def _mobilenet() -> tuple[Row, ...]:
    sparse = lambda *choice: (mobilenet(), costs.mobilenet_densities(*choice))
    narrow = lambda *width: (mobilenet(*width),)
    networks = [
        ("", "dense {}", narrow, (), 1141.544, 16.864),
        *((f"{distribution}-S{sparsity}-{full}/", f"{{}}, {distribution} at {100 * sparsity:g} %, {full} dense", sparse,
           (sparsity, distribution, full), mflops, mb)
          for (distribution, full), cells in MOBILENET.items() for sparsity, (mflops, mb) in cells.items()),
        *((f"width-{width}/", f"{{}}, width {width}", narrow, (width,), mflops, mb)
          for width, (mflops, mb) in NARROW.items()),
    ]  # fmt: skip
    inference = lambda network, choice: total(*network(*choice)) / 1e6
    size = lambda network, choice: megabytes(*network(*choice))
    return rows("rigl/mobilenet/", "RigL's notebook on MobileNet, its saved outputs", *(
        (key + name, f"MobileNet-v1, {about.format(what)}", printed, unit, near, computed(cost, network, choice), note)
        for key, about, network, choice, mflops, mb in networks
        for name, what, printed, unit, near, cost, note in (
            ("flops", "inference", mflops, "MFLOPs", 0.0005, inference, AS_PRINTED),
            ("size", "size", mb, "MB", 0.001, size, LAST_DIGIT),
        )
    ))  # fmt: skip


def _table_2() -> tuple[Row, ...]:
    cost = lambda place, *network: mlp_cost(*network)[place]
    made = []
    for method, widths, n_kept, size, kflops in TABLE_2:
        network = f"{method}'s {'-'.join(map(str, widths))}"
        given = f"; with {n_kept:,} weights, which the printed bytes imply" if n_kept else ""
        made += [
            (f"{method}/bytes", f"{network}, size", size, "bytes", 0.6, computed(cost, 0, widths, n_kept),
             f"values, biases, a bit mask where sparse{given}"),
            (f"{method}/kflops", f"{network}, inference", kflops, "KFLOPs", 0.05, computed(cost, 1, widths, n_kept),
             AS_PRINTED),
        ]  # fmt: skip
    return rows("rigl/table-2/analytic/", f"{RIGL}, table 2", *made)


def _louizos() -> tuple[Row, ...]:
    source = "the L0 authors' code, count_expected_flops_and_l0, evaluated by its formula"
    cost = lambda network, place: expected(network)[place]
    return rows("louizos/analytic/", source, *(
        (f"{network.lower()}/{what.lower().replace(' ', '-')}",
         f"{network} with gates, expected {what} before training",
         printed, unit, 0.1, computed(cost, network, place))
        for network, (_, _, _, n_flops, n_params) in LOUIZOS.items()
        for place, (what, printed, unit) in enumerate((("FLOPs", n_flops, "FLOPs"), ("L0 norm", n_params, "")))
    ), note="the last digit")  # fmt: skip


STUDIES = tuple(
    Study(name, paper, about, 0, 1, lambda seeds: [], table, lambda finished, directory, data_dir: [])
    for name, paper, about, table in (
        ("han-analytic", "Han et al. 2015", "Totals of its tables 2-5.", tuple(r for n in HAN for r in _han(n))),
        ("louizos-analytic", "Louizos et al. 2018", "What networks of gates cost before training.", _louizos()),
        ("rigl-analytic-table-2", RIGL, "Sizes and inference of its table 2.", _table_2()),
        ("rigl-analytic-resnet-50", RIGL, "ResNet-50: inference, training, sizes.", _resnet()),
        ("rigl-analytic-mobilenet", RIGL, "MobileNet-v1: inference and sizes.", _mobilenet()),
    )
)
