"""Gates, gradients, costs and whole runs: the frozen cases, what they catch, and PyTorch on them."""

import json

import numpy as np
import pytest

from minisparse.golden.trajectory import trajectory
from minisparse.golden.values import decode, matches
from tests.golden import build, other_numbers, other_trajectory, wrong_numbers, wrong_trajectories

FROZEN = {
    function.name: json.loads((build.FOLDER / f"{function.name}.json").read_text(encoding="utf-8"))
    for function in build.NUMBERS
}
CASES = [(name, case) for name, vector in FROZEN.items() for case in vector["cases"]]
IDS = [case["id"] for _, case in CASES]
RUNS = FROZEN["trajectory"]["cases"]
WRONG = [*wrong_numbers.WRONG, *wrong_trajectories.WRONG]
each_case = pytest.mark.parametrize(("name", "case"), CASES, ids=IDS)
each_run = pytest.mark.parametrize("case", RUNS, ids=[case["id"] for case in RUNS])


def inputs(case):
    return {name: decode(value) for name, value in case["inputs"]}


def mapped(f, tree):
    if isinstance(tree, dict):
        return {name: mapped(f, branch) for name, branch in tree.items()}
    if isinstance(tree, tuple | list):
        return tuple(mapped(f, branch) for branch in tree)
    return f(tree) if hasattr(tree, "shape") else tree


def judged(got, case, **tolerances):
    return matches(got, decode(case["expected"]), **{"rtol": case["rtol"], "atol": case["atol"]} | tolerances)


# what is frozen


@pytest.mark.parametrize("function", build.NUMBERS, ids=lambda f: f.name)
def test_the_frozen_file_is_what_the_cases_build(function):
    text = (build.FOLDER / f"{function.name}.json").read_text(encoding="utf-8")
    frozen, built = json.loads(text), build.content(function)
    assert text == build.text(frozen), "the layout is that of build.text"
    assert {**frozen, "cases": 0} == {**built, "cases": 0}
    assert [case["id"] for case in frozen["cases"]] == [case["id"] for case in built["cases"]]
    for old, new in zip(frozen["cases"], json.loads(json.dumps(built["cases"])), strict=True):
        for field in old.keys() | new.keys():
            if field in ("inputs", "stages", "profiles", "expected"):
                values = [decode({"pairs": x} if isinstance(x, list) else x) for x in (new[field], old[field])]
                assert matches(*values) is None, f"{old['id']}: {field} {matches(*values)}"
            else:
                assert old[field] == new[field]


def test_every_function_has_three_cases_by_hand_or_from_elsewhere_and_each_case_says_what_it_pins():
    for name, vector in FROZEN.items():
        assert len([case for case in vector["cases"] if case["source"] != "twin"]) >= 3, name
        for what in ("reason", "inputs"):
            assert len({json.dumps(case[what]) for case in vector["cases"]}) == len(vector["cases"])
        assert all(case["pin"] for case in vector["cases"])


def test_runs_have_twelve_steps_and_every_recipe_has_one():
    assert {inputs(case)["case"]["method"]["name"] for case in RUNS} == set(
        "static rigl set snfs gradual l0 three_step lottery".split()
    )
    for case in RUNS:
        steps = decode(case["expected"])
        assert len(steps) == len(inputs(case)["case"]["grads"]) >= 12


@each_run
def test_in_a_run_what_is_absent_is_zero_and_masks_move_on_few_steps(case):
    before, moved = inputs(case)["case"]["masks"], 0
    for step in decode(case["expected"]):
        for name, mask in step["masks"].items():
            trees = [step["params"], *(slot for slot in step["slots"].values() if isinstance(slot, dict))]
            assert all(not tree[name][~mask].any() for tree in trees)
        moved += any((mask != before[name]).any() for name, mask in step["masks"].items())
        before = step["masks"]
    method = inputs(case)["case"]["method"]
    still = method["name"] in ("static", "l0") or method.get("rounds") == 0
    every_batch = 1 in (method.get("epoch"), method.get("period"))
    assert moved == 0 if still else 1 <= moved <= (len(inputs(case)["case"]["grads"]) if every_batch else 4)


# who gives the answers


@each_case
def test_another_implementation_gives_the_expected_answer(name, case):
    own = getattr(other_numbers, name, None) or other_trajectory.trajectory
    with np.errstate(all="ignore"):
        assert judged(own(**inputs(case)), case) is None


@each_run
def test_a_run_in_single_precision_moves_the_same_connections(case):
    single = mapped(lambda a: a.astype(np.float32) if a.dtype.kind == "f" else a, inputs(case))
    assert judged(trajectory(**single), case, rtol=1e-4, atol=1e-5) is None


@pytest.mark.parametrize("wrong", WRONG, ids=[f"{w.function}: {w.name}" for w in WRONG])
def test_a_wrong_implementation_fails_the_case_that_names_its_fault(wrong):
    (case,) = [case for _, case in CASES if case["id"] == wrong.case]
    with np.errstate(all="ignore"):
        assert judged(wrong.call(**inputs(case)), case) is not None


# PyTorch


@pytest.mark.long
@pytest.mark.parametrize("case", RUNS[:4], ids=[case["id"] for case in RUNS[:4]])
def test_pytorch_takes_the_same_optimizer_steps(case):
    torch = pytest.importorskip("torch")
    run = inputs(case)["case"]
    numbers = {key: x for key, x in run["optimizer"].items() if key != "name"}
    lr, decay = numbers.pop("lr"), numbers.pop("weight_decay")
    rates = lr if np.ndim(lr) else [lr] * len(run["grads"])
    masks = {name: torch.tensor(mask) for name, mask in run["masks"].items()}
    params = {name: torch.tensor(w * run["masks"].get(name, 1)) for name, w in run["params"].items()}
    groups = [{"params": [w], "weight_decay": decay if name.endswith(".weight") else 0.0} for name, w in params.items()]
    make = torch.optim.SGD if run["optimizer"]["name"] == "sgd" else torch.optim.Adam
    optimizer = make(groups, lr=1.0, **numbers)
    own = {"velocity": "momentum_buffer", "m": "exp_avg", "v": "exp_avg_sq"}
    for rate, grads, want in zip(rates, run["grads"], decode(case["expected"]), strict=True):
        for group in optimizer.param_groups:
            group["lr"] = float(rate)
        for name, w in params.items():
            w.grad = torch.tensor(grads[name])
        optimizer.step()
        for name, mask in masks.items():
            for tensor in (params[name], *(s for s in optimizer.state[params[name]].values() if s.ndim)):
                tensor.mul_(mask)
        assert matches({name: w.numpy() for name, w in params.items()}, want["params"]) is None
        for slot, arrays in want["slots"].items():
            if slot != "updates":
                got = {name: optimizer.state[w][own[slot]].numpy() for name, w in params.items()}
                assert matches(got, arrays) is None


@pytest.mark.parametrize(
    "case", FROZEN["conv2d_vjp"]["cases"], ids=[case["id"] for case in FROZEN["conv2d_vjp"]["cases"]]
)
def test_pytorch_convolves_to_the_same_and_has_the_same_gradients(case):
    torch = pytest.importorskip("torch")
    given = inputs(case)
    x = torch.tensor(given["x"].transpose(0, 3, 1, 2).copy(), requires_grad=True)
    kernel = torch.tensor(given["kernel"].transpose(3, 2, 0, 1).copy(), requires_grad=True)
    stride, padding = given["stride"], given["padding"]
    sides = []  # from the last axis on, as torch.nn.functional.pad asks
    for n, k in zip(given["x"].shape[2:0:-1], given["kernel"].shape[1::-1], strict=True):
        total = max((-(-n // stride) - 1) * stride + k - n, 0)
        both = (total // 2, total - total // 2) if padding == "same" else (0 if padding == "valid" else padding,) * 2
        sides.extend(both)
    y = torch.nn.functional.conv2d(torch.nn.functional.pad(x, sides), kernel, stride=stride)
    (y * torch.tensor(given["grad"].transpose(0, 3, 1, 2).copy())).sum().backward()
    images = [t.detach().numpy().transpose(0, 2, 3, 1) for t in (y, x.grad)]
    assert judged((*images, kernel.grad.numpy().transpose(2, 3, 1, 0)), case) is None


@pytest.mark.parametrize(
    "case",
    FROZEN["softmax_cross_entropy_vjp"]["cases"],
    ids=[case["id"] for case in FROZEN["softmax_cross_entropy_vjp"]["cases"]],
)
def test_pytorch_has_the_same_cross_entropy(case):
    torch = pytest.importorskip("torch")
    logits = torch.tensor(inputs(case)["logits"], requires_grad=True)
    loss = torch.nn.functional.cross_entropy(logits, torch.tensor(inputs(case)["labels"]))
    loss.backward()
    assert judged((loss.item(), logits.grad.numpy()), case) is None
