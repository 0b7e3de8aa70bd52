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

# 200: a reply without a message, which some servers send where a model behind them failed.
_PASSING = {200, 408, 409, 429}
# How servers refuse one request for what it says: its length, a character, a value.
_OF_ONE_REQUEST = {200, 400, 413, 422}
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
        of_one_request: whether this request is at fault, rather than the server, the key or the account.
        replies: by number of the request, those which had come in by then.
    """

    def __init__(self, message: str, status: int | None, words: str, of_one_request: bool = False) -> None:
        super().__init__(message)
        self.status = status
        self.words = words
        self.of_one_request = of_one_request
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
            return cls(fault.status_code, " ".join(str(words).split()), code, _blamed(fault.param, body), wait)
        cause = fault.__cause__ or fault
        return cls(None, f"{type(cause).__name__}: {cause}".strip(": "))

    @classmethod
    def of_body(cls, completion: Any) -> Failure:
        """From a reply with status 200 that is no chat completion; some servers put their errors there."""
        error = getattr(completion, "error", None)
        if isinstance(error, Mapping):
            code = str(error.get("code") or "")
            return cls(int(code) if code.isdecimal() else 503, str(error.get("message") or error), code)
        if error:
            return cls(503, str(error))
        if hasattr(completion, "choices"):
            return cls(200, "the reply holds no message", "empty")
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
    def of_one_request(self) -> bool:
        """Whether this request is at fault; credit that is used up is refused with the same status by some."""
        about_money = re.search(r"quota|billing|credit balance", f"{self.code} {self.words}", re.I)
        return self.status in _OF_ONE_REQUEST and not about_money

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


def _blamed(parameter: str | None, body: Mapping[str, Any]) -> str | None:
    """The parameter that an error names apart: as OpenAI does, or by its place, as pydantic does."""
    details = body.get("detail")
    first = details[0] if isinstance(details, list) and details else None
    place = first.get("loc") if isinstance(first, Mapping) else None
    if parameter is None and isinstance(place, list) and len(place) == 2 and place[0] == "body":
        return str(place[1])
    return parameter


def _seconds(headers: Mapping[str, str]) -> float | None:
    """``Retry-After``: seconds or a date (RFC 9110, section 10.2.3). ``retry-after-ms``, where sent, is finer."""
    text = headers.get("retry-after", "")
    try:
        finer = headers.get("retry-after-ms")
        wait = float(text) if finer is None else float(finer) / 1000
    except ValueError:
        date = email.utils.parsedate_tz(text)
        if date is None:
            return None
        wait = email.utils.mktime_tz(date) - time.time()
    return max(0.0, wait) if math.isfinite(wait) else None
