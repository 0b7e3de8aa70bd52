"""A graph that stands for a set of DAGs, from data whose first graph does not."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from pyvalue.discovery import discover
from pyvalue.effects.graph_soundness import graph_soundness
from pyvalue.errors import PyvalueError
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
        data: what it was learnt from; see ``discover``.
        rules: pairs of ``uc_rule`` and ``uc_priority`` to try, in this order.
        options: of ``discover`` besides, such as ``cluster``, where the graph was learnt with them. They stand over
            the graph's settings.

    Raises:
        PyvalueError: the graph was made with a test of your own: pass ``test`` again.
    """
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
    for uc_rule, uc_priority in rules:
        rule = uc_rule if uc_priority == -1 else f"{uc_rule} with priority {uc_priority}"
        turned = {"uc_rule": uc_rule, "uc_priority": uc_priority}
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # what the data lack was said when the graph was first learnt
                graphs[rule] = discover(data, **(settings | turned | options))
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
