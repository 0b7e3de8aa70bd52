"""From a value graph and a target to a steering plan: what to do, what else should move and how far.

The graph says which values can follow: those on a directed path from the target (definite descendants), those on a
possibly directed one (possible descendants), and the rest (unaffected). With answers its effects say how far. The pilot
says which edit moves the target and leaves the rest alone.
"""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from pyvalue.atomic_files import write_json
from pyvalue.effects.total_effects import Effects
from pyvalue.given_graphs import as_value_graph
from pyvalue.graph import ValueGraph
from pyvalue.plotted import Plotted
from pyvalue.steering.plan_checks import check_numbers, checked_keep, checked_target
from pyvalue.steering.plan_choice import least_leaky, wanted_gain, why
from pyvalue.steering.plan_effects import ENDS, effects_of, soundness_problem, unit_changes
from pyvalue.steering.plan_leakage import UNKNOWN, ExpectedLeakage, expected_leakage
from pyvalue.steering.plan_relations import Relation as Relation
from pyvalue.steering.plan_relations import predict as predict
from pyvalue.steering.plan_text import leakage_text, plan_lines
from pyvalue.steering.roles import rank_roles, unedited_rows

if TYPE_CHECKING:
    from pyvalue.effects.leakage import Leakage
    from pyvalue.steering.plan_cost import PlanCost


@dataclass(frozen=True)
class SteeringPlan(Plotted):
    """What to do, and what is predicted to move.

    Attributes:
        target: value -> +1 (raise) or -1 (lower).
        predicted: value -> ``target``, ``definite``, ``possible``, ``unaffected``, or ``unknown`` (no part of the
            graph).
        edits: of the residual stream, chosen by the pilot; empty when none was asked for.
        roles: personas that already score as wanted, the largest gain first; see ``pyvalue.steering.roles``.
        pilot: what every candidate edit did, the chosen one first; empty without a pilot.
        keep: values that should stay.
        effects: of the values on each other, by the graph; None where they could not be estimated.
        unit_changes: predicted change of every value per unit that the target moves as wanted: ``value, relation,
            minimum, maximum, low, high``; empty without effects. [minimum, maximum] is over the directions that the
            graph leaves open, [low, high] the same widened by a bootstrap over personas.
        amount: intended change of the target in its wanted direction, in units of the score; None where none is known.
            Of a role it is the gain that is expected of other questions, where ``base`` has answers to single ones.
        choice: why this edit, or this role where there is no edit, in a sentence.
        role: the persona that reaches the target and is least off on the kept values; None without answers.
        pilot_leakage: of the chosen edit, on the pilot's personas.
        cost: of the pilot, and of steering.
        problems: what limits the plan, in sentences; each was a warning, too.
    """

    target: Mapping[str, int]
    predicted: Mapping[str, Relation]
    edits: tuple[Any, ...] = ()
    roles: pd.DataFrame = field(default_factory=pd.DataFrame, repr=False, compare=False)
    pilot: pd.DataFrame = field(default_factory=pd.DataFrame, repr=False, compare=False)
    keep: tuple[str, ...] = ()
    effects: Effects | None = field(default=None, repr=False, compare=False)
    unit_changes: pd.DataFrame = field(default_factory=pd.DataFrame, repr=False, compare=False)
    amount: float | None = None
    choice: str = ""
    role: str | None = None
    pilot_leakage: Leakage | None = field(default=None, repr=False, compare=False)
    cost: PlanCost | None = field(default=None, repr=False, compare=False)
    problems: tuple[str, ...] = field(default=(), compare=False)

    def values(self, *relations: Relation) -> tuple[str, ...]:
        """Values in one of these relations to the target."""
        return tuple(value for value, relation in self.predicted.items() if relation in relations)

    @property
    def predicted_changes(self) -> pd.DataFrame:
        """``unit_changes`` times ``amount``, or per unit where none is known; the amount is taken as certain."""
        return self.changes(1.0 if self.amount is None else self.amount)

    def changes(self, amount: float) -> pd.DataFrame:
        """Predicted change of every value where the target moves by ``amount`` in its wanted direction.

        Columns as ``unit_changes``; a negative amount (the target moved the other way) turns the ends around.
        """
        if not math.isfinite(amount):
            raise ValueError(f"amount: expected a finite change of the target, got {amount}")
        table = self.unit_changes.copy()
        if len(table):
            table[list(ENDS)] *= amount
            if amount < 0:
                table[list(ENDS)] = table[["maximum", "minimum", "high", "low"]].to_numpy()
        return table

    @cached_property
    def expected_leakage(self) -> ExpectedLeakage:
        """Root mean square change of all other values per unit of target change, by the graph, with its interval.

        ``minimum, maximum, low, high``: a range over the directions that the graph leaves open, and the interval; NaN
        without effects. See ``pyvalue.steering.plan_leakage.expected_leakage``.
        """
        return self.expected_leakage_on()

    def expected_leakage_on(self, values: Sequence[str] | None = None) -> ExpectedLeakage:
        """The same over some of the values, such as ``keep``."""
        return UNKNOWN if self.effects is None else expected_leakage(self.effects, self.target, values)

    def to_dict(self) -> dict[str, Any]:
        """JSON-able; edits carry the identity of their SAE, not its weights."""
        leaks = self.expected_leakage
        return {
            "target": dict(self.target),
            "predicted": dict(self.predicted),
            "keep": list(self.keep),
            "amount": self.amount,
            "edits": [edit.to_dict() for edit in self.edits],
            "choice": self.choice,
            "role": self.role,
            "unit_changes": _records(self.unit_changes),
            "expected_leakage": leaks._asdict() if leaks.known else None,
            "effects": None if self.effects is None else self.effects.to_dict(),
            "pilot_leakage": None if self.pilot_leakage is None else self.pilot_leakage.to_dict(),
            "roles": _records(self.roles),
            "pilot": _records(self.pilot),
            "cost": None if self.cost is None else self.cost.to_dict(),
            "problems": list(self.problems),
        }

    def save(self, path: str | Path) -> Path:
        """Write JSON, whole or not at all."""
        write_json(path, json.loads(json.dumps(self.to_dict())))
        return Path(path)

    @classmethod
    def load(cls, path: str | Path) -> SteeringPlan:
        """Read what :meth:`save` wrote; edits come as ``StoredEdit``, made by their ``with_sae(sae)``.

        Raises:
            StoreError: the file cannot be read, or holds no plan.
        """
        from pyvalue.steering.plan_json import load_plan

        return load_plan(path)

    def lines(self) -> list[str]:
        """The plan as lines of text: what ``print`` shows."""
        return plan_lines(self)

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def __repr__(self) -> str:
        wish = ", ".join(("raise " if sign > 0 else "lower ") + value for value, sign in self.target.items())
        counts = ", ".join(f"{len(self.values(r))} {r}" for r in ("definite", "possible", "unaffected"))
        labels = "; ".join(edit.label for edit in self.edits) or "no edits"
        leaks = self.expected_leakage
        leak = f"; expected leakage {leakage_text(leaks)}" if leaks.known else ""
        return f"SteeringPlan({wish}; {labels}; predicted {counts}{leak})"


def plan(
    graph: Any,
    raise_values: Sequence[str] = (),
    lower_values: Sequence[str] = (),
    *,
    base: Any = None,
    model: Any = None,
    sae: Any = None,
    inventory: Any = None,
    personas: Sequence[Any] = (),
    keep: Sequence[str] = (),
    amount: float | None = None,
    reach: float | None = None,
    candidates: int = 6,
    strengths: Sequence[float] = (0.8, -0.8),
    positions: Any = None,
    finalists: int = 3,
    side_items: int = 4,
    seed: int = 0,
    progress: bool | None = None,
) -> SteeringPlan:
    """Predict from the graph what moves with the target and how far, and choose the least leaky means that reach it.

    Args:
        graph: of the values: a ``ValueGraph``, or a networkx ``DiGraph``.
        raise_values: values to raise.
        lower_values: values to lower.
        base: unedited answers (``Responses``, or what ``pyvalue.wide_scores`` takes; rows under edits are not looked
            at). With them changes are predicted in numbers and roles are ranked; without, only relations.
        model: with ``sae`` and ``inventory``: candidate features are tried in a pilot. With ``inventory`` and
            ``personas`` alone: the cost of steering by a role is estimated.
        sae: of the model's residual stream.
        inventory: its items of the target, and the content-free ones, are asked under every candidate, the others
            under the finalists.
        personas: of the pilot; keep them apart from those the outcome is judged on. Intervals need 3.
        keep: values that should stay: means are judged by what they do to these. Default: to all other values.
        amount: intended change of the target, in units of the score, above 0. Default the gain of the chosen edit in
            the pilot, or of the chosen role.
        reach: gain that the chosen means must have; default half of the best candidate's. Of those that have it, the
            one whose leakage on the kept values has the lowest upper limit is taken.
        candidates: features tried, the most active at ``positions``.
        strengths: tried for each feature, relative to the length of the residual (0.8 is 80% of it).
        positions: where the edit acts; default the tokens "your values".
        finalists: candidates with the largest gains, that are tried on the other values too.
        side_items: items of each other value that the finalists are asked; of kept values all.
        seed: of the bootstrap of the effects, and of the halves of items that role gains are judged by.
        progress: show a bar; default when the terminal is one.

    Returns:
        The plan; ``print`` it.

    Raises:
        ValueError: no target; a value both raised and lowered, or kept and steered, or not in the graph; a number out
            of its range; or a pilot without personas.
        TypeError: a string where a sequence of values belongs, a graph of another kind, or text for a number.
        ModelError: every candidate edit breaks the model.

    Warns:
        UserWarning: once for each entry of ``problems``.
    """
    graph = as_value_graph(graph)
    target = checked_target(graph, raise_values, lower_values)
    kept = checked_keep(graph, keep, target)
    counts = {"candidates": candidates, "finalists": finalists, "side_items": side_items}
    check_numbers(amount, reach, counts, strengths, seed)
    if model is not None and sae is not None and (inventory is None or not personas):
        raise ValueError("inventory, personas: the pilot that chooses an edit needs both; pass them or leave sae out")
    problems = [told] if (told := soundness_problem(graph)) else []
    made = SteeringPlan(target, predict(graph, tuple(target)), keep=kept)
    if base is not None:
        made, more = _with_answers(made, graph, base, reach, seed)
        problems += more
    if model is not None and sae is not None:
        from pyvalue.steering.pilot import run_pilot
        from pyvalue.steering.plan_cost import plan_cost

        trial = run_pilot(
            model, sae, inventory, personas, target,
            keep=kept, candidates=candidates, strengths=strengths, positions=positions,
            finalists=finalists, side_items=side_items, reach=reach, progress=progress,
        )  # fmt: skip
        problems += trial.problems
        gain = float(trial.table["gain"].iloc[0])
        made = replace(
            made, edits=(trial.edit,), pilot=trial.table, pilot_leakage=trial.leakage, choice=trial.choice,
            amount=gain if gain > 0 else None,
            cost=plan_cost(model, inventory, personas, trial.questions, trial.seconds),
        )  # fmt: skip
    elif model is not None and inventory is not None and personas:
        from pyvalue.steering.plan_cost import plan_cost

        made = replace(made, cost=plan_cost(model, inventory, personas))
    for told in problems:
        warnings.warn(told, stacklevel=2)
    return replace(made, amount=made.amount if amount is None else float(amount), problems=tuple(problems))


def _with_answers(
    made: SteeringPlan, graph: ValueGraph, base: Any, reach: float | None, seed: int
) -> tuple[SteeringPlan, list[str]]:
    """With predicted changes and roles, and what limits them."""
    roles = rank_roles(base, made.target, made.keep, seed=seed)
    rows = unedited_rows(base)
    effects, problems = effects_of(graph, rows, seed)
    changes = pd.DataFrame()
    if effects is not None:
        changes, told = unit_changes(effects, made.predicted, made.target)
        problems += [told] if told else []
    if lacking := [value for value in made.keep if value not in rows.columns]:
        problems.append(f"base: has no answers on the kept {', '.join(lacking)}, so roles are judged without them")
    place = least_leaky(roles, reach) if len(roles) > 1 else None
    role, choice, amount = None, "", None
    if place is not None and roles["gain"][place] > 0:
        role, amount = str(roles["persona"][place]), float(roles["gain"][place])
        on = "the kept values" if made.keep else "all other values"
        choice = why(roles.rename(columns={"persona": "label"}), place, reach, on)
        if amount < wanted_gain(roles["gain"], reach):
            problems.append(f"no role has the wanted gain of {reach:+.3f} (best {amount:+.3f})")
    elif len(roles) <= 1:
        counted = "one persona" if len(roles) else "no persona"
        problems.append(f"base: has {counted}, so there are no roles to choose from")
    elif roles["reliability"].eq(0).all():
        problems.append(
            "base: one half of the items on the target ranks the personas otherwise than the other half does, so that "
            "no role can be chosen"
        )
    else:
        problems.append("base: no persona answers as wanted more than the mean does, so that no role can be chosen")
    made = replace(made, roles=roles, effects=effects, unit_changes=changes, role=role, choice=choice, amount=amount)
    return made, problems


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows for JSON, which has no NaN: missing numbers are null."""
    return [
        {str(name): None if isinstance(cell, float) and cell != cell else cell for name, cell in row.items()}
        for row in table.to_dict("records")
    ]
