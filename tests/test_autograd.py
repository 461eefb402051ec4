"""The tape and the way back along it."""

import numpy as np
import pytest
import slow_ops as slow
from arrays import back, give, give_all
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from minisparse import autograd, nn, ops
from minisparse.autograd import Tensor, backward, gradcheck, primitive, tape, value_and_grad
from minisparse.backend import namespace


@pytest.fixture(autouse=True)
def _own_primitives(monkeypatch):
    """Primitives made by a test are gone after it."""
    monkeypatch.setattr(autograd, "PRIMITIVES", dict(autograd.PRIMITIVES))


def vector(xp, *numbers):
    return give(xp, np.array(numbers, dtype=float))


def test_a_line_of_the_tape_prints_as_its_operation_and_shape(xp):
    x, y = Tensor(vector(xp, 1, 2)), Tensor(vector(xp, 3, 4))
    z = x * y
    assert repr(z) == f"%{z.line} = mul(%{x.line}, %{y.line}) (2,)"


def test_a_tensor_tells_its_shape_dtype_and_parents(xp):
    x = Tensor(give(xp, np.ones((2, 3), np.float32)))
    y = ops.exp(x)
    assert (y.shape, y.dtype, y.parents, x.parents) == ((2, 3), np.float32, (x,), ())


def test_the_tape_lists_what_the_end_depends_on_oldest_first_and_once(xp):
    x = Tensor(vector(xp, 1, 2))
    y = ops.exp(x)
    unrelated = ops.exp(y)
    z = x * y
    end = ops.sum(z + z)
    lines = tape(end)
    assert [t.line for t in lines] == sorted({t.line for t in lines})
    assert lines[0] is x
    assert lines[-1] is end
    assert len(lines) == 5
    assert unrelated.line not in {t.line for t in lines}
    for i, t in enumerate(lines):
        assert {parent.line for parent in t.parents} <= {line.line for line in lines[:i]}


@pytest.mark.long
def test_a_chain_of_100_000_additions_neither_overflows_the_stack_nor_when_it_is_deleted(xp):
    x = Tensor(vector(xp, 1.0))
    end = x
    for _ in range(100_000):
        end = end + 1.0
    grads = backward(end)
    assert back(grads[x.line]).tolist() == [1]
    assert back(end.value).tolist() == [100_001]
    del end, grads, x


def test_gradients_of_a_line_used_twice_add_up_in_linear_time(xp):
    def doubled_sixty_times(p):
        x = p["x"]
        for _ in range(60):
            x = x + x
        return x

    assert float(value_and_grad(doubled_sixty_times, {"x": give(xp, np.array(1.0))})[1]["x"]) == 2.0**60


@settings(max_examples=examples(50))
@given(program=st.lists(st.tuples(st.sampled_from("+-*"), st.integers(0, 9), st.integers(0, 9)), max_size=8))
def test_any_net_of_operations_has_the_gradient_of_its_central_difference(xp, program):
    signs = {"+": ops.add, "-": ops.sub, "*": lambda a, b: ops.mul(ops.tanh(a), b)}

    def run(x, y):
        lines = [x, y]
        for sign, i, j in program:
            lines.append(signs[sign](lines[i % len(lines)], lines[j % len(lines)]))
        return lines[-1]

    assert gradcheck(run, vector(xp, 0.3, -1.2), vector(xp, 0.7, 0.4)) < 1e-6


def test_a_primitive_with_one_pullback_returns_a_gradient_for_each_argument(xp):
    @primitive
    def weighed(a, b, by=1.0):
        return by * a * b, lambda g: (by * g * b, by * g * a)

    assert gradcheck(weighed, vector(xp, 1, 2), vector(xp, 3, 4)) < 1e-6
    assert gradcheck(lambda a, b: weighed(a, b, by=3.0), vector(xp, 1, 2), vector(xp, 3, 4)) < 1e-6
    assert (weighed.__name__, autograd.PRIMITIVES["weighed"]) == ("weighed", weighed)


def test_of_a_tuple_of_pullbacks_only_those_that_lead_to_a_leaf_are_called(xp):
    called = []

    @primitive
    def dear(a, b):
        """Two dear pullbacks."""
        return a * b, (lambda g: called.append("a") or g * b, lambda g: called.append("b") or g * a)

    x, fixed = Tensor(vector(xp, 1, 2)), vector(xp, 3, 4)
    assert back(backward(ops.sum(dear(x, fixed)))[x.line]).tolist() == [3, 4]
    assert called == ["a"]
    called.clear()
    assert back(backward(ops.sum(dear(ops.exp(fixed * 0), x)))[x.line]).tolist() == [1, 1]
    assert called == ["b"]
    called.clear()
    assert gradcheck(dear, vector(xp, 1, 2), vector(xp, 3, 4)) < 1e-6
    assert called == ["a", "b"]
    assert dear.__doc__ == "Two dear pullbacks."


def test_constants_have_no_gradient_and_leave_the_tape(xp):
    x = Tensor(vector(xp, 1, 2))
    constant = ops.exp(vector(xp, 0, 0))
    end = ops.sum(x * constant)
    assert constant.line not in backward(end)
    assert not constant.parents


def test_backward_gives_the_gradient_of_every_line_on_the_tape(xp):
    x = Tensor(vector(xp, 1, 2))
    y = x * 3.0
    end = ops.sum(y)
    grads = {line: back(g).tolist() for line, g in backward(end).items()}
    assert grads == {x.line: [3, 3], y.line: [1, 1], end.line: 1}


@pytest.mark.parametrize("shape", [(4,), (1, 4), (3, 1), (1, 1), (), (1,), (3, 4)])
def test_gradients_of_stretched_arguments_are_summed_back(xp, shape):
    wide = np.arange(12.0).reshape(3, 4)
    params = {"wide": give(xp, wide), "narrow": give(xp, np.full(shape, 2.0))}
    grads = value_and_grad(lambda p: ops.sum(p["wide"] * p["narrow"]), params)[1]
    stretched = [i for i in range(2) if ((1,) * (2 - len(shape)) + shape)[i] == 1]
    np.testing.assert_array_equal(back(grads["narrow"]), slow.total(wide, tuple(stretched), True).reshape(shape))
    np.testing.assert_array_equal(back(grads["wide"]), np.full((3, 4), 2.0))


def test_backward_starts_from_a_scalar_only(xp):
    with pytest.raises(ValueError, match=r"shape \(2,\)"):
        backward(ops.exp(Tensor(vector(xp, 1, 2))))


def test_backward_of_a_leaf_is_one(xp):
    x = Tensor(give(xp, np.array(5.0)))
    assert {line: float(g) for line, g in backward(x).items()} == {x.line: 1.0}


def test_value_and_grad_returns_arrays_under_the_same_keys_shapes_and_dtypes(xp):
    params = give_all(xp, {"b": np.ones((2, 1), np.float32), "a": np.ones((3,)), "unused": np.ones((2, 2), np.float32)})
    loss, grads = value_and_grad(lambda p: ops.sum(p["a"] * p["b"]), params)
    assert float(loss) == 6
    assert list(grads) == list(params)
    for name, array in params.items():
        assert type(grads[name]) is type(array)
        assert (grads[name].shape, grads[name].dtype) == (array.shape, array.dtype)
    assert back(grads["unused"]).tolist() == [[0, 0], [0, 0]]
    assert back(grads["b"]).tolist() == [[3], [3]]


LOSSES = {
    "sums": lambda p: ops.sum(p["a"]) + ops.sum(p["b"]),
    "sum of sums": lambda p: ops.sum(p["a"] + p["b"]),
    "differences": lambda p: ops.sum(p["a"] - p["b"]),
    "reshaped": lambda p: ops.sum(ops.reshape(p["a"] + p["b"], (4,))),
    "turned": lambda p: ops.sum(ops.transpose(p["a"]) + p["b"]),
    "each other's": lambda p: ops.sum(p["a"] * p["b"]),
    "none": lambda p: ops.sum(ops.exp(p["a"] * 0)) * 0,
}


@pytest.mark.parametrize("loss_fn", LOSSES.values(), ids=LOSSES)
def test_gradients_are_the_callers_own(xp, loss_fn):
    given = {"a": np.ones((2, 2)), "b": np.full((2, 2), 2.0), "c": np.zeros((2, 2))}
    params = {name: xp.asarray(array.copy()) for name, array in given.items()}
    grads = value_and_grad(loss_fn, params)[1]
    for written in grads:
        before = {name: back(g).copy() for name, g in grads.items()}
        grads[written] += 1
        np.testing.assert_array_equal(back(grads[written]), before[written] + 1)
        for name in grads.keys() - {written}:
            np.testing.assert_array_equal(back(grads[name]), before[name])
    for name, array in given.items():
        np.testing.assert_array_equal(back(params[name]), array)


@pytest.mark.parametrize("loss_fn", [lambda p: p["a"], lambda p: ops.reshape(p["a"], ())], ids=["itself", "a view"])
def test_the_loss_is_the_callers_own(xp, loss_fn):
    params = {"a": xp.asarray(np.array(1.0))}
    loss, _ = value_and_grad(loss_fn, params)
    params["a"][()] = 5.0
    assert float(loss) == 1.0


def test_backward_leaves_weights_unchanged_byte_for_byte(xp):
    model = nn.mlp(5, 4, 3)
    params = give_all(xp, model.init(np.random.default_rng(0)))
    before = {name: back(w).tobytes() for name, w in params.items()}
    x = give(xp, np.random.default_rng(1).standard_normal((6, 5)).astype(np.float32))
    labels = give(xp, np.array([0, 1, 2, 0, 1, 2]))
    value_and_grad(lambda p: ops.softmax_cross_entropy(model(p, x), labels), params)
    assert {name: back(w).tobytes() for name, w in params.items()} == before


def test_value_and_grad_names_what_is_wrong(xp):
    params = {"a": vector(xp, 1, 2)}
    with pytest.raises(ValueError, match=r"shape \(2,\)"):
        value_and_grad(lambda p: p["a"], params)
    with pytest.raises(TypeError, match="float"):
        value_and_grad(lambda p: 1.0, params)
    with pytest.raises(TypeError, match="int64"):
        value_and_grad(lambda p: ops.sum(p["a"]), {"a": give(xp, np.array([1, 2]))})


@pytest.mark.parametrize("dtype", [np.int64, np.uint8, np.bool_])
def test_a_tensor_of_whole_numbers_is_refused(xp, dtype):
    with pytest.raises(TypeError, match=np.dtype(dtype).name):
        Tensor(give(xp, np.array([0, 1]).astype(dtype)))


def test_a_tensor_of_something_else_is_refused():
    with pytest.raises(TypeError, match="str"):
        Tensor("1.0")


def test_python_numbers_and_lists_become_float64():
    assert (Tensor(3).dtype, Tensor([1, 2]).dtype) == (np.float64, np.float64)
    assert Tensor([1, 2]).shape == (2,)


def test_numpy_does_not_take_a_tensor_apart():
    with pytest.raises(TypeError):
        np.exp(Tensor([1.0, 2.0]))


@pytest.mark.parametrize("f", [ops.relu, ops.abs, lambda x: ops.clip(x, 0.0, 1.0)])
def test_gradcheck_refuses_a_kink(xp, f):
    with pytest.raises(ValueError, match="kink"):
        gradcheck(f, vector(xp, 0.0, 0.5))


def test_gradcheck_finds_a_derivative_taken_at_the_wrong_place(xp):
    def sigmoid_of(derivative_at):
        @primitive
        def wrong(x):
            y = ops.sigmoid(x).value
            at = ops.sigmoid(y).value if derivative_at == "sigmoid of sigmoid" else y
            return y, lambda g: (g * at * (1 - at),)

        return wrong

    points = np.linspace(-2, 2, 5)
    assert gradcheck(sigmoid_of("x"), give(xp, points)) < 1e-6
    for seed in range(5):
        assert gradcheck(sigmoid_of("sigmoid of sigmoid"), give(xp, points), seed=seed) > 1e-3


def test_gradcheck_looks_at_every_argument(xp):
    @primitive
    def half_right(a, b):
        return a * b, lambda g: (g * b, 1.01 * g * a)

    assert gradcheck(half_right, vector(xp, 1, 2), vector(xp, 3, 4)) > 1e-4


def test_gradcheck_works_in_float64_and_repeats_itself(xp):
    x = give(xp, np.array([0.3, 0.4], np.float32))
    assert gradcheck(ops.exp, x) < 1e-6
    assert gradcheck(ops.exp, x, seed=3) == gradcheck(ops.exp, x, seed=3)
    assert gradcheck(ops.exp, x, eps=1e-2) > gradcheck(ops.exp, x, eps=1e-5)


def test_gradcheck_is_relative_to_the_larger_slope(xp):
    @primitive
    def steep(x):
        return 1e6 * x, lambda g: (2e6 * g,)

    assert gradcheck(steep, vector(xp, 1.0)) == pytest.approx(0.5, rel=1e-6)


def test_a_loss_with_an_axis_is_refused_though_it_has_one_entry(xp):
    with pytest.raises(ValueError, match=r"the loss has shape \(1,\); expected a scalar"):
        value_and_grad(lambda p: p["a"] * 2.0, {"a": give(xp, np.ones(1))})


@pytest.mark.parametrize("dtype", [int, bool, np.uint8, complex])
def test_a_parameter_that_is_no_floating_point_array_is_refused_by_name(xp, dtype):
    with pytest.raises(TypeError, match=r"parameter 'w': a Tensor of dtype .* has no gradient"):
        value_and_grad(lambda p: ops.sum(p["w"]), {"w": give(xp, np.ones(2, dtype))})


@pytest.mark.parametrize(("dtype", "becomes"), [(np.uint8, "f4"), (bool, "f4"), (int, "f8"), (np.float16, "f2")])
def test_constants_are_floating_point_numbers(xp, dtype, becomes):
    assert autograd.as_tensor(give(xp, np.ones(2, dtype))).dtype == np.dtype(becomes)


def test_a_rule_of_ones_own_gets_its_index_as_it_is_and_must_give_floating_point_numbers(xp):
    @primitive
    def picked(x, index):
        def pull(g):
            back_to = namespace(x).zeros_like(x)
            back_to[index] = g
            return back_to

        return x[index], (pull,)

    index = give(xp, np.array([2, 0]))
    grad = value_and_grad(lambda p: ops.sum(picked(p["x"], index=index)), {"x": vector(xp, 1, 2, 3)})[1]["x"]
    assert back(grad).tolist() == [1, 0, 1]
    with pytest.raises(TypeError, match="picked gives uint8; expected a floating-point array"):
        picked(give(xp, np.ones(3, np.uint8)), index)


def test_tensors_by_name_go_to_their_places_and_not_where_there_is_none(xp):
    @primitive
    def weighed(a, b, *, by=1.0):
        return by * a * b, (lambda g: by * g * b, lambda g: by * g * a)

    params = {"a": vector(xp, 1, 2), "b": vector(xp, 3, 4)}
    grads = value_and_grad(lambda p: ops.sum(weighed(b=p["b"], a=p["a"], by=2.0)), params)[1]
    assert back(grads["a"]).tolist() == [6, 8]
    assert back(grads["b"]).tolist() == [2, 4]
    with pytest.raises(TypeError, match="by is a Tensor, which the rule takes by name only"):
        weighed(params["a"], params["b"], by=Tensor(params["a"]))
    with pytest.raises(TypeError, match="missing a required argument: 'a'"):
        weighed(b=Tensor(params["b"]))
