"""Sets of edits that act together on a token, numbered. Knows numbers only, no edits, models or devices."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

NO_LIST = -1


class EditLists:
    """Numbers every set of edits that some token needs; the empty set is ``NO_LIST``. A number never changes."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[int, ...], int] = {}

    def __len__(self) -> int:
        return len(self._numbers)

    def since(self, number: int) -> list[tuple[int, ...]]:
        """The lists from this number on, in order."""
        return list(itertools.islice(self._numbers, number, None))

    def __iter__(self) -> Iterator[tuple[int, ...]]:
        return iter(self._numbers)

    def number(self, edits: Iterable[int]) -> int:
        """Number of the list of these edits, a new one where it is asked for first."""
        key = tuple(edits)
        return self._numbers.setdefault(key, len(self._numbers)) if key else NO_LIST

    def numbers(self, edits: Sequence[int], hit: npt.NDArray[np.bool_]) -> npt.NDArray[np.int32]:
        """Number of the list of every token.

        Args:
            edits: the edits of one row of a batch.
            hit: (edits, tokens) where each acts.

        Returns:
            (tokens,) int32.
        """
        if not len(edits):
            return _no_lists(hit)
        if (hit == hit[0]).all():  # the usual case: all edits of the row act on the same tokens
            return np.where(hit[0], np.int32(self.number(edits)), np.int32(NO_LIST)) if hit[0].any() else _no_lists(hit)
        patterns, of_token = np.unique(hit, axis=1, return_inverse=True)
        found = [self.number(e for e, on in zip(edits, column, strict=True) if on) for column in patterns.T]
        return np.array(found, dtype=np.int32)[of_token.reshape(-1)]


def _no_lists(hit: npt.NDArray[np.bool_]) -> npt.NDArray[np.int32]:
    return np.full(hit.shape[1], NO_LIST, dtype=np.int32)
