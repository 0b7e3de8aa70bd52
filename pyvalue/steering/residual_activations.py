"""The residual stream of a model over texts, token by token, in memory or in a file. Encodes and trains nothing.

Special tokens and the first token of every text are left out: their norms are orders of magnitude above the rest, and
an autoencoder that sees them spends itself on them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pyvalue.errors import ModelError
from pyvalue.models.loading import LanguageModel
from pyvalue.models.positions import special_ids


class _Caught(Exception):
    """Ends a forward pass at the layer whose output was wanted: the layers above cost as much again."""


def residual_activations(
    model: LanguageModel,
    texts: Sequence[str],
    layer: int,
    *,
    file: Path | None = None,
    memory_limit: int = 0,
    batch_size: int = 32,
    advance: Callable[[], None] | None = None,
) -> Any:
    """Output of a decoder layer at every ordinary token of ``texts``, in no particular order.

    Args:
        model: whose residual stream is read.
        texts: rendered, template included; nothing is added to them.
        layer: decoder layer, from 0.
        file: keep the activations in this ``.npy`` file, mapped into memory, where they exceed ``memory_limit``.
        memory_limit: bytes of activations kept in memory all the same.
        batch_size: texts a forward pass.
        advance: called after every text.

    Returns:
        float16 tensor (tokens, d_model) on the CPU.

    Raises:
        ModelError: an activation does not fit half precision.
    """
    import torch

    ids = [_token_ids(model, text) for text in texts]
    special = special_ids(model.tokenizer)
    ordinary = [[place > 0 and token not in special for place, token in enumerate(row)] for row in ids]
    shape = (sum(map(sum, ordinary)), model.d_model)
    rows: Any
    if file is not None and 2 * shape[0] * shape[1] > memory_limit:
        rows = np.lib.format.open_memmap(file, "w+", np.float16, shape)
    else:
        rows = np.empty(shape, np.float16)
    filled = 0
    # Batches of like length waste no padding; the longest come first, so that memory runs out at once or never.
    order = sorted((i for i in range(len(ids)) if any(ordinary[i])), key=lambda i: -len(ids[i]))
    for start in range(0, len(order), batch_size):
        batch = order[start : start + batch_size]
        hidden = _layer_output(model, [ids[i] for i in batch], layer)
        keep = torch.zeros(hidden.shape[:2], dtype=torch.bool)
        for row, i in enumerate(batch):
            keep[row, : len(ids[i])] = torch.tensor(ordinary[i])
        found = hidden[keep.to(hidden.device)].half().cpu().numpy()
        if not np.isfinite(found).all():
            raise ModelError(
                f"the output of layer {layer} of {model.name} does not fit half precision (beyond 65,504 or NaN); "
                "train on another layer"
            )
        rows[filled : filled + len(found)] = found
        filled += len(found)
        if advance:
            for _ in batch:
                advance()
    return torch.from_numpy(rows)


def shuffled_batches(activations: Any, batch: int, seed: int) -> Iterator[Any]:
    """Batches (batch, d) in float32 without end; every pass over the ``(n, d)`` activations has its own order."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    size = min(batch, len(activations))
    while True:
        order = torch.randperm(len(activations), generator=generator)
        for start in range(0, len(order) - size + 1, size):
            # Sorted, because a file is read faster in order; the order inside a batch means nothing.
            yield activations[order[start : start + size].sort().values].float()


def _token_ids(model: LanguageModel, text: str) -> list[int]:
    return list(model.tokenizer(text, add_special_tokens=False)["input_ids"])


def _layer_output(model: LanguageModel, ids: Sequence[Sequence[int]], layer: int) -> Any:
    """Hidden states (texts, longest, d_model) of right-padded ``ids``."""
    import torch

    from pyvalue.models.hook_points import decoder_layers

    longest = max(map(len, ids))
    padded = torch.zeros(len(ids), longest, dtype=torch.long)
    mask = torch.zeros_like(padded)
    for row, tokens in enumerate(ids):
        padded[row, : len(tokens)] = torch.tensor(tokens)
        mask[row, : len(tokens)] = 1
    found: list[Any] = []

    def catch(_module: Any, _inputs: Any, output: Any) -> None:
        found.append(output[0] if isinstance(output, tuple) else output)
        raise _Caught

    handle = decoder_layers(model.network)[layer].register_forward_hook(catch)
    try:
        with torch.inference_mode():
            model.network.base_model(
                input_ids=padded.to(model.device), attention_mask=mask.to(model.device), use_cache=False
            )
    except _Caught:
        pass
    finally:
        handle.remove()
    return found[0]
