"""A plan out of the JSON that ``SteeringPlan.save`` wrote. Computes nothing, and needs no model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, get_args

import pandas as pd

from pyvalue.effects.leakage import COLUMNS, Leakage
from pyvalue.effects.value_effects import Effects
from pyvalue.errors import StoreError
from pyvalue.file_faults import file_faults
from pyvalue.json_files import read_json
from pyvalue.models.edit_json import stored_edits
from pyvalue.steering.plan import SteeringPlan
from pyvalue.steering.plan_cost import PlanCost
from pyvalue.steering.plan_relations import Relation


@file_faults("plan", StoreError)
def load_plan(path: str | Path) -> SteeringPlan:
    """Read a plan. Its edits are ``StoredEdit``: what the file tells of them, and ``with_sae(sae)`` to make them.

    Raises:
        StoreError: the file cannot be read, or holds no plan; says which entry is wrong.
    """
    try:
        plan = plan_from_dict(read_json(path))
        plan.lines()  # reads every entry: what cannot be printed is no plan
        return plan
    except (OSError, ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError) as fault:
        raise StoreError(f"{path} holds no saved plan: {fault}") from fault


def plan_from_dict(data: Any) -> SteeringPlan:
    """The inverse of ``SteeringPlan.to_dict``, but for the weights of edits.

    Raises:
        ValueError: an entry is missing or of the wrong kind.
    """
    if not isinstance(data, Mapping):
        raise ValueError(f"expected an object with target and predicted, got {type(data).__name__}")
    if missing := [name for name in ("target", "predicted", "edits") if name not in data]:
        raise ValueError(f"{', '.join(missing)} missing")
    effects = data.get("effects")
    leaks, cost = data.get("pilot_leakage"), data.get("cost")
    role, amount = data.get("role"), data.get("amount")
    if role is not None and not isinstance(role, str):
        raise ValueError(f"role must be a text or null, got {role!r}")
    return SteeringPlan(
        _target(data["target"]),
        _predicted(data["predicted"]),
        edits=stored_edits(data["edits"], "edits"),
        roles=_table("roles", data.get("roles", [])),
        pilot=_table("pilot", data.get("pilot", [])),
        keep=_texts("keep", data.get("keep", [])),
        # Plans of older versions have facts of the effects, and not the effects.
        effects=Effects.from_dict(effects) if isinstance(effects, Mapping) and "replicates" in effects else None,
        unit_changes=_table("unit_changes", data.get("unit_changes", [])),
        amount=None if amount is None else float(amount),
        choice=str(data.get("choice", "")),
        role=role,
        pilot_leakage=None if leaks is None else _leakage(leaks),
        cost=None if cost is None else PlanCost(**{one.name: cost[one.name] for one in fields(PlanCost)}),
        problems=_texts("problems", data.get("problems", [])),
    )


def _target(told: Any) -> dict[str, int]:
    if not isinstance(told, Mapping) or not told or not all(sign in (1, -1) for sign in told.values()):
        raise ValueError(f"target must be an object of values with 1 or -1, got {told!r:.200}")
    return {str(value): int(sign) for value, sign in told.items()}


def _predicted(told: Any) -> dict[str, Relation]:
    known = get_args(Relation)
    if not isinstance(told, Mapping) or not all(relation in known for relation in told.values()):
        raise ValueError(f"predicted must be an object of values with one of {', '.join(known)}, got {told!r:.200}")
    return {str(value): relation for value, relation in told.items()}


def _texts(name: str, told: Any) -> tuple[str, ...]:
    if not isinstance(told, Sequence) or isinstance(told, str) or not all(isinstance(one, str) for one in told):
        raise ValueError(f"{name} must be a list of texts, got {told!r:.200}")
    return tuple(told)


def _table(name: str, rows: Any) -> pd.DataFrame:
    if not isinstance(rows, list) or not all(isinstance(row, Mapping) for row in rows):
        raise ValueError(f"{name} must be a list of objects, got {rows!r:.200}")
    return pd.DataFrame(rows).pipe(_numbers)


def _numbers(table: pd.DataFrame) -> pd.DataFrame:
    """Columns of numbers that are all missing come as objects; null is NaN in every column of numbers."""
    return table.assign(**{name: column.astype(float) for name, column in table.items() if column.isna().all()})


def _leakage(told: Mapping[str, Any]) -> Leakage:
    gain, low, high = (float("nan") if told[name] is None else float(told[name]) for name in ("gain", "low", "high"))
    table = _table("pilot_leakage.table", told["table"])
    if lacking := [name for name in COLUMNS if name not in table.columns]:
        raise ValueError(f"pilot_leakage.table lacks {', '.join(lacking)}")
    target = _target(told["target"])
    return Leakage(gain, low, high, table, int(told["personas"]), target, str(told["reason"]), dict(told["facts"]))
