"""Asks a remote model: for the probabilities of yes and no, for a written answer, or for one that a judge rates.

Its weights are out of reach, so configurations with edits are refused. How the requests get there and back is
``pyvalue.models.remote``'s.
"""

from __future__ import annotations

import math
import warnings
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pyvalue.measurement.asking import Answer, Configuration
from pyvalue.measurement.design import Cell
from pyvalue.measurement.personas import Persona
from pyvalue.measurement.prompts import PromptStyle
from pyvalue.measurement.remote_conversation import Conversation, refuse_edits, says_nothing
from pyvalue.models.chat import ChatReply, ChatRequest
from pyvalue.models.remote import RemoteModel

if TYPE_CHECKING:
    from pyvalue.measurement.judge import Judge

#: questions of one call: what is paid for again after a kill
CHUNK = 64
#: likeliest first tokens that are asked for; more is nowhere offered
TOP_LOGPROBS = 20
#: most tokens of a written yes or no
SHORT_ANSWER = 16
_P_YES = {"yes": 1.0, "unsure": 0.5, "no": 0.0}
# How vocabularies write a space before a word, where a server does not turn it back.
_SPACES = str.maketrans("Ġ▁", "  ")


class _RemoteAsker(ABC):
    """What the askers below share; see ``pyvalue.measurement.asking.Asker``."""

    chunk: int | None = CHUNK

    def __init__(self, model: RemoteModel, style: PromptStyle, batch_size: int | None) -> None:
        if batch_size is not None:
            raise ValueError(
                f"batch_size: expected none for a remote model, got {batch_size}; give load_model(concurrency=...)"
            )
        self._model, self._style = model, style
        self._conversation = Conversation(model, style)
        self._warned = False

    def ask(
        self, persona: Persona, cells: Sequence[Cell], configurations: Sequence[Configuration]
    ) -> list[list[Answer]]:
        """Answers by configuration, then question.

        Raises:
            ModelError: a configuration has edits, or a request failed.
        """
        refuse_edits(self._model, configurations)
        requests = [self._request(persona, cell) for cell in cells]
        found = []
        for _ in configurations:
            replies = self._model.ask(requests)
            self._warn_of_silence(replies)
            found.append(self._answers(cells, replies))
        return found

    def _facts(self, example: ChatRequest) -> dict[str, Any]:
        # Seeds differ by row.
        parameters = {name: value for name, value in self._model.sends(example).items() if name != "seed"}
        return {
            "prompts": {"name": self._style.name, "digest": self._style.digest},
            "parameters": parameters,
            "system_message": "in front of the question" if self._conversation.merged else "its own",
        }

    @abstractmethod
    def _request(self, persona: Persona, cell: Cell) -> ChatRequest: ...

    @abstractmethod
    def _answers(self, cells: Sequence[Cell], replies: Sequence[ChatReply]) -> list[Answer]: ...

    def _warn_of_silence(self, replies: Sequence[ChatReply]) -> None:
        silent = sum(says_nothing(reply) and reply.first_token is None for reply in replies)
        if silent and not self._warned:
            self._warned = True
            warnings.warn(
                f"model {self._model.name}: {silent} of {len(replies)} replies end before anything is written, as "
                "those of models that reason first; raise max_new_tokens=",
                stacklevel=3,
            )


class RemoteScoreAsker(_RemoteAsker):
    """Asks a remote model for probabilities, and for a written yes or no where the server offers none.

    P(yes) is summed over the likeliest first tokens that the server returns (20 where it lets us), so ``mass``, which
    is P(yes) + P(no), is a lower bound. Which of the two happened is found out by one question when the asker is made,
    and stands in ``facts()`` as ``logprobs``; written answers have p_yes 1, 0.5 or 0 and no mass.

    Args:
        model: to ask.
        style: wording.
        min_mass: an answer whose P(yes) + P(no) is below it is invalid.
        batch_size: none; the model's ``concurrency`` decides.

    Raises:
        ModelError: the model cannot be asked.

    Warns:
        UserWarning: the server offers no probabilities.
    """

    def __init__(self, model: RemoteModel, style: PromptStyle, min_mass: float, batch_size: int | None = None) -> None:
        super().__init__(model, style, batch_size)
        self._min_mass = min_mass
        self._example, reply = self._open()
        self._logprobs = reply.first_token is not None
        if not self._logprobs:
            warnings.warn(
                f"model {model.name}: its server offers no probabilities, so the answer that it writes counts as 1 "
                "for yes, 0 for no and 0.5 for neither; ask several wordings and both orders for a finer score",
                stacklevel=2,
            )

    def _open(self) -> tuple[ChatRequest, ChatReply]:
        if "logprobs" in self._model.sends(ChatRequest((), 1, top_logprobs=TOP_LOGPROBS)):
            request, reply = self._conversation.open(1, top_logprobs=TOP_LOGPROBS, may_be_silent=True)
            if reply.first_token is not None:
                return request, reply
        return self._conversation.open(SHORT_ANSWER)

    def facts(self) -> dict[str, Any]:
        """What decides the answers."""
        return {**self._facts(self._example), "min_mass": self._min_mass, "logprobs": self._logprobs}

    def _request(self, persona: Persona, cell: Cell) -> ChatRequest:
        messages = self._conversation.messages(persona, cell)
        return (
            ChatRequest(messages, 1, top_logprobs=TOP_LOGPROBS)
            if self._logprobs
            else ChatRequest(messages, SHORT_ANSWER)
        )

    def _answers(self, cells: Sequence[Cell], replies: Sequence[ChatReply]) -> list[Answer]:
        if not self._logprobs:
            return [_written(reply) for reply in replies]
        return [self._scored(reply) for reply in replies]

    def _scored(self, reply: ChatReply) -> Answer:
        if reply.finish_reason == "content_filter":
            return Answer("refused", math.nan)
        if reply.first_token is None:
            return Answer("invalid", math.nan)
        yes, no = yes_and_no(reply.first_token)
        mass = yes + no
        if mass <= 0 or not mass >= self._min_mass:
            return Answer("invalid", math.nan, mass)
        return Answer("yes" if yes >= no else "no", yes / mass, mass)


class RemoteGenerateAsker(_RemoteAsker):
    """Asks a remote model for a thought and an answer, which rules read; see ``answer_parsing``.

    Args:
        model: to ask.
        style: wording.
        max_new_tokens: most tokens of a reply, hidden reasoning included.
        temperature: 0 for the likeliest reply.
        seed: every row's own comes of it, where the server follows seeds.
        batch_size: none; the model's ``concurrency`` decides.
        judge: rates the answers that the rules cannot read; None leaves them invalid.

    Raises:
        ModelError: the model cannot be asked, or reasons for longer than ``max_new_tokens``.
    """

    def __init__(
        self,
        model: RemoteModel,
        style: PromptStyle,
        max_new_tokens: int,
        temperature: float = 0.0,
        seed: int = 0,
        batch_size: int | None = None,
        judge: Judge | None = None,
    ) -> None:
        super().__init__(model, style, batch_size)
        self._max_new_tokens, self._temperature, self._seed, self._judge = max_new_tokens, temperature, seed, judge
        self._example, _ = self._conversation.open(max_new_tokens, temperature, 0 if temperature else None)

    def facts(self) -> dict[str, Any]:
        """What decides the answers."""
        return {
            **self._facts(self._example),
            "max_new_tokens": self._max_new_tokens,
            "temperature": self._temperature,
            "seed": self._seed,
            "judge": self._judge.facts() if self._judge else None,
        }

    def _request(self, persona: Persona, cell: Cell) -> ChatRequest:
        seed = self._row_seed(persona, cell) if self._temperature else None
        messages = self._conversation.messages(persona, cell)
        return ChatRequest(messages, self._max_new_tokens, self._temperature, seed)

    def _row_seed(self, persona: Persona, cell: Cell) -> int:
        from pyvalue.models.row_seeds import row_seed

        # Some servers keep seeds in 32 bits with a sign.
        return row_seed(self._seed, persona.name, cell.item.id, cell.wording, cell.order, cell.repeat) >> 32

    def _answers(self, cells: Sequence[Cell], replies: Sequence[ChatReply]) -> list[Answer]:
        answers = [_written(reply) for reply in replies]
        unread = [i for i, answer in enumerate(answers) if answer.status == "invalid" and answer.text.strip()]
        if self._judge is not None and unread:
            ratings = self._judge.rate([(cells[i].question, answers[i].text) for i in unread])
            for i, rating in zip(unread, ratings, strict=True):
                if not math.isnan(rating):
                    status = _status(float(rating))
                    answers[i] = Answer(status, _P_YES[status], text=answers[i].text)
        return answers


class RemoteFreeAsker(RemoteGenerateAsker):
    """Asks a remote model for an answer in its own words, which a judge rates from -1 (against) to 1 (for).

    p_yes is (rating + 1) / 2; an answer that the judge cannot rate is invalid.

    Args:
        model: to ask.
        style: wording.
        judge: rates every answer.
        max_new_tokens: most tokens of a reply, hidden reasoning included.
        temperature: 0 for the likeliest reply.
        seed: every row's own comes of it, where the server follows seeds.
        batch_size: none; the model's ``concurrency`` decides.
    """

    def __init__(
        self,
        model: RemoteModel,
        style: PromptStyle,
        judge: Judge,
        max_new_tokens: int,
        temperature: float = 0.0,
        seed: int = 0,
        batch_size: int | None = None,
    ) -> None:
        super().__init__(model, style, max_new_tokens, temperature, seed, batch_size, judge)
        self._rater = judge

    def _answers(self, cells: Sequence[Cell], replies: Sequence[ChatReply]) -> list[Answer]:
        answers = [Answer(_kept_status(reply.finish_reason), math.nan, text=reply.text) for reply in replies]
        said = [i for i, answer in enumerate(answers) if answer.status != "refused" and answer.text.strip()]
        ratings = self._rater.rate([(cells[i].question, answers[i].text) for i in said]) if said else ()
        for i, rating in zip(said, ratings, strict=True):
            if not math.isnan(rating):
                answers[i] = Answer(_status(float(rating)), (float(rating) + 1) / 2, text=answers[i].text)
        return answers


def yes_and_no(first_token: Mapping[str, float]) -> tuple[float, float]:
    """P(yes) and P(no), summed over the tokens whose text is that word in any case, with or without space.

    Args:
        first_token: log-probabilities by text.
    """
    found = {"yes": 0.0, "no": 0.0}
    for text, logprob in first_token.items():
        word = text.translate(_SPACES).strip().lower()
        if word in found:
            found[word] += math.exp(logprob)
    return found["yes"], found["no"]


def _written(reply: ChatReply) -> Answer:
    from pyvalue.measurement.answer_parsing import parse

    if reply.finish_reason == "content_filter":
        return Answer("refused", math.nan, text=reply.text)
    if not reply.text.strip():
        return Answer("invalid", math.nan)
    status = parse(reply.text).status
    return Answer(status, _P_YES.get(status, math.nan), text=reply.text)


def _kept_status(finish_reason: str) -> str:
    return "refused" if finish_reason == "content_filter" else "invalid"


def _status(rating: float) -> str:
    return "yes" if rating > 0 else "no" if rating < 0 else "unsure"
