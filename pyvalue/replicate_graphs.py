"""The graph of every bootstrap replicate, a byte a pair. Knows the graphs one by one, not how they were made.

:class:`pyvalue.edge_frequencies.EdgeFrequencies` counts each pair alone; what concerns several edges at once (is there
a path, is the graph a CPDAG) is asked of single replicates, here.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.uint8]
Marks = NDArray[np.int8]

# Marks at i's and at j's end of the pair i < j, by code.
_AT_I = np.array([0, -1, 1, -1, 1, 0], dtype=np.int8)
_AT_J = np.array([0, 1, -1, -1, 1, 0], dtype=np.int8)


@dataclass(frozen=True, eq=False, repr=False)
class ReplicateGraphs:
    """R graphs over the same d values, immutable. ``graphs[r]`` gives the marks of one, iteration those of each.

    Attributes:
        codes: (R, d(d-1)/2) uint8, read-only; one row a replicate, one column a pair i < j, in the row-major order of
            the upper triangle ((0, 1), (0, 2), ..., (1, 2), ...): 0 no edge, 1 i → j, 2 j → i, 3 i — j, 4 i ↔ j,
            5 untestable, because i or j was constant in the replicate.

    Raises:
        ValueError: the codes are no matrix, or not 0 to 5, or there is no d that has so many pairs.
    """

    codes: Codes

    def __post_init__(self) -> None:
        given = np.asarray(self.codes)
        if given.ndim != 2 or len(given) == 0:
            raise ValueError(
                f"codes must have shape (R, d(d-1)/2), one row a replicate and at least one, got shape {given.shape}"
            )
        size = _values_of(given.shape[1])
        if size * (size - 1) // 2 != given.shape[1]:
            raise ValueError(f"codes must have a column for each of d(d-1)/2 pairs; no d has {given.shape[1]} pairs")
        if not np.isin(given, np.arange(len(_AT_I))).all():
            raise ValueError("codes must be 0 (no edge), 1 (i → j), 2 (j → i), 3 (i — j), 4 (i ↔ j) or 5 (untestable)")
        codes = given.astype(np.uint8)
        codes.setflags(write=False)
        object.__setattr__(self, "codes", codes)

    @property
    def n_values(self) -> int:
        """d, the number of values; 1 where there are no pairs."""
        return _values_of(self.codes.shape[1])

    def marks(self, r: int) -> Marks:
        """End marks (d, d), int8, of replicate ``r``, as in :class:`pyvalue.graph.ValueGraph`; untestable pairs as 0.

        Args:
            r: the replicate, from 0; from the end where negative.

        Raises:
            IndexError: there is no such replicate.
        """
        position = operator.index(r)
        if not -len(self) <= position < len(self):
            raise IndexError(f"r must be below the number of replicates, {len(self)}, got {position}")
        i, j = np.triu_indices(self.n_values, k=1)
        marks = np.zeros((self.n_values, self.n_values), dtype=np.int8)
        marks[i, j] = _AT_I[self.codes[position]]
        marks[j, i] = _AT_J[self.codes[position]]
        return marks

    def share(self, predicate: Callable[[Marks], bool]) -> float:
        """Share of all replicates, in [0, 1], whose marks (d, d) satisfy ``predicate``."""
        return sum(bool(predicate(marks)) for marks in self) / len(self)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON: a string a replicate, a digit a pair."""
        # Whole rows at once: 1000 replicates of 100 values are five million digits.
        digits = self.codes + np.uint8(ord("0"))
        return {"replicates": [row.tobytes().decode("ascii") for row in digits]}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> ReplicateGraphs:
        """The inverse of :meth:`to_dict`.

        Raises:
            ValueError: the strings are missing, of different lengths, or hold something else than digits from 0 to 5.
        """
        rows = data.get("replicates") if isinstance(data, Mapping) else None
        if not isinstance(rows, list) or not all(isinstance(row, str) and row.isascii() for row in rows):
            raise ValueError("replicate_graphs must be an object with replicates, a list of strings of digits")
        if lengths := sorted({len(row) for row in rows[1:]} - {len(rows[0])} if rows else ()):
            raise ValueError(f"replicates must be equally long; the first has {len(rows[0])} digits, others {lengths}")
        digits = np.frombuffer("".join(rows).encode("ascii"), dtype=np.uint8)
        # What is not a digit wraps around to above 5, and is refused with the codes.
        return cls((digits - np.uint8(ord("0"))).reshape(len(rows), len(rows[0]) if rows else 0))

    def __len__(self) -> int:
        return len(self.codes)

    def __getitem__(self, r: int) -> Marks:
        return self.marks(r)

    def __iter__(self) -> Iterator[Marks]:
        return (self.marks(r) for r in range(len(self)))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ReplicateGraphs):
            return NotImplemented
        return np.array_equal(self.codes, other.codes)

    def __hash__(self) -> int:
        return hash((self.codes.shape, self.codes.tobytes()))

    def __reduce__(self) -> tuple[type[ReplicateGraphs], tuple[Codes]]:
        # Through the constructor, because a pickled array comes back writeable.
        return ReplicateGraphs, (self.codes,)

    def __repr__(self) -> str:
        return f"ReplicateGraphs({len(self)} replicates, {self.n_values} values)"


def _values_of(pairs: int) -> int:
    """The d with d(d-1)/2 pairs; where there is none, some d with fewer."""
    return (1 + math.isqrt(1 + 8 * pairs)) // 2
