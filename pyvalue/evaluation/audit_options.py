"""Options that every check of an audit shares, and when a score counts as changed."""

from __future__ import annotations

import math
import numbers
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

#: resamples that an interval needs
MIN_RESAMPLES = 100
#: changes say little of what follows what where fewer cells than this share are unchanged, or changed
MIN_CONTRASTED = 0.02
#: differences no larger than this are of computing
_ROUNDING = 1e-9


@dataclass(frozen=True)
class AuditOptions:
    """Attributes as the arguments of ``pyvalue.evaluation.audit.audit``; ``threshold`` None: to be found.

    Raises:
        ValueError: one is out of range.
        TypeError: one is of the wrong type.
    """

    permutations: int = 10_000
    resamples: int = 1000
    confidence: float = 0.95
    threshold: float | None = None
    seed: int = 0
    orders: int = 100

    def __post_init__(self) -> None:
        least = {"permutations": 1, "resamples": MIN_RESAMPLES, "seed": 0, "orders": 0}
        for name, smallest in least.items():
            given = getattr(self, name)
            if isinstance(given, bool) or not isinstance(given, numbers.Integral):
                raise TypeError(f"{name}: expected a whole number, got {given!r}")
            if given < smallest:
                raise ValueError(f"{name}: expected at least {smallest}, got {given}")
        for name in ("confidence", "threshold"):
            given = getattr(self, name)
            if given is None and name == "threshold":
                continue
            if isinstance(given, bool) or not isinstance(given, numbers.Real):
                raise TypeError(f"{name}: expected a number, got {given!r}")
        if not 0 < self.confidence < 1:
            raise ValueError(f"confidence: expected a number between 0 and 1, got {self.confidence}")
        if self.threshold is not None and not (math.isfinite(self.threshold) and self.threshold >= 0):
            raise ValueError(f"threshold: expected a number of at least 0, got {self.threshold}")

    @property
    def level(self) -> float:
        """Of tests: 1 - confidence."""
        return round(1 - self.confidence, 12)  # 1 - .95 is more than .05, and some p are .05

    @property
    def cut(self) -> float:
        """The threshold, 0 where none was found."""
        return self.threshold or 0.0


def usual_threshold(change: npt.ArrayLike) -> float:
    """0 where scores are so coarse that some changes are none; else the median size of a change.

    Scores that are means of few answers often stay the same to the last bit. Scores made of probabilities never do, so
    that every value would count as changed in every row; by the median, half of them do.

    Args:
        change: of any shape; NaN where one is not known.
    """
    table = np.abs(np.asarray(change, dtype=float))
    known = table[np.isfinite(table)]
    if not len(known) or (known == 0).mean() >= MIN_CONTRASTED:
        return 0.0
    return _ROUNDING if (known <= _ROUNDING).mean() >= MIN_CONTRASTED else float(np.median(known))
