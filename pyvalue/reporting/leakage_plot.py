"""Picture of the leakage of one edit: how much each group of values moved per unit of the target."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pyvalue.effects.leakage import Leakage
from pyvalue.reporting.interval_plot import IntervalRow, draw_intervals


def draw_leakage(found: Leakage, ax: Axes | None = None) -> Figure:
    """One row a group of values: root mean square change per unit of the target's, with its interval.

    Args:
        found: of ``leakage``.
        ax: to draw into; default a new figure.
    """
    rows = []
    for group, size in zip(found.table["group"], found.table["values"], strict=True):
        estimate, low, high = found.estimate(group)
        name = f"{group} ({size} value{'s' * (size != 1)})"
        filled = bool(np.isfinite(low) and low > 0)
        rows.append(IntervalRow(name, estimate, low, high, filled=filled, absent="undefined"))
    quantity = "leakage: change of the others per unit of the target, noise taken out"
    if found.reason:
        quantity = f"undefined: {found.reason}"
    figure = draw_intervals(rows, quantity, ax)
    figure.axes[0].xaxis.label.set_parse_math(False)
    return figure
