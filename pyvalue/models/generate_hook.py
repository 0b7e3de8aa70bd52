"""Follow ``generate`` of a transformers model: which tokens are prompt, which are new, in every pass. Edits nothing.

``generate`` may compile its decoding steps, and Python hooks do not run in compiled code. What a step needs is
therefore decided in ``prepare_inputs_for_generation``, which ``generate`` calls before every pass.
"""

from __future__ import annotations

import functools
from typing import Any, Protocol

import torch
from torch import nn

from pyvalue.errors import ModelError
from pyvalue.models.placement import places_from_mask

PACKED = (
    "continuous batching packs the tokens of many prompts, so that edits made by model.edit(...) cannot tell which "
    "tokens are theirs: call model.generate_batch(prompts, edits), outside of the with block."
)


class Placed(Protocol):
    """What is told where the tokens of each pass stand; ``hook.ResidualEdits`` is one."""

    def begin(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> None:
        """New prompts (b, s)."""

    def assign(self, position: torch.Tensor, valid: torch.Tensor) -> None:
        """A pass over tokens at these positions (rows, s) of the prompts."""

    def end(self, failed: bool = False) -> None:
        """The last pass is over."""

    def check(self) -> None:
        """All passes went well."""


class GenerateHook:
    """Wraps ``generate`` and ``prepare_inputs_for_generation`` of one model object until ``remove``.

    Refuses ``generate_batch``, which goes through ``init_continuous_batching`` whoever calls it.
    """

    def __init__(self, model: nn.Module, placed: Placed) -> None:
        self.running = False
        self._model: Any = model
        self._placed = placed
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
        ids = args[0] if args else kwargs.get("inputs", kwargs.get("input_ids"))
        if ids is not None and not isinstance(ids, torch.Tensor):
            raise TypeError(f"inputs must be a tensor of token ids, got {type(ids).__name__}.")
        if ids is None:
            raise TypeError("generate under edits needs token ids; inputs_embeds alone cannot be placed.")
        mask = kwargs.get("attention_mask")
        if mask is None:
            mask = kwargs["attention_mask"] = self._inferred_mask(ids, kwargs)
        if mask.shape[1] != ids.shape[1]:
            raise ValueError(
                f"attention_mask has {mask.shape[1]} columns, but input_ids {ids.shape[1]}: under edits give the whole "
                "text, the part that past_key_values holds included."
            )
        self._placed.begin(ids, mask)
        self.running = True
        try:
            result = inner(*args, **kwargs)
        except BaseException:
            self._placed.end(failed=True)
            raise
        finally:
            self.running = False
        self._placed.end()
        self._placed.check()
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
            position, valid = places_from_mask(mask, seq)
        else:
            position = inputs["position_ids"].expand(rows, seq)
            valid = torch.ones(rows, seq, dtype=torch.bool, device=position.device)
        self._placed.assign(position, valid)
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
