"""What texts cost a model: their perplexity after a prompt, and how far an edit bends the next token's distribution.

Reads texts that are there; writes none. Sums are in float64 and over the whole vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from pyvalue.models.edits import Edit
from pyvalue.models.loading import LanguageModel
from pyvalue.models.memory import batches_that_fit
from pyvalue.models.prompt_tokens import check_length

if TYPE_CHECKING:
    import torch

Floats = npt.NDArray[np.float64]

# Most bytes of logits of one batch, in float64; two such batches are held at a time.
_LOGITS_BYTES = 128 * 2**20


@dataclass(frozen=True)
class Condition:
    """Under what a text is read.

    Attributes:
        prompts: rendered, one a text: what stands before it.
        edits: of the residual stream, made together in prompt and text. The text counts as generated.
    """

    prompts: Sequence[str] = field(repr=False)
    edits: Sequence[Edit] = ()


def text_log_probabilities(
    model: LanguageModel, texts: Sequence[str], condition: Condition, batch_size: int | None = None
) -> list[Floats]:
    """log p of every token of every text, given its prompt and the tokens before it.

    Args:
        model: to read with.
        texts: continuations of the prompts, without special tokens; an empty one has no token.
        condition: prompts, and edits if any.
        batch_size: most texts in one forward pass; default what fits.

    Returns:
        One array of (tokens,) a text, in nats.

    Raises:
        ValueError: another number of texts than of prompts, none at all, or a prompt without tokens.
        ModelError: the model has no positions for a text, an edit does not fit it, or memory runs out.
    """
    found: list[Floats] = [np.zeros(0)] * len(texts)

    def read(numbers: Sequence[int], tokens: Sequence[Sequence[int]], told: Sequence[torch.Tensor]) -> None:
        import torch

        for number, row, logs in zip(numbers, tokens, told, strict=True):
            chosen = logs.gather(1, torch.tensor(row, device=logs.device).unsqueeze(1))
            found[number] = chosen.squeeze(1).cpu().numpy()

    _run(model, texts, [condition], lambda numbers, tokens, told: read(numbers, tokens, told[0]), batch_size)
    return found


def next_token_divergence(
    model: LanguageModel,
    texts: Sequence[str],
    steered: Condition,
    plain: Condition,
    batch_size: int | None = None,
) -> list[Floats]:
    """KL(steered ‖ plain) of the next token's distributions where each token of the texts is to come.

    Both conditions read the same texts, so that what differs is the condition and not what was written.

    Args:
        model: to read with.
        texts: continuations of the prompts, without special tokens.
        steered: prompts and edits whose distribution is weighed by.
        plain: prompts, and edits if any, that it is compared with.
        batch_size: most texts in one forward pass; default what fits.

    Returns:
        One array of (tokens,) a text, in nats, at least 0; infinite where ``plain`` rules a token out that ``steered``
        does not, NaN where the network under one of the conditions returns no numbers.

    Raises:
        ValueError: as ``text_log_probabilities``.
        ModelError: as ``text_log_probabilities``.
    """
    found: list[Floats] = [np.zeros(0)] * len(texts)

    def read(numbers: Sequence[int], tokens: Sequence[Sequence[int]], told: Sequence[Sequence[torch.Tensor]]) -> None:
        import torch

        for number, ours, theirs in zip(numbers, *told, strict=True):
            # A token that we give no probability adds nothing, whatever its log is multiplied with. NaN stays NaN.
            terms = torch.where(ours == -torch.inf, 0.0, ours.exp() * (ours - theirs))
            found[number] = terms.sum(dim=-1).clamp(min=0.0).cpu().numpy()

    _run(model, texts, [steered, plain], read, batch_size)
    return found


def _run(
    model: LanguageModel,
    texts: Sequence[str],
    conditions: Sequence[Condition],
    read: Callable[[Sequence[int], Sequence[Sequence[int]], Sequence[Sequence[torch.Tensor]]], None],
    batch_size: int | None,
) -> None:
    """Hand ``read`` the numbers of texts, their tokens, and for each condition their log-probabilities (tokens, v)."""
    from pyvalue.models.one_thread import alone_with

    if not texts:
        raise ValueError("texts: expected at least one, got none")
    if batch_size is not None and batch_size < 1:
        raise ValueError(f"batch_size: expected at least 1, got {batch_size}")
    tokens = [_ids(model, text) for text in texts]
    before = [_prompt_ids(model, condition, len(texts)) for condition in conditions]
    longest = max(len(p) + len(t) for prompts in before for p, t in zip(prompts, tokens, strict=True))
    check_length(model.network, longest)
    vocabulary = int(model.network.config.get_text_config().vocab_size)
    most = max(map(len, tokens))
    order = sorted((i for i, row in enumerate(tokens) if row), key=lambda i: -len(tokens[i]))
    size = batch_size or max(1, min(32, _LOGITS_BYTES // (8 * vocabulary * max(1, most))))

    def run(numbers: Sequence[int]) -> bool:
        rows = [tokens[i] for i in numbers]
        told = [
            _batch(model, [prompts[i] for i in numbers], rows, condition.edits)
            for prompts, condition in zip(before, conditions, strict=True)
        ]
        read(numbers, rows, told)
        return True

    with alone_with(model.network):
        for _ in batches_that_fit(order, size, run, f"one text of up to {longest} tokens with its prompt", 4):
            pass


def _batch(
    model: LanguageModel, prompts: Sequence[Sequence[int]], texts: Sequence[Sequence[int]], edits: Sequence[Edit]
) -> list[torch.Tensor]:
    """(tokens, vocabulary) float64 log-probabilities of every text.

    Two passes, prompts padded on the left and then texts on the right: an edit at generated tokens acts on what comes
    in a second pass.
    """
    import torch

    width = max(map(len, prompts))
    ids = torch.tensor([[0] * (width - len(row)) + list(row) for row in prompts], device=model.device)
    mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in prompts], device=model.device)
    longest = max(map(len, texts))
    # The last token of a text predicts what nobody asks about.
    fed = torch.tensor([[*row[:-1], *[0] * (longest - len(row))] for row in texts], device=model.device).long()
    fed_mask = torch.tensor([[1] * (len(row) - 1) + [0] * (longest - len(row)) for row in texts], device=model.device)
    with torch.inference_mode(), model.edit(list(edits)):
        positions = (mask.cumsum(dim=1) - 1).clamp(min=0)
        first = model.network(
            input_ids=ids, attention_mask=mask, position_ids=positions, use_cache=longest > 1, logits_to_keep=1
        )
        logits = [first.logits[:, -1:]]
        if longest > 1:
            both = torch.cat([mask, fed_mask.long()], dim=1)
            place = (both.cumsum(dim=1) - 1).clamp(min=0)[:, width:]
            later = model.network(
                input_ids=fed, attention_mask=both, position_ids=place, past_key_values=first.past_key_values
            )
            logits.append(later.logits)
        every = torch.cat(logits, dim=1)
        return [torch.log_softmax(every[row, : len(text)].double(), dim=-1) for row, text in enumerate(texts)]


def _ids(model: LanguageModel, text: str) -> list[int]:
    return list(model.tokenizer(text, add_special_tokens=False)["input_ids"])


def _prompt_ids(model: LanguageModel, condition: Condition, count: int) -> list[list[int]]:
    if isinstance(condition.prompts, str) or len(condition.prompts) != count:
        raise ValueError(f"prompts: expected one for each of {count} texts, got {len(condition.prompts)}")
    found = [_ids(model, prompt) for prompt in condition.prompts]
    if empty := [number for number, row in enumerate(found) if not row]:
        raise ValueError(f"prompts: expected texts with tokens, but prompt {empty[0]} has none")
    return found
