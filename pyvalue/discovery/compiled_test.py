"""A test of conditional independence as machine code that C++ threads call without the GIL.

Importing this module does not import numba; compiling does.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

# What machine code returns when the user's function raised: no p-value, so that the search stops there.
FAILED = -1.0

_NUMBA_MISSING = (
    "compiled tests need numba: pip install numba. Or pass @pv.ci_test(compile=False) to run your own test as plain "
    "Python, slowly"
)


def import_numba() -> Any:
    """The numba package.

    Raises:
        ModuleNotFoundError: it is not installed; the message has the command.
    """
    try:
        import numba
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(_NUMBA_MISSING, name="numba") from error
    return numba


def compile_test(function: Callable[..., Any], name: str) -> Any:
    """Compile ``function(x, y, z)`` to ``double (const double*, const double*, const double*, int64_t, int64_t)``.

    The arguments of the machine code are x and y, n numbers each; z, k rows of n numbers, one for each conditioning
    column (not read when k is 0); n; k. It returns the function's value, whatever it is, or ``FAILED`` where the
    function raised. It keeps no state, so that any number of threads may be inside it, and it needs no GIL.

    An index outside an array raises, and does not read whatever lies there. Division by zero raises,
    also between floats, as it does in Python: a test stops there and is not silently wrong.

    Args:
        function: plain Python. It sees x and y as (n,) and z as (n, k), float64 and read-only: the memory is shared
            between threads.
        name: what messages call it.

    Returns:
        numba's cfunc: ``.address`` is valid for as long as this object lives.

    Raises:
        TypeError: numba cannot compile the function.
        ModuleNotFoundError: numba is not installed.
    """
    numba = import_numba()
    types = numba.types
    column = types.Array(types.float64, 1, "C", readonly=True)
    columns = types.Array(types.float64, 2, "F", readonly=True)
    pointer = types.CPointer(types.float64)
    carray = numba.carray

    def forward(x: Any, y: Any, z: Any) -> Any:
        return function(x, y, z)

    # A function that the user has put under numba.njit keeps the options given there.
    outer = forward if hasattr(function, "py_func") else function
    try:
        inner = numba.njit(types.float64(column, column, columns), nogil=True, boundscheck=True)(outer)

        def native(x: Any, y: Any, z: Any, n: Any, k: Any) -> Any:
            try:
                return inner(carray(x, n), carray(y, n), carray(z, (k, n)).T)
            except Exception:
                return FAILED

        return numba.cfunc(types.float64(pointer, pointer, pointer, types.int64, types.int64))(native)
    # Not only numba's own errors: it meets some unsupported code with an AttributeError or a bytecode error.
    except Exception as error:
        raise TypeError(
            f"numba cannot compile test {name!r}: {_reason(error)}. Keep to the Python and NumPy that numba compiles "
            "and leave x, y and z unchanged, or pass @pv.ci_test(compile=False) to run it as plain Python, slowly"
        ) from error


def _reason(error: Exception) -> str:
    """The first line that says something: numba's own first line only names a step of its pipeline."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", str(error))
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    lines = [line for line in lines if not line.startswith("Failed in ")] or lines
    if "none" in text and "float64" in text and "return" in text:
        return "some path through it returns nothing, and a p-value is needed"
    return lines[0].rstrip(".") if lines else type(error).__name__
