"""Dose and response: how target and side effects grow with the strength of one edit, and where it collapses.

Works from answers, tables of scores and sweeps of texts. Asks no model, and finds no strength by search.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pyvalue.atomic_files import write_json
from pyvalue.evaluation.dose_response_curve import Floats, from_zero, half_maximum, rank_correlation
from pyvalue.evaluation.dose_response_source import Doses, TextScores, read_doses
from pyvalue.plotted import Plotted
from pyvalue.responses import Score

#: personas (or prompts) below which nothing has an interval
MIN_PAIRS = 3
#: what the two rows that are no single values are called
TARGET, OTHERS = "target", "all others"


@dataclass(frozen=True)
class DoseResponse(Plotted):
    """Effects at growing strengths of one edit.

    Attributes:
        summary: one row an effect: ``"target"`` (mean over the target's values, in the wanted direction),
            ``"all others"`` (root mean square of the other values' changes, noise taken out) and every other value (in
            the direction in which the strongest working edit moves it, ``direction``). ``rank``: Spearman's correlation
            of mean effect and strength, no edit included, with its interval; ``monotone_to``: last strength up to which
            the effect nowhere falls by more than noise; ``largest``: of the monotone fit; ``half``: strength of half of
            it, with its interval, missing where no strength has an effect above 0 by more than noise; ``collapse``:
            first strength at which the model is broken or the effect falls back from an earlier one, with ``reason``.
        curve: one row an effect and strength: ``mean, low, high`` over personas (Student's t; of ``"all others"``
            percentiles of the resamples), ``fitted`` (monotone), ``broken``.
        target: value -> +1 or -1.
        facts: ``personas`` (prompts, of texts), ``resamples``, ``confidence``, ``seed``, ``broken`` (strength ->
            reason), ``sign`` of the strengths.
    """

    summary: pd.DataFrame
    curve: pd.DataFrame = field(repr=False)
    target: Mapping[str, int]
    facts: dict[str, Any] = field(default_factory=dict, repr=False)

    def of(self, effect: str = TARGET) -> dict[str, Any]:
        """One row of the summary."""
        rows = self.summary[self.summary["effect"] == effect]
        if rows.empty:
            raise ValueError(f"effect: expected one of {', '.join(self.summary['effect'])}, got {effect!r}")
        return {str(name): value for name, value in rows.iloc[0].items()}

    def to_dict(self) -> dict[str, Any]:
        """JSON-able; missing numbers are null."""
        tables = {
            name: json.loads(getattr(self, name).to_json(orient="records", double_precision=15))
            for name in ("summary", "curve")
        }
        return {"target": dict(self.target), **tables, "facts": self.facts}

    def save(self, path: str | Path) -> Path:
        """Write JSON, whole or not at all."""
        write_json(path, self.to_dict())
        return Path(path)

    def __str__(self) -> str:
        named = ", ".join(("+" if sign > 0 else "-") + value for value, sign in self.target.items())
        count = f"{self.facts['personas']} {self.facts['unit']}"
        head = f"Dose-response of {named}: {count}, {self.facts['resamples']} resamples"
        shown = self.summary.drop(columns=["direction", "reason"])
        lines = [head, shown.to_string(index=False, float_format="{:z.3f}".format, na_rep="-")]
        lines += [f"broken at {strength}: {reason}" for strength, reason in self.facts["broken"].items()]
        found = dict(zip(self.summary["effect"], self.summary["reason"], strict=True))
        lines += [f"{effect}: {reason}" for effect, reason in found.items() if reason.startswith("falls")]
        return "\n".join(lines)


def dose_response(
    source: Any,
    target: Mapping[str, int],
    *,
    strengths: Mapping[str, float] | None = None,
    text_scores: TextScores | None = None,
    score: Score = "corrected",
    resamples: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> DoseResponse:
    """How effects grow with strength.

    Mean effects are fitted by a curve that never falls (isotonic regression), from 0 at no edit, so that it is 0 where
    an effect goes the wrong way. Strengths at which the model is broken are in no fit. Personas are resampled whole,
    with all their strengths. Falls are paired differences between two strengths, tested at a level divided by the
    number of strengths (Bonferroni).

    Args:
        source: ``Responses`` or what ``score_rows`` takes, with unedited rows and one edit at two strengths or more; or
            a ``SweepResult``.
        target: value (of a sweep: name of a text score) -> +1 or -1.
        strengths: label -> strength; default as the study's facts or a sweep's have it, where every label has one edit.
            All of one sign; their size counts.
        text_scores: of a sweep: name -> function of a text.
        score: of ``Responses``.
        resamples: of personas.
        confidence: of the intervals, in (0, 1).
        seed: of the resamples.

    Raises:
        ValueError: fewer than 2 strengths, strengths of both signs or twice the same, an unknown label or target, a
            number out of its range, or all are broken.
        TypeError: ``target`` or ``strengths`` is no mapping.
    """
    if not 0 < confidence < 1:
        raise ValueError(f"confidence: expected a number between 0 and 1, got {confidence}")
    for name, number, least in (("resamples", resamples, 1), ("seed", seed, 0)):
        if not isinstance(number, Integral) or isinstance(number, bool) or number < least:
            raise ValueError(f"{name}: expected a whole number of at least {least}, got {number!r}")
    if not isinstance(target, Mapping):
        raise TypeError(f'target: expected a mapping of values to +1 or -1, such as {{"Power": 1}}, got {target!r}')
    if strengths is not None and not isinstance(strengths, Mapping):
        raise TypeError(f"strengths: expected a mapping of labels to strengths, got {strengths!r}")
    doses = read_doses(source, strengths, text_scores, score)
    _check_target(target, doses)
    # (strengths, personas, effects), no edit first; whoever lacks a strength of an effect has no curve of it.
    values = [value for value in doses.values if value not in target]
    sign = np.array([target[value] for value in target], dtype=float)
    gain = (doses.change[:, :, [doses.values.index(value) for value in target]] * sign).mean(axis=2, keepdims=True)
    others = doses.change[:, :, [doses.values.index(value) for value in values]]
    turned = np.sign(_means(others, np.ones((1, others.shape[1])))[0][-1])
    cube = np.concatenate([gain, others * turned], axis=2)
    cube[:, ~np.isfinite(cube).all(axis=0)] = np.nan
    random = np.random.default_rng(seed)
    people = cube.shape[1]
    weights = random.multinomial(people, np.full(people, 1 / people), size=resamples).astype(float)
    every = np.concatenate([np.ones((1, people)), weights])
    means = _means(cube, every)
    curves = np.concatenate([means, _others(cube[:, :, 1:], every)[..., None]], axis=2) if values else means
    names = [TARGET, *values, *([OTHERS] if values else [])]
    order = [0, *([len(names) - 1] if values else []), *range(1, 1 + len(values))]
    summary, tables = [], []
    for k in order:
        paired = cube[:, :, k] if k < cube.shape[2] else None
        row, table = _of_effect(names[k], curves[:, :, k], paired, doses, confidence)
        row["direction"] = float(turned[k - 1]) if 0 < k < cube.shape[2] else 1.0
        summary.append(row)
        tables.append(table)
    facts = {
        "personas": people, "unit": doses.unit, "resamples": resamples, "confidence": confidence, "seed": seed,
        "sign": doses.sign, "broken": {f"{strength:g}": reason for strength, reason in doses.broken.items()},
    }  # fmt: skip
    return DoseResponse(pd.DataFrame(summary), pd.concat(tables, ignore_index=True), dict(target), facts)


def _means(cube: Floats, weights: Floats) -> Floats:
    """(resamples, strengths, effects) means of (strengths, personas, effects) under weights (resamples, personas)."""
    known = np.isfinite(cube)
    total = np.einsum("rp,spv->rsv", weights, np.where(known, cube, 0.0))
    count = np.einsum("rp,spv->rsv", weights, known.astype(float))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(total / count)


def _others(cube: Floats, weights: Floats) -> Floats:
    """(resamples, strengths) signed root of the mean square change of the effects, each less its noise."""
    known = np.isfinite(cube)
    count = np.einsum("rp,spv->rsv", weights, known.astype(float))
    mean = _means(cube, weights)
    square = np.einsum("rp,spv->rsv", weights, np.where(known, cube, 0.0) ** 2)
    with np.errstate(invalid="ignore", divide="ignore"):
        # A resample of m personas spreads by (m - 1) / m less than the population; its mean square has the noise of
        # the sample on top of its own. Both are taken off with the variance of the mean, twice in a resample.
        variance = np.maximum(square / count - mean**2, 0.0) / (count - 1)
        noise = variance * np.where(np.arange(len(weights)) == 0, 1.0, 2.0)[:, None, None]
        left = mean**2 - noise
        found = np.where(np.isfinite(left), left, 0.0).sum(axis=2) / np.isfinite(left).sum(axis=2)
    return np.asarray(np.sign(found) * np.sqrt(np.abs(found)))


def _of_effect(
    name: str, curves: Floats, paired: Floats | None, doses: Doses, confidence: float
) -> tuple[dict[str, Any], pd.DataFrame]:
    """A row of the summary and the rows of the curve; ``curves`` (1 + resamples, strengths), that of all first."""
    strengths = doses.strengths
    n = 0 if paired is None else int(np.isfinite(paired[0]).sum())
    enough = doses.change.shape[1] >= MIN_PAIRS if paired is None else n >= MIN_PAIRS
    low, high, tail = np.full(len(strengths), np.nan), np.full(len(strengths), np.nan), (1 - confidence) / 2
    usable = bool(np.isfinite(curves[0]).all())
    # A resample may hold nobody who has this effect; it says nothing of it.
    again = curves[1:][np.isfinite(curves[1:]).all(axis=1)]
    if enough and usable and len(again):
        low, high = np.quantile(again, [tail, 1 - tail], axis=0) if paired is None else _t_interval(paired, confidence)
    fitted = from_zero(curves[:1])[0] if usable else np.full(len(strengths), np.nan)
    row: dict[str, Any] = {"effect": name, "direction": 1.0}
    row |= dict.fromkeys(
        ("rank", "rank_low", "rank_high", "monotone_to", "largest", "half", "half_low", "half_high"), math.nan
    )
    if usable:
        row["rank"], row["largest"] = float(rank_correlation(strengths, curves[:1])[0]), float(fitted[-1])
        row["half"] = float(half_maximum(strengths, fitted))
    if usable and enough and len(again):
        ranks = rank_correlation(strengths, again)
        if np.isfinite(ranks).any():
            row["rank_low"], row["rank_high"] = np.nanquantile(ranks, [tail, 1 - tail])
        halves = half_maximum(strengths, from_zero(again))
        if _is_there(paired, again, confidence) and np.isfinite(halves).any():
            row["half_low"], row["half_high"] = np.nanquantile(halves, [tail, 1 - tail])
        else:
            row["half"] = math.nan
    falls = _falls(paired, again, confidence) if enough and usable else np.zeros((len(strengths),) * 2, dtype=bool)
    row["monotone_to"] = float(strengths[_monotone(falls)]) if usable else math.nan
    row["collapse"], row["reason"] = _collapse(falls, curves[0], doses)
    table = pd.DataFrame(
        {
            "effect": name,
            "strength": strengths,
            "mean": curves[0],
            "low": low,
            "high": high,
            "fitted": fitted,
            "broken": False,
        }
    )
    gone = pd.DataFrame({"effect": name, "strength": list(doses.broken), "broken": True})
    return row, pd.concat([table, gone], ignore_index=True) if len(gone) else table


def _t_interval(paired: Floats, confidence: float) -> tuple[Floats, Floats]:
    """Of the mean of each row of (s, personas)."""
    from scipy.special import stdtrit

    known = paired[:, np.isfinite(paired).all(axis=0)]
    n = known.shape[1]
    mean = known.mean(axis=1)
    reach = float(stdtrit(n - 1, (1 + confidence) / 2)) * known.std(axis=1, ddof=1) / math.sqrt(n)
    return mean - reach, mean + reach


def _is_there(paired: Floats | None, again: Floats, confidence: float) -> bool:
    """Whether the effect is above 0 by more than noise at one of the strengths, at a level divided by their number."""
    level = 1 - (1 - confidence) / max(1, again.shape[1] - 1)
    if paired is None:
        return bool((np.quantile(again[:, 1:], (1 - level) / 2, axis=0) > 0).any())
    return bool((_t_interval(paired[1:], level)[0] > 0).any())


def _falls(paired: Floats | None, again: Floats, confidence: float) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    """(s, s) whether the effect at the second strength is below that at the first by more than noise."""
    s = again.shape[1] if paired is None else len(paired)
    level = 1 - (1 - confidence) / max(1, s - 1)
    found = np.zeros((s, s), dtype=bool)
    for first in range(s):
        for later in range(first + 1, s):
            if paired is None:
                found[first, later] = np.quantile(again[:, later] - again[:, first], (1 + level) / 2) < 0
            else:
                found[first, later] = _t_interval((paired[later] - paired[first])[None], level)[1][0] < 0
    return found


def _monotone(falls: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> int:
    """Number of the last strength up to which nothing falls."""
    bad = falls.any(axis=0)
    return int(bad.argmax()) - 1 if bad.any() else len(falls) - 1


def _collapse(falls: Any, curve: Floats, doses: Doses) -> tuple[float, str]:
    """First strength at which the model is broken, or the effect is below an earlier one that was above 0."""
    found = [(strength, f"broken at {strength:g}: {reason}") for strength, reason in doses.broken.items()]
    for later in range(len(curve)):
        earlier = [first for first in np.flatnonzero(falls[:, later]) if curve[first] > 0]
        if earlier:
            best = max(earlier, key=lambda first: curve[first])
            at, before = float(doses.strengths[later]), float(doses.strengths[best])
            found.append((at, f"falls back at {at:g}: {curve[later]:+z.3f} after {curve[best]:+z.3f} at {before:g}"))
            break
    return min(found, default=(math.nan, ""))


def _check_target(target: Mapping[str, int], doses: Doses) -> None:
    if not target:
        raise ValueError("target: expected at least one value with +1 or -1, got none")
    if wrong := {value: sign for value, sign in target.items() if sign not in (1, -1)}:
        raise ValueError(f"target: expected +1 or -1 for every value, got {wrong}")
    if missing := [value for value in target if value not in doses.values]:
        raise ValueError(f"target: {', '.join(missing)} not in the source; it has {', '.join(doses.values)}")
