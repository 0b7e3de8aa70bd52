"""Reads a chat completion of the ``openai`` client. Servers leave out what they like; nothing is taken for granted."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping
from typing import Any

from pyvalue.models.chat import ChatReply

# Log-probabilities are rounded by some servers.
_ROUNDING = 0.01


def read_reply(completion: Any) -> ChatReply | None:
    """What came back; None where it is no chat completion, or one without a message."""
    choices: Any = getattr(completion, "choices", None)
    choice = choices[0] if isinstance(choices, list) and choices else None
    message = getattr(choice, "message", None)
    if message is None:
        return None
    usage = getattr(completion, "usage", None)
    return ChatReply(
        text=_text(message),
        finish_reason=str(getattr(choice, "finish_reason", None) or "stop"),
        first_token=_first_token(getattr(choice, "logprobs", None)),
        prompt_tokens=_count(getattr(usage, "prompt_tokens", None)),
        completion_tokens=_count(getattr(usage, "completion_tokens", None)),
    )


def _text(message: Any) -> str:
    content = getattr(message, "content", None) or getattr(message, "refusal", None) or ""
    if isinstance(content, str):
        return content
    # Some servers send parts, of which those of the reasoning have no text.
    parts = content if isinstance(content, list) else []
    texts = [part.get("text") if isinstance(part, Mapping) else getattr(part, "text", None) for part in parts]
    return "".join(text for text in texts if isinstance(text, str))


def _count(found: Any) -> int:
    if isinstance(found, str) and found.isdecimal():
        return int(found)
    return found if isinstance(found, int) and found > 0 else 0


def _first_token(logprobs: Any) -> Mapping[str, float] | None:
    """Log-probabilities by text; those of tokens of the same text are added up.

    None also where a server sends only the token that it chose, which says nothing of the others, numbers that are no
    log-probabilities, or a token that cannot be read.
    """
    content = getattr(logprobs, "content", None)
    likeliest = getattr(content[0], "top_logprobs", None) if isinstance(content, list) and content else None
    if not isinstance(likeliest, list) or len(likeliest) < 2:
        return None
    chances: dict[str, float] = {}
    for token in likeliest:
        logprob = getattr(token, "logprob", None)
        if isinstance(logprob, bool) or not isinstance(logprob, int | float) or not logprob <= _ROUNDING:
            return None
        if (text := _token_text(token)) is None:  # it might be the very word that is looked for
            return None
        chances[text] = chances.get(text, 0.0) + math.exp(logprob)
    if sum(chances.values()) > 1 + _ROUNDING:
        return None
    return {text: math.log(chance) if chance > 0 else -math.inf for text, chance in chances.items()}


def _token_text(token: Any) -> str | None:
    """By its bytes where the server sends them: the text may be a number of the token, or escaped."""
    found, text = getattr(token, "bytes", None), getattr(token, "token", None)
    if isinstance(found, list) and found:
        with contextlib.suppress(TypeError, ValueError):  # no bytes, or not a whole character
            return bytes(found).decode()
    return text if isinstance(text, str) else None
