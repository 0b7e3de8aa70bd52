"""Bring your own test of conditional independence."""

from __future__ import annotations

import inspect
import math
import numbers
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pyvalue.discovery.compiled_test import compile_test
from pyvalue.errors import NumericsError

Float64 = NDArray[np.float64]
TestFunction: TypeAlias = Callable[[Float64, Float64, Float64], float]

# Two threads that need the same machine code must get the same: the second would free what the first runs.
_COMPILING = threading.RLock()


@dataclass(frozen=True)
class CITest:
    """A test of x ⟂ y | z. Made by :func:`ci_test`; calling it calls the plain Python function.

    Attributes:
        function: ``test(x, y, z) -> p``: x (n,), y (n,), z (n, k), float64 and read-only, k may be 0; p in [0, 1].
        compiled: whether a search runs it as machine code (True) or calls Python for each test (False).

    Raises:
        TypeError: function is no callable that takes exactly three positional arguments.
    """

    function: TestFunction
    compiled: bool = True

    __test__ = False  # no test of pytest's, whatever it is called where it is imported

    def __post_init__(self) -> None:
        _check_signature(self.function)
        if self.compiled and not (inspect.isfunction(self.function) or hasattr(self.function, "py_func")):
            raise TypeError(
                f"numba compiles functions, got {type(self.function).__name__}; wrap it in a function, or pass "
                "ci_test(compile=False)"
            )

    @property
    def name(self) -> str:
        """What messages call the test: the function's name."""
        return str(getattr(self.function, "__name__", type(self.function).__name__))

    @property
    def address(self) -> int | None:
        """Address of the machine code, compiled on first use; None for plain Python. Valid while this object lives.

        See :func:`pyvalue.discovery.compiled_test.compile_test` for its C type.

        Raises:
            TypeError: numba cannot compile the function; the message has numba's reason.
            ModuleNotFoundError: numba is not installed; the message has the command.
        """
        if not self.compiled:
            return None
        with _COMPILING:
            return int(self._native.address)

    @cached_property
    def _native(self) -> Any:
        return compile_test(self.function, self.name)

    def __call__(self, x: ArrayLike, y: ArrayLike, z: ArrayLike) -> float:
        """The p-value of x ⟂ y | z, by the plain Python function.

        Args:
            x: (n,) numbers.
            y: (n,) numbers.
            z: (n, k) numbers; k may be 0.

        Raises:
            ValueError: the shapes do not fit.
            TypeError: an argument holds no numbers.
            NumericsError: the function returned no p-value. What it raises itself comes through as it is.
        """
        p = self.function(*_read_only(x, y, z))
        if fault := _fault(p):
            raise NumericsError(f"test {self.name!r} {fault}; it must return a p-value in [0, 1]")
        return float(p)


@overload
def ci_test(function: TestFunction) -> CITest: ...
@overload
def ci_test(*, compile: bool = True) -> Callable[[TestFunction], CITest]: ...
def ci_test(function: TestFunction | None = None, *, compile: bool = True) -> CITest | Callable[[TestFunction], CITest]:
    """Make a test of conditional independence out of a function: ``@pv.ci_test`` or ``@pv.ci_test(compile=False)``.

    Args:
        function: ``test(x, y, z) -> p``, the p-value of x ⟂ y | z for x (n,), y (n,) and z (n, k), float64 and
            read-only; k may be 0. It must give the same p for the same data, whichever thread asks.
        compile: True to have numba compile it when a search first needs it, and then run in the search's threads
            without the GIL; False to call it as plain Python, one test at a time.

    Raises:
        TypeError: it does not take exactly three positional arguments.

    Example:
        >>> @pv.ci_test
        ... def correlation(x, y, z):
        ...     '''Fisher-z of the marginal correlation; it ignores z.'''
        ...     r = np.corrcoef(x, y)[0, 1]
        ...     return math.erfc(abs(math.atanh(r)) * math.sqrt((len(x) - 3) / 2))
        >>> pv.discover(responses, test=correlation, max_depth=0)
    """
    if function is None:
        return lambda decorated: CITest(decorated, compile)
    return CITest(function, compile)


def as_ci_test(obj: Any) -> CITest:
    """A CITest as it is; any other callable ``test(x, y, z) -> p`` as one that runs as plain Python.

    Raises:
        TypeError: obj is no callable that takes exactly three positional arguments.
    """
    return obj if isinstance(obj, CITest) else CITest(obj, compiled=False)


def explain_failure(test: CITest, x: ArrayLike, y: ArrayLike, z: ArrayLike, names: Sequence[str]) -> NumericsError:
    """Run the plain Python function on the data where a search stopped, and say what it does there.

    Args:
        test: the test that gave no p-value.
        x: (n,).
        y: (n,).
        z: (n, k).
        names: 2 + k: of x, of y, then of z's columns.

    Returns:
        The error to raise. What the function raised is its ``__cause__``.
    """
    arrays = _read_only(x, y, z)
    first, second, *given = [repr(name) for name in names]
    where = f"on {first} and {second} given {', '.join(given) or 'nothing'} ({len(arrays[0])} rows)"
    todo = "it must return a p-value in [0, 1] for every pair"
    try:
        p = test.function(*arrays)
    except Exception as error:
        found = NumericsError(f"test {test.name!r} raised {type(error).__name__}: {error}, {where}; {todo}")
        found.__cause__ = error
        return found
    if fault := _fault(p):
        return NumericsError(f"test {test.name!r} {fault} {where}; {todo}")
    return NumericsError(
        f"test {test.name!r} failed as machine code {where}, where plain Python returns {float(p)!r}. A division by "
        "zero does that: NumPy's scalars give inf or NaN, machine code raises. Handle that case, or pass "
        "@pv.ci_test(compile=False)"
    )


def _check_signature(function: Any) -> None:
    expected = "a test must be a callable that takes exactly three positional arguments, test(x, y, z) -> p"
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    if not callable(function):
        raise TypeError(f"{expected}, got {function!r}")
    try:
        parameters = inspect.signature(function).parameters.values()
    except ValueError as error:
        raise TypeError(f"{expected}, got {function!r}, whose arguments Python cannot tell; wrap it") from error
    if [parameter.kind in positional for parameter in parameters] != [True] * 3:
        listed = ", ".join(map(str, parameters))
        raise TypeError(f"{expected}, got ({listed}); wrap it: lambda x, y, z: ...")


def _read_only(x: ArrayLike, y: ArrayLike, z: ArrayLike) -> tuple[Float64, Float64, Float64]:
    """The arrays as machine code sees them: float64, contiguous columns, closed to changes."""
    arrays: list[Float64] = []
    for name, values, dimensions in (("x", x, 1), ("y", y, 1), ("z", z, 2)):
        array = np.asarray(values)
        if array.dtype.kind not in "fiub":
            raise TypeError(f"{name} must hold numbers, got {array.dtype}")
        if array.ndim != dimensions:
            shape = "(n,)" if dimensions == 1 else "(n, k), with k = 0 for no conditions"
            raise ValueError(f"{name} must have shape {shape}, got {array.shape}")
        if arrays and len(array) != len(arrays[0]):
            raise ValueError(f"Length of {name} ({len(array)}) must match length of x ({len(arrays[0])})")
        view = np.asarray(array, dtype=np.float64, order="F").view()
        view.flags.writeable = False
        arrays.append(view)
    return arrays[0], arrays[1], arrays[2]


def _fault(p: Any) -> str | None:
    """What keeps a returned value from being a p-value, or None."""
    value = np.asarray(p)[()]
    if not isinstance(value, numbers.Real):
        return f"returned {p!r}, which is no number,"
    if math.isnan(value):
        return "returned NaN"
    return None if 0.0 <= value <= 1.0 else f"returned {float(value)!r}, outside [0, 1],"
