"""Checks of what a prediction benchmark is given."""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Real
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from pyvalue.evaluation.held_out import HeldOut, by_edit
from pyvalue.evaluation.predictors import Predictor
from pyvalue.graph import ValueGraph

Floats = npt.NDArray[np.float64]


def check_options(
    graph: Any, folds: Any, permutations: Any, resamples: Any, confidence: Any, threshold: Any, seed: Any
) -> None:
    if graph is not None and not isinstance(graph, ValueGraph):
        raise TypeError(f"graph: expected a ValueGraph (see pyvalue.discover) or None, got {type(graph).__name__}")
    whole = (("folds", folds, 1), ("permutations", permutations, 1), ("resamples", resamples, 2), ("seed", seed, 0))
    for name, given, least in whole:
        if isinstance(given, bool) or not isinstance(given, int | np.integer):
            raise TypeError(f"{name}: expected a whole number, got {given!r}")
        if given < least:
            raise ValueError(f"{name}: expected at least {least}, got {given}")
    for name, number in (("confidence", confidence), ("threshold", threshold)):
        if number is not None and (isinstance(number, bool) or not isinstance(number, Real)):
            raise TypeError(f"{name}: expected a number, got {number!r}")
    if confidence is None or not 0 < confidence < 1:
        raise ValueError(f"confidence: expected a number between 0 and 1, got {confidence}")
    if threshold is not None and not (math.isfinite(threshold) and threshold >= 0):
        raise ValueError(f"threshold: expected a number of at least 0, got {threshold}")


def check_predictors(chosen: Sequence[Any]) -> None:
    if not chosen:
        raise ValueError("predictors: expected at least one, got none")
    for one in chosen:
        if not isinstance(one, Predictor):
            raise TypeError(f"predictors: expected objects with a name and fit(train), got {type(one).__name__}")
    names = [one.name for one in chosen]
    if len(set(names)) < len(names):
        raise ValueError(f"predictors: expected different names, got {', '.join(names)}")


def similarity_table(similarity: Any, values: Sequence[str]) -> Floats:
    if not isinstance(similarity, pd.DataFrame):
        raise TypeError(f"similarity: expected a DataFrame, values by values, got {type(similarity).__name__}")
    similarity = similarity.rename(index=str, columns=str)
    absent = [name for name in values if name not in similarity.index or name not in similarity.columns]
    if absent:
        raise ValueError(f"similarity: expected a row and a column for every value, {', '.join(absent)} is missing")
    return np.asarray(similarity.loc[list(values), list(values)].to_numpy(dtype=float))


def checked_targets(targets: Any, split: HeldOut) -> dict[str, str] | None:
    wanted = by_edit(targets, split.edits, "targets")
    if wanted is None:
        return None
    values = split.folds[0].test.values
    for edit, value in wanted.items():
        if value not in values:
            raise ValueError(f"targets: {value!r} of edit {edit!r} is no value; expected one of {', '.join(values)}")
    return wanted
