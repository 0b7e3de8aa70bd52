"""Replies of calls that failed: kept, so that the next call of the same process need not pay for them again."""

from __future__ import annotations

import json
import threading
from collections import deque

from pyvalue.models.chat import ChatReply, ChatRequest

#: most replies that are kept; the oldest go first
MOST = 4096


class KeptReplies:
    """Replies by request. Each is taken once: the same request, asked twice, gets two replies."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: deque[tuple[str, ChatReply]] = deque(maxlen=MOST)

    def keep(self, request: ChatRequest, reply: ChatReply) -> None:
        """Keep the reply to a request."""
        with self._lock:
            self._kept.append((_key(request), reply))

    def take(self, request: ChatRequest) -> ChatReply | None:
        """The oldest kept reply to such a request, which is kept no longer; None where there is none."""
        with self._lock:
            if not self._kept:
                return None
            key = _key(request)
            for i, (kept, reply) in enumerate(self._kept):
                if kept == key:
                    del self._kept[i]
                    return reply
        return None

    def __len__(self) -> int:
        return len(self._kept)


def _key(request: ChatRequest) -> str:
    messages = [dict(message) for message in request.messages]
    settings = (request.max_tokens, request.temperature, request.seed, request.top_logprobs, request.top_p)
    return json.dumps([messages, *settings])
