"""One chat completion, asked of a model that answers over the network: the request and the reply. Sends nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class ChatRequest:
    """What is asked.

    Attributes:
        messages: ``{"role": ..., "content": ...}``, in order.
        max_tokens: most tokens of the reply.
        temperature: 0 for the most likely reply.
        seed: of sampling, where the server follows one.
        top_logprobs: likeliest first tokens wanted with their log-probabilities; 0 for none.
        top_p: sample among the likeliest tokens that together have at least this probability.
    """

    messages: Sequence[Mapping[str, str]]
    max_tokens: int
    temperature: float = 0.0
    seed: int | None = None
    top_logprobs: int = 0
    top_p: float = 1.0


@dataclass(frozen=True)
class ChatReply:
    """What came back.

    Attributes:
        text: of the reply, empty where the server sent none.
        finish_reason: as the server says it, such as ``"stop"``, ``"length"`` or ``"content_filter"``.
        first_token: text of each of the likeliest first tokens and its log-probability; None where the server offers
            none.
        prompt_tokens: as the server counts them, 0 where it does not.
        completion_tokens: likewise.
    """

    text: str
    finish_reason: str = "stop"
    first_token: Mapping[str, float] | None = None
    prompt_tokens: int = 0
    completion_tokens: int = 0

    @property
    def filtered(self) -> bool:
        """Whether a filter of the server held it back; some servers say why behind the word."""
        return self.finish_reason.startswith("content_filter")
