"""Reads a chat completion of the ``openai`` client. Servers leave out what they like; nothing is taken for granted."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from pyvalue.models.chat import ChatReply


def read_reply(completion: Any) -> ChatReply | None:
    """What came back; None where it is no chat completion."""
    choices: Any = getattr(completion, "choices", None)
    message = getattr(choices[0], "message", None) if choices else None
    if message is None:
        return None
    usage = getattr(completion, "usage", None)
    return ChatReply(
        text=_text(message),
        finish_reason=getattr(choices[0], "finish_reason", None) or "stop",
        first_token=_first_token(getattr(choices[0], "logprobs", None)),
        prompt_tokens=getattr(usage, "prompt_tokens", None) or 0,
        completion_tokens=getattr(usage, "completion_tokens", None) or 0,
    )


def _text(message: Any) -> str:
    content = getattr(message, "content", None) or getattr(message, "refusal", None) or ""
    if isinstance(content, str):
        return content
    # Some servers send parts, of which those of the reasoning have no text.
    parts = [part.get("text") if isinstance(part, Mapping) else getattr(part, "text", None) for part in content]
    return "".join(part for part in parts if isinstance(part, str))


def _first_token(logprobs: Any) -> Mapping[str, float] | None:
    """Log-probabilities by text; those of tokens of the same text are added up.

    None also where a server sends only the token that it chose, which says nothing of the others.
    """
    content = getattr(logprobs, "content", None)
    likeliest = getattr(content[0], "top_logprobs", None) if content else None
    if not likeliest or len(likeliest) < 2:
        return None
    found: dict[str, float] = {}
    for token in likeliest:
        chance = math.exp(token.logprob) + math.exp(found.get(token.token, -math.inf))
        found[token.token] = math.log(chance) if chance > 0 else -math.inf
    return found
