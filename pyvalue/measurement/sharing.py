"""How much of a model's prompts is computed once: as much as leaves its answers as they are.

Not every model can go on from a computed beginning. Windows and chunks of attention count the padding between it and
the rest of a prompt, ALiBi too, and recurrent states take it in. So a made-up case is tried once a model.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np

from pyvalue.errors import ModelError
from pyvalue.measurement.lower_layers import LowerLayers
from pyvalue.measurement.shared_passes import SharedPasses, check_unedited
from pyvalue.measurement.shared_tokens import Family, Segment, SharedTokens, share_tokens, whole_prompts
from pyvalue.models.loading import LanguageModel
from pyvalue.models.memory import is_memory_fault
from pyvalue.models.prompt_tokens import check_length

if TYPE_CHECKING:
    import torch

# Whether a model may share beginnings, with padding before the rest and without, as far as it was tried.
_tried: WeakKeyDictionary[Any, dict[bool, bool]] = WeakKeyDictionary()
# Tokens of the made-up beginning, and of every stem with its tails. Of different lengths, each prompt is padded
# before its stem or its tail.
_BEGINNING = 24
_PADDED = ((8, (1, 5)), (3, (24, 4)))
_EQUAL = ((0, (12,)), (0, (12,)))
# Tokens of the longest made-up prompt with its padding, which has to fit into a window, too.
_LONGEST = 24 + 8 + 24


def take_apart(
    model: LanguageModel, rows: Sequence[Segment], most: int | None = None, stems: bool = True
) -> SharedTokens:
    """``share_tokens`` as far as the model's answers stay what they are for whole prompts.

    Args:
        model: that will run them.
        rows: the prompts.
        most: longest beginning; default as long as it is shared.
        stems: look for stems too.

    Raises:
        ModelError: the model has no positions for a prompt, is in training mode or inside of an edit block.

    Warns:
        UserWarning: the model cannot go on from a computed beginning; once a model.
    """
    longest = max(map(len, rows))
    check_length(model.network, longest)
    tried = max(longest, _LONGEST)
    padding = tried <= _shortest_window(model)
    if not _may_share(model, padding, tried):
        return whole_prompts(rows)
    return share_tokens(rows, most, stems and padding, padding)


def _shortest_window(model: LanguageModel) -> float:
    """Tokens of the shortest window or chunk that the model's config names."""
    found = [
        value
        for name, value in vars(model.network.config.get_text_config()).items()
        if ("window" in name or "chunk" in name)
        and type(value) is int
        and value > 0
        # Qwen 2's max_window_layers counts layers.
        and "layer" not in name
    ]
    return min(found, default=float("inf"))


def _may_share(model: LanguageModel, padding: bool, longest: int) -> bool:
    """With padding, or without it in prompts of ``longest`` tokens, which are longer than a window then."""
    import torch

    from pyvalue.models.one_thread import alone_with

    with alone_with(model.network), torch.inference_mode():
        check_unedited(model)
        known = _tried.setdefault(model.network, {})
        if padding not in known:
            fault = _fault(model, padding, longest)
            if fault is None:
                return False
            if fault and False not in known.values():
                warnings.warn(
                    f"{model.name} is asked without shared beginnings, which is slower: {fault}. Its prompts run "
                    "whole, in batches of equal length.",
                    stacklevel=5,
                )
            known[padding] = not fault
        return known[padding]


def _fault(model: LanguageModel, padding: bool, longest: int) -> str | None:
    """Why the model cannot share beginnings; empty where it can, None where there is no memory to try it."""
    import torch

    beginning = _BEGINNING if padding else longest - 12
    shared = _made_up(model, beginning, _PADDED if padding else _EQUAL, padding)
    try:
        found = _logits(model, shared)
        expected = torch.cat([_logits(model, one) for one in _each_whole(shared)])
    except Exception as fault:  # whatever a model of an unknown kind makes of a cache that is not its own
        if is_memory_fault(fault) or isinstance(fault, ModelError):
            return None
        return f"it cannot go on from a computed beginning ({type(fault).__name__}: {fault!s:.100})"
    return "" if _agree(found, expected, model.n_layers) else "going on from a computed beginning changes its answers"


def _made_up(
    model: LanguageModel, beginning: int, families: Sequence[tuple[int, Sequence[int]]], padding: bool
) -> SharedTokens:
    """Prompts of random tokens."""
    random = np.random.default_rng(0)
    vocabulary = int(model.network.config.get_text_config().vocab_size)

    def segment(tokens: int) -> Segment:
        return Segment(random.integers(vocabulary, size=tokens), np.zeros((0, tokens), dtype=bool))

    start, found, number = segment(beginning), [], 0
    for stem, tails in families:
        numbers = tuple(range(number, number + len(tails)))
        found.append(Family(segment(stem), numbers, tuple(segment(tail) for tail in tails)))
        number += len(tails)
    return SharedTokens(start, tuple(found), padding)


def _each_whole(shared: SharedTokens) -> list[SharedTokens]:
    """Every prompt alone, sharing nothing."""
    found = []
    for family in shared.families:
        for tail in family.tails:
            ids = np.concatenate([shared.beginning.ids, family.stem.ids, tail.ids])
            found.append(whole_prompts([Segment(ids, np.zeros((0, len(ids)), dtype=bool))]))
    return found


def _logits(model: LanguageModel, shared: SharedTokens) -> torch.Tensor:
    """(prompts, vocabulary) of one batch, as ``SharedPasses`` computes them."""
    prompts = sum(len(family.tails) for family in shared.families)
    passes = SharedPasses(model, shared, prompts, 1, None, [], LowerLayers(model.network, [], stop=False), 0)
    return passes.batch(shared.families, passes.beginning())[:, -1]


def _agree(found: torch.Tensor, expected: torch.Tensor, layers: int) -> bool:
    """Whether logits (prompts, vocabulary) are the same up to rounding, by their spread over the vocabulary.

    Rounding adds up over the layers: the 30 of the bundled model are 0.03 to 0.06 off in bfloat16, 0.01 in float16 and
    1e-5 in float32. Padding that counts makes tiny random models 0.05 to 1.5 off in most prompts.
    """
    import torch

    eps = torch.finfo(found.dtype).eps
    found, expected = found.double(), expected.double()
    spread = (expected - expected.mean(dim=-1, keepdim=True)).square().mean(dim=-1).sqrt()
    off = (found - expected).square().mean(dim=-1).sqrt() / spread.clamp(min=1e-12)
    # In half precision rounding sends a token to another expert now and then, which is far off; padding that counts
    # is far off in every prompt.
    worst = off.max() if eps < 1e-5 else off.median()
    return bool(worst <= max(5e-3, 3 * eps * layers**0.5))
