"""Free mode: the model gives advice in its own words, and a judge rates how much that supports doing what was asked."""

from __future__ import annotations

import math
from collections.abc import Sequence

from pyvalue.measurement.asking import Answer
from pyvalue.measurement.degenerate_text import is_degenerate
from pyvalue.measurement.generate_asking import GenerateAsker
from pyvalue.measurement.judge import Judge
from pyvalue.measurement.plain_text import said
from pyvalue.measurement.prompts import FREE, PromptStyle
from pyvalue.measurement.refusals import is_refusal
from pyvalue.models.loading import LanguageModel


class FreeAsker(GenerateAsker):
    """Asks a local model for advice.

    p_yes is (rating + 1) / 2. Degenerate texts and refusals are found by rules and not rated; what the judge cannot
    rate is invalid.

    Args:
        model: to ask.
        judge: rates every text; better another model than the one that is asked.
        style: wording.
        temperature: 0 takes the likeliest token; above, tokens are sampled.
        top_p: sample among the likeliest tokens that together have at least this probability.
        max_new_tokens: most tokens of a text.
        seed: of sampling.
        batch_size: most texts written at a time; default by the memory that is free.

    Raises:
        ValueError: an argument is out of range.
    """

    def __init__(
        self,
        model: LanguageModel,
        judge: Judge,
        style: PromptStyle = FREE,
        *,
        temperature: float = 0.0,
        top_p: float = 1.0,
        max_new_tokens: int = 128,
        seed: int = 0,
        batch_size: int | None = None,
    ) -> None:
        super().__init__(
            model,
            style,
            temperature=temperature,
            top_p=top_p,
            max_new_tokens=max_new_tokens,
            seed=seed,
            batch_size=batch_size,
            judge=judge,
        )
        self._rater = judge

    def read(self, questions: Sequence[str], texts: Sequence[str]) -> list[Answer]:
        """What texts advise."""
        return read_free(self._rater, questions, texts)


def read_free(judge: Judge, questions: Sequence[str], texts: Sequence[str]) -> list[Answer]:
    """What texts advise: by rules whether they are advice at all, then by the judge's rating.

    Args:
        judge: rates.
        questions: one a text.
        texts: what was written.
    """
    status = [_by_rules(text, question) for question, text in zip(questions, texts, strict=True)]
    left = [i for i, found in enumerate(status) if not found]
    answers = [Answer(found, math.nan, text=text) for found, text in zip(status, texts, strict=True)]
    ratings = judge.rate([(questions[i], said(texts[i])) for i in left]) if left else ()
    for i, rating in zip(left, map(float, ratings), strict=True):
        answers[i] = Answer(status_of(rating), (rating + 1) / 2, text=texts[i])
    return answers


def status_of(rating: float) -> str:
    """``"yes"`` above 0, ``"no"`` below, ``"unsure"`` at 0, ``"invalid"`` where there is no rating."""
    if math.isnan(rating):
        return "invalid"
    return "yes" if rating > 0 else "no" if rating < 0 else "unsure"


def _by_rules(text: str, question: str) -> str:
    if not said(text):
        return "invalid"
    if is_degenerate(text, question):
        return "degenerate"
    return "refused" if is_refusal(text) else ""
