"""Numbers at their ends: what is not finite stops a run, and whatever is extreme but finite is defined."""

import math
import sys
from contextlib import suppress

import numpy as np
import pytest
from arrays import back, give, give_all
from effort import some

from minisparse import nn, ops, random_masks, recipes, sparse
from minisparse.autograd import Tensor, value_and_grad
from minisparse.cli import main
from minisparse.masks import Masks
from minisparse.methods import l0
from minisparse.optim import adam, sgd
from minisparse.runs import folder as runs
from minisparse.storage import square
from minisparse.train import train

NET = nn.mlp(6, 5, 4, 3)
SHAPES = {name: shape for name, shape in NET.shapes().items() if name.endswith("weight")}
BAD = [math.nan, math.inf, -math.inf]


def rng():
    return np.random.default_rng(0)


def drawn(xp, stored="masked", masks=None):
    """(params, masks, batches) of NET."""
    params = {name: w.astype(np.float32) for name, w in NET.init(rng()).items()}
    masks = dict(random_masks(SHAPES, dict.fromkeys(SHAPES, 0.5), rng())) if masks is None else masks
    draw = np.random.default_rng(1)
    batches = [(draw.standard_normal((5, 6)).astype(np.float32), draw.integers(0, 3, 5)) for _ in range(12)]
    params, masks = give_all(xp, params), give_all(xp, masks)
    if stored == "sparse":
        params, masks = sparse.compressed(params, masks)
    return params, masks, [tuple(give(xp, a) for a in batch) for batch in batches]


def poisoned(x, factor):
    """x, whose gradient is multiplied by `factor` on the way back."""
    return Tensor(x.value, (x,), ((0,), lambda g: (g * factor,)), "poisoned")


def loss_of(layer=None, factor=1.0, at=3):
    """Cross-entropy on NET; in batch number `at` the gradient that reaches `layer` from above is poisoned."""
    seen = []

    def loss_fn(params, batch, rng):
        x, seen_before = batch[0], len(seen)
        seen.append(None)
        for name, part in NET.layers.items():
            own = {key.partition(".")[2]: w for key, w in params.items() if key.startswith(f"{name}.")}
            x = part(own, x)
            if name == layer and seen_before == at:
                x = poisoned(x, factor)
        return ops.softmax_cross_entropy(x, batch[1])

    return loss_fn


# Not finite.


@pytest.mark.parametrize("stored", ["masked", "sparse"])
@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("layer", ["fc1", "fc2", "fc3"])
def test_a_gradient_that_is_not_finite_stops_the_run_naming_step_and_layer(xp, layer, bad, stored):
    params, masks, batches = drawn(xp, stored)
    run = train(loss_of(layer, bad), params, masks, batches, recipes.static(), rng(), sgd(0.1))
    assert [next(run).number for _ in range(3)] == [0, 1, 2]
    with (
        np.errstate(all="ignore"),
        pytest.raises(
            FloatingPointError, match=rf"gradient of '{layer}\.\w+' is not finite at step 3, .*try a smaller"
        ),
    ):
        next(run)


def test_a_single_entry_is_enough_in_any_parameter_and_at_an_absent_weight_too(xp):
    params, masks, batches = drawn(xp)
    for name, w in params.items():
        for place in (0, w.size - 1):
            factor = np.ones(w.size, np.float32)
            factor[place] = np.inf
            spoil = give(xp, factor.reshape(w.shape))
            loss_fn = lambda p, batch, rng: ops.sum(poisoned(p[name], spoil))  # noqa: B023
            with pytest.raises(FloatingPointError, match=f"gradient of '{name}' is not finite at step 0"):
                next(train(loss_fn, params, masks, batches, recipes.static(), rng()))


@pytest.mark.parametrize("stored", ["masked", "sparse"])
@pytest.mark.parametrize("large", [1e15, 1e25])
def test_a_gradient_that_is_large_and_finite_goes_on(xp, stored, large):
    params, masks, batches = drawn(xp, stored)
    steps = list(train(loss_of("fc1", np.float32(large)), params, masks, batches, recipes.static(), rng(), sgd(0.0)))
    assert len(steps) == len(batches)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_says_whether_weights_are(xp, bad):
    loss_fn = lambda p, factor, rng: ops.sum(p["a"]) + ops.sum(p["b"]) * factor
    whole = {"a": give(xp, np.ones(2)), "b": give(xp, np.ones(2))}
    with pytest.raises(
        FloatingPointError, match=rf"loss is {bad} at step 0, where all parameters are finite; try a sma"
    ):
        next(train(loss_fn, whole, {}, [bad], recipes.static(), rng()))
    broken = whole | {"b": give(xp, np.array([1.0, bad]))}
    with pytest.raises(FloatingPointError, match=rf"loss is {bad} at step 0, where 'b' is not finite; try a smaller"):
        next(train(loss_fn, broken, {}, [1.0], recipes.static(), rng()))


def recorded(folder, loss_fn, optimizer=sgd(0.1, momentum=0.9), every=4):  # noqa: B008
    """The lines of a run of 12 steps of RigL in a folder."""
    params, masks, batches = drawn(np)

    def steps(start):
        rest = batches[start.number if start else 0 :]
        for step in train(loss_fn, params, masks, rest, recipes.rigl(0.5, 3, 10), rng(), optimizer, start):
            yield step.state, {"step": step.number}

    return list(runs.recorded(folder, steps, every))


@pytest.mark.parametrize(("at", "kept"), [(2, None), (5, 4), (7, 4), (8, 8), (11, 8)])
def test_the_last_good_checkpoint_stays_and_a_run_goes_on_from_it(tmp_path, at, kept):
    after = f"after {kept} steps" if kept else "none yet"
    with pytest.raises(FloatingPointError, match=rf"at step {at}, .*; checkpoint in .*: {after}$"):
        recorded(tmp_path / "parts", loss_of("fc2", math.nan, at))
    checkpoint = tmp_path / "parts" / "checkpoint.npz"
    assert (runs.load_state(checkpoint).number if checkpoint.exists() else None) == kept
    assert [line["step"] for line in recorded(tmp_path / "parts", loss_of())] == list(range(kept or 0, 12))
    recorded(tmp_path / "whole", loss_of())
    for name in ("metrics.jsonl", "checkpoint.npz"):
        ours, theirs = ((tmp_path / place / name).read_bytes() for place in ("parts", "whole"))
        if name == "checkpoint.npz":
            ours, theirs = (bits(runs.load_state(tmp_path / place / name)) for place in ("parts", "whole"))
        assert ours == theirs


def bits(tree):
    if hasattr(tree, "_asdict"):
        tree = tree._asdict()
    if hasattr(tree, "items"):
        return {key: bits(own) for key, own in tree.items()}
    return tree.tobytes() if hasattr(tree, "tobytes") else tree


def test_weights_and_slots_that_overflow_are_not_written_as_a_checkpoint(tmp_path):
    huge = sgd(lambda step: 3e38 if step == 7 else 0.1)
    with (
        np.errstate(all="ignore"),
        pytest.raises(FloatingPointError, match=r"parameter 'fc\d\.\w+' is not finite after step 7"),
    ):
        recorded(tmp_path, loss_of("fc1", np.float32(1e10), 7), huge)
    assert runs.load_state(tmp_path / "checkpoint.npz").number == 4
    with np.errstate(all="ignore"), pytest.raises(FloatingPointError, match=r"v 'fc1\.\w+' is not finite after step 7"):
        recorded(tmp_path / "adam", loss_of("fc1", np.float32(1e25), 7), adam(1e-3))
    assert runs.load_state(tmp_path / "adam" / "checkpoint.npz").number == 4


def test_an_interruption_still_writes_the_last_step(tmp_path):
    with suppress(KeyboardInterrupt):
        recorded(tmp_path, interrupting(6))
    assert runs.load_state(tmp_path / "checkpoint.npz").number == 6


def interrupting(at):
    inner, seen = loss_of(), []

    def loss_fn(params, batch, rng):
        if len(seen) == at:
            raise KeyboardInterrupt
        seen.append(None)
        return inner(params, batch, rng)

    return loss_fn


def test_a_run_on_the_command_line_that_diverges_ends_with_status_2_and_what_to_try(tmp_path, monkeypatch, capsys):
    line = f"train --method static --model mlp-8 --epochs 2 --batch 500 --lr 1e30 --out {tmp_path / 'run'}"
    monkeypatch.setattr(sys, "argv", ["minisparse", *line.split()])
    with np.errstate(all="ignore"), pytest.raises(SystemExit) as left:
        main()
    said = capsys.readouterr()
    assert left.value.code == 2
    assert "at step" in said.err
    assert "try a smaller learning rate" in said.err
    assert "Traceback" not in said.err + said.out
    if (tmp_path / "run" / "checkpoint.npz").exists():
        state = runs.load_state(tmp_path / "run" / "checkpoint.npz")
        assert all(np.isfinite(w).all() for w in state.params.values())


# Extreme and finite.


def test_logits_of_ten_thousand_have_a_loss_and_a_gradient(xp):
    logits = np.array([[1e4, -1e4, 0], [-1e4, 1e4, 0], [1e4, 1e4, -1e4]], np.float32)
    labels = give(xp, np.array([0, 0, 2]))
    loss, grads = value_and_grad(lambda p: ops.softmax_cross_entropy(p["z"], labels), {"z": give(xp, logits)})
    assert float(loss) == pytest.approx((0 + 2e4 + 2e4 + math.log(2)) / 3, rel=1e-6)
    want = np.array([[0, 0, 0], [-1, 1, 0], [0.5, 0.5, -1]]) / 3
    np.testing.assert_allclose(back(grads["z"]), want, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_log_alpha_of_a_thousand_is_a_gate_that_is_open_or_closed_for_good(xp, dtype):
    log_alpha = np.array([1e3, -1e3, 1e3, -1e3], dtype)
    u = give(xp, np.array([2.0**-54, 2.0**-54, 1 - 2.0**-53, 1 - 2.0**-53]))
    shut = {"log_alpha": give(xp, log_alpha), "weight": give(xp, np.ones((3, 4), dtype))}
    for value in (l0.gate(shut["log_alpha"], u), l0.gate_at_test(shut["log_alpha"]), l0.prob_open(shut["log_alpha"])):
        assert back(value).tolist() == [1, 0, 1, 0]
    for term in (
        lambda a: ops.sum(l0.gate(a, u)),
        lambda a: ops.sum(l0.gate_at_test(a)),
        lambda a: ops.sum(l0.prob_open(a)),
    ):
        assert (
            back(value_and_grad(lambda p, term=term: term(p["a"]), {"a": shut["log_alpha"]})[1]["a"]).tolist()
            == [0] * 4
        )
    loss, grads = value_and_grad(lambda p: l0.penalty(p, 0.1, 0.5), shut)
    assert float(loss) == pytest.approx(2 * 3 * 0.1 + 0.25 * 6)
    assert all(np.isfinite(back(g)).all() for g in grads.values())
    assert (l0.expected_l0(shut), l0.l0_at_test(shut), l0.architecture(shut)) == (6, 6, "2")


@pytest.mark.parametrize("extreme", [1e3, -1e3])
def test_a_gated_network_whose_log_alpha_are_extreme_trains_and_is_brought_back(xp, extreme):
    model = nn.gated(NET, {"fc1": 0.5, "fc2": 0.5})
    params = {n: np.full_like(w, extreme) if l0.is_gate(n) else w for n, w in model.init(rng()).items()}
    batches = drawn(xp)[2]
    loss_fn = recipes.l0_loss(model, 100)
    steps = list(
        train(loss_fn, give_all(xp, params), {}, batches, recipes.static(), rng(), recipes.clamped(adam(0.01)))
    )
    for step in steps:
        assert all(np.isfinite(back(w)).all() for w in step.params.values())
        assert all(abs(back(w)).max() <= np.float32(math.log(100)) for n, w in step.params.items() if l0.is_gate(n))


# Every method, where a layer has no connection, one, or all.

MOVING = {
    "static": lambda: recipes.static(),
    "set": lambda: recipes.set(0.5, period=2, until=12),
    "set by magnitude": lambda: recipes.set(0.5, period=2, until=12, by_sign=False),
    "set with random values": lambda: recipes.set(0.5, period=2, until=12, fill=recipes.random_values(0.1)),
    "snfs": lambda: recipes.snfs(0.5, period=2, until=12),
    "snfs without redistribution": lambda: recipes.snfs(0.5, period=2, until=12, redistribute=False),
    "rigl": lambda: recipes.rigl(1.0, 2, 12),
    "rigl at random": lambda: recipes.rigl(1.0, 2, 12, watch=recipes.noise),
    "rigl by smoothed gradients": lambda: recipes.rigl(1.0, 2, 12, watch=recipes.smoothed(0.9)),
    "rigl along the gradient": lambda: recipes.rigl(1.0, 2, 12, fill=recipes.along_gradient(0.1)),
}
DENSE = ("snfs", "snfs without redistribution", "rigl by smoothed gradients")  # in what they remember
LAYERS = {"empty": 0, "one connection": 1, "full": None}
KINDS = [("empty",) * 3, ("empty", "one connection", "full"), ("one connection",) * 3,
         ("full", "empty", "one connection"), ("full",) * 3]  # fmt: skip
cases = pytest.mark.parametrize("kinds", some(KINDS, every=3), ids="-".join)


def masks_of(kinds):
    masks = {}
    for (name, shape), kind in zip(SHAPES.items(), kinds, strict=True):
        mask = np.zeros(math.prod(shape), bool)
        mask[: LAYERS[kind]] = True
        masks[name] = mask.reshape(shape)
    return masks


def check_defined(steps, masks):
    """Finite everywhere, zero where no connection is, and as many connections as at first."""
    assert steps
    for step in steps:
        assert math.isfinite(step.loss)
        for name, w in step.params.items():
            w = back(sparse.dense(w))
            assert np.isfinite(w).all()
            if name in masks:
                assert not w[~back(sparse.dense(step.masks[name]))].any()
        assert step.masks.active == sum(int(mask.sum()) for mask in masks.values())


@cases
@pytest.mark.parametrize("stored", ["masked", "sparse"])
@pytest.mark.parametrize("name", MOVING)
def test_every_method_is_defined_on_layers_that_are_empty_or_full_or_have_one_connection(xp, name, stored, kinds):
    if stored == "sparse" and name in DENSE:
        pytest.skip(recipes.DENSE_BY_DEFINITION)
    masks = masks_of(kinds)
    params, given, batches = drawn(xp, stored, masks)
    steps = list(train(loss_of(), params, given, batches, MOVING[name](), rng(), sgd(0.1, momentum=0.9)))
    check_defined(steps, masks)
    if name != "snfs":  # which moves them from layer to layer
        assert all(step.masks.counts == Masks(masks).counts for step in steps)


@pytest.mark.parametrize("stored", ["masked", "sparse"])
@pytest.mark.parametrize("name", MOVING)
def test_every_method_is_defined_where_all_gradients_are_zero(xp, name, stored):
    if stored == "sparse" and name in DENSE:
        pytest.skip(recipes.DENSE_BY_DEFINITION)
    params, given, batches = drawn(xp, stored)
    masks = {n: back(sparse.dense(mask)) for n, mask in given.items()}
    zero = lambda p, batch, rng: ops.softmax_cross_entropy(NET(p, batch[0]), batch[1]) * 0.0
    steps = list(train(zero, params, given, batches, MOVING[name](), rng(), sgd(0.1, momentum=0.9)))
    check_defined(steps, masks)
    if name == "static":
        for n, w in steps[-1].params.items():
            own = back(sparse.dense(params[n]))
            assert (back(sparse.dense(w)) == (own * masks[n] if n in masks else own)).all()


def test_a_gated_network_is_defined_where_all_gradients_are_zero(xp):
    model = nn.gated(NET, {"fc1": 0.5, "fc2": 0.5})
    params, batches = model.init(rng()), drawn(xp)[2]
    loss_fn = recipes.l0_loss(model, 100)
    zero = lambda p, batch, rng: loss_fn(p, batch, rng) * 0.0
    *_, last = train(zero, give_all(xp, params), {}, batches, recipes.static(), rng(), recipes.clamped(adam(0.01)))
    assert all((back(last.params[name]) == w).all() for name, w in params.items())


def test_gradual_pruning_goes_by_magnitude_alone_where_all_gradients_are_zero(xp):
    params, _, batches = drawn(xp)
    zero = lambda p, batch, rng: ops.softmax_cross_entropy(NET(p, batch[0]), batch[1]) * 0.0
    full = {name: give(xp, np.ones(shape, bool)) for name, shape in SHAPES.items()}
    *_, last = train(zero, params, full, batches, recipes.gradual(0.5, 0, 8, 2), rng(), sgd(0.1, momentum=0.9))
    for name, shape in SHAPES.items():
        w, left = abs(back(params[name])), math.prod(shape) // 2
        assert (back(last.masks[name]) == (w >= np.sort(w, axis=None)[-left])).all()
        assert (back(last.params[name]) == back(params[name]) * back(last.masks[name])).all()


@cases
def test_gradual_pruning_is_defined_on_them_and_never_brings_a_connection_back(xp, kinds):
    masks = masks_of(kinds)
    params, given, batches = drawn(xp, masks=masks)
    steps = list(train(loss_of(), params, given, batches, recipes.gradual(1.0, 0, 8, 2), rng(), sgd(0.1)))
    counts = [step.masks.active for step in steps]
    assert counts == sorted(counts, reverse=True)
    assert counts[-1] == 0
    assert all(np.isfinite(back(w)).all() for w in steps[-1].params.values())


@pytest.mark.parametrize("quality", [0.0, 1.0, 1e6])
def test_three_step_training_is_defined_where_a_threshold_keeps_everything_or_nothing(xp, quality):
    params, _, batches = drawn(xp)
    stages = [recipes.Stage(dict.fromkeys(SHAPES, quality))] * 2
    dropout = dict.fromkeys(SHAPES, 0.5)
    steps = list(recipes.three_step(
        lambda rates: loss_of(at=None), params, lambda number: batches, stages, rng(), lambda lr: sgd(lr), 0.1,
        dropout=dropout,
    ))  # fmt: skip
    assert {step.phase for step in steps} == {"train", "prune", "retrain"}
    assert all(np.isfinite(back(w)).all() for step in steps for w in step.params.values())
    assert steps[-1].masks.active == {0.0: 62, 1e6: 0}.get(quality, steps[-1].masks.active)


@pytest.mark.parametrize(("share", "left"), [(0.0, 62), (1.0, 0), (61 / 62, 1)])
@pytest.mark.parametrize("globally", [True, False])
def test_lottery_tickets_are_defined_where_they_keep_everything_one_or_nothing(xp, share, left, globally):
    params, _, batches = drawn(xp)
    loss_fn = loss_of()
    run = recipes.lottery(loss_fn, params, lambda start: batches[start:], share, 2, rng(), sgd(0.1), globally=globally)
    steps = list(run)
    assert all(np.isfinite(back(w)).all() for step in steps for w in step.params.values())
    first = next(step for step in steps if step.round == 1)
    assert first.masks.active == left if globally else first.masks.active in (left, 0, 3)


@pytest.mark.parametrize(("density", "left"), [(1 / 62, 1), (1.0, 62)])
def test_snip_is_defined_where_it_keeps_one_connection_or_all(xp, density, left):
    params, _, batches = drawn(xp)
    if left == 1:
        with pytest.warns(UserWarning, match="SNIP keeps nothing of"):
            masks = recipes.snip(loss_of(), params, batches[:1], density, rng())
    else:
        masks = recipes.snip(loss_of(), params, batches[:1], density, rng())
    assert masks.active == left
    steps = list(train(loss_of(), params, masks, batches, recipes.static(), rng(), sgd(0.1)))
    check_defined(steps, {n: back(mask) for n, mask in masks.items()})


def test_snip_keeps_the_first_connections_where_all_gradients_are_zero(xp):
    params, _, batches = drawn(xp)
    zero = lambda p, batch, rng: ops.softmax_cross_entropy(NET(p, batch[0]), batch[1]) * 0.0
    with pytest.warns(UserWarning, match="SNIP keeps nothing of"):
        masks = recipes.snip(zero, params, batches[:1], 10 / 62, rng())
    assert back(masks["fc1.weight"]).ravel().tolist() == [True] * 10 + [False] * 20


@pytest.mark.parametrize("x", [1.0, 1e25, math.nan, math.inf])
@pytest.mark.parametrize("g", [1.0, 1e25, math.nan, math.inf])
def test_the_square_of_a_gradient_in_factors_is_finite_only_if_all_of_it_is(xp, x, g):
    ones = np.ones((2, 3), np.float32)
    factors = sparse.FactoredGradient(give(xp, ones * np.float32(x)), give(xp, ones * np.float32(g)), 2.0)
    with np.errstate(all="ignore"):
        finite = np.isfinite(back(factors.dense())).all()
        assert finite or not math.isfinite(square(factors))
    assert x + g != 2 or square(factors) == 4 * 36
