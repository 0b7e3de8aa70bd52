"""What of a study's claims holds: its contrasts against their null, its graph, its rows.

It judges a study that is there; it learns no better graph and predicts nothing (``pyvalue.evaluation.benchmark``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, get_args

import numpy as np
import numpy.typing as npt
import pandas as pd

from pyvalue.evaluation.audit_broken import broken_finding
from pyvalue.evaluation.audit_column_order import order_finding
from pyvalue.evaluation.audit_contrast_findings import (
    CHOICE_CLAIM,
    CONTRAST_CLAIM,
    Intervals,
    Reach,
    choice_finding,
    contrast_finding,
    single_contrasts,
    why_no_interval,
)
from pyvalue.evaluation.audit_contrasts import (
    MIN_CLUSTERS,
    ChangeCounts,
    bootstrap_interval,
    counts_of_baselines,
    counts_of_edits,
    counts_of_personas,
    jackknife_interval,
)
from pyvalue.evaluation.audit_findings import Audit, Finding, counted
from pyvalue.evaluation.audit_graph import graph_finding, learnt_graph, reach_of
from pyvalue.evaluation.audit_information import pairs_finding, rows_finding, variation_finding
from pyvalue.evaluation.audit_options import AuditOptions, usual_threshold
from pyvalue.evaluation.audit_rows import CLAIM as ROWS_CLAIM
from pyvalue.evaluation.audit_rows import NAME as ROWS_NAME
from pyvalue.evaluation.audit_rows import row_finding
from pyvalue.evaluation.audit_study import Part, Study, read_study
from pyvalue.evaluation.label_permutation import LabelPermutation
from pyvalue.given_graphs import as_value_graph
from pyvalue.graph import ValueGraph
from pyvalue.responses import Score
from pyvalue.wide_scores import edit_labels

Floats = npt.NDArray[np.float64]

#: names of the findings on contrasts: chosen one, all, choice
EDITS = ("edits: one persona", "edits: all personas", "edits: choice of persona")
PERSONAS = ("personas: one baseline", "personas: all baselines", "personas: choice of baseline")
#: personas of which every pair is compared; of more, so many are drawn
MAX_BASELINES = 400
# Personas that a message lists.
_SHOWN = 12


def audit(
    responses: Any,
    graph: Any = None,
    *,
    test: Any = None,
    edits: Sequence[str | int] | None = None,
    focus: str | int | None = None,
    baseline: str | int | None = None,
    score: Score = "corrected",
    threshold: float | None = None,
    permutations: int = 10_000,
    resamples: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
    orders: int = 100,
) -> Audit:
    """Check what a study of values and its causal graph claim.

    The contrast is that of Table 2 of Kang et al. (2025), arXiv 2501.00581: how often j changes where i does, averaged
    over the j that the graph lets follow i (over → and —), less the same over the others. It is taken of changes under
    edits, each persona against itself, where rows without a persona count as those of one more; and of differences
    between personas, each against a baseline persona, without those rows. Both as in the paper. A graph whose arrows
    lead to values that change often has a contrast though nothing follows anything; so verdicts are on the lift, which
    is the same contrast of "how often j changes where i does, less how often j changes at all".

    Args:
        responses: rows that the graph is learnt from: ``Responses``, a DataFrame, or the path of a file or run
            folder; see ``pyvalue.wide_scores.score_rows``.
        graph: a ``ValueGraph``; a networkx ``DiGraph``; or None to learn it from ``responses`` with ``discover``.
        test: held-out rows to judge the graph on, of the same kinds; None: ``responses``, which a graph learnt from
            them then fits, so that contrasts are too large and p too small. ``facts["held_out"]`` says which;
            rows that are among those of ``responses`` are found and told of.
        edits: labels to look at, beside no edit; None for all.
        focus: the persona whose changes under edits the study reports, if it reports one.
        baseline: the persona that others are compared with; default that of the first unedited row.
        score: of ``Responses``.
        threshold: a value changed where its score did by more than this. None: 0 where at least 2% of the changes are
            exactly 0; else the median size of a change, found apart for edits and for differences between personas.
        permutations: of the names of values; all of them where they are no more than that.
        resamples: of the bootstraps, at least 100.
        confidence: of intervals; 1 - confidence is the level of tests.
        seed: of permutations, bootstraps and orders. The order of rows changes nothing but the default baseline; that
            of values changes what is drawn, and the graph that is learnt.
        orders: of the columns, over which the graph is learnt again; 0 for none.

    Returns:
        Findings in a fixed order; what the study lacks the data for is "not computable", with the reason.

    Raises:
        ValueError: fewer than 3 values in rows and graph, no graph can be learnt from the rows, an unknown edit or
            persona, or an argument out of range.
        TypeError: an argument is of the wrong type.

    Example:
        >>> print(audit("train.csv", test="test.csv", focus="Mary Holt"))
    """
    options = AuditOptions(permutations, resamples, confidence, threshold, seed, orders)
    if score not in get_args(Score):
        raise ValueError(f"score: expected one of {', '.join(get_args(Score))}, got {score!r}")
    study = read_study(responses, test, edit_labels(edits), score)
    focus, baseline = (
        _persona(name, given, study) for name, given in (("focus", focus), ("baseline", baseline))
    )  # fmt: skip
    found = learnt_graph(study.learnt.rows) if graph is None else as_value_graph(graph)
    values = [name for name in study.judged.rows.columns if name in found.names]
    if len(values) < 3:
        raise ValueError(f"graph: expected at least 3 of the values of the responses, got {len(values)}")
    judged = study.judged.of_values(values)
    reach = Reach(reach_of(found, values), reach_of(found, values, definite=True))

    findings: list[Finding] = []
    tables: dict[str, pd.DataFrame] = {}
    nulls: dict[str, LabelPermutation] = {}
    edit_options = _with_threshold(options, judged.change)
    counts = _of_edits(judged, reach, focus, edit_options, findings, tables, nulls)
    changes = counts.get(EDITS[1])
    persona_options = _with_threshold(options, _differences(judged))
    counts |= _of_personas(judged, reach, baseline, persona_options, findings, tables, nulls)
    findings.append(broken_finding(study, values, reach, edit_options))
    rows = study.learnt.rows[values]
    asked = {name: list(columns) for name, columns in study.asked.items()}
    findings.append(graph_finding(found, rows, changes or counts.get(PERSONAS[1]), values, asked, options))
    ordered, orders_table = order_finding(found, study.learnt.rows[_known(found, study)], counts, values, options)
    pairs, pairs_table = pairs_finding(study.learnt.of_values(values), options)
    findings += [ordered, pairs]
    tables |= {name: t for name, t in (("orders", orders_table), ("pairs", pairs_table)) if t is not None}
    findings.append(_row_by_row(study, judged, values, reach, changes, edit_options))
    findings.append(rows_finding(found, rows))
    variation, tables["values"] = variation_finding(judged, judged.change, edit_options)
    findings.append(variation)
    thresholds = {"threshold_edits": edit_options.cut, "threshold_personas": persona_options.cut}
    facts = _facts(study, found, graph is None, focus, score, options, values)
    return Audit(tuple(findings), tables, nulls, facts | thresholds | {"test": test is not None})


def _of_edits(
    judged: Part,
    reach: Reach,
    focus: str | None,
    options: AuditOptions,
    findings: list[Finding],
    tables: dict[str, pd.DataFrame],
    nulls: dict[str, LabelPermutation],
) -> dict[str, ChangeCounts]:
    """Findings on changes under edits; the counts of each contrast that there is."""
    one, every, choice = EDITS
    change = judged.change
    if change is None:
        findings += _not_computable(EDITS, judged.why_no_change)
        return {}
    counts = counts_of_edits(change, options.cut)
    used = {}
    edits = counted(len(judged.edits), "edit")
    if focus is not None and focus in counts.personas:
        used[one] = counts.only(focus)
        none = Intervals(why_none="one persona is one cluster")
        own, tests = contrast_finding(one, used[one], reach, none, f"{focus} under {edits}", options, least=1)
        findings.append(own)
        nulls |= tests
    else:
        told = "no persona was named" if focus is None else f"{focus} has no row with and without an edit"
        findings.append(Finding(one, CONTRAST_CLAIM, "not computable", {}, told))
    used[every] = counts
    of_what = f"{counted(len(counts.personas), 'persona')} under {edits}"
    found, tests = contrast_finding(every, counts, reach, _bootstrapped(counts, reach, options), of_what, options)
    nulls |= tests
    tables["personas"] = single_contrasts(counts, reach.possible)
    findings += [found, choice_finding(choice, tables["personas"], focus, options)]
    return used


def _of_personas(
    judged: Part,
    reach: Reach,
    baseline: str | None,
    options: AuditOptions,
    findings: list[Finding],
    tables: dict[str, pd.DataFrame],
    nulls: dict[str, LabelPermutation],
) -> dict[str, ChangeCounts]:
    """Findings on differences between unedited personas; the counts of each contrast that there is."""
    one, every, choice = PERSONAS
    rows = judged.unedited
    rows = rows[rows.notna().any(axis=1)]
    if len(rows) < 2:
        told = f"it needs at least 2 personas without an edit, got {len(rows)}"
        findings += _not_computable(PERSONAS, told)
        return {}
    baseline = str(rows.index[0]) if baseline is None else baseline
    used = {}
    if baseline in rows.index:
        used[one] = counts = counts_of_personas(rows, baseline, options.cut)
        of_what = f"{counted(len(counts.personas), 'persona')} against {baseline}"
        own, tests = contrast_finding(one, counts, reach, _bootstrapped(counts, reach, options), of_what, options)
        findings.append(own)
        nulls |= tests
    else:
        findings.append(Finding(one, CONTRAST_CLAIM, "not computable", {}, f"{baseline} has no row without an edit"))
    rows = _some(rows, baseline, options.seed)
    used[every] = pairs = counts_of_baselines(rows, options.cut)
    few = f"it needs at least {MIN_CLUSTERS} personas whose contrast stays defined without any one of them"
    raw, lift = (
        jackknife_interval(pairs, reach.possible, confidence=options.confidence, lift=of_lift)
        for of_lift in (False, True)
    )
    found, tests = contrast_finding(
        every, pairs, reach, Intervals(raw, lift, few), f"all pairs of {counted(len(rows), 'persona')}", options
    )
    nulls |= tests
    tables["baselines"] = single_contrasts(pairs, reach.possible)
    findings += [found, choice_finding(choice, tables["baselines"], baseline, options, "baseline")]
    return used


def _bootstrapped(counts: ChangeCounts, reach: Reach, options: AuditOptions) -> Intervals:
    raw, lift = (
        bootstrap_interval(
            counts, reach.possible, resamples=options.resamples, confidence=options.confidence, seed=options.seed,
            lift=of_lift,
        )
        for of_lift in (False, True)
    )  # fmt: skip
    return Intervals(raw, lift, why_no_interval(counts.personas))


def _some(rows: pd.DataFrame, baseline: str, seed: int) -> pd.DataFrame:
    """The rows of no more than ``MAX_BASELINES`` personas drawn at random, and of the baseline."""
    if len(rows) <= MAX_BASELINES:
        return rows
    order = np.random.default_rng(seed).permutation(len(rows))[:MAX_BASELINES]
    kept = sorted({*rows.sort_index().index[order], *([baseline] if baseline in rows.index else [])})
    return rows.loc[kept]


def _differences(judged: Part) -> Floats | None:
    """(P, P, d) of all pairs of some unedited personas, without those of one and the same."""
    rows = judged.unedited.sort_index().to_numpy(dtype=float)[:MAX_BASELINES]
    if len(rows) < 2:
        return None
    table: Floats = rows[:, None] - rows[None]
    table[np.arange(len(rows)), np.arange(len(rows))] = np.nan
    return table


def _with_threshold(options: AuditOptions, change: Any) -> AuditOptions:
    if options.threshold is not None or change is None:
        return options
    return replace(options, threshold=usual_threshold(change))


def _persona(name: str, given: Any, study: Study) -> str | None:
    """The label of a persona that was named.

    Raises:
        ValueError: no judged row has it.
    """
    if given is None:
        return None
    known = dict.fromkeys(study.judged.rows.index.get_level_values("persona").astype(str))
    if str(given) not in known:
        shown = list(known)[:_SHOWN]
        more = f" and {len(known) - _SHOWN} more" if len(known) > _SHOWN else ""
        raise ValueError(f"{name}: no row has the persona {given!r}; there are {', '.join(shown)}{more}")
    return str(given)


def _known(graph: ValueGraph, study: Study) -> list[str]:
    return [name for name in graph.names if name in study.learnt.rows.columns]


def _row_by_row(
    study: Study,
    judged: Part,
    values: list[str],
    reach: Reach,
    counts: ChangeCounts | None,
    options: AuditOptions,
) -> Finding:
    change = judged.change
    if change is None or counts is None:
        return Finding(ROWS_NAME, ROWS_CLAIM, "not computable", {}, judged.why_no_change)
    learnt = study.learnt.of_values(values).change if study.held_out else None
    if learnt is not None:  # rates of the edits that are judged, where they were learnt under
        same = learnt.index.get_level_values("edit").isin(judged.edits)
        learnt = learnt[same] if same.any() else learnt
    return row_finding(counts, reach, change, learnt, options)


def _facts(
    study: Study,
    graph: ValueGraph,
    learnt: bool,
    focus: str | None,
    score: str,
    options: AuditOptions,
    values: Sequence[str],
) -> dict[str, Any]:
    return {
        "graph": f"{'learnt here' if learnt else 'given'}: {graph!r}",
        "values": list(values),
        "rows_learnt": len(study.learnt.rows),
        "rows_judged": len(study.judged.rows),
        "held_out": study.held_out,
        "shared_rows": study.shared_rows,
        "edits": list(study.judged.edits),
        "focus": focus,
        "score": score,
        "threshold": options.threshold,
        "permutations": options.permutations,
        "resamples": options.resamples,
        "confidence": options.confidence,
        "seed": options.seed,
        "orders": options.orders,
    }


def _not_computable(names: Sequence[str], reason: str) -> list[Finding]:
    claims = (CONTRAST_CLAIM, CONTRAST_CLAIM, CHOICE_CLAIM)
    return [Finding(name, claim, "not computable", {}, reason) for name, claim in zip(names, claims, strict=True)]
