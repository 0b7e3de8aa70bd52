"""Picture of a prediction benchmark: how well each predictor ranks the values that move, with intervals."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from pyvalue.evaluation.benchmark_result import PredictionBenchmark
from pyvalue.reporting.theme import INK, MUTED, RULE, SERIES, SURFACE
from pyvalue.reporting.value_axes import finish, legend, value_axes

_LEVELS = {"edit": "mean change of an edit", "row": "a persona's change"}
_KINDS = {False: "told by\nother items", True: "knows the\ntested items"}
_THIN, _THICK = 1.0, 2.6


def draw_benchmark(benchmark: PredictionBenchmark, ax: Axes | None = None, *, metric: str = "AUROC") -> Figure:
    """One row a predictor, one mark a level; predictors that know the tested items come last, below a line.

    The thin line is the interval over personas and edits, the thick one over personas alone. A dashed line marks
    chance. Filled marks differ from the baseline of their kind: the wide interval of the difference leaves out 0.
    Baselines are written with a star.

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
    table = table.sort_values("knows_items", kind="stable")
    names = list(dict.fromkeys(table["predictor"]))
    levels = [level for level in _LEVELS if table.loc[table["level"] == level, "estimate"].notna().any()]
    ax = value_axes(ax, len(names) * 1.2)
    offsets = np.linspace(-0.17, 0.17, len(levels)) if len(levels) > 1 else np.zeros(1)
    styles = dict(zip(levels, SERIES[1:], strict=False))
    for level, offset in zip(levels, offsets, strict=True):
        for row in table[table["level"] == level].to_dict("records"):
            _draw(ax, row, names.index(row["predictor"]) + offset, *styles[level])
    if "AUROC" in metric:
        ax.axvline(0.5, color=INK, linewidth=1, linestyle=(0, (4, 3)))
    baselines = set(table["compared_with"])
    finish(ax, [f"{name} *" if name in baselines else name for name in names], f"{metric}; * baseline of its kind")
    _separate(ax, table, names)
    _explain(ax, [(_LEVELS[level], *styles[level]) for level in levels])
    return cast(Figure, ax.figure)


def _draw(ax: Axes, row: dict[Any, Any], y: float, colour: str, marker: str) -> None:
    ax.plot([row["wide_low"], row["wide_high"]], [y, y], color=colour, linewidth=_THIN)
    ax.plot([row["low"], row["high"]], [y, y], color=colour, linewidth=_THICK, solid_capstyle="butt")
    clear = row["difference_wide_low"] > 0 or row["difference_wide_high"] < 0
    ax.plot(
        row["estimate"], y, marker, color=colour, markersize=7, markeredgewidth=1.6,
        markerfacecolor=colour if clear else SURFACE,
    )  # fmt: skip


def _separate(ax: Axes, table: pd.DataFrame, names: list[str]) -> None:
    """A line between the two kinds of predictors, and what they are."""
    kinds = table.drop_duplicates("predictor").set_index("predictor")["knows_items"].loc[names].astype(bool)
    if kinds.nunique() < 2:
        return
    first = int((~kinds).sum())
    ax.axhline(first - 0.5, color=RULE, linewidth=1)
    for y, knows in ((0, False), (first, True)):  # beside the axes, where no interval is
        ax.text(1.01, y, _KINDS[knows], transform=ax.get_yaxis_transform(), va="center", color=MUTED, fontsize=8)


def _explain(ax: Axes, levels: list[tuple[str, str, str]]) -> None:
    marks = [
        Line2D(
            [], [], color=colour, marker=marker, linestyle="", markersize=7, markeredgewidth=1.6,
            markerfacecolor=SURFACE, label=label,
        )
        for label, colour, marker in levels
    ]  # fmt: skip
    grey = {"color": MUTED, "markersize": 7.0}
    rest = [
        Line2D([], [], marker="o", linestyle="", label="filled: unlike the baseline", **grey),  # type: ignore[arg-type]
        Line2D([], [], color=MUTED, linewidth=_THIN, label="interval over personas and edits"),
        Line2D([], [], color=MUTED, linewidth=_THICK, label="over personas alone"),
    ]
    legend(ax, [*marks, *rest], columns=3)
