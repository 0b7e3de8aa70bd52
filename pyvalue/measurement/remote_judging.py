"""How a remote judge is talked to: what its server offers, found out by one rating, and its replies to the rest."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pyvalue.measurement.remote_asking import AS_IT_IS, TOP_LOGPROBS, with_probabilities
from pyvalue.measurement.remote_conversation import IN_FRONT, ITS_OWN, merge
from pyvalue.models.chat import ChatReply, ChatRequest
from pyvalue.models.remote import RemoteModel
from pyvalue.models.remote_failure import RemoteError, names_roles


class JudgeConversation:
    """Puts questions to one remote judge.

    Where its first token's probabilities hold numbers, these are asked for, at temperature 1, at which they are the
    model's own; else it writes its number at temperature 0. Which of the two is found out by the first question.

    Args:
        model: the judge; a remote model, or anything with ``.name`` and ``.ask(requests)``.
        system: system message, empty for none.
        max_tokens: most tokens of a reply.
        holds_numbers: whether likeliest first tokens hold the numbers that are asked for.

    Attributes:
        logprobs: whether probabilities are read; None before the first question.
        merged: whether the system message stands in front of the question.
        known: facts of a finished run, which are given as its own; None for none.
    """

    def __init__(
        self, model: Any, system: str, max_tokens: int, holds_numbers: Callable[[Mapping[str, float]], bool]
    ) -> None:
        self._model, self._system, self._max_tokens = model, system, max_tokens
        self._holds_numbers = holds_numbers
        self.logprobs: bool | None = None
        self.merged = False
        self.known: Mapping[str, Any] | None = None

    def open(self, question: str) -> None:
        """Ask one question, so that what the server refuses is known before answers are paid for.

        Raises:
            ModelError: the judge cannot be asked.

        Warns:
            UserWarning: the server refuses system messages, or a parameter.
        """
        try:
            [reply] = self._model.ask([self._request(question, True)])
        except RemoteError as refusal:
            if not self._system or not names_roles(refusal.words):
                raise
            self.merged = True
            [reply] = self._model.ask([self._request(question, True)])
            warnings.warn(
                f"judge {self._model.name}: it refuses system messages ({refusal.words:.200}); its instructions stand "
                "in front of every question instead",
                stacklevel=4,
            )
        offered = reply.first_token is not None and self._holds_numbers(reply.first_token)
        if not offered:  # another temperature, which may be refused
            self._model.ask([self._request(question, False)])
        self.logprobs = offered

    def ask(self, questions: Sequence[str]) -> list[ChatReply | None]:
        """Replies in the order of the questions; None where there is none, or none with probabilities.

        Raises:
            ModelError: a request failed for good, most are refused, or probabilities are no longer sent.
        """
        requests = [self._request(question, self.logprobs is True) for question in questions]
        if not isinstance(self._model, RemoteModel):
            return list(self._model.ask(requests))
        replies = self._model.ask_each(requests)
        came = [i for i, reply in enumerate(replies) if isinstance(reply, ChatReply)]
        found = [reply for reply in replies if isinstance(reply, ChatReply)]
        if self.logprobs:
            try:
                found = with_probabilities(self._model, [requests[i] for i in came], found)
            except BaseException:
                self._model.keep(requests, replies)
                raise
        read: list[ChatReply | None] = [None] * len(requests)
        for i, reply in zip(came, found, strict=True):
            read[i] = None if self.logprobs and reply.first_token is None else reply
        return read

    def facts(self) -> dict[str, Any]:
        """What was found out, for the manifest."""
        if self.known is not None:
            return {name: self.known.get(name) for name in ("logprobs", "system_message")}
        return {"logprobs": self.logprobs, "system_message": IN_FRONT if self.merged else ITS_OWN}

    def _request(self, question: str, logprobs: bool) -> ChatRequest:
        system = [{"role": "system", "content": self._system}] if self._system else []
        messages: Sequence[Mapping[str, str]] = [*system, {"role": "user", "content": question}]
        messages = merge(messages) if self.merged else messages
        if logprobs:
            return ChatRequest(messages, self._max_tokens, AS_IT_IS, top_logprobs=TOP_LOGPROBS)
        return ChatRequest(messages, self._max_tokens)
