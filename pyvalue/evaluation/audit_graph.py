"""The graph of a study as an audit uses it: who follows whom, and whether any DAG agrees with it at all."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from pyvalue.discovery.api import discover
from pyvalue.discovery.degenerate import DegenerateDataWarning
from pyvalue.effects.graph_soundness import graph_soundness
from pyvalue.errors import PyvalueError
from pyvalue.evaluation.audit_contrasts import ChangeCounts
from pyvalue.evaluation.audit_findings import Finding, Verdict
from pyvalue.evaluation.audit_options import AuditOptions
from pyvalue.evaluation.label_permutation import contrasts, label_permutation
from pyvalue.graph import ValueGraph

Mask = npt.NDArray[np.bool_]

NAME = "graph"
_CLAIM = "some DAG agrees with the graph, so that it can be read as causes and effects"
#: rules that leave open what the data do not agree on
CAUTIOUS_RULES = ("conservative", "majority")


def learnt_graph(rows: pd.DataFrame, **options: Any) -> ValueGraph:
    """``discover`` on rows, those with missing scores dropped; what it would warn of is in the graph's notes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DegenerateDataWarning)
        return discover(rows.reset_index(drop=True), missing="drop", **options)


def reach_of(graph: ValueGraph, values: Sequence[str], definite: bool = False) -> Mask:
    """(d, d) whether the column's value may follow from the row's; paths may lead through values not in ``values``.

    Args:
        graph: with all of ``values``.
        values: in the order of rows and columns.
        definite: over directed paths alone, instead of possibly directed ones.
    """
    place = {name: k for k, name in enumerate(values)}
    reach = np.zeros((len(values), len(values)), dtype=bool)
    for name, row in place.items():
        found = graph.definite_descendants(name) if definite else graph.possible_descendants(name)
        reach[row, [place[other] for other in found if other in place]] = True
    return reach


def graph_finding(
    graph: ValueGraph,
    rows: pd.DataFrame,
    counts: ChangeCounts | None,
    values: Sequence[str],
    parts: Mapping[str, Sequence[str]],
    options: AuditOptions,
) -> Finding:
    """Cycles and validity, and what cautious rules find where the graph has a fault.

    Args:
        graph: as given or learnt.
        rows: to learn the cautious graphs from.
        counts: for their contrast; None where there are no changes.
        values: of the counts.
        parts: name of a part of the study -> all its values.
        options: of the audit.
    """
    sound = graph_soundness(graph)
    cyclic = list(sound.cycles)
    figures: dict[str, Any] = {
        "directed": len(graph.directed_edges()),
        "undirected": len(graph.undirected_edges()),
        "bidirected": len(graph.bidirected_edges()),
        "cycles": cyclic,
        "valid_cpdag": sound.valid_cpdag,
        "extendable": sound.extendable,
        "lacking": {
            part: lacking
            for part, asked in parts.items()
            if (lacking := [name for name in graph.names if name not in asked])
        },
        "not_in_graph": [name for name in dict.fromkeys(itertools.chain(*parts.values())) if name not in graph.names],
    }
    edges = f"{figures['directed']} directed and {figures['undirected']} undirected edges"
    lacks = {**figures["lacking"], **({"the graph": figures["not_in_graph"]} if figures["not_in_graph"] else {})}
    without = "".join(
        f"; {part} lack{'s' * (part == 'the graph')} {', '.join(names)}, of which nothing is said"
        for part, names in lacks.items()
    )
    if sound.valid_cpdag:
        return Finding(NAME, _CLAIM, "holds", figures, f"the graph ({edges}) is a valid CPDAG{without}")
    if not graph.settings.n:  # a hand-made one: no other rule makes another of it
        verdict: Verdict = "holds" if sound.extendable else "fails"
        return Finding(NAME, _CLAIM, verdict, figures, f"the graph ({edges}): {sound.reason}{without}")
    figures["cautious"] = {}
    told = []
    for rule in CAUTIOUS_RULES:
        try:
            other = learnt_graph(
                rows[[name for name in graph.names if name in rows.columns]], **search_settings(graph, rule)
            )
        except (ValueError, TypeError, PyvalueError) as fault:
            told.append(f"the {rule} rule finds none ({fault})")
            continue
        figures["cautious"][rule] = found = _described(other, counts, values, options)
        told.append(f"the {rule} rule gives {_in_words(found)}")
    # A graph that some DAG agrees with, though it is not closed under Meek's rules or knows more, can still be read.
    verdict = "unclear" if sound.extendable else "fails"
    cautious = f". From the same rows {' and '.join(told)}" if told else ""
    return Finding(NAME, _CLAIM, verdict, figures, f"the graph ({edges}): {sound.reason}{without}{cautious}")


def search_settings(graph: ValueGraph, rule: str) -> dict[str, Any]:
    """What ``learnt_graph`` needs to search again as it was searched, by some rule for colliders."""
    settings = graph.settings
    knowledge = settings.knowledge
    return {
        "test": settings.test, "alpha": settings.alpha, "max_depth": settings.max_depth, "uc_rule": rule,
        "knowledge": knowledge, "threads": 1,
    }  # fmt: skip


def _described(
    graph: ValueGraph, counts: ChangeCounts | None, values: Sequence[str], options: AuditOptions
) -> dict[str, Any]:
    described: dict[str, Any] = {
        "directed": len(graph.directed_edges()),
        "undirected": len(graph.undirected_edges()),
        "bidirected": len(graph.bidirected_edges()),
        "valid_cpdag": graph.is_valid_cpdag(),
    }
    if counts is not None and set(values) <= set(graph.names):
        reach = reach_of(graph, values)
        test = label_permutation(counts.lift(), reach, permutations=options.permutations, seed=options.seed)
        described |= {"contrast": float(contrasts(counts.rates(), reach)), "lift": test.observed, "lift_p": test.p}
    return described


def _in_words(found: dict[str, Any]) -> str:
    kind = "valid" if found["valid_cpdag"] else "not valid either"
    edges = f"{found['directed']} directed and {found['undirected']} undirected edges ({kind}"
    if np.isfinite(found.get("lift_p", np.nan)):
        edges += f", contrast {found['contrast']:+.3f}, lift {found['lift']:+.3f}, p = {found['lift_p']:.2f}"
    return edges + ")"
