"""Which predictors are compared with which: only those that know as much of the tested items, with their best baseline.

A predictor that was shown the tested items has an advantage over a marginal rate that was not, whatever it is called.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Compared:
    """What is known of the predictors before they are judged.

    Attributes:
        knows: whether each knows the tested items.
        baseline: whether others that know as much are compared with it.
    """

    knows: tuple[bool, ...]
    baseline: tuple[bool, ...]

    def rivals(self, areas: Sequence[float]) -> list[int | None]:
        """Place of the baseline that each is compared with, the one with the largest area; None for itself or none."""
        found: list[int | None] = []
        for k, knows in enumerate(self.knows):
            own = [i for i, other in enumerate(self.knows) if other == knows and self.baseline[i]]
            best = max(own, key=lambda i: areas[i] if math.isfinite(areas[i]) else -1.0, default=None)
            found.append(None if best == k else best)
        return found

    def signed_rivals(self) -> list[int | None]:
        """The same for metrics other than ranks: the first baseline that knows as much."""
        first = {knows: k for k, knows in reversed(list(enumerate(self.knows))) if self.baseline[k]}
        return [None if first.get(knows) == k else first.get(knows) for k, knows in enumerate(self.knows)]


def compared(knows: Sequence[bool], baseline: Sequence[bool], *, same_items: bool) -> Compared:
    """Baselines of a kind are those that say so; of those that need not know the items the first, where none does.

    Args:
        knows: whether each predictor looks at the tested items.
        baseline: whether each says that it is a baseline.
        same_items: whether all know them anyway, since the items of training are the tested ones.
    """
    known = tuple(same_items or one for one in knows)
    found = list(baseline)
    usual = [k for k, one in enumerate(known) if one == same_items]
    if usual and not any(found[k] for k in usual):
        found[usual[0]] = True
    return Compared(known, tuple(found))
