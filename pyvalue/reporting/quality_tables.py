"""How good the answers are, as tables and sentences of the report."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from pyvalue.quality import Quality
from pyvalue.quality_warnings import LOW_ALPHA
from pyvalue.reporting.quality_plot import series_of
from pyvalue.reporting.respondents import concerns_people, of_people
from pyvalue.reporting.tables import Table, percent
from pyvalue.reporting.theme import schwartz_order
from pyvalue.reporting.wording import count, level, listed
from pyvalue.responses import Responses

_BIAS = {
    "content_free": "content-free",
    "nonsense": "nonsense",
    "keyed": "keyed",
    "paraphrase_spread": "wordings ±",
}


def qualities(sets: Sequence[Responses]) -> list[Quality]:
    """One quality a model, of all its sets together; of each set alone where an answer is in two of them."""
    by_model: dict[str, list[Responses]] = {}
    for responses in sets:
        for model, table in responses.table.groupby("model", sort=False):
            by_model.setdefault(str(model), []).append(Responses(table.reset_index(drop=True), responses.facts))
    found = []
    for parts in by_model.values():
        try:
            together = [Responses.concat(parts)]
        except ValueError:
            together = parts
        found += [responses.quality() for responses in together]
    return found


def quality_tables(found: Sequence[Quality], people: frozenset[str] = frozenset()) -> list[Table]:
    """Reliability, yes-bias, the common factor, agreement between modes, broken edits; those that say something."""
    tables = []
    for quality in found:
        about = _about(quality, len(found) > 1)
        if quality.facts["model"] in people:
            tables.append(_of_people(_reliability_table(quality, about)))
            if quality.factor["mean_correlation"].notna().any():
                tables.append(_of_people(_factor_table(quality, about)))
            continue
        tables.append(_reliability_table(quality, about))
        if quality.bias[list(_BIAS)].notna().any(axis=None):
            tables.append(_bias_table(quality, about))
        if quality.factor["mean_correlation"].notna().any():
            tables.append(_factor_table(quality, about))
        if len(quality.convergent):
            tables.append(_convergent_table(quality, about))
        if quality.edits["broken"].any():
            tables.append(_broken_table(quality, about))
    return tables


def quality_warnings(found: Sequence[Quality], people: frozenset[str] = frozenset()) -> list[str]:
    """All warnings, each with the model that it is about where there are several."""
    named = len(found) > 1
    return [f"{_about(quality, named)}{warning}" for quality in found for warning in _warnings(quality, people)]


def _warnings(quality: Quality, people: frozenset[str]) -> list[str]:
    """Of ratings those that can be about people, and in their words."""
    if quality.facts["model"] not in people:
        return list(quality.warnings)
    return [
        re.sub(r"corrected −?[\d.]+ and \d+%, ", "", of_people(warning)).replace(
            "The correction leaves most of it: edges between corrected scores", "Edges between the scores"
        )
        for warning in quality.warnings
        if concerns_people(warning)
    ]


def _of_people(table: Table) -> Table:
    """Ratings have no correction: what was corrected is what it was."""
    rows = [row for row in table.rows if row[0] != "corrected"]
    caption = of_people(table.caption).replace(" corrected scores", " scores")
    return replace(table, caption=caption.replace(", before and after correction", ""), rows=rows)


def describe_quality(found: Sequence[Quality], people: frozenset[str] = frozenset()) -> str:
    """Whether the scales can be relied on, in a few sentences."""
    sentences = []
    for quality in found:
        known = quality.values.dropna(subset="alpha")
        if known.empty:
            sentences.append(f"{_about(quality, len(found) > 1)}The reliability of these scores cannot be had.")
            continue
        low = int((known["alpha"] < LOW_ALPHA).sum())
        middle = f"{known['alpha'].median():.2f}".replace("-", "−")
        reach = "all reach" if not low else "none reaches" if low == len(known) else f"{len(known) - low} reach"
        text = f"Cronbach’s α of {count(len(known), 'scale')} has the median {middle}; {reach} {LOW_ALPHA:g}."
        if low == len(known):
            text += " Correlations between values this poorly measured say little."
        broken = list(quality.edits.loc[quality.edits["broken"], "edit"])
        if broken:
            text += f" {listed(f'“{edit}”' for edit in dict.fromkeys(broken))} broke the model."
        if told := _warnings(quality, people):
            text += f" {count(len(told), 'objection')}: see “How good the answers are”."
        sentences.append(f"{_about(quality, len(found) > 1)}{text}")
    return " ".join(sentences)


def _reliability_table(quality: Quality, about: str) -> Table:
    several = quality.values["mode"].nunique() > 1
    optional = [
        (name, column) for name, column in (("retest", "retest"), ("wordings", "wording"))
        if quality.values[column].notna().any()
    ]  # fmt: skip
    rows = []
    for _, table in series_of(quality, False):
        order = schwartz_order(table["value"]) or list(table["value"])
        for row in table.set_index("value", drop=False).loc[order].to_dict("records"):
            rows.append(
                (
                    row["value"],
                    *([row["mode"]] if several else []),
                    str(row["items"]),
                    _span(row["alpha"], row["alpha_low"], row["alpha_high"]),
                    _two(row["split_half"]),
                    _two(row["icc"]),
                    *(_two(row[column]) for _, column in optional),
                    percent(row["saturated"]),
                    f"{row['valid']:.1%}",
                )
            )
    heads = (
        "value", *(["mode"] if several else []), "items", f"α [{level(quality.facts)}]", "split-half", "ICC",
        *(name for name, _ in optional), "saturated", "valid",
    )  # fmt: skip
    under = f" under “{quality.facts['edit']}”" if quality.facts["edit"] else ""
    who = count(quality.facts["personas"], "persona")
    caption = f"{about}Reliability of the {quality.facts['score']} scores of {who}{under}"
    caption += " (ICC: share of the variance of an item that lies between personas)"
    first = 2 if several else 1
    return Table(caption, heads, rows, tuple(range(first, len(heads))))


def _bias_table(quality: Quality, about: str) -> Table:
    columns = [column for column in _BIAS if quality.bias[column].notna().any()]
    ordered = quality.bias["order_effect"].notna().any()
    several = quality.bias["mode"].nunique() > 1
    rows = []
    for row in quality.bias.to_dict("records"):
        cells = [_two(row[column]) for column in columns]
        if ordered:
            cells.append(_span(row["order_effect"], row["order_low"], row["order_high"]))
        rows.append((row["edit"] or "none", *([row["mode"]] if several else []), *cells))
    heads = ("edit", *(["mode"] if several else []), *(_BIAS[column] for column in columns))
    heads += (f"order [{level(quality.facts)}]",) if ordered else ()
    caption = f"{about}Bias towards yes: mean p(yes) by what was asked (content-free and nonsense: 0.50 is none)"
    caption += "; ±: standard deviation between wordings" if "paraphrase_spread" in columns else ""
    caption += "; order: “yes or no” first, less “no or yes” first" if ordered else ""
    return Table(caption, heads, rows, tuple(range(2 if several else 1, len(heads))))


def _factor_table(quality: Quality, about: str) -> Table:
    several = quality.factor["mode"].nunique() > 1
    rows = [
        (
            row["score"], *([row["mode"]] if several else []), _two(row["mean_correlation"]),
            _two(row["mean_absolute"]), percent(row["first_component"]),
        )
        for row in quality.factor.to_dict("records")
    ]  # fmt: skip
    heads = ("score", *(["mode"] if several else []), "mean correlation", "mean |correlation|", "first component")
    caption = f"{about}How much all values move together over personas, before and after correction"
    return Table(caption, heads, rows, tuple(range(2 if several else 1, len(heads))))


def _convergent_table(quality: Quality, about: str) -> Table:
    pairs = quality.convergent[["mode_a", "mode_b"]].drop_duplicates()
    several = len(pairs) > 1
    rows = [
        (
            row["value"],
            *([f"{row['mode_a']}, {row['mode_b']}"] if several else []),
            _span(row["correlation"], row["low"], row["high"]),
            _two(row["disattenuated"]),
            _two(row["other_modes"]),
            percent(row["above_other_modes"]),
            percent(row["above_other_values"]),
        )
        for row in quality.convergent.to_dict("records")
    ]
    itself = f"with itself [{level(quality.facts)}]"
    heads = (
        "value", *(["modes"] if several else []), itself, "without error", "with others", "above them",
        "above own mode",
    )  # fmt: skip
    modes = listed(dict.fromkeys(pairs.to_numpy().ravel()))
    caption = (
        f"{about}Agreement of {modes} over personas: correlation of each value with itself in the other mode, the same "
        "freed of unreliability, the mean with other values in the other mode, and the share of correlations with "
        "other values, there and in its own mode, that are lower"
    )
    return Table(caption, heads, rows, tuple(range(2 if several else 1, len(heads))))


def _broken_table(quality: Quality, about: str) -> Table:
    broken = quality.edits[quality.edits["broken"]]
    columns: dict[str, Callable[[Any], str]] = {
        "edit": str, "mode": str, "answers": "{:,}".format, "valid": percent, "perplexity_ratio": _two, "reason": str,
    }  # fmt: skip
    rows = [tuple(write(row[name]) for name, write in columns.items()) for row in broken.to_dict("records")]
    heads = ("edit", "mode", "answers", "valid", "perplexity ratio", "why it is broken")
    return Table(f"{about}Edits that broke the model", heads, rows, (2, 3, 4))


def _about(quality: Quality, named: bool) -> str:
    return f"{quality.facts['model']}: " if named else ""


def _span(x: float, low: float, high: float) -> str:
    return f"{_two(x)} [{_two(low)}, {_two(high)}]" if np.isfinite([low, high]).all() else _two(x)


def _two(x: float) -> str:
    return "–" if pd.isna(x) else f"{round(x, 2) + 0:.2f}".replace("-", "−")  # adding 0 turns −0 into 0
