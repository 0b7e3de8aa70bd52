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

from pyvalue.agreement import effective_n, icc, retest
from pyvalue.broken_edits import MAX_PERPLEXITY_RATIO, MIN_VALID_RATIO, edit_table
from pyvalue.common_factor import common_factor
from pyvalue.convergence import convergent_table, multitrait_matrix
from pyvalue.quality_warnings import warnings_of
from pyvalue.reliability import Floats, cronbach_alpha, item_rest, omega_total, saturated_share, split_half
from pyvalue.responses import VALID, Responses, Score
from pyvalue.yes_bias import bias_table, order_effect

#: an item that fewer personas answered validly is left out of a value's reliability
MIN_ITEM_SHARE = 0.5


@dataclass(frozen=True)
class Quality:
    """How good answers are as measurements.

    Attributes:
        values: one row a mode and value, of the answers under ``facts["edit"]``. ``items`` used, ``personas``;
            ``alpha, alpha_low, alpha_high`` (Cronbach), ``omega``, ``split_half``; ``icc, icc_low, icc_high``:
            ICC(2,1), share of the variance of one item's score that lies between personas; ``retest, retest_low,
            retest_high``: ICC(3,1) of repeats; ``wording, wording_low, wording_high``: ICC(2,1) of wordings;
            ``order_effect, order_low, order_high``: score under "yes or no" less that under "no or yes";
            ``plus_minus``: mean score of the items keyed + less that of the items keyed -, 0 without a bias towards
            yes; ``lowest_item_rest``: the lowest correlation of an item with the others, and ``lowest_item``;
            ``saturated``: share of p_yes at most 0.01 or at least 0.99 (score mode); ``valid`` share of answers;
            ``effective_n``: independent rows that those of all working edits are worth to a mean, since the rows of one
            persona repeat each other; ``reason``: why ``alpha`` is missing.
        bias: bias towards yes, one row an edit and mode; see ``pyvalue.yes_bias.bias_table``.
        edits: what every edit did; see ``pyvalue.broken_edits.edit_table``.
        factor: one row a mode and kind of score: how much all values move together over personas; see
            ``pyvalue.common_factor``.
        convergent: agreement between modes; see ``pyvalue.convergence.convergent_table``. Empty with one mode.
        multitrait: correlations of all values in all modes, α on the diagonal. Empty with one mode.
        warnings: what to object to, in sentences.
        facts: model, edit, score, modes, confidence, thresholds, and how missing answers were treated.
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

    A persona's score on an item is its mean over wordings, orders and repeats. Items that fewer than half of the
    personas answered validly are left out; of the others, α and split-half use the covariances of the personas who
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
        ValueError: no answers, answers of several models, an unknown score or edit, or an argument out of range.
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
        for value in of_mode.values:
            row = _value_row(answers[answers["value"] == value], confidence, splits, seed)
            effective = worth[value].value if value in worth else math.nan
            rows.append({"mode": mode, "value": value, **row, "effective_n": effective})
        for kind in get_args(Score):
            factors.append({"mode": mode, "score": kind, **common_factor(of_mode.matrix(kind))})
    values = pd.DataFrame(rows, columns=["mode", "value", *_VALUE_COLUMNS])
    alphas = {(row["mode"], row["value"]): row["alpha"] for row in rows}
    facts = {
        "model": responses.table["model"].iloc[0],
        "edit": chosen,
        "score": score,
        "modes": list(scores),
        "personas": len(responses.only(edit=chosen).personas),
        "content_free": bool((responses.table["keying"] == 0).any()),
        "one_signed": _one_signed(responses.table),
        "confidence": confidence,
        "splits": splits,
        "seed": seed,
        "min_valid_ratio": min_valid_ratio,
        "max_perplexity_ratio": max_perplexity_ratio,
        "missing": f"items answered by under {MIN_ITEM_SHARE:.0%} of the personas left out; then pairwise for alpha, "
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


_VALUE_COLUMNS = (
    "items", "items_left_out", "personas", "alpha", "alpha_low", "alpha_high", "omega", "split_half", "icc", "icc_low",
    "icc_high", "retest", "retest_low", "retest_high", "wording", "wording_low", "wording_high", "order_effect",
    "order_low", "order_high", "plus_minus", "lowest_item_rest", "lowest_item", "saturated", "valid", "effective_n",
    "reason",
)  # fmt: skip
_FACTOR_COLUMNS = ["mode", "score", "values", "rows", "mean_correlation", "mean_absolute", "first_component"]


def _value_row(answers: pd.DataFrame, confidence: float, splits: int, seed: int) -> dict[str, Any]:
    """Everything about one value in one mode under one edit."""
    every = answers.pivot_table(index="persona", columns="item", values="scored", aggfunc="mean", dropna=False)
    kept = every.loc[:, every.notna().mean() >= MIN_ITEM_SHARE]
    keying = answers.groupby("item")["keying"].first()[kept.columns]
    items = kept.to_numpy(dtype=float)
    alpha = cronbach_alpha(items, confidence=confidence, missing="pairwise")
    halves = split_half(items, strata=list(keying), splits=splits, seed=seed, missing="pairwise")
    between = icc(items, "2,1", confidence=confidence)
    again = retest(_by(answers, "repeat"), confidence=confidence).consistency
    worded = icc(_by(answers, "wording"), "2,1", confidence=confidence)
    order = order_effect(answers, answers["scored"], confidence)
    by_sign = answers.groupby("keying")["scored"].mean()
    rest = item_rest(items, missing="pairwise")
    lowest = int(np.nanargmin(rest)) if np.isfinite(rest).any() else None
    return {
        "items": items.shape[1],
        "items_left_out": answers["item"].nunique() - items.shape[1],
        "personas": int(kept.notna().any(axis=1).sum()),
        "alpha": alpha.value, "alpha_low": alpha.low, "alpha_high": alpha.high,
        "omega": omega_total(items, missing="pairwise").value,
        "split_half": halves.value,
        "icc": between.value, "icc_low": between.low, "icc_high": between.high,
        "retest": again.value, "retest_low": again.low, "retest_high": again.high,
        "wording": worded.value, "wording_low": worded.low, "wording_high": worded.high,
        "order_effect": order.value, "order_low": order.low, "order_high": order.high,
        "plus_minus": float(by_sign.get(1, math.nan) - by_sign.get(-1, math.nan)),
        "lowest_item_rest": math.nan if lowest is None else float(rest[lowest]),
        "lowest_item": "" if lowest is None else str(kept.columns[lowest]),
        "saturated": saturated_share(answers.loc[answers["mode"] == "score", "p_yes"]),
        "valid": float(answers["status"].isin(VALID).mean()),
        "reason": alpha.reason,
    }  # fmt: skip


def _by(answers: pd.DataFrame, column: str) -> Floats:
    """Mean score, personas by wordings or repeats."""
    wide = answers.pivot_table(index="persona", columns=column, values="scored", aggfunc="mean", dropna=False)
    scores: Floats = wide.to_numpy(dtype=float)
    return scores


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
