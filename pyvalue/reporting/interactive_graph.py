"""The value graph that the page's reader can zoom, filter and point at: models for BokehJS, and what its script needs.

It is drawn by Bokeh in the browser; the page's own script (``templates/graph.js``) filters its data and colours it.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyvalue.graph import ValueGraph
from pyvalue.reporting.edge_shapes import edge_shape
from pyvalue.reporting.graph_comparison import Reference
from pyvalue.reporting.graph_plot import MAX_EDGES, Point, drawn_edges, places
from pyvalue.reporting.graph_summary import drawn_from, replicates, was_given
from pyvalue.reporting.graph_words import edge_details, edge_strengths, edge_text, value_details
from pyvalue.reporting.theme import INK, MUTED, OPEN, SURFACE, shown
from pyvalue.reporting.wording import count
from pyvalue.steering.plan import SteeringPlan

#: with more values than this two graphs side by side would be too small to read
SIDE_BY_SIDE = 12
_RADII = ((12, 0.07), (24, 0.05), (60, 0.03))


@dataclass(frozen=True)
class InteractiveGraph:
    """What the page needs to draw a graph.

    Attributes:
        panels: for the script, one entry a graph, the report's first: ``target`` (its element), ``item`` (of
            ``bokeh.embed``), ``radius`` (of its discs) and ``label`` (for those who do not see it).
        strengths: of all edges of the report's graph, ascending; empty without a bootstrap.
        owner: heading of the graph, where another stands beside it.
        drawn_from: where its arrows were found, after "found"; empty where that goes without saying.
        replicates: that strengths are shares of, as "1,000 bootstrap replicates"; empty without.
        given: whether no search found the report's graph.
        reference: the graph beside it.
        stacked: whether the two are to stand below each other.
        descendants: (value, what moves with it, what may) of every value.
    """

    panels: tuple[Mapping[str, Any], ...]
    strengths: tuple[float, ...]
    owner: str
    drawn_from: str
    replicates: str
    given: bool
    reference: Reference | None
    stacked: bool
    descendants: tuple[tuple[str, str], ...]


def interactive_graph(
    graph: ValueGraph, plan: SteeringPlan | None, reference: Reference | None, owner: str = "this graph"
) -> InteractiveGraph:
    """The graph for the page, and the reference with its values in the same places.

    Args:
        graph: of the report; its ``MAX_EDGES`` strongest edges are drawn.
        plan: whose predictions colour the values.
        reference: drawn beside it.
        owner: what the graph is called beside it.
    """
    where = _common_places(graph, reference.graph if reference else None)
    relations = {} if plan is None else plan.predicted
    label = "Value graph" if owner == "this graph" else f"Value graph of {owner}"
    panels = [_panel("graph-model", graph, where, relations, label)]
    if reference is not None:
        panels.append(_panel("graph-reference", reference.graph, where, {}, reference.title))
    return InteractiveGraph(
        panels=tuple(panels),
        strengths=tuple(sorted(round(share, 6) for share in edge_strengths(graph).values())),
        drawn_from=drawn_from(graph),
        owner=owner[:1].upper() + owner[1:],
        replicates="" if graph.bootstrap is None else replicates(graph, graph.bootstrap.replicates),
        given=was_given(graph),
        reference=reference,
        stacked=len(where) > SIDE_BY_SIDE,
        descendants=tuple((name, "; ".join(value_details(graph, name))) for name in graph.names),
    )


def bokeh_script() -> str:
    """BokehJS without its widgets, tables and WebGL, as it is installed."""
    import bokeh

    path = Path(bokeh.__file__).parent / "server" / "static" / "js" / "bokeh.min.js"
    return path.read_text(encoding="utf-8")


def _common_places(graph: ValueGraph, other: ValueGraph | None) -> Mapping[str, Point]:
    """Where the values of both graphs stand: in an order that suits the first."""
    names = [*graph.names, *(name for name in (other.names if other else ()) if name not in set(graph.names))]
    if len(names) == len(graph.names):
        return places(graph, drawn_edges(graph))
    import numpy as np

    marks = np.zeros((len(names), len(names)), dtype=np.int8)
    marks[: len(graph.names), : len(graph.names)] = graph.marks
    return places(ValueGraph(tuple(names), marks, graph.settings), drawn_edges(graph))


def _panel(
    target: str, graph: ValueGraph, where: Mapping[str, Point], relations: Mapping[str, str], label: str
) -> Mapping[str, Any]:
    from bokeh.core.types import ID
    from bokeh.embed import json_item

    radius = next((radius for most, radius in _RADII if len(where) <= most), 0.02)
    plot = _plot(_edge_columns(graph, where, radius), _value_columns(graph, where, relations), radius)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of an empty graph, that it is empty
        item = json_item(plot, ID(target))
    drawn = min(len(graph.edges()), MAX_EDGES)
    return {
        "target": target,
        "item": _numbered(item),
        "radius": radius,
        "label": f"{label}: {count(len(graph.names), 'value')}, {count(drawn, 'edge')}.",
    }


def _edge_columns(graph: ValueGraph, where: Mapping[str, Point], radius: float) -> tuple[dict[str, list[Any]], ...]:
    """Columns of the lines, and of the heads with the number of their line."""
    details = edge_details(graph)
    lines: dict[str, list[Any]] = {
        key: [] for key in ("xs", "ys", "kind", "strength", "width", "alpha", "color", "title", "lines", "ends")
    }
    heads: dict[str, list[Any]] = {key: [] for key in ("xs", "ys", "edge", "alpha", "color")}
    edges = drawn_edges(graph)
    thin = 0.6 if len(edges) > 20 else 1.0
    for index, edge in enumerate(edges):
        shape = edge_shape(where[edge.source], where[edge.target], edge.kind, radius)
        share = 0.6 if edge.strength is None else edge.strength
        colour, alpha = OPEN if edge.kind == "undirected" else INK, round(0.35 + 0.6 * share, 3)
        row = {
            "xs": shape.line[:, 0].round(4).tolist(),
            "ys": shape.line[:, 1].round(4).tolist(),
            "kind": edge.kind,
            "strength": None if edge.strength is None else round(edge.strength, 6),
            "width": round((1.0 + 3.4 * share) * thin, 2),
            "alpha": alpha,
            "color": colour,
            "title": edge_text(shown(edge.source, 26), edge.kind, shown(edge.target, 26)),
            "lines": details[frozenset((edge.source, edge.target))],
            "ends": [graph.names.index(edge.source), graph.names.index(edge.target)],
        }
        for key, cell in row.items():
            lines[key].append(cell)
        for head in shape.heads:
            corners = {"xs": head[:, 0].round(4).tolist(), "ys": head[:, 1].round(4).tolist()}
            for key, cell in (corners | {"edge": index, "alpha": alpha, "color": colour}).items():
                heads[key].append(cell)
    return lines, heads


def _value_columns(graph: ValueGraph, where: Mapping[str, Point], relations: Mapping[str, str]) -> dict[str, list[Any]]:
    followers = [graph.possible_descendants(name) for name in graph.names]
    return {
        "x": [round(float(where[name][0]), 4) for name in graph.names],
        "y": [round(float(where[name][1]), 4) for name in graph.names],
        "name": [shown(name, 26) for name in graph.names],
        "relation": [relations.get(name, "") for name in graph.names],
        "lines": [value_details(graph, name) for name in graph.names],
        "followers": [[graph.names.index(other) for other in sorted(found)] for found in followers],
        "color": [MUTED] * len(graph.names),
        "alpha": [1.0] * len(graph.names),
        "label": [shown(name, 26) for name in graph.names],
        # where a name stands beside its value; the script sets these, and how much of it, by the room that there is
        "text_x": [0.0] * len(graph.names),
        "text_y": [0.0] * len(graph.names),
        "text_angle": [0.0] * len(graph.names),
        "text_align": ["center"] * len(graph.names),
        "text_baseline": ["middle"] * len(graph.names),
    }


def _plot(edges: Sequence[dict[str, list[Any]]], values: dict[str, list[Any]], radius: float) -> Any:
    """The Bokeh figure; the script finds its parts by their names."""
    from bokeh.models import ColumnDataSource, HoverTool, PanTool, Range1d, WheelZoomTool
    from bokeh.plotting import figure

    plot = figure(
        sizing_mode="stretch_both", toolbar_location=None, tools="", min_border=0, outline_line_color=None,
        x_range=Range1d(start=-1.6, end=1.6), y_range=Range1d(start=-1.3, end=1.3),
        background_fill_alpha=0, border_fill_alpha=0,
    )  # fmt: skip
    plot.axis.visible = False
    plot.grid.visible = False
    lines = ColumnDataSource(edges[0], name="edges")
    heads = ColumnDataSource(edges[1], name="heads")
    discs = ColumnDataSource(values, name="values")
    # A line of a pixel is hard to point at: a wide one that is not seen lies below it.
    touched = plot.multi_line(
        "xs", "ys", source=lines, line_width=16, line_alpha=0, line_cap="round", line_color=MUTED,
        hover_line_color=MUTED, hover_line_alpha=0.25, name="touched",
    )  # fmt: skip
    plot.multi_line(
        "xs", "ys", source=lines, line_width="width", line_color="color", line_alpha="alpha", line_cap="butt"
    )
    plot.patches("xs", "ys", source=heads, fill_color="color", fill_alpha="alpha", line_color=None)
    circles = plot.circle(
        "x", "y", radius=radius, source=discs, fill_color="color", fill_alpha="alpha", line_color=SURFACE,
        line_width=2, name="discs",
    )  # fmt: skip
    label: dict[str, Any] = {"background_fill_color": SURFACE, "background_fill_alpha": 0.75, "padding": 1}
    plot.text(
        "text_x", "text_y", "label", source=discs, text_color=INK, text_alpha="alpha", text_font_size="14px",
        angle="text_angle", text_align="text_align", text_baseline="text_baseline", name="names",
        **label,
    )  # fmt: skip
    pan = PanTool()
    plot.add_tools(
        pan,
        # Without a key the wheel scrolls the page; a pinch on a touch pad is the wheel with this key.
        WheelZoomTool(modifiers="ctrl"),
        HoverTool(renderers=[touched], tooltips=None, line_policy="interp"),
        HoverTool(renderers=[circles], tooltips=None),
    )
    plot.toolbar.active_drag = pan
    return plot


def _numbered(item: Any) -> Any:
    """The item with its models numbered in their order, so that the page is the same in every run.

    Bokeh numbers them on through the life of the process. Only what Bokeh wrote under the key "id" is touched: names
    of values look like anything.
    """
    numbers: dict[str, str] = {}

    def renamed(part: Any) -> Any:
        if isinstance(part, Mapping):
            return {key: known(cell) if key in ("id", "root_id") else renamed(cell) for key, cell in part.items()}
        if isinstance(part, list | tuple):
            return [renamed(cell) for cell in part]
        return part

    def known(name: Any) -> Any:
        return numbers.setdefault(name, f"g{len(numbers)}") if isinstance(name, str) else renamed(name)

    return renamed(item)
