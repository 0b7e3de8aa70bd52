"""Which roles to play: the personas under which the model already scores as wanted. Needs no model, only answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from pyvalue.responses import Responses, Score
from pyvalue.wide_scores import score_rows


def rank_roles(
    base: Any, target: Mapping[str, int], keep: Sequence[str] = (), *, score: Score = "corrected"
) -> pd.DataFrame:
    """Personas by how far their unedited answers lie in the wanted direction, and how far off on what should stay.

    A persona that looks best of many looks better than it is; asked about other questions, expect less than its gain.

    Args:
        base: answers without edits; see ``pyvalue.wide_scores.score_rows``. Rows under edits are not looked at.
        target: value -> +1 (raise) or -1 (lower).
        keep: values that should stay; default all but the target's.
        score: of ``Responses``; see ``Responses.answers``.

    Returns:
        Columns ``persona``, ``gain`` (mean over the target's values of sign * (score - mean over personas)),
        ``leakage`` (root mean square over the kept values of score - mean over personas, per unit of gain; missing
        where the gain is not above 0 or no kept value was asked about) and one column a target value with its score,
        the largest gain first.

    Raises:
        ValueError: a target value was not asked about, or there are no unedited answers.
    """
    matrix = unedited_rows(base, score)
    missing = [value for value in target if value not in matrix.columns]
    if missing or matrix.empty:
        raise ValueError(f"base: has no unedited answers on {', '.join(missing) or 'any value'}")
    off = matrix - matrix.mean()
    gain = (off[list(target)] * pd.Series(target)).mean(axis=1)
    kept = [value for value in keep or matrix.columns if value in matrix.columns and value not in target]
    stray = np.sqrt((off[kept] ** 2).mean(axis=1))
    table = matrix[list(target)].assign(gain=gain, leakage=(stray / gain).where(gain > 0))
    table = table.droplevel("edit").reset_index()[["persona", "gain", "leakage", *target]]
    return table.sort_values("gain", ascending=False, kind="stable", ignore_index=True)


def unedited_rows(base: Any, score: Score = "corrected") -> pd.DataFrame:
    """Rows (edit, persona) by values of the answers without an edit; empty where there are none."""
    if isinstance(base, Responses):
        return base.only(edit="").matrix(score)
    rows = score_rows(base, score)
    return rows[rows.index.get_level_values("edit") == ""]
