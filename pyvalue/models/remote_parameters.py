"""Which parameters of a chat completion a server takes, learned from its refusals. Sends nothing.

Servers differ: newer models of OpenAI want ``max_completion_tokens`` and no temperature, many servers know no
log-probabilities, some no seed. A refused parameter is renamed, changed or left out from then on, and that is said.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pyvalue.models.chat import ChatRequest

_LENGTHS = ("max_tokens", "max_completion_tokens")
_REFUSED = re.compile(
    r"not (?:be )?(?:support|permit|allow|accept)|unsupported|unknown|unrecognized|unexpected|extra", re.I
)
_UPPER_BOUND = re.compile(
    r"(?:<=?|at most|maximum|less than|up to|between \d+ and|\[\d+,|no more than)\D{0,40}?(\d+)", re.I
)
_LOWER_BOUND = re.compile(r"(?:>=?|at least|minimum|greater than)\D{0,40}?(\d+)", re.I)
_MEANING = {
    "logprobs": "no probabilities are read",
    "top_logprobs": "no probabilities are read",
    "seed": "sampled answers cannot be repeated",
    "top_p": "answers are sampled from all tokens",
    "temperature": "the server's own temperature holds, at which answers vary",
}


class AcceptedParameters:
    """What one model takes; shared by all of its requests.

    Attributes:
        offers_logprobs: whether replies hold log-probabilities; None where nobody has found out.
    """

    def __init__(self) -> None:
        self.offers_logprobs: bool | None = None
        self._left_out: set[str] = set()
        self._taken: set[tuple[str, Any]] = set()
        self._length = _LENGTHS[0]
        self._least_tokens = 1
        self._most_logprobs: int | None = None
        self._notes: list[str] = []

    def of(self, request: ChatRequest) -> dict[str, Any]:
        """The parameters of a request in this server's terms."""
        wanted: dict[str, Any] = {
            self._length: max(request.max_tokens, self._least_tokens),
            "temperature": request.temperature,
        }
        if request.top_p < 1:
            wanted["top_p"] = request.top_p
        if request.seed is not None:
            wanted["seed"] = request.seed
        if request.top_logprobs:
            wanted["logprobs"] = True
            wanted["top_logprobs"] = min(request.top_logprobs, self._most_logprobs or request.top_logprobs)
        return {name: value for name, value in wanted.items() if name not in self._left_out}

    def learn(self, sent: Mapping[str, Any], words: str, named: str | None) -> bool:
        """Take in a refusal.

        What the server has taken once is no reason for a refusal, unless it says so apart: words may be those of the
        question.

        Args:
            sent: parameters that were refused.
            words: of the server.
            named: the parameter that it blames, where it says so apart.

        Returns:
            Whether the request is worth another try.
        """
        name = named if named in sent else _first_named(sent, words)
        if name is None or (name != named and _value(name, sent[name]) in self._taken):
            return False
        if name in _LENGTHS:
            return self._learn_length(name, int(sent[name]), words)
        if name == "top_logprobs" and (bound := _UPPER_BOUND.search(words)):
            most = int(bound[1])
            if 2 <= most < sent[name]:
                self._most_logprobs = most
                self._notes.append(f"at most {most} top_logprobs are offered; p(yes) sums over fewer tokens")
                return True
        self._left_out |= {"logprobs", "top_logprobs"} if name.endswith("logprobs") else {name}
        self._notes.append(f"{name} is refused and left out from now on: {_MEANING[name]} ({words:.200})")
        return True

    def note_taken(self, sent: Mapping[str, Any]) -> None:
        """Keep that the server has replied to a request with these parameters."""
        self._taken |= {_value(name, value) for name, value in sent.items()}

    def note_logprobs(self, offered: bool) -> None:
        """Keep whether replies hold log-probabilities; some servers take the parameter, and then send none."""
        self.offers_logprobs = offered
        if not offered:
            self._left_out |= {"logprobs", "top_logprobs"}

    def take_notes(self) -> list[str]:
        """What was learned since the last call, to be said once."""
        notes, self._notes = self._notes, []
        return notes

    def _learn_length(self, name: str, sent: int, words: str) -> bool:
        bound = _LOWER_BOUND.search(words)
        if bound and sent < int(bound[1]) <= 64:
            self._least_tokens = int(bound[1])
            return True
        if name == _LENGTHS[0] and (_LENGTHS[1] in words or _REFUSED.search(words)):
            self._length = _LENGTHS[1]
            return True
        return False


def _value(name: str, value: Any) -> tuple[str, Any]:
    """Parameter and value; every question has its own seed, and a server that takes one takes all."""
    return name, None if name == "seed" else value


def _first_named(sent: Mapping[str, Any], words: str) -> str | None:
    found = {name: match.start() for name in sent if (match := re.search(rf"\b{name}\b", words))}
    return min(found, key=found.__getitem__) if found else None
