"""Where a remote model answers and what opens it; and what of that may be shown. Sends nothing."""

from __future__ import annotations

import base64
import contextlib
import ipaddress
import logging
import os
import re
from collections.abc import Iterator, Mapping
from urllib.parse import parse_qsl, unquote, urlsplit

from pyvalue.errors import ModelError

_OPENAI = "https://api.openai.com/v1"
#: what local servers, which ask for no key, are sent
NO_KEY = "none"
_HIDDEN = "[hidden]"
# Servers repeat keys in their errors, partly masked by stars.
_LOOKS_LIKE_A_KEY = re.compile(r"\b(?:sk|pk|key)-[\w*.-]{6,}|(?<=Bearer )\S+")
# Shorter values are no secrets, and hiding them would garble what a server says.
_SHORTEST = 4


class Endpoint:
    """An address with its credentials, which neither its repr nor its ``shown`` hold.

    Args:
        base_url: such as ``"http://localhost:8000/v1"``; default ``$OPENAI_BASE_URL``, else OpenAI's.
        api_key: default ``$OPENAI_API_KEY``; a server on this machine needs none, nor does an address with
            ``user:password@``.

    Attributes:
        shown: the address without credentials and query.
        query: of every request, from the address.
        headers: of every request, beside those of the client.
        key: sent as bearer token.

    Raises:
        ValueError: the address is none, or has a user beside ``api_key``.
        ModelError: no key.
    """

    def __init__(self, base_url: str | None, api_key: str | None) -> None:
        parts = urlsplit(base_url or os.environ.get("OPENAI_BASE_URL") or _OPENAI)
        try:
            host, port = parts.hostname or "", parts.port
        except ValueError:
            host, port = "", None
        if parts.scheme not in ("http", "https") or not host:
            raise ValueError("base_url: expected an address such as 'http://localhost:8000/v1', got another text")
        place = f"[{host}]" if ":" in host else host
        self.shown = f"{parts.scheme}://{place}{f':{port}' if port else ''}{parts.path.rstrip('/')}"
        self.query: Mapping[str, str] = dict(parse_qsl(parts.query, keep_blank_values=True))
        self.headers: Mapping[str, str] = {}
        secrets = [*self.query.values(), parts.query]
        if parts.username is not None:
            if api_key is not None:
                raise ValueError("api_key: expected none beside a base_url with a user; both would be one header")
            user, password = unquote(parts.username), unquote(parts.password or "")
            basic = base64.b64encode(f"{user}:{password}".encode()).decode()
            self.headers = {"Authorization": f"Basic {basic}"}
            secrets += [user, password, basic, parts.username, parts.password or ""]
            api_key = NO_KEY
        self.key = api_key or os.environ.get("OPENAI_API_KEY") or (NO_KEY if _is_loopback(host) else "")
        if not self.key:
            raise ModelError(f"no key for {self.shown}; set the environment variable OPENAI_API_KEY, or pass api_key=")
        if self.key != NO_KEY:
            secrets.append(self.key)
        self._secrets = sorted({text for text in secrets if len(text) >= _SHORTEST}, key=len, reverse=True)

    def clean(self, text: str) -> str:
        """A text without the credentials of this endpoint, nor what else looks like a key."""
        for secret in self._secrets:
            text = text.replace(secret, _HIDDEN)
        return _LOOKS_LIKE_A_KEY.sub(_HIDDEN, text)

    @contextlib.contextmanager
    def clean_logs(self) -> Iterator[None]:
        """Keep credentials out of what the HTTP client logs, which are whole addresses."""
        cleaner = _Cleaner(self)
        loggers = [logging.getLogger(name) for name in ("httpx", "httpx2", "openai._base_client")]
        for logger in loggers:
            logger.addFilter(cleaner)
        try:
            yield
        finally:
            for logger in loggers:
                logger.removeFilter(cleaner)

    def __repr__(self) -> str:
        return f"Endpoint({self.shown!r})"


class _Cleaner(logging.Filter):
    def __init__(self, endpoint: Endpoint) -> None:
        super().__init__()
        self._endpoint = endpoint

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = self._endpoint.clean(record.getMessage()), ()
        record.exc_info = None  # some versions of the client log exceptions, whose texts are whole addresses
        return True


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
