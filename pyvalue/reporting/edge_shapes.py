"""Lines and arrow heads of edges between values that are drawn as discs. Knows geometry, and no drawing library."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pyvalue.reporting.graph_plot import Point, curve

Points = NDArray[np.float64]

#: points of a line on the page: enough for a bent one to look smooth at any zoom, few enough for 300 edges
_POINTS = 24


@dataclass(frozen=True)
class EdgeShape:
    """How an edge is drawn, in the plane of the values' places.

    Attributes:
        line: (24, 2), from the source's disc to the target's, or to the base of the head before it.
        heads: triangles (3, 2), the tip first; one for a directed edge, two for a bidirected one.
    """

    line: Points
    heads: tuple[Points, ...]


def edge_shape(source: Point, target: Point, kind: str, radius: float) -> EdgeShape:
    """The shape of an edge.

    Args:
        source: place (2,) of the value that it comes from.
        target: place (2,) of the other.
        kind: "directed", "undirected" or "bidirected".
        radius: of the values' discs; heads are sized by it.
    """
    path = curve(source, target, np.linspace(0.0, 1.0, 400))
    heads = []
    if kind != "undirected":
        path, head = _with_head(path, target, radius)
        heads.append(head)
    else:
        path = _outside(path, target, radius)
    if kind == "bidirected":
        backward, head = _with_head(path[::-1], source, radius)
        path = backward[::-1]
        heads.append(head)
    else:
        path = _outside(path, source, radius)
    return EdgeShape(path[np.linspace(0, len(path) - 1, _POINTS).round().astype(int)], tuple(heads))


def _outside(path: Points, centre: Point, radius: float) -> Points:
    """The points that are not in a disc; the last two at least, where discs overlap."""
    kept = path[np.linalg.norm(path - centre, axis=1) >= radius]
    return kept if len(kept) > 1 else path[-2:]


def _with_head(path: Points, end: Point, radius: float) -> tuple[Points, Points]:
    """The path up to the base of a head whose tip is just off the disc at its end, and the head."""
    length = 1.25 * radius
    tip = _outside(path, end, 1.15 * radius)[-1]
    shaft = _outside(path, end, 1.15 * radius + length)
    along = tip - shaft[-1]
    norm = float(np.linalg.norm(along))
    if norm == 0.0:  # discs so close that there is no room for an arrow
        along, norm = end - path[0], float(np.linalg.norm(end - path[0])) or 1.0
    across = 0.42 * length * np.array([-along[1], along[0]]) / norm
    return shaft, np.array([tip, shaft[-1] + across, shaft[-1] - across])
