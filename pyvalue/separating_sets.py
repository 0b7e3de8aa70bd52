"""Separating sets of a graph, kept as numbers: a search over 450 values has a hundred thousand of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.uint32]


class SeparatingSets(Mapping[tuple[str, str], tuple[str, ...]]):
    """(value, value) -> the values that separate them; immutable, equal to a dict with the same entries.

    Args:
        names: of the values.
        pairs: (k, 2) numbers i < j of the values of each pair.
        ends: (k,) where in ``members`` the set of each pair ends.
        members: the sets, one after the other.
    """

    def __init__(self, names: tuple[str, ...], pairs: Numbers, ends: Numbers, members: Numbers) -> None:
        self._names, self._pairs, self._ends, self._members = names, pairs, ends, members

    def __getitem__(self, pair: tuple[str, str]) -> tuple[str, ...]:
        return self._sets[pair]

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self._sets)

    def __len__(self) -> int:
        return len(self._pairs)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Mapping) and self._sets == dict(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"SeparatingSets({self._sets!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return SeparatingSets, (self._names, self._pairs, self._ends, self._members)

    @cached_property
    def _sets(self) -> dict[tuple[str, str], tuple[str, ...]]:
        names = self._names
        members = [names[member] for member in self._members.tolist()]
        ends = self._ends.tolist()
        bounds = zip([0, *ends[:-1]], ends, strict=False)  # of no pairs, no bounds
        return {
            (names[i], names[j]): tuple(members[start:end])
            for (i, j), (start, end) in zip(self._pairs.tolist(), bounds, strict=True)
        }
