"""The bars of Kang et al. (2025): how often other values change, where a graph lets them follow and where not."""

from __future__ import annotations

from typing import cast

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from pyvalue.evaluation.paper import PaperReproduction
from pyvalue.evaluation.paper_table2 import GRAPHS, STEERINGS
from pyvalue.reporting.theme import INK, MUTED, RELATION_COLOURS
from pyvalue.reporting.value_axes import finish, legend, value_axes

_GROUPS = {"expected": RELATION_COLOURS["definite"], "unexpected": RELATION_COLOURS["unaffected"]}
_HEIGHT = 0.36


def draw_paper_bars(paper: PaperReproduction) -> Figure:
    """A bar is a mean over values, a dot on it one value; no interval, because the dots share their rows of answers.

    Raises:
        ValueError: the bars could not be computed.
    """
    if "bars" not in paper.tables:
        raise ValueError("paper: it has no bars; the answers or the graphs that they need were not there")
    table = paper.tables["bars"]
    rates = paper.tables["table2"]
    ax = value_axes(None, 2.1 * len(table))
    for row, (steering, graph) in enumerate(table.index):
        for group, side in (("expected", -0.5), ("unexpected", 0.5)):
            mean = table.loc[(steering, graph), group]
            y = row + side * (_HEIGHT + 0.03)
            if not np.isfinite(mean):
                ax.text(0.01, y, "no value has such a rate", size=9, color=MUTED, va="center")
                continue
            ax.barh(y, mean, height=_HEIGHT, color=_GROUPS[group], alpha=0.75)
            own = rates.loc[f"mean_scorechange__{steering}_{graph}_{group}"].dropna().sort_values().to_numpy()
            spread = (0.5 - np.arange(len(own)) % 3 / 2) * 0.55 * _HEIGHT  # three lines, so that near ones stay apart
            ax.plot(own, y + spread, ".", color=INK, markersize=4, alpha=0.55, linestyle="none", clip_on=False)
            ax.text(1.04, y, f"{mean:.3f}", size=10, color=INK, va="center")
    finish(
        ax,
        [f"{STEERINGS[s]}, {GRAPHS[g]}" for s, g in table.index],
        "share of a value’s changes in which another value changes too",
    )
    ax.set_xlim(0, 1)
    marks = [Patch(color=colour, alpha=0.75, label=f"{group} by the graph") for group, colour in _GROUPS.items()]
    dot = Line2D([], [], linestyle="none", marker=".", color=INK, alpha=0.55, label="one value that changed")
    legend(ax, [*marks, dot])
    return cast(Figure, ax.figure)
