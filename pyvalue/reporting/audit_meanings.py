"""What the verdict of each check of an audit means for a reader, in plain words."""

from __future__ import annotations

from collections.abc import Mapping

from pyvalue.evaluation.audit_findings import Finding, Verdict

_FOLLOWS: Mapping[Verdict, str] = {
    "holds": "the values that the graph points to do follow, more than a graph with shuffled names would have it. The "
    "graph says something about steering.",
    "fails": "the values that the graph points to follow less than others do. Do not use it to tell side effects.",
    "unclear": "a graph with shuffled names does as well. This is no evidence that the graph tells side effects, and "
    "none that it does not.",
}
_CHOICE: Mapping[Verdict, str] = {
    "holds": "the result does not hang on whom one looked at.",
    "fails": "the one that was looked at is not like the others; the result speaks for it alone.",
    "unclear": "there are too few others to tell whether the one that was looked at is like them.",
}
_MEANINGS: Mapping[str, Mapping[Verdict, str]] = {
    "edits: one persona": _FOLLOWS,
    "edits: all personas": _FOLLOWS,
    "personas: one baseline": _FOLLOWS,
    "personas: all baselines": _FOLLOWS,
    "edits: choice of persona": _CHOICE,
    "personas: choice of baseline": _CHOICE,
    "broken edits": {
        "holds": "changes are changes of answers, and not of a model that no longer answers.",
        "fails": "some edits leave a model that no longer answers. The other checks are made without them.",
    },
    "graph": {
        "holds": "the arrows do not contradict each other. That does not make them right.",
        "unclear": "some causal graph agrees with the marks, but not by the rules of the search; trust joined pairs "
        "more than arrows.",
        "fails": "no causal graph without hidden causes has these marks; read which values are joined, not the arrows.",
    },
    "column order": {
        "holds": "the arrows come from the answers and not from how the table was sorted.",
        "fails": "the same answers in another order of the columns give other arrows; read which values are joined, "
        "not the arrows.",
        "unclear": "some arrows hang on how the table was sorted.",
    },
    "within and between": {
        "holds": "associations among personas and among edits tell the same story.",
        "fails": "pooling edits and personas mixes two different associations; look at each on its own.",
        "unclear": "there are too few rows to tell whether personas and edits tell the same story.",
    },
    "row by row": {
        "holds": "the graph tells which row a value moves in, beyond how often it moves.",
        "fails": "the graph points at the rows in which a value does not move.",
        "unclear": "the graph does not tell in which rows a value moves, beyond how often it moves.",
    },
    "effective n": {
        "holds": "the tests behind the graph had as much evidence as they believed.",
        "fails": "rows of one persona are alike, so the tests believed in more evidence than there is, and the graph "
        "has edges too many. Learn it with cluster=\"persona\".",
    },
    "variation": {
        "holds": "there is something to predict.",
        "fails": "nearly everything, or next to nothing, counts as changed, so that rates of change tell little.",
        "unclear": "some values or edits never change; nothing is said of these.",
    },
}  # fmt: skip


def meaning(finding: Finding) -> str:
    """One or two sentences; empty for a check that is not known here."""
    if finding.verdict == "not computable":
        return "nothing can be said; the study lacks what this check needs."
    return _MEANINGS.get(finding.name, {}).get(finding.verdict, "")
