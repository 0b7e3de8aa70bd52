"""A graph that stands for a set of DAGs, from data whose first graph does not."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from pyvalue.discovery import discover
from pyvalue.discovery.options import TESTS
from pyvalue.effects.graph_soundness import graph_soundness
from pyvalue.effects.value_table import value_table
from pyvalue.errors import PyvalueError
from pyvalue.given_graphs import as_value_graph
from pyvalue.graph import ValueGraph

#: ``uc_rule`` and ``uc_priority`` of ``discover``, the most careful first; priority -1 is the rule's own
RULES = (
    ("conservative", -1),
    ("majority", -1),
    ("definite-maxp", -1),
    ("maxp", -1),
    ("majority", 0),
    ("maxp", 2),
    ("sepset", 4),
    ("sepset", 0),
)


@dataclass(frozen=True, repr=False)
class SoundGraph:
    """What was found in place of a graph.

    Attributes:
        graph: the first graph to which some DAG agrees; None where there is none.
        rule: "as given", or the ``uc_rule`` that made it (with ``uc_priority`` where that is not the rule's own); None
            where there is none.
        tried: rule to the reason of its graph's soundness, in the order in which they were tried.
        graphs: rule to its graph.
    """

    graph: ValueGraph | None
    rule: str | None
    tried: dict[str, str]
    graphs: dict[str, ValueGraph] = field(repr=False)

    def __repr__(self) -> str:
        found = "none found" if self.rule is None else f"{self.rule}: {self.tried[self.rule]}"
        return f"SoundGraph({found}; tried {', '.join(self.tried)})"


def sound_graph(
    graph: ValueGraph, data: Any, *, rules: Sequence[tuple[str, int]] = RULES, **options: Any
) -> SoundGraph:
    """Learn the graph again under other collider rules, until some DAG agrees with it.

    The skeleton stays as it is, because the rules only decide which triples are colliders; test, level, depth and
    knowledge are those of the graph. Its own rule trusts one separating set; the conservative one (Ramsey, Spirtes &
    Zhang 2006) and the majority one (Colombo & Maathuis 2014) ask all, and leave open what these do not agree on.

    Args:
        graph: that may have a fault.
        data: what it was learnt from; what ``estimate_effects`` or ``discover`` takes. Columns that are no value of the
            graph are not looked at, but for those that ``cluster`` names.
        rules: pairs of ``uc_rule`` and ``uc_priority`` to try, in this order.
        options: of ``discover`` besides, such as ``cluster``, where the graph was learnt with them. They stand over
            the graph's settings.

    Raises:
        PyvalueError: the graph was made with a test of its own: pass ``test``.
        TypeError: ``graph`` is no graph.
    """
    graph = as_value_graph(graph)
    tried, graphs = {"as given": graph_soundness(graph).reason}, {"as given": graph}
    if graph_soundness(graph).extendable:
        return SoundGraph(graph, "as given", tried, graphs)
    made = graph.settings
    settings: dict[str, Any] = {
        "alpha": made.alpha,
        "test": made.test,
        "max_depth": made.max_depth,
        "knowledge": made.knowledge,
        "cluster": tuple(made.cluster) or None,
    }
    if "test" not in options and made.test not in TESTS:
        raise PyvalueError(
            f"graph: it was made with the test {made.test!r}, which pv.discover does not have; pass test='fisherz' or "
            "another, with which the graph is then learnt again"
        )
    settings |= options
    data = _values_of(data, graph, settings)
    for uc_rule, uc_priority in rules:
        rule = uc_rule if uc_priority == -1 else f"{uc_rule} with priority {uc_priority}"
        turned = {"uc_rule": uc_rule, "uc_priority": uc_priority}
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # what the data lack was said when the graph was first learnt
                graphs[rule] = discover(data, **(settings | turned))
        except ValueError as fault:
            raise PyvalueError(
                f"the graph cannot be learnt again as it was (test {made.test!r}, cluster {made.cluster}): {fault}; "
                "pass what differs, for example test=... or cluster=..."
            ) from fault
        soundness = graph_soundness(graphs[rule])
        tried[rule] = soundness.reason
        if soundness.extendable:
            return SoundGraph(graphs[rule], rule, tried, graphs)
    return SoundGraph(None, None, tried, graphs)


def _values_of(data: Any, graph: ValueGraph, settings: dict[str, Any]) -> Any:
    """Tables and files without what is no value, and with labels of edits and personas in the index; others as they
    are. An array has the columns of the graph where no names are given."""
    if isinstance(data, str | Path | pd.DataFrame):
        table, _ = value_table(data, graph.names)
        asked = settings["cluster"]
        clusters = [asked] if isinstance(asked, str) else asked if isinstance(asked, tuple) else []
        beside = [name for name in clusters if isinstance(name, str) and name not in table.index.names]
        kept = [*graph.names, *dict.fromkeys(beside)]
        absent = [name for name in kept if name not in table.columns]
        if absent:
            raise PyvalueError(f"data: no column {', '.join(absent)}, which the graph was learnt with or is asked for")
        settings.pop("names", None), settings.pop("drop", None)
        return table[kept]
    if "names" not in settings and getattr(data, "ndim", None) == 2 and data.shape[1] == len(graph.names):
        settings["names"] = list(graph.names)
    return data
