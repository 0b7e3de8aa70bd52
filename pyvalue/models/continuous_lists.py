"""Which list of edits each token of a continuous batch names: by request and position. Touches no model or cache."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from pyvalue.errors import ModelError
from pyvalue.models.edit_lists import NO_LIST
from pyvalue.models.placement import Placement

Numbers = npt.NDArray[np.int32]

# transformers 5.17 to 5.23: a forked request is named after its parent, a made-up one begins with "__warmup_".
_CHILD = "__child#"
_WARMUP = "__warmup_"


@dataclass(frozen=True)
class RequestLists:
    """Lists of the tokens of every request, whatever has happened to it.

    Positions count from the first token of the original prompt, whose length is kept here: a request that was evicted
    comes back with its generated tokens in its prompt, and they still count as generated.

    Attributes:
        prompts: request -> (its prompt's tokens,) number of each token's list, -1 for none.
        generated: request -> list of every token after its prompt.
    """

    prompts: Mapping[str, Numbers]
    generated: Mapping[str, int]
    _salts: dict[tuple[int, int], int] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, names: Sequence[str], placement: Placement) -> RequestLists:
        """Those of a batch of prompts, ``names`` being the requests' names in the order of its rows."""
        rows, lengths = placement.prompt.cpu().numpy(), placement.length.tolist()
        prompts = {name: row[:n] for name, row, n in zip(names, rows, lengths, strict=True)}
        return cls(prompts, dict(zip(names, placement.generated.tolist(), strict=True)))

    def lists(self, request: str, start: int, tokens: int) -> Numbers:
        """(tokens,) lists of the tokens of a request from position ``start`` on.

        Raises:
            ModelError: nobody asked for this request.
        """
        if request.startswith(_WARMUP):
            return np.full(tokens, NO_LIST, dtype=np.int32)
        parent = request.partition(_CHILD)[0]
        if parent not in self.prompts:
            raise ModelError(
                f"continuous batching runs the request {request!r}, whose edits are not known; add requests through "
                "model.generate_batch(prompts, edits) only."
            )
        prompt = self.prompts[parent]
        found = np.full(tokens, self.generated[parent], dtype=np.int32)
        inside = prompt[start : start + tokens]
        found[: len(inside)] = inside
        return found

    def salted(self, request: str, token_ids: Sequence[int]) -> list[int]:
        """Numbers to hash instead of a request's first tokens: equal where tokens and edits are equal.

        Keys and values depend on both, so that blocks hashed by the tokens alone leak edits into other requests.
        Tokens without edits keep their number; others get one below -1 for every pair of token and list.
        """
        lists = self.lists(request, 0, len(token_ids))
        pairs = zip(token_ids, lists.tolist(), strict=True)
        return [token if number == NO_LIST else self._salt(token, number) for token, number in pairs]

    def _salt(self, token: int, number: int) -> int:
        return self._salts.setdefault((token, number), -2 - len(self._salts))
