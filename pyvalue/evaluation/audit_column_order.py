"""Does the graph, and what it shows, depend on the order in which the columns of values stand?

PC visits pairs of values in that order. Where tests contradict each other, as they do in samples, the order settles
which arrow is drawn, though it means nothing (Colombo & Maathuis 2014, Journal of Machine Learning Research 15).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from pyvalue.errors import PyvalueError
from pyvalue.evaluation.audit_contrast_findings import p_in_words
from pyvalue.evaluation.audit_contrasts import ChangeCounts
from pyvalue.evaluation.audit_findings import Finding, Verdict
from pyvalue.evaluation.audit_graph import learnt_graph, reach_of, search_settings
from pyvalue.evaluation.audit_options import AuditOptions
from pyvalue.evaluation.label_permutation import label_permutation
from pyvalue.graph import ValueGraph

NAME = "column order"
CLAIM = "the arrows are the same in whatever order the columns stand"
#: the claim fails where, of the pairs that either graph lets follow, other orders share less than this on average
STABLE_SHARE = 0.9
#: permutations of names for each order
PERMUTATIONS = 200


def order_finding(
    graph: ValueGraph,
    rows: pd.DataFrame,
    counts: Mapping[str, ChangeCounts],
    values: Sequence[str],
    options: AuditOptions,
) -> tuple[Finding, pd.DataFrame | None]:
    """Search again over permuted columns, and judge every graph by the same changes.

    Args:
        graph: with the settings of its search.
        rows: that it was learnt from, columns its values.
        counts: name of a finding -> the comparisons of its contrast.
        values: of the counts.
        options: of the audit.

    Returns:
        The finding, and one row an order: ``reachable, kept, skeleton, valid``, and for each of ``counts`` its
        contrast, lift and p.
    """
    complete = int(rows.notna().all(axis=1).sum())
    if not graph.settings.n:
        return Finding(NAME, CLAIM, "not computable", {}, "the graph was not learnt from rows"), None
    if graph.settings.n != complete:
        told = f"the graph was learnt from {graph.settings.n:,} rows, these are {complete:,}"
        return Finding(NAME, CLAIM, "not computable", {}, told), None
    if not options.orders:
        return Finding(NAME, CLAIM, "not computable", {"orders": 0}, "no other orders were asked for"), None
    settings = search_settings(graph, graph.settings.uc_rule)
    if graph.settings.cluster:
        settings["cluster"] = np.asarray(rows.index.get_level_values("persona").astype(str))
    rng = np.random.default_rng(options.seed)
    found = []
    try:
        for _ in range(options.orders):
            found.append(learnt_graph(rows.iloc[:, rng.permutation(rows.shape[1])], **settings))
    except (ValueError, TypeError, PyvalueError) as fault:
        return Finding(NAME, CLAIM, "not computable", {}, f"the search cannot be made again: {fault}"), None
    table = _table(graph, found, counts, values, options)
    pairs = int(reach_of(graph, graph.names).sum())
    figures = _figures(table, list(counts), pairs, options)
    return Finding(NAME, CLAIM, _verdict(table, pairs), figures, _sentence(figures, list(counts))), table


def _table(
    graph: ValueGraph,
    found: Sequence[ValueGraph],
    counts: Mapping[str, ChangeCounts],
    values: Sequence[str],
    options: AuditOptions,
) -> pd.DataFrame:
    own, edges = reach_of(graph, graph.names), _skeleton(graph)
    tables = {name: (one.rates(), one.lift()) for name, one in counts.items()}
    draws = min(PERMUTATIONS, options.permutations)
    rows = []
    for other in found:
        reach = reach_of(other, graph.names)
        row: dict[str, Any] = {
            "reachable": int(reach.sum()), "kept": int((reach & own).sum()), "same_skeleton": _skeleton(other) == edges,
            "valid": other.is_valid_cpdag(),
        }  # fmt: skip
        judged = reach_of(other, values)
        for name, (rates, lift) in tables.items():
            papers, test = (
                label_permutation(table, judged, permutations=draws, seed=options.seed) for table in (rates, lift)
            )
            row |= {f"{name}: contrast": papers.observed, f"{name}: p": papers.p}
            row |= {f"{name}: lift": test.observed, f"{name}: lift_p": test.p}
        rows.append(row)
    return pd.DataFrame(rows)


def _skeleton(graph: ValueGraph) -> set[frozenset[str]]:
    return {frozenset((graph.names[i], graph.names[j])) for i, j in np.argwhere(graph.marks != 0)}


def _figures(table: pd.DataFrame, names: Sequence[str], pairs: int, options: AuditOptions) -> dict[str, Any]:
    figures: dict[str, Any] = {
        "orders": len(table), "pairs": pairs, "kept_mean": float(table["kept"].mean()),
        "kept_least": int(table["kept"].min()), "kept_most": int(table["kept"].max()),
        "same_skeleton": int(table["same_skeleton"].sum()), "valid": int(table["valid"].sum()),
    }  # fmt: skip
    for name in names:
        for key in ("contrast", "p", "lift", "lift_p"):
            column = table[f"{name}: {key}"]
            figures |= {f"{name}: {key}_least": float(column.min()), f"{name}: {key}_most": float(column.max())}
        figures[f"{name}: lift_p_below"] = int((table[f"{name}: lift_p"] < options.level).sum())
    return figures


def _verdict(table: pd.DataFrame, pairs: int) -> Verdict:
    if (table["kept"] == pairs).all() and (table["reachable"] == pairs).all():
        return "holds"
    # Pairs that come in count as those that go: of all pairs of either graph, the share that both have.
    shared = (table["kept"] / (table["reachable"] + pairs - table["kept"])).mean()
    return "unclear" if shared >= STABLE_SHARE else "fails"


def _sentence(figures: Mapping[str, Any], names: Sequence[str]) -> str:
    told = (
        f"over {figures['orders']} orders of the columns the search keeps all edges, arrowheads aside, in "
        f"{figures['same_skeleton']} and {figures['kept_least']} to {figures['kept_most']} (mean "
        f"{figures['kept_mean']:.0f}) of the {figures['pairs']} pairs of which the second may follow the first; "
        f"{figures['valid']} of the graphs are valid CPDAGs"
    )
    for name in names:
        if np.isfinite(figures[f"{name}: contrast_least"]):
            ends = [
                f"{shown(figures[f'{name}: {key}_least'])} to {shown(figures[f'{name}: {key}_most'])}"
                for key, shown in (("contrast", "{:+.3f}".format), ("p", p_in_words), ("lift", "{:+.3f}".format))
            ]
            below = figures[f"{name}: lift_p_below"]
            told += f"; {name}: contrast {ends[0]} (p {ends[1]}), lift {ends[2]} (p below the level in {below})"
    return told
