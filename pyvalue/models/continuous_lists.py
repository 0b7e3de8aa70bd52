"""Which list of edits each token of a continuous batch names: by request and position. Touches no model or cache."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pyvalue.errors import ModelError
from pyvalue.models.edit_lists import NO_LIST
from pyvalue.models.placement import Placement

# transformers 5.17 to 5.23: a forked request is named after its parent, a made-up one begins with "__warmup_".
_CHILD = "__child#"
_WARMUP = "__warmup_"


@dataclass(frozen=True)
class RequestLists:
    """Lists of the tokens of every request, whatever has happened to it.

    Positions count from the first token of the original prompt, whose length is kept here: a request that was evicted
    comes back with its generated tokens in its prompt, and they still count as generated.

    Attributes:
        prompts: request -> number of the list of each token of its prompt, -1 for none.
        generated: request -> list of every token after its prompt.
    """

    prompts: Mapping[str, Sequence[int]]
    generated: Mapping[str, int]
    _salts: dict[tuple[int, int], int] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, names: Sequence[str], placement: Placement) -> RequestLists:
        """Those of a batch of prompts, ``names`` being the requests' names in the order of its rows."""
        rows = zip(placement.prompt.tolist(), placement.length.tolist(), strict=True)
        prompts = {name: row[:length] for name, (row, length) in zip(names, rows, strict=True)}
        return cls(prompts, dict(zip(names, placement.generated.tolist(), strict=True)))

    def lists(self, request: str, start: int, tokens: int) -> list[int]:
        """Lists of so many tokens of a request from position ``start`` on.

        Plain numbers, not arrays: most requests of most batches have one token, and this runs before every pass.

        Raises:
            ModelError: nobody asked for this request.
        """
        prompt = self.prompts.get(request)
        if prompt is None:
            if request.startswith(_WARMUP):
                return [NO_LIST] * tokens
            parent = request.partition(_CHILD)[0]
            if parent == request:
                raise ModelError(
                    f"continuous batching runs the request {request!r}, whose edits are not known; add requests "
                    "through model.generate_batch(prompts, edits) only."
                )
            return self.lists(parent, start, tokens)
        if start >= len(prompt):
            return [self.generated[request]] * tokens
        found = list(prompt[start : start + tokens])
        return found + [self.generated[request]] * (tokens - len(found))

    def salted(self, request: str, token_ids: Sequence[int]) -> list[int]:
        """Numbers to hash instead of a request's first tokens: equal where tokens and edits are equal.

        Keys and values depend on both, so that blocks hashed by the tokens alone leak edits into other requests.
        Tokens without edits keep their number; others get one below -1 for every pair of token and list.
        """
        lists = self.lists(request, 0, len(token_ids))
        pairs = zip(token_ids, lists, strict=True)
        return [token if number == NO_LIST else self._salt(token, number) for token, number in pairs]

    def _salt(self, token: int, number: int) -> int:
        return self._salts.setdefault((token, number), -2 - len(self._salts))
