"""p(yes) and p(no) of one persona's questions, in two forward passes.

All prompts of a persona share a prefix (system message and persona). Its keys and values are computed once; the rest
of every question then runs as one left-padded batch on top of them. A batch never mixes personas, so an answer does
not depend on what else is in the study.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from pyvalue.errors import ModelError
from pyvalue.models.edit_lists import NO_LIST
from pyvalue.models.edits import Edit, special_ids, token_positions
from pyvalue.models.generate_hook import is_edited
from pyvalue.models.loading import LanguageModel

if TYPE_CHECKING:
    import torch

    from pyvalue.models.hook import ResidualEdits

_YES = ("Yes", " Yes", "yes", " yes", "YES", " YES")
_NO = ("No", " No", "no", " no", "NO", " NO")


@dataclass(frozen=True)
class YesNo:
    """Probabilities of the next token, one entry a prompt, float64 of shape (n,).

    Attributes:
        yes: summed over the surface forms of "yes".
        no: summed over the surface forms of "no".
    """

    yes: npt.NDArray[np.float64]
    no: npt.NDArray[np.float64]


def score_prompts(
    model: LanguageModel, prompts: Sequence[str], edits: Sequence[Edit] = (), batch_size: int = 64
) -> YesNo:
    """Probability that the model answers each prompt with yes, and with no.

    Args:
        model: to ask.
        prompts: rendered prompts; fastest when they share a long prefix.
        edits: of the residual stream, applied to every prompt.
        batch_size: most prompts in one forward pass.

    Raises:
        ModelError: the tokenizer has no single-token form of "yes" or "no".
        ValueError: no prompts, ``batch_size`` < 1, or an edit's text span is not in a prompt.
    """
    import torch

    if not prompts:
        raise ValueError("prompts: expected at least one, got none")
    if batch_size < 1:
        raise ValueError(f"batch_size: expected at least 1, got {batch_size}")
    if is_edited(model.network):
        raise ModelError(
            "the model is inside of an edit(...) block, which cannot follow prompts that share a computed beginning: "
            "pass the edits as an argument instead (edits=...)"
        )
    forms = [_token_ids(model.tokenizer, words) for words in (_YES, _NO)]
    rows = [_Row.of(model.tokenizer, prompt, edits) for prompt in prompts]
    shared = _shared_length(rows)
    both = np.empty((len(rows), 2))
    with torch.inference_mode(), model.edit(edits) as steer:
        prefix = _run_prefix(model, rows[0], shared, steer)
        for batch in _batches(model, rows, batch_size):
            logits = _run_rest(model, [rows[i] for i in batch], shared, prefix, steer)
            chances = torch.softmax(logits.float(), dim=-1)
            sums = torch.stack([chances[:, ids].sum(dim=-1) for ids in forms], dim=-1)
            both[batch] = sums.double().cpu().numpy()
    return YesNo(yes=both[:, 0], no=both[:, 1])


def _batches(model: LanguageModel, rows: Sequence[_Row], batch_size: int) -> list[list[int]]:
    """Numbers of the rows of every batch.

    Padding stands between the shared prefix and the rest of a prompt. A sliding window of attention counts it, so where
    a prompt is longer than the window, only prompts of equal length go together.
    """
    window = getattr(model.network.config.get_text_config(), "sliding_window", None)
    order = list(range(len(rows)))
    groups = [order]
    if window and max(len(row.ids) for row in rows) > window:
        lengths = sorted({len(row.ids) for row in rows})
        groups = [[i for i in order if len(rows[i].ids) == length] for length in lengths]
    return [group[i : i + batch_size] for group in groups for i in range(0, len(group), batch_size)]


@dataclass(frozen=True)
class _Row:
    """A tokenised prompt: token ids, and for each edit the tokens that it acts on (edits, tokens)."""

    ids: list[int]
    hit: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, tokenizer: Any, prompt: str, edits: Sequence[Edit]) -> _Row:
        encoded = tokenizer(prompt, add_special_tokens=False, return_offsets_mapping=True)
        if not len(encoded["input_ids"]):
            raise ValueError(f"prompts: expected texts of at least one token, got {prompt!r}")
        special = np.isin(encoded["input_ids"], list(special_ids(tokenizer)))
        masks = [token_positions(prompt, encoded["offset_mapping"], special, edit.positions) for edit in edits]
        hit = np.array(masks, dtype=bool).reshape(len(edits), len(special))
        return cls(list(encoded["input_ids"]), hit)


def _shared_length(rows: Sequence[_Row]) -> int:
    """Number of leading tokens that all rows share, short of the shortest row by one (its last token must run).

    They share a token only where the edits hit it alike: the last occurrence of a span, for example, is in the prefix
    of one prompt and in the question of another.
    """
    longest = min(len(row.ids) for row in rows) - 1
    first = rows[0]
    for position in range(longest):
        for row in rows:
            if row.ids[position] != first.ids[position] or (row.hit[:, position] != first.hit[:, position]).any():
                return position
    return longest


def _run_prefix(model: LanguageModel, row: _Row, shared: int, steer: ResidualEdits) -> Any:
    import torch

    if not shared:
        return None
    steer.use(torch.from_numpy(steer.numbers(row.hit[:, :shared])).unsqueeze(0))
    ids = torch.tensor([row.ids[:shared]], device=model.device)
    return model.network(input_ids=ids, use_cache=True, logits_to_keep=1).past_key_values


def _run_rest(
    model: LanguageModel, rows: Sequence[_Row], shared: int, prefix: Any, steer: ResidualEdits
) -> torch.Tensor:
    """Logits (rows, vocabulary) of the token after each prompt."""
    import torch

    width = max(len(row.ids) for row in rows) - shared
    ids = torch.zeros(len(rows), width, dtype=torch.long)
    mask = torch.ones(len(rows), shared + width, dtype=torch.long)
    lists = torch.full((len(rows), width), NO_LIST, dtype=torch.int32)
    for i, row in enumerate(rows):
        rest = len(row.ids) - shared
        ids[i, width - rest :] = torch.tensor(row.ids[shared:])
        mask[i, shared : shared + width - rest] = 0
        lists[i, width - rest :] = torch.from_numpy(steer.numbers(row.hit[:, shared:]))
    positions = (mask.cumsum(dim=1) - 1).clamp(min=0)[:, shared:]
    past = copy.deepcopy(prefix)
    if past is not None:
        past.batch_repeat_interleave(len(rows))
    steer.use(lists)
    output = model.network(
        input_ids=ids.to(model.device),
        attention_mask=mask.to(model.device),
        position_ids=positions.to(model.device),
        past_key_values=past,
        use_cache=past is not None,
        logits_to_keep=1,
    )
    return output.logits[:, -1]  # type: ignore[no-any-return]


def _token_ids(tokenizer: Any, words: Sequence[str]) -> list[int]:
    """Ids of the forms of a word that are one token."""
    found = []
    for word in words:
        ids = tokenizer.encode(word, add_special_tokens=False)
        if len(ids) == 1 and ids[0] != tokenizer.unk_token_id:
            found.append(ids[0])
    if not found:
        raise ModelError(f"the tokenizer has no single token for {words[0]!r}; score mode cannot ask this model")
    return sorted(set(found))
