"""How far every value should move with the target: the graph's effects, as far as they can be estimated.

Relations come from ``plan_relations``; here they get numbers, and what stands in the way of numbers is named.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence

import numpy as np
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
        rows: unedited scores, rows (edit, persona), columns values.
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
    lacking = [v for v, r, x in zip(table["value"], table["relation"], table["low"], strict=True)
               if math.isnan(x) and r not in ("target", "unknown")]  # fmt: skip
    if lacking and not told:
        told = f"no change can be predicted in numbers for {', '.join(lacking)}"
    return table, told


def expected_leakage(changes: pd.DataFrame, values: Sequence[str] | None = None) -> tuple[float, float]:
    """Least and most root mean square change of other values per unit of target change, by the predicted ranges.

    A root mean square, because that is what ``pyvalue.effects.leakage`` can free from noise and so what can be
    compared. The ends are bounds: not every value need have its least (or most) effect in the same graph.

    Args:
        changes: of ``unit_changes``.
        values: that count; default all but the target's. Values without a prediction do not count.

    Returns:
        ``(low, high)`` over the graphs that the data leave open; NaN where no value counts.
    """
    counted = changes[changes["relation"] != "target"]
    if values is not None:
        counted = counted[counted["value"].isin(list(values))]
    counted = counted.dropna(subset=["minimum", "maximum"])
    if counted.empty:
        return math.nan, math.nan
    least, most = counted["minimum"].to_numpy(float), counted["maximum"].to_numpy(float)
    near = np.maximum(0.0, np.maximum(least, -most))
    far = np.maximum(np.abs(least), np.abs(most))
    return float(np.sqrt((near**2).mean())), float(np.sqrt((far**2).mean()))
