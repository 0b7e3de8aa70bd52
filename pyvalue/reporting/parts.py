"""The parts of a report, told apart by their type."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pyvalue.edit_changes import PairedChanges
from pyvalue.effects.leakage import Leakage
from pyvalue.effects.value_effects import Effects
from pyvalue.evaluation.audit_findings import Audit
from pyvalue.evaluation.benchmark_result import PredictionBenchmark
from pyvalue.evaluation.circumplex import Circumplex
from pyvalue.evaluation.dose_response import DoseResponse
from pyvalue.evaluation.edge_difference import EdgeDifferences
from pyvalue.evaluation.graph_distance import GraphDistance
from pyvalue.evaluation.prediction import Evaluation
from pyvalue.evaluation.priorities import Priorities
from pyvalue.evaluation.side_effects import SideEffects
from pyvalue.graph import ValueGraph
from pyvalue.responses import Responses
from pyvalue.steering.plan import SteeringPlan
from pyvalue.steering.sweep_table import SweepResult


@dataclass(frozen=True)
class Parts:
    """What a report can show; None or empty for what was not given.

    Attributes:
        reference: a graph to compare ``graph`` with, such as that of people.
        missing: what an unfinished run has not made, in words.
    """

    responses: tuple[Responses, ...] = ()
    graph: ValueGraph | None = None
    plan: SteeringPlan | None = None
    evaluation: Evaluation | None = None
    reference: ValueGraph | None = None
    missing: tuple[str, ...] = ()
    changes: PairedChanges | None = None
    circumplex: Circumplex | None = None
    priorities: Priorities | None = None
    distance: GraphDistance | None = None
    differences: EdgeDifferences | None = None
    effects: Effects | None = None
    dose_responses: tuple[DoseResponse, ...] = ()
    leakage: Leakage | None = None
    side_effects: SideEffects | None = None
    benchmark: PredictionBenchmark | None = None
    audit: Audit | None = None
    sweep: SweepResult | None = None


#: type -> field of ``Parts``; of the types in ``_SEVERAL`` there may be more than one
_FIELDS: dict[type, str] = {
    Responses: "responses",
    ValueGraph: "graph",
    SteeringPlan: "plan",
    Evaluation: "evaluation",
    PairedChanges: "changes",
    Circumplex: "circumplex",
    Priorities: "priorities",
    GraphDistance: "distance",
    EdgeDifferences: "differences",
    Effects: "effects",
    DoseResponse: "dose_responses",
    Leakage: "leakage",
    SideEffects: "side_effects",
    PredictionBenchmark: "benchmark",
    Audit: "audit",
    SweepResult: "sweep",
}
_SEVERAL = (Responses, DoseResponse)


def sort_parts(parts: Sequence[Any], reference: ValueGraph | None = None, missing: Sequence[str] = ()) -> Parts:
    """The parts by type.

    Args:
        parts: of the report.
        reference: a graph to compare the report's graph with; default none.
        missing: what an unfinished run has not made, in words.

    Raises:
        TypeError: ``parts`` is no list or tuple, or holds something that a report cannot show; or the reference is no
            graph.
        ValueError: nothing was given, or two of a kind of which a report shows one, such as graphs.
    """
    if not isinstance(parts, list | tuple):
        raise TypeError(f"parts: expected a list or tuple, got {type(parts).__name__}; write [part, ...]")
    if reference is not None and not isinstance(reference, ValueGraph):
        raise TypeError(f"reference: expected a ValueGraph, got {type(reference).__name__}")
    expected = ", ".join(kind.__name__ for kind in _FIELDS)
    found: dict[type, list[Any]] = {kind: [] for kind in _FIELDS}
    for index, part in enumerate(parts):
        kind = next((kind for kind in found if isinstance(part, kind)), None)
        if kind is None:
            raise TypeError(f"parts[{index}]: expected one of {expected}, got {type(part).__name__}")
        found[kind].append(part)
    if not parts:
        raise ValueError(f"parts: expected at least one of {expected}; got none")
    for kind, own in found.items():
        if kind not in _SEVERAL and len(own) > 1:
            hint = "; a second graph to compare it with goes into reference=" if kind is ValueGraph else ""
            raise ValueError(
                f"parts: expected at most one {kind.__name__}, got {len(own)}; write a report for each{hint}"
            )
    filled: dict[str, Any] = {
        _FIELDS[kind]: tuple(own) if kind in _SEVERAL else next(iter(own), None) for kind, own in found.items()
    }
    return Parts(**filled, reference=reference, missing=tuple(missing))
