"""Picture of a prediction benchmark: how well each predictor ranks the values that move, with intervals."""

from __future__ import annotations

from typing import cast

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from pyvalue.evaluation.benchmark_result import PredictionBenchmark
from pyvalue.reporting.theme import INK, SERIES, SURFACE
from pyvalue.reporting.value_axes import finish, legend, value_axes

_LEVELS = {"edit": "mean change of an edit", "row": "a persona's change"}


def draw_benchmark(benchmark: PredictionBenchmark, ax: Axes | None = None, *, metric: str = "AUROC") -> Figure:
    """One row a predictor, one mark a level; the thin line is the interval over personas and edits, the thick one over
    personas alone. A dashed line marks chance. Filled marks differ from the first predictor: the wide interval of their
    difference leaves out 0.

    Args:
        benchmark: to show.
        ax: to draw into; default a new figure.
        metric: a column of its table that lies between 0 and 1.

    Raises:
        ValueError: the benchmark has no such metric.
    """
    table = benchmark.table[benchmark.table["metric"] == metric]
    if table["estimate"].isna().all():
        known = benchmark.table.loc[benchmark.table["estimate"].notna(), "metric"]
        raise ValueError(f"metric: expected one of {', '.join(dict.fromkeys(known))}, got {metric!r}")
    names = list(dict.fromkeys(table["predictor"]))
    levels = [level for level in _LEVELS if table.loc[table["level"] == level, "estimate"].notna().any()]
    ax = value_axes(ax, len(names) * 1.2)
    offsets = np.linspace(-0.17, 0.17, len(levels)) if len(levels) > 1 else np.zeros(1)
    for level, offset, (colour, marker) in zip(levels, offsets, SERIES[1:], strict=False):
        for row in table[table["level"] == level].to_dict("records"):
            y = names.index(row["predictor"]) + offset
            ax.plot([row["wide_low"], row["wide_high"]], [y, y], color=colour, linewidth=1)
            ax.plot([row["low"], row["high"]], [y, y], color=colour, linewidth=2.6, solid_capstyle="butt")
            clear = row["difference_wide_low"] > 0 or row["difference_wide_high"] < 0
            ax.plot(
                row["estimate"], y, marker, color=colour, markersize=7, markeredgewidth=1.6,
                markerfacecolor=colour if clear else SURFACE,
            )  # fmt: skip
    if "AUROC" in metric:
        ax.axvline(0.5, color=INK, linewidth=1, linestyle=(0, (4, 3)))
    finish(ax, names, f"{metric}; filled: unlike that of the {names[0]}")
    legend(
        ax,
        [
            Line2D([], [], color=colour, marker=marker, linewidth=2, label=_LEVELS[level])
            for level, (colour, marker) in zip(levels, SERIES[1:], strict=False)
        ],
    )
    return cast(Figure, ax.figure)
