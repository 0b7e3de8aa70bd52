"""``.plot()`` of every value object: which picture it has, and the file that it becomes.

| object | options |
|---|---|
| ``Responses`` | ``kind="profile"`` (default), ``"heat map"`` (edits and unedited answers) or ``"reliability"`` |
| | ``score``; of the heat map also ``order="clustered"`` or ``"given"`` and ``confidence`` |
| ``PairedChanges`` | ``order``, ``confidence``: the heat map of edits and values |
| ``Quality`` | none |
| ``ValueGraph`` | ``target``, values to steer, or ``plan``, whose predictions colour the values |
| ``Effects`` | ``source``, a value: only its effects |
| ``SteeringPlan`` | none |
| ``Evaluation`` | ``kind="changes"`` (default) or ``"scatter"``, predicted against measured |
| ``Leakage``, ``SideEffects``, ``Priorities``, ``GraphDistance``, ``SweepResult`` | none |
| ``DoseResponse`` | ``effects``, rows of its summary |
| ``PredictionBenchmark`` | ``metric="AUROC"`` |
| ``Circumplex`` | ``kind="map"`` (default) or ``"sinusoids"`` |
| ``ExternalProfile`` | none |
| ``EdgeDifferences`` | ``most``, pairs that are drawn |
| ``Audit`` | ``kind="nulls"`` (default), ``"edits"`` or ``"personas"``, every persona alone |
| ``PaperReproduction`` | ``kind="table1"`` (default), ``"bars"``, ``"pies"`` or ``"graph"`` |

Every picture but those of several panels also takes ``ax``, matplotlib axes to draw into.
"""

from __future__ import annotations

import inspect
import io
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from pyvalue.atomic_files import replace_file
from pyvalue.edit_changes import PairedChanges
from pyvalue.effects.leakage import Leakage
from pyvalue.effects.value_effects import Effects
from pyvalue.evaluation.audit_findings import Audit
from pyvalue.evaluation.benchmark_result import PredictionBenchmark
from pyvalue.evaluation.circumplex import Circumplex
from pyvalue.evaluation.circumplex_profile import ExternalProfile
from pyvalue.evaluation.dose_response import DoseResponse
from pyvalue.evaluation.edge_difference import EdgeDifferences
from pyvalue.evaluation.graph_distance import GraphDistance
from pyvalue.evaluation.paper import PaperReproduction
from pyvalue.evaluation.prediction import Evaluation
from pyvalue.evaluation.priorities import Priorities
from pyvalue.evaluation.side_effects import SideEffects
from pyvalue.graph import ValueGraph
from pyvalue.quality import Quality
from pyvalue.reporting import plots
from pyvalue.reporting.svg import figure_bytes
from pyvalue.responses import Responses, Score
from pyvalue.steering.plan import SteeringPlan
from pyvalue.steering.sweep_table import SweepResult

Draw = Callable[..., Figure]
#: endings of files that a picture can be written to
KINDS = ("png", "svg", "pdf")


def _reliability(responses: Responses, *, score: Score = "corrected", ax: Any = None) -> Figure:
    return plots.draw_quality(responses.quality(score), ax)


def _persona_edits(audit: Audit, ax: Any = None) -> Figure:
    return plots.draw_personas(audit, "edits", ax)


def _persona_baselines(audit: Audit, ax: Any = None) -> Figure:
    return plots.draw_personas(audit, "personas", ax)


def _paper_graph(paper: PaperReproduction) -> Figure:
    if paper.graph is None:
        raise ValueError("paper: it has no graph; the training answers were not there")
    return plots.draw_graph(paper.graph)


#: type -> kind -> what draws it; the first kind is the default
DRAWN: Mapping[type, Mapping[str, Draw]] = {
    Responses: {"profile": plots.draw_profile, "heat map": plots.draw_heat_map, "reliability": _reliability},
    PairedChanges: {"heat map": plots.draw_heat_map},
    Quality: {"reliability": plots.draw_quality},
    ValueGraph: {"graph": plots.draw_graph},
    Effects: {"ranges": plots.draw_effect_ranges},
    SteeringPlan: {"predicted": plots.draw_plan},
    Evaluation: {"changes": plots.draw_effects, "scatter": plots.draw_prediction},
    Leakage: {"groups": plots.draw_leakage},
    SideEffects: {"edits": plots.draw_side_effects},
    DoseResponse: {"curves": plots.draw_dose_response},
    PredictionBenchmark: {"metric": plots.draw_benchmark},
    Circumplex: {"map": plots.draw_circumplex, "sinusoids": plots.draw_sinusoids},
    ExternalProfile: {"profile": plots.draw_external_profile},
    Priorities: {"ranking": plots.draw_priorities},
    GraphDistance: {"shares": plots.draw_graph_distance},
    EdgeDifferences: {"differences": plots.draw_edge_differences},
    Audit: {"nulls": plots.draw_nulls, "edits": _persona_edits, "personas": _persona_baselines},
    PaperReproduction: {
        "table1": plots.draw_paper_table_1,
        "bars": plots.draw_paper_bars,
        "pies": plots.draw_paper_pies,
        "graph": _paper_graph,
    },
    SweepResult: {"texts": plots.draw_sweep},
}


def draw(thing: Any, path: str | Path | None = None, *, kind: str | None = None, **options: Any) -> Figure:
    """The picture of a value object.

    Args:
        thing: any object of the table at the top of this module.
        path: also write it to this file, whole or not at all; .png, .svg or .pdf.
        kind: which picture, where there are several; default the first.
        options: of the picture, see the table.

    Returns:
        A matplotlib ``Figure``, which pyplot does not know of.

    Raises:
        TypeError: a thing that has no picture.
        ValueError: the file's ending is another, an unknown kind or option, or the thing lacks what is to be drawn.
        StoreError: the file cannot be written.
    """
    kinds = next((DRAWN[one] for one in type(thing).__mro__ if one in DRAWN), None)
    if kinds is None:
        expected = ", ".join(one.__name__ for one in DRAWN)
        raise TypeError(f"thing: expected one of {expected}, got {type(thing).__name__}")
    ending = None if path is None else _ending(Path(path))
    chosen = next(iter(kinds)) if kind is None else kind
    if chosen not in kinds:
        raise ValueError(
            f"kind: expected one of {', '.join(map(repr, kinds))} for {type(thing).__name__}, got {kind!r}"
        )
    _check_options(kinds[chosen], thing, options)
    figure = kinds[chosen](thing, **options)
    if path is not None and ending is not None:
        content = _bytes(figure, ending)
        replace_file(path, lambda scratch: scratch.write_bytes(content))
    return figure


def _ending(path: Path) -> str:
    ending = path.suffix.lower().removeprefix(".")
    if ending not in KINDS:
        raise ValueError(f"path: expected a name that ends in .png, .svg or .pdf, got {str(path)!r}")
    return ending


def _check_options(how: Draw, thing: Any, options: Mapping[str, Any]) -> None:
    known = [name for name in list(inspect.signature(how).parameters)[1:]]
    unknown = [name for name in options if name not in known]
    if unknown:
        raise ValueError(
            f"options: {', '.join(unknown)} not known; the picture of {type(thing).__name__} takes "
            f"{', '.join(known) or 'none'}"
        )


def _bytes(figure: Figure, ending: str) -> bytes:
    if ending != "pdf":
        return figure_bytes(figure, ending)
    buffer = io.BytesIO()
    nameless: Any = {"CreationDate": None, "Creator": None, "Producer": None}  # the same bytes in every run
    figure.savefig(buffer, format="pdf", metadata=nameless, facecolor="white")
    return buffer.getvalue()
