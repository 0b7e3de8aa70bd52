"""Picture of the associations between values that differ between two groups."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pyvalue.evaluation.edge_difference import EdgeDifferences
from pyvalue.reporting.interval_plot import IntervalRow, draw_intervals


def draw_edge_differences(found: EdgeDifferences, ax: Axes | None = None, *, most: int = 20) -> Figure:
    """The pairs with the lowest p, the difference of the association with its interval; filled where q says so.

    Args:
        found: of ``edge_differences``.
        ax: to draw into; default a new figure.
        most: pairs that are drawn.

    Raises:
        ValueError: ``most`` is below 1.
    """
    if most < 1:
        raise ValueError(f"most: expected at least 1, got {most}")
    table = found.table.sort_values("p", kind="stable").head(most)
    rows = [
        IntervalRow(
            f"{row['source']} – {row['target']}", row["difference"], row["low"], row["high"],
            filled=bool(row["q"] <= found.alpha),
        )
        for row in table.to_dict("records")
    ]  # fmt: skip
    named = {"partial": "partial correlation", "correlation": "correlation"}
    what = named.get(str(found.facts.get("measure")), "association")
    return draw_intervals(rows, f"difference of the {what} (filled: q ≤ {found.alpha:g})", ax)
