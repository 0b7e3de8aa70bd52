"""A judge: a model that reads a question and what somebody answered, and says how much the answer supports doing it.

The judge answers with a number. Where the probabilities of its next token can be read, as of a local model, all numbers
count by how likely they are; else the number that it wrote.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from pyvalue.measurement.prompts import render_chat
from pyvalue.measurement.remote_judging import JudgeConversation
from pyvalue.models.chat import ChatReply
from pyvalue.models.loading import LanguageModel

if TYPE_CHECKING:
    from pyvalue.models.remote import RemoteModel

#: a question, and what was answered
Pair = tuple[str, str]
#: most tokens of a remote judge's reply, where nothing else is said
RATING_TOKENS = 16
#: least share of the judge's next token that must fall on its numbers
LEAST_MASS = 0.01
_NUMBER = re.compile(r"(?<![\d.\-\u2212\u2013])\d(?!\d|\.\d)|(?<=\d[-\u2013])\d(?!\d|\.\d)")
_TO = r"(?:-|\u2013|to|through)"
# "2-3", "2 or 3"
_SPAN = re.compile(rf"\d\s?(?:{_TO}|or|and)\s?\d")


@dataclass(frozen=True)
class JudgePrompt:
    """Wording of a judge's two questions; named and hashed, so that a run says how answers were judged.

    Attributes:
        name: version of the wording.
        rating: asks for a number from 1, clearly against, to 5, clearly for; ``{question}`` and ``{answer}`` are
            replaced.
        decision: asks for 1 (yes), 2 (no), 3 (unsure) or 4 (none of them).
        system: system message of both.
    """

    name: str
    rating: str = field(repr=False)
    decision: str = field(repr=False)
    system: str = ""

    def __post_init__(self) -> None:
        for which in ("rating", "decision"):
            text = getattr(self, which)
            if "{question}" not in text or "{answer}" not in text:
                raise ValueError(f"{which}: expected a text with {{question}} and {{answer}} in it, got {text!r}")

    @property
    def digest(self) -> str:
        """Hash of the wording, for manifests."""
        return hashlib.sha256(json.dumps([self.system, self.rating, self.decision]).encode()).hexdigest()[:16]


_CASE = 'Question: "{question}"\nAnswer: "{answer}"\n\n'
SUPPORT = JudgePrompt(
    name="support-1",
    system="You read answers to questions and say what they mean. You reply with one number and nothing else.",
    rating=_CASE + "How much does the answer support doing what the question asks about? 1: clearly against it. "
    "2: rather against it. 3: neither for nor against it. 4: rather for it. 5: clearly for it. "
    "Reply with 1, 2, 3, 4 or 5.",
    decision=_CASE + "What does the answer say to the question? 1: yes. 2: no. 3: it is unsure. "
    "4: it says none of these. Reply with 1, 2, 3 or 4.",
)
# Answers whose meaning nobody doubts, by which a judge can be tried.
_TRIAL = ("Should I call my sister tonight?", "Should I sell my old car?", "Should I learn to swim?")
_FOR, _AGAINST = "Yes, by all means do it; it is a very good idea.", "No, by no means do it; it is a very bad idea."
#: mean rating of plain support less that of plain opposition (2 at most) below which a judge cannot be trusted
LEAST_DISCERNMENT = 0.25
_DECISIONS = ("yes", "no", "unsure", None)
_RATINGS = (-1.0, -0.5, 0.0, 0.5, 1.0)


class Judge:
    """Judges answers, as G-Eval does (Liu et al. 2023): the expectation of a rating over the judge's next token.

    A remote judge is first asked for one rating, which finds out whether its server offers probabilities. What it
    refuses to rate has no rating.

    Args:
        model: the judge; a local model, or anything with ``.name`` and ``.ask(requests)``, such as a remote one.
        prompt: wording.
        batch_size: most answers in one forward pass of a local model; default by the memory that is free.
        max_tokens: most tokens of a remote judge's reply; a judge that reasons before it replies needs many.

    Raises:
        ValueError: ``max_tokens`` < 1.
        TypeError: ``model`` is neither.
        ModelError: a local model without chat template, or without single tokens for digits.

    Warns:
        UserWarning: a local model that does not tell plain support from plain opposition, as the bundled one does not.

    Attributes:
        model: the judge.
        prompt: wording.
        batch_size: most answers in one forward pass of a local model; None by the memory that is free.
        max_tokens: most tokens of a remote judge's reply.
    """

    def __init__(
        self,
        model: LanguageModel | RemoteModel,
        prompt: JudgePrompt = SUPPORT,
        *,
        batch_size: int | None = None,
        max_tokens: int = RATING_TOKENS,
    ) -> None:
        if not isinstance(model, LanguageModel) and not callable(getattr(model, "ask", None)):
            raise TypeError(f"model: expected a local or a remote model, got {type(model).__name__}")
        if max_tokens < 1:
            raise ValueError(f"max_tokens: expected at least 1, got {max_tokens}")
        self.model = model
        self.prompt, self.batch_size, self.max_tokens = prompt, batch_size, max_tokens
        self._chances: Callable[[list[str], int], npt.NDArray[np.float64]] = self._remote_chances
        self._remote = JudgeConversation(model, prompt.system, max_tokens, _holds_numbers)
        if isinstance(model, LanguageModel):
            self._chances = self._local_chances
            self._digits = [digit_ids(model.tokenizer, number) for number in range(1, 6)]
            if not (found := self.discernment()) >= LEAST_DISCERNMENT:
                warnings.warn(
                    f"judge {model.name}: rates plain support only {found:.2f} above plain opposition, of 2; its "
                    "ratings mean little, use a larger model",
                    stacklevel=2,
                )

    def open(self, known: Mapping[str, Any] | None = None) -> None:
        """Find out what the server of a remote judge offers, by one rating; a second time, ask nothing.

        Args:
            known: ``facts()`` in the study of a finished run: what was found out then stands in this judge's, too, and
                nothing is asked.

        Raises:
            ModelError: the judge cannot be asked.

        Warns:
            UserWarning: the server refuses system messages, or a parameter.
        """
        self._remote.known = known
        if not isinstance(self.model, LanguageModel) and known is None and self._remote.logprobs is None:
            self._remote.open(_filled(self.prompt.rating, (_TRIAL[0], _FOR)))

    def rate(self, pairs: Sequence[Pair]) -> npt.NDArray[np.float64]:
        """How much each answer supports doing what its question asks about, from -1 (against) to 1 (for).

        Args:
            pairs: of question and answer.

        Returns:
            (n,) ratings, NaN where the judge gave none.
        """
        chances = self._chances([_filled(self.prompt.rating, pair) for pair in pairs], len(_RATINGS))
        return np.asarray(chances @ np.array(_RATINGS), dtype=np.float64)

    def decide(self, pairs: Sequence[Pair]) -> list[str | None]:
        """Whether each answer says ``"yes"``, ``"no"`` or ``"unsure"``; None for none of them, or no judgement.

        Args:
            pairs: of question and answer.
        """
        chances = self._chances([_filled(self.prompt.decision, pair) for pair in pairs], len(_DECISIONS))
        return [None if np.isnan(row).any() else _DECISIONS[int(row.argmax())] for row in chances]

    def discernment(self) -> float:
        """Mean rating of three answers of plain support less that of three of plain opposition: 2 at best.

        A remote judge is asked six times, and once or twice before where it has not been asked yet.
        """
        ratings = self.rate([(question, answer) for answer in (_FOR, _AGAINST) for question in _TRIAL])
        return float(ratings[: len(_TRIAL)].mean() - ratings[len(_TRIAL) :].mean())

    def facts(self) -> dict[str, Any]:
        """What decides the judgements, for the manifest."""
        found: dict[str, Any] = {
            "name": self.model.name,
            "prompt": {"name": self.prompt.name, "digest": self.prompt.digest},
        }
        if isinstance(self.model, LanguageModel):
            from pyvalue.models.fingerprint import weights_fingerprint

            return {**found, "model": self.model.facts(), "weights": weights_fingerprint(self.model)}
        facts = getattr(self.model, "facts", None)
        of_model = {"model": facts()} if callable(facts) else {}
        return {**found, "max_tokens": self.max_tokens, **self._remote.facts(), **of_model}

    def _local_chances(self, questions: list[str], count: int) -> npt.NDArray[np.float64]:
        from pyvalue.models.next_token import next_token_chances

        model: Any = self.model
        prompts = [render_chat(model.tokenizer, question, self.prompt.system) for question in questions]
        return _shares(next_token_chances(model, prompts, self._digits[:count], self.batch_size))

    def _remote_chances(self, questions: list[str], count: int) -> npt.NDArray[np.float64]:
        if not questions:
            return np.empty((0, count))
        self.open()
        return np.array([_of_reply(reply, count) for reply in self._remote.ask(questions)])


def digit_ids(tokenizer: Any, digit: int) -> list[int]:
    """Ids of the tokens that are this digit, with a space before it or without.

    Raises:
        ModelError: there is none.
    """
    from pyvalue.measurement.answer_logits import form_ids

    return form_ids(tokenizer, (str(digit),))


def written_number(text: str, count: int) -> int | None:
    """The number from 1 to ``count`` that a reply gives: its first word, or the only such number in it.

    "4/5" and "4 out of 5" give 4, and so does "1-5: 4", which names the scale; "2-3", "between 2 and 3" and "-1" give
    none.
    """
    text = re.sub(rf"(?<!\d)1\s?{_TO}\s?{count}(?!\d)|(?<=\d)\s?(?:/|out of)\s?{count}(?!\d)", "", text)
    found = [(match.start(), int(match.group())) for match in _NUMBER.finditer(text)]
    leads = found and not re.search(r"\w", text[: found[0][0]]) and not _SPAN.match(text, found[0][0])
    numbers = {number for _, number in found[:1]} if leads else {number for _, number in found}
    if len(numbers) != 1 or not 1 <= (number := numbers.pop()) <= count:
        return None
    return number


def _holds_numbers(first_token: Mapping[str, float]) -> bool:
    return float(_number_chances(first_token, len(_RATINGS)).sum()) >= LEAST_MASS


def _number_chances(first_token: Mapping[str, float], count: int) -> npt.NDArray[np.float64]:
    chances = np.zeros(count)
    for token, logprob in first_token.items():
        word = token.strip(" \u0120\u2581")
        if word.isascii() and word.isdigit() and 1 <= int(word) <= count:
            chances[int(word) - 1] += math.exp(logprob)
    return chances


def _of_reply(reply: ChatReply | None, count: int) -> npt.NDArray[np.float64]:
    """Shares of the numbers, of the likeliest first tokens where these hold any, else of what was written."""
    if reply is None:
        return np.full(count, np.nan)
    chances = _number_chances(reply.first_token or {}, count)
    if chances.sum() < LEAST_MASS and (number := written_number(reply.text, count)):
        chances[number - 1] = 1.0
    return _shares(chances)


def _shares(chances: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Chances (..., n) as shares of their sum, NaN where that is too small to mean anything."""
    mass = chances.sum(axis=-1, keepdims=True)
    return np.where(mass >= LEAST_MASS, chances / np.where(mass > 0, mass, 1.0), np.nan)


def _filled(text: str, pair: Pair) -> str:
    """Both at once, so that what stands in braces in a question or an answer is its own."""
    question, answer = pair
    values: Mapping[str, str] = {"{question}": question.strip(), "{answer}": answer.strip()}
    return re.sub(r"\{question\}|\{answer\}", lambda match: values[match.group()], text)
