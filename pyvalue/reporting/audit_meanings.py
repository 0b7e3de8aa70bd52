"""What each check of an audit means for a reader, in plain words made from the check's own figures."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from pyvalue.evaluation.audit_findings import Finding
from pyvalue.evaluation.audit_options import MIN_CONTRASTED
from pyvalue.reporting.audit_contrast_meanings import choice_meaning, follows_meaning
from pyvalue.reporting.wording import count, listed


def meaning(finding: Finding) -> str:
    """One to three sentences; empty for a check that is not known here."""
    if finding.verdict == "not computable":
        return "nothing can be said; the study lacks what this check needs."
    known = _MEANINGS.get(finding.name)
    return "" if known is None else known(finding)


def _broken(one: Finding) -> str:
    if one.verdict == "holds":
        return "changes are changes of answers, and not of a model that no longer answers."
    said = "some edits leave a model that no longer answers. The other checks are made without them."
    if "verdict_changes" not in one.figures:
        return said
    other = (
        "with them it would be told otherwise" if one.figures["verdict_changes"] else "with them it would be the same"
    )
    return f"{said} Whether the contrast is more than chance: {other}."


def _graph(one: Finding) -> str:
    if one.verdict == "fails":
        return "no causal graph without hidden causes has these marks; read which values are joined, not the arrows."
    if one.verdict == "unclear":
        return (
            "some causal graph agrees with the marks, but not by the rules of the search; trust joined pairs more than "
            "arrows."
        )
    said = "the arrows do not contradict each other. That does not make them right."
    return said if one.figures.get("valid_cpdag", True) else f"{said} They say more than answers alone could tell."


def _order(one: Finding) -> str:
    if one.verdict == "holds":
        return "the arrows come from the answers and not from how the table was sorted."
    figures = one.figures
    orders, same = figures.get("orders", 0), figures.get("same_skeleton", 0)
    arrows = "some arrows hang on how the table was sorted"
    if one.verdict == "fails":
        arrows = "most of what the arrows say hangs on how the table was sorted"
        arrows += _turning(figures)
    if orders and same < orders:
        return f"{arrows}; and so do some edges, as {orders - same:,} of {count(orders, 'order')} join other values."
    return f"{arrows}; read which values are joined, not the arrows."


def _turning(figures: Mapping[str, Any]) -> str:
    """Contrasts whose sign hangs on the order."""
    ends = [
        (figures[key], figures.get(f"{key.removesuffix('_least')}_most", math.nan))
        for key in figures
        if key.endswith(": contrast_least")
    ]
    turned = sum(low < 0 < high for low, high in ends)
    return f", down to the sign of {count(turned, 'contrast')}" if turned else ""


def _within(one: Finding) -> str:
    figures = one.figures
    clear = max(figures.get("edits_clear", 0), figures.get("personas_clear", 0))
    if one.verdict == "holds":
        return "associations among personas and among edits tell the same story."
    if one.verdict == "fails":
        pairs = f" ({count(clear, 'pair')} of values clearly)" if clear else ""
        return f"pooling edits and personas mixes two different associations{pairs}; look at each on its own."
    if "pooled_clear" not in figures:
        return "these rows do not tell whether personas and edits tell the same story."
    differ = max(figures["edits_differ"], figures["personas_differ"])
    said = (
        f"these rows do not tell whether personas and edits tell the same story: only {figures['pooled_clear']:,} of "
        f"{count(figures['pairs'], 'pooled correlation')} {'is' if figures['pooled_clear'] == 1 else 'are'} clear of 0"
    )
    if not clear and differ:
        return f"{said}, and of up to {differ:,} whose sign differs none does so clearly."
    return f"{said}." if not clear else f"{said}, and {clear:,} clearly differ in sign, which chance may give."


def _rows(one: Finding) -> str:
    figures = one.figures
    auroc, high = figures.get("within_values", math.nan), figures.get("within_high", math.nan)
    beside = f" (AUROC {auroc:.3f}, where 0.5 is a guess)" if math.isfinite(auroc) else ""
    if one.verdict == "holds":
        return f"the graph tells which row a value moves in, beyond how often it moves{beside}."
    if one.verdict == "fails":
        return f"the graph points at the rows in which a value does not move{beside}, more than chance would."
    said = f"the graph does not tell in which rows a value moves, beyond how often it moves{beside}."
    if math.isfinite(high) and high < 0.5:
        said += " It points a little the wrong way for personas of this kind, as graphs with permuted names often do."
    return said


def _effective(one: Finding) -> str:
    if one.verdict == "holds":
        return "the tests behind the graph had as much evidence as they believed."
    figures = one.figures
    more = figures.get("edges", 1) > figures.get("edges_with_clusters", 0)
    then = "so the graph has edges too many" if more else "though here the search finds no fewer edges when it is told"
    return (
        f"rows of one persona are alike: the tests believed in more evidence than there is, {then}. Learn it with "
        'cluster="persona".'
    )


def _variation(one: Finding) -> str:
    figures = one.figures
    unchanged = figures.get("unchanged", math.nan)
    if one.verdict == "holds":
        if not math.isfinite(unchanged):
            return "there is something to predict."
        return f"there is something to predict: {1 - unchanged:.0%} of the scores changed and {unchanged:.0%} did not."
    if one.verdict == "fails":
        if not math.isfinite(unchanged):
            return "nearly everything, or next to nothing, counts as changed, so that rates of change tell little."
        what = "nearly everything" if unchanged < MIN_CONTRASTED else "next to nothing"
        return f"{what} counts as changed, so that rates of change tell little."
    still = [*figures.get("constant", ()), *figures.get("same_for_all", ()), *figures.get("no_change", ())]
    named = f" ({listed(dict.fromkeys(still))})" if still else ""
    return f"some values or edits never vary or change{named}; nothing is said of these."


_MEANINGS: Mapping[str, Callable[[Finding], str]] = {
    "edits: one persona": follows_meaning,
    "edits: all personas": follows_meaning,
    "personas: one baseline": follows_meaning,
    "personas: all baselines": follows_meaning,
    "edits: choice of persona": choice_meaning,
    "personas: choice of baseline": choice_meaning,
    "broken edits": _broken,
    "graph": _graph,
    "column order": _order,
    "within and between": _within,
    "row by row": _rows,
    "effective n": _effective,
    "variation": _variation,
}
