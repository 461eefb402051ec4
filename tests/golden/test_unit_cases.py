"""The unit cases as they are frozen, the functions of this package on them, and what they catch."""

import json
import warnings
from collections import Counter

import pytest

from minisparse.allocate import (
    apportion,
    counts,
    density_of,
    erdos_renyi,
    erdos_renyi_kernel,
    from_epsilon,
    uniform,
)
from minisparse.compress import huffman_lengths, relative_index
from minisparse.golden import adapt, cases
from minisparse.golden.calls import cosine_rate, multi_step_rate, snip, step_rate, update
from minisparse.golden.plain import difference, plain, read
from minisparse.golden.values import as_numpy
from minisparse.masks import top_k
from minisparse.methods.grasp import effect_on_gradient_flow, grasp_masks
from minisparse.methods.magnitude import (
    global_magnitude_masks,
    magnitude_mask,
    remove_dead_units,
    retrain_dropout,
    threshold_mask,
)
from minisparse.methods.rigl import rigl_count, rigl_update
from minisparse.methods.set import set_counts, set_update, set_update_by_magnitude
from minisparse.methods.share import (
    density_centroids,
    kmeans_step,
    linear_centroids,
    random_centroids,
    shared_gradient,
)
from minisparse.methods.snfs import shares, snfs_update
from minisparse.methods.snip import sensitivity, snip_masks
from minisparse.methods.structure import block_mask, n_of_m_mask, unit_mask
from minisparse.methods.synflow import flow, n_kept
from minisparse.schedule import cosine, cubic, inverse_power, linear
from tests.golden import (
    ancestors,
    build,
    family,
    other_family,
    other_masks,
    other_sharing,
    wrong_family,
    wrong_further,
    wrong_masks,
    wrong_sharing,
    wrong_structured,
)

OURS = (
    top_k, apportion, counts, uniform, erdos_renyi, erdos_renyi_kernel, cosine, cubic, magnitude_mask, threshold_mask,
    retrain_dropout, remove_dead_units, sensitivity, snip_masks, set_counts, set_update, set_update_by_magnitude,
    shares, snfs_update, rigl_count, rigl_update, update,
    from_epsilon, density_of, linear, inverse_power, step_rate, multi_step_rate, cosine_rate, global_magnitude_masks,
    snip, n_of_m_mask, block_mask, unit_mask, effect_on_gradient_flow, grasp_masks, flow, n_kept,
    *(adapt.reference(f.name) for f in (*family.FUNCTIONS, *ancestors.FUNCTIONS)),
    linear_centroids, density_centroids, random_centroids, kmeans_step, shared_gradient,
    relative_index, huffman_lengths,
)  # fmt: skip
WRONG = [
    *wrong_masks.WRONG, *wrong_further.WRONG, *wrong_structured.WRONG, *wrong_family.WRONG, *wrong_sharing.WRONG,
]  # fmt: skip
TOLD = wrong_masks.TOLD | wrong_structured.TOLD | wrong_family.TOLD
PROFILES = (
    "rigl-tf1", "rigl-torch", "jaxpruner", "rigl-reproducibility", "sparse-learning", "set-official", "snip-official",
    "l0-official", "torch-prune", "tfmot", "sparsimony", "sparselab", "granet", "itop",
)  # fmt: skip
FROZEN = {f.name: json.loads((build.FOLDER / f"{f.name}.json").read_text(encoding="utf-8")) for f in build.FUNCTIONS}
EVERY = [(name, case) for name, vector in FROZEN.items() for case in vector["cases"]]
CASES = [(name, case) for name, case in EVERY if "superseded_by" not in case]


READ = {}  # what has been read of cases, which thousands of functions are asked: {id: (case, inputs, answer)}


def wrong(function, case, wanted=None):
    """What is wrong with what `function` makes of `case`, or None; the reference's answer is wanted, or another."""
    if id(case) not in READ:
        READ[id(case)] = case, {name: read(value) for name, value in case["inputs"]}, read(case["expected"])
    _, given, expected = READ[id(case)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a warning is no failure
        got = function(**as_numpy(given))
    return difference(plain(got), expected if wanted is None else read(wanted), case["rtol"], case["atol"])


def failed(function, name):
    """The cases of the function of this name that `function` answers wrongly."""
    return [case["id"] for own, case in CASES if own == name and wrong(function, case) is not None]


def in_order(function):
    """`function` with its arguments by name, as cases list them: in the contract's order."""
    return lambda **inputs: function(*inputs.values())


@pytest.mark.parametrize("function", build.FUNCTIONS, ids=lambda f: f.name)
def test_the_frozen_file_is_what_the_cases_build(function):
    frozen = (build.FOLDER / f"{function.name}.json").read_text(encoding="utf-8")
    assert build.differences(json.loads(frozen), json.loads(build.text(build.content(function)))) == []
    assert frozen == build.text(json.loads(frozen)), "the layout is that of build.text"


@pytest.mark.parametrize(
    ("frozen", "built"),
    [([0, 1], [1, 0]), ([1], [1, 1]), ("kept", "keep"), (1, 1.0), (1, True), (0.25, 0.25 + 1e-6), ({"a": 1}, {"b": 1})],
)
def test_a_changed_answer_is_a_difference(frozen, built):
    assert build.differences({"expected": frozen}, {"expected": built})
    assert not build.differences({"expected": [frozen]}, {"expected": [frozen]})


@pytest.mark.parametrize("function", OURS, ids=lambda function: function.__name__)
def test_the_package_gives_the_expected_answers(function):
    assert failed(function, function.__name__) == []


def test_every_function_has_cases_and_three_of_them_by_hand_or_from_a_paper():
    assert sorted(FROZEN) == sorted(function.__name__ for function in OURS)
    for name, vector in FROZEN.items():
        assert len([case for case in vector["cases"] if case["source"] != "twin"]) >= 3, name


def test_every_case_says_what_it_pins_and_is_like_no_other():
    assert len(CASES) >= 110
    for name, case in CASES:
        assert case["id"].startswith(f"{name}/")
        assert case["pin"]
        assert len(case["reason"].split()) >= 5
        assert [parameter for parameter, _ in case["inputs"]] == FROZEN[name]["parameters"][: len(case["inputs"])]
        assert {profile for profile, _ in case["profiles"]} <= set(PROFILES)
    for what in ("id", "reason", "inputs"):
        again = [value for value, n in Counter(f"{n} {json.dumps(case[what])}" for n, case in CASES).items() if n > 1]
        assert not again


def test_a_superseded_case_names_a_case_that_is_asked_in_its_place():
    asked = {case["id"] for _, case in CASES}
    gone = {case["id"]: case["superseded_by"] for _, case in EVERY if "superseded_by" in case}
    assert set(gone) == {"set_counts/no-negatives"}
    assert set(gone.values()) <= asked
    every = [case.id for own in cases.load(superseded=True).values() for case in own]
    assert set(gone) <= set(every)
    assert not set(gone) & {case.id for own in cases.load().values() for case in own}


def test_reference_cases_are_finite():
    assert not [case["id"] for _, case in CASES if "inf" in json.dumps(case["inputs"]) and not case["optional"]]


@pytest.mark.parametrize("name", FROZEN)
def test_an_independent_implementation_passes(name):
    own = next(module for module in (other_family, other_sharing, other_masks) if hasattr(module, name))
    assert failed(getattr(own, name), name) == []


@pytest.mark.parametrize("name", dict.fromkeys(mutant.function for mutant in WRONG))
def test_a_wrong_implementation_fails_the_case_that_names_its_fault(name):
    own = {case["id"]: case for function, case in CASES if function == name}
    for mutant in [mutant for mutant in WRONG if mutant.function == name]:
        named = own[f"{name}/{mutant.case}"]
        assert not named["optional"], mutant.breaks
        assert wrong(mutant, named) is not None, mutant.breaks
        assert any(wrong(mutant, case) is None for case in own.values()), f"{mutant.breaks}: broken altogether"


@pytest.mark.parametrize(("name", "case"), [(name, case) for name, case in CASES if case["profiles"]])
def test_the_answer_of_a_profile_is_what_is_told_of_that_code(name, case):
    for profile in dict.fromkeys(profile for profile, _ in case["profiles"]):
        told = TOLD.get((name, profile))
        answers = [own for by, own in case["profiles"] if by == profile and own is not None]
        if answers and told:
            assert None in [wrong(in_order(told), case, answer) for answer in answers], profile


def test_every_answer_that_differs_is_told_of():
    by_table = {("erdos_renyi_kernel", "rigl-tf1"), ("erdos_renyi_kernel", "jaxpruner")}
    differ = {(name, profile) for name, case in CASES for profile, answer in case["profiles"]
              if answer not in (None, case["expected"])}  # fmt: skip
    assert differ <= set(TOLD) | by_table
