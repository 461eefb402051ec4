"""What training is said to take of memory is what its arrays take."""

import numpy as np
import pytest
from memory import arrays_in, held, irregular, missing

from minisparse import flops, nn, ops, project, recipes, sparse
from minisparse.allocate import counts
from minisparse.masks import Masks, random_masks
from minisparse.optim import adam, sgd
from minisparse.sparse import FactoredGradient, SparseWeight, ranking, weights
from minisparse.train import train

NET = nn.mlp(50, 60, 40, 5)
BUDGET = {"fc1.weight": 0.111, "fc2.weight": 0.234}  # fc3 stays dense
BATCH = 8


METHODS = {
    "dense": recipes.static(),
    "static": recipes.static(),
    "snip": recipes.static(),
    "set": recipes.set(0.3, period=2, until=100),
    "snfs": recipes.snfs(0.3, period=2, until=100),
    "rigl": recipes.rigl(period=2, t_end=100, fraction=lambda step: 0.3),
}


def last_step(method, storage, optimizer, n=4):
    """A Step after which masks have moved and the network has run with them."""
    rng = np.random.default_rng(0)
    params, at = NET.init(rng), random_masks({name: NET.shapes()[name] for name in BUDGET}, BUDGET, rng)
    params, at = (params, {}) if method == "dense" else (project(params, at), at)
    if storage == "sparse":
        params, at = sparse.compressed(params, at)
    x, y = rng.standard_normal((BATCH, 50)).astype(np.float32), rng.integers(0, 5, BATCH)
    loss = lambda p, batch, rng: ops.softmax_cross_entropy(NET(p, batch[0], train=True, rng=rng), batch[1])
    *_, last = train(loss, params, at, [(x, y)] * n, METHODS[method], rng, optimizer)
    return last


@pytest.mark.parametrize(("optimizer", "slots"), [(sgd(0.1, 0.9), 1), (adam(0.01), 2)])
@pytest.mark.parametrize("storage", ["masked", "sparse"])
@pytest.mark.parametrize("method", list(flops.TRAINING))
def test_the_memory_of_training_is_that_of_the_arrays_there_are(method, storage, optimizer, slots):
    kept = counts({name: NET.shapes()[name] for name in BUDGET}, BUDGET)
    ours = sparse.training_memory(NET.shapes(), kept, method, storage, batch=BATCH, slots=slots)
    if (method, storage) == ("snfs", "sparse"):
        masked = sparse.training_memory(NET.shapes(), kept, method, batch=BATCH, slots=slots)
        assert ours["memory"] == masked["memory"] == held(last_step(method, "masked", optimizer).state.memory)
        static = sparse.training_memory(NET.shapes(), kept, "static", storage, batch=BATCH, slots=slots)
        assert ours | {"memory": 0} == static
        return
    state, grads = (last := last_step(method, storage, optimizer)).state, last.grads
    assert not last.rewired
    assert ours["weights"] == held(state.params, but=state.masks)
    assert ours["slots"] == held(state.slots, but=state.masks)
    assert ours["masks"] == held(state.masks) - sum(map(irregular, state.masks.values()))
    assert ours["memory"] == held(state.memory, but=grads)
    at = [g.at(state.masks[name]) for name, g in grads.items() if isinstance(g, FactoredGradient)]
    assert ours["gradients"] == held(grads) + held(at)
    assert (ours["update"] > 0) == ((method, storage) == ("rigl", "sparse"))
    if method == "rigl":
        assert arrays_in(state.memory).keys() <= arrays_in(grads).keys()


@pytest.mark.parametrize("block", [100, 1000, 10**6])
def test_an_update_of_rigl_scans_as_much_as_is_counted(monkeypatch, block):
    seen, best = [], []
    row_blocks, highest = FactoredGradient.row_blocks, ranking._highest

    def blocks(self):
        for rows, part in row_blocks(self):
            seen.append(part.nbytes)
            yield rows, part

    def best_of(*given):
        best.append(highest(*given))
        return best[-1]

    monkeypatch.setattr(weights, "BLOCK", block)
    monkeypatch.setattr(FactoredGradient, "row_blocks", blocks)
    monkeypatch.setattr(ranking, "_highest", best_of)
    shapes = {name: NET.shapes()[name] for name in BUDGET}
    kept = counts(shapes, BUDGET)
    got = []
    for name in shapes:  # an update of one layer alone
        seen.clear()
        best.clear()
        rng, only = np.random.default_rng(0), {name: kept[name]}
        at = sparse.random_positions({name: shapes[name]}, {name: BUDGET[name]}, rng)[name]
        weight = SparseWeight(rng.standard_normal(kept[name]).astype(np.float32), at)
        g = FactoredGradient(*(rng.standard_normal((BATCH, n)).astype(np.float32) for n in at.shape))
        METHODS["rigl"].decide({name: weight}, Masks({name: at}), {name: g}, 2)
        got.append(sparse.training_memory(shapes, only, "rigl", "sparse", batch=BATCH, block=block)["update"])
        assert got[-1] == max(seen) + max(sum(part.nbytes for part in pair) for pair in best)
    whole = sparse.training_memory(shapes, kept, "rigl", "sparse", batch=BATCH, block=block)
    assert whole["update"] == max(got)
    assert sparse.training_memory(shapes, kept, "rigl", batch=BATCH, block=block)["update"] == 0


@pytest.mark.parametrize(("n_in", "n_out", "each"), [(60, 40, 4), (400, 40, 2), (40, 200, 10)])
def test_positions_of_units_with_as_many_connections_each_take_what_is_counted(n_in, n_out, each):
    mask = np.zeros((n_in, n_out), bool)
    for i in range(n_in):
        mask[i, (each * i + np.arange(each)) % n_out] = True
    model, rng = nn.mlp(n_in, n_out, 3), np.random.default_rng(0)
    params, at = sparse.compressed(model.init(rng), {"fc1.weight": mask})
    weight = params.pop("fc1.weight")
    loss = lambda p, x, rng: ops.sum(model(p, x))
    by_input = params | {"fc1.weight": SparseWeight(weight.values, at["fc1.weight"])}
    *_, last = train(loss, by_input, at, [np.ones((2, n_in), np.float32)], recipes.static(), rng)
    ours = sparse.training_memory(model.shapes(), at.counts, "static", "sparse")
    assert ours["masks"] == held(last.masks) + missing(at["fc1.weight"].layout.back)


def test_training_memory_by_hand():
    shapes = {"fc.weight": (3, 2), "fc.bias": (2,)}
    ours = sparse.training_memory(shapes, {"fc.weight": 4}, "snfs", batch=7)
    assert ours == {"weights": 32, "slots": 32, "masks": 30, "memory": 24, "gradients": 32, "update": 0}
    ours = sparse.training_memory(shapes, {"fc.weight": 4}, "rigl", "sparse", batch=7, alpha=0.5)
    assert ours == {
        "weights": 4 * (4 + 2), "slots": 4 * (4 + 2),
        "masks": 4 * (8 + 4 + 4 + 4) + 4 * (2 * (3 + 1) + 2 * (2 + 1)),
        "memory": 0, "gradients": 4 * (7 * (3 + 2) + 4 + 2), "update": 4 * 6 + 2 * (4 + 8),
    }  # fmt: skip


def test_training_memory_refuses_what_it_does_not_know():
    shapes = {"conv.weight": (3, 3, 1, 2), "fc.weight": (3, 2)}
    with pytest.raises(ValueError, match="method is 'adam'; expected dense, static"):
        sparse.training_memory(shapes, {}, "adam")
    with pytest.raises(ValueError, match="storage is 'csr'; expected masked or sparse"):
        sparse.training_memory(shapes, {}, "set", "csr")
    with pytest.raises(ValueError, match=r"n_active has \['fc9'\], which are not parameters"):
        sparse.training_memory(shapes, {"fc9": 1})
    with pytest.raises(ValueError, match=r"n_active of 'fc.weight' is 7; expected a whole number from 0 to 6"):
        sparse.training_memory(shapes, {"fc.weight": 7})
    with pytest.raises(ValueError, match=r"'conv.weight' has shape \(3, 3, 1, 2\); expected \(n_in, n_out\)"):
        sparse.training_memory(shapes, {"conv.weight": 2}, "set", "sparse")
    with pytest.raises(ValueError, match="batch is 0"):
        sparse.training_memory(shapes, {"fc.weight": 2}, "set", "sparse", batch=0)
