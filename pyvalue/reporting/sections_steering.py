"""The sections on steering: the plan, and how its prediction held."""

from __future__ import annotations

from pyvalue.evaluation.prediction import Evaluation
from pyvalue.reporting.effects_plot import draw_effects
from pyvalue.reporting.section import Picture, Section
from pyvalue.reporting.summary import listed
from pyvalue.reporting.tables import Table, edits_table, effects_table, frame_table, quantities_table
from pyvalue.reporting.theme import RELATION_COLOURS, RELATION_NAMES
from pyvalue.steering.plan import SteeringPlan

_PILOT = "Pilot: what candidates did to the target, and the finalists to other values, on a few personas"
_ROLES = "Roles: personas that already answer as wanted, best five"


def plan_section(plan: SteeringPlan | None) -> Section:
    """The wish, what the graph says follows, and the means."""
    name, title = "steering-plan", "The plan"
    if plan is None:
        return Section(name, title, missing="No steering plan was given.")
    said = [
        f"Target: {', '.join(('raise ' if sign > 0 else 'lower ') + value for value, sign in plan.target.items())}."
    ]
    tables = [_relations_table(plan)]
    if plan.edits:
        tables.append(edits_table(plan))
    else:
        said.append("The plan has no edits.")
    if plan.pilot.empty:
        said.append("No pilot was run.")
    else:
        tables.append(frame_table(plan.pilot, _PILOT, 50))
    if plan.roles.empty:
        said.append("Roles were not ranked.")
    else:
        tables.append(frame_table(plan.roles, _ROLES, 5))
    return Section(name, title, tuple(said), tables=tuple(tables))


def _relations_table(plan: SteeringPlan) -> Table:
    known = [relation for relation in RELATION_COLOURS if plan.values(relation)]
    rows = [(RELATION_NAMES[relation], listed(plan.values(relation))) for relation in known]
    return Table("What the graph says follows", ("by the graph", "values"), rows, marks=known)


def outcome_section(evaluation: Evaluation | None) -> Section:
    """What changed, beside what was predicted."""
    name, title = "outcome", "How the prediction held"
    if evaluation is None:
        return Section(name, title, missing="No evaluation was given.")
    moved = listed(evaluation.effects.query("changed")["value"])
    picture = Picture(
        "effects",
        draw_effects(evaluation),
        f"Change of every value with its interval. Intervals that leave out zero: {moved}.",
        "Change of every value, by what was predicted of it. Filled marks: the interval leaves out zero. "
        "Pale bars: predicted intervals.",
    )
    return Section(name, title, pictures=(picture,), tables=(effects_table(evaluation), quantities_table(evaluation)))
