"""How a remote model is talked to: what is found out by one question before a run, and how a persona's are asked.

Reads no answers; see ``remote_asking`` and ``remote_writing``.
"""

from __future__ import annotations

import math
import warnings
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

from pyvalue.errors import ModelError
from pyvalue.measurement.asking import Answer, Configuration
from pyvalue.measurement.design import Cell
from pyvalue.measurement.inventory import Item
from pyvalue.measurement.personas import Persona
from pyvalue.measurement.prompts import PromptStyle, chat_messages
from pyvalue.models.chat import ChatReply, ChatRequest
from pyvalue.models.remote import RemoteModel
from pyvalue.models.remote_failure import RemoteError, names_roles

#: questions of one call: so many, and their judgements, are paid for again by a new process after a kill, Ctrl-C or a
#: fault that does not pass; the same process keeps their replies in memory
CHUNK = 32
#: where the system message of a request stands
IN_FRONT, ITS_OWN = "in front of the question", "its own"
_SOMEONE = Persona("someone", "You are someone who is asked a question.")
_SOMETHING = Cell(Item("something", "", 0, "Is water wet?"))


class Conversation:
    """Puts personas and questions to one remote model.

    Models that know no system role get the system message in front of the question, as local ones do.

    Args:
        model: to ask.
        style: wording.

    Attributes:
        merged: whether the system message stands in front of the question.
    """

    def __init__(self, model: RemoteModel, style: PromptStyle) -> None:
        self._model, self._style = model, style
        self.merged = False

    def messages(self, persona: Persona, cell: Cell) -> Sequence[Mapping[str, str]]:
        """What is sent."""
        messages = chat_messages(persona, cell.question, self._style, cell.order)
        return merge(messages) if self.merged else messages

    def open(
        self,
        max_tokens: int,
        temperature: float = 0.0,
        top_p: float = 1.0,
        *,
        seed: int | None = None,
        top_logprobs: int = 0,
        may_be_silent: bool = False,
    ) -> tuple[ChatRequest, ChatReply]:
        """Ask one question, so that what the server refuses is known before a run; returns it with its reply.

        Raises:
            ModelError: the model cannot be asked, or writes nothing within ``max_tokens`` and may not be silent.

        Warns:
            UserWarning: the server refuses system messages, or a parameter.
        """

        def request() -> ChatRequest:
            messages = self.messages(_SOMEONE, _SOMETHING)
            return ChatRequest(messages, max_tokens, temperature, seed, top_logprobs, top_p)

        try:
            reply = self._model.ask([request()])[0]
        except RemoteError as refusal:
            if self.merged or not names_roles(refusal.words):
                raise
            self.merged = True
            reply = self._model.ask([request()])[0]
            warnings.warn(
                f"model {self._model.name}: it refuses system messages ({refusal.words:.200}); the persona stands in "
                "front of every question instead",
                stacklevel=3,
            )
        if says_nothing(reply) and not may_be_silent:
            raise ModelError(
                f"model {self._model.name} wrote nothing within {max_tokens} tokens: it reasons before it answers, "
                "and what it may write ends before. Ask it to reason less (extra_body=, where the server has such a "
                "field), or measure in a mode of written answers with a larger max_new_tokens="
            )
        return request(), reply


class RemoteAsker(ABC):
    """What the askers of remote models share; see ``pyvalue.measurement.asking.Asker``.

    A question that the server refuses for what it says is an invalid answer, whose text is the refusal. Where another
    request fails or the work is interrupted, the replies of the chunk are kept in memory with the model: the next call
    in the same process does not pay for them again, a new process does.

    Args:
        model: to ask.
        style: wording.
        batch_size: none; the model's ``concurrency`` decides.
        known: the study of a finished run, whose facts are taken over so that nothing is asked.
    """

    chunk: int | None = CHUNK

    def __init__(
        self,
        model: RemoteModel,
        style: PromptStyle,
        batch_size: int | None,
        known: Mapping[str, Any] | None = None,
    ) -> None:
        if batch_size is not None:
            raise ValueError(
                f"batch_size: expected none for a remote model, got {batch_size}; give load_model(concurrency=...)"
            )
        self.model, self.style = model, style
        self.conversation = Conversation(model, style)
        self.known = known
        if known is not None:
            self.conversation.merged = known.get("system_message") == IN_FRONT
        self._warned = False

    def ask(
        self, persona: Persona, cells: Sequence[Cell], configurations: Sequence[Configuration]
    ) -> list[list[Answer]]:
        """Answers by configuration, then question.

        Raises:
            ModelError: a configuration has edits, a request failed for good, or most questions are refused.
        """
        refuse_edits(self.model, configurations)
        requests = [self.request(persona, cell) for cell in cells]
        found = []
        for _ in configurations:
            replies = self.model.ask_each(requests)
            try:
                found.append(self._answered(cells, requests, replies))
            except BaseException:  # of a judge, say
                self.model.keep(requests, replies)
                raise
        return found

    def _answered(
        self, cells: Sequence[Cell], requests: Sequence[ChatRequest], replies: Sequence[ChatReply | RemoteError]
    ) -> list[Answer]:
        came = [(i, reply) for i, reply in enumerate(replies) if isinstance(reply, ChatReply)]
        self._warn_of_silence([reply for _, reply in came])
        read = iter(
            self.answers([cells[i] for i, _ in came], [requests[i] for i, _ in came], [reply for _, reply in came])
        )
        return [refused(reply) if isinstance(reply, RemoteError) else next(read) for reply in replies]

    def facts_of(self, example: ChatRequest) -> dict[str, Any]:
        """What decides the answers to requests like this one."""
        # Seeds differ by row.
        parameters = {name: value for name, value in self.model.sends(example).items() if name != "seed"}
        return {
            "prompts": {"name": self.style.name, "digest": self.style.digest},
            "parameters": parameters if self.known is None else self.known.get("parameters"),
            "system_message": IN_FRONT if self.conversation.merged else ITS_OWN,
        }

    @abstractmethod
    def request(self, persona: Persona, cell: Cell) -> ChatRequest:
        """What is sent for a question."""

    @abstractmethod
    def answers(
        self, cells: Sequence[Cell], requests: Sequence[ChatRequest], replies: Sequence[ChatReply]
    ) -> list[Answer]:
        """What the replies say."""

    def _warn_of_silence(self, replies: Sequence[ChatReply]) -> None:
        silent = sum(says_nothing(reply) and reply.first_token is None for reply in replies)
        if silent and not self._warned:
            self._warned = True
            warnings.warn(
                f"model {self.model.name}: {silent} of {len(replies)} replies end before anything is written, as "
                "those of models that reason first; raise max_new_tokens=",
                stacklevel=3,
            )


def merge(messages: Sequence[Mapping[str, str]]) -> Sequence[Mapping[str, str]]:
    """One message of the user instead of several, for models that know no system role."""
    if len(messages) == 1:
        return messages
    return [{"role": "user", "content": "\n\n".join(message["content"] for message in messages)}]


def refused(error: RemoteError) -> Answer:
    """The answer to a question that the server refuses for what it says."""
    return Answer("invalid", math.nan, text=f"[server: {error.words}]")


def says_nothing(reply: ChatReply) -> bool:
    """Whether a reply ends before it begins, as that of a model that reasons first."""
    return not reply.text.strip() and reply.finish_reason == "length"


def refuse_edits(model: RemoteModel, configurations: Sequence[Configuration]) -> None:
    """Make sure that nothing but roles steers a remote model.

    Raises:
        ModelError: a configuration has edits.
    """
    for configuration in configurations:
        if configuration.edits:
            raise ModelError(
                f"model {model.name}: only roles can be steered on a remote model, and {configuration.label!r} has the "
                f"edit {configuration.edits[0].label!r} of the residual stream; give the persona another text, or load "
                "a model whose weights are here"
            )
