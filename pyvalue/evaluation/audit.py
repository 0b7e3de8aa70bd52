"""What of a study's claims holds: its contrasts against their null, its graph, its rows.

It judges a study that is there; it learns no better graph and predicts nothing (``pyvalue.evaluation.benchmark``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from pyvalue.evaluation.audit_broken import broken_finding
from pyvalue.evaluation.audit_contrast_findings import (
    CHOICE_CLAIM,
    CONTRAST_CLAIM,
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
from pyvalue.evaluation.audit_findings import Audit, Finding
from pyvalue.evaluation.audit_graph import as_value_graph, graph_finding, learnt_graph, reach_of
from pyvalue.evaluation.audit_information import pairs_finding, rows_finding, variation_finding
from pyvalue.evaluation.audit_options import AuditOptions
from pyvalue.evaluation.audit_rows import CLAIM as ROWS_CLAIM
from pyvalue.evaluation.audit_rows import NAME as ROWS_NAME
from pyvalue.evaluation.audit_rows import row_finding
from pyvalue.evaluation.audit_study import Part, Study, read_study
from pyvalue.evaluation.label_permutation import LabelPermutation
from pyvalue.graph import ValueGraph
from pyvalue.responses import Score

#: names of the findings on contrasts: chosen one, all, choice
EDITS = ("edits: one persona", "edits: all personas", "edits: choice of persona")
PERSONAS = ("personas: one baseline", "personas: all baselines", "personas: choice of baseline")
#: personas of which every pair is compared; of more, so many are drawn
MAX_BASELINES = 400


def audit(
    responses: Any,
    graph: Any = None,
    *,
    test: Any = None,
    edits: Sequence[str] | None = None,
    focus: str | None = None,
    baseline: str | None = None,
    score: Score = "corrected",
    threshold: float = 0.0,
    permutations: int = 10_000,
    resamples: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> Audit:
    """Check what a study of values and its causal graph claim.

    The contrast is that of Table 2 of Kang et al. (2025), arXiv 2501.00581: how often j changes where i does, averaged
    over the j that the graph lets follow i (over → and —), less the same over the others. It is taken of changes under
    edits, each persona against itself, where rows without a persona count as those of one more; and of differences
    between personas, each against a baseline persona, without those rows. Both as in the paper.

    Args:
        responses: rows that the graph is learnt from: ``Responses``, a DataFrame or the path of a file; see
            ``pyvalue.wide_scores.score_rows``.
        graph: a ``ValueGraph``; a networkx ``DiGraph``; or None to learn it from ``responses`` with ``discover``.
        test: held-out rows to judge the graph on, of the same kinds; None: ``responses``, which a graph learnt from
            them then fits, so that contrasts are too large and p too small. ``facts["held_out"]`` says which.
        edits: labels to look at, beside no edit; None for all.
        focus: the persona whose changes under edits the study reports, if it reports one.
        baseline: the persona that others are compared with; default the first.
        score: of ``Responses``.
        threshold: a value changed where its score did by more than this.
        permutations: of the names of values; all of them where they are no more than that.
        resamples: of the bootstrap over personas.
        confidence: of intervals; 1 - confidence is the level of tests.
        seed: of permutations and bootstraps. The order of rows changes nothing; that of values changes what is drawn.

    Returns:
        Findings in a fixed order; what the study lacks the data for is "not computable", with the reason.

    Raises:
        ValueError: fewer than 3 values in rows and graph, no graph can be learnt from the rows, an unknown edit, or an
            argument out of range.
        TypeError: an argument is of the wrong type.

    Example:
        >>> print(audit("train.csv", test="test.csv", focus="Mary Holt"))
    """
    options = AuditOptions(permutations, resamples, confidence, threshold, seed)
    study = read_study(responses, test, edits, score)
    found = learnt_graph(study.learnt.rows) if graph is None else as_value_graph(graph)
    values = [name for name in study.judged.rows.columns if name in found.names]
    if len(values) < 3:
        raise ValueError(f"graph: expected at least 3 of the values of the responses, got {len(values)}")
    judged = study.judged.of_values(values)
    reach = Reach(reach_of(found, values), reach_of(found, values, definite=True))

    findings: list[Finding] = []
    tables: dict[str, pd.DataFrame] = {}
    nulls: dict[str, LabelPermutation] = {}
    changes = _of_edits(judged, reach, focus, options, findings, tables, nulls)
    differences = _of_personas(judged, reach, baseline, options, findings, tables, nulls)
    findings.append(broken_finding(study, values, reach, options))
    counts = changes or differences
    rows = study.learnt.rows[values]
    asked = [str(name) for name in study.judged.rows.columns]
    findings.append(graph_finding(found, rows, counts, values, asked, options))
    pairs, table = pairs_finding(study.learnt.of_values(values), options)
    findings.append(pairs)
    if table is not None:
        tables["pairs"] = table
    findings.append(_row_by_row(study, judged, values, reach, changes, options))
    findings.append(rows_finding(found, rows))
    variation, tables["values"] = variation_finding(judged, judged.change, options)
    findings.append(variation)
    return Audit(tuple(findings), tables, nulls, _facts(study, found, graph is None, focus, score, options, values))


def _of_edits(
    judged: Part,
    reach: Reach,
    focus: str | None,
    options: AuditOptions,
    findings: list[Finding],
    tables: dict[str, pd.DataFrame],
    nulls: dict[str, LabelPermutation],
) -> ChangeCounts | None:
    """Findings on changes under edits; their counts, if there are any."""
    one, every, choice = EDITS
    change = judged.change
    if change is None:
        findings += _not_computable(EDITS, judged.why_no_change)
        return None
    counts = counts_of_edits(change, options.threshold)
    if focus is not None and focus in counts.personas:
        rates = counts.single()[counts.personas.index(focus)]
        no_interval = (float("nan"), float("nan"))
        own, nulls[one] = contrast_finding(
            one, rates, reach, no_interval, f"{focus} under {_edits(judged)}", options, "one persona is one cluster"
        )
        findings.append(own)
    else:
        told = "no persona was named" if focus is None else f"{focus} has no row with and without an edit"
        findings.append(Finding(one, CONTRAST_CLAIM, "not computable", {}, told))
    interval = bootstrap_interval(
        counts, reach.possible, resamples=options.resamples, confidence=options.confidence, seed=options.seed
    )
    of_what = f"{len(counts.personas)} personas under {_edits(judged)}"
    found, nulls[every] = contrast_finding(
        every, counts.rates(), reach, interval, of_what, options, why_no_interval(counts.personas)
    )
    tables["personas"] = single_contrasts(counts, reach.possible)
    findings += [found, choice_finding(choice, tables["personas"], focus, options)]
    return counts


def _of_personas(
    judged: Part,
    reach: Reach,
    baseline: str | None,
    options: AuditOptions,
    findings: list[Finding],
    tables: dict[str, pd.DataFrame],
    nulls: dict[str, LabelPermutation],
) -> ChangeCounts | None:
    """Findings on differences between unedited personas; the counts of all pairs, if there are any."""
    one, every, choice = PERSONAS
    rows = judged.unedited
    rows = rows[rows.notna().any(axis=1)]
    if len(rows) < 2:
        told = f"it needs at least 2 personas without an edit, got {len(rows)}"
        findings += _not_computable(PERSONAS, told)
        return None
    baseline = str(rows.index[0]) if baseline is None else baseline
    if baseline in rows.index:
        counts = counts_of_personas(rows, baseline, options.threshold)
        interval = bootstrap_interval(
            counts, reach.possible, resamples=options.resamples, confidence=options.confidence, seed=options.seed
        )
        of_what = f"{len(counts.personas)} personas against {baseline}"
        own, nulls[one] = contrast_finding(
            one, counts.rates(), reach, interval, of_what, options, why_no_interval(counts.personas)
        )
        findings.append(own)
    else:
        findings.append(Finding(one, CONTRAST_CLAIM, "not computable", {}, f"{baseline} has no row without an edit"))
    if len(rows) > MAX_BASELINES:
        order = np.random.default_rng(options.seed).permutation(len(rows))[:MAX_BASELINES]
        kept = sorted({*rows.sort_index().index[order], *([baseline] if baseline in rows.index else [])})
        rows = rows.loc[kept]
    pairs = counts_of_baselines(rows, options.threshold)
    few = f"it needs at least {MIN_CLUSTERS} personas whose contrast stays defined without any one of them"
    found, nulls[every] = contrast_finding(
        every, pairs.rates(), reach, jackknife_interval(pairs, reach.possible, confidence=options.confidence),
        f"all pairs of {len(rows)} personas", options, few,
    )  # fmt: skip
    tables["baselines"] = single_contrasts(pairs, reach.possible)
    findings += [found, choice_finding(choice, tables["baselines"], baseline, options, "baseline")]
    return pairs


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
        "edits": list(study.judged.edits),
        "focus": focus,
        "score": score,
        "threshold": options.threshold,
        "permutations": options.permutations,
        "resamples": options.resamples,
        "confidence": options.confidence,
        "seed": options.seed,
    }


def _not_computable(names: Sequence[str], reason: str) -> list[Finding]:
    claims = (CONTRAST_CLAIM, CONTRAST_CLAIM, CHOICE_CLAIM)
    return [Finding(name, claim, "not computable", {}, reason) for name, claim in zip(names, claims, strict=True)]


def _edits(part: Part) -> str:
    return f"{len(part.edits)} edit{'s' if len(part.edits) != 1 else ''}"
