"""Picture of a plan: what the graph says every value should do when the target is steered."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from pyvalue.reporting.interval_plot import IntervalRow, draw_intervals
from pyvalue.reporting.theme import RELATION_COLOURS, RELATION_MARKERS, RELATION_NAMES
from pyvalue.reporting.value_axes import legend
from pyvalue.steering.plan import SteeringPlan


def draw_plan(plan: SteeringPlan, ax: Axes | None = None) -> Figure:
    """Predicted change of every value with its interval, by relation to the target; a plan without numbers says so.

    Args:
        plan: to draw.
        ax: to draw into; default a new figure.
    """
    table = plan.predicted_changes
    numbers = {} if table.empty else {str(row["value"]): row for row in table.to_dict("records")}
    rows, present = [], []
    for relation, colour in RELATION_COLOURS.items():
        for value in plan.values(relation):
            row = numbers.get(value)
            ends = [float(row[name]) if row else np.nan for name in ("minimum", "maximum", "low", "high")]
            single = np.isclose(ends[0], ends[1])
            rows.append(
                IntervalRow(
                    value, ends[0] if single else np.nan, ends[2], ends[3],
                    inner=None if single else (ends[0], ends[1]), colour=colour, marker=RELATION_MARKERS[relation],
                    filled=ends[2] > 0 or ends[3] < 0,
                    absent=_told(plan, value) if relation == "target" else f"{RELATION_NAMES[relation]}: no number",
                )
            )  # fmt: skip
            present += [relation] if relation not in present else []
    unit = "change of the score" if plan.amount is not None else "change per unit of the target"
    figure = draw_intervals(rows, f"predicted {unit}; thick: range over open directions, thin: with its interval", ax)
    entries = [
        Line2D([], [], linestyle="none", marker=RELATION_MARKERS[r], color=RELATION_COLOURS[r], label=RELATION_NAMES[r])
        for r in present
    ]
    if ax is None and entries:
        legend(figure.axes[0], entries)
    return figure


def _told(plan: SteeringPlan, value: str) -> str:
    return "to be raised" if plan.target[value] > 0 else "to be lowered"
