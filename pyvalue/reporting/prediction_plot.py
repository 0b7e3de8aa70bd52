"""Scatter of predicted against measured changes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pyvalue.evaluation.prediction import Evaluation
from pyvalue.reporting.theme import INK, MUTED, RELATION_COLOURS, RELATION_MARKERS, RULE, SURFACE, shown

#: values with a predicted change below which a report has no scatter
MIN_PREDICTED = 3


def has_predictions(evaluation: Evaluation) -> bool:
    """Whether changes were predicted in numbers."""
    table = evaluation.effects
    return "predicted_low" in table and bool(table["predicted_low"].notna().any())


def worth_a_scatter(evaluation: Evaluation) -> bool:
    """Whether enough values were predicted to move: a column of marks at 0 tells nothing that a list does not."""
    if not has_predictions(evaluation):
        return False
    table = evaluation.effects
    return int(((table["predicted_low"] < 0) | (table["predicted_high"] > 0)).sum()) >= MIN_PREDICTED


def draw_prediction(evaluation: Evaluation, ax: Axes | None = None) -> Figure:
    """Every value's predicted interval across, its measured one upwards; on the dashed line both are the same.

    Args:
        evaluation: with predictions in numbers.
        ax: to draw into; default a new figure.

    Raises:
        ValueError: there are no such predictions.
    """
    if not has_predictions(evaluation):
        raise ValueError("evaluation: it has no predictions in numbers; give plan() the unedited answers as base=")
    if ax is None:
        ax = Figure(figsize=(6.2, 5.4), layout="constrained").add_subplot()
    table = evaluation.effects.dropna(subset=["predicted_low", "predicted_high", "change"])
    ends = table[["predicted_low", "predicted_high", "low", "high", "change"]].to_numpy(dtype=float)
    known = ends[np.isfinite(ends)]
    low, high = min(known.min(initial=0.0), 0.0), max(known.max(initial=0.0), 0.0)
    margin = 0.08 * (high - low) or 1.0
    low, high = low - margin, high + margin
    ax.plot([low, high], [low, high], color=MUTED, linewidth=1, linestyle=(0, (4, 3)), zorder=0)
    for row in table.to_dict("records"):
        colour = RELATION_COLOURS[row["predicted"]]
        middle = (row["predicted_low"] + row["predicted_high"]) / 2
        ax.plot([row["predicted_low"], row["predicted_high"]], [row["change"]] * 2, color=colour, linewidth=1.6)
        ax.plot([middle] * 2, [row["low"], row["high"]], color=colour, linewidth=1.6)
        ax.plot(
            middle, row["change"], RELATION_MARKERS[row["predicted"]], color=colour, markersize=7.5,
            markerfacecolor=colour if row["covered"] else SURFACE, markeredgewidth=1.6,
        )  # fmt: skip
    for name, x, at, y in _label_places(table, 0.045 * (high - low)):
        ax.annotate(
            shown(name, 26), (x, at), xytext=(x + 0.02 * (high - low), y), textcoords="data", size=9, color=INK,
            va="center", parse_math=False, arrowprops={"arrowstyle": "-", "color": RULE, "shrinkA": 0, "shrinkB": 4},
        )  # fmt: skip
    ax.axhline(0, color=RULE, linewidth=0.8, zorder=0)
    ax.axvline(0, color=RULE, linewidth=0.8, zorder=0)
    ax.set(xlim=(low, high), ylim=(low, high))
    ax.set_xlabel("predicted change, by the graph", color=MUTED)
    ax.set_ylabel("measured change (hollow: does not agree)", color=MUTED)
    ax.tick_params(color=RULE, labelcolor=MUTED, labelsize=9)
    ax.patch.set_visible(False)
    for side, spine in ax.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(RULE)
    return cast(Figure, ax.figure)


def _label_places(table: pd.DataFrame, gap: float) -> Iterator[tuple[str, float, float, float]]:
    """(name, x and y of the mark, y of the label), from below, no two labels closer than ``gap``."""
    last = -np.inf
    for row in table.sort_values("change", kind="stable").to_dict("records"):
        last = max(float(row["change"]), last + gap)
        yield str(row["value"]), (row["predicted_low"] + row["predicted_high"]) / 2, float(row["change"]), last
