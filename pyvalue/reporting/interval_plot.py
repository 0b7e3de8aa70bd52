"""Rows of estimates with intervals: the picture that several results share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pyvalue.reporting.theme import INK, MUTED, SURFACE
from pyvalue.reporting.value_axes import finish, value_axes

_BLUE = "#0072b2"
#: rows of a picture; a longer list is cut by its caller
MOST_ROWS = 40


@dataclass(frozen=True)
class IntervalRow:
    """One row.

    Attributes:
        name: at the left.
        estimate: where the mark is; NaN for none.
        low: lower end of the thin line, NaN for none.
        high: upper end.
        inner: ends of the thick line, such as a range over open directions; None for none.
        filled: whether the mark is filled, as where the interval leaves out 0.
        colour: of all of it.
        marker: of matplotlib.
        absent: what to write where there is neither a mark nor a line.
    """

    name: str
    estimate: float
    low: float
    high: float
    inner: tuple[float, float] | None = None
    filled: bool = True
    colour: str = _BLUE
    marker: str = "o"
    absent: str = "no number"


def draw_intervals(rows: Sequence[IntervalRow], quantity: str, ax: Axes | None = None, zero: bool = True) -> Figure:
    """Marks with intervals, the first row at the top.

    Args:
        rows: to draw.
        quantity: below the axis.
        ax: to draw into; default a new figure.
        zero: whether a line marks 0.
    """
    ax = value_axes(ax, len(rows))
    ends = np.array([[row.low, row.high, *(row.inner or (np.nan, np.nan))] for row in rows], dtype=float)
    span = float(np.nanmax(ends) - np.nanmin(ends)) if np.isfinite(ends).any() else 0.0
    for place, row in enumerate(rows):
        _draw_row(ax, place, row, 0.012 * span)
    if zero:
        ax.axvline(0, color=INK, linewidth=1, zorder=0.6)
    finish(ax, [row.name for row in rows], quantity)
    return cast(Figure, ax.figure)


def _draw_row(ax: Axes, place: int, row: IntervalRow, least: float) -> None:
    """One row; a thick line shorter than ``least`` would not be seen, and is a stroke across."""
    inner = row.inner if row.inner and np.isfinite(row.inner).all() else None
    if not np.isfinite(row.estimate) and inner is None:
        ax.text(0, place, f"  {row.absent}", size=9, color=MUTED, va="center", parse_math=False)
        return
    if np.isfinite([row.low, row.high]).all():
        ax.plot([row.low, row.high], [place, place], color=row.colour, linewidth=1.6, solid_capstyle="round")
    if inner is not None and inner[1] - inner[0] < least:
        ax.plot(inner[0], place, "|", color=row.colour, markersize=11, markeredgewidth=2.5)
    elif inner is not None:
        ax.plot(inner, [place, place], color=row.colour, linewidth=4.5, solid_capstyle="butt")
    if np.isfinite(row.estimate):
        fill = row.colour if row.filled else SURFACE
        ax.plot(
            row.estimate, place, row.marker, color=row.colour, markersize=7.5, markerfacecolor=fill,
            markeredgewidth=1.7,
        )  # fmt: skip
