"""The picture of a value graph: values on a circle, edges as wide and dark as the bootstrap is sure of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import FancyArrowPatch
from numpy.typing import NDArray

from pyvalue.graph import ValueGraph
from pyvalue.reporting.theme import (
    INK,
    MUTED,
    OPEN,
    RELATION_COLOURS,
    RELATION_NAMES,
    SURFACE,
    schwartz_order,
    shown,
)
from pyvalue.steering.plan import Relation, SteeringPlan, predict

#: more edges than this are a tangle, and megabytes of SVG; the strongest are drawn
MAX_EDGES = 300
#: with more edges than this their numbers would cover each other
MAX_NUMBERS = 40
#: with more edges than this lines and heads are thinner
DENSE = 25
_ARROWS = {"directed": "-|>", "undirected": "-", "bidirected": "<|-|>"}

Point = NDArray[np.float64]


@dataclass(frozen=True)
class Edge:
    """An edge of a picture; its strength is the share of bootstrap replicates with it, None without a bootstrap."""

    source: str
    target: str
    kind: str
    strength: float | None


def draw_graph(
    graph: ValueGraph,
    target: Sequence[str] = (),
    ax: Axes | None = None,
    *,
    plan: SteeringPlan | None = None,
) -> Figure:
    """Draw a graph: → an arrow, — a plain line, ↔ two heads; bootstrap strength as width, opacity and a number.

    The ten Schwartz values stand in the order of his circle, other names so that joined ones are near each other.
    With a target, colours say what the graph predicts of every value.

    Args:
        graph: to draw; at most ``MAX_EDGES`` edges, the strongest.
        target: values to steer.
        ax: to draw into; default a new figure.
        plan: whose target and predictions to show, instead of ``target``.

    Raises:
        ValueError: a target that is not in the graph.
        TypeError: ``target`` is a string.
    """
    if isinstance(target, str):
        raise TypeError(f"target: expected a sequence of values, got the string {target!r}; write [{target!r}]")
    relations: Mapping[str, Relation] = {}
    signs: Mapping[str, int] = {}
    if plan is not None:
        relations, signs = plan.predicted, plan.target
    elif target:
        relations = predict(graph, target)
    edges = drawn_edges(graph)
    place = places(graph, edges)
    crowded = len(place) > 24
    if ax is None:
        figure = Figure(figsize=(9.6, 9.9) if crowded else (7.6, 5.9))
        ax = figure.add_axes((0.0, 0.06, 1.0, 0.94))
    for edge in edges:
        ax.add_patch(_arrow(edge, place, gap=6 if crowded else 11, dense=len(edges) > DENSE))
    if len(edges) <= MAX_NUMBERS:
        _draw_numbers(ax, edges, place)
    _draw_values(ax, place, relations, signs, crowded)
    _draw_legend(ax, relations, edges)
    reach = (1.62, 1.62) if crowded else (1.65, 1.2)
    ax.set(xlim=(-reach[0], reach[0]), ylim=(-reach[1], reach[1]), aspect="equal")
    ax.set_axis_off()
    return cast(Figure, ax.figure)


def drawn_edges(graph: ValueGraph) -> list[Edge]:
    """The edges that ``draw_graph`` shows, weakest first, so that the strong ones lie on top."""
    strengths: dict[frozenset[str], float] = {}
    if graph.bootstrap is not None:
        table = graph.strengths()
        pairs = zip(table["source"], table["target"], table["strength"], strict=True)
        strengths = {frozenset((a, b)): float(share) for a, b, share in pairs if np.isfinite(share)}
    edges = [Edge(a, b, kind, strengths.get(frozenset((a, b)))) for a, b, kind in graph.edges()]
    edges.sort(key=lambda edge: edge.strength or 0.0)
    return edges[-MAX_EDGES:]


def places(graph: ValueGraph, edges: Sequence[Edge]) -> dict[str, Point]:
    """Every value's place on the unit circle, clockwise from the top."""
    order = schwartz_order(graph.names) or _spectral_order(graph.names, edges)
    angles = np.pi / 2 - 2 * np.pi * np.arange(len(order)) / max(len(order), 1)
    return {name: np.array([np.cos(a), np.sin(a)]) for name, a in zip(order, angles, strict=True)}


def _spectral_order(names: Sequence[str], edges: Sequence[Edge]) -> list[str]:
    """Names by their angle in the plane of the two smoothest eigenvectors of the Laplacian, which shortens edges."""
    if len(names) < 4 or not edges:
        return list(names)
    index = {name: i for i, name in enumerate(names)}
    weights = np.full((len(names), len(names)), 1e-3)  # joins separate parts, and isolated values to all
    for edge in edges:
        i, j = index[edge.source], index[edge.target]
        weights[i, j] = weights[j, i] = 1.0 if edge.strength is None else 0.1 + edge.strength
    np.fill_diagonal(weights, 0.0)
    _, vectors = np.linalg.eigh(np.diag(weights.sum(axis=1)) - weights)
    angles = np.arctan2(vectors[:, 2], vectors[:, 1]).round(9)
    return [names[i] for i in np.argsort(angles, kind="stable")]


def _bend(a: Point, b: Point) -> float:
    """``rad`` of matplotlib's arc3: towards the centre, and less for a long chord, which passes it anyway."""
    chord, middle = b - a, (a + b) / 2
    inward = -1.0 if (middle @ [chord[1], -chord[0]]) > 0 else 1.0
    return float(inward * (0.26 - 0.08 * np.linalg.norm(chord)))


def curve(a: Point, b: Point, t: NDArray[np.float64]) -> Point:
    """Points (len(t), 2) of the quadratic Bézier curve that arc3 draws from a to b."""
    control = (a + b) / 2 + _bend(a, b) * np.array([b[1] - a[1], a[0] - b[0]])
    u = t[:, None]
    return np.asarray((1 - u) ** 2 * a + 2 * u * (1 - u) * control + u**2 * b)


def _arrow(edge: Edge, place: Mapping[str, Point], gap: float, dense: bool) -> FancyArrowPatch:
    """The tail touches its value and the head stays off it, so that where many meet the two are told apart."""
    a, b = place[edge.source], place[edge.target]
    share = 0.6 if edge.strength is None else edge.strength
    return FancyArrowPatch(
        (float(a[0]), float(a[1])),
        (float(b[0]), float(b[1])),
        arrowstyle=_ARROWS[edge.kind],
        connectionstyle=f"arc3,rad={_bend(a, b)}",
        shrinkA=gap if edge.kind == "bidirected" else 0,
        shrinkB=0 if edge.kind == "undirected" else gap,
        mutation_scale=(gap + 2) * (0.8 if dense else 1.0),
        linewidth=(0.8 + 2.2 * share) * (0.55 if dense else 1.0),
        alpha=0.3 + 0.6 * share,
        color=OPEN if edge.kind == "undirected" else INK,
        zorder=1,
    )


def _draw_numbers(ax: Axes, edges: Sequence[Edge], place: Mapping[str, Point]) -> None:
    """Each edge's strength on the edge, where it is farthest from other numbers and other edges."""
    t = np.linspace(0.06, 0.94, 23)
    curves = [curve(place[e.source], place[e.target], t) for e in edges]
    stretch = np.array([0.6, 1.0])  # a number is wider than high
    taken: list[Point] = []
    for index, edge in enumerate(edges):
        if edge.strength is None:
            continue
        spots = curves[index][5:18]
        cost = 0.4 * np.abs(t[5:18] - 0.5)
        for other in taken:
            cost += 4 * np.clip(1 - np.linalg.norm((spots - other) * stretch, axis=1) / 0.15, 0, None)
        for other_curve in curves[:index] + curves[index + 1 :]:
            gaps = np.linalg.norm((spots[:, None] - other_curve) * stretch, axis=2).min(axis=1)
            cost += np.clip(1 - gaps / 0.1, 0, None)
        spot = spots[int(cost.argmin())]
        taken.append(spot)
        box = {"boxstyle": "round,pad=0.16", "facecolor": SURFACE, "edgecolor": "none"}
        number = f"{edge.strength:.0%}"
        x, y = float(spot[0]), float(spot[1])
        ax.text(x, y, number, size=9, color=INK, ha="center", va="center", bbox=box, zorder=3)


def _draw_values(
    ax: Axes,
    place: Mapping[str, Point],
    relations: Mapping[str, Relation],
    signs: Mapping[str, int],
    crowded: bool,
) -> None:
    scale = 0.55 if crowded else 1.0
    for name, (x, y) in place.items():
        relation = relations.get(name)
        colour = MUTED if relation is None else RELATION_COLOURS[relation]
        aim = relation == "target"
        if aim:
            ax.plot(x, y, "o", markersize=22 * scale, markerfacecolor="none", markeredgecolor=colour)
        ax.plot(x, y, "o", markersize=15 * scale, color=colour, zorder=4)
        if name in signs:
            head = "^" if signs[name] > 0 else "v"
            ax.plot(x, y, head, markersize=7 * scale, color=SURFACE, zorder=5)
        style: dict[str, Any] = {"size": 11, "color": INK, "weight": "bold" if aim else "normal", "zorder": 6}
        _draw_name(ax, shown(name, 26), float(x), float(y), crowded, style)


def _draw_name(ax: Axes, name: str, x: float, y: float, crowded: bool, style: dict[str, Any]) -> None:
    # parse_math: a "$" in a name is a dollar sign, not the start of a formula.
    if crowded:
        turn = np.degrees(np.arctan2(y, x))
        left = abs(turn) > 90
        style |= {"size": 8, "rotation": turn + 180 * left, "rotation_mode": "anchor", "va": "center"}
        ax.text(1.08 * x, 1.08 * y, name, ha="right" if left else "left", parse_math=False, **style)
        return
    side = "center" if abs(x) < 0.2 else "left" if x > 0 else "right"
    rise = "center" if side != "center" else "bottom" if y > 0 else "top"
    ax.text(1.11 * x, 1.11 * y, name, ha=side, va=rise, parse_math=False, **style)


def _draw_legend(ax: Axes, relations: Mapping[str, Relation], edges: Sequence[Edge]) -> None:
    def dot(colour: str, label: str) -> Line2D:
        return Line2D([], [], linestyle="none", marker="o", markersize=9, color=colour, label=label)

    present = set(relations.values())
    entries = [dot(c, RELATION_NAMES[relation]) for relation, c in RELATION_COLOURS.items() if relation in present]
    if any(edge.kind == "undirected" for edge in edges):
        entries.append(Line2D([], [], color=OPEN, linewidth=1.6, alpha=0.7, label="direction not determined"))
    if not entries:
        return
    legend = ax.legend(
        handles=entries, loc="upper center", bbox_to_anchor=(0.5, 0.0), ncols=len(entries), frameon=False,
        fontsize=9, handletextpad=0.4, columnspacing=1.4,
    )  # fmt: skip
    for text in legend.get_texts():
        text.set_color(INK)
