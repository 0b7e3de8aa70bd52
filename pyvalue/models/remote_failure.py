"""What went wrong with one request, and whether another try may help. Sends nothing."""

from __future__ import annotations

import email.utils
import math
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pyvalue.errors import ModelError
from pyvalue.models.chat import ChatReply

_PASSING = {408, 409, 429}
_HINTS = {
    401: "the key is not accepted: set OPENAI_API_KEY, or pass api_key=",
    403: "the key may not use this model: set OPENAI_API_KEY, or pass api_key=",
    404: "check the model's name and base_url=, which mostly ends in /v1",
    429: "lower concurrency= or give requests_per_minute=",
}


class RemoteError(ModelError):
    """A request that a server did not answer.

    Attributes:
        status: of HTTP; None where no reply came.
        words: of the server, without keys.
        replies: by number of the request, those which had come in by then.
    """

    def __init__(self, message: str, status: int | None, words: str) -> None:
        super().__init__(message)
        self.status = status
        self.words = words
        self.replies: Mapping[int, ChatReply] = {}


@dataclass(frozen=True)
class Failure:
    """One failed try.

    Attributes:
        status: of HTTP; None where no reply came.
        words: of the server, or of the network; not yet without keys.
        code: the server's name for the fault, empty where it has none.
        parameter: that the server blames; None where it blames none.
        retry_after: seconds that the server asks to wait; None where it does not.
    """

    status: int | None
    words: str
    code: str = ""
    parameter: str | None = None
    retry_after: float | None = None

    @classmethod
    def of(cls, fault: Exception) -> Failure:
        """From an exception of the ``openai`` client, or of a timeout."""
        import openai

        if isinstance(fault, openai.APITimeoutError | TimeoutError):
            return cls(None, "no reply in time", "timeout")
        if isinstance(fault, openai.APIStatusError):
            body: Any = fault.body if isinstance(fault.body, Mapping) else {}
            words = body.get("message") or body.get("detail") or body.get("error") or fault.response.text
            code = f"{fault.code or body.get('code') or ''} {body.get('type') or ''}".strip()
            wait = _seconds(fault.response.headers)
            return cls(fault.status_code, " ".join(str(words).split()), code, fault.param, wait)
        cause = fault.__cause__ or fault
        return cls(None, f"{type(cause).__name__}: {cause}".strip(": "))

    @classmethod
    def of_body(cls, completion: Any) -> Failure:
        """From a reply with status 200 that is no chat completion; some servers put their errors there."""
        error = getattr(completion, "error", None)
        if isinstance(error, Mapping):
            code = str(error.get("code") or "")
            return cls(int(code) if code.isdecimal() else 400, str(error.get("message") or error), code)
        return cls(404, f"the reply is no chat completion: {completion!s:.200}")

    @property
    def refuses_parameters(self) -> bool:
        """Whether the request, as it was put, is refused."""
        return self.status in (400, 422)

    @property
    def refuses_content(self) -> bool:
        """Whether a filter of the server refuses what is asked, which is an answer, too."""
        return self.status in (400, 403) and ("content_filter" in self.code or "content_policy" in self.code)

    @property
    def may_pass(self) -> bool:
        """Whether another try may help."""
        if self.status is None:
            return True
        # Some servers answer 500 to roles that their chat template refuses.
        if "insufficient_quota" in self.code or (self.status == 500 and names_roles(self.words)):
            return False
        return self.status in _PASSING or self.status >= 500

    @property
    def hint(self) -> str:
        """What to do about it; empty where the words say all."""
        if self.status is None:
            return "raise timeout= or lower concurrency=" if self.code == "timeout" else "is the server running?"
        if "insufficient_quota" in self.code:
            return "the account has no credit left"
        return _HINTS.get(self.status, "")


def names_roles(words: str) -> bool:
    """Whether a refusal is about the roles of messages, as chat templates without a system role word it."""
    return re.search(r"system (?:role|message|prompt|instruction)|roles? must|role alternat", words, re.I) is not None


def _seconds(headers: Mapping[str, str]) -> float | None:
    """``Retry-After``: seconds or a date (RFC 9110, section 10.2.3)."""
    text = headers.get("retry-after", "")
    try:
        wait = float(text)
    except ValueError:
        date = email.utils.parsedate_tz(text)
        if date is None:
            return None
        wait = email.utils.mktime_tz(date) - time.time()
    return max(0.0, wait) if math.isfinite(wait) else None
