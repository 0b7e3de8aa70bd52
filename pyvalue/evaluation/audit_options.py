"""Options that every check of an audit shares."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class AuditOptions:
    """Attributes as the arguments of ``pyvalue.evaluation.audit.audit``.

    Raises:
        ValueError: one is out of range.
    """

    permutations: int = 10_000
    resamples: int = 1000
    confidence: float = 0.95
    threshold: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("permutations", "resamples"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: expected at least 1, got {getattr(self, name)}")
        if not 0 < self.confidence < 1:
            raise ValueError(f"confidence: expected a number between 0 and 1, got {self.confidence}")
        if not (math.isfinite(self.threshold) and self.threshold >= 0):
            raise ValueError(f"threshold: expected a number of at least 0, got {self.threshold}")

    @property
    def level(self) -> float:
        """Of tests: 1 - confidence."""
        return 1 - self.confidence
