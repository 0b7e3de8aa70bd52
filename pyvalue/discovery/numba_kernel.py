"""The decorator of our own functions that numba compiles. Import it only when numba is there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numba

Function = TypeVar("Function", bound=Callable[..., object])

# Sums may be reordered, so that they run on vector registers; NaN and infinity keep their meaning.
_OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy", "fastmath": {"reassoc", "contract"}}


def kernel(function: Function) -> Function:
    """Compile a function on first call, and keep the machine code on disk for the next process.

    Numba notices a change of the function's own file alone: a kernel must call no kernel of another file.
    """
    compiled: Function
    try:
        compiled = numba.njit(cache=True, **_OPTIONS)(function)
    except RuntimeError:  # neither the package's folder nor the user's cache can be written
        compiled = numba.njit(**_OPTIONS)(function)
    return compiled
