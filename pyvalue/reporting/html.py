"""The report: one HTML page that needs no network and no script, and the figures as files beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup
from matplotlib.figure import Figure

from pyvalue.atomic_files import replace_file
from pyvalue.errors import StoreError
from pyvalue.quality import Quality
from pyvalue.reporting import tables
from pyvalue.reporting.effects_plot import draw_effects, draw_profile
from pyvalue.reporting.graph_plot import MAX_EDGES, MAX_NUMBERS, draw_graph
from pyvalue.reporting.parts import Parts, sort_parts
from pyvalue.reporting.quality_plot import LOWEST, draw_quality
from pyvalue.reporting.quality_tables import describe_quality, qualities, quality_tables, quality_warnings
from pyvalue.reporting.summary import count, limits, listed, summary
from pyvalue.reporting.svg import figure_bytes, inline_svg
from pyvalue.reporting.theme import RELATION_COLOURS, RELATION_NAMES
from pyvalue.steering.plan import SteeringPlan

_TEMPLATES = Path(__file__).parent / "templates"
_PILOT = "Pilot: what candidates did to the target, and the finalists to other values, on a few personas"
_ROLES = "Roles: personas that already answer as wanted, best five"


@dataclass(frozen=True)
class Picture:
    """A figure of the page: what it says to those who do not see it, and the line below it."""

    figure: Figure
    description: str
    caption: str


def report(parts: Sequence[Any], folder: str | Path) -> Path:
    """Write ``folder/index.html`` and ``folder/figures/*.png`` and ``*.svg``.

    The page is self-contained, reads well in light and dark and on paper, and says what was not given.

    Args:
        parts: any of ``Responses`` (several), ``ValueGraph``, ``SteeringPlan`` and ``Evaluation``, in any order.
        folder: created when absent; a report in it is replaced, the page last.

    Returns:
        Path of the page.

    Raises:
        TypeError: a part of another type, or ``parts`` is no list or tuple.
        ValueError: no parts, or two graphs, plans or evaluations.
        StoreError: the folder cannot be written, or the disk is full.
    """
    given = sort_parts(parts)
    folder = Path(folder)
    found = qualities(given.responses)
    pictures = _pictures(given, found)
    page = _page(given, found, pictures)
    try:
        (folder / "figures").mkdir(parents=True, exist_ok=True)
    except OSError as fault:
        raise StoreError(f"report folder {folder} cannot be written: {fault.strerror or fault}") from fault
    for name, picture in pictures.items():
        for kind in ("png", "svg"):
            _write(folder / "figures" / f"{name}.{kind}", figure_bytes(picture.figure, kind))
    return _write(folder / "index.html", page.encode("utf-8"))


def _pictures(given: Parts, found: Sequence[Quality]) -> dict[str, Picture]:
    pictures = {}
    if given.graph is not None:
        pictures["graph"] = _graph_picture(given)
    asked = [responses for responses in given.responses if responses.values]
    if asked:
        names = listed(dict.fromkeys(value for responses in asked for value in responses.values))
        pictures["profile"] = Picture(
            draw_profile(asked),
            f"Mean score with interval of {names}; the numbers are in the table that follows.",
            "Mean score over personas with its 95% normal interval.",
        )
    scales = [quality for quality in found if len(quality.values)]
    if scales:
        known = [row for quality in scales for row in quality.values.dropna(subset="alpha").to_dict("records")]
        spoken = listed((f"{row['value']} {row['alpha']:.2f}" for row in known), "none can be had")
        pictures["quality"] = Picture(
            draw_quality(scales),
            f"Cronbach's alpha of every value: {spoken}.",
            "Reliability of every value with its 95% interval (Feldt)."
            + (" An arrow: the number lies further left." if any(row["alpha"] < LOWEST for row in known) else ""),
        )
    if given.evaluation is not None:
        moved = listed(given.evaluation.effects.query("changed")["value"])
        pictures["effects"] = Picture(
            draw_effects(given.evaluation),
            f"Change of every value with its interval. Intervals that leave out zero: {moved}.",
            "Change of every value, by what was predicted of it. Filled marks: the interval leaves out zero. "
            "Pale bars: predicted intervals.",
        )
    return pictures


def _graph_picture(given: Parts) -> Picture:
    graph = given.graph
    assert graph is not None  # for the type checker; the caller knows
    signs = {"directed": "to", "undirected": "joined with", "bidirected": "two-headed with"}
    edges = list(graph.edges())
    spoken = "; ".join(f"{a} {signs[kind]} {b}" for a, b, kind in edges[:MAX_NUMBERS]) or "no edges"
    more = f"; and {len(edges) - MAX_NUMBERS} more" if len(edges) > MAX_NUMBERS else ""
    caption = "Arrow: causal direction found. Plain line: direction not determined."
    if graph.bootstrap is not None and edges:
        caption += " Width and darkness: share of bootstrap replicates with the edge"
        caption += ", the number on it." if len(edges) <= MAX_NUMBERS else "; the numbers are in the table."
    if len(edges) > MAX_EDGES:
        caption += f" The strongest {MAX_EDGES} of {len(edges)} edges are drawn."
    if given.plan is not None:
        caption += f" Colours: what the graph predicts when {listed(given.plan.target)} is steered."
    return Picture(draw_graph(graph, plan=given.plan), f"Value graph: {spoken}{more}.", caption)


def _page(given: Parts, found: Sequence[Quality], pictures: dict[str, Picture]) -> str:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,  # names of personas, values and models are other people's text
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # The SVG is serialised by an XML writer, which escapes its text; it is the only markup passed in.
    drawn = {name: Markup(inline_svg(p.figure, name, p.description)) for name, p in pictures.items()}
    content = {
        "title": _title(given),
        "summary": summary(given, describe_quality(found)),
        "pictures": {name: {"svg": drawn[name], "caption": p.caption} for name, p in pictures.items()},
        "relations": RELATION_COLOURS,
        "names": RELATION_NAMES,
        "limits": limits(given),
        "run": _run_tables(given),
        "notes": _notes(given),
        "quality": quality_tables(found),
        "warnings": quality_warnings(found),
        **_result_tables(given),
    }
    return environment.get_template("report.html.j2").render(content)


def _title(given: Parts) -> str:
    models = listed(dict.fromkeys(m for responses in given.responses for m in responses.table["model"].unique()), "")
    return f"Values of {models}" if models else "Values of a language model"


def _result_tables(given: Parts) -> dict[str, Any]:
    evaluation, plan = given.evaluation, given.plan
    return {
        "edges": tables.edge_table(given.graph) if given.graph else None,
        "profile": tables.profile_table(given.responses) if given.responses else None,
        "plan": _plan_content(plan) if plan else None,
        "effects": tables.effects_table(evaluation) if evaluation else None,
        "quantities": tables.quantities_table(evaluation) if evaluation else None,
    }


def _plan_content(plan: SteeringPlan) -> dict[str, Any]:
    return {
        "target": [("raise" if sign > 0 else "lower", value) for value, sign in plan.target.items()],
        "groups": [(relation, plan.values(relation)) for relation in RELATION_COLOURS if plan.values(relation)],
        "edits": tables.edits_table(plan) if plan.edits else None,
        "pilot": None if plan.pilot.empty else tables.frame_table(plan.pilot, _PILOT, 50),
        "roles": None if plan.roles.empty else tables.frame_table(plan.roles, _ROLES, 5),
    }


def _run_tables(given: Parts) -> list[tables.Table]:
    found = [tables.answers_table(given.responses)] if given.responses else []
    found += tables.facts_tables(given.responses)
    found += [tables.settings_table(given.graph)] if given.graph else []
    return [*found, tables.versions_table()]


def _notes(given: Parts) -> list[str]:
    if given.graph is None:
        return []
    left_out = [f"{value} is not in the graph: {reason}" for value, reason in given.graph.excluded.items()]
    if left_out:
        left_out.insert(0, f"{count(len(left_out), 'value')} could not be put into the graph.")
    return [*left_out, *given.graph.notes]


def _write(path: Path, content: bytes) -> Path:
    replace_file(path, lambda scratch: scratch.write_bytes(content))
    return path
