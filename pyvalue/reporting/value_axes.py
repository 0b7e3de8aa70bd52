"""Axes with one row a value, as the pictures of effects, profiles and reliability share them."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pyvalue.reporting.theme import INK, MUTED, RULE, shown


def value_axes(ax: Axes | None, rows: float) -> Axes:
    """The given axes, or those of a new figure with room for so many rows."""
    if ax is not None:
        return ax
    return Figure(figsize=(7.4, 1.3 + 0.33 * max(rows, 3)), layout="constrained").add_subplot()


def finish(ax: Axes, names: Sequence[str], quantity: str) -> None:
    """Values from top to bottom, quiet axes, and labels that are never read as formulas."""
    ax.set_yticks(range(len(names)), [shown(name) for name in names])
    for label in ax.get_yticklabels():
        label.set_parse_math(False)
    ax.set_ylim(len(names) - 0.4, -0.6)
    ax.set_xlabel(quantity, color=MUTED)
    ax.tick_params(axis="y", length=0, labelcolor=INK, labelsize=10)
    ax.tick_params(axis="x", color=RULE, labelcolor=MUTED, labelsize=9)
    ax.grid(axis="x", color=RULE, linewidth=0.6)
    ax.set_axisbelow(True)
    ax.patch.set_visible(False)
    for side, spine in ax.spines.items():
        spine.set_visible(side == "bottom")
        spine.set_color(RULE)


def legend(ax: Axes, entries: Sequence[object], columns: int | None = None) -> None:
    """Below the axes."""
    drawn = ax.figure.legend(
        handles=entries, loc="outside lower center", ncols=columns or len(entries), frameon=False, fontsize=9,
        handletextpad=0.3, columnspacing=1.2,
    )  # fmt: skip
    for text in drawn.get_texts():
        text.set_color(INK)
        text.set_parse_math(False)
