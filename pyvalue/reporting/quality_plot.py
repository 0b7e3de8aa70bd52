"""The picture of reliability: α of every value with its interval, and the line that it should reach."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pyvalue.quality import Quality
from pyvalue.quality_warnings import LOW_ALPHA
from pyvalue.reporting.theme import INK, MUTED, SERIES, schwartz_order, shown
from pyvalue.reporting.value_axes import finish, legend, value_axes

#: what lies further left is drawn at the edge, with its number
LOWEST = -1.0


def draw_quality(qualities: Quality | Sequence[Quality], ax: Axes | None = None) -> Figure:
    """Cronbach's α of every value with its interval, one series a model and mode; a line at 0.7.

    An interval that goes on below -1 ends at the edge; an α below it is an arrow there, with the number.

    Args:
        qualities: one or several.
        ax: to draw into; default a new figure.
    """
    several = [qualities] if isinstance(qualities, Quality) else list(qualities)
    series = [(label, table) for quality in several for label, table in series_of(quality, len(several) > 1)]
    names = list(dict.fromkeys(value for _, table in series for value in table["value"]))
    names = schwartz_order(names) or names
    ax = value_axes(ax, len(names) * max(1.0, 0.55 * len(series)))
    lows = [float(low) for _, table in series for low in table[["alpha", "alpha_low"]].min() if np.isfinite(low)]
    left = max(LOWEST, min([0.0, *(np.floor(4 * low) / 4 for low in lows)]))
    offsets = np.linspace(-0.22, 0.22, len(series)) if len(series) > 1 else [0.0]
    for index, ((label, table), offset) in enumerate(zip(series, offsets, strict=True)):
        colour, marker = SERIES[index % len(SERIES)]
        ax.plot([], [], marker, color=colour, markersize=7, linestyle="none", label=shown(label, 60))
        for row in table.to_dict("records"):
            _draw_row(ax, names.index(row["value"]) + offset, row["alpha"], row["alpha_low"], row["alpha_high"],
                      colour, marker)  # fmt: skip
    ax.axvline(0, color=INK, linewidth=1)
    ax.axvline(LOW_ALPHA, color=INK, linewidth=1, linestyle=(0, (4, 3)))
    ax.set_xlim(left - 0.02, 1.02)
    finish(ax, names, f"Cronbach’s α (dashed line: {LOW_ALPHA:g})")
    if len(series) > 1:
        legend(ax, ax.get_legend_handles_labels()[0], columns=1)
    return cast(Figure, ax.figure)


def series_of(quality: Quality, name_model: bool) -> list[tuple[str, pd.DataFrame]]:
    """(label, rows of ``values``) of every mode; the label names what there is more than one of."""
    groups = [(str(mode), table) for mode, table in quality.values.groupby("mode", sort=False)]
    model = [str(quality.facts["model"])] if name_model else []
    return [(", ".join([*model, *([mode] if len(groups) > 1 else [])]), table) for mode, table in groups]


def _draw_row(ax: Axes, y: float, alpha: float, low: float, high: float, colour: str, marker: str) -> None:
    if not np.isfinite(alpha):
        ax.text(0.02, y, "cannot be had", size=9, color=MUTED, va="center")
        return
    if np.isfinite(high) and high > LOWEST:
        ax.hlines(y, max(low, LOWEST), high, color=colour, linewidth=2)
    if alpha >= LOWEST:
        ax.plot(alpha, y, marker, color=colour, markersize=7)
        return
    ax.plot(LOWEST, y, "<", color=colour, markersize=7, clip_on=False)
    ax.text(max(high, LOWEST) + 0.05, y, f"{alpha:.1f}".replace("-", "−"), size=9, color=MUTED, va="center")
