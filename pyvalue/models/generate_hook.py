"""Follow ``generate`` of a transformers model: which tokens are prompt, which are new, in every pass. Edits nothing.

``generate`` may compile its decoding steps, and Python hooks do not run in compiled code. What a step needs is
therefore decided in ``prepare_inputs_for_generation``, which ``generate`` calls before every pass.
"""

from __future__ import annotations

import functools
import threading
from typing import Any, Protocol
from weakref import WeakKeyDictionary

import torch
from torch import nn

from pyvalue.errors import ModelError
from pyvalue.models.placement import places_from_mask

PACKED = (
    "continuous batching packs the tokens of many prompts, so that edits made by model.edit(...) cannot tell which "
    "tokens are theirs: call model.generate_batch(prompts, edits), outside of the with block."
)
ALONE = "one model is edited by one thread at a time; give every thread a model of its own, or take turns."


class Block(Protocol):
    """What is told where the tokens of each pass stand; ``hook.ResidualEdits`` is one."""

    def begin(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> None:
        """New prompts (b, s)."""

    def assign(self, position: torch.Tensor, valid: torch.Tensor) -> None:
        """A pass over tokens at these positions (rows, s) of the prompts."""

    def end(self, failed: bool = False) -> None:
        """The last pass is over."""


class GenerateHook:
    """Wraps ``generate`` and ``prepare_inputs_for_generation`` of one model while any block edits it.

    Refuses ``generate_batch``, which goes through ``init_continuous_batching`` whoever calls it.

    Attributes:
        blocks: that edit the model, in the order in which they were entered.
        running: whether a ``generate`` is under way.
        thread: the one that may run the model meanwhile.
    """

    def __init__(self, model: nn.Module) -> None:
        self.blocks: list[Block] = []
        self.running = False
        self.thread = threading.get_ident()
        self._model: Any = model
        names = ("generate", "prepare_inputs_for_generation", "init_continuous_batching")
        self._before = {name: vars(model).get(name) for name in names}
        if hasattr(model, "generate"):
            self._wrap("generate", self._generate)
            self._wrap("prepare_inputs_for_generation", self._prepare)
        if hasattr(model, "init_continuous_batching"):
            self._wrap("init_continuous_batching", self._refuse)

    def remove(self) -> None:
        """Leave the model as it was."""
        for name, value in self._before.items():
            if value is not None:
                setattr(self._model, name, value)
            elif name in vars(self._model):
                delattr(self._model, name)

    def _wrap(self, name: str, replacement: Any) -> None:
        inner = getattr(self._model, name)
        setattr(self._model, name, functools.wraps(inner)(functools.partial(replacement, inner)))

    def _generate(self, inner: Any, *args: Any, **kwargs: Any) -> Any:
        if threading.get_ident() != self.thread:
            raise ModelError(ALONE)
        if self.running:
            raise ModelError(
                "generate was called within generate of the same model, as self-speculation does "
                "(assistant_early_exit, or the model as its own assistant_model): edits cannot tell prompts from "
                "drafts there; leave that out."
            )
        ids = args[0] if args and args[0] is not None else kwargs.get("inputs")
        ids = kwargs.get("input_ids") if ids is None else ids
        ids = _token_ids(ids, kwargs)
        mask = kwargs.get("attention_mask")
        if mask is None:
            mask = kwargs["attention_mask"] = self._inferred_mask(ids, kwargs)
        if mask.ndim != 2 or mask.shape[1] != ids.shape[1]:
            raise ValueError(
                f"attention_mask must be {tuple(ids.shape)} as input_ids are, got {tuple(mask.shape)}: under edits "
                "give the whole text, the part that past_key_values holds included."
            )
        blocks = tuple(self.blocks)
        for block in blocks:
            block.begin(ids, mask)
        self.running = True
        failed = True
        try:
            result = inner(*args, **kwargs)
            failed = False
        finally:
            self.running = False
            for block in blocks:
                block.end(failed)
        return result

    def _refuse(self, inner: Any, *args: Any, **kwargs: Any) -> Any:
        raise ModelError(PACKED)

    def _prepare(self, inner: Any, *args: Any, **kwargs: Any) -> Any:
        inputs = inner(*args, **kwargs)
        if not self.running:
            return inputs
        rows, seq = inputs["input_ids"].shape[:2]
        mask = kwargs.get("attention_mask")
        if mask is not None and mask.ndim == 2:
            position, valid = places_from_mask(mask, seq, mask.shape[1] - seq)
        else:
            position = inputs["position_ids"].expand(rows, seq)
            valid = torch.ones(rows, seq, dtype=torch.bool, device=position.device)
        for block in self.blocks:
            block.assign(position, valid)
        return inputs

    def _inferred_mask(self, ids: torch.Tensor, kwargs: dict[str, Any]) -> torch.Tensor:
        """As ``generate`` does itself: padding where the padding token occurs, unless that also ends a text."""
        config = kwargs.get("generation_config") or self._model.generation_config
        pad = kwargs.get("pad_token_id", config.pad_token_id)
        ends = kwargs.get("eos_token_id", config.eos_token_id)
        ends = ends if isinstance(ends, list | tuple) else [ends]
        if pad is None or pad in ends:
            return torch.ones_like(ids)
        found: torch.Tensor = (ids != pad).long()
        return found


_hooks: WeakKeyDictionary[nn.Module, GenerateHook] = WeakKeyDictionary()


def enter_block(model: nn.Module, block: Block) -> GenerateHook:
    """Follow ``generate`` of ``model`` for ``block`` too.

    Raises:
        ModelError: another thread edits the model.
    """
    hook = _hooks.get(model)
    if hook is not None and hook.thread != threading.get_ident():
        raise ModelError(ALONE)
    if hook is None:
        hook = _hooks[model] = GenerateHook(model)
    hook.blocks.append(block)
    return hook


def leave_block(model: nn.Module, block: Block) -> None:
    """Undo ``enter_block``, in any order; the model is as it was when the last block has left."""
    hook = _hooks[model]
    hook.blocks = [other for other in hook.blocks if other is not block]
    if not hook.blocks:
        hook.remove()
        del _hooks[model]


def is_edited(model: nn.Module) -> bool:
    """Whether some block edits ``model`` now."""
    return model in _hooks


def _token_ids(ids: Any, kwargs: dict[str, Any]) -> torch.Tensor:
    if ids is not None and not isinstance(ids, torch.Tensor):
        raise TypeError(f"inputs must be a tensor of token ids, got {type(ids).__name__}.")
    if ids is None or kwargs.get("inputs_embeds") is not None:
        raise TypeError("generate under edits needs token ids and no inputs_embeds, which cannot be placed.")
    return ids
