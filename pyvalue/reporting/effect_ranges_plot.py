"""Picture of total effects: how far one value moves another by the graph, as a range and its interval."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pyvalue.effects.value_effects import Effects
from pyvalue.reporting.interval_plot import MOST_ROWS, IntervalRow, draw_intervals
from pyvalue.reporting.theme import RELATION_COLOURS

_COLOURS = {"definite": RELATION_COLOURS["definite"], "possible": RELATION_COLOURS["possible"]}


def draw_effect_ranges(effects: Effects, ax: Axes | None = None, *, source: str | None = None) -> Figure:
    """Thick: range of the effect over the directions that the graph leaves open; thin: the same with its interval.

    A mark stands where there is one number and no range; it is filled where the interval leaves out 0. Effects that are
    0 by the graph have no row. Of more than 40 the largest are shown.

    Args:
        effects: of ``estimate_effects``.
        ax: to draw into; default a new figure.
        source: a value: only its effects on the others.

    Raises:
        ValueError: an unknown value.
    """
    table = ranked_effects(effects, source)
    rows = [_row(one, named=source is None) for one in table.head(MOST_ROWS).to_dict("records")]
    what = "effect of one unit" if source is None else f"effect of one unit of {source}"
    if not rows:
        rows = [IntervalRow(source or "any value", np.nan, np.nan, np.nan, absent="no effects by this graph")]
    figure = draw_intervals(rows, f"{what}; thick: range over open directions, thin: with its interval", ax)
    for axes in figure.axes:
        axes.xaxis.label.set_parse_math(False)
    return figure


def ranked_effects(effects: Effects, source: str | None = None) -> pd.DataFrame:
    """The rows of ``Effects.table`` that are not 0 by the graph, the largest first, those without a number last.

    Raises:
        ValueError: an unknown value.
    """
    if source is not None and source not in effects.names:
        raise ValueError(f"source: expected one of {', '.join(effects.names)}, got {source!r}")
    table = effects.table()
    table = table[table["relation"] != "none"]
    if source is not None:
        table = table[table["source"] == source]
    size = table[["minimum", "maximum"]].abs().max(axis=1)
    return table.loc[size.sort_values(ascending=False, kind="stable", na_position="last").index].reset_index(drop=True)


def _row(one: dict[str, object], named: bool) -> IntervalRow:
    least, most, low, high = (float(str(one[name])) for name in ("minimum", "maximum", "low", "high"))
    single = np.isclose(least, most)
    return IntervalRow(
        f"{one['source']} → {one['target']}" if named else str(one["target"]),
        least if single else np.nan,
        low,
        high,
        inner=None if single else (least, most),
        filled=low > 0 or high < 0,
        colour=_COLOURS.get(str(one["relation"]), RELATION_COLOURS["unaffected"]),
        absent="cannot be computed",
    )
