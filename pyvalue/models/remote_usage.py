"""What a remote model has used: requests, tokens, dollars. As the server counted, not as we would."""

from __future__ import annotations

import threading
from dataclasses import dataclass


def dollars(price: tuple[float, float] | None, prompt_tokens: int, completion_tokens: int) -> float | None:
    """Price of tokens; None where no price is known.

    Args:
        price: dollars per million tokens of prompts and of replies.
        prompt_tokens: read.
        completion_tokens: written.
    """
    if price is None:
        return None
    return (price[0] * prompt_tokens + price[1] * completion_tokens) / 1e6


@dataclass(frozen=True)
class Used:
    """A count at one moment.

    Attributes:
        requests: answered ones.
        prompt_tokens: read, as the server counts them; 0 where it does not count.
        completion_tokens: written, likewise; hidden reasoning is among them.
    """

    requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0


class Usage:
    """Counts up, from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._used = Used()

    def add(self, prompt_tokens: int, completion_tokens: int) -> None:
        """One more answered request."""
        with self._lock:
            old = self._used
            self._used = Used(
                old.requests + 1, old.prompt_tokens + prompt_tokens, old.completion_tokens + completion_tokens
            )

    @property
    def so_far(self) -> Used:
        """The count at this moment."""
        return self._used

    def __repr__(self) -> str:
        return f"Usage({self._used})"
