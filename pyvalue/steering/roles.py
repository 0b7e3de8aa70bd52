"""Which roles to play: the personas under which the model already scores as wanted. Needs no model, only answers.

A role's figures are one persona's deviations from the mean of all. The largest of many deviations is large by chance,
too: where single questions are known, how much of it is chance is told by ``roles_noise``, and taken off.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from pyvalue.responses import Responses, Score
from pyvalue.steering.roles_noise import lasting_shares
from pyvalue.wide_scores import NO_PERSONA, score_rows


def rank_roles(
    base: Any, target: Mapping[str, int], keep: Sequence[str] = (), *, score: Score = "corrected", seed: int = 0
) -> pd.DataFrame:
    """Personas by how far their unedited answers lie in the wanted direction, and how far off on what should stay.

    With ``Responses``, gain and leakage are what is expected of other questions of the same kind: a deviation times the
    share of the personas' variance that is not noise of the questions (empirical Bayes; Efron & Morris 1975), which
    takes off what the best of many owes to chance. Tables of scores do not tell this share: there they are as answered,
    and the best role's gain is too large.

    Args:
        base: answers without edits; see ``pyvalue.wide_scores.score_rows``. Rows under edits are not looked at.
        target: value -> +1 (raise) or -1 (lower).
        keep: values that should stay; default all but the target's.
        score: of ``Responses``; see ``Responses.answers``.
        seed: of the halves of items.

    Returns:
        Columns ``persona``, ``gain`` (mean over the target's values of sign * (score - mean over personas)),
        ``leakage`` (root mean square over the kept values of score - mean over personas, per unit of gain; missing
        where the gain is not above 0 or no kept value was asked about), ``observed`` (the gain as answered),
        ``reliability`` (the share that ``gain`` is of it; missing where it cannot be told) and one column a target
        value with its score, the largest gain first. Rows without a persona count in the means, but are no role.

    Raises:
        ValueError: a target value was not asked about, or there are no unedited answers.
    """
    matrix = unedited_rows(base, score)
    missing = [value for value in target if value not in matrix.columns]
    if missing or matrix.empty:
        raise ValueError(f"base: has no unedited answers on {', '.join(missing) or 'any value'}")
    kept = [value for value in keep or matrix.columns if value in matrix.columns and value not in target]
    # What is judged: the target's mean in the wanted direction, and every kept value.
    weights = pd.DataFrame({"gain": pd.Series(target) / len(target), **{v: pd.Series({v: 1.0}) for v in kept}}).fillna(
        0
    )
    off = _deviations(matrix, weights)
    answers = base.only(edit="") if isinstance(base, Responses) else None
    share = lasting_shares(answers, lambda half: _deviations(half, weights), off, score, seed)
    gain = off["gain"] * (1.0 if np.isnan(share["gain"]) else share["gain"])
    lasting = share[kept].fillna(1.0)
    # Of a deviation that is noisy, the share is expected, and as much besides as noise leaves open.
    open_ = lasting * (1 - lasting) * off[kept].var()
    stray = np.sqrt(((off[kept] * lasting) ** 2 + open_).mean(axis=1))
    table = matrix[list(target)].assign(
        gain=gain, leakage=(stray / gain).where(gain > 0), observed=off["gain"], reliability=share["gain"]
    )
    table = table.droplevel("edit").reset_index()
    table = table[["persona", "gain", "leakage", "observed", "reliability", *target]]
    table = table[~table["persona"].isin(["", NO_PERSONA])]
    return table.sort_values(["gain", "observed"], ascending=False, kind="stable", ignore_index=True)


def unedited_rows(base: Any, score: Score = "corrected") -> pd.DataFrame:
    """Rows (edit, persona) by values of the answers without an edit; empty where there are none."""
    if isinstance(base, Responses):
        return base.only(edit="").matrix(score)
    rows = score_rows(base, score)
    return rows[rows.index.get_level_values("edit") == ""]


def _deviations(matrix: pd.DataFrame, weights: pd.DataFrame) -> pd.DataFrame:
    """Weighted sums of every row's deviations from the mean, one column a sum; a missing score makes it missing."""
    off = (matrix - matrix.mean()).reindex(columns=weights.index)
    # 0 times a missing score would be missing, too.
    found = {name: off.loc[:, own != 0].mul(own[own != 0]).sum(axis=1, skipna=False) for name, own in weights.items()}
    return pd.DataFrame(found, index=matrix.index)
