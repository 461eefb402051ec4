"""The primitives: one table drives the gradient checks, the comparison with naive twins and the dtype checks."""

import math
import operator
from importlib import import_module
from inspect import signature
from pathlib import Path

import numpy as np
import pytest
import slow_ops as slow
from arrays import back, give
from conv_calls import CONV_TABLE
from effort import examples, some
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays, mutually_broadcastable_shapes
from slow_sharing import slow_lookup

from minisparse import autograd, conv, ops, pool
from minisparse.autograd import Tensor, gradcheck, primitive, value_and_grad
from minisparse.backend import namespace
from minisparse.sparse import ImplicitWeight, Positions, SparseWeight, everywhere

NUMBERS = st.integers(-20, 20).map(lambda n: n / 10)

anywhere = lambda z: z
positive = lambda z: abs(z) + 0.5
off_zero = lambda z: np.where(z < 0, z - 0.1, z + 0.1)
off_one = lambda z: np.where(abs(z) < 1, 0.9 * z, 1.1 * z)


@st.composite
def one(draw, move=anywhere, **static):
    return (move(draw(arrays(float, draw(array_shapes(max_dims=3, max_side=3)), elements=NUMBERS))),), static


@st.composite
def two(draw, move=anywhere, signature=None):
    if signature is None:
        shapes = draw(mutually_broadcastable_shapes(num_shapes=2, max_dims=3, max_side=3))
    else:
        shapes = draw(mutually_broadcastable_shapes(signature=signature, max_dims=1, max_side=3))
    a, b = (draw(arrays(float, shape, elements=NUMBERS)) for shape in shapes.input_shapes)
    return (a, move(b)), {}


@st.composite
def layered(draw):
    n, n_in, n_out = (draw(st.integers(1, 4)) for _ in range(3))
    return tuple(draw(arrays(float, shape, elements=NUMBERS)) for shape in ((n, n_in), (n_in, n_out), (n_out,))), {}


@st.composite
def rectified(draw):
    """Sums off the kink, of multiples of 1/64, which are exact in single precision."""
    shapes, rng = (x.shape for x in draw(layered())[0]), np.random.default_rng(draw(st.integers(0, 2**32)))
    x, weight, bias = (rng.integers(-64, 65, shape) / 64 for shape in shapes)
    assume(abs(x @ weight + bias).min() > 1e-3)
    return (x, weight, bias), {}


@st.composite
def stored(draw):
    n, n_in, n_out = (draw(st.integers(1, 4)) for _ in range(3))
    flat = np.flatnonzero(draw(arrays(bool, n_in * n_out)))
    shapes = ((n, n_in), flat.shape, (n_out,))
    return tuple(draw(arrays(float, shape, elements=NUMBERS)) for shape in shapes), {
        "mask": Positions(flat, (n_in, n_out))
    }


@primitive
def of_values(values, mask):
    return SparseWeight(values, mask), (lambda g: g.at(mask),)


@primitive
def of_draws(values):
    drawn = ImplicitWeight(
        lambda *_: back(values).ravel(), np.random.default_rng(), everywhere({"w": values.shape})["w"], values.dtype
    )
    return drawn.moved(namespace(values).asarray), (lambda g: g.dense(),)


@st.composite
def reduced(draw):
    (x,), _ = draw(one())
    some = st.lists(st.integers(0, x.ndim - 1), unique=True).map(tuple)
    axis = draw(st.none() | st.integers(-x.ndim, x.ndim - 1) | some | some.map(lambda a: tuple(i - x.ndim for i in a)))
    return (x,), {"axis": axis, "keepdims": draw(st.booleans())}


@st.composite
def reshaped(draw):
    (x,), _ = draw(one())
    return (x,), {"shape": draw(st.sampled_from([(x.size,), (1, x.size), (*x.shape[::-1], 1), x.shape]))}


@st.composite
def transposed(draw):
    (x,), _ = draw(one())
    axes = draw(st.permutations(range(x.ndim)))
    signed = tuple(axis - x.ndim if draw(st.booleans()) else axis for axis in axes)
    return (x,), {"axes": draw(st.sampled_from([None, signed]))}


@st.composite
def classified(draw):
    logits = draw(arrays(float, draw(array_shapes(min_dims=2, max_dims=2, max_side=4)), elements=NUMBERS))
    labels = draw(arrays(int, len(logits), elements=st.integers(0, logits.shape[1] - 1)))
    return (logits,), {"labels": labels}


@st.composite
def looked_up(draw):
    mask = draw(arrays(bool, array_shapes(max_side=3)))
    values = draw(arrays(float, st.integers(1, 4), elements=NUMBERS))
    index = draw(arrays(int, int(mask.sum()), elements=st.integers(0, len(values) - 1)))
    return (values,), {"mask": mask, "index": index}


def entrywise(f):
    return lambda *xs: slow.each(f, *xs)


TABLE = {  # primitive: (naive twin, calls as (arrays that vary, other arguments), away from kinks)
    "add": (entrywise(operator.add), two()),
    "sub": (entrywise(operator.sub), two()),
    "mul": (entrywise(operator.mul), two()),
    "div": (entrywise(operator.truediv), two(positive)),
    "neg": (entrywise(operator.neg), one()),
    "matmul": (slow.matmul, two(signature="(m,n),(n,p)->(m,p)")),
    "linear": (slow.linear, layered()),
    "linear_relu": (lambda x, w, b: np.maximum(slow.linear(x, w, b), 0), rectified()),
    "linear, SparseWeight": (lambda x, v, b, mask: slow.linear(x, SparseWeight(v, mask).dense(), b), stored()),
    "linear, ImplicitWeight": (slow.linear, layered()),
    "exp": (entrywise(math.exp), one()),
    "log": (entrywise(math.log), one(positive)),
    "sqrt": (entrywise(math.sqrt), one(positive)),
    "abs": (entrywise(abs), one(off_zero)),
    "relu": (entrywise(lambda v: max(v, 0.0)), one(off_zero)),
    "sigmoid": (entrywise(slow.sigmoid), one()),
    "tanh": (entrywise(math.tanh), one()),
    "clip": (slow.clip, one(off_one, low=-1.0, high=1.0)),
    "reshape": (slow.reshape, reshaped()),
    "transpose": (slow.transpose, transposed()),
    "sum": (slow.total, reduced()),
    "mean": (slow.mean, reduced()),
    "softmax_cross_entropy": (slow.softmax_cross_entropy, classified()),
    "lookup": (slow_lookup, looked_up()),
    **CONV_TABLE,
}


def primitives_of_the_package():
    package = Path(autograd.__file__).parent
    for path in package.rglob("*.py"):
        if "\n@primitive" in path.read_text(encoding="utf-8"):
            module = import_module(".".join((package.name, *path.relative_to(package).with_suffix("").parts)))
            yield from (name for name, f in vars(module).items() if autograd.PRIMITIVES.get(name) is f)


def on(xp, static):
    moved = {name: v.moved(lambda a: give(xp, a)) for name, v in static.items() if isinstance(v, Positions)}
    return {name: give(xp, v) if isinstance(v, np.ndarray) else v for name, v in static.items()} | moved


def rule(name):
    """The primitive, as a function of arrays."""
    if name == "linear, SparseWeight":
        return lambda x, values, bias, mask: ops.linear(x, of_values(values, mask=mask), bias)
    if name == "linear, ImplicitWeight":
        return lambda x, values, bias: ops.linear(x, of_draws(values), bias)
    return autograd.PRIMITIVES[name]


def slope(f, x):
    """d sum(f(x)) / dx."""
    return back(value_and_grad(lambda p: ops.sum(f(p["x"])), {"x": x})[1]["x"])


def test_every_primitive_has_a_row_in_the_gradient_table():
    assert set(primitives_of_the_package()) == {name.partition(",")[0] for name in TABLE}


@pytest.mark.parametrize("name", TABLE)
@settings(max_examples=examples(50))
@given(data=st.data())
def test_the_tapes_derivative_is_the_central_difference(xp, name, data):
    points, static = data.draw(TABLE[name][1])
    static = on(xp, static)
    assert gradcheck(lambda *xs: rule(name)(*xs, **static), *(give(xp, a) for a in points)) < 1e-6


@pytest.mark.parametrize("name", TABLE)
@settings(max_examples=examples(50))
@given(data=st.data())
def test_a_primitive_computes_what_its_naive_twin_does(xp, name, data):
    twin, calls = TABLE[name]
    points, static = data.draw(calls)
    out = rule(name)(*(give(xp, a) for a in points), **on(xp, static))
    want = np.asarray(twin(*points, **static))
    assert isinstance(out, Tensor)
    assert out.shape == want.shape
    np.testing.assert_allclose(back(out.value), want, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("name", some(TABLE, every=2))
@settings(max_examples=examples(20))
@given(data=st.data())
def test_float32_in_gives_a_float32_result_and_float32_gradients(xp, name, data):
    twin, calls = TABLE[name]
    points, static = data.draw(calls)
    single = [a.astype(np.float32) for a in points]
    out = rule(name)(*(give(xp, a) for a in single), **on(xp, static))
    assert out.dtype == np.float32
    np.testing.assert_allclose(back(out.value), twin(*single, **static), rtol=1e-5, atol=1e-6)

    params = {str(i): give(xp, a) for i, a in enumerate(single)}
    loss_fn = lambda p: ops.sum(rule(name)(*p.values(), **on(xp, static)))
    loss, grads = value_and_grad(loss_fn, params)
    assert loss.dtype == np.float32
    for i, a in enumerate(single):
        assert grads[str(i)].dtype == np.float32
        assert grads[str(i)].shape == a.shape


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_kinks_have_slope_zero(xp, dtype):
    zeros, edges = give(xp, np.array([0.0, -0.0], dtype)), give(xp, np.array([-1.0, 2.0], dtype))
    assert slope(ops.relu, zeros).tolist() == [0, 0]
    assert slope(ops.abs, zeros).tolist() == [0, 0]
    assert slope(lambda x: ops.clip(x, -1.0, 2.0), edges).tolist() == [0, 0]


def test_slopes_beside_the_kinks(xp):
    x = give(xp, np.array([-3.0, -0.5, 0.5, 3.0]))
    assert slope(ops.relu, x).tolist() == [0, 0, 1, 1]
    assert slope(ops.abs, x).tolist() == [-1, -1, 1, 1]
    assert slope(lambda x: ops.clip(x, -1.0, 1.0), x).tolist() == [0, 1, 1, 0]


@pytest.mark.parametrize("name", ["neg", "exp", "log", "sqrt", "abs", "relu", "sigmoid", "tanh", "sum", "mean"])
def test_one_number_is_an_array_like_others(xp, name):
    op = getattr(ops, name)
    assert float(op(give(xp, np.array(0.5))).value) == float(op(give(xp, np.array([0.5]))).value.sum())
    slope_of_one = value_and_grad(lambda p: op(p["x"] * 1.0), {"x": give(xp, np.array(0.5))})[1]["x"]
    assert slope_of_one.shape == ()
    assert float(slope_of_one) == slope(op, give(xp, np.array([0.5]))).tolist()[0]


def test_clip_takes_its_limits_by_name(xp):
    assert ops.clip(give(xp, np.array([-3.0, 3.0])), low=-1, high=2).value.tolist() == [-1, 2]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sigmoid_saturates_without_overflow(xp, dtype):
    x = give(xp, np.array([-1e3, -200, 0, 200, 1e3], dtype))
    y = ops.sigmoid(x)
    assert y.dtype == dtype
    np.testing.assert_allclose(back(y.value), [0, math.exp(-200), 0.5, 1, 1], rtol=1e-12, atol=1e-44)
    np.testing.assert_allclose(slope(ops.sigmoid, x), [0, math.exp(-200), 0.25, 0, 0], rtol=1e-12, atol=1e-44)


def test_small_sigmoids_keep_their_digits(xp):
    y = ops.sigmoid(give(xp, np.array([-40.0, -300.0])))
    np.testing.assert_allclose(back(y.value), [math.exp(-40), math.exp(-300)], rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_softmax_cross_entropy_at_extreme_logits(xp, dtype):
    logits = give(xp, np.array([[1e3, -1e3], [1e3, -1e3], [-1e3, -1e3]], dtype))
    loss_fn = lambda p: ops.softmax_cross_entropy(p["logits"], give(xp, np.array([0, 1, 0])))
    loss, grads = value_and_grad(loss_fn, {"logits": logits})
    np.testing.assert_allclose(float(loss), (0 + 2000 + math.log(2)) / 3, rtol=1e-6)
    np.testing.assert_allclose(back(grads["logits"]) * 3, [[0, 0], [1, -1], [-0.5, 0.5]], rtol=1e-6)


@settings(max_examples=examples(50))
@given(call=classified())
def test_the_gradient_of_cross_entropy_is_softmax_minus_one_hot_over_the_batch(xp, call):
    (logits,), labels = call[0], call[1]["labels"]
    want = np.array([slow.softmax([float(v) for v in row]) for row in logits])
    want[np.arange(len(labels)), labels] -= 1
    loss_fn = lambda p: ops.softmax_cross_entropy(p["z"], labels=give(xp, labels))
    grads = value_and_grad(loss_fn, {"z": give(xp, logits)})[1]
    np.testing.assert_allclose(back(grads["z"]), want / len(labels), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.int64])
def test_labels_come_by_position_or_by_name_in_any_integer_dtype(xp, dtype):
    logits, labels = give(xp, np.array([[1.0, 2.0, 4.0], [0.5, 0.0, 0.0]])), give(xp, np.array([2, 0], dtype))
    want = slow.softmax_cross_entropy(back(logits), back(labels))
    assert float(ops.softmax_cross_entropy(logits, labels).value) == pytest.approx(want, rel=1e-12)
    assert float(ops.softmax_cross_entropy(logits, labels=labels).value) == pytest.approx(want, rel=1e-12)


@pytest.mark.parametrize(
    ("shape", "labels", "error", "says"),
    [
        ((2, 3), [0, 3], ValueError, "0 to 2"),
        ((2, 3), [-1, 0], ValueError, "-1"),
        ((2, 3), [0.0, 1.0], TypeError, "float64"),
        ((2, 3), [True, False], TypeError, "bool"),
        ((2, 3), [0, 1, 2], ValueError, r"\(3,\)"),
        ((2, 3), [[0], [1]], ValueError, r"\(2, 1\)"),
        ((3,), [0, 1, 2], ValueError, r"\(3,\)"),
        ((0, 3), [], ValueError, "N > 0"),
    ],
)
def test_labels_that_do_not_fit_are_refused(xp, shape, labels, error, says):
    labels = np.array(labels) if labels else np.zeros(0, int)
    with pytest.raises(error, match=says):
        ops.softmax_cross_entropy(give(xp, np.ones(shape)), give(xp, labels))


SIGNS = [operator.add, operator.sub, operator.mul, operator.truediv]


@pytest.mark.parametrize("sign", SIGNS)
def test_operators_work_between_tensors_arrays_and_numbers_from_either_side(xp, sign):
    a, b = np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([5.0, 7.0])
    x, y, plain = Tensor(give(xp, a)), Tensor(give(xp, b)), give(xp, b)
    for got, want in [
        (sign(x, y), sign(a, b)),
        (sign(y, x), sign(b, a)),
        (sign(x, plain), sign(a, b)),
        (sign(plain, x), sign(b, a)),
        (sign(x, 2), sign(a, 2)),
        (sign(2, x), sign(2, a)),
        (sign(x, 0.5), sign(a, 0.5)),
        (sign(0.5, x), sign(0.5, a)),
    ]:
        assert isinstance(got, Tensor)
        np.testing.assert_array_equal(back(got.value), want)


@pytest.mark.parametrize("sign", SIGNS)
def test_reflected_operators_differentiate_their_right_side(xp, sign):
    a, b = give(xp, np.array([2.0, 3.0])), give(xp, np.array([0.5, 4.0]))
    assert gradcheck(lambda x: sign(b, x), a) < 1e-6
    assert gradcheck(lambda x: sign(3, x), a) < 1e-6


@pytest.mark.parametrize(
    ("f", "x"),
    [
        (lambda x: x * 1e-20 * 1e10, 1e300),
        (lambda x: 1e-20 * x * 1e10, 1e300),
        (lambda x: x / np.full(2, 1e200), 1e300),
        (lambda x: 1e-250 / x * 1e200, 1e-150),
    ],
    ids=["a right factor", "a left factor", "a divisor", "a dividend"],
)
def test_the_gradient_of_a_constant_is_not_computed(f, x):
    """It would overflow here, with a warning."""
    value, grads = value_and_grad(lambda p: ops.sum(f(p["x"])), {"x": np.full(2, x)})
    assert np.isfinite(value)
    assert np.isfinite(grads["x"]).all()


def test_matmul_has_a_sign_and_neg_too(xp):
    a, b = np.arange(6.0).reshape(2, 3), np.arange(12.0).reshape(3, 4)
    x, y = Tensor(give(xp, a)), Tensor(give(xp, b))
    for got in (x @ y, x @ give(xp, b), give(xp, a) @ y):
        assert isinstance(got, Tensor)
        np.testing.assert_array_equal(back(got.value), a @ b)
    np.testing.assert_array_equal(back((-x).value), -a)


@pytest.mark.parametrize("number", [2, 0.5])
@pytest.mark.parametrize("sign", SIGNS)
def test_python_numbers_leave_float32_alone(xp, sign, number):
    x = Tensor(give(xp, np.ones(2, np.float32)))
    assert sign(x, number).dtype == sign(number, x).dtype == np.float32


@pytest.mark.parametrize("shapes", [((3,), (3,)), ((2, 3), (3,)), ((2, 3), (2, 3)), ((2, 2, 3), (4, 5))])
def test_matmul_refuses_shapes_that_do_not_meet(xp, shapes):
    with pytest.raises(ValueError, match="matmul got shapes"):
        ops.matmul(*(give(xp, np.ones(shape)) for shape in shapes))


@pytest.mark.parametrize("axes", [(0,), (0, 0), (0, 2), (0, -3)])
def test_transpose_refuses_axes_that_are_no_permutation(xp, axes):
    with pytest.raises(ValueError, match=r"."):
        ops.transpose(give(xp, np.ones((2, 3))), axes)


def test_gradients_of_turned_cubes_turn_back(xp):
    cube, weights = np.arange(27.0).reshape(3, 3, 3), np.arange(27.0).reshape(3, 3, 3) ** 2
    loss_fn = lambda x: ops.transpose(x, (1, 2, 0)) * give(xp, weights)
    np.testing.assert_array_equal(slope(loss_fn, give(xp, cube)), slow.transpose(weights, (2, 0, 1)))


def test_reshape_works_out_one_axis_itself(xp):
    assert ops.reshape(give(xp, np.ones((2, 3, 4))), (2, -1)).shape == (2, 12)
    assert slope(lambda x: ops.reshape(x, (-1,)), give(xp, np.ones((2, 3)))).shape == (2, 3)


def test_primitives_of_plain_arrays_are_constants(xp):
    x = Tensor(give(xp, np.ones(2)))
    constant = ops.exp(give(xp, np.ones(2)))
    end = ops.sum(ops.mul(x, constant))
    assert constant.line not in autograd.backward(end)
    assert set(autograd.backward(end)) == {t.line for t in autograd.tape(end)}


def test_clip_keeps_float32_whatever_its_bounds_are(xp):
    x = give(xp, np.linspace(-2, 2, 5, dtype=np.float32))
    assert ops.clip(x, np.float64(-1), np.float64(1)).dtype == np.float32


WHOLE = [np.uint8, np.int64, bool]


def counted(points):
    """Whole numbers from 1 that fit every whole dtype, in the shapes of the points, and those points in float32."""
    return [np.minimum(np.abs(np.rint(a * 8)), 100) + 1 for a in points]


@pytest.mark.parametrize("name", some(TABLE, every=2))
@settings(max_examples=examples(20))
@given(data=st.data())
def test_whole_numbers_give_what_the_same_numbers_in_floating_point_give(xp, name, data):
    points, static = data.draw(TABLE[name][1])
    dtype, numbers = data.draw(st.sampled_from(WHOLE)), counted(points)
    fits = [np.minimum(a, 1) if dtype is bool else a for a in numbers]
    which = data.draw(st.integers(0, len(points) - 1))
    if "," in name:
        which = 0  # values of stored weights are floating-point numbers
    single = [give(xp, a.astype(np.float32)) for a in (*numbers[:which], fits[which], *numbers[which + 1 :])]
    whole = give(xp, fits[which].astype(dtype))
    f, static = rule(name), on(xp, static)

    def loss(x):
        return lambda p: ops.sum(f(*(x if i == which else p[str(i)] for i in range(len(points))), **static))

    params = {str(i): a for i, a in enumerate(single) if i != which}
    got, want = (value_and_grad(loss(x), params) for x in (whole, single[which])) if params else ((), ())
    if params:
        assert float(got[0]) == float(want[0])
        for key in params:
            np.testing.assert_array_equal(back(got[1][key]), back(want[1][key]))
    alone = f(*(whole if i == which else a for i, a in enumerate(single)), **static)
    same = f(*single, **static)
    assert alone.dtype == (np.float64 if dtype is np.int64 and len(points) == 1 else np.float32)
    np.testing.assert_allclose(back(alone.value), back(same.value), rtol=1e-5, atol=1e-6)  # float32 beside float64


@pytest.mark.parametrize("name", some([name for name in TABLE if "," not in name], every=2))
@settings(max_examples=examples(20))
@given(data=st.data())
def test_float16_is_computed_in_float32_and_rounded_once(xp, name, data):
    points, static = data.draw(TABLE[name][1])
    half, static = [a.astype(np.float16) for a in points], on(xp, static)
    loss = lambda p: ops.sum(rule(name)(*p.values(), **static))
    (got, to), (want, wanted) = (
        value_and_grad(loss, {str(i): give(xp, a.astype(dtype)) for i, a in enumerate(half)})
        for dtype in (np.float16, np.float32)
    )
    out = [rule(name)(*(give(xp, a.astype(dtype)) for a in half), **static) for dtype in (np.float16, np.float32)]
    np.testing.assert_array_equal(back(out[0].value), back(out[1].value).astype(np.float16))
    assert got.dtype == np.float16
    np.testing.assert_allclose(back(got), back(want), rtol=0.05, atol=0.05)
    for key in to:
        np.testing.assert_array_equal(back(to[key]), back(wanted[key]).astype(np.float16))


def test_sums_in_float16_do_not_overflow_on_their_way(xp):
    x = give(xp, np.array([60_000, 60_000, -60_000, -60_000, 1], np.float16))
    wide = give(xp, np.full((1, 300, 300, 2), 3, np.float16))
    assert float(ops.sum(x).value) == 1
    assert float(ops.mean(wide).value) == 3
    assert back(pool.avg_pool2d(wide, 300).value).ravel().tolist() == [3, 3]
    assert back(pool.global_avg_pool(wide).value).ravel().tolist() == [3, 3]
    column = give(xp, np.ones((5, 1), np.float16))
    assert back(ops.linear(x.reshape(1, 5), column, give(xp, np.zeros(1, np.float16))).value).tolist() == [[1]]
    stretched = value_and_grad(lambda p: ops.sum(p["a"] * x), {"a": give(xp, np.ones(1, np.float16))})[1]["a"]
    assert back(stretched).tolist() == [1]
    logits = give(xp, np.zeros((1, 70_000), np.float16))
    loss = ops.softmax_cross_entropy(logits, give(xp, np.array([3])))
    assert float(loss.value) == pytest.approx(math.log(70_000), rel=1e-3)


@pytest.mark.parametrize("name", some([name for name in TABLE if "," not in name], every=2))
@settings(max_examples=examples(20))
@given(data=st.data())
def test_arguments_by_name_are_the_same_arguments(xp, name, data):
    points, static = data.draw(TABLE[name][1])
    names, static = list(signature(rule(name)).parameters)[: len(points)], on(xp, static)
    split = data.draw(st.integers(0, len(points) - 1))
    params = {key: give(xp, a) for key, a in zip(names, points, strict=True)}
    placed = lambda p: ops.sum(rule(name)(*p.values(), **static))
    named = lambda p: ops.sum(rule(name)(*list(p.values())[:split], **{n: p[n] for n in names[split:]}, **static))
    (loss, grads), (want, wanted) = (value_and_grad(f, params) for f in (named, placed))
    assert float(loss) == float(want)
    for key in names:
        np.testing.assert_array_equal(back(grads[key]), back(wanted[key]))


def test_a_bias_by_name_gets_its_gradient(xp):
    x, kernel, bias = (give(xp, np.ones(shape)) for shape in ((2, 4, 4, 1), (3, 3, 1, 2), (2,)))
    grads = value_and_grad(lambda p: ops.sum(conv.conv2d(x, p["k"], bias=p["b"])), {"k": kernel, "b": bias})[1]
    assert back(grads["b"]).tolist() == [8, 8]


def test_a_tensor_where_there_is_no_gradient_is_refused(xp):
    x, labels = give(xp, np.zeros((2, 3))), give(xp, np.array([0, 1]))
    low = {"x": x, "low": give(xp, np.array(0.0))}
    with pytest.raises(TypeError, match="clip has no gradient for its argument 1, a Tensor"):
        value_and_grad(lambda p: ops.sum(ops.clip(p["x"], p["low"], 1)), low)
    with pytest.raises(TypeError, match="labels have dtype float"):
        ops.softmax_cross_entropy(x, Tensor(give(xp, np.array([0.0, 1.0]))))
    with pytest.raises(TypeError, match="add got an array of dtype complex128; expected real numbers"):
        ops.add(x, give(xp, np.array(1j)))
    assert ops.softmax_cross_entropy(give(xp, np.zeros((2, 3), np.uint8)), labels).dtype == np.float32


@pytest.mark.parametrize(
    "shapes", [((5, 5, 1), (1, 2)), ((4, 4, 4), (4, 2)), ((3,), (3, 2)), ((2, 3), (4, 2)), ((2, 3), (3,))]
)
@pytest.mark.parametrize("storage", ["array", "sparse", "implicit"])
def test_a_linear_layer_of_other_axes_is_refused(xp, shapes, storage):
    x, weight = (give(xp, np.ones(shape)) for shape in shapes)
    if storage != "array" and len(shapes[1]) == 2:
        every = Positions(np.arange(weight.size), weight.shape).moved(lambda a: give(xp, a))
        weight = of_values(weight.ravel(), mask=every) if storage == "sparse" else of_draws(weight)
    with pytest.raises(ValueError, match=r"x has shape .*; expected \(N, n_in\), \(n_in, n_out\) and \(n_out,\)"):
        ops.linear(x, weight, give(xp, np.ones(2)))
    with pytest.raises(ValueError, match=r"bias \(1,\); expected"):
        ops.linear(give(xp, np.ones((2, 3))), give(xp, np.ones((3, 4))), give(xp, np.ones(1)))


def test_a_mean_of_no_numbers_is_refused_and_one_of_none_is_none(xp):
    with pytest.raises(ValueError, match=r"x has shape \(0, 3\); expected at least one number along axis 0"):
        ops.mean(give(xp, np.ones((0, 3))), axis=0)
    empty = give(xp, np.ones((0, 3)))
    assert ops.mean(empty, axis=1).shape == (0,)
    assert back(value_and_grad(lambda p: ops.sum(ops.mean(p["x"], axis=1)), {"x": empty})[1]["x"]).shape == (0, 3)


@pytest.mark.parametrize("compare", [operator.eq, operator.ne, operator.lt, operator.le, operator.gt, operator.ge])
@pytest.mark.parametrize("other", ["number", "array", "Tensor"])
def test_comparisons_of_tensors_are_those_of_their_values(xp, compare, other):
    a, b = np.array([0.0, 2.0, 3.0]), np.array([0.0, 3.0, 2.0])
    second = {"number": 2, "array": give(xp, b), "Tensor": Tensor(give(xp, b))}[other]
    got = compare(Tensor(give(xp, a)), second)
    assert not isinstance(got, Tensor)
    assert back(got).tolist() == compare(a, 2 if other == "number" else b).tolist()
    if other == "array" and xp is np:
        assert compare(b, Tensor(a)).tolist() == compare(b, a).tolist()
    weight = {"w": give(xp, a)}
    grads = value_and_grad(lambda p: ops.sum(p["w"] * compare(p["w"], second)), weight)[1]["w"]
    assert back(grads).tolist() == compare(a, 2 if other == "number" else b).astype(float).tolist()


def test_a_tensor_is_true_as_its_number_has_a_length_and_hashes_by_its_line(xp):
    zero, one, two = (Tensor(give(xp, np.array(a))) for a in (0.0, [1.0], [1.0, 2.0]))
    assert (bool(zero), bool(one), len(two)) == (False, True, 2)
    assert len({zero, one, two, zero}) == 3
    with pytest.raises(ValueError, match=r"a Tensor of shape \(2,\) is neither true nor false"):
        bool(two)


@pytest.mark.parametrize(
    "use",
    [np.asarray, np.array, float, int, complex, round, operator.index, math.exp, lambda t: [1, 2][t], np.mean],
)
def test_what_would_lose_its_gradient_is_refused(xp, use):
    with pytest.raises(TypeError, match=r"a Tensor of shape \(\) would lose its gradient"):
        use(Tensor(give(xp, np.array(1.0))))


@pytest.mark.parametrize("use", [iter, list, lambda t: t[0], lambda t: 1.0 in t, max])
def test_entries_of_a_tensor_are_not_for_picking(xp, use):
    with pytest.raises(TypeError, match=r"a Tensor of shape \(2,\) has no entries to pick"):
        use(Tensor(give(xp, np.ones(2))))
