"""The loops that Numba compiles: as Python, as machine code, and as what replaces them without Numba."""

import itertools
import subprocess
import sys

import numpy as np
import pytest
from arrays import back, give
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from minisparse import loops, sparse, threads
from minisparse.optim import adam_step, momentum_step
from minisparse.sparse import FactoredGradient, SparseWeight, by_fan_in, products
from minisparse.sparse.positions import Positions

DTYPES = ["float32", "float64"]


def whole_numbers(rng, *shape, dtype):
    return rng.integers(-3, 4, shape).astype(dtype)


LAYOUTS = {"C": np.array, "Fortran": np.asfortranarray, "every second": lambda a: np.repeat(a, 2, axis=-1)[..., ::2]}
NUMBERS = {  # rate, momentum, nesterov, decay; rate, both decays of moments, their corrections, ε, decay
    "heavy ball": (momentum_step, 0.1, 0.9, False, 0.0),
    "decay": (momentum_step, 0.1, 0.9, False, 1e-3),
    "nesterov": (momentum_step, 0.1, 0.9, True, 0.0),
    "nesterov and decay": (momentum_step, 0.1, 0.9, True, 1e-3),
    "adam": (adam_step, 0.1, 0.9, 0.999, 1 - 0.9**3, 1 - 0.999**3, 1e-8, 0.0),
    "adam and decay": (adam_step, 0.1, 0.9, 0.999, 1 - 0.9**3, 1 - 0.999**3, 1e-8, 1e-3),
}


def parts(rule, rng, shape, dtype):
    """A parameter, a gradient and slots, of which Adam's second is no square of a real number's if it is negative."""
    made = [rng.standard_normal(shape).astype(dtype)[...] for _ in range(3 + (rule is adam_step))]
    return (*made[:-1], abs(made[-1])[...] if rule is adam_step else made[-1])


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_an_optimizers_rule_has_the_same_bits_in_one_pass(how, name, layout):
    rule, *numbers = NUMBERS[name]
    for dtype, shape in itertools.product(DTYPES, [(0,), (1,), (37,), (3, 5), (2, 3, 4), ()]):
        made = parts(rule, np.random.default_rng(0), shape, dtype)
        arrays = tuple(LAYOUTS[layout](a) if shape else a for a in made)
        before = [a.tobytes() for a in arrays]
        for got, want in zip(loops.in_one_pass(rule, arrays, *numbers), rule(*arrays, *numbers), strict=True):
            assert (got.dtype, got.shape, got.tobytes()) == (want.dtype, want.shape, want.tobytes())
            assert isinstance(got, np.ndarray)  # of one number too
        assert [a.tobytes() for a in arrays] == before


def test_numbers_of_two_sizes_or_of_another_byte_order_are_as_numpy_has_them(how):
    w = np.random.default_rng(0).random((6, 4))
    for other in (w.astype(np.float32), w.astype(">f8")):
        got, _ = loops.in_one_pass(momentum_step, (w, other, w), 0.1, 0.9, False, 0.0)
        assert (got == w - 0.1 * (0.9 * w + other)).all()


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
    w, v = loops.in_one_pass(momentum_step, (x, x, x), 1.0, 2.0, False, 0.0)
    assert back(v).tolist() == [0, 3, 6, 9, 12, 15]
    assert back(w).tolist() == [0, -2, -4, -6, -8, -10]


@pytest.mark.parametrize("name", NUMBERS)
def test_large_arrays_have_the_bits_of_the_equations(name):
    rule, *numbers = NUMBERS[name]
    arrays = parts(rule, np.random.default_rng(0), (300, 200), "float32")
    assert arrays[0].size > loops.MANY
    for got, want in zip(loops.in_one_pass(rule, arrays, *numbers), rule(*arrays, *numbers), strict=True):
        assert got.tobytes() == want.tobytes()


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
        from minisparse import loops, optim
        assert loops.compiled(10**9, np.ones(3)) is None
        x = np.ones(loops.MANY + 1, np.float32)
        w, v = loops.in_one_pass(optim.momentum_step, (x, x, x), 1.0, 2.0, False, 0.0)
        assert (v == 3).all() and (w == -2).all()
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
    x = np.array([-1.0, 3.0])
    made.rectify(x)
    assert x.tolist() == [0, 3]
