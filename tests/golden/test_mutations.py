"""What the cases catch, by computation: no case is idle, and no line of the list of mutations is left out."""

import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from minisparse import golden
from tests.golden import test_numbers, test_unit_cases, wrong_numbers, wrong_trajectories

pytestmark = pytest.mark.long
CASES = [case for _, case in (*test_unit_cases.CASES, *test_numbers.CASES)]
FAULTS = [
    *((f"{own.function}: {own.breaks}", own.function, own) for own in test_unit_cases.WRONG),
    *((f"{own.function}: {own.name}", own.function, own.call) for own in wrong_numbers.WRONG),
    *((f"{own.function}: {own.name}", own.function, own.call) for own in wrong_trajectories.WRONG),
]
# semantics.md 4.4, line by line: who has the fault. The last three are no faults of a function: masks and the choice of
# layers are drawn and made elsewhere, and L2 reaches SNIP as a gradient.
MUTATIONS = {
    "floor->ceil": ["rigl_count: floor -> ceil", "set_counts: ceil", "trajectory: k rounded up"],
    "floor->round": ["rigl_count: floor -> round", "set_counts: round", "trajectory: k rounded"],
    "keep pool all entries": ["rigl_update: keep pool all entries", "set_update_by_magnitude: keep pool all entries"],
    "grow pool excludes just-dropped": ["rigl_update: grow pool excludes just-dropped",
                                        "set_update: grow pool excludes just-dropped",
                                        "snfs_update: grow pool excludes just-dropped"],
    "grown value stale": ["rigl_update: absent values are ranked", "trajectory: weights of dropped kept"],
    "momentum of grown kept": ["trajectory: momentum of grown kept"],
    "momentum of dropped kept": ["trajectory: momentum of dropped kept"],
    "update also does SGD": ["trajectory: update also does SGD"],
    "counter frozen": ["trajectory: counter frozen", "trajectory: updates ΔT optimizer steps apart"],
    "T_end inclusive": ["trajectory: T_end inclusive"],
    "first update at 0": ["trajectory: first update at 0"],
    "unshifted anneal": ["cosine: unshifted anneal"],
    "unclamped cosine/linear": ["cosine: unclamped cosine", "rigl_count: unclamped cosine", "cubic: unclamped"],
    "eta_min .005": ["cosine: eta_min .005", "trajectory: eta_min .005"],
    "ERK without cap": ["erdos_renyi_kernel: without cap"],
    "ER with shape[:2]": ["erdos_renyi: shape[:2]"],
    "Bernoulli masks": ["set_update: Bernoulli growth"],
    "SET by |w|": ["set_update: SET by |w|"],
    "SET +1 per sign": ["set_counts: SET +1 per sign", "trajectory: SET +1 per sign"],
    "SNFS ceil shares": ["apportion: SNFS ceil shares", "snfs_update: SNFS ceil shares",
                         "trajectory: SNFS ceil shares"],
    "cap without re-spread": ["apportion: cap without re-spread", "snfs_update: cap without re-spread"],
    "growth over active": ["rigl_update: growth over active", "snfs_update: growth over active"],
    "SNIP |g|": ["snip_masks: SNIP |g|", "sensitivity: |g|"],
    "SNIP per layer": ["snip_masks: SNIP per layer"],
    "SNIP per-tensor norm": ["snip_masks: SNIP per-tensor norm"],
    "temperature in test gate": ["gate_at_test: temperature in test gate"],
    "missing temperature in P": ["prob_open: missing temperature in P"],
    "bias sign": ["trajectory: bias sign"],
    "wd/N twice": ["trajectory: wd/N twice"],
    "threshold `<=`": ["threshold_mask: threshold <="],
    "`>=` ties": ["magnitude_mask: >= keeps all ties", "top_k: threshold keeps all ties"],
    "polynomial at step+1": ["cubic: polynomial at step+1", "trajectory: polynomial at step + 1"],
    "lottery index p*n": ["magnitude_mask: index p*n and <=", "trajectory: lottery index p*n"],
    "sigma'(a)": ["softmax_cross_entropy_vjp: σ′ of the output, as for MSE"],
    "mask not re-applied": ["trajectory: mask not re-applied"],
    "Adam slots unmasked": ["trajectory: Adam slots unmasked"],
    "SNIP with L2": ["snip_masks: SNIP with L2"],
    "LayerNorm pruned": [],
}  # fmt: skip

# Faults of a loop that a single function shows too: the others are caught by whole runs alone.
ALSO_OF_A_FUNCTION = {
    "polynomial at step + 1": "cubic: polynomial at step+1",
    "initial sparsity left out": "cubic: initial sparsity ignored",
    "pruned weights come back": "magnitude_mask: threshold on raw weights",
    "grow pool excludes just-dropped": "rigl_update: grow pool excludes just-dropped",
    "growth by the signed gradient": "rigl_update: signed grow",
    "SET by |w|": "set_update: SET by |w|",
    "SET by sign where magnitude is asked": "set_update_by_magnitude: by sign",
    "SET +1 per sign": "set_counts: SET +1 per sign",
    "constant drop fraction": "cosine: constant",
    "half the drop fraction": "rigl_count: alpha forgotten half",
    "k rounded up": "rigl_count: floor -> ceil",
    "k rounded": "rigl_count: floor -> round",
    "shares of the sum, not of the mean": "shares: sum for mean",
    "shares over all entries": "shares: over all positions",
    "SNFS ceil shares": "snfs_update: SNFS ceil shares",
    "redistribution where none is asked": "snfs_update: no redistribution",
    "eta_min .005": "cosine: eta_min .005",
    "dead units left": "remove_dead_units: units without inputs left",
    "deviation by n - 1": "threshold_mask: deviation by n - 1",
    "deviation of all weights": "threshold_mask: deviation of all weights, zeros too",
    "lottery index p*n": "magnitude_mask: index p*n and <=",
}


@cache
def kills():
    """{fault: the ids of the cases that it fails}, and what a crash fails."""
    caught = {}
    with np.errstate(all="ignore"):
        for name, function, call in FAULTS:
            own = [case for case in CASES if case["id"].partition("/")[0] == function]
            caught[name] = [case["id"] for case in own if fails(call, case)]
    return caught


def fails(call, case):
    try:
        return test_unit_cases.wrong(call, case) is not None
    except Exception:
        return True


def test_every_fault_has_a_name_of_its_own_and_is_caught():
    assert len(kills()) == len(FAULTS)
    assert [name for name, caught in kills().items() if not caught] == []


def test_the_page_has_the_figures():
    loops = [own.name for own in wrong_trajectories.WRONG]
    assert set(ALSO_OF_A_FUNCTION) <= set(loops)
    assert set(ALSO_OF_A_FUNCTION.values()) <= set(kills())
    units, alone = len(FAULTS) - len(loops), len(loops) - len(ALSO_OF_A_FUNCTION)
    n_runs = len(test_numbers.RUNS)
    page = (Path(golden.__file__).parent / "README.md").read_text(encoding="utf-8")
    assert (
        f"{len(CASES) - n_runs} small cases and {n_runs} whole runs catch {len(FAULTS)} wrong implementations: "
        f"{units} of a function and {len(loops)} of a training loop, of which {alone} have a fault "
        "that no single function shows."
    ) in " ".join(page.split())


def test_every_case_that_counts_is_failed_by_some_wrong_implementation():
    caught = {id for ids in kills().values() for id in ids}
    assert [case["id"] for case in CASES if not case["optional"] and case["id"] not in caught] == []


def test_a_case_that_catches_nothing_alone_shows_a_pin_that_another_with_the_same_catch_does_not():
    alone = {ids[0] for ids in kills().values() if len(ids) == 1}
    seen = {}
    for case in CASES:
        if case["id"] in alone:
            continue
        catch = tuple(name for name, ids in kills().items() if case["id"] in ids)
        twin = seen.setdefault((case["id"].partition("/")[0], catch, case["pin"]), case["id"])
        assert twin == case["id"] or not catch, f"{case['id']} is a near-copy of {twin}"


@pytest.mark.parametrize("line", MUTATIONS)
def test_every_line_of_the_list_of_mutations_has_a_wrong_implementation(line):
    if not MUTATIONS[line]:
        pytest.skip("which layers are pruned is decided where no function is asked")
    for name in MUTATIONS[line]:
        assert kills()[name], name


def test_reasons_are_one_sentence_each():
    for case in CASES:
        assert not case["reason"].endswith("."), case["id"]
        assert ". " not in case["reason"].replace("...", ""), json.dumps(case["reason"])
