"""Asks a remote model for the probabilities of yes and no, and for a written yes or no where it offers none."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from pyvalue.errors import ModelError
from pyvalue.measurement.answer_parsing import P_YES, RULES, parse
from pyvalue.measurement.asking import Answer
from pyvalue.measurement.design import Cell
from pyvalue.measurement.personas import Persona
from pyvalue.measurement.prompts import PromptStyle
from pyvalue.measurement.remote_conversation import RemoteAsker
from pyvalue.models.chat import ChatReply, ChatRequest
from pyvalue.models.remote import RemoteModel

#: likeliest first tokens that are asked for; more is nowhere offered
TOP_LOGPROBS = 20
#: most tokens of a written yes or no
SHORT_ANSWER = 16
#: the likeliest tokens are the model's own at temperature 1 also where a server divides by it; some refuse 0.
AS_IT_IS = 1.0
# So many replies without probabilities do not mean that the server has stopped to send them.
_FEW = 2
# How vocabularies write a space before a word, where a server does not turn it back.
_SPACES = str.maketrans("Ġ▁", "  ")


class RemoteScoreAsker(RemoteAsker):
    """Asks a remote model for probabilities, and for a written yes or no where the server offers none.

    P(yes) is summed over the likeliest first tokens that the server returns (20 where it lets us), so ``mass``, which
    is P(yes) + P(no), is a lower bound. Which of the two happened is found out by one question when the asker is made,
    and stands in ``facts()`` as ``logprobs``; written answers have p_yes 1, 0.5 or 0 and no mass.

    Args:
        model: to ask.
        style: wording.
        min_mass: an answer whose P(yes) + P(no) is below it is invalid.
        batch_size: none; the model's ``concurrency`` decides.
        known: the study of a finished run, whose facts are taken over so that nothing is asked.

    Raises:
        ModelError: the model cannot be asked.

    Warns:
        UserWarning: the server offers no probabilities, or they hold neither yes nor no, or some replies hold none.
    """

    def __init__(
        self,
        model: RemoteModel,
        style: PromptStyle,
        min_mass: float,
        batch_size: int | None = None,
        known: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(model, style, batch_size, known)
        self._min_mass = min_mass
        if known is not None:
            self._example, self._logprobs = ChatRequest((), 1), known.get("logprobs") is True
            return
        self._example, reply = self._open()
        self._logprobs = reply.first_token is not None
        if reply.first_token is not None and sum(yes_and_no(reply.first_token)) == 0:
            warnings.warn(
                f"model {model.name}: neither yes nor no is among its likeliest first words, which are "
                f"{', '.join(map(repr, list(reply.first_token)[:3]))}; a model that thinks first must be told not to "
                "(extra_body=, where its server has such a field), or asked in mode='generate'",
                stacklevel=2,
            )
        if not self._logprobs:
            warnings.warn(
                f"model {model.name}: its server offers no probabilities, so the answer that it writes counts as 1 "
                "for yes, 0 for no and 0.5 for neither; ask several wordings and both orders for a finer score",
                stacklevel=2,
            )

    def _open(self) -> tuple[ChatRequest, ChatReply]:
        if "logprobs" in self.model.sends(ChatRequest((), 1, top_logprobs=TOP_LOGPROBS)):
            request, reply = self.conversation.open(1, AS_IT_IS, top_logprobs=TOP_LOGPROBS, may_be_silent=True)
            self.model.calls.accepted.note_logprobs(reply.first_token is not None)
            if reply.first_token is not None:
                return request, reply
        return self.conversation.open(SHORT_ANSWER)

    def facts(self) -> dict[str, Any]:
        """What decides the answers."""
        read = {"min_mass": self._min_mass} if self._logprobs else {"rules": RULES}
        return {**self.facts_of(self._example), "logprobs": self._logprobs, **read}

    def request(self, persona: Persona, cell: Cell) -> ChatRequest:
        """What is sent for a question."""
        messages = self.conversation.messages(persona, cell)
        if self._logprobs:
            return ChatRequest(messages, 1, AS_IT_IS, top_logprobs=TOP_LOGPROBS)
        return ChatRequest(messages, SHORT_ANSWER)

    def answers(
        self, cells: Sequence[Cell], requests: Sequence[ChatRequest], replies: Sequence[ChatReply]
    ) -> list[Answer]:
        """What the replies say. Those without probabilities are asked for again.

        Raises:
            ModelError: the server has stopped to send probabilities.

        Warns:
            UserWarning: some replies hold no probabilities, however often they are asked for.
        """
        if not self._logprobs:
            return [read_written(cell, reply) for cell, reply in zip(cells, replies, strict=True)]
        return [self._scored(reply) for reply in with_probabilities(self.model, requests, replies)]

    def _scored(self, reply: ChatReply) -> Answer:
        if reply.filtered:
            return Answer("refused", math.nan)
        if reply.first_token is None:
            return Answer("invalid", math.nan)
        yes, no = yes_and_no(reply.first_token)
        mass = yes + no
        if mass <= 0 or not mass >= self._min_mass:
            return Answer("invalid", math.nan, mass)
        return Answer("yes" if yes >= no else "no", yes / mass, mass)


def with_probabilities(
    model: RemoteModel, requests: Sequence[ChatRequest], replies: Sequence[ChatReply]
) -> list[ChatReply]:
    """Replies, of which those without probabilities were asked for again, up to ``max_retries`` times.

    Raises:
        ModelError: none has any, of more than two.

    Warns:
        UserWarning: some have none in the end.
    """
    found = list(replies)
    for tries in range(1 + model.calls.max_retries):
        missing = [i for i, reply in enumerate(found) if reply.first_token is None and not reply.filtered]
        if not missing:
            return found
        stopped = len(missing) == len(found) > _FEW
        if tries == model.calls.max_retries or (tries and stopped):
            break
        for i, reply in zip(missing, model.ask_each([requests[i] for i in missing]), strict=True):
            if isinstance(reply, ChatReply):
                found[i] = reply
    if stopped:
        raise ModelError(
            f"model {model.name}: its server sent probabilities when it was first asked, and sends none now; "
            "what was stored is kept, so try again when it does"
        )
    warnings.warn(
        f"model {model.name}: {len(missing)} of {len(found)} replies hold no probabilities, though they were asked "
        f"for {tries + 1} times; they count as invalid",
        stacklevel=3,
    )
    return found


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


def read_written(cell: Cell, reply: ChatReply) -> Answer:
    """The answer that a reply gives, by the rules of ``answer_parsing``."""
    if reply.filtered:
        return Answer("refused", math.nan, text=reply.text)
    if not reply.text.strip():
        return Answer("invalid", math.nan)
    status = parse(reply.text, cell.question).status
    return Answer(status, P_YES.get(status, math.nan), text=reply.text)
