"""The report: one HTML page that needs no network, and the figures as files beside it.

What it says is in ``sections.py``; here it becomes a page.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from pyvalue.atomic_files import replace_file
from pyvalue.errors import StoreError
from pyvalue.graph import ValueGraph
from pyvalue.reporting.absent import absent
from pyvalue.reporting.graph_comparison import Reference, comparison, reference_for
from pyvalue.reporting.graph_plot import draw_graph
from pyvalue.reporting.graph_words import edge_strengths
from pyvalue.reporting.interactive_graph import bokeh_script, interactive_graph
from pyvalue.reporting.page_scripts import data_for_script, security_policy
from pyvalue.reporting.parts import Parts, sort_parts
from pyvalue.reporting.quality_tables import describe_quality, qualities
from pyvalue.reporting.respondents import owner, sources, title_of
from pyvalue.reporting.section import Picture, Section
from pyvalue.reporting.sections import sections
from pyvalue.reporting.summary import summary
from pyvalue.reporting.svg import figure_bytes, inline_svg
from pyvalue.reporting.tables import Table
from pyvalue.reporting.theme import RELATION_COLOURS, RELATION_NAMES
from pyvalue.reporting.wording import count, listed
from pyvalue.visible_text import visible

_TEMPLATES = Path(__file__).parent / "templates"
#: where the interactive graph stands, and the pictures that it takes the place of on a screen
GRAPH_SECTION = "value-graph"
_STILLS = ("graph", "graph-reference")


def report(
    parts: Sequence[Any],
    folder: str | Path,
    *,
    reference: ValueGraph | None = None,
    missing: Sequence[str] = (),
    title: str | None = None,
) -> Path:
    """Write ``folder/index.html``, and into ``folder/figures`` its pictures (png and svg) and long tables (csv).

    The page is self-contained, reads well in light and dark and on paper, and says at its end what was not given. Its
    value graph can be zoomed, filtered by strength and pointed at; without scripts and on paper a still picture takes
    its place.

    Args:
        parts: in any order, one each of ``ValueGraph``, ``SteeringPlan``, ``Evaluation``, ``PairedChanges``,
            ``Effects``, ``Leakage``, ``SideEffects``, ``Circumplex``, ``Priorities``, ``GraphDistance``,
            ``EdgeDifferences``, ``PredictionBenchmark``, ``Audit`` and ``SweepResult``, and any number of ``Responses``
            and ``DoseResponse``.
        folder: created when absent; a report in it is replaced, the page last.
        reference: a graph to show beside the report's, as that of people. Default: Schwartz' theory, called so, where
            all values of the graph are basic ones of his; else none.
        missing: sentences on what an unfinished run has not made; they stand at the top.
        title: of the page; default made of the names of models, or of who rated.

    Returns:
        Path of the page.

    Raises:
        TypeError: a part of another type, ``parts`` is no list or tuple, ``reference`` no graph, or ``missing`` a
            string.
        ValueError: no parts, or two of a type of which there may be one.
        StoreError: the folder cannot be written, or the disk is full.
    """
    given = sort_parts(parts, reference, _checked_sentences(missing))
    folder = Path(folder)
    found = qualities(given.responses)
    beside = reference_for(given.graph, given.reference) if given.graph is not None else None
    content = _with_reference(sections(given, found), beside)
    page = _page(given, describe_quality(found, sources(given.responses)), content, beside, title)
    try:
        (folder / "figures").mkdir(parents=True, exist_ok=True)
    except OSError as fault:
        raise StoreError(f"report folder {folder} cannot be written: {fault.strerror or fault}") from fault
    for picture in _pictures(content):
        for kind in ("png", "svg"):
            _write(folder / "figures" / f"{picture.name}.{kind}", figure_bytes(picture.figure, kind))
    for file in (file for section in content for file in section.files):
        _write(folder / "figures" / file.name, file.content)
    # A lone surrogate, which JSON can bring into a name, is no character of any encoding.
    return _write(folder / "index.html", page.encode("utf-8", errors="replace"))


def _checked_sentences(missing: Any) -> tuple[str, ...]:
    if isinstance(missing, str) or not all(isinstance(sentence, str) for sentence in missing):
        raise TypeError("missing: expected a sequence of sentences, got a string; write [missing]")
    return tuple(missing)


def _pictures(content: Sequence[Section]) -> list[Picture]:
    return [picture for section in content for picture in section.pictures]


def _with_reference(content: Sequence[Section], beside: Reference | None) -> list[Section]:
    """The sections, with a still picture of the reference for paper after that of the graph."""
    if beside is None:
        return list(content)
    edges = listed(f"{a} {kind} {b}" for a, b, kind in beside.graph.edges()[:40])
    picture = Picture("graph-reference", draw_graph(beside.graph), f"{beside.title}: {edges}.", beside.note)
    return [
        replace(s, pictures=(*s.pictures[:1], picture, *s.pictures[1:])) if s.name == GRAPH_SECTION else s
        for s in content
    ]


def _page(given: Parts, quality: str, content: Sequence[Section], beside: Reference | None, title: str | None) -> str:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,  # names of personas, values and models are other people's text
        finalize=_shown,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    graph = given.graph
    interactive = None if graph is None else interactive_graph(graph, given.plan, beside, owner(given))
    scripts = [_script("tables.js")] if interactive is None else _graph_scripts()
    shown = {
        "title": title or title_of(given),
        "policy": security_policy(scripts),
        "relations": RELATION_COLOURS,
        "missing": given.missing,
        "absent": listed(absent(given), ""),
        "summary": summary(given, quality),
        "sections": content,
        # The SVG is serialised by an XML writer, which escapes its text.
        "drawn": {p.name: Markup(inline_svg(p.figure, p.name, visible(p.description))) for p in _pictures(content)},
        "stills": _STILLS,
        "graph_section": GRAPH_SECTION,
        "interactive": interactive,
        "legend": _legend(given),
        "compared": comparison(graph, beside, owner(given)) if graph is not None and beside is not None else [],
        "threshold": _threshold_note(graph),
        "strength_of": _strength_of(graph),
        "data": None if interactive is None else data_for_script(
            {"panels": interactive.panels, "strengths": interactive.strengths}
        ),
        "scripts": [Markup(script) for script in scripts],
    }  # fmt: skip
    return environment.get_template("report.html.j2").render(shown)


def _shown(content: Any) -> Any:
    """Texts with their control and direction characters spelt out; pictures and scripts are markup, and stay."""
    return visible(content, lines=True) if isinstance(content, str) and not isinstance(content, Markup) else content


def _script(name: str) -> str:
    return (_TEMPLATES / name).read_text(encoding="utf-8")


def _graph_scripts() -> list[str]:
    return [_script("tables.js"), bokeh_script(), _script("graph.js")]


def _legend(given: Parts) -> list[tuple[str, str]]:
    if given.plan is None or given.graph is None:
        return []
    present = {given.plan.predicted.get(name) for name in given.graph.names}
    return [(relation, RELATION_NAMES[relation]) for relation in RELATION_COLOURS if relation in present]


def _threshold_note(graph: ValueGraph | None) -> str:
    if graph is None or not edge_strengths(graph):
        return ""
    threshold = graph.strength_threshold()
    strong = sum(share > threshold for share in edge_strengths(graph).values())
    return (
        f"By the rule of Scutari & Nagarajan (2013), edges found in more than {threshold:.1%} of the replicates are "
        f"significant; {count(strong, 'edge')} of this graph {'is' if strong == 1 else 'are'}."
    )


def _strength_of(graph: ValueGraph | None) -> Callable[[Table, Sequence[str]], str | None]:
    """Of a table's row the strength of the edge that it is about; None in tables of other things."""
    known = {} if graph is None else edge_strengths(graph)

    def strength_of(table: Table, row: Sequence[str]) -> str | None:
        if table.header[:3] != ("from", "edge", "to"):
            return None
        strength = known.get(frozenset((row[0], row[2])))
        return None if strength is None else f"{strength:.6f}"

    return strength_of


def _write(path: Path, content: bytes) -> Path:
    replace_file(path, lambda scratch: scratch.write_bytes(content))
    return path
