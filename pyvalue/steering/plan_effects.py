"""How far every value should move with the target: the graph's effects, as far as they can be estimated.

Relations come from ``plan_relations``; here they get numbers, and what stands in the way of numbers is named.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping

import pandas as pd

from pyvalue.effects.graph_soundness import graph_soundness
from pyvalue.effects.total_effects import Effects, EffectsWarning, estimate_effects
from pyvalue.effects.valid_parents import TooManySetsError
from pyvalue.graph import ValueGraph
from pyvalue.steering.plan_relations import Relation

ENDS = ("minimum", "maximum", "low", "high")


def soundness_problem(graph: ValueGraph) -> str:
    """Why the graph stands for no set of DAGs, in a sentence; empty where it does.

    A graph with background knowledge directs more than a CPDAG does, and is told of only where no DAG fits it.
    """
    found = graph_soundness(graph)
    if found.valid_cpdag or (found.extendable and graph.settings.knowledge):
        return ""
    return (
        f"graph: {found.reason}; what it predicts is less certain than it looks (more rows or a smaller alpha may help)"
    )


def effects_of(graph: ValueGraph, rows: pd.DataFrame, seed: int) -> tuple[Effects | None, list[str]]:
    """The graph's effects, or None, and what could not be estimated.

    Args:
        graph: of the values.
        rows: unedited scores, rows (edit, persona), columns values; with one condition there is one mean, whatever
            ``estimate_effects`` does between edits.
        seed: of the resamples.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", EffectsWarning)  # the notes say the same
            effects = estimate_effects(graph, rows, on_missing="drop", seed=seed)
    except ValueError as fault:
        return None, [f"base: effects cannot be estimated, so only relations are predicted: {fault}"]
    # What is wrong with the graph is said once, by ``soundness_problem``.
    known = f"{effects.facts['soundness']}. "
    return effects, [f"effects: {note.removeprefix(known)}" for note in effects.notes]


def unit_changes(
    effects: Effects, predicted: Mapping[str, Relation], target: Mapping[str, int]
) -> tuple[pd.DataFrame, str]:
    """Change of every value per unit that every target value moves in its wanted direction, and what is missing.

    Returns:
        Columns ``value, relation, minimum, maximum, low, high``, one row a value of the plan; NaN where a value has no
        prediction. And a sentence where numbers are missing, else the empty one.
    """
    frame = pd.DataFrame({"value": list(predicted), "relation": list(predicted.values())})
    try:
        found = effects.predict({value: float(sign) for value, sign in target.items()})
        told = ""
    except TooManySetsError as fault:
        found = pd.DataFrame(columns=["value", *ENDS])
        told = f"graph: no numbers are predicted, since {fault}"
    table = frame.merge(found[["value", *ENDS]], on="value", how="left")
    return table, told or _without_numbers(table)


def _without_numbers(table: pd.DataFrame) -> str:
    """What the plan says of values without numbers, in a sentence; empty where all have some."""
    lacking = table[table["low"].isna()]
    movers = list(lacking.loc[lacking["relation"].isin(["definite", "possible"]), "value"])
    stayers = list(lacking.loc[lacking["relation"] == "unaffected", "value"])
    told = [f"how far {', '.join(movers)} would move cannot be predicted in numbers"] if movers else []
    if stayers:
        told.append(
            f"that {', '.join(stayers)} should stay is read off the arrows alone, without an effect that could be "
            "estimated, and is not counted in the expected leakage"
        )
    return "; ".join(told)
