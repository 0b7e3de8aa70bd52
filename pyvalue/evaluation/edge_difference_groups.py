"""Two groups of rows, as sums a persona and group, so that groups can be drawn and mixed persona by persona."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pyvalue.evaluation.circumplex_moments import PersonaMoments, persona_moments
from pyvalue.evaluation.ess import SurveyValues
from pyvalue.responses import Score
from pyvalue.wide_scores import score_rows

Floats = NDArray[np.float64]
_TOLERANCE = 1e-12


@dataclass(frozen=True)
class TwoGroups:
    """Complete rows of two groups over common values.

    Attributes:
        names: the d values in common.
        rows: scores (n, d) of either group.
        persona: code of every row's persona, of one numbering of the personas of both.
        weights: of the rows.
        personas: how many there are in all.
        present: (2, personas) whether a persona is in a group.
        left_out: column or "rows of ..." -> why not.
    """

    names: tuple[str, ...]
    rows: tuple[Floats, Floats] = field(repr=False)
    persona: tuple[NDArray[np.intp], NDArray[np.intp]] = field(repr=False)
    weights: tuple[Floats, Floats] = field(repr=False)
    personas: int
    present: NDArray[np.bool_] = field(repr=False)
    left_out: Mapping[str, str]

    @property
    def paired(self) -> int:
        """How many personas are in both groups."""
        return int(self.present.all(axis=0).sum())

    def standardised(self) -> tuple[PersonaMoments, PersonaMoments]:
        """Sums a persona of scores with mean 0 and variance 1 within their group.

        Groups that differ in level or spread alone have the same correlations; without this, a mixture of them would
        not.
        """
        parts = []
        for scores, persona, weights in zip(self.rows, self.persona, self.weights, strict=True):
            centred = scores - np.average(scores, axis=0, weights=weights)
            spread = np.sqrt(np.average(centred**2, axis=0, weights=weights))
            padded = np.append(persona, self.personas - 1)  # so that there are sums of every persona
            moments = persona_moments(
                np.vstack([centred / spread, np.zeros(len(self.names))]), padded, np.append(weights, 0.0)
            )
            parts.append(moments)
        return parts[0], parts[1]


def two_groups(one: Any, other: Any, score: Score, edit: str | None, paired: bool = True) -> TwoGroups:
    """Rows of the values in common.

    Personas are matched by their labels if ``paired``: the same label in both groups is the same persona.

    Raises:
        ValueError: fewer than 2 values in common vary, or a group has fewer than 3 personas.
    """
    tables = [_table(source, score, edit, name) for name, source in (("one", one), ("other", other))]
    names, left_out = _common_values(tables[0][0], tables[1][0])
    scores, labels, weights = [], [], []
    for argument, (table, weight) in zip(("one", "other"), tables, strict=True):
        table = table[names]
        complete = table.notna().all(axis=1).to_numpy()
        if not complete.all():
            left_out[f"rows of {argument}"] = f"{int((~complete).sum())} of {len(table)} lack a score"
        table, own = table[complete], weight[complete]
        order = np.lexsort([table.index.get_level_values(level).astype(str) for level in ("edit", "persona")])
        label = table.index.get_level_values("persona").astype(str).to_numpy()[order]
        if len(set(label)) < 3:
            raise ValueError(f"{argument}: expected complete rows of at least 3 personas, got {len(set(label))}")
        scores.append(table.to_numpy(dtype=float)[order])
        labels.append(label if paired else np.array([f"{argument} {one_label}" for one_label in label]))
        weights.append(own[order])
    everyone = sorted({*labels[0], *labels[1]})
    codes = [np.searchsorted(everyone, label).astype(np.intp) for label in labels]
    present = np.stack([np.isin(np.arange(len(everyone)), code) for code in codes])
    for argument, own_scores in zip(("one", "other"), scores, strict=True):
        flat = [name for name, spread in zip(names, np.ptp(own_scores, axis=0), strict=True) if spread <= _TOLERANCE]
        if flat:
            raise ValueError(f"{argument}: {', '.join(flat)} do not vary over the complete rows; drop them from both")
    return TwoGroups(
        tuple(names),
        (scores[0], scores[1]),
        (codes[0], codes[1]),
        (weights[0], weights[1]),
        len(everyone),
        present,
        left_out,
    )


def _table(source: Any, score: Score, edit: str | None, argument: str) -> tuple[pd.DataFrame, Floats]:
    if isinstance(source, SurveyValues):
        return source.rows, source.weights.to_numpy(dtype=float)
    rows = score_rows(source, score)
    if edit is not None:
        rows = rows[rows.index.get_level_values("edit") == edit]
        if not len(rows):
            raise ValueError(f"{argument}: no rows under the edit {edit!r}; edit=None takes all rows")
    return rows, np.ones(len(rows))


def _common_values(one: pd.DataFrame, other: pd.DataFrame) -> tuple[list[str], dict[str, str]]:
    left_out = {str(name): "is in one only" for name in one.columns if name not in other.columns}
    left_out |= {str(name): "is in the other only" for name in other.columns if name not in one.columns}
    names = []
    for name in one.columns:
        if name not in other.columns:
            continue
        flat = [which for which, table in (("one", one), ("the other", other)) if not _varies(table[name])]
        if flat:
            left_out[str(name)] = f"does not vary in {' and '.join(flat)}"
        else:
            names.append(name)
    if len(names) < 2:
        why = "; ".join(f"{name} {reason}" for name, reason in left_out.items())
        raise ValueError(f"other: expected at least 2 values in common with one, got {len(names)}. {why}")
    return names, left_out


def _varies(column: pd.Series) -> bool:
    known = column.dropna()
    return bool(len(known) and known.max() - known.min() > _TOLERANCE)


def partial_of(correlations: Floats) -> Floats:
    """(B, d, d) partial correlations given all other values; NaN where a matrix has no inverse."""
    d = correlations.shape[-1]
    known = np.isfinite(correlations).all(axis=(1, 2))
    found = np.full(correlations.shape, np.nan)
    usable = np.where(known)[0]
    values = np.linalg.eigvalsh(correlations[usable])
    usable = usable[values[:, 0] > 1e-8]
    if len(usable):
        precision = np.linalg.inv(correlations[usable])
        scale = np.sqrt(np.diagonal(precision, axis1=1, axis2=2))
        found[usable] = -precision / (scale[:, :, None] * scale[:, None, :])
        found[usable[:, None], range(d), range(d)] = 1.0
    return found
