"""Picture of priorities: the values by importance, beside their ranks in a reference."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pyvalue.evaluation.priorities import Priorities
from pyvalue.reporting.interval_plot import IntervalRow, draw_intervals
from pyvalue.reporting.theme import MUTED


def draw_priorities(found: Priorities, ax: Axes | None = None) -> Figure:
    """Mean of every value about the row's own mean with its interval; at the right its rank in the reference.

    Args:
        found: of ``priorities``.
        ax: to draw into; default a new figure.
    """
    table = found.table.to_dict("records")
    rows = [IntervalRow(f"{row['rank']:g}  {row['value']}", row["mean"], row["low"], row["high"]) for row in table]
    figure = draw_intervals(rows, "mean score, less the mean of all values", ax)
    drawn = ax or figure.axes[0]
    beside = drawn.get_yaxis_transform()
    for place, row in enumerate(table):
        drawn.text(1.03, place, f"{row['reference']:g}", transform=beside, size=10, color=MUTED, va="center")
    drawn.text(1.03, -1.0, "rank in\nreference", transform=beside, size=8, color=MUTED, va="bottom")
    return figure
