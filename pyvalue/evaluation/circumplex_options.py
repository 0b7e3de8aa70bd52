"""Checks of the numbers that comparisons with people are given, such as how many resamples."""

from __future__ import annotations

import operator
from typing import Any


def check_numbers(**numbers: tuple[Any, int]) -> None:
    """Each must be a whole number of at least so many: name -> (number, least).

    Raises:
        TypeError: no whole number.
        ValueError: too small.
    """
    for name, (number, least) in numbers.items():
        try:
            whole = operator.index(number)
        except TypeError:
            raise TypeError(f"{name}: expected a whole number of at least {least}, got {number!r}") from None
        if whole < least:
            raise ValueError(f"{name}: expected at least {least}, got {number}")


def check_share(name: str, share: Any) -> None:
    """A number between 0 and 1, without the ends.

    Raises:
        TypeError: no number.
        ValueError: outside.
    """
    if isinstance(share, bool) or not isinstance(share, int | float):
        raise TypeError(f"{name}: expected a number between 0 and 1, got {share!r}")
    if not 0 < share < 1:
        raise ValueError(f"{name}: expected a number between 0 and 1, got {share}")
