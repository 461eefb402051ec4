"""Which library holds an array: NumPy, or CuPy on a GPU. The type of the array decides."""

import ctypes
import sys
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import numpy as np

Array = Annotated[Any, "numbers"]  # a numpy.ndarray or a cupy.ndarray
CACHE = Path("/sys/devices/system/cpu/cpu0/cache/index2/size")  # Linux's, such as "2048K"


def namespace(x: Array) -> Any:
    """The module whose functions act on `x`: NumPy or CuPy, by the type of the array.

    Python and NumPy numbers belong to NumPy, sparse storage to the library of its arrays. TypeError for anything else.
    """
    if type(x) is np.ndarray:  # the usual case, called many times a step
        return np
    if isinstance(x, np.ndarray | np.generic | int | float):
        return np
    if hasattr(x, "home"):
        return namespace(x.home)
    module = sys.modules[type(x).__module__.partition(".")[0]]
    if not isinstance(x, getattr(module, "ndarray", ())):
        raise TypeError(f"got {type(x).__module__}.{type(x).__name__}; expected a NumPy or CuPy array")
    return module


@cache
def keep_freed_memory() -> None:
    """Make this process keep the memory it frees, if the C library is glibc.

    By default glibc returns large arrays to the system and requests them again, page by page, at every training step,
    which can cost as much as the arithmetic.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt:
        mallopt(-3, 1 << 30)  # M_MMAP_THRESHOLD: smaller blocks come from the heap
        mallopt(-1, 2**31 - 1)  # M_TRIM_THRESHOLD: free heap above this is returned


def cache_bytes() -> int:
    """The size of a core's second-level cache in bytes, or 0 where the system does not say."""
    try:
        return int(CACHE.read_text().strip().removesuffix("K")) << 10
    except (OSError, ValueError):
        return 0


def to_numpy(tree: Any) -> Any:
    """`tree` with every array in it (dicts, lists, tuples, Masks, Steps) copied to, or left in, main memory."""
    return _on_leaves(lambda a: a if namespace(a) is np else a.get(), tree)


def to_device(tree: Any, device: str) -> Any:
    """`tree` with every array in it on `device`, "cpu" or "cuda". ValueError for another name or without CuPy."""
    if device == "cpu":
        return to_numpy(tree)
    if device != "cuda":
        raise ValueError(f"device is {device!r}; expected 'cpu' or 'cuda'")
    try:
        import cupy
    except ImportError as error:
        raise ValueError("device 'cuda' needs CuPy: pip install 'minisparse[gpu]' (CUDA 12) or [gpu13]") from error
    return _on_leaves(cupy.asarray, tree)


def _on_leaves(move: Callable[[Array], Array], tree: Any) -> Any:
    if isinstance(tree, Mapping):
        moved = {key: _on_leaves(move, branch) for key, branch in tree.items()}
        return moved if isinstance(tree, dict) else type(tree)(moved)  # type: ignore[call-arg]
    if isinstance(tree, tuple) and hasattr(tree, "_fields"):
        return type(tree)(*(_on_leaves(move, branch) for branch in tree))
    if isinstance(tree, list | tuple):
        return type(tree)(_on_leaves(move, branch) for branch in tree)
    if hasattr(tree, "moved"):
        return tree.moved(lambda part: _on_leaves(move, part))
    return move(tree) if hasattr(tree, "ndim") and not isinstance(tree, np.generic) else tree
