"""Several graphs over the same values made one: what each says of every pair, and what most of them agree on.

It counts graphs; how they were found is :mod:`pyvalue.effects.contexts`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pyvalue.graph import ValueGraph

Marks = NDArray[np.int8]

#: how often each thing was said of a pair
COUNTS = ("forward", "backward", "undirected", "bidirected", "absent")


def tally(graphs: Mapping[str, ValueGraph], values: Sequence[str]) -> pd.DataFrame:
    """One row for every pair of values that is joined in some graph.

    Returns:
        Columns ``a, b``; how many graphs have a → b (``forward``), a ← b (``backward``), a — b (``undirected``), a ↔ b
        (``bidirected``), no edge (``absent``); and ``untested``: graphs from which a or b was left out.
    """
    of_pair: dict[tuple[int, int], list[int]] = {}
    at = {value: i for i, value in enumerate(values)}
    for graph in graphs.values():
        place = [at.get(name, -1) for name in graph.names]
        for i, a in enumerate(place):
            for j, b in enumerate(place):
                if 0 <= a < b:
                    counts = of_pair.setdefault((a, b), [0] * len(COUNTS))
                    counts[_kind(int(graph.marks[i, j]), int(graph.marks[j, i]))] += 1
    rows = [
        (values[a], values[b], *counts, len(graphs) - sum(counts))
        for (a, b), counts in sorted(of_pair.items())
        if sum(counts[:-1])
    ]
    return pd.DataFrame(rows, columns=["a", "b", *COUNTS, "untested"])


def vote(table: pd.DataFrame, values: Sequence[str]) -> tuple[Marks, list[str]]:
    """Marks of the graph that most agree on, and a sentence for each conflict.

    A pair is joined where more graphs join it than not. It is directed where more graphs direct it one way than the
    other: those that leave it undirected have nothing to say against either. Arrows are set in the order of their
    majority, and one that would close a cycle is left undirected.

    Args:
        table: of ``tally``.
        values: the d values.
    """
    at = {value: i for i, value in enumerate(values)}
    marks = np.zeros((len(values), len(values)), dtype=np.int8)
    ahead = np.eye(len(values), dtype=bool)  # ahead[i, j]: a directed path leads from i to j
    conflicts = []
    joined = table[table[["forward", "backward", "undirected", "bidirected"]].sum(axis=1) > table["absent"]]
    margin = (joined["forward"] - joined["backward"]).abs()
    for row in joined.assign(margin=margin).sort_values("margin", ascending=False, kind="stable").to_dict("records"):
        source, target = (row["a"], row["b"]) if row["forward"] >= row["backward"] else (row["b"], row["a"])
        i, j = at[source], at[target]
        marks[i, j] = marks[j, i] = -1
        ways = sorted((row["forward"], row["backward"]), reverse=True)
        if ways[1] or row["bidirected"]:
            conflicts.append(
                f"{source} and {target}: {ways[0]} of the graphs have {source} → {target}, {ways[1]} {target} → "
                f"{source}" + (f", {row['bidirected']} both arrowheads" if row["bidirected"] else "")
            )
        if not row["margin"]:
            continue
        if ahead[j, i]:
            conflicts.append(f"{source} → {target} would close a cycle with arrows of a larger majority; undirected")
            continue
        marks[j, i] = 1
        ahead |= np.outer(ahead[:, i], ahead[j])
    return marks, conflicts


def _kind(at_a: int, at_b: int) -> int:
    """Place in ``COUNTS`` of an edge with these marks."""
    return {(-1, 1): 0, (1, -1): 1, (-1, -1): 2, (1, 1): 3}.get((at_a, at_b), 4)
