"""The tables of a prediction benchmark, with intervals and p-values."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from pyvalue.evaluation.benchmark_compared import Compared
from pyvalue.evaluation.benchmark_result import METRICS
from pyvalue.evaluation.benchmark_strata import Stratum
from pyvalue.evaluation.benchmark_sums import VALUES, Draws, Metric

Floats = npt.NDArray[np.float64]


def metric_table(
    names: Sequence[str], found: dict[str, list[dict[str, Metric]]], facts: Mapping[str, Any], compared: Compared
) -> pd.DataFrame:
    rows = []
    signed = compared.signed_rivals()
    for level, made in found.items():
        ranked = compared.rivals([float(one["AUROC"].plain[0]) for one in made])
        for metric in METRICS:
            for k, (name, one) in enumerate(zip(names, made, strict=True)):
                if metric not in one:
                    continue
                rival = (signed if metric in VALUES else ranked)[k]
                known = {
                    "knows_items": compared.knows[k],
                    "is_baseline": compared.baseline[k],
                    "compared_with": "" if rival is None else names[rival],
                }
                row = {"predictor": name, "level": level, "metric": metric, **known}
                rows.append({**row, **_numbers(one[metric], metric, facts)})
    return pd.DataFrame(rows)


def _numbers(one: Metric, metric: str, facts: Mapping[str, Any]) -> dict[str, float]:
    from scipy.special import stdtr, stdtrit

    units = {"": facts["personas"], "wide_": min(facts["personas"], facts["edits"])}
    estimate = float(one.plain[0])
    gap = estimate - float(one.of_baseline[0])
    ends = (0.0, math.inf if metric == "width" else 1.0)
    own: dict[str, float] = {"estimate": estimate}
    less: dict[str, float] = {"difference": gap, "difference_p": math.nan}
    for name, draws, other in (("", one.plain, one.of_baseline), ("wide_", one.wide, one.of_baseline_wide)):
        free = units[name] - 1
        t = float(stdtrit(free, (1 + facts["confidence"]) / 2)) if free > 0 else math.nan
        half = t * _deviation(draws[1:], units[name])
        own[f"{name}low"], own[f"{name}high"] = (float(np.clip(estimate + s * half, *ends)) for s in (-1, 1))
        error = _deviation(draws[1:] - other[1:], units[name])
        less[f"difference_{name}low"], less[f"difference_{name}high"] = gap - t * error, gap + t * error
        if name and error > 0:
            less["difference_p"] = float(2 * stdtr(free, -abs(gap) / error))
    return {**own, "p": _p(one, facts), **less, "cells": one.cells, "events": one.events}


def _deviation(draws: Floats, n: int) -> float:
    """Standard deviation of bootstrap draws of n units, which is too small by the root of (n - 1) / n."""
    known = draws[np.isfinite(draws)]
    if n < 2 or len(known) < 2:
        return math.nan
    return float(known.std(ddof=1) * math.sqrt(n / (n - 1)))


def _p(one: Metric, facts: Mapping[str, Any]) -> float:
    if one.null is None or not np.isfinite(one.plain[0]):
        return math.nan
    null = one.null[np.isfinite(one.null)]
    above = int((null >= one.plain[0] - 1e-12).sum())
    if facts["exact"]:  # the data themselves are among the permutations
        return above / len(null) if len(null) else math.nan
    return (1 + above) / (1 + len(null))


def per_edit_table(
    names: Sequence[str], found: dict[str, list[dict[str, Metric]]], strata: Sequence[Stratum],
    values: Sequence[str], draws: Draws,
) -> pd.DataFrame:  # fmt: skip
    rows = []
    for edit in dict.fromkeys(s.edit for s in strata):
        own = [i for i, s in enumerate(strata) if s.edit == edit]
        targets = list(dict.fromkeys(values[strata[i].target] for i in own if strata[i].target >= 0))
        change = np.array([strata[i].known for i in own])
        shares = {"edit": _moved_share(strata, own, draws), "row": _changed_share(strata, own, draws.threshold)}
        for level, made in found.items():
            for name, metrics in zip(names, made, strict=True):
                rows.append(
                    {
                        "level": level,
                        "edit": edit,
                        "target": " or ".join(targets),
                        "change": float(change[np.isfinite(change)].mean()) if np.isfinite(change).any() else math.nan,
                        "moved": shares[level],
                        "predictor": name,
                        **{m: _mean(metrics[m].by_stratum[own]) for m in ("AUROC", "sign accuracy")},
                    }
                )
    return pd.DataFrame(rows)


def _moved_share(strata: Sequence[Stratum], own: Sequence[int], draws: Draws) -> float:
    return _mean(np.concatenate([strata[i].edit_outcomes(draws.personas[:1], draws.confidence)[0][0] for i in own]))


def _changed_share(strata: Sequence[Stratum], own: Sequence[int], threshold: float) -> float:
    hits, misses = (sum(float(strata[i].row_counts(threshold)[k].sum()) for i in own) for k in (0, 1))
    return hits / (hits + misses) if hits + misses else math.nan


def _mean(x: Floats) -> float:
    known = x[np.isfinite(x)]
    return float(known.mean()) if len(known) else math.nan
