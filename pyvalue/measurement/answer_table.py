"""Answers of one persona under one configuration, as rows of ``Responses``."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from pyvalue.measurement.asking import Answer
from pyvalue.measurement.design import Cell
from pyvalue.responses import make_table


def answer_table(
    model: str, edit: str, persona: str, mode: str, cells: Sequence[Cell], answers: Sequence[Answer]
) -> pd.DataFrame:
    """One row an answer, in the order of the cells.

    Args:
        model: name of the model.
        edit: label of the configuration.
        persona: name of the persona.
        mode: ``"score"``, ``"generate"`` or ``"free"``.
        cells: what was asked.
        answers: what came back, one a cell.
    """
    keying = [cell.item.keying for cell in cells]
    score = [
        key * (2 * answer.p_yes - 1) if key else float("nan") for key, answer in zip(keying, answers, strict=True)
    ]
    return make_table(
        {
            "model": model,
            "edit": edit,
            "persona": persona,
            "item": [cell.item.id for cell in cells],
            "value": [cell.item.value for cell in cells],
            "keying": keying,
            "kind": [cell.item.kind for cell in cells],
            "mode": mode,
            "wording": [cell.wording for cell in cells],
            "order": [cell.order for cell in cells],
            "repeat": [cell.repeat for cell in cells],
            "text": [cell.question for cell in cells],
            "answer": [answer.text for answer in answers],
            "status": [answer.status for answer in answers],
            "p_yes": [answer.p_yes for answer in answers],
            "mass": [answer.mass for answer in answers],
            "score": score,
            "perplexity": [answer.perplexity for answer in answers],
        }
    )
