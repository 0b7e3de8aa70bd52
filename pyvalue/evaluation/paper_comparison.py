"""One published figure beside the one that was computed, and whether they are the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

PUBLISHED, CAUSAL_LEARN = "published", "causal-learn"
Verdict = Literal["match", "MISMATCH", "not given"]


@dataclass(frozen=True)
class Comparison:
    """A row of the reproduction.

    Attributes:
        what: the figure.
        published: what it is compared with: as it is published, or as ``source`` finds it; None where there is nothing.
        computed: from the answers; None where it cannot be.
        match: whether the two are the same to the digits published; None where there are no two.
        note: why one is not there, or what was compared.
        source: ``PUBLISHED``, or the library that gave the other figure where nobody published one.
    """

    what: str
    published: str | None
    computed: str | None
    match: bool | None
    note: str = ""
    source: str = PUBLISHED

    @property
    def verdict(self) -> Verdict:
        """``match``, ``MISMATCH``, or ``not given`` where there is nothing to compare."""
        if self.match is None:
            return "not given"
        return "match" if self.match else "MISMATCH"


def figure(what: str, published: float | None, computed: float, digits: int, note: str = "") -> Comparison:
    """A number, compared after rounding both to the digits that are published."""
    shown = f"{computed:.{digits}f}"
    if published is None:
        return Comparison(what, None, f"{computed:.{digits + 1}f}", None, note or "no published figure")
    stated = f"{published:.{digits}f}"
    return Comparison(what, stated, shown, shown == stated, note)


def figures(
    what: str, published: list[float] | None, computed: list[float], digits: int, unit: str = "", note: str = ""
) -> Comparison:
    """Several numbers that belong together, such as the slices of a pie; all of them must be the same."""
    shown = _joined(computed, digits, unit)
    if published is None:
        return Comparison(what, None, shown, None, note or "no published figure")
    stated = _joined(published, digits, unit)
    return Comparison(what, stated, shown, shown == stated, note)


def count(what: str, equal: int, total: int, source: str, note: str = "") -> Comparison:
    """Cells of a published table, and how many of them were computed alike."""
    return Comparison(what, f"{total} cells of {source}", f"{equal} equal", equal == total, note)


def absent(what: str, why: str) -> Comparison:
    """A figure that cannot be computed."""
    return Comparison(what, None, None, None, f"not computable: {why}")


def _joined(numbers: list[float], digits: int, unit: str) -> str:
    return " / ".join(f"{number:.{digits}f}" for number in numbers) + unit
