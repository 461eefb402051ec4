"""One step of descent, against the formulas by hand."""

import math

import numpy as np
import pytest
import slow_ops as slow
from arrays import back, give, give_all
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from minisparse.optim import adam, frozen, sgd

NUMBERS = st.floats(-3, 3, allow_subnormal=False)
RATES = st.floats(0, 1, allow_subnormal=False)
FRACTIONS = st.floats(0, 0.99, allow_subnormal=False)


def run(xp, optimizer, w, grads, name="fc.weight"):
    """(w, slots) after each gradient, for a single number in an array of its own."""
    params = {name: give(xp, np.array([w]))}
    slots, path = optimizer.init(params), []
    for step, g in enumerate(grads):
        params, slots = optimizer.update(params, {name: give(xp, np.array([g]))}, slots, step)
        path.append((params[name], slots))
    return path


@settings(max_examples=examples(100))
@given(
    w=NUMBERS,
    grads=st.lists(NUMBERS, min_size=1, max_size=5),
    lr=RATES,
    momentum=FRACTIONS,
    nesterov=st.booleans(),
    weight_decay=RATES,
)
def test_sgd_follows_its_formula(xp, w, grads, lr, momentum, nesterov, weight_decay):
    path = run(xp, sgd(lr, momentum, nesterov, weight_decay), w, grads)
    want = slow.sgd_steps(w, grads, [lr] * len(grads), momentum, nesterov, weight_decay)
    for (moved, slots), (w_want, v_want) in zip(path, want, strict=True):
        assert moved.item() == pytest.approx(w_want, rel=1e-12, abs=1e-12)
        assert slots["velocity"]["fc.weight"].item() == pytest.approx(v_want, rel=1e-12, abs=1e-12)


@settings(max_examples=examples(100))
@given(
    w=NUMBERS,
    grads=st.lists(NUMBERS, min_size=1, max_size=5),
    lr=RATES,
    betas=st.tuples(FRACTIONS, FRACTIONS),
    eps=st.floats(1e-8, 1),
    weight_decay=RATES,
)
def test_adam_follows_its_formula(xp, w, grads, lr, betas, eps, weight_decay):
    path = run(xp, adam(lr, betas, eps, weight_decay), w, grads)
    want = slow.adam_steps(w, grads, [lr] * len(grads), betas, eps, weight_decay)
    for (moved, slots), (w_want, m_want, v_want) in zip(path, want, strict=True):
        assert moved.item() == pytest.approx(w_want, rel=1e-9, abs=1e-9)
        assert slots["m"]["fc.weight"].item() == pytest.approx(m_want, rel=1e-12, abs=1e-12)
        assert slots["v"]["fc.weight"].item() == pytest.approx(v_want, rel=1e-12, abs=1e-12)


def test_momentum_by_hand_without_dampening(xp):
    path = run(xp, sgd(0.1, momentum=0.5), 1.0, [1.0, 1.0, 1.0])
    np.testing.assert_allclose([w.item() for w, _ in path], [0.9, 0.75, 0.575], rtol=1e-12)


def test_nesterov_by_hand(xp):
    path = run(xp, sgd(0.1, momentum=0.5, nesterov=True), 1.0, [1.0, 1.0])
    np.testing.assert_allclose([w.item() for w, _ in path], [0.85, 0.675], rtol=1e-12)


def test_adams_first_step_is_lr_g_over_g_plus_eps(xp):
    ((w, _),) = run(xp, adam(0.1, eps=0.5), 1.0, [2.0])
    assert w.item() == pytest.approx(1 - 0.1 * 2 / 2.5, rel=1e-12)


@pytest.mark.parametrize("make", [sgd, adam])
def test_weight_decay_acts_on_weights_only_unless_told_otherwise(xp, make):
    params = {
        name: give(xp, np.array([1.0])) for name in ("fc1.weight", "fc1.bias", "norm.scale", "weight.x", "weight")
    }
    zeros = {name: give(xp, np.array([0.0])) for name in params}

    def moved(**options):
        optimizer = make(0.1, weight_decay=0.5, **options)
        after, _ = optimizer.update(params, zeros, optimizer.init(params), 0)
        return {name for name in params if after[name].item() != 1.0}

    assert moved() == {"fc1.weight"}
    assert moved(decays=lambda name: name.endswith("bias")) == {"fc1.bias"}
    assert moved(decays=lambda name: True) == set(params)


@pytest.mark.parametrize("make", [sgd, adam])
def test_lr_may_be_a_function_of_the_step(xp, make):
    asked = []
    scheduled = make(lambda step: asked.append(step) or 0.5 / (step + 1))
    params, grads = {"a": give(xp, np.array([1.0]))}, {"a": give(xp, np.array([2.0]))}
    slots = scheduled.init(params)
    for step in (0, 7):
        plain = make(0.5 / (step + 1))
        got, want = scheduled.update(params, grads, slots, step), plain.update(params, grads, slots, step)
        assert got[0]["a"].item() == want[0]["a"].item()
    assert set(asked) == {0, 7}


OPTIMIZERS = {
    "sgd": sgd(0.1),
    "momentum": sgd(0.1, momentum=0.9, weight_decay=0.1),
    "nesterov": sgd(0.1, momentum=0.9, nesterov=True, weight_decay=0.1),
    "adam": adam(0.1, weight_decay=0.1),
}
each_optimizer = pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS)


def example(xp, dtype=np.float64):
    rng = np.random.default_rng(0)
    shapes = {"fc.weight": (3, 2), "fc.bias": (2,)}
    return [{name: give(xp, rng.standard_normal(shape).astype(dtype)) for name, shape in shapes.items()} for _ in "pg"]


def bits(tree):
    if isinstance(tree, dict):
        return {key: bits(branch) for key, branch in tree.items()}
    return back(tree).tobytes() if hasattr(tree, "shape") else tree


@each_optimizer
def test_an_update_writes_into_nothing_it_was_given(xp, optimizer):
    params, grads = example(xp)
    slots = optimizer.init(params)
    for step in range(3):
        frozen = {
            s: give_all(xp, {n: back(a) for n, a in v.items()}) if isinstance(v, dict) else v for s, v in slots.items()
        }
        before = bits(params), bits(grads), bits(frozen)
        after, slots = optimizer.update(params, grads, frozen, step)
        assert (bits(params), bits(grads), bits(frozen)) == before
        assert bits(after) != bits(params)
        params = give_all(xp, {name: back(a) for name, a in after.items()})


@each_optimizer
def test_the_same_update_twice_gives_the_same_answer(xp, optimizer):
    params, grads = example(xp)
    slots = optimizer.update(params, grads, optimizer.init(params), 0)[1]
    once, twice = (optimizer.update(params, grads, slots, 1) for _ in range(2))
    assert (bits(once[0]), bits(once[1])) == (bits(twice[0]), bits(twice[1]))


@each_optimizer
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_keys_shapes_and_dtypes_stay(xp, optimizer, dtype):
    params, grads = example(xp, dtype)
    slots = optimizer.init(params)
    for step in range(2):
        after, slots = optimizer.update(params, grads, slots, step)
        for tree in (after, *(slot for slot in slots.values() if isinstance(slot, dict))):
            assert list(tree) == list(params)
            assert {name: (a.shape, a.dtype) for name, a in tree.items()} == {
                n: (a.shape, dtype) for n, a in params.items()
            }


@each_optimizer
def test_slots_start_at_zero(xp, optimizer):
    params, _ = example(xp)
    for slot in optimizer.init(params).values():
        if isinstance(slot, dict):
            assert list(slot) == list(params)
            assert not any(back(a).any() for a in slot.values())
        else:
            assert slot == 0


@each_optimizer
def test_where_weight_gradient_and_slots_are_zero_all_stay_zero(xp, optimizer):
    zeros = {"fc.weight": give(xp, np.zeros((2, 2)))}
    after, slots = optimizer.update(zeros, zeros, optimizer.init(zeros), 0)
    assert not back(after["fc.weight"]).any()
    assert not any(back(slot["fc.weight"]).any() for slot in slots.values() if isinstance(slot, dict))


@each_optimizer
def test_a_parameter_may_be_a_single_number(xp, optimizer):
    params, grads = {"scale": give(xp, np.array(1.0))}, {"scale": give(xp, np.array(2.0))}
    column = {"scale": give(xp, np.array([1.0]))}, {"scale": give(xp, np.array([2.0]))}
    after, slots = optimizer.update(params, grads, optimizer.init(params), 0)
    want, _ = optimizer.update(*column, optimizer.init(column[0]), 0)
    assert after["scale"].shape == ()
    assert float(after["scale"]) == want["scale"].item()
    again, _ = optimizer.update(after, grads, slots, 1)
    assert float(again["scale"]) < float(after["scale"])


def test_hyperparameters_that_are_numpy_numbers_leave_float32_alone():
    params, grads = example(np, np.float32)
    half = np.float64(0.5)
    for optimizer in (
        sgd(half, momentum=half, nesterov=True, weight_decay=half),
        adam(half, (half, half), half, half),
        sgd(lambda step: half),
    ):
        after, slots = optimizer.update(params, grads, optimizer.init(params), 0)
        arrays = [*after.values(), *(a for slot in slots.values() if isinstance(slot, dict) for a in slot.values())]
        assert {a.dtype for a in arrays} == {np.dtype(np.float32)}


def test_adam_counts_its_own_updates_whatever_the_step(xp):
    params, grads = example(xp)
    optimizer = adam(0.1)
    at_once, late = (optimizer.init(params) for _ in range(2))
    a, b = params, params
    for step in range(3):
        a, at_once = optimizer.update(a, grads, at_once, step)
        b, late = optimizer.update(b, grads, late, 1000 + 10 * step)
    assert bits(a) == bits(b)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: sgd(-0.1), "lr is -0.1"),
        (lambda: sgd(math.nan), "lr is nan"),
        (lambda: sgd(math.inf), "lr is inf"),
        (lambda: sgd(0.1, momentum=1.0), "momentum is 1.0"),
        (lambda: sgd(0.1, momentum=-0.1), "momentum is -0.1"),
        (lambda: sgd(0.1, weight_decay=-1), "weight_decay is -1"),
        (lambda: adam(-1), "lr is -1"),
        (lambda: adam(0.1, betas=(1.0, 0.9)), "beta1 is 1.0"),
        (lambda: adam(0.1, betas=(0.9, -0.1)), "beta2 is -0.1"),
        (lambda: adam(0.1, eps=-1e-8), "eps is -1e-08"),
        (lambda: adam(0.1, weight_decay=math.nan), "weight_decay is nan"),
    ],
)
def test_hyperparameters_out_of_range_are_named(make, says):
    with pytest.raises(ValueError, match=says):
        make()


@each_optimizer
def test_gradients_under_other_names_are_refused(xp, optimizer):
    params, grads = example(xp)
    with pytest.raises(ValueError, match=r"fc\.bias"):
        optimizer.update(params, {"fc.weight": grads["fc.weight"]}, optimizer.init(params), 0)


@pytest.mark.parametrize("make", [sgd, adam])
def test_a_schedule_that_turns_bad_is_named_with_its_step(xp, make):
    params, grads = example(xp)
    optimizer = make(lambda step: math.nan if step == 3 else 0.1)
    with pytest.raises(ValueError, match="lr is nan at step 3"):
        optimizer.update(params, grads, optimizer.init(params), 3)


@each_optimizer
def test_what_is_frozen_stays_and_the_rest_moves_as_without_it(xp, optimizer):
    params, grads = example(xp)
    held = frozen(optimizer, ["fc.bias"])
    alone = {"fc.weight": params["fc.weight"]}
    slots, slots_alone = held.init(params), optimizer.init(alone)
    moved = params
    for step in range(3):
        moved, slots = held.update(moved, grads, slots, step)
        alone, slots_alone = optimizer.update(alone, {"fc.weight": grads["fc.weight"]}, slots_alone, step)
    assert list(moved) == list(params)
    assert moved["fc.bias"] is params["fc.bias"]
    assert (moved["fc.weight"] == alone["fc.weight"]).all()
    for name, slot in slots.items():
        if name == "updates":
            assert slot == slots_alone["updates"] == 3
        else:
            assert not slot["fc.bias"].any()
            assert (slot["fc.weight"] == slots_alone[name]["fc.weight"]).all()


def test_a_frozen_optimizer_refuses_names_it_does_not_know(xp):
    with pytest.raises(ValueError, match=r"names has \['fc9'\], which are not parameters; expected names in"):
        frozen(sgd(0.1), ["fc9", "fc.bias"]).init(example(xp)[0])
    with pytest.raises(TypeError, match=r"names is the string 'fc\.bias'"):
        frozen(sgd(0.1), "fc.bias")
    (params, grads), held = example(xp), frozen(sgd(0.1), ["fc.bias"])
    with pytest.raises(ValueError, match=r"'fc\.bias' is only in params"):
        held.update(params, {"fc.weight": grads["fc.weight"]}, held.init(params), 0)


@pytest.mark.parametrize("optimizer", [sgd(0.1, 0.9, weight_decay=1e-4), sgd(0.1, 0.9, nesterov=True), adam(1e-3)])
def test_parameters_in_float16_are_updated_in_float32_and_rounded(xp, optimizer):
    rng = np.random.default_rng(0)
    start = {"fc.weight": rng.standard_normal(50).astype(np.float16)}
    grads = [{"fc.weight": (10.0 ** rng.uniform(-5, 4, 50)).astype(np.float16)} for _ in range(4)]
    state = {}
    for dtype in (np.float16, np.float32):
        params = {name: give(xp, a.astype(dtype)) for name, a in start.items()}
        slots = optimizer.init(params)
        for step, g in enumerate(grads):
            params, slots = optimizer.update(params, {n: give(xp, a.astype(dtype)) for n, a in g.items()}, slots, step)
            assert params["fc.weight"].dtype == dtype
            if dtype == np.float32:  # as rounded
                params = {n: give(xp, back(a).astype(np.float16).astype(np.float32)) for n, a in params.items()}
        state[dtype] = back(params["fc.weight"]), {n: back(s["fc.weight"]) for n, s in slots.items() if n != "updates"}
    np.testing.assert_array_equal(state[np.float16][0], state[np.float32][0].astype(np.float16))
    for name, slot in state[np.float16][1].items():
        assert slot.dtype == np.float32
        np.testing.assert_array_equal(slot, state[np.float32][1][name])
    assert np.isfinite(state[np.float16][0]).all()


@pytest.mark.parametrize("optimizer", [sgd(0.1), adam(1e-3)])
def test_parameters_of_whole_numbers_are_refused_and_gradients_of_them_are_numbers(xp, optimizer):
    whole, half = {"fc.weight": give(xp, np.array([1, 2]))}, {"fc.weight": give(xp, np.array([0.5, 0.5], np.float32))}
    with pytest.raises(TypeError, match=r"parameter 'fc.weight' has dtype int64; expected floating-point arrays"):
        optimizer.init(whole)
    slots = optimizer.init(half)
    with pytest.raises(TypeError, match=r"parameter 'fc.weight' has dtype int64"):
        optimizer.update(whole, whole, slots, 0)
    single = {"fc.weight": give(xp, np.array([1, 2], np.float32))}
    got, want = (optimizer.update(half, g, slots, 0)[0]["fc.weight"] for g in (whole, single))
    assert got.dtype == np.float32
    np.testing.assert_allclose(back(got), back(want), rtol=1e-6)


@pytest.mark.parametrize("made", [lambda **k: sgd(0.1, **k), lambda **k: adam(0.1, **k)], ids=["sgd", "adam"])
def test_weight_decay_that_acts_on_nothing_is_warned_of(made):
    params = {"W1": np.ones((2, 2)), "b1": np.zeros(2)}
    with pytest.warns(
        UserWarning, match=r"weight_decay is 0.1, but acts on none of \['W1', 'b1'\].*'.weight'.*decays="
    ):
        made(weight_decay=0.1).init(params)
    with pytest.warns(UserWarning, match="the names that `decays` chooses"):
        made(weight_decay=0.1, decays=lambda name: name == "W").init(params)
    made().init(params)
    made(weight_decay=0.1).init({"fc1.weight": params["W1"]} | params)
    made(weight_decay=0.1).init({"bn.scale": np.ones(2), "fc1.bias": np.ones(2)})
    made(weight_decay=0.1, decays=lambda name: name.startswith("W")).init(params)


@pytest.mark.parametrize("make", [lambda: sgd(0.1, 0.9), lambda: adam(0.1), lambda: frozen(sgd(0.1), [])])
@pytest.mark.parametrize("shape", [(), (3,), (1, 3), (3, 2), (6,)])
@pytest.mark.parametrize("dtype", ["float16", "float64"])
def test_a_gradient_or_slot_of_another_shape_is_refused_though_numpy_would_stretch_it(make, shape, dtype):
    optimizer, params = make(), {"fc.bias": np.ones(3, dtype), "fc.weight": np.ones((2, 3), dtype)}
    slots = optimizer.init(params)
    wrong = lambda arrays: {**arrays, "fc.weight": np.ones(shape, dtype)}
    every = [("gradient", wrong(params), slots)]
    every += [("slot", params, {**slots, kind: wrong(slots[kind])}) for kind in slots if kind != "updates"]
    for what, grads, others in every:
        with pytest.raises(ValueError, match=rf"its {what} has shape \(.*\), parameter 'fc\.weight' has \(2, 3\)"):
            optimizer.update(params, grads, others, 0)
