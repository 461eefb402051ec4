"""A batch in blocks on several threads: intermediate arrays are as large as a few caches, not as the batch.

The number of threads is that of NumPy's BLAS, so the usual variables (OMP_NUM_THREADS, OPENBLAS_NUM_THREADS,
MKL_NUM_THREADS) and `threadpoolctl` limit both. Blocks depend on shapes and on the size of the processor's cache alone,
and results are combined in the order of the blocks: the number of threads changes no result.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np

from .backend import Array, cache_bytes, namespace
from .loops import compiled

BLOCK_BYTES = max(4 << 20, 4 * cache_bytes())  # of intermediate arrays: threads with smaller blocks wait for each other
MOST = 64  # examples per block
SMALL = 1 << 19  # bytes below which waking a thread costs more than it saves
BYTES_PER_PRODUCT = 0.02  # makes a block of matmul rows take as long as a block of bytes


def in_blocks(x: Array, bytes_each: int, work: Callable[[slice], Any], most: int = MOST) -> list[Any]:
    """[work(examples) for each block of x's first axis], with about `bytes_each` of intermediates per example.

    most: examples per block. On a GPU the whole batch is one block.
    """
    n = len(x)
    if n * bytes_each <= SMALL or namespace(x) is not np:
        return [work(slice(0, n))]
    n_blocks = max(-(-n * bytes_each // BLOCK_BYTES), -(-n // most))
    n_blocks = min(n_blocks + n_blocks % 2, n)  # an even number, for two threads
    halves = list(range(0, 2 * n_blocks + 1, 2))
    if 2 < n_blocks <= n // 2:  # the last two blocks in halves: threads end at nearly the same time
        halves = sorted([*halves, 2 * n_blocks - 3, 2 * n_blocks - 1])
    cuts = [half * n // (2 * n_blocks) for half in halves]
    return on_threads([slice(start, end) for start, end in pairwise(cuts)], work)


def on_threads(pieces: Sequence[Any], work: Callable[[Any], Any]) -> list[Any]:
    """[work(piece) for each], on as many threads as BLAS would use."""
    threads = min(n_threads(), len(pieces)) if len(pieces) > 1 else 1
    if threads == 1:
        return [work(piece) for piece in pieces]

    results: list[Any] = [None] * len(pieces)
    todo = list(enumerate(pieces))[::-1]

    def take() -> None:
        while True:
            try:
                i, piece = todo.pop()
            except IndexError:
                return
            results[i] = work(piece)

    with one_pool_of_threads():
        _hold()
        others = [_threads(os.getpid(), threads).submit(take) for _ in range(threads - 1)]
        take()
        for other in others:
            if not other.cancel():  # one that has not begun is not needed any more
                other.result()
    return results


def matmul(a: Array, b: Array, like: Array | None = None) -> Array:
    """a @ b of two matrices: by BLAS on its threads, or, while our threads are in use, in blocks of a's rows.

    like: an array whose memory order, C or Fortran, the product gets.
    """
    if like is not None and _by_column(like):
        return matmul(b.T, a.T).T
    if not _held or namespace(a) is not np:
        return a @ b
    if _by_column(a) and len(a) < len(b):  # parts of the columns, which are contiguous: their products are added
        return sum(in_blocks(b, int(BYTES_PER_PRODUCT * b.shape[1] * len(a)), lambda i: a[:, i].dot(b[i]), most=len(b)))
    y = np.empty((len(a), b.shape[1]), np.result_type(a, b))
    work = lambda rows: np.matmul(a[rows], b, out=y[rows])
    in_blocks(a, int(BYTES_PER_PRODUCT * a.shape[1] * b.shape[1]), work, most=len(a))
    return y


def matmul_plus(a: Array, b: Array, row: Array) -> Array:
    """a @ b + row."""
    y = matmul(a, b)
    y += row
    return y


def sum_over_batch(x: Array) -> Array:
    """The sum over the examples of x (batch, features), (features,)."""
    if not _by_column(x) or namespace(x) is not np:
        return x.sum(axis=0)
    y, bytes_each = np.empty(x.shape[1], x.dtype), len(x) * x.itemsize
    in_blocks(x.T, bytes_each, lambda features: x[:, features].sum(axis=0, out=y[features]), most=len(y))
    return y


def positive_part(x: Array) -> Array:
    """max(x, 0)."""
    return each(_not_negative, x)


def rectify(x: Array) -> None:
    """max(x, 0), written into x."""
    each(_rectified, x, out=x)


def where_positive(g: Array, x: Array) -> Array:
    """g where x > 0, else 0."""
    return each(_where_positive, g, x)


def _not_negative(x: Array, out: Array) -> None:
    xp = namespace(x)
    xp.maximum(x, xp.zeros(x.shape[-1:], x.dtype), out=out)  # comparing with a row is twice as fast as with a scalar


def _rectified(x: Array, out: Array) -> None:
    if loops := compiled(x.size, x, start=False):
        loops.rectify(x.ravel())
    else:
        _not_negative(x, out)


def _where_positive(g: Array, x: Array, out: Array) -> None:
    if g.shape == x.shape and (loops := compiled(g.size, g, x, out, start=False)):
        loops.where_positive(g.ravel(), x.ravel(), out.ravel())
    else:
        namespace(x).multiply(g, x > 0, out=out)


def each(f: Callable[..., Any], *arrays: Array, out: Array | None = None) -> Array:
    """f(*arrays, out=…) in blocks, for an f that acts on each number separately and arrays of one shape and dtype."""
    first = arrays[0]
    y = namespace(first).empty_like(first) if out is None else out
    if 2 * first.nbytes <= SMALL:
        f(*arrays, out=y)
        return y
    turned = _by_column(first)
    given = [a.T if turned else a for a in (*arrays, y)]
    n = len(given[0])
    work = lambda block: f(*(a[block] for a in given[:-1]), out=given[-1][block])
    in_blocks(given[0], 2 * first.nbytes // n, work, most=n if turned else MOST)
    return y


def _by_column(x: Array) -> bool:
    """Is x (batch, features) in Fortran order, as truly sparse layers return it?"""
    return x.ndim == 2 and x.flags.f_contiguous and not x.flags.c_contiguous


def add(a: Array, b: Array) -> Array:
    """a + b; batches of images of one shape and dtype in blocks."""
    if getattr(a, "ndim", 0) == 4 and a.shape == getattr(b, "shape", None) and a.dtype == b.dtype:
        return each(namespace(a).add, a, b)
    return a + b


@contextmanager
def one_pool_of_threads() -> Iterator[None]:
    """Within this context, from the first use of our threads on, BLAS runs on the calling thread only.

    BLAS threads keep spinning for a while after every call, which would slow our threads down.
    """
    _scopes.append(None)
    try:
        yield
    finally:
        _scopes.pop()
        if not _scopes:
            while _held:
                library, threads = _held.pop()
                library.set_num_threads(threads)


def _hold() -> None:
    if not _held:
        _held.extend((library, library.num_threads) for library in _blas())
        for library, _ in _held:
            library.set_num_threads(1)


def n_threads() -> int:
    """How many threads BLAS would use; 1 if its threads cannot be controlled."""
    libraries = _held or [(library, library.num_threads) for library in _blas()]
    return min((threads for _, threads in libraries), default=1)


@cache
def _blas() -> list[Any]:
    try:  # here, so that importing this package needs NumPy alone
        from threadpoolctl import ThreadpoolController
    except ModuleNotFoundError:  # in a browser, which has one thread
        return []
    return ThreadpoolController().select(user_api="blas").lib_controllers


@cache
def _threads(process: int, n: int) -> ThreadPoolExecutor:
    """The thread pool of this process; a forked process makes a new one."""
    return ThreadPoolExecutor(n - 1, thread_name_prefix="minisparse")


_scopes: list[None] = []  # one entry per active one_pool_of_threads
_held: list[tuple[Any, int]] = []  # BLAS libraries limited to one thread, and their former number
