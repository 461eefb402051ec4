"""What `minisparse cost` says of every method, beside loops over the batches of a run and the arrays of real runs."""

import json

import pytest
from memory import held, irregular

from minisparse.cli import costs
from minisparse.runs import costing
from minisparse.runs.methods import METHODS
from minisparse.runs.names import network
from minisparse.runs.plan import Plan
from minisparse.runs.prepare import prepare
from minisparse.runs.run import _from, _origin
from minisparse.sparse import training_memory

SIZES = {"fc1": 784 * 300, "fc2": 300 * 100, "fc3": 100 * 10}  # multiply-adds of LeNet-300-100 are its weights
OUT = {"fc1": 300, "fc2": 100, "fc3": 10}
DENSE = sum(SIZES.values())
PERIOD, STEPS = 50, 2000
T_END = 1500


def account(capsys, **options):
    costs.cost(**options, as_json=True)
    return json.loads(capsys.readouterr().out)


@pytest.fixture
def seen(capsys):
    return account(capsys, model="lenet-300-100", sparsity=0.9, period=PERIOD, steps=STEPS)


def mean(cost_of_batch, n=STEPS):
    return sum(map(cost_of_batch, range(n))) / n


def cube(step, begin):
    """How much of gradual pruning is done: 1 − (1 − progress)³."""
    return 1 - (1 - min(max((step - begin) / (T_END - begin), 0), 1)) ** 3


def exchanging(kept):
    """A cycle of ΔT batches and one with the gradient of every weight."""
    return mean(lambda i: 2 * kept + DENSE if i == PERIOD else 3 * kept, PERIOD + 1)


def granet(kept):
    """From a sparsity of 0.5 by ERK: fc3 is full, the others have raw densities (a + b) / (a b)."""
    raw = {"fc1": 784 + 300, "fc2": 300 + 100}
    half = SIZES["fc3"] + sum(raw.values()) * (DENSE / 2 - SIZES["fc3"]) / sum(raw.values())
    left, total = half, 0
    for step in range(STEPS):
        update = step == T_END or (0 < step < T_END and step % PERIOD == 0)
        total += 2 * left + (DENSE if update else left)
        if update:
            left = half - (half - kept) * cube(step, 0)
    return total / STEPS


def compressed(step):
    """AC/DC: 200 batches dense, then 100 and 100 in turn while a pair fits in before 1,500, then compressed."""
    if step < 200 or step >= T_END:
        return step >= T_END
    pair, within = divmod(step - 200, 200)
    return within < 100 and 200 + 200 * (pair + 1) <= T_END


def by_hand(kept):
    """{method: multiply-adds of an example in training}; kept {layer: connections}."""
    s = sum(kept.values())
    fan_in = sum(max(1, round(n / OUT[name])) * OUT[name] for name, n in kept.items())
    twice = sum(min(2 * n, SIZES[name]) for name, n in kept.items())
    rounds = [sum(SIZES[name] * (n / SIZES[name]) ** (k / 3) for name, n in kept.items()) for k in range(4)]
    return {
        "dense": 3 * DENSE,
        **dict.fromkeys("static snip grasp synflow deep-r set dsr rigl-random".split(), 3 * s),
        "snfs": 2 * s + DENSE,
        "rigl": exchanging(s),
        "srigl": exchanging(fan_in),
        "granet": granet(s),
        "gradual": mean(lambda step: 3 * (DENSE - (DENSE - s) * cube(step, T_END // 4)), STEPS + 1),
        "ac-dc": mean(lambda step: 3 * s if compressed(step) else 3 * DENSE),
        "lottery": 3 * sum(rounds),
        "top-kast": 2 * s + twice,
        **dict.fromkeys(("ste", "ste-random"), 2 * s + DENSE),
        "l0": 3 * DENSE,
    }


def test_every_method_of_the_table_has_a_cost(seen):
    assert list(seen["training"]) == list(seen["memory"]) == list(METHODS)
    assert seen["refused"] == {}


@pytest.mark.parametrize("method", [name for name in METHODS if name != "small-dense"])
def test_the_cost_of_training_is_that_of_its_batches_added_up(seen, method):
    kept = {layer["name"]: layer["kept"] for layer in seen["layers"]}
    assert sum(kept.values()) == round(DENSE / 10)
    assert seen["training"][method] == pytest.approx(by_hand(kept)[method], rel=1e-5)


def test_the_narrower_network_is_the_widest_with_no_more_parameters(seen):
    kept = seen["parameters"]["kept"]
    of = lambda a, b: 784 * a + a * b + b * 10
    fits = [(a, int(a / 3)) for a in range(1, 300) if of(a, int(a / 3)) + a + int(a / 3) + 10 <= kept]
    near = [3 * of(a + da, b + db) for a, b in fits[-1:] for da in (0, -1) for db in (0, 1)]
    assert seen["training"]["small-dense"] in near


@pytest.mark.parametrize("convention", ["rigl", "rigl-reproducibility"])
def test_formulas_of_their_own_count_by_the_convention_too(capsys, convention):
    seen = account(capsys, model="lenet-5", sparsity=0.9, convention=convention, distribution="uniform-all")
    dense, sparse = seen["forward"]["dense"], seen["forward"]["sparse"]
    assert seen["training"]["ste"] == 2 * sparse + dense
    assert 3 * sparse < seen["training"]["top-kast"] < seen["training"]["granet"] < 3 * dense
    assert 3 * sparse < seen["training"]["gradual"] < 3 * dense


def test_without_a_budget_every_method_costs_as_much_as_dense_training(capsys):
    seen = account(capsys, model="lenet-300-100", sparsity=0, dense=["linear"])
    trainings = {name: cost for name, cost in seen["training"].items() if name not in ("lottery", "small-dense")}
    assert trainings == dict.fromkeys(trainings, pytest.approx(3 * DENSE))


def test_what_no_network_of_the_family_can_be_is_said_in_words(capsys):
    seen = account(capsys, model="alexnet", method="small-dense")
    assert (seen["training"], seen["memory"]) == ({}, {})
    assert "expected a positive number" in seen["refused"]["small-dense"]
    costs.cost(model="alexnet", method="small-dense")
    assert "small-dense: none. --width is" in capsys.readouterr().out


def test_an_unknown_method_is_refused_with_the_nearest():
    with pytest.raises(ValueError, match=r"--method is 'top_kast'; expected dense, .*Did you mean 'top-kast'"):
        costs.cost(model="lenet-300-100", method="top_kast")


@pytest.mark.long
@pytest.mark.parametrize("method", METHODS)
def test_refused_storage_is_said_in_words_without_a_number(seen, method):
    of = seen["memory"][method]
    if refusal := METHODS[method].refusal:
        assert of.get("sparse", {"refused": refusal})["refused"] == refusal
        assert method == "snfs" or "weights" not in of.get("sparse", {})
    else:
        assert "weights" in of["sparse"]
        assert "refused" not in of["sparse"]


@pytest.mark.parametrize("storage", ["masked", "sparse"])
@pytest.mark.parametrize("method", METHODS)
def test_the_memory_of_a_run_is_that_of_its_arrays_where_it_has_most_of_them(method, storage):
    entry = METHODS[method]
    if storage == "sparse" and entry.refusal:
        pytest.skip(entry.refusal)
    plan = Plan(method=method, model="mlp-40-20", epochs=4, storage=storage, delta_t=15)
    task = prepare(plan)
    build = lambda width: network(plan.model, lambda papers: task.shape, 10, width)[0]
    ours = costing.memory(costing.on_paper(plan, build, task.shape, task.densities, task.steps), plan.batch)[storage]
    origin = _origin(task)
    steps = _from(task, origin, {})
    (last, line) = [next(steps) for _ in range(3)][-1]
    assert not line["rewired"] or method == "deep-r"
    assert ours["weights"] == held(last.params, but=last.masks)
    assert ours["slots"] == held(last.slots, but=last.masks)
    in_masks = held(last.masks) - sum(map(irregular, last.masks.values()))
    if method == "deep-r":  # its masks are new, and their positions not looked up yet
        assert in_masks <= ours["masks"]
    elif entry.group == "before":  # the ranking, not the budget, says how many connections a layer has
        shapes, counts = task.model.shapes(), last.masks.counts
        assert in_masks == training_memory(shapes, counts, "static", storage)["masks"]
    else:
        assert in_masks == ours["masks"]
    if entry.gradient == "updates":
        assert 0 < held(last.memory, but=last.masks) <= ours["gradients"]
    elif method == "lottery":
        assert ours["memory"] == held((origin.params, origin.slots, origin.masks)) - sum(
            map(irregular, origin.masks.values())
        )
    else:
        assert ours["memory"] == held(last.memory)
    steps.close()
