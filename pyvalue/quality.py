"""How good answers are as measurements: reliability, bias, broken edits, and agreement between modes.

Computes no reliability itself: see ``reliability``, ``agreement``, ``yes_bias``, ``broken_edits``, ``convergence`` and
``common_factor``. ``quality_warnings`` puts in words what a psychometrician would object to.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any, get_args

import numpy as np
import pandas as pd

from pyvalue.agreement import effective_n
from pyvalue.broken_edits import MAX_PERPLEXITY_RATIO, MIN_VALID_RATIO, edit_table
from pyvalue.common_factor import common_factor
from pyvalue.convergence import convergent_table, multitrait_matrix
from pyvalue.plotted import Plotted
from pyvalue.quality_warnings import warnings_of
from pyvalue.reliability import saturated_share
from pyvalue.responses import IDENTITY, MIN_SHARE, Responses, Score
from pyvalue.table_checks import check_distinct
from pyvalue.value_means import below_share
from pyvalue.value_quality import MIN_ITEM_SHARE, VALUE_COLUMNS, value_row
from pyvalue.yes_bias import bias_table, uncorrected


@dataclass(frozen=True)
class Quality(Plotted):
    """How good answers are as measurements.

    Attributes:
        values: one row a mode and value, of the answers under ``facts["edit"]``. ``items`` used, ``personas``;
            ``alpha, alpha_low, alpha_high`` (Cronbach), ``omega``, ``split_half``; ``icc, icc_low, icc_high``:
            ICC(2,1), share of the variance of one item's score that lies between personas, from the ``icc_personas``
            who have all items; ``retest, retest_low, retest_high``: ICC(3,1) of repeats; ``wording, wording_low,
            wording_high``: ICC(2,1) of wordings; both over the questions that a persona answered each time;
            ``order_effect, order_low, order_high``: p_yes under "yes or no" less that under "no or yes", whatever the
            keying; ``plus_minus``: mean score of the items keyed + less that of the items keyed -, which a bias
            towards yes raises, and so do items keyed - that are harder to say no to than those keyed + to say yes to;
            ``lowest_item_rest``: the lowest correlation of an item with the others, and ``lowest_item``;
            ``saturated``: share of p_yes at most 0.01 or at least 0.99 (score mode); ``valid`` share of answers;
            ``incomplete``: personas whose score rests on fewer questions than they were asked; ``too_few``: personas
            without a score since they answered under half; ``effective_n``: independent rows that those of all working
            edits are worth to a mean, since the rows of one persona repeat each other; ``reason``: why ``alpha`` is
            missing.
        bias: bias towards yes, one row an edit and mode; see ``pyvalue.yes_bias.bias_table``.
        edits: what every edit did; see ``pyvalue.broken_edits.edit_table``.
        factor: one row a mode and kind of score: how much all values move together over personas; see
            ``pyvalue.common_factor``.
        convergent: agreement between modes; see ``pyvalue.convergence.convergent_table``. Empty with one mode.
        multitrait: correlations of all values in all modes, α on the diagonal. Empty with one mode.
        warnings: what to object to, in sentences.
        facts: ``uncorrected``: mode -> reason -> valid answers without a corrected score; ``saturated_items``: mode ->
            content-free items at the end of their range for most personas; model, edit, score, modes, confidence,
            thresholds, and how missing answers were treated.
    """

    values: pd.DataFrame = field(repr=False)
    bias: pd.DataFrame = field(repr=False)
    edits: pd.DataFrame = field(repr=False)
    factor: pd.DataFrame = field(repr=False)
    convergent: pd.DataFrame = field(repr=False)
    multitrait: pd.DataFrame = field(repr=False)
    warnings: tuple[str, ...] = ()
    facts: dict[str, Any] = field(default_factory=dict, repr=False)

    @property
    def summary(self) -> str:
        """The figures in a sentence or two."""
        known = self.values.dropna(subset="alpha")
        valid = float(np.average(self.edits["valid"], weights=self.edits["answers"])) if len(self.edits) else math.nan
        text = f"{valid:.1%} of the answers are valid."
        if known.empty:
            text += " No value's α can be had."
        else:
            low, middle, high = (_number(x) for x in known["alpha"].quantile([0, 0.5, 1]))
            text += f" α of {len(known)} scale{'' if len(known) == 1 else 's'}: {low} to {high}, median {middle}."
        broken = int(self.edits["broken"].sum())
        if broken:
            text += f" {broken} of {len(self.edits)} sets of answers are under an edit that broke the model."
        return text + f" {len(self.warnings)} warning{'' if len(self.warnings) == 1 else 's'}."

    @property
    def broken(self) -> dict[str, str]:
        """Label and reason of every edit that broke the model."""
        found = self.edits[self.edits["broken"]]
        return dict(zip(found["edit"], found["reason"], strict=True))

    def to_dict(self) -> dict[str, Any]:
        """JSON-able; missing numbers are null."""
        names = ("values", "bias", "edits", "factor", "convergent")
        tables = {name: _records(getattr(self, name)) for name in names}
        labels = [list(key) for key in self.multitrait.index]
        numbers = [[_plain(x) for x in row] for row in self.multitrait.to_numpy()]
        return {
            **tables,
            "multitrait": {"labels": labels, "correlations": numbers},
            "warnings": list(self.warnings),
            "facts": {key: _plain(value) for key, value in self.facts.items()},
        }

    def __repr__(self) -> str:
        several = self.values["mode"].nunique() > 1
        lines = [f"Quality({self.facts.get('model')}, {self.facts.get('score')} scores): {self.summary}"]
        if len(self.values):
            heads = ["value", "items", "personas", "alpha", "split_half", "icc", "retest", "saturated", "valid"]
            shown = self.values[(["mode"] if several else []) + heads]
            shown = shown.dropna(axis=1, how="all")
            lonely = shown["value"].isin(self.facts.get("one_signed", []))
            shown["value"] = shown["value"].where(~lonely, shown["value"] + " (one-signed)")
            lines.append(shown.to_string(index=False, float_format=_number, na_rep="-"))
        lines += [f"! {warning}" for warning in self.warnings]
        return "\n".join(lines)


def assess(
    responses: Responses,
    score: Score = "corrected",
    *,
    edit: str | None = None,
    confidence: float = 0.95,
    splits: int = 1000,
    seed: int = 0,
    min_valid_ratio: float = MIN_VALID_RATIO,
    max_perplexity_ratio: float = MAX_PERPLEXITY_RATIO,
) -> Quality:
    """How good answers are as measurements.

    A persona's score on an item is its mean over wordings, orders and repeats. Items on which fewer than half of the
    personas have a score are left out; of the others, α and split-half use the covariances of the personas who
    have both items (pairwise), intraclass correlations the personas who have all (listwise).

    Args:
        responses: answers of one model.
        score: what reliability is of; see ``Responses.answers``.
        edit: label of the edit whose answers ``values``, ``factor`` and ``convergent`` are about; default no edit, or
            the first one where nothing was asked without.
        confidence: of the intervals.
        splits: of the items into halves, at most.
        seed: of the splits.
        min_valid_ratio: share of valid answers over that without an edit, below which an edit is broken.
        max_perplexity_ratio: perplexity over that without an edit, above which an edit is broken.

    Raises:
        ValueError: no answers, answers of several models, an answer that comes twice, an unknown score or edit,
            "centred" scores of a single value, or an argument out of range.
    """
    _check(responses, score, edit, confidence)
    edits = edit_table(responses.table, min_valid_ratio, max_perplexity_ratio)
    chosen = edit if edit is not None else "" if "" in responses.edits else responses.edits[0]
    rows: list[dict[str, Any]] = []
    factors: list[dict[str, Any]] = []
    scores: dict[str, pd.DataFrame] = {}
    for mode in dict.fromkeys(responses.only(edit=chosen).table["mode"]):
        of_mode = responses.only(edit=chosen, mode=mode)
        if not of_mode.values:
            continue
        every = responses.only(mode=mode).without_broken(
            min_valid_ratio=min_valid_ratio, max_perplexity_ratio=max_perplexity_ratio
        )
        worth = {
            value: effective_n(column, column.index.get_level_values("persona"))
            for value, column in every.matrix(score).items()
        }
        answers = of_mode.table.assign(scored=of_mode.answers(score))
        scores[mode] = of_mode.matrix(score).droplevel("edit")
        shares = of_mode.answered_share(score)
        few = pd.DataFrame(below_share(shares.to_numpy(), MIN_SHARE), columns=shares.columns)
        some = (shares > 0) & (shares < 1)
        for value in of_mode.values:
            row = value_row(answers[answers["value"] == value], confidence, splits, seed)
            effective = worth[value].value if value in worth else math.nan
            row |= {"too_few": int(few[value].sum()), "incomplete": int(some[value].sum() - few[value].sum())}
            rows.append({"mode": mode, "value": value, **row, "effective_n": effective})
        for kind in get_args(Score):
            if kind == "centred" and len(of_mode.values) < 2:
                continue
            factors.append({"mode": mode, "score": kind, **common_factor(of_mode.matrix(kind))})
    values = pd.DataFrame(rows, columns=["mode", "value", *VALUE_COLUMNS])
    alphas = {(row["mode"], row["value"]): row["alpha"] for row in rows}
    facts = {
        "model": responses.table["model"].iloc[0],
        "edit": chosen,
        "score": score,
        "modes": list(scores),
        "personas": len(responses.only(edit=chosen).personas),
        "content_free": bool((responses.table["keying"] == 0).any()),
        "without_content_free": _without_content_free(responses.table, list(scores)),
        "uncorrected": _uncorrected(responses, chosen),
        "saturated_items": _saturated_items(responses.only(edit=chosen).table),
        "one_signed": _one_signed(responses.table),
        "confidence": confidence,
        "splits": splits,
        "seed": seed,
        "min_valid_ratio": min_valid_ratio,
        "max_perplexity_ratio": max_perplexity_ratio,
        "missing": f"items scored for under {MIN_ITEM_SHARE:.0%} of the personas left out; then pairwise for alpha, "
        "omega and split-half, listwise for intraclass correlations",
    }
    several = len(scores) > 1
    quality = Quality(
        values,
        bias_table(responses.table, confidence),
        edits,
        pd.DataFrame(factors, columns=_FACTOR_COLUMNS),
        convergent_table(scores if several else {}, alphas, confidence),
        multitrait_matrix(scores if several else {}, alphas),
        facts=facts,
    )
    return replace(quality, warnings=warnings_of(quality))


_FACTOR_COLUMNS = ["mode", "score", "values", "rows", "mean_correlation", "mean_absolute", "first_component"]


def _without_content_free(table: pd.DataFrame, modes: list[str]) -> list[str]:
    having = set(table.loc[table["keying"] == 0, "mode"])
    return [mode for mode in modes if mode not in having]


def _uncorrected(responses: Responses, edit: str) -> dict[str, dict[str, int]]:
    """Mode -> reason -> valid answers under an edit that have no corrected score; asked of all answers at once."""
    table = responses.table.assign(reason=uncorrected(responses.table))
    lost = table[(table["edit"] == edit) & (table["reason"] != "")]
    counts = lost.groupby("mode", sort=False)["reason"].value_counts()
    found: dict[str, dict[str, int]] = {}
    for (mode, reason), count in counts.items():
        found.setdefault(str(mode), {})[str(reason)] = int(count)
    return found


def _saturated_items(table: pd.DataFrame) -> dict[str, list[str]]:
    """Content-free and nonsense items whose probability is at the end of its range for most personas, by mode."""
    free = table[(table["keying"] == 0) & (table["mode"] == "score")]
    share = free.groupby("item", sort=False)["p_yes"].agg(saturated_share)
    items = [str(item) for item in share[share > 0.5].index]
    return {"score": items} if items else {}


def _one_signed(table: pd.DataFrame) -> list[str]:
    keyed = table[table["keying"] != 0]
    signs = keyed.groupby("value", sort=False)["keying"].nunique()
    return list(signs[signs < 2].index)


def _check(responses: Responses, score: str, edit: str | None, confidence: float) -> None:
    if score not in get_args(Score):
        raise ValueError(f"score: expected 'raw', 'corrected', 'centred' or 'ipsatised', got {score!r}")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence: expected a number between 0 and 1, got {confidence}")
    if responses.table.empty:
        raise ValueError("responses: expected answers, got an empty table")
    check_distinct(responses.table, IDENTITY, "responses")
    models = list(dict.fromkeys(responses.table["model"]))
    if len(models) > 1:
        raise ValueError(f"responses: expected answers of one model, got {', '.join(models)}; assess each alone")
    if edit is not None and edit not in responses.edits:
        raise ValueError(f"edit: expected one of {', '.join(map(repr, responses.edits))}, got {edit!r}")


def _number(x: float) -> str:
    return f"{x:.2f}" if math.isfinite(x) else "-"


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(key): _plain(value) for key, value in row.items()} for row in table.to_dict("records")]
