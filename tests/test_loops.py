"""The loops that Numba compiles: as Python, as machine code, and as what replaces them without Numba."""

import subprocess
import sys

import numpy as np
import pytest
from arrays import back, give
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from minisparse import loops, sparse, threads
from minisparse.optim import sgd
from minisparse.sparse import FactoredGradient, SparseWeight, by_fan_in, products
from minisparse.sparse.positions import Positions

DTYPES = ["float32", "float64"]


def whole_numbers(rng, *shape, dtype):
    return rng.integers(-3, 4, shape).astype(dtype)


@settings(max_examples=examples(60))
@given(st.integers(0, 2**32 - 1), st.sampled_from(DTYPES), st.sampled_from([(0,), (1,), (37,), (3, 5), (2, 3, 4), ()]))
def test_times_plus_has_the_bits_of_a_product_and_a_sum(seed, dtype, shape):
    rng = np.random.default_rng(seed)
    x, y = (rng.standard_normal(shape).astype(dtype)[...] for _ in range(2))
    a, before = float(rng.standard_normal()), (x.tobytes(), y.tobytes())
    want = x * x.dtype.type(a) + y
    for least in (-1, 10**9):  # compiled where Numba is installed, and never
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(loops, "MANY", least)
            got = loops.times_plus(a, x, y)
        assert got.dtype == x.dtype
        assert got.shape == shape
        assert got.tobytes() == want.tobytes()
    assert (x.tobytes(), y.tobytes()) == before


@pytest.mark.parametrize("turned", [lambda a: a.T, lambda a: a[::2], lambda a: a[:, ::-1], lambda a: a.view("V8")])
def test_times_plus_of_other_orders_of_memory(how, turned):
    x, y = (turned(np.random.default_rng(i).standard_normal((6, 4))) for i in range(2))
    if x.dtype.kind == "V":  # and of another byte order
        x, y = (a.view(">f8") for a in (x, y))
        x[...], y[...] = 3, 4
    assert (loops.times_plus(0.5, x, y) == 0.5 * x + y).all()


@pytest.mark.parametrize("shape", [(6, 3), (5, 4), (24,), ()])
def test_arrays_of_other_shapes_are_as_numpy_has_them(how, shape):
    rng = np.random.default_rng(0)
    w, other = rng.standard_normal((6, 4)), rng.standard_normal(shape)
    for g, v in ((other, w), (w, other)):
        if shape:  # they do not fit
            with pytest.raises(ValueError, match="broadcast"):
                loops.with_momentum(w, g, v, 0.5, 0.1)
            with pytest.raises(ValueError, match="broadcast"):
                loops.times_plus(0.5, g, v)
        else:
            moved, velocity = loops.with_momentum(w, g, v, 0.5, 0.1)
            assert (velocity == 0.5 * v + g).all()
            assert (moved == w - 0.1 * velocity).all()


LAYOUTS = {"C": np.array, "Fortran": np.asfortranarray, "every second": lambda a: np.repeat(a, 2, axis=-1)[..., ::2]}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("shape", [(7, 5), (1, 1), (0, 3), (130, 1500), (5, 3, 2, 4)])
@pytest.mark.parametrize("dtype", DTYPES)
@np.errstate(invalid="ignore")  # 0 times infinity
def test_a_relu_and_its_way_back_have_numpys_bits(how, layout, shape, dtype):
    rng = np.random.default_rng(0)
    odd = [0.0, -0.0, np.inf, -np.inf, np.nan, 1.0, -1.0]
    x, g = (LAYOUTS[layout](rng.choice(odd, shape).astype(dtype)) for _ in range(2))
    before = g.tobytes(), x.tobytes()
    np.testing.assert_array_equal(bits(threads.where_positive(g, x)), bits(g * (x > 0)))
    assert (g.tobytes(), x.tobytes()) == before
    if len(shape) == 2:
        y = x.copy("K")
        threads.rectify(y)
        np.testing.assert_array_equal(bits(y), bits(np.maximum(x, np.zeros(shape, dtype))))


def bits(x):
    """The bits of numbers as whole numbers, where those that are none are all alike."""
    x = np.where(np.isnan(x), np.nan, x)
    return np.ascontiguousarray(x).view(f"i{x.itemsize}")


def test_a_gradient_of_another_shape_is_refused(how):
    for other in ((6, 3), (5, 4), (24,)):
        with pytest.raises(ValueError, match=r"broadcast|axis|dimension"):
            threads.where_positive(np.ones((6, 4)), np.ones(other))


def test_arrays_of_another_library_are_left_to_it(how, xp):
    x = give(xp, np.arange(6.0))
    assert back(loops.times_plus(2.0, x, x)).tolist() == [0, 3, 6, 9, 12, 15]
    assert back(loops.with_momentum(x, x, x, 2.0, 1.0)[0]).tolist() == [0, -2, -4, -6, -8, -10]


@pytest.mark.parametrize("nesterov", [False, True])
@pytest.mark.parametrize("weight_decay", [0.0, 1e-3])
def test_sgd_on_large_arrays_has_the_bits_of_its_equations(nesterov, weight_decay):
    rng = np.random.default_rng(0)
    w, g, v = (rng.standard_normal((300, 200)).astype(np.float32) for _ in range(3))
    assert w.size > loops.MANY
    own = sgd(0.1, 0.9, nesterov, weight_decay)
    moved, slots = own.update({"fc.weight": w}, {"fc.weight": g}, {"velocity": {"fc.weight": v}}, 0)
    m, lr, decay = (np.float32(number) for number in (0.9, 0.1, weight_decay))
    g = g + decay * w
    v = m * v + g
    assert (slots["velocity"]["fc.weight"] == v).all()
    assert (moved["fc.weight"] == w - lr * (g + m * v if nesterov else v)).all()


@st.composite
def layers(draw, even=False):
    """x (N, n_in), a weight and its mask (n_in, n_out), a bias, and a gradient (N, n_out): whole numbers."""
    n, n_in, n_out = draw(st.integers(1, 5)), draw(st.integers(1, 40)), draw(st.integers(1, 9))
    if draw(st.booleans()):
        n_in, n_out = n_out, n_in
    rng, dtype = np.random.default_rng(draw(st.integers(0, 10**6))), draw(st.sampled_from(DTYPES))
    mask = rng.random((n_in, n_out)) < draw(st.sampled_from([0.05, 0.3, 1]))
    if even:
        mask = rng.random((n_in, n_out)).argsort(axis=0) < draw(st.integers(1, n_in))
    numbers = lambda *shape: whole_numbers(rng, *shape, dtype=dtype)
    return numbers(n, n_in), numbers(n_in, n_out) * mask, mask, numbers(n_out), numbers(n, n_out)


@pytest.mark.parametrize("even", [False, True])
@pytest.mark.parametrize("pieces", [False, True])
def test_a_layer_and_its_gradients_are_those_of_the_dense_matrix(how, even, pieces, monkeypatch):
    if pieces:
        monkeypatch.setattr(products, "WORTH_A_THREAD", 1)

    @settings(max_examples=examples(60))
    @given(layers(even))
    def holds(layer):
        x, weight, mask, bias, g = layer
        own = SparseWeight(weight[mask], Positions(np.flatnonzero(mask), mask.shape))
        own = by_fan_in(own) if even else own
        y, (to_x, to_weight, _) = own.linear(x, bias)
        assert y.dtype == to_x(g).dtype == x.dtype
        assert (y == x @ weight + bias).all()
        assert (to_x(g) == g @ weight.T).all()
        at = own.with_stored(own.gradient(to_weight(g)))
        assert (at.values == (x.T @ g)[mask]).all()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sparse.weights, "MANY", 0)  # gathered, however dense
        patch.setattr(sparse.fan_in, "MANY", 0)
        holds()


def test_what_is_not_finite_comes_through(how):
    mask = Positions(np.arange(6), (2, 3))
    for bad in (np.nan, np.inf, -np.inf):
        x, weight = np.ones((2, 2), np.float32), SparseWeight(np.ones(6, np.float32), mask)
        x[1, 0] = bad
        y = weight.linear(x, np.zeros(3, np.float32))[0]
        assert np.array_equal(y[1], np.full(3, bad), equal_nan=True)
        assert (y[0] == 2).all()
        at = products.products_at(products.feature_major(x), np.ones((3, 2), np.float32), mask)
        assert np.array_equal(at[:3], np.full(3, bad), equal_nan=True)
        assert (at[3:] == 2).all()


def test_arrays_of_another_shape_are_refused(how):
    if how == "without":
        pytest.skip("NumPy and SciPy refuse them themselves")
    mask, ones = Positions(np.arange(0, 12, 5), (3, 4)), lambda *shape: np.ones(shape, np.float32)
    layout = products.layout_of(mask)
    with pytest.raises(ValueError, match=r"values has shape \(2,\); expected \(3,\) for a matrix of \(4, 3\)"):
        layout.forward.times(ones(2), layout.order, ones(3, 5))
    with pytest.raises(ValueError, match=r"x has shape \(2, 5\); expected \(3, 5\)"):
        layout.forward.times(ones(3), layout.order, ones(2, 5))
    with pytest.raises(ValueError, match=r"plus has shape \(3,\); expected \(4,\)"):
        layout.forward.times(ones(3), layout.order, ones(3, 5), ones(3))
    for x, g in ((ones(2, 5), ones(4, 5)), (ones(3, 5), ones(3, 5)), (ones(3, 4), ones(4, 5))):
        with pytest.raises(ValueError, match="has shape"):
            products.products_at(x, g, mask)
    with pytest.raises(ValueError, match="has shape"):
        by_fan_in(SparseWeight(ones(1), Positions(np.arange(1), (3, 4)))).gradient(
            FactoredGradient(ones(2, 4), ones(2, 3))
        )


def test_the_number_of_threads_changes_no_bit(monkeypatch):
    rng, shape = np.random.default_rng(0), (700, 900)
    mask = Positions(np.flatnonzero(rng.random(shape) < 0.05), shape)
    weight = SparseWeight(rng.standard_normal(len(mask.flat)).astype(np.float32), mask)
    x, bias, g = (rng.standard_normal(s).astype(np.float32) for s in ((128, 700), (900,), (128, 900)))
    assert len(mask.flat) * 128 > products.WORTH_A_THREAD > loops.MANY

    def made():
        y, (to_x, to_weight, _) = weight.linear(x, bias)
        return [a.tobytes() for a in (y, to_x(g), to_weight(g).at(mask))]

    two = made()
    monkeypatch.setattr("minisparse.threads.n_threads", lambda: 1)
    assert made() == two


def test_without_numba_nothing_is_compiled():
    code = """if True:
        import sys
        {first}
        import numpy as np
        from minisparse import loops
        assert loops.compiled(10**9, np.ones(3)) is None
        x = np.ones(loops.MANY + 1, np.float32)
        assert (loops.times_plus(2.0, x, x) == 3).all()
    """
    for first in ("sys.modules['numba'] = None", "import os; os.environ['NUMBA_DISABLE_JIT'] = '1'"):
        subprocess.run([sys.executable, "-c", code.format(first=first)], check=True)


def test_a_relu_imports_nothing_and_is_compiled_once_something_has():
    code = """if True:
        import sys
        import numpy as np
        from minisparse import loops, threads
        threads.where_positive(np.ones((1000, 1000)), np.ones((1000, 1000)))
        assert "numba" not in sys.modules
        x = np.ones(loops.MANY // 8 + 1, np.float32)
        assert loops.compiled(x.size, x, start=False) is None
        loops.compiled(loops.MANY + 1, x)
        assert (loops.compiled(x.size, x, start=False) is None) == ("numba" not in sys.modules)
        assert loops.compiled(x.size - 1, x, start=False) is None
    """
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_folder_that_cannot_be_written_to_costs_the_machine_code_only(monkeypatch):
    numba = pytest.importorskip("numba")
    njit = numba.njit

    def refuses(function, cache, **options):
        if cache:
            raise RuntimeError("cannot cache function: no locator available for file")
        return njit(function, **options)

    monkeypatch.setattr(numba, "njit", refuses)
    made = loops._compiled.__wrapped__()
    out = np.empty(2)
    made.scaled_sum(2.0, np.ones(2), np.ones(2), out)
    assert (out == 3).all()
