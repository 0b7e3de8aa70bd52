"""A model that answers over the network, at OpenAI or at any server with its chat completions.

Its weights are out of reach: it can be asked, and told who to be, but its residual stream cannot be edited.
"""

from __future__ import annotations

import importlib.util
import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypedDict

from pyvalue.errors import ModelError
from pyvalue.extras import how_to_install
from pyvalue.models.chat import ChatReply, ChatRequest
from pyvalue.models.remote_calls import Calls
from pyvalue.models.remote_endpoint import Endpoint
from pyvalue.models.remote_failure import RemoteError
from pyvalue.models.remote_kept import KeptReplies
from pyvalue.models.remote_pace import Pace
from pyvalue.models.remote_parameters import AcceptedParameters
from pyvalue.models.remote_usage import Usage, dollars

#: what names of remote models begin with
PREFIX = "openai:"


class RemoteOptions(TypedDict, total=False):
    """Options of ``load_model`` for a remote model; see ``load_remote``."""

    base_url: str | None
    api_key: str | None
    concurrency: int
    timeout: float
    max_retries: int
    price: tuple[float, float] | None
    requests_per_minute: float | None
    extra_body: Mapping[str, Any] | None


@dataclass(frozen=True, eq=False)
class RemoteModel:
    """A model behind an OpenAI-compatible server; what opens it is not shown.

    Attributes:
        name: as ``load_model`` was given it, ``"openai:NAME"``; the ``model`` column of every answer.
        base_url: address of the server, without credentials and query.
        price: dollars per million tokens of prompts and of replies; None where none was given.
        calls: how it is called.
    """

    name: str
    base_url: str
    price: tuple[float, float] | None
    calls: Calls = field(repr=False)

    @property
    def usage(self) -> Usage:
        """Requests and tokens so far, as the server counts them."""
        return self.calls.usage

    @property
    def spent(self) -> float | None:
        """Dollars so far, by ``price`` and what the server counted; None without a price."""
        used = self.usage.so_far
        return dollars(self.price, used.prompt_tokens, used.completion_tokens)

    def sends(self, request: ChatRequest) -> dict[str, Any]:
        """The parameters with which a request is sent: without those that the server is known to refuse."""
        return self.calls.accepted.of(request)

    def facts(self) -> dict[str, Any]:
        """What a reader needs to know to repeat a run; no credentials."""
        facts = {"name": self.name, "base_url": self.base_url, "kind": "remote"}
        extra = {name: self.calls.endpoint.clean(str(value)) for name, value in self.calls.extra_body.items()}
        return {**facts, "extra_body": extra} if extra else facts

    def ask(self, requests: Sequence[ChatRequest]) -> list[ChatReply]:
        """Answer requests, several at once; works in notebooks, and Ctrl-C ends it within moments.

        Args:
            requests: any number.

        Returns:
            Replies in the order of the requests.

        Raises:
            RemoteError: a request failed, after retries where they may help (status 408, 409, 429, 5xx, no
                connection, no reply in time, a reply without message). The rest are given up; its ``replies`` hold
                those that had come in.

        Warns:
            UserWarning: the server refuses a parameter, which is left out or changed from then on.
        """
        try:
            return self.calls.run(requests) if requests else []
        finally:
            self._say_notes()

    def ask_each(self, requests: Sequence[ChatRequest]) -> list[ChatReply | RemoteError]:
        """Answer requests as ``ask`` does, but let one that the server refuses for what it says not end the others.

        When this fails or is interrupted, the replies that had come in are kept in memory, and the next call with the
        same requests does not ask them again.

        Args:
            requests: any number.

        Returns:
            Replies in the order of the requests; the error in place of one that is refused (status 400, 413 or 422,
            or no message in spite of retries).

        Raises:
            RemoteError: a request failed for another reason, or more than half of them, and more than two, are refused.

        Warns:
            UserWarning: the server refuses a parameter, which is left out or changed from then on.
        """
        try:
            return self.calls.run_each(requests) if requests else []
        finally:
            self._say_notes()

    def keep(self, requests: Sequence[ChatRequest], replies: Sequence[ChatReply | RemoteError]) -> None:
        """Keep replies that were paid for and not used; the next ``ask_each`` with such requests returns them."""
        for request, reply in zip(requests, replies, strict=True):
            if isinstance(reply, ChatReply):
                self.calls.kept.keep(request, reply)

    def _say_notes(self) -> None:
        for note in self.calls.accepted.take_notes():
            warnings.warn(f"model {self.name}: {note}", stacklevel=3)


def load_remote(
    name: str,
    *,
    base_url: str | None = None,
    api_key: str | None = None,
    concurrency: int = 8,
    timeout: float = 60.0,
    max_retries: int = 8,
    price: tuple[float, float] | None = None,
    requests_per_minute: float | None = None,
    extra_body: Mapping[str, Any] | None = None,
) -> RemoteModel:
    """A model behind an OpenAI-compatible server. Asks it nothing yet.

    Args:
        name: ``"openai:NAME"``, where NAME is what the server calls the model.
        base_url: address of the server, such as ``"http://localhost:8000/v1"``; default ``$OPENAI_BASE_URL``, else
            OpenAI's own.
        api_key: default ``$OPENAI_API_KEY``; a server on this machine needs none.
        concurrency: most requests in flight.
        timeout: seconds that one try may take.
        max_retries: further tries of a request that failed for a passing reason. Where the server does not say how
            long to wait, eight take between 68 and 92 s.
        price: dollars per million tokens of prompts and of replies.
        requests_per_minute: most requests that start in a minute, tries included; default no limit.
        extra_body: further fields of every request, such as ``{"reasoning_effort": "low"}``. They are part of the
            record of a run: put no secrets here.

    Raises:
        TypeError: a setting of another type.
        ValueError: a setting out of its range, or no address.
        ModelError: no key, or the package ``openai`` is missing.
    """
    model = name.removeprefix(PREFIX)
    if not model or not name.startswith(PREFIX):
        raise ValueError(f"name: expected '{PREFIX}' and what the server calls the model, got {name!r}")
    _check_number("concurrency", concurrency, least=1, whole=True)
    _check_number("max_retries", max_retries, least=0, whole=True)
    _check_number("timeout", timeout, above=0)
    if requests_per_minute is not None:
        _check_number("requests_per_minute", requests_per_minute, above=0)
    if price is not None:
        if not isinstance(price, Sequence) or isinstance(price, str) or len(price) != 2:
            raise ValueError(f"price: expected dollars per million tokens of prompts and of replies, got {price!r}")
        for each in price:
            _check_number("price", each, least=0)
        price = (float(price[0]), float(price[1]))
    if importlib.util.find_spec("openai") is None:
        raise ModelError(f"remote models need the package openai, which is missing; run: {how_to_install('remote')}")
    endpoint = Endpoint(base_url, api_key)
    calls = Calls(
        endpoint=endpoint,
        model=model,
        concurrency=concurrency,
        timeout=float(timeout),
        max_retries=max_retries,
        extra_body=dict(extra_body or {}),
        pace=Pace(requests_per_minute),
        accepted=AcceptedParameters(),
        usage=Usage(),
        kept=KeptReplies(),
    )
    return RemoteModel(name, endpoint.shown, price, calls)


def _check_number(
    name: str, value: Any, *, least: float = -math.inf, above: float = -math.inf, whole: bool = False
) -> None:
    if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
        raise TypeError(f"{name}: expected {'a whole number' if whole else 'a number'}, got {value!r}")
    if not math.isfinite(value) or value < least or value <= above:
        bound = f"of at least {least:g}" if least > -math.inf else f"above {above:g}"
        raise ValueError(f"{name}: expected a finite number {bound}, got {value!r}")
