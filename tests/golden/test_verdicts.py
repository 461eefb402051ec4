"""The verdict accuses nobody who is right, catches all that is wrong, and says nothing that is untrue of it."""

import re
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from effort import examples, some

from minisparse.golden import cases, check
from minisparse.golden.plain import difference, read
from minisparse.golden.values import encode
from tests.golden import (
    other_trajectory,
    right_ones,
    two_faults,
    wrong_further,
    wrong_masks,
    wrong_numbers,
    wrong_trajectories,
)

FUNCTIONS = cases.load()
LOOPS = some(wrong_trajectories.WRONG, every=6, in_ci=2)  # test_mutations.py has all, always
WRONG = [
    *((own.function, own.breaks, own) for own in (*wrong_masks.WRONG, *wrong_further.WRONG)),
    *((own.function, own.name, own.call) for own in (*wrong_numbers.WRONG, *LOOPS)),
]
# Wrong by our rule for ties alone, and legal by the papers.
ONLY_TIES = {
    "rigl_update": {"drops the higher index of equals", "grows the higher index of equals", "index in Fortran order",
                    "a sort that is stable only when small"},
    "counts": {"ties to the later key"},
    "top_k": {"kernels ranked filter by filter", "ties to the higher index", "Fortran order",
              "zeros told apart by sign", "a sort that is stable only when small"},
    "magnitude_mask": {"ties to the higher index", "Fortran order"},
    "global_magnitude_masks": {"ties to the later layer"},
    "set_update": {"ties to the higher index"},
    "set_update_by_magnitude": {"drops the higher index of equals"},
    "snfs_update": {"ties to the higher index", "odd units to the last layer"},
    "update": {"the higher index goes"},
}  # fmt: skip


def judged(call, function, **how):
    with np.errstate(all="ignore"):
        return check.Verdict([check.run(case, call, **how) for case in FUNCTIONS[function]], pinned=bool(how))


@cache
def verdicts(function):
    return {name: judged(call, own) for own, name, call in WRONG if own == function}


# who is right


@cache
def of_right(number):
    function, _, call = right_ones.RIGHT[number]
    return judged(call, function)


@pytest.mark.parametrize(
    "number", some(range(len(right_ones.RIGHT)), 8), ids=some((f"{f}: {name}" for f, name, _ in right_ones.RIGHT), 8)
)
def test_no_right_implementation_is_accused(number):
    result = of_right(number)
    n = len(result.counted)
    assert result.passes
    assert re.fullmatch(rf"{n} of {n}(; in \d+ cases? yours breaks ties otherwise: legal)?", result.sentence()), (
        result.sentence()
    )


def test_they_are_many_and_their_ties_differ():
    assert len(right_ones.RIGHT) >= 60
    assert {name for name, _, _ in right_ones.RIGHT} >= set(FUNCTIONS) - {"trajectory"} - NEW
    lists = [[outcome.legal for outcome in of_right(number).outcomes]
             for number, (f, *_) in enumerate(right_ones.RIGHT) if f == "rigl_update"]  # fmt: skip
    assert len({tuple(own) for own in lists}) >= 5


NEW = set(FUNCTIONS) - {name for name, _, _ in right_ones.RIGHT}  # those without a choice to make

# In halves these have no ties, or all momentum is zero, of which `other_trajectory` takes no shares.
NOTHING_TIES = """snfs-near-dense-layer rigl-towards-a-target snfs-every-batch-towards-a-target snfs-without-memory
    snfs-three-tenths-sparse snfs-one-layer snfs-p-below-the-sparsity lottery-globally lottery-without-rounds""".split()
MOVING = [
    case
    for case in FUNCTIONS["trajectory"]
    if case.arguments()["case"]["method"]["name"] not in ("static", "l0", "three_step")
    and case.id.partition("/")[2] not in NOTHING_TIES
]


def full_of_ties(case):
    """The run with gradients, noise and weights in halves, so that ranks tie everywhere; None if it is too large."""
    run = case.arguments()["case"]
    coarse = lambda tree: {name: np.round(a * 2) / 2 for name, a in tree.items()}
    run["grads"] = tuple(coarse(grads) for grads in run["grads"])
    run["noise"] = run["noise"] and tuple(coarse(noise) for noise in run["noise"])
    run["params"] = coarse(run["params"])
    if isinstance(run["optimizer"]["lr"], float) and run["optimizer"]["name"] == "sgd":
        run["optimizer"] |= {"lr": 0.25, "momentum": 0.5, "weight_decay": 0.0}
    expected = encode(other_trajectory.trajectory(run))
    return replace(case, inputs={"case": encode(run)}, expected=expected, profiles={})


@pytest.mark.parametrize("case", some(MOVING, every=3), ids=lambda case: case.id)
def test_a_run_may_break_every_tie_in_any_way(case):
    case = full_of_ties(case)
    legal = []
    for top in right_ones.CHOOSERS:
        outcome = check.run(case, right_ones.a_run(top))
        assert outcome.wrong is None, f"{top.__name__}: {outcome.wrong}"
        legal.append(outcome.legal)
    assert any(legal), "there was nothing to choose among"
    assert check.run(case, other_trajectory.trajectory).legal is False


@pytest.mark.parametrize("name", ["T_end inclusive", "momentum of grown kept", "SET by |w|", "k rounded up"])
def test_faults_are_found_among_ties_too(name):
    (wrong,) = [own for own in wrong_trajectories.WRONG if own.name == name]
    (case,) = [own for own in MOVING if own.id == wrong.case]
    assert check.run(full_of_ties(case), wrong.call).wrong


def test_in_single_precision_what_ties_there_is_a_tie():
    (case,) = [case for case in FUNCTIONS["top_k"] if case.id == "top_k/one-bit-apart"]
    wrong = 0
    for top in (right_ones.by_stable_argsort, right_ones.higher_index_first):
        narrow = lambda score, k, among=None, top=top: top(score.astype("float32"), k, among)
        wrong += bool(check.run(case, narrow).wrong)
        assert check.run(case.in_float32(), narrow, check.Door(float32=True)).wrong is None
    assert wrong == 1, "in double precision there is one answer"


# who is wrong


@pytest.mark.parametrize("function", some(sorted({own for own, _, _ in WRONG}), every=3))
def test_every_wrong_implementation_is_caught_and_only_ties_are_let_through(function):
    ties = ONLY_TIES.get(function, set())
    for name, result in verdicts(function).items():
        if name in ties:
            assert result.passes, name
            call = next(call for own, as_named, call in WRONG if (own, as_named) == (function, name))
            assert not judged(call, function, pinned=True).passes, name
        else:
            assert result.failed, name


@pytest.mark.parametrize("function", some(sorted({own for own, _, _ in WRONG}), every=3))
def test_whoever_is_named_agrees_in_every_case_that_decides(function):
    for name, result in verdicts(function).items():
        said = result.sentence()
        for profile in cases.PROFILES[1:]:
            if not re.search(
                rf"\bas {profile} does|, and [\w, -]*\b{profile}\b[\w, -]* too", said.partition("optional")[0]
            ):
                continue
            for outcome in result.asked:
                answers = [read(answer) for answer in outcome.case.answers(profile)]
                same = any(difference(outcome.got, own, 1e-6, 1e-9) is None for own in answers)
                right = not outcome.wrong and any(
                    check.verdict.judged(outcome.case, own).wrong is None for own in answers)  # fmt: skip
                assert not answers or same or right, f"{function}: {name} is no {profile} in {outcome.case.id}"


@pytest.mark.parametrize(
    "function", ["rigl_update", "set_update", "set_update_by_magnitude", "magnitude_mask", "top_k"]
)
def test_what_is_counted_was_so(function):
    for name, result in verdicts(function).items():
        for outcome in result.failed:
            given, got = outcome.case.arguments(), np.array(outcome.got.data if outcome.got else 0, bool).ravel()
            for n, asked in re.findall(r"dropped (\d+), (\d+) were asked", outcome.wrong):
                mask = given["mask"].ravel()
                k = given.get("n_update", given.get("n_negative", 0) + given.get("n_positive", 0))
                assert (int(n), int(asked)) == ((mask & ~got).sum(), k), name
            for n, asked in re.findall(r"chooses (\d+), (\d+) were asked", outcome.wrong):
                assert (int(n), int(asked)) == (got.sum(), given.get("k", given.get("n_keep"))), name


@pytest.mark.parametrize("function", some(sorted({own for own, _, _ in WRONG}), every=3))
def test_all_failures_are_explained_or_told(function):
    """The figures of the sentence add up: those explained and those left over are all that failed."""
    for name, result in verdicts(function).items():
        failed = len([outcome for outcome in result.asked if outcome.wrong])
        said = result.sentence()
        explained = [int(n) for n in re.findall(rf"explains (\d+) of {failed} failures", said)]
        explained += [failed] * len(re.findall(r"explains (?:all \d+ failures|both failures|the only failure)", said))
        left = [int(n or 1) for n in re.findall(r"the other(?: (\d+))?: ", said)]
        if failed and explained:
            assert sum(explained) + sum(left) == failed, f"{name}: {said}"
        elif failed:
            assert "no known implementation errs like this; " in said or re.search("the same in|case ", said), name


# two faults


@pytest.mark.parametrize(
    ("function", "call"), [own[1:] for own in two_faults.PAIRS], ids=[f"{own[1]}: {own[0]}" for own in two_faults.PAIRS]
)
def test_of_two_faults_both_are_told_or_how_much_is_left(function, call):
    result = judged(call, function)
    said = result.sentence()
    facts = re.findall(r"\(cases? ", said)
    assert not result.passes
    assert len(facts) >= 2 or "the other" in said, said


@pytest.mark.long
def test_of_two_faults_of_a_loop_both_are_told():
    n, hidden, tried = 0, 0, examples(24)
    for a, b, call in two_faults.of_runs(tried):
        kinds = [
            {kind for outcome in judged(own, "trajectory").failed for kind, _ in outcome.faults}
            for own in (a.call, b.call, call)
        ]
        assert len(kinds[2]) > 1, f"{a.name}, {b.name}"
        hidden += not (kinds[2] & kinds[0] and kinds[2] & kinds[1])
        n += 1
    assert hidden <= 1, "updates at other steps hide what an update does"
    assert n + len(two_faults.PAIRS) >= 16 + tried
