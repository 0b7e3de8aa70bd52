"""Settings of transformers' continuous batching that fit a handful of prompts. Runs nothing."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Mapping, Sequence
from math import ceil
from typing import Any

import torch

from pyvalue.errors import ModelError
from pyvalue.models.continuous_hook import sharing_is_known

#: Options of ``transformers``' ``generate`` that its continuous batching honours.
SAMPLING = ("do_sample", "temperature", "top_k", "top_p", "num_return_sequences", "eos_token_id")

# On a CPU transformers would plan for 60% of all memory, masks included.
_CPU_PAGE = 32
_CPU_BATCH_TOKENS = 512
_CPU_CACHE_TOKENS = 16384

_MOST_REQUESTS = 1024  # in a batch, as transformers has it


def generation_config(network: Any, max_new_tokens: int, options: Mapping[str, Any]) -> Any:
    """The model's own ``GenerationConfig`` with ``options``.

    Raises:
        ValueError: an option is not among ``SAMPLING``, or one that continuous batching would drop is set in the model.
    """
    unknown = sorted(set(options) - set(SAMPLING))
    if unknown:
        raise ValueError(
            f"{', '.join(unknown)}: not an option of continuous batching, which takes max_new_tokens, seed, batching, "
            f"{', '.join(SAMPLING)}; use model.generate(...) for others."
        )
    idle = [name for name in ("temperature", "top_k", "top_p") if name in options]
    if idle and not options.get("do_sample", network.generation_config.do_sample):
        raise ValueError(f"{', '.join(idle)}: of no effect without sampling; pass do_sample=True as well.")
    config = copy.deepcopy(network.generation_config)
    config.update(max_new_tokens=max_new_tokens, **options)
    if config.eos_token_id is None:
        config.eos_token_id = -1  # as transformers spells "none" here
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about inputs that are not given here
        processors = network._get_logits_processor(config)  # as the manager of transformers asks for them
    names = [type(found).__name__ for found in processors if _is_dropped(found)]
    if names:
        raise ValueError(
            f"the model's generation_config asks for {', '.join(names)}, which continuous batching would leave out; "
            "unset it there, or use model.generate(...)."
        )
    return config


def _is_dropped(processor: Any) -> bool:
    return getattr(processor, "supports_continuous_batching", None) is False


def batching_config(batching: Any, needed: Sequence[int], device: torch.device, seed: int | None) -> Any:
    """A ``ContinuousBatchingConfig``: the one given, or one for requests of ``needed`` tokens each.

    Raises:
        TypeError: ``batching`` is something else.
        ModelError: transformers has no continuous batching.
    """
    try:
        from transformers import ContinuousBatchingConfig
        from transformers.generation.continuous_batching.cache import PagedAttentionCache
    except ImportError as fault:
        raise ModelError(
            "continuous batching needs transformers 5.17 or later; run: pip install -U transformers, or use "
            "model.generate(...)."
        ) from fault
    if batching is not None and not isinstance(batching, ContinuousBatchingConfig):
        raise TypeError(
            f"batching must be a transformers.ContinuousBatchingConfig, got {type(batching).__name__} {batching!r}."
        )
    if batching is not None:
        config = copy.deepcopy(batching)
    elif device.type == "cpu":
        blocks = [ceil(tokens / _CPU_PAGE) for tokens in needed]
        config = ContinuousBatchingConfig(
            num_blocks=max(*blocks, min(sum(blocks), _CPU_CACHE_TOKENS // _CPU_PAGE)) + 1,
            max_batch_tokens=_CPU_BATCH_TOKENS,
            max_requests_per_batch=min(len(needed), _CPU_BATCH_TOKENS),
        )
        setattr(config, _page_name(config), _CPU_PAGE)
    else:
        config = ContinuousBatchingConfig(max_requests_per_batch=min(len(needed), _MOST_REQUESTS))
    if seed is not None:
        config.seed = seed
    if not sharing_is_known(PagedAttentionCache):
        config.allow_block_sharing = False
    return config


def cache_tokens(config: Any) -> int:
    """Tokens that fit into the cache of a resolved ``ContinuousBatchingConfig``."""
    return int(config.num_blocks) * int(getattr(config, _page_name(config)))


def _page_name(config: Any) -> str:
    """transformers 5.17 calls a page's tokens ``block_size``."""
    return "page_size" if hasattr(config, "page_size") else "block_size"
