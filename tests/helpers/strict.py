"""An array library that computes as NumPy does and refuses what CuPy refuses: the GPU's strictness without a GPU.

No implicit conversion to NumPy, no mixing with NumPy arrays, reductions that stay arrays, and only functions that
CuPy 14 has. It is stricter in one thing: NumPy's functions, which CuPy answers, are refused, since they are reached
through the wrong namespace. Everything else is handed to NumPy.
"""

import sys
from types import ModuleType, SimpleNamespace

import numpy as np

FUNCTIONS = """
    abs add all any arange argmax argmin argsort array array_equal asarray ascontiguousarray bincount
    broadcast_to ceil clip concatenate copy cos count_nonzero cumsum diff divide dot einsum empty empty_like
    equal exp expand_dims expm1 eye flatnonzero flip floor full full_like greater isfinite isinf isnan less
    linspace log log1p logical_and logical_not logical_or matmul max maximum mean min minimum moveaxis multiply
    negative nonzero ones ones_like outer pad partition power prod ravel repeat reshape result_type rint
    searchsorted sign sin sort split sqrt square squeeze stack std subtract sum swapaxes take tanh tensordot tile
    transpose tril triu unique var where zeros zeros_like
""".split()
CONSTANTS = "bool_ e float16 float32 float64 inf int8 int32 int64 nan newaxis pi uint8 uint32 uint64".split()
TAKES_NUMPY = ("array", "asarray")  # the explicit way in; `.get()` is the way out


class lib:
    class stride_tricks:
        @staticmethod
        def sliding_window_view(x, window_shape, axis):
            return _wrap(np.lib.stride_tricks.sliding_window_view(_open(x), window_shape, axis))


def __getattr__(name):
    if name in CONSTANTS:
        return getattr(np, name)
    if name in FUNCTIONS:
        return lambda *args, **kwargs: _call(name, args, kwargs)
    raise AttributeError(f"the strict double has no {name!r}; if CuPy does, add it to FUNCTIONS")


def _call(name, args, kwargs):
    if name in TAKES_NUMPY and args and isinstance(args[0], np.ndarray):
        args = (ndarray(args[0]), *args[1:])
    out = kwargs.get("out")
    result = getattr(np, name)(*map(_open, args), **{k: _open(v) for k, v in kwargs.items()})
    return out if out is not None else _wrap(result)


def _open(x):
    if isinstance(x, ndarray):
        return x._a
    if isinstance(x, np.ndarray):
        raise TypeError("Unsupported type <class 'numpy.ndarray'>: CuPy does not mix with NumPy arrays")
    if isinstance(x, list | tuple):
        return type(x)(map(_open, x))
    return x


def _wrap(x):
    if isinstance(x, np.ndarray | np.generic):
        return ndarray(np.asarray(x))
    return type(x)(map(_wrap, x)) if isinstance(x, list | tuple) else x


class ndarray:
    __array_priority__ = 100

    def __init__(self, a):
        self._a = a

    shape = property(lambda self: self._a.shape)
    ndim = property(lambda self: self._a.ndim)
    size = property(lambda self: self._a.size)
    dtype = property(lambda self: self._a.dtype)
    nbytes = property(lambda self: self._a.nbytes)
    itemsize = property(lambda self: self._a.itemsize)
    strides = property(lambda self: self._a.strides)
    T = property(lambda self: _wrap(self._a.T))
    flags = property(
        lambda self: SimpleNamespace(c_contiguous=self._a.flags.c_contiguous, f_contiguous=self._a.flags.f_contiguous)
    )
    base = property(lambda self: None if self._a.base is None else _wrap(self._a.base))

    def get(self):
        return self._a.copy()

    def item(self):
        return self._a.item()

    def tolist(self):
        return self._a.tolist()

    def __array__(self, *args, **kwargs):
        raise TypeError("Implicit conversion to a NumPy array is not allowed. Please use `.get()`.")

    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        raise TypeError(f"numpy.{ufunc.__name__} was called on a device array; use namespace(x).{ufunc.__name__}")

    def __array_function__(self, function, types, args, kwargs):
        raise TypeError(f"numpy.{function.__name__} was called on a device array; use namespace(x).{function.__name__}")

    def __getitem__(self, key):
        return _wrap(self._a[_open(key)])

    def __setitem__(self, key, value):
        if isinstance(key, ndarray) and key.dtype == bool and isinstance(value, ndarray) and value.ndim:
            raise TypeError("assigning an array through a boolean mask; use flatnonzero")
        self._a[_open(key)] = _open(value)

    def __len__(self):
        return len(self._a)

    def __iter__(self):
        return (_wrap(row) for row in self._a)

    def __bool__(self):
        return bool(self._a)

    def __int__(self):
        return int(self._a)

    def __float__(self):
        return float(self._a)

    def __index__(self):
        return self._a.__index__()

    def __repr__(self):
        return f"strict{self._a!r}"

    __hash__ = None


def _method(name):
    return lambda self, *args, **kwargs: _wrap(
        getattr(self._a, name)(*map(_open, args), **{k: _open(v) for k, v in kwargs.items()})
    )


def _inplace(name):
    def method(self, other):
        getattr(self._a, name)(_open(other))
        return self

    return method


for _name in """all any argmax argmin argsort astype clip copy cumsum dot fill flatten max mean min nonzero prod ravel
                repeat reshape round sort squeeze std sum swapaxes take transpose var __abs__ __invert__ __neg__
                __pos__""".split():
    setattr(ndarray, _name, _method(_name))
for _name in ["add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul", "and", "or", "xor"]:
    setattr(ndarray, f"__{_name}__", _method(f"__{_name}__"))
    setattr(ndarray, f"__r{_name}__", _method(f"__r{_name}__"))
    setattr(ndarray, f"__i{_name}__", _inplace(f"__i{_name}__"))
for _name in ["eq", "ne", "lt", "le", "gt", "ge"]:
    setattr(ndarray, f"__{_name}__", _method(f"__{_name}__"))


class csr_matrix:
    """What `cupyx.scipy.sparse` has of this name: a product with an array, of arrays of this library only."""

    def __init__(self, parts, shape):
        from scipy.sparse import csr_matrix

        if not all(isinstance(part, ndarray) for part in parts):
            raise TypeError(f"Unsupported types {[type(part) for part in parts]}")
        self._matrix = csr_matrix(tuple(map(_open, parts)), shape=shape)

    def __matmul__(self, x):
        return _wrap(self._matrix @ _open(x))


sys.modules["strictx.scipy.sparse"] = ModuleType("strictx.scipy.sparse")  # as `cupyx` stands beside `cupy`
sys.modules["strictx.scipy.sparse"].csr_matrix = csr_matrix
