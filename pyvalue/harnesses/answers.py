"""Answers that a harness kept, as ``Responses``. Knows no harness."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from pyvalue.harnesses.questions import IDENTITY, in_order
from pyvalue.measurement.answer_parsing import P_YES, parse
from pyvalue.measurement.asking import Answer
from pyvalue.responses import Responses, make_table


def written_answer(text: str, question: str, *, filtered: bool = False) -> Answer:
    """What a written answer says, by the rules of ``answer_parsing``.

    Args:
        text: of the answer.
        question: that it answers.
        filtered: whether the server withheld the answer for what it says.
    """
    if filtered:
        return Answer("refused", math.nan, text=text)
    if not text.strip():
        return Answer("invalid", math.nan)
    status = parse(text, question).status
    return Answer(status, P_YES.get(status, math.nan), text=text)


def scored_answer(yes: float, no: float, min_mass: float) -> Answer:
    """What the probabilities of yes and of no say; invalid where both together are below ``min_mass``."""
    mass = yes + no
    if mass <= 0 or not mass >= min_mass:
        return Answer("invalid", math.nan, mass)
    return Answer("yes" if yes >= no else "no", yes / mass, mass)


def score(keying: int, answer: Answer) -> float:
    """keying * (2 p_yes - 1); NaN for an answer that is not valid, and for an item without keying."""
    return keying * (2 * answer.p_yes - 1) if keying else math.nan


def to_responses(
    found: Sequence[tuple[Mapping[str, Any], Answer]], *, model: str, edit: str, mode: str, facts: dict[str, Any]
) -> Responses:
    """Answers in the order in which ``measure`` gives them.

    Args:
        found: the record of a question (``Question.record``, with ``repeat``), and its answer.
        model: the column of that name.
        edit: the column of that name.
        mode: ``"score"`` or ``"generate"``.
        facts: what made the answers.
    """
    numbered = [{**record, "number": i} for i, (record, _) in enumerate(found)]
    order = [row["number"] for row in in_order(numbered)]
    records = [found[i][0] for i in order]
    answers = [found[i][1] for i in order]
    columns: dict[str, Any] = {name: [record[name] for record in records] for name in IDENTITY}
    columns |= {
        "model": model,
        "edit": edit,
        "mode": mode,
        "repeat": [record["repeat"] for record in records],
        "answer": [answer.text for answer in answers],
        "status": [answer.status for answer in answers],
        "p_yes": [answer.p_yes for answer in answers],
        "mass": [answer.mass for answer in answers],
        "score": [score(record["keying"], answer) for record, answer in zip(records, answers, strict=True)],
        "perplexity": math.nan,
    }
    return Responses(make_table(columns), facts)
