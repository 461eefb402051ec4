"""Deep R, DSR and GraNet with their schedules, in training."""

from itertools import pairwise

import numpy as np
import pytest

from minisparse import ops, recipes
from minisparse.allocate import erdos_renyi_kernel
from minisparse.masks import Masks, random_masks
from minisparse.methods.srigl import largest_inputs
from minisparse.optim import sgd
from minisparse.schedule import cubic
from minisparse.train import train

SHAPES = {"a.weight": (20, 15), "b.weight": (15, 10)}
SIZE = 450


def steps_of(method, masks, n, lr=0.1, seed=0, wrap=lambda loss: loss, start=None):
    """Train two linear layers towards random targets; masks {name: density} or masks."""
    rng = np.random.default_rng(seed)
    params = {name: rng.normal(0, 0.3, shape) for name, shape in SHAPES.items()}
    x, y = rng.normal(size=(n, 8, 20)), rng.normal(size=(8, 10))
    net = lambda p, batch: ops.matmul(ops.relu(ops.matmul(batch, p["a.weight"])), p["b.weight"])
    loss = wrap(lambda p, batch, rng: ops.mean((net(p, batch) - y) * (net(p, batch) - y)))
    begin = 0 if start is None else start.number
    return list(train(loss, params, masks, x[begin:], method, np.random.default_rng(1), sgd(lr), start))


def sparse(density=0.3):
    return random_masks(SHAPES, dict.fromkeys(SHAPES, density), np.random.default_rng(0))


def same(a, b):
    return all((a.params[n] == b.params[n]).all() and (a.masks[n] == b.masks[n]).all() for n in SHAPES)


# GraNet ---------------------------------------------------------------------------------------------------------------
def test_granets_density_follows_the_cubic_schedule_exactly_and_ends_at_its_target():
    method = recipes.granet(0.9, end=23, period=4, begin=2)
    steps = steps_of(method, random_masks(SHAPES, erdos_renyi_kernel(SHAPES, 0.5), np.random.default_rng(0)), 30)
    assert [step.number for step in steps if step.rewired] == [6, 10, 14, 18, 22, 23]
    for step in steps:
        if step.rewired:
            assert step.masks.active == SIZE - round(cubic(step.number, 2, 23, 0.9, 0.5) * SIZE)
    assert (steps[0].masks.active, steps[-1].masks.active) == (225, 45)


def test_granet_regenerates_half_at_first_and_nothing_at_the_end():
    """By 0.5 on a cosine from step 0 to 20; nothing is pruned here, since sparsity does not change."""
    steps = steps_of(recipes.granet(0.7, end=20, period=5, initial=0.7), masks := sparse(), 25)
    before = masks
    for step in steps:
        come = sum((step.masks[name] & ~before[name]).sum() for name in SHAPES)
        most = sum(int(0.25 * (1 + np.cos(np.pi * step.number / 20)) * n) for n in before.counts.values())
        assert step.masks.counts == before.counts
        assert come <= (most if step.rewired else 0)
        assert (come > 0) == (step.rewired and step.number < 20)
        before = step.masks


def test_granet_ranks_all_layers_together_after_the_optimizer_step():
    method = recipes.granet(0.9, end=20, period=5, initial=0.7, rate=0.0)
    for before, step in pairwise(steps_of(method, sparse(), 25)):
        if step.rewired:
            moved = {n: before.params[n] - 0.1 * step.grads[n] * before.masks[n] for n in SHAPES}
            kept = sorted((abs(w) for n in SHAPES for w in moved[n][before.masks[n]]), reverse=True)
            assert min(abs(w).min() for w in (moved[n][step.masks[n]] for n in SHAPES) if w.size) == pytest.approx(
                kept[step.masks.active - 1]
            )


def test_granet_may_start_dense():
    steps = steps_of(recipes.granet(0.8, 10, 2, 0.0), {n: np.ones(s, bool) for n, s in SHAPES.items()}, 12)
    assert steps[-1].masks.active == 90


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"final": 0.4}, "initial is 0.5, final is 0.4; expected initial ≤ final"),
        ({"final": 90}, "final is 90; expected a number from 0 to 1"),
        ({"final": 0.9, "rate": -0.1}, "rate is -0.1"),
        ({"final": 0.9, "begin": 10}, "end is 10, begin is 10; end must come after begin"),
        ({"final": 0.9, "period": 0}, "period is 0"),
    ],
)
def test_granets_bad_numbers_are_refused(given, sentence):
    with pytest.raises(ValueError, match=sentence):
        recipes.granet(**{"end": 10, "period": 2} | given)


def test_granet_warns_of_an_end_beyond_the_run():
    with pytest.warns(UserWarning, match=r"end is 10: the run of 10 steps ends before it reaches a sparsity of 0\.9"):
        recipes.granet(0.9, 10, 2, steps=10)


# DSR ------------------------------------------------------------------------------------------------------------------
def test_dsrs_period_doubles_after_each_quarter():
    when = recipes.dsr(5, period=10, until=320).when
    assert [step for step in range(400) if when(step)] == [10, 20, 30, 40, 50, 60, 70, 80, 100, 120, 140, 160, 200, 240]


def test_dsrs_threshold_doubles_until_its_target_is_met_and_halves_beyond_it():
    """Replayed from what is seen outside: how many connections lay below the threshold before each change."""
    steps = steps_of(recipes.dsr(20, 1, 40, threshold=1e-3), masks := sparse(), 10)
    limit, before = 1e-3, masks
    for last, step in pairwise(steps):
        moved = {n: last.params[n] - 0.1 * step.grads[n] * last.masks[n] for n in SHAPES}
        gone = sum(int((last.masks[n] & (abs(moved[n]) < limit)).sum()) for n in SHAPES)
        assert last.state.memory["threshold"] == limit
        limit *= 2 if gone < 18 else 0.5 if gone > 22 else 1
        assert step.state.memory["threshold"] == limit
        assert step.masks.active == before.active
    assert limit > 1e-3
    assert steps[-1].masks.counts != masks.counts, "layers have no density of their own"


def test_dsr_resumes_to_the_bit():
    method = recipes.dsr(20, 1, 40)
    whole = steps_of(method, sparse(), 12)
    assert same(steps_of(method, sparse(), 12, start=whole[4].state)[-1], whole[-1])


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"n_target": 0}, "n_target is 0"),
        ({"period": 0}, "period is 0"),
        ({"period": 9, "until": 8}, "until is 8; expected a whole number from 9"),
        ({"threshold": 0.0}, r"threshold is 0.0; expected a number above 0"),
        ({"tolerance": 2}, "tolerance is 2"),
    ],
)
def test_dsrs_bad_numbers_are_refused(given, sentence):
    with pytest.raises(ValueError, match=sentence):
        recipes.dsr(**{"n_target": 5, "period": 1, "until": 8} | given)


# Deep R ---------------------------------------------------------------------------------------------------------------
def test_deep_r_keeps_every_layers_connections_and_no_weight_has_the_wrong_sign():
    steps = steps_of(recipes.deep_r(), masks := sparse(), 40, wrap=lambda loss: recipes.deep_r_loss(loss, 0.05, 0.05))
    negative = steps[0].state.memory["negative"]
    for name, mask in masks.items():
        assert (negative[name][mask] == (steps[0].params[name] < 0)[mask]).all()
        assert 0.3 < negative[name][~mask].mean() < 0.7
    moved = 0
    for last, step in pairwise(steps):
        assert step.masks.counts == masks.counts
        for name in SHAPES:
            assert (step.state.memory["negative"][name] == negative[name]).all()
            assert not (step.params[name] * np.where(negative[name], -1, 1) < 0).any()
            grown = step.masks[name] & ~last.masks[name]
            assert not step.params[name][grown].any()
            moved += grown.sum()
    assert moved > 10


def test_a_connection_goes_in_the_step_in_which_its_weight_changes_sign():
    weight, mask = {"w.weight": np.array([[0.05, 1.0, 0, 0]])}, {"w.weight": np.array([[True, True, False, False]])}
    falls = lambda p, batch, rng: ops.sum(p["w.weight"])  # every weight falls by 0.02 a step
    steps = list(train(falls, weight, mask, range(6), recipes.deep_r(), np.random.default_rng(0), sgd(0.02)))
    there = [bool(step.masks["w.weight"][0, 0]) for step in steps]
    assert there[:3] == [True, True, False]
    assert all(step.masks.active == 2 and step.masks["w.weight"][0, 1] for step in steps)


def test_deep_rs_loss_pulls_weights_to_zero_and_makes_them_wander():
    zero = lambda p, batch, rng: ops.sum(p["w.weight"]) * 0.0
    weight = {"w.weight": np.array([2.0, -2, 0]), "w.bias": np.ones(3)}

    def given(**numbers):
        loss = recipes.deep_r_loss(zero, **numbers)
        (step,) = train(loss, weight, {}, range(1), recipes.static(), np.random.default_rng(0), sgd(1.0))
        return step.params

    assert given(alpha=0.5, noise=0)["w.weight"].tolist() == [1.5, -1.5, 0]
    walked = given(alpha=0, noise=0.1)["w.weight"] - weight["w.weight"]
    assert walked.all()
    assert (abs(walked) < 0.5).all()
    assert (given(alpha=0, noise=0.2)["w.weight"] - weight["w.weight"]) == pytest.approx(2 * walked)
    assert given(alpha=0.5, noise=0.1)["w.bias"].tolist() == [1, 1, 1]


def test_deep_r_resumes_to_the_bit():
    wrap = lambda loss: recipes.deep_r_loss(loss, 0.05, 0.05)
    whole = steps_of(recipes.deep_r(), sparse(), 12, wrap=wrap)
    for stop in (0, 5):
        assert same(steps_of(recipes.deep_r(), sparse(), 12, wrap=wrap, start=whole[stop].state)[-1], whole[-1])


@pytest.mark.parametrize("given", [{"alpha": -1}, {"noise": float("inf")}])
def test_deep_rs_bad_numbers_are_refused(given):
    with pytest.raises(ValueError, match="expected a finite number from 0"):
        recipes.deep_r_loss(lambda p, batch, rng: None, **given)


# SRigL ----------------------------------------------------------------------------------------------------------------
def fan_in(k):
    rng = np.random.default_rng(2)
    return {n: largest_inputs(rng.random(shape), k, np.ones(shape, bool)) for n, shape in SHAPES.items()}


def test_srigl_keeps_a_constant_fan_in_and_pauses_as_rigl_does():
    masks = Masks(fan_in(4))
    method = recipes.srigl(masks.counts, 0.5, 3, 20, gamma=0.9, never=["b.weight"])
    steps = steps_of(method, masks, 24)
    assert [step.number for step in steps if step.rewired] == [3, 6, 9, 12, 15, 18]
    ablated = 0
    for last, step in pairwise(steps):
        for name, mask in step.masks.items():
            inputs = mask.sum(axis=0)
            assert len({*inputs.tolist()} - {0}) == 1
            assert masks.counts[name] - len(inputs) < inputs.sum() <= masks.counts[name]
            ablated += (inputs == 0).sum()
            if step.rewired:
                stayed = mask & last.masks[name]
                assert (step.params[name][stayed] == last.params[name][stayed]).all()
        assert step.masks["b.weight"].any(axis=0).all()
    assert ablated, "nothing was ablated: the test shows less than it says"


def test_srigl_never_ablates_the_neurons_of_the_layers_it_is_told_to_leave():
    """The first neuron of both layers has the smallest weights, and gradients of zero: no salient weight."""
    masks = Masks(fan_in(4))
    weights = {name: np.where(mask, 1.0, 0) * (np.arange(mask.shape[1]) + 0.01) for name, mask in masks.items()}
    grads = {name: np.ones(mask.shape) * (np.arange(mask.shape[1]) > 0) for name, mask in masks.items()}
    method = recipes.srigl(masks.counts, 0.5, 1, 20, gamma=0.3, never=["b.weight"])
    new = method.decide(weights, masks, grads, 1)
    assert [bool(new[name][:, 0].any()) for name in SHAPES] == [False, True]
    new = recipes.srigl(masks.counts, 0.5, 1, 20, gamma=0.3).decide(weights, masks, grads, 1)
    assert [bool(new[name][:, 0].any()) for name in SHAPES] == [False, False]


def test_srigl_without_ablation_keeps_every_neuron_and_its_connections():
    masks = Masks(fan_in(4))
    for step in steps_of(recipes.srigl(masks.counts, 0.5, 3, 20, gamma=0), masks, 24):
        assert all((mask.sum(axis=0) == 4).all() for mask in step.masks.values())


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"alpha": 30}, "alpha is 30"),
        ({"gamma": 30}, "gamma is 30"),
        ({"never": ["fc"]}, r"never names \['fc'\]; expected layers in \['a.weight'\]"),
        ({"period": 0}, "period is 0"),
        ({"t_end": 0}, "t_end is 0"),
    ],
)
def test_srigls_bad_numbers_are_refused(given, sentence):
    with pytest.raises(ValueError, match=sentence):
        recipes.srigl({"a.weight": 5}, **given)


def test_srigl_refuses_a_budget_of_other_layers():
    with pytest.raises(ValueError, match=r"'b\.weight' is only in masks"):
        steps_of(recipes.srigl({"a.weight": 60}, period=1), fan_in(3), 3)


# AC/DC ----------------------------------------------------------------------------------------------------------------
def everything():
    return {name: np.ones(shape, bool) for name, shape in SHAPES.items()}


def test_ac_dc_is_dense_and_sparse_in_turn_and_sparse_at_the_end():
    steps = steps_of(recipes.ac_dc(0.1, 4, 3, 17), everything(), 22)
    active = [step.state.masks.active for step in steps]  # those of the next batch
    assert active == [450] * 3 + [45] * 3 + [450] * 3 + [45] * 3 + [450] * 4 + [45] * 6
    assert [step.number for step in steps if step.rewired] == [3, 6, 9, 12, 16]
    restored = steps[6]
    absent = ~steps[5].masks["a.weight"]
    assert not restored.params["a.weight"][absent].any(), "what was pruned returns at zero"
    assert steps[7].params["a.weight"][absent].any(), "and is trained"
    kept = np.concatenate([abs(steps[3].params[n]).ravel() for n in SHAPES])
    assert (kept > 0).sum() == 45


def test_ac_dcs_optimizer_starts_again_with_every_decompression_phase():
    phases = 4, 3, 17
    optimizer = recipes.restarted(sgd(0.1, momentum=0.9), *phases)
    params, slots = {"w": np.ones(1)}, optimizer.init({"w": np.ones(1)})
    velocity = []
    for step in range(20):
        params, slots = optimizer.update(params, {"w": np.ones(1)}, slots, step)
        velocity.append(float(slots["velocity"]["w"][0]))
    assert [step for step, v in enumerate(velocity) if v == 1.0] == [0, 7, 13]


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ((0, 4, 3, 14), r"density is 0; expected a number in \(0, 1\]"),
        ((0.1, 0, 3, 14), "warmup is 0"),
        ((0.1, 4, 0, 14), "phase is 0"),
        ((0.1, 4, 3, 3), "last is 3"),
    ],
)
def test_ac_dcs_bad_numbers_are_refused(given, sentence):
    with pytest.raises(ValueError, match=sentence):
        recipes.ac_dc(*given)
    if given[0]:
        with pytest.raises(ValueError, match=sentence):
            recipes.restarted(sgd(0.1), *given[1:])
