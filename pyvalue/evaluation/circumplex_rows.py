"""Rows of basic values, ready to be compared with the circle: which columns, which rows, and taken about whose mean.

Shared by ``circumplex`` and ``priorities``. It says what it left out, and computes nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pyvalue.evaluation.ess import SurveyValues
from pyvalue.responses import Score
from pyvalue.schwartz_circle import basic_value, circle_order
from pyvalue.wide_scores import score_rows

Floats = NDArray[np.float64]
#: a column varies if its scores differ by more than this
_TOLERANCE = 1e-12
_FEWEST = 3


@dataclass(frozen=True)
class CircleRows:
    """Complete rows of the basic values, sorted by persona so that no result depends on the order of the source.

    Attributes:
        names: the d basic values, as ``CIRCLE`` spells them and in its order.
        scores: (n, d).
        persona: (n,) code of every row's persona, 0 .. personas - 1.
        labels: of the personas, by code.
        weights: (n,) of the rows; 1 where none were given.
        left_out: column or "rows" -> why it is not in ``scores``.
    """

    names: tuple[str, ...]
    scores: Floats = field(repr=False)
    persona: NDArray[np.intp] = field(repr=False)
    labels: tuple[str, ...] = field(repr=False)
    weights: Floats = field(repr=False)
    left_out: Mapping[str, str]

    @property
    def personas(self) -> int:
        """How many different personas the rows are of."""
        return int(self.persona.max(initial=-1)) + 1


def circle_rows(
    source: Any, score: Score = "corrected", *, edit: str | None = "", centre: bool = True, means: bool = False
) -> CircleRows:
    """The rows of the basic values.

    Args:
        source: what ``score_rows`` takes, or what ``load_ess`` gives, whose weights are used.
        score: of ``Responses``.
        edit: label of the edit whose rows are taken; "" for unsteered ones, None for all rows.
        centre: whether to take every row's mean over its basic values off, the correction for the use of the response
            scale that Schwartz (1992) prescribes. Correlations of raw scores mostly show who says yes to everything.
        means: whether only means are wanted: then values that do not vary stay, and one row is enough instead of 3.

    Raises:
        ValueError: there are fewer than 3 basic values, or too few complete rows; the message says which.
    """
    survey = isinstance(source, SurveyValues)
    rows = source.rows if survey else score_rows(source, score)
    if edit is not None:
        rows = rows[rows.index.get_level_values("edit") == edit]
        if not len(rows):
            raise ValueError(f"edit: the source has no rows under the edit {edit!r}; None takes all rows")
    found, left_out = _columns(rows, means)
    rows = rows[list(found)].set_axis(list(found.values()), axis=1)
    complete = rows.notna().all(axis=1).to_numpy()
    if not complete.all():
        left_out["rows"] = f"{int((~complete).sum())} of {len(rows)} rows lack a score of a basic value"
    if complete.sum() < (1 if means else 3):
        raise ValueError(
            f"source: expected at least {1 if means else 3} rows with all of {', '.join(rows.columns)}, got "
            f"{int(complete.sum())} of {len(rows)}; drop the columns with the most holes"
        )
    weights = source.weights.reindex(rows.index).to_numpy(dtype=float) if survey else np.ones(len(rows))
    rows, weights = rows[complete], weights[complete]
    order = np.argsort(rows.index.get_level_values("persona").astype(str).to_numpy(), kind="stable")
    if edit is None:  # several rows a persona: their order within one must not matter either
        order = np.lexsort([rows.index.get_level_values(level).astype(str) for level in ("edit", "persona")])
    rows, weights = rows.iloc[order], weights[order]
    scores = rows.to_numpy(dtype=float)
    if centre:
        scores = scores - scores.mean(axis=1, keepdims=True)
    persona, labels = pd.factorize(rows.index.get_level_values("persona").astype(str))
    return CircleRows(tuple(rows.columns), scores, persona, tuple(labels), weights, left_out)


def _columns(rows: pd.DataFrame, means: bool) -> tuple[dict[Any, str], dict[str, str]]:
    """Column -> basic value in the order of the circle, and column -> why it is left out."""
    left_out: dict[str, str] = {}
    usable = []
    for name in rows.columns:
        column = rows[name].dropna()
        if basic_value(str(name)) is None:
            left_out[str(name)] = "is not one of the ten basic values"
        elif not len(column):
            left_out[str(name)] = "has no scores"
        elif not means and column.max() - column.min() <= _TOLERANCE:
            left_out[str(name)] = "does not vary"
        else:
            usable.append(name)
    found = {name: str(basic_value(name)) for name in circle_order(usable)}
    if len(set(found.values())) < len(found):
        raise ValueError(f"source: two columns are the same basic value: {', '.join(map(str, found))}; drop one")
    if len(found) < _FEWEST:
        why = "; ".join(f"{name} {reason}" for name, reason in left_out.items())
        raise ValueError(
            f"source: expected at least {_FEWEST} of the ten basic values of Schwartz, got {len(found)}"
            f"{' (' + ', '.join(map(str, found)) + ')' if found else ''}. {why or 'No other columns'}. Graphs and "
            f"correlations of other values can be compared with graph_distance and edge_differences"
        )
    return found, left_out
