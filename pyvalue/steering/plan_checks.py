"""What ``plan`` refuses: arguments that contradict each other or the graph."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from numbers import Integral, Real
from typing import Any

from pyvalue.graph import ValueGraph


def _check_sequence(name: str, values: Sequence[str]) -> None:
    if isinstance(values, str):
        raise TypeError(f"{name}: expected a sequence of values, got the string {values!r}; write [{values!r}]")


def checked_target(graph: ValueGraph, up: Sequence[str], down: Sequence[str]) -> dict[str, int]:
    """Value -> +1 or -1, for values of the graph that are raised or lowered."""
    for name, values in (("raise_values", up), ("lower_values", down)):
        _check_sequence(name, values)
    target = {**dict.fromkeys(up, 1), **dict.fromkeys(down, -1)}
    if not target:
        raise ValueError("raise_values, lower_values: expected at least one value to steer, got none")
    if both := set(up) & set(down):
        raise ValueError(f"raise_values, lower_values: {', '.join(sorted(both))} cannot be raised and lowered at once")
    if unknown := [value for value in target if value not in graph.names]:
        raise ValueError(
            f"raise_values, lower_values: {', '.join(unknown)} not in the graph; it has {', '.join(graph.names)}"
        )
    return target


def checked_keep(graph: ValueGraph, keep: Sequence[str], target: Mapping[str, int]) -> tuple[str, ...]:
    """The kept values, each once, none of them steered."""
    _check_sequence("keep", keep)
    kept = tuple(dict.fromkeys(keep))
    if both := [value for value in kept if value in target]:
        raise ValueError(f"keep: {', '.join(both)} cannot be steered and kept at once")
    known = [*graph.names, *graph.excluded]
    if unknown := [value for value in kept if value not in known]:
        raise ValueError(f"keep: {', '.join(unknown)} not among the values, which are {', '.join(known)}")
    return kept


def check_numbers(amount: Any, reach: Any, counts: Mapping[str, Any], strengths: Any, seed: Any) -> None:
    """Refuse changes that are not above 0, counts below 1, strengths that push nothing and seeds below 0."""
    for name, number in (("amount", amount), ("reach", reach)):
        if number is not None and not _is_number(number):
            raise TypeError(f"{name}: expected a number or None, got {number!r}")
        if number is not None and not (math.isfinite(number) and number > 0):
            raise ValueError(
                f"{name}: expected a change of the score above 0 (in the wanted direction, also of values that are "
                f"lowered), got {number}"
            )
    for name, count in counts.items():
        if not _is_whole(count) or count < 1:
            raise ValueError(f"{name}: expected a whole number of at least 1, got {count!r}")
    if not _is_whole(seed) or seed < 0:
        raise ValueError(f"seed: expected a whole number of at least 0, got {seed!r}")
    if isinstance(strengths, str) or not isinstance(strengths, Iterable):
        raise TypeError(f"strengths: expected a sequence of numbers, got {strengths!r}")
    pushes = list(strengths)
    if not pushes or any(not _is_number(push) or not math.isfinite(push) or not push for push in pushes):
        raise ValueError(f"strengths: expected at least one finite number, none of them 0, got {pushes}")


def _is_number(number: Any) -> bool:
    return isinstance(number, Real) and not isinstance(number, bool)


def _is_whole(number: Any) -> bool:
    return isinstance(number, Integral) and not isinstance(number, bool)
