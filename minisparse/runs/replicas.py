"""Data-parallel training: every rank computes its share of each batch, and all take the same step.

    ranks = over_mpi()
    for step in train(replicated(loss_fn, ranks), params, masks, batches, method, np.random.default_rng(0)): …

    mpiexec -n 4 python -m mpi4py training.py     if one rank fails, all end

Every rank is given whole batches. `train` sees the loss and all gradients, of absent weights too, as means over the
ranks: the same bits on each, and those of a single rank with the whole batch, to rounding. The rest of a step depends
only on what all ranks share. So does random growth: `train` draws one key from its rng, before the first step, and
every later random number follows from it. Equal seeds are therefore enough, and masks need never be sent.

RigL's authors found two bugs here (Evci et al. 2020, app. M): each replica drew its own random connections, and the
gradients of absent weights were not averaged. Their masks drifted apart.
"""

from collections.abc import Callable, Mapping
from copy import deepcopy
from queue import SimpleQueue
from threading import Thread
from typing import Any, NamedTuple
from zlib import crc32

import numpy as np

from ..autograd import Tensor
from ..backend import Array, namespace, to_numpy
from ..checks import whole
from ..sparse import FactoredGradient, Positions, SparseWeight
from ..streams import draw_key, stream
from ..train import Loss


class Ranks(NamedTuple):
    """The processes that train together, seen from one of them. All must make the same calls in the same order.

    rank, size      this rank, from 0, and the number of ranks
    total(array)    the sum of all ranks' arrays, of equal shape: the same bits on every rank
    joined(array)   all ranks' arrays, of equal shape, concatenated along the first axis in the order of ranks
    """

    rank: int
    size: int
    total: Callable[[Array], Array]
    joined: Callable[[Array], Array]


def replicated(loss_fn: Loss, ranks: Ranks) -> Loss:
    """`loss_fn`, as `train` takes it, of this rank's share of a batch; loss and gradients are means over the ranks.

    A batch is an array, examples first, or a tuple, list or dict of arrays. The gradient of a truly sparse weight is
    the FactoredGradient of all ranks, joined: every rank computes that product for the whole batch. loss_fn's rng
    differs between ranks, and so does dropout; batch norm uses the statistics of the rank's share.

    ValueError at the first step naming the first parameter that differs between ranks, or the rng; at every step for a
    batch that cannot be divided evenly.
    """
    agreed = False

    def loss(params: dict[str, Tensor], batch: Any, rng: np.random.Generator) -> Tensor:
        nonlocal agreed
        # From a copy: if one rank drew more from the loop's rng than another, masks would drift apart.
        key = draw_key(deepcopy(rng))
        if not agreed:
            same_on_all(ranks, {"rng": np.frombuffer(key.to_bytes(16), np.uint8)})
            same_on_all(ranks, {name: p.value for name, p in params.items()})
            agreed = True
        averaged = {
            name: Tensor(p.value, (p,), ((0,), lambda g: (mean(ranks, g),)), "replicated") for name, p in params.items()
        }
        local = loss_fn(averaged, share(ranks, batch), stream(key, ranks.rank))
        return Tensor(mean(ranks, local.value), (local,), ((0,), lambda g: (g,)), "mean_over_ranks")

    return loss


def mean(ranks: Ranks, array: Any) -> Any:
    """The mean of all ranks' arrays, or of their gradients as FactoredGradient."""
    if isinstance(array, FactoredGradient):
        return FactoredGradient(ranks.joined(array.x), ranks.joined(array.g), array.scale / ranks.size)
    return ranks.total(array) / ranks.size


def share(ranks: Ranks, batch: Any) -> Any:
    """This rank's examples of a batch. ValueError unless their number is a multiple of the number of ranks."""
    if isinstance(batch, Mapping):
        return {name: share(ranks, part) for name, part in batch.items()}
    if isinstance(batch, tuple | list):
        return tuple(share(ranks, part) for part in batch)
    if len(batch) % ranks.size:
        raise ValueError(f"a batch has {len(batch)} examples; expected a multiple of {ranks.size}, the number of ranks")
    n = len(batch) // ranks.size
    return batch[ranks.rank * n : (ranks.rank + 1) * n]


def same_on_all(ranks: Ranks, arrays: Mapping[str, Any]) -> None:
    """ValueError, on every rank, naming the first of `arrays` (weights or masks, in any storage) that differs."""
    for name, array in arrays.items():
        marks = ranks.joined(np.array([_mark(array)], np.int64)).tolist()
        if odd := [rank for rank, mark in enumerate(marks) if mark != marks[0]]:
            raise ValueError(f"{name!r} is not the same on all ranks: {odd} differ from rank 0")


def _mark(array: Any) -> int:
    if isinstance(array, SparseWeight):
        return crc32(to_numpy(array.values).tobytes(), _mark(array.mask))
    return crc32(to_numpy(array.flat if isinstance(array, Positions) else array).tobytes())


def over_mpi(comm: Any = None) -> Ranks:
    """The processes that `mpiexec` started, or those of an mpi4py communicator. Arrays pass through main memory.

    ValueError without mpi4py.
    """
    try:
        from mpi4py import MPI
    except ImportError as error:
        raise ValueError("replicas need mpi4py and an MPI library: pip install 'minisparse[mpi]'") from error
    comm = MPI.COMM_WORLD if comm is None else comm

    def exchanged(array: Array, shape: tuple[int, ...], exchange: Callable[[Array, Array], None]) -> Array:
        sent = np.ascontiguousarray(to_numpy(array))
        received = np.empty(shape, sent.dtype)
        exchange(sent, received)
        return namespace(array).asarray(received)

    def total(array: Array) -> Array:
        return exchanged(array, array.shape, comm.Allreduce)

    def joined(array: Array) -> Array:
        return exchanged(array, (comm.size * len(array), *array.shape[1:]), comm.Allgather)

    return Ranks(comm.rank, comm.size, total, joined)


def simulated(size: int, work: Callable[[Ranks], Any]) -> list[Any]:
    """[work(ranks) for every rank], all in this process, to try replicas without MPI.

    Each rank has a thread, but they take turns: a rank runs until it asks for an exchange, then the next runs.
    An error on one rank ends all and is raised here; so is a RuntimeError where a rank ends while others wait for it.
    """
    threads = [_Turns(rank, size, work) for rank in range(whole("size", size, 1))]
    parts: list[Any] = [None] * size
    try:
        while True:
            parts = [thread.turn(parts) for thread in threads]
            ended = [thread.ended for thread in threads]
            if all(ended):
                return parts
            if any(ended):
                raise RuntimeError(f"rank {ended.index(True)} ended while rank {ended.index(False)} waits for it")
    finally:
        for thread in threads:
            thread.stop()


class _Stopped(BaseException):
    """Ends the thread of a rank when another has failed."""


class _Turns:
    """A simulated rank: a thread that runs only during calls of `turn`."""

    def __init__(self, rank: int, size: int, work: Callable[[Ranks], Any]):
        self.given, self.asked = SimpleQueue[Any](), SimpleQueue[tuple[str, Any]]()
        self.ended = False
        ranks = Ranks(rank, size, lambda array: sum(self._exchange(array)), self._joined)
        self.thread = Thread(target=self._run, args=(work, ranks), daemon=True)
        self.thread.start()

    def turn(self, parts: list[Any] | None) -> Any:
        """Hand it what all ranks gave; return what it gives next, or the result of its work."""
        self.given.put(parts)
        kind, value = self.asked.get()
        self.ended = kind != "gives"
        if kind == "failed":
            raise value
        return value

    def stop(self) -> None:
        self.given.put(None)
        self.thread.join()

    def _run(self, work: Callable[[Ranks], Any], ranks: Ranks) -> None:
        try:
            self._taken()
            self.asked.put(("ended", work(ranks)))
        except _Stopped:
            pass
        except BaseException as error:
            self.asked.put(("failed", error))

    def _taken(self) -> list[Any]:
        if (parts := self.given.get()) is None:
            raise _Stopped
        return parts

    def _exchange(self, array: Array) -> list[Array]:
        self.asked.put(("gives", array))
        return self._taken()

    def _joined(self, array: Array) -> Array:
        return namespace(array).concatenate(self._exchange(array))
