"""Numbers and lists as the report writes them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np


def listed(words: Iterable[object], none: str = "none") -> str:
    """``a, b and c``."""
    items = [str(word) for word in words]
    if not items:
        return none
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"


def count(number: int, thing: str) -> str:
    """``1 row``, ``2,852 rows``."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def pushes(number: int) -> str:
    """``1 random push``, ``19 random pushes``."""
    return f"{number:,} random push{'' if number == 1 else 'es'}"


def signed(number: float | None) -> str:
    """Three decimals with a sign; a dash where there is no number."""
    if number is None or not np.isfinite(number):
        return "–"
    return f"{number:+z.3f}".replace("-", "−")


def interval(estimate: float, low: float, high: float) -> str:
    """``+0.120 [+0.050, +0.190]``."""
    if not np.isfinite([low, high]).all():
        return signed(estimate)
    return f"{signed(estimate)} [{signed(low)}, {signed(high)}]"


def span_text(low: float, high: float) -> str:
    """``[+0.050, +0.190]``; ``0`` where both ends are; a dash where there are none."""
    if not np.isfinite([low, high]).all():
        return "–"
    return "0" if low == high == 0 else f"[{signed(low)}, {signed(high)}]"


def level(facts: Mapping[str, Any]) -> str:
    """``95%``: the confidence of a result's intervals, as it was asked for."""
    return f"{facts.get('confidence', 0.95):.0%}"
