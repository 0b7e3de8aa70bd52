"""How much there is to learn from: rows that repeat each other, scores that do not vary, changes that are none."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

from pyvalue.errors import PyvalueError
from pyvalue.evaluation.audit_findings import Finding, Verdict, counted
from pyvalue.evaluation.audit_graph import learnt_graph
from pyvalue.evaluation.audit_options import MIN_CONTRASTED, AuditOptions
from pyvalue.evaluation.audit_study import Part
from pyvalue.evaluation.within_between import within_between
from pyvalue.graph import ValueGraph

ROWS, VARIATION, PAIRS = "effective n", "variation", "within and between"
#: rows count as independent where they are worth at least this share of their number
MIN_WORTH = 0.9
#: share of the pairs of values: the claim fails where more than this are clear of 0 on opposite sides, and holds where
#: none is and no more than this differ in sign
CHANCE_SHARE = 0.05
# Tests of numbers that can be told how many rows the clustered ones are worth.
_TOLD = ("fisherz", "spearman", "polychoric")


def rows_finding(graph: ValueGraph, rows: pd.DataFrame) -> Finding:
    """What the rows are worth to a search that knows which of them share a persona.

    Args:
        graph: whose search is made again with clusters.
        rows: (edit, persona) by the values of the graph.
    """
    claim = "the rows are as many independent ones as the search took them for"
    personas = rows.index.get_level_values("persona").nunique()
    figures: dict[str, Any] = {"rows": len(rows), "personas": personas, "told": list(graph.settings.cluster)}
    settings = graph.settings
    test = settings.test if settings.test in _TOLD else "fisherz"
    try:
        options = {
            "test": test,
            "alpha": settings.alpha if settings.n else 0.05,  # no search found a given graph, so it has no level
            "max_depth": settings.max_depth,
            "knowledge": settings.knowledge,
        }
        labels = np.asarray(rows.index.get_level_values("persona").astype(str))
        plain, clustered = (learnt_graph(rows, cluster=cluster, **options) for cluster in (None, labels))
    except (ValueError, TypeError, PyvalueError) as fault:
        return Finding(
            ROWS, claim, "not computable", figures, f"{len(rows)} rows of {counted(personas, 'persona')}: {fault}"
        )
    effective = float(clustered.settings.effective_n or math.nan)
    edges, edges_plain = (int(np.count_nonzero(np.triu(one.marks))) for one in (clustered, plain))
    figures |= {"effective_n": effective, "edges": edges_plain, "edges_with_clusters": edges}
    sentence = (
        f"{len(rows):,} rows of {counted(personas, 'persona')} are worth {effective:.0f} independent ones (mean over "
        f"pairs of values); told of that, the search finds {edges} edges, and {edges_plain} where it takes all for "
        "independent"
    )
    known = bool(settings.cluster)
    verdict: Verdict = "holds" if known or effective >= MIN_WORTH * len(rows) else "fails"
    return Finding(ROWS, claim, verdict, figures, sentence + ("; the graph was told" if known else ""))


def pairs_finding(part: Part, options: AuditOptions) -> tuple[Finding, pd.DataFrame | None]:
    """Signs of correlations, pooled against within edits and within personas."""
    claim = "pooled correlations have the sign of those among personas under one edit, and of those among edits"
    if not part.edits:
        told = "there are no rows under edits, so there is one group alone"
        return Finding(PAIRS, claim, "not computable", {}, told), None
    try:
        found = within_between(part.rows, resamples=options.resamples, confidence=options.confidence, seed=options.seed)
    except ValueError as fault:
        return Finding(PAIRS, claim, "not computable", {}, str(fault).removeprefix("rows: ")), None
    edits, personas = (found.disagreements(kind) for kind in ("within edits", "within personas"))
    figures = {
        "rows": found.rows, "left_out": found.left_out, "constant": list(found.constant), "pairs": edits["pairs"],
        "pooled_clear": edits["pooled_clear"],
        **{f"edits_{key}": edits[key] for key in ("differ", "clear", "within_clear")},
        **{f"personas_{key}": personas[key] for key in ("differ", "clear", "within_clear")},
    }  # fmt: skip
    pairs = len(found.pairs)
    clear, differ = (max(edits[key], personas[key]) for key in ("clear", "differ"))
    verdict: Verdict = "unclear"
    if clear > CHANCE_SHARE * pairs:
        verdict = "fails"
    elif not found.why_no_interval and not clear and differ <= CHANCE_SHARE * pairs:
        verdict = "holds"
    sentence = (
        f"of {pairs} pairs of values over {found.rows:,} rows the sign differs from the pooled one for "
        f"{edits['differ']} within edits and {personas['differ']} within personas; with both intervals clear of 0 for "
        f"{edits['clear']} and {personas['clear']}; {edits['pooled_clear']} pooled correlations are clear of 0 at all"
        f"{found.why_no_interval and '; ' + found.why_no_interval}"
    )
    if not edits["pairs"]:
        verdict, sentence = "not computable", "one persona alone: nothing varies within an edit"
    return Finding(PAIRS, claim, verdict, figures, sentence), found.pairs


def variation_finding(part: Part, change: pd.DataFrame | None, options: AuditOptions) -> tuple[Finding, pd.DataFrame]:
    """Constant values, edits without variance, and the shares of missing and unchanged cells.

    Args:
        part: judged rows.
        change: of edits, or of personas against a baseline; None where there are none.
        options: of the audit.
    """
    claim = "scores vary, and some change while others do not"
    rows = part.rows
    spread = rows.max() - rows.min()
    constant = [str(name) for name in rows.columns[(~(spread > 1e-12)).to_numpy()]]
    shares = {"missing": rows.isna().mean().to_numpy(), "sd": rows.std().to_numpy()}
    table = pd.DataFrame({"value": list(rows.columns), **shares})
    figures: dict[str, Any] = {
        "values": len(rows.columns), "constant": constant, "missing": float(rows.isna().to_numpy().mean()),
        "same_for_all": _same_for_all(rows), "threshold": options.cut,
    }  # fmt: skip
    told = [f"{len(constant)} of {len(rows.columns)} values do not vary{': ' * bool(constant)}{', '.join(constant)}"]
    if figures["missing"]:
        told.append(f"{figures['missing']:.1%} of the scores are missing")
    if figures["same_for_all"]:
        told.append(f"every persona has the same scores under {', '.join(figures['same_for_all'])}")
    verdict: Verdict = "unclear" if constant or figures["same_for_all"] else "holds"
    if change is not None:
        cells = change.to_numpy(dtype=float)
        moved, known = np.abs(cells) > options.cut, np.isfinite(cells)
        share = 1 - moved.sum(axis=0) / np.maximum(known.sum(axis=0), 1)
        table["unchanged"] = np.where(known.any(axis=0), share, np.nan)
        figures["unchanged"] = unchanged = float(1 - moved.sum() / known.sum()) if known.any() else math.nan
        told.append(f"{unchanged:.0%} of the changes are none")
        if unchanged < MIN_CONTRASTED:
            verdict = "fails"
            told.append(
                "nearly everything counts as changed, so a rate of change tells nothing: pass a larger threshold"
            )
        elif unchanged > 1 - MIN_CONTRASTED:
            verdict = "fails"
            told.append("next to nothing changed")
        if "edit" in change.index.names:
            figures["no_change"] = still = _still(change, options)
            if still:
                verdict = "unclear" if verdict == "holds" else verdict
                told.append(f"nothing changed under {', '.join(still)}")
    return Finding(VARIATION, claim, verdict, figures, "; ".join(told)), table


def _still(change: pd.DataFrame, options: AuditOptions) -> list[str]:
    """Edits under which no score changed."""
    moved = (change.abs() > options.cut).any(axis=1)
    by_edit = moved.groupby(level="edit", sort=False).any()
    return [str(edit) for edit, any_moved in by_edit.items() if not any_moved]


def _same_for_all(rows: pd.DataFrame) -> list[str]:
    """Edits (empty: "no edit") with at least 3 personas whose known scores are all the same from persona to persona."""
    found = []
    for edit, table in rows.groupby(level="edit", sort=False):
        if len(table) >= 3 and table.notna().any().any() and not (table.max() - table.min() > 1e-12).any():
            found.append(str(edit) or "no edit")
    return found
