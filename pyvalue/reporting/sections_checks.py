"""The sections that put claims to the test: the audit, the benchmark of predictions, differences between groups."""

from __future__ import annotations

import re

import numpy as np

from pyvalue.evaluation.audit_findings import VERDICTS, Audit, Finding, Verdict
from pyvalue.evaluation.benchmark_result import PredictionBenchmark
from pyvalue.evaluation.edge_difference import EdgeDifferences
from pyvalue.reporting.audit_meanings import meaning
from pyvalue.reporting.audit_plot import draw_nulls, draw_personas
from pyvalue.reporting.benchmark_plot import draw_benchmark
from pyvalue.reporting.edge_difference_plot import draw_edge_differences
from pyvalue.reporting.section import Picture, Section
from pyvalue.reporting.tables import Table, p_text, two_digits
from pyvalue.reporting.wording import count, level, listed, signed, span_text

_SPOKEN: dict[Verdict, str] = {
    "holds": "Holds", "fails": "Fails", "unclear": "Not told from chance", "not computable": "Could not be checked",
}  # fmt: skip
#: pairs of values in the table of differences
_PAIRS = 20


def audit_words(audit: Audit) -> str:
    """Which checks hold, fail, are unclear."""
    by = {verdict: [one.name for one in audit.findings if one.verdict == verdict] for verdict in VERDICTS}
    told = [f"{_SPOKEN[verdict]}: {listed(names)}" for verdict, names in by.items() if names]
    return f"{count(len(audit.findings), 'check')}. {'. '.join(told)}."


def audit_section(audit: Audit) -> Section:
    """Every finding: what was asked, what was found, what it means."""
    said = [audit_words(audit)]
    if "held_out" in audit.facts:
        own = "rows that the graph was not learnt from" if audit.facts["held_out"] else (
            "rows that the graph was learnt from, at least in part, which favours it"
        )  # fmt: skip
        said.append(f"Changes are judged on {own}.")
    pictures = []
    if any(np.isfinite(one.p) for one in audit.nulls.values()):
        caption = (
            "Grey: what graphs of the same shape with permuted names give; line: what this graph gives, with its "
            "interval over personas. A line inside of the grey is what chance gives."
        )
        spoken = "Contrasts and lifts within their nulls. " + " ".join(
            f"{name}: p {p_text(one.p)}." for name, one in audit.nulls.items()
        )
        pictures.append(Picture("audit-nulls", draw_nulls(audit), spoken, caption))
    if len(audit.tables.get("personas", ())):
        try:
            drawn = draw_personas(audit)
        except (ValueError, KeyError):  # no contrast of all personas to set them beside
            drawn = None
        if drawn is not None:
            caption = "Contrast of every persona alone; the line is that of all together, with its interval."
            pictures.append(Picture("audit-personas", drawn, "Contrast of every persona alone.", caption))
    points = tuple(_finding(one) for one in audit.findings)
    return Section("audit", "Would chance give this, too?", tuple(said), points, tuple(pictures))


def _finding(one: Finding) -> str:
    parts = [f"{_capital(one.name)}: {_SPOKEN[one.verdict].lower()}."]
    parts.append(f"Asked: is it so that {one.claim}?")
    if one.sentence:
        parts.append(f"Found: {one.sentence.rstrip('.')}.")
    means = meaning(one)
    return " ".join([*parts, *([f"That means: {means}"] if means else [])])


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def benchmark_section(found: PredictionBenchmark) -> Section:
    """How well every predictor ranks what moves, and the verdict."""
    facts = found.facts
    said = (
        f"Can side effects be told before steering? {count(facts['edits'], 'edit')}, "
        f"{count(facts['personas'], 'tested persona')}, {count(facts['values'], 'value')}. AUROC is the chance that a "
        "value that moved is ranked above one that did not: 0.5 is a guess, 1 is perfect.",
        re.sub(r"p 0\.000\b", "p < 0.001", found.verdict),
    )
    rows = [
        (
            str(row["predictor"]), "mean" if row["level"] == "edit" else "persona",
            "yes" if row["knows_items"] else "no",
            two_digits(row["estimate"]) + _ends(row["wide_low"], row["wide_high"]), p_text(row["p"]),
            signed(row["difference"]) if row["compared_with"] else "baseline" if row["is_baseline"] else "–",
        )
        for row in found.table[found.table["metric"] == "AUROC"].to_dict("records")
    ]  # fmt: skip
    caption = (
        f"AUROC [{level(facts)} over personas and edits]. Of: the mean change of an edit, or a persona’s change; p: by "
        "permuted names; less: difference to the best baseline that knows as much"
    )
    pictures: tuple[Picture, ...] = ()
    if (found.table["metric"].eq("AUROC") & found.table["estimate"].notna()).any():
        pictures = (
            Picture("benchmark", draw_benchmark(found), f"AUROC of every predictor. {said[1]}",
                    "How well each predictor ranks values that move above those that stay."),
        )  # fmt: skip
    header = ("predictor", "of", "knows items", "AUROC", "p", "less")
    return Section("benchmark", "Can side effects be told beforehand?", said, found.notes, pictures,
                   (Table(caption, header, rows, (3, 4, 5)),))  # fmt: skip


def differences_section(found: EdgeDifferences) -> Section:
    """Which associations differ between two groups."""
    differ = found.different()
    named = listed((f"{a} and {b}" for a, b in zip(differ["source"], differ["target"], strict=True)), "none")
    anywhere = min(found.max_p, found.sum_p)
    sure = "differ somewhere" if anywhere <= found.alpha / 2 else "are not shown to differ anywhere"
    said = (
        f"The two groups {sure} (p {p_text(found.max_p)} by the largest difference, {p_text(found.sum_p)} by the sum). "
        f"Pairs that differ, of {count(len(found.table), 'pair')} and at a false discovery rate of {found.alpha:g}: "
        f"{named}."
    )
    rows = [
        (
            f"{row['source']} – {row['target']}", two_digits(row["one"]), two_digits(row["other"]),
            f"{signed(row['difference'])} {span_text(row['low'], row['high'])}", p_text(row["p"]), p_text(row["q"]),
        )
        for row in found.table.sort_values("p", kind="stable").head(_PAIRS).to_dict("records")
    ]  # fmt: skip
    caption = f"The {len(rows)} pairs with the lowest p; difference: the other group less the one"
    picture = Picture("differences", draw_edge_differences(found), f"Differences of associations. {said}",
                      "Difference of every association with its interval; filled where it counts as one.")  # fmt: skip
    table = Table(caption, ("pair", "one", "other", "difference", "p", "q"), rows, (1, 2, 3, 4, 5))
    return Section("differences", "Which associations differ", (said,), pictures=(picture,), tables=(table,))


def _ends(low: float, high: float) -> str:
    return f" [{two_digits(low)}, {two_digits(high)}]" if np.isfinite([low, high]).all() else ""
