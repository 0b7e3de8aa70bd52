"""The sections on steering: the plan, and how its prediction held."""

from __future__ import annotations

import numpy as np

from pyvalue.effects.value_effects import Effects
from pyvalue.evaluation.prediction import Evaluation
from pyvalue.reporting.effect_ranges_plot import draw_effect_ranges, ranked_effects
from pyvalue.reporting.effects_plot import draw_effects
from pyvalue.reporting.prediction_plot import draw_prediction, worth_a_scatter
from pyvalue.reporting.section import Picture, Section
from pyvalue.reporting.tables import Table, edits_table, effects_table, frame_table, pilot_table, quantities_table
from pyvalue.reporting.theme import RELATION_COLOURS, RELATION_NAMES
from pyvalue.reporting.wording import count, interval, listed, span_text
from pyvalue.steering.plan import SteeringPlan

_PILOT = (
    "Pilot on a few personas: what candidates (feature and strength) did to the target, and the finalists to other "
    "values per unit of it. p: of the gain, times the number tried; perplexity ×: of the questions, unedited is 1"
)
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
        tables.append(pilot_table(plan.pilot, _PILOT))
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
    pictures = [picture]
    if worth_a_scatter(evaluation):
        caption = "Predicted against measured changes, with both intervals. On the dashed line both are the same."
        spoken = "Predicted against measured change of every value; the numbers are in the table that follows."
        pictures.append(Picture("predicted-measured", draw_prediction(evaluation), spoken, caption))
    return Section(
        name, title, pictures=tuple(pictures), tables=(effects_table(evaluation), quantities_table(evaluation))
    )


def effects_section(effects: Effects) -> Section:
    """How far one value moves another by the graph."""
    table = ranked_effects(effects)
    definite, possible = (int((table["relation"] == kind).sum()) for kind in ("definite", "possible"))
    clear = int(((table["low"] > 0) | (table["high"] < 0)).sum())
    facts = effects.facts
    said = (
        f"By the graph {count(definite, 'pair')} of values certainly follow each other and {possible:,} may, depending "
        f"on directions that the data leave open. The {facts['confidence']:.0%} interval of {clear:,} of these effects "
        "leaves out zero, whatever the directions. No interval knows of edges that were found wrongly."
    )
    rows = [
        (
            f"{row['source']} → {row['target']}",
            str(row["relation"]),
            interval(row["minimum"], np.nan, np.nan)
            if np.isclose(row["minimum"], row["maximum"])
            else span_text(row["minimum"], row["maximum"]),
            span_text(row["low"], row["high"]),
            f"{row['sets']:,}",
        )
        for row in table.to_dict("records")
    ]
    caption = (
        "Effect of one unit of one value on another: range over the directions that the graph leaves open, the same "
        "with its interval, and how many sets of parents the graph allows"
    )
    header = ("effect", "follows?", "range", f"[{facts['confidence']:.0%}]", "sets")
    spoken = "Effects of values on each other by the graph; the numbers are in the table that follows."
    picture = Picture(
        "effect-ranges", draw_effect_ranges(effects), spoken,
        "Thick: range over open directions; thin: with its interval. Dark: certain, light: possible. The largest are "
        "drawn.",
    )  # fmt: skip
    return Section(
        "effects", "How far one value moves another", (said,), tuple(effects.notes), (picture,),
        (Table(caption, header, rows, (2, 3, 4)),),
    )  # fmt: skip
