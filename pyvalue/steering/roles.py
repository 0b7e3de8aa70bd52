"""Which roles to play: the personas under which the model already scores as wanted. Needs no model, only answers."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from pyvalue.responses import Responses, Score


def rank_roles(base: Responses, target: Mapping[str, int], *, score: Score = "corrected") -> pd.DataFrame:
    """Personas by how far their unedited answers lie in the wanted direction.

    Args:
        base: answers without edits.
        target: value -> +1 (raise) or -1 (lower).
        score: see ``Responses.answers``.

    Returns:
        Columns ``persona``, ``gain`` (mean over the target's values of sign * (score - mean over personas)) and one
        column a target value with its score, best first.

    Raises:
        ValueError: a target value was not asked about, or there are no unedited answers.
    """
    matrix = base.only(edit="").matrix(score)
    missing = [value for value in target if value not in matrix.columns]
    if missing or matrix.empty:
        raise ValueError(f"base: has no unedited answers on {', '.join(missing) or 'any value'}")
    wanted = matrix[list(target)]
    gain = ((wanted - wanted.mean()) * pd.Series(target)).mean(axis=1)
    table = wanted.assign(gain=gain).droplevel("edit").reset_index()
    return table[["persona", "gain", *target]].sort_values("gain", ascending=False, kind="stable", ignore_index=True)
