"""How much a text repeats itself. Needs no model."""

from __future__ import annotations

from collections.abc import Sequence


def repetition(tokens: Sequence[int] | Sequence[str]) -> float:
    """Share of the 3-grams of ``tokens`` that occurred before; 0 for fewer than three tokens."""
    grams = list(zip(tokens, tokens[1:], tokens[2:], strict=False))
    return 1 - len(set(grams)) / len(grams) if grams else 0.0
