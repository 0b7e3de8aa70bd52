"""The parts of a report, told apart by their type."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pyvalue.evaluation.prediction import Evaluation
from pyvalue.graph import ValueGraph
from pyvalue.responses import Responses
from pyvalue.steering.plan import SteeringPlan


@dataclass(frozen=True)
class Parts:
    """What a report can show; None or empty for what was not given."""

    responses: tuple[Responses, ...] = ()
    graph: ValueGraph | None = None
    plan: SteeringPlan | None = None
    evaluation: Evaluation | None = None
    #: a graph to compare ``graph`` with, as that of people
    reference: ValueGraph | None = None
    #: what an unfinished run has not made, in words
    missing: tuple[str, ...] = ()


def sort_parts(parts: Sequence[Any], reference: ValueGraph | None = None, missing: Sequence[str] = ()) -> Parts:
    """The parts by type.

    Args:
        parts: of the report.
        reference: a graph to compare the report's graph with; default none.
        missing: what an unfinished run has not made, in words.

    Raises:
        TypeError: ``parts`` is no list or tuple, or holds something that a report cannot show.
        ValueError: nothing was given, or two graphs, plans or evaluations.
    """
    if not isinstance(parts, list | tuple):
        raise TypeError(f"parts: expected a list or tuple, got {type(parts).__name__}; write [part, ...]")
    kinds: dict[type, list[Any]] = {Responses: [], ValueGraph: [], SteeringPlan: [], Evaluation: []}
    for index, part in enumerate(parts):
        kind = next((kind for kind in kinds if isinstance(part, kind)), None)
        if kind is None:
            expected = ", ".join(kind.__name__ for kind in kinds)
            raise TypeError(f"parts[{index}]: expected one of {expected}, got {type(part).__name__}")
        kinds[kind].append(part)
    if not parts:
        raise ValueError("parts: expected at least one of Responses, ValueGraph, SteeringPlan, Evaluation; got none")
    for kind, found in kinds.items():
        if kind is not Responses and len(found) > 1:
            raise ValueError(f"parts: expected at most one {kind.__name__}, got {len(found)}; write a report for each")
    filled = {kind: next(iter(found), None) for kind, found in kinds.items()}
    return Parts(
        tuple(kinds[Responses]), filled[ValueGraph], filled[SteeringPlan], filled[Evaluation], reference, tuple(missing)
    )
