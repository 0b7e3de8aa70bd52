"""From a value graph and a target to a steering plan: what to edit, and what else should move.

The graph says which values can follow: those on a directed path from the target (definite descendants), those on a
possibly directed one (possible descendants), and the rest (unaffected). The pilot says which edit moves the target.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from pyvalue.graph import ValueGraph
from pyvalue.measurement.store import write_json
from pyvalue.responses import Responses
from pyvalue.steering.roles import rank_roles

Relation = Literal["target", "definite", "possible", "unaffected", "unknown"]


@dataclass(frozen=True)
class SteeringPlan:
    """What to do, and what is predicted to move.

    Attributes:
        target: value -> +1 (raise) or -1 (lower).
        predicted: value -> ``target``, ``definite``, ``possible``, ``unaffected``, or ``unknown`` (no part of the
            graph).
        edits: of the residual stream, best of the pilot; empty when none was asked for.
        roles: personas that already score as wanted, best first (columns ``persona``, ``gain``, ...).
        pilot: what every candidate edit did to the target; empty without a pilot.
    """

    target: Mapping[str, int]
    predicted: Mapping[str, Relation]
    edits: tuple[Any, ...] = ()
    roles: pd.DataFrame = field(default_factory=pd.DataFrame, repr=False, compare=False)
    pilot: pd.DataFrame = field(default_factory=pd.DataFrame, repr=False, compare=False)

    def values(self, *relations: Relation) -> tuple[str, ...]:
        """Values in one of these relations to the target."""
        return tuple(value for value, relation in self.predicted.items() if relation in relations)

    def to_dict(self) -> dict[str, Any]:
        """JSON-able; edits carry the identity of their SAE, not its weights."""
        return {
            "target": dict(self.target),
            "predicted": dict(self.predicted),
            "edits": [edit.to_dict() for edit in self.edits],
            "roles": _records(self.roles),
            "pilot": _records(self.pilot),
        }

    def save(self, path: str | Path) -> Path:
        """Write JSON, whole or not at all."""
        write_json(path, json.loads(json.dumps(self.to_dict())))
        return Path(path)

    def __repr__(self) -> str:
        wish = ", ".join(("raise " if sign > 0 else "lower ") + value for value, sign in self.target.items())
        counts = ", ".join(f"{len(self.values(r))} {r}" for r in ("definite", "possible", "unaffected"))
        labels = "; ".join(edit.label for edit in self.edits) or "no edits"
        return f"SteeringPlan({wish}; {labels}; predicted {counts})"


def plan(
    graph: ValueGraph,
    raise_values: Sequence[str] = (),
    lower_values: Sequence[str] = (),
    *,
    base: Responses | None = None,
    model: Any = None,
    sae: Any = None,
    inventory: Any = None,
    personas: Sequence[Any] = (),
    candidates: int = 6,
    strengths: Sequence[float] = (0.8, -0.8),
    positions: Any = None,
    progress: bool | None = None,
) -> SteeringPlan:
    """Predict from the graph what moves with the target, and choose roles and an edit that move it.

    Args:
        graph: of the values.
        raise_values: values to raise.
        lower_values: values to lower.
        base: unedited answers; with them roles are ranked.
        model: with ``sae`` and ``inventory``: candidate features are tried in a pilot.
        sae: of the model's residual stream.
        inventory: its items of the target, and the content-free ones, are asked in the pilot.
        personas: of the pilot; keep them apart from those the outcome is judged on.
        candidates: features tried, the most active at ``positions``.
        strengths: tried for each feature, relative to the length of the residual (0.8 is 80% of it).
        positions: where the edit acts; default the tokens "your values".
        progress: show a bar; default when the terminal is one.

    Returns:
        The plan; ``edits`` holds the candidate with the largest pilot gain.

    Raises:
        ValueError: no target, a value both raised and lowered or not in the graph, or a pilot without personas.
    """
    target = _checked_target(graph, raise_values, lower_values)
    if not graph.settings.knowledge and not graph.is_valid_cpdag():
        warnings.warn(
            "graph: no directed acyclic graph has exactly these edges, so the tests contradict each other somewhere; "
            "its predictions are less certain than they look (more rows or a smaller alpha may help)",
            stacklevel=2,
        )
    predicted = predict(graph, tuple(target))
    roles = rank_roles(base, target) if base is not None else pd.DataFrame()
    if model is None or sae is None:
        return SteeringPlan(target, predicted, roles=roles)
    if inventory is None or not personas:
        raise ValueError("inventory, personas: the pilot that chooses an edit needs both; pass them or leave sae out")
    from pyvalue.steering.pilot import run_pilot

    best, pilot = run_pilot(
        model, sae, inventory, personas, target, candidates, strengths, positions, progress
    )
    return SteeringPlan(target, predicted, (best,), roles, pilot)


def predict(graph: ValueGraph, target: Sequence[str]) -> dict[str, Relation]:
    """Relation of every value of the graph to the target values."""
    definite = set().union(*(graph.definite_descendants(value) for value in target))
    possible = set().union(*(_may_follow(graph, value) for value in target))
    relations: dict[str, Relation] = {}
    for value in graph.names:
        if value in target:
            relations[value] = "target"
        elif value in definite:
            relations[value] = "definite"
        else:
            relations[value] = "possible" if value in possible else "unaffected"
    return relations | dict.fromkeys(graph.excluded, "unknown")


def _may_follow(graph: ValueGraph, value: str) -> set[str]:
    """Possible descendants, where an edge ↔ (the tests contradict each other) may also be one out of either end."""
    found, new = {value}, {value}
    while new:
        step = set[str]().union(*(graph.possible_descendants(v) for v in new))
        step |= {b for pair in graph.bidirected_edges() for a, b in (pair, pair[::-1]) if a in found | step}
        new = step - found
        found |= new
    return found - {value}


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows for JSON, which has no NaN: missing numbers are null."""
    return [
        {str(name): None if isinstance(cell, float) and cell != cell else cell for name, cell in row.items()}
        for row in table.to_dict("records")
    ]


def _checked_target(graph: ValueGraph, up: Sequence[str], down: Sequence[str]) -> dict[str, int]:
    for name, values in (("raise_values", up), ("lower_values", down)):
        if isinstance(values, str):
            raise TypeError(f"{name}: expected a sequence of values, got the string {values!r}; write [{values!r}]")
    target = {**dict.fromkeys(up, 1), **dict.fromkeys(down, -1)}
    if not target:
        raise ValueError("raise_values, lower_values: expected at least one value to steer, got none")
    if both := set(up) & set(down):
        raise ValueError(f"raise_values, lower_values: {', '.join(sorted(both))} cannot be raised and lowered at once")
    if unknown := [value for value in target if value not in graph.names]:
        raise ValueError(
            f"raise_values, lower_values: {', '.join(unknown)} not in the graph; it has {', '.join(graph.names)}"
        )
    return target
