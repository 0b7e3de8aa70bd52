"""Picture of the distance of two graphs: what of the first the second has."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pyvalue.evaluation.graph_distance import GraphDistance
from pyvalue.reporting.interval_plot import IntervalRow, draw_intervals
from pyvalue.reporting.theme import RELATION_COLOURS


def draw_graph_distance(found: GraphDistance, ax: Axes | None = None) -> Figure:
    """Shares in common (filled: the more the better) and shares that differ (hollow: the fewer the better).

    Args:
        found: of ``graph_distance``.
        ax: to draw into; default a new figure.
    """
    alike = [
        (f"{what}: {part}", getattr(agreement, name))
        for what, agreement in (("joined pairs", found.adjacencies), ("arrows", found.arrows))
        for part, name in (("precision", "precision"), ("recall", "recall"), ("F1", "f1"))
    ]
    pairs = max(found.pairs, 1)
    unlike = [("edges that differ (SHD)", found.shd / pairs), ("joined in one only", found.shd_skeleton / pairs)]
    for name, label in (("parent_aid", "effects misjudged (parent AID)"), ("sid", "effects misjudged (SID)")):
        distance = getattr(found, name)
        unlike += [] if distance is None else [(label, distance.share)]
    rows = [IntervalRow(name, share, np.nan, np.nan, absent="has none") for name, share in alike]
    rows += [
        IntervalRow(name, share, np.nan, np.nan, filled=False, colour=RELATION_COLOURS["target"], marker="D")
        for name, share in unlike
    ]
    figure = draw_intervals(rows, "share; filled: in common, hollow: different", ax, zero=False)
    (ax or figure.axes[0]).set_xlim(-0.03, 1.03)
    return figure
