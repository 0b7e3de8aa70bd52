"""Prompts as token ids that a model can take. Runs no model."""

from __future__ import annotations

from typing import Any

from pyvalue.errors import ModelError


def check_text(prompt: str) -> None:
    """Make sure that a prompt is text that can be written down.

    Raises:
        ValueError: it holds half of a character (a lone surrogate), as of a file that was read in another encoding.
    """
    try:
        prompt.encode()
    except UnicodeEncodeError as fault:
        raise ValueError(
            f"prompts: expected text, but character {fault.start} is {prompt[fault.start]!r}, half of a character; "
            "read personas and items with the encoding in which they were written"
        ) from None


def most_tokens(network: Any) -> int | None:
    """Positions that a ``transformers`` model has for the tokens of a text; None where its config names no limit."""
    found = getattr(network.config.get_text_config(), "max_position_embeddings", None)
    return int(found) if found else None


def check_length(network: Any, tokens: int) -> None:
    """Make sure that a model has positions for a prompt of so many tokens.

    Raises:
        ModelError: it has not.
    """
    limit = most_tokens(network)
    if limit is not None and tokens > limit:
        raise ModelError(
            f"a prompt has {tokens} tokens, but the model has positions for {limit}; shorten personas and questions, "
            "or use a model that reads more"
        )
