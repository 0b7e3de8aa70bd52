"""Probabilities of the next token of many prompts, in batches that fit into memory. Edits nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from pyvalue.models.memory import automatic_batch, batches_that_fit
from pyvalue.models.prompt_tokens import check_length, check_text

if TYPE_CHECKING:
    import torch

    from pyvalue.models.loading import LanguageModel


def next_token_chances(
    model: LanguageModel, prompts: Sequence[str], choices: Sequence[Sequence[int]], batch_size: int | None = None
) -> npt.NDArray[np.float64]:
    """Probability of each choice as the next token, (prompts, choices), over the whole vocabulary.

    Args:
        model: to ask.
        prompts: rendered, with special tokens written out.
        choices: token ids of every choice, whose probabilities are summed.
        batch_size: most prompts in one forward pass; default by the memory that is free.

    Raises:
        ModelError: memory runs out with one prompt, the model has no positions for one, or is in training mode.
        ValueError: ``batch_size`` < 1, or a prompt with half of a character.

    Warns:
        UserWarning: memory ran out, and batches are smaller from there on.
    """
    from pyvalue.models.one_thread import alone_with

    found = np.empty((len(prompts), len(choices)))
    if not prompts:
        return found
    if batch_size is not None and batch_size < 1:
        raise ValueError(f"batch_size: expected at least 1, got {batch_size}")
    for prompt in prompts:
        check_text(prompt)
    rows = [list(ids) for ids in model.tokenizer(list(prompts), add_special_tokens=False)["input_ids"]]
    order = sorted(range(len(rows)), key=lambda i: -len(rows[i]))
    longest = len(rows[order[0]])
    check_length(model.network, longest)

    def run(numbers: Sequence[int]) -> torch.Tensor:
        return _chances(model, [rows[i] for i in numbers], choices)

    size = batch_size or automatic_batch(model, longest)
    what = f"one prompt of up to {longest} tokens"
    with alone_with(model.network):
        for numbers, chances in batches_that_fit(order, size, run, what, stacklevel=4):
            found[list(numbers)] = chances.numpy()
    return found


def _chances(model: LanguageModel, rows: Sequence[Sequence[int]], choices: Sequence[Sequence[int]]) -> torch.Tensor:
    import torch

    width = max(map(len, rows))
    ids = torch.tensor([[0] * (width - len(row)) + list(row) for row in rows])
    mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows])
    positions = (mask.cumsum(dim=1) - 1).clamp(min=0)
    with torch.inference_mode():
        logits = model.network(
            input_ids=ids.to(model.device),
            attention_mask=mask.to(model.device),
            position_ids=positions.to(model.device),
            use_cache=False,
            logits_to_keep=1,
            return_dict=True,
        ).logits[:, -1]
        chances = torch.softmax(logits.float(), dim=-1).double()
        return torch.stack([chances[:, list(of)].sum(dim=-1) for of in choices], dim=-1).cpu()
