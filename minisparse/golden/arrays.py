"""Conversion of arrays between NumPy and the library of the code under test."""

from collections.abc import Callable
from contextlib import nullcontext
from importlib import import_module
from typing import Any

import numpy as np

from .plain import mapped, plain
from .values import as_numpy

LIBRARIES = ("numpy", "torch", "jax")


class Door:
    """Converts arrays from NumPy to the library of the code under test, and back.

    arrays: "numpy", "torch" or "jax"; float32: floats are converted to float32. ValueError for an unknown library or
    one that is not installed.
    """

    def __init__(self, arrays: str = "numpy", float32: bool = False):
        if arrays not in LIBRARIES:
            raise ValueError(f"--arrays is {arrays!r}; expected {', '.join(LIBRARIES)}")
        self.arrays, self.float32 = arrays, float32
        try:
            self.library: Any = import_module(arrays)
        except ImportError as error:
            raise ValueError(f"--arrays {arrays} needs {arrays}, which is not installed") from error

    def open(self) -> Any:
        """Context for calling the code under test: it enables float64 in JAX."""
        if self.arrays != "jax" or self.float32:
            return nullcontext()
        if hasattr(self.library, "enable_x64"):
            return self.library.enable_x64(True)
        return import_module("jax.experimental").enable_x64()  # its place in older versions

    def give(self, value: Any) -> Any:
        """A plain value, or one of NumPy, as the code takes it."""
        return on_arrays(self._in, np.ndarray, as_numpy(value))

    def plain(self, tree: Any) -> Any:
        """The plain value of what the code gives."""
        return plain(self.back(tree))

    def back(self, tree: Any) -> Any:
        kind = {"numpy": "ndarray", "torch": "Tensor", "jax": "Array"}[self.arrays]
        return on_arrays(self._out, getattr(self.library, kind), tree)

    def _in(self, array: np.ndarray) -> Any:
        if self.float32 and array.dtype == float:
            array = array.astype("float32")
        if self.arrays == "torch":
            return self.library.from_numpy(array)
        return self.library.numpy.asarray(array) if self.arrays == "jax" else array

    def _out(self, array: Any) -> np.ndarray:
        return array.detach().cpu().numpy() if self.arrays == "torch" else np.asarray(array)


def on_arrays(change: Callable, kind: type, tree: Any) -> Any:
    return mapped(lambda x: change(x) if isinstance(x, kind) else x, tree)
