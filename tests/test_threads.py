"""Batches in blocks: the same results on one thread and on many, and BLAS left as it was."""

import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from arrays import back, give
from hypothesis import given
from hypothesis import strategies as st
from threadpoolctl import threadpool_limits

from minisparse import channels, conv, ops, threads
from minisparse.autograd import value_and_grad
from minisparse.nn import normalize as norm


def blas_threads():
    return [library.num_threads for library in threads._blas()]


can_be_limited = pytest.mark.skipif(not blas_threads(), reason="threadpoolctl cannot limit this BLAS")


@given(n=st.integers(0, 300), each=st.integers(0, 1 << 21))
def test_blocks_are_the_whole_batch_in_order_and_none_is_large(n, each):
    x = np.zeros((n, 1), np.float32)
    parts = threads.in_blocks(x, each, lambda block: list(range(n))[block])
    assert [i for part in parts for i in part] == list(range(n))
    if n * each > threads.SMALL:
        assert max(map(len, parts)) <= threads.MOST
        assert all((len(part) - 1) * each <= threads.BLOCK_BYTES for part in parts)
    else:
        assert len(parts) == 1


@pytest.mark.parametrize(
    ("n", "blocks", "sizes"),
    [(128, 2, [64, 64]), (128, 4, [32, 32, 16, 16, 16, 16]), (60, 6, [10, 10, 10, 10, 5, 5, 5, 5]),
     (8, 4, [2, 2, 1, 1, 1, 1]), (7, 4, [1, 2, 2, 2]), (4, 4, [1, 1, 1, 1])],
)  # fmt: skip
def test_the_last_two_of_many_blocks_are_halved(n, blocks, sizes):
    each = blocks * threads.BLOCK_BYTES // n
    assert threads.in_blocks(np.zeros((n, 1)), each, lambda block: block.stop - block.start) == sizes


def test_a_device_array_is_one_block(xp):
    x = give(xp, np.zeros((300, 4)))
    parts = threads.in_blocks(x, 1 << 22, lambda block: block)
    assert (parts == [slice(0, 300)]) == (xp is not np)


@can_be_limited
def test_several_threads_work_while_blas_keeps_to_one(monkeypatch):
    monkeypatch.setattr(threads, "n_threads", lambda: 3)
    before, seen = blas_threads(), []
    everyone = threading.Barrier(3, timeout=30)  # three blocks at a time, or it breaks

    def work(block):
        everyone.wait()
        seen.append(threading.get_ident())
        return blas_threads()

    during = threads.in_blocks(np.zeros((6, 1)), threads.BLOCK_BYTES, work)
    assert len(set(seen)) == 3
    assert all(set(threads) == {1} for threads in during)
    assert blas_threads() == before


@can_be_limited
def test_blas_has_its_threads_back_after_an_error(monkeypatch):
    monkeypatch.setattr(threads, "n_threads", lambda: 2)
    before = blas_threads()

    def work(block):
        raise ValueError("on purpose")

    with pytest.raises(ValueError, match="on purpose"):
        threads.in_blocks(np.zeros((6, 1)), 1 << 22, work)
    assert blas_threads() == before


@can_be_limited
def test_within_one_pool_blas_stays_at_one_thread_from_the_first_block_on():
    with threadpool_limits(2, "blas"):
        with threads.one_pool_of_threads():
            assert set(blas_threads()) == {2}
            threads.in_blocks(np.zeros((6, 1)), 1 << 22, lambda block: None)
            assert set(blas_threads()) == {1}
            assert threads.n_threads() == 2
        assert set(blas_threads()) == {2}


@can_be_limited
def test_the_usual_limits_are_heard():
    with threadpool_limits(1, "blas"):
        assert threads.n_threads() == 1


def test_threads_of_the_caller_may_use_blocks_at_the_same_time():
    x = np.random.default_rng(0).standard_normal((64, 40, 40, 2))
    kernel = np.random.default_rng(1).standard_normal((3, 3, 2, 4))
    f = lambda _: value_and_grad(lambda p: ops.sum(conv.conv2d(x, p["k"])), {"k": kernel})[1]["k"]
    expected, before = f(0), blas_threads()
    with ThreadPoolExecutor(4) as pool:
        assert all((result == expected).all() for result in pool.map(f, range(24)))
    assert blas_threads() == before


def everything(x, kernel, depthwise, scale, shift, weight):
    h = conv.conv2d(x, kernel, padding="same")
    h = ops.relu(norm.batch_norm(h, scale, shift, 1e-5))
    h = conv.depthwise_conv2d(conv.max_pool2d(h, 2), depthwise, stride=2, padding=1)
    h = conv.conv2d(h, ops.transpose(kernel, (0, 1, 3, 2)), stride=2)
    return ops.linear(ops.reshape(h, (h.shape[0], -1)), weight, np.zeros(weight.shape[1], weight.dtype))


@can_be_limited
@pytest.mark.parametrize("n", [2, 3, 7])
def test_the_number_of_threads_changes_no_bit(n, monkeypatch):
    rng = np.random.default_rng(0)
    params = {
        "x": rng.standard_normal((67, 32, 32, 3)),
        "kernel": rng.standard_normal((3, 3, 3, 8)),
        "depthwise": rng.standard_normal((3, 3, 8, 1)),
        "scale": rng.standard_normal(8),
        "shift": rng.standard_normal(8),
        "weight": rng.standard_normal((27, 5)),
    }
    f = lambda p: ops.mean(everything(**p))
    with threadpool_limits(1, "blas"):
        loss, grads = value_and_grad(f, params)
        monkeypatch.setattr(threads, "n_threads", lambda: n)
        again, others = value_and_grad(f, params)
    assert loss == again
    for name, grad in grads.items():
        assert (grad == others[name]).all(), name


@given(rows=st.integers(1, 200), inner=st.integers(1, 30), columns=st.integers(1, 20))
def test_matmul_in_blocks_is_the_product(rows, inner, columns):
    rng = np.random.default_rng([rows, inner, columns])
    a, b = rng.integers(-9, 10, (rows, inner)).astype(float), rng.integers(-9, 10, (inner, columns)).astype(float)
    with threads.one_pool_of_threads():
        threads._hold()
        y = threads.matmul(a, b)
        z = threads.matmul(b.T, a.T)
    assert (y == a @ b).all()
    assert (z == (a @ b).T).all()


def test_a_large_product_is_cut_into_blocks(monkeypatch):
    cut = []
    in_blocks = threads.in_blocks
    monkeypatch.setattr(threads, "in_blocks", lambda *args, **options: cut.extend(in_blocks(*args, **options)))
    a, b = np.ones((128, 800)), np.ones((800, 500))
    with threads.one_pool_of_threads():
        threads._hold()
        assert (threads.matmul(a, b) == 800).all()
    assert len(cut) > 1


def test_a_product_of_long_rows_that_lie_column_by_column_is_a_sum_of_products(monkeypatch):
    parts = []
    in_blocks = threads.in_blocks

    def seen(*args, **options):
        parts.append(in_blocks(*args, **options))
        return parts[-1]

    monkeypatch.setattr(threads, "in_blocks", seen)
    rng = np.random.default_rng(0)
    a, b = rng.integers(-9, 10, (128, 30_000)) * 1.0, rng.integers(-9, 10, (30_000, 10)) * 1.0
    with threads.one_pool_of_threads():
        threads._hold()
        product = threads.matmul(np.asfortranarray(a), b)
    assert (product == a @ b).all()
    assert [part.shape for part in parts[0]] == [(128, 10)] * 2
    assert all((part != product).any() for part in parts[0])


@given(st.integers(1, 70), st.integers(1, 70))
def test_what_lies_column_by_column_stays_so(rows, columns):
    rng = np.random.default_rng(rows * columns)
    x, g = (np.asfortranarray(rng.standard_normal((rows, columns))) for _ in range(2))
    y = threads.each(np.add, x, g)
    assert (y == x + g).all()
    assert y.flags.f_contiguous
    a, b = rng.integers(-3, 4, (rows, 5)) * 1.0, rng.integers(-3, 4, (5, columns)) * 1.0
    for like in (x, np.ascontiguousarray(x)):
        product = threads.matmul(a, b, like=like)
        assert (product == a @ b).all()
        assert product.flags.f_contiguous == like.flags.f_contiguous
        assert product.flags.c_contiguous == like.flags.c_contiguous


@given(st.integers(1, 70), st.sampled_from([1, 7, 3000]), st.booleans())
def test_what_lies_column_by_column_is_summed_over_the_batch_and_rectified(rows, columns, turned):
    x = np.random.default_rng(rows).integers(-9, 10, (rows, columns)).astype(np.float32)
    x = np.asfortranarray(x) if turned else x
    assert (threads.sum_over_batch(x) == x.sum(axis=0)).all()
    y = x.copy("A")
    threads.rectify(y)
    assert (y == np.maximum(x, 0)).all()


def test_images_are_added_like_everything_else(xp):
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((40, 33, 32, 8)), rng.standard_normal((40, 33, 32, 8))
    for left, right in ((a, b), (a, b[0, 0, 0]), (a, b.astype(np.float32)), (a[..., 0], b[..., 0]), (a, a.T.T)):
        assert (back(threads.add(give(xp, left), give(xp, right))) == left + right).all()
    assert (back(threads.add(2, give(xp, a))) == 2 + a).all()


@pytest.mark.parametrize("shape", [(1, 1, 1, 1), (5, 3, 2, 7), (130, 24, 24, 20)])
def test_rows_are_summed_and_added_to(xp, shape):
    rng = np.random.default_rng(0)
    a, row = rng.standard_normal(shape), rng.standard_normal(shape[-1])
    x = give(xp, a).copy()
    np.testing.assert_allclose(back(channels.sum_of_rows(x)), a.reshape(-1, shape[-1]).sum(axis=0), atol=1e-9)
    channels.add_to_rows(x, give(xp, row))
    np.testing.assert_allclose(back(x), a + row)


def test_without_threadpoolctl_as_in_a_browser_there_is_one_thread(monkeypatch):
    monkeypatch.setitem(sys.modules, "threadpoolctl", None)
    threads._blas.cache_clear()
    try:
        assert threads.n_threads() == 1
        assert threads.on_threads([1, 2, 3], lambda piece: piece + 1) == [2, 3, 4]
    finally:
        threads._blas.cache_clear()


def test_work_does_not_wait_for_a_thread_that_has_not_begun(monkeypatch):
    monkeypatch.setattr(threads, "n_threads", lambda: 2)
    busy = threading.Event()
    held_up = threads._threads(os.getpid(), 2).submit(busy.wait, 60)
    try:
        assert threads.on_threads(range(10), lambda piece: piece + 1) == list(range(1, 11))
        assert not held_up.done()
    finally:
        busy.set()
