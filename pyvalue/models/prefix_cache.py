"""The keys and values of one computed beginning, as the cache of many rows that go on from it. Runs no model."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch

# Layers of a transformers cache that hold nothing by row but their keys and values, (rows, heads, tokens, width).
_PLAIN = ("DynamicLayer", "DynamicSlidingWindowLayer")


def cache_of_rows(cache: Any, rows: Sequence[int]) -> Any:
    """A cache with a row for each of ``rows``, which may repeat; ``cache`` stays as it is.

    A row that is repeated for the whole batch is not copied: the forward pass appends to keys and values by making
    new ones.

    Args:
        cache: that a ``transformers`` model returned, or None for no beginning.
        rows: numbers of rows of ``cache``.
    """
    if cache is None:
        return None
    index = torch.tensor(rows)
    if not is_plain(cache):
        found = copy.deepcopy(cache)
        found.batch_select_indices(index)
        return found
    found = copy.copy(cache)
    found.layers = [copy.copy(layer) for layer in cache.layers]
    for layer in found.layers:
        if layer.get_seq_length() > 0:
            layer.keys, layer.values = _rows(layer.keys, index), _rows(layer.values, index)
    return found


def is_plain(cache: Any) -> bool:
    """Whether every layer holds its own keys and values, and nothing else."""
    layers = getattr(cache, "layers", None)
    return isinstance(layers, list) and all(type(layer).__name__ in _PLAIN for layer in layers)


def _rows(states: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
    if states.shape[0] == 1:
        return states.expand(len(index), -1, -1, -1)
    return states[index.to(states.device)]
