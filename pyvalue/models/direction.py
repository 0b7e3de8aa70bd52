"""A direction of the residual stream that comes from no SAE, such as a difference of means. Computes none."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import cached_property

import torch

from pyvalue.errors import ModelError
from pyvalue.models.sae_config import SAEConfig


@dataclass(frozen=True, eq=False)
class Direction:
    """A vector ``(d,)`` at one place of the residual stream, for ``Edit(op="direction", direction=...)``.

    Attributes:
        vector: (d,) float, ``d`` being the width of the model.
        hook: where it is added, for example ``"blocks.12.hook_resid_post"`` (the output of layer 12, from 0).
        name: for labels and manifests.

    Raises:
        TypeError: ``vector`` is no tensor, or ``hook`` no string.
        ValueError: it is not one-dimensional, or holds NaN, infinity or zeros only.
        ModelError: ``hook`` is not a place of the residual stream.
    """

    vector: torch.Tensor = field(repr=False)
    hook: str
    name: str = "direction"

    def __post_init__(self) -> None:
        if not isinstance(self.vector, torch.Tensor):
            raise TypeError(f"vector must be a torch tensor, got {type(self.vector).__name__}; use torch.tensor(...).")
        if self.vector.ndim != 1 or not self.vector.is_floating_point():
            raise ValueError(
                f"vector must be (d,) floating point, got {self.vector.dtype} {tuple(self.vector.shape)}."
            )
        if not bool(torch.isfinite(self.vector).all()) or not bool(self.vector.any()):
            raise ValueError("vector must be finite and not all zeros.")
        object.__setattr__(self, "vector", self.vector.detach().float().clone())
        if not isinstance(self.hook, str):
            raise TypeError(
                f'hook must be a string such as "blocks.12.hook_resid_post", got {type(self.hook).__name__} '
                f"{self.hook!r}."
            )
        try:
            _ = self.place
        except ModelError:
            raise ModelError(
                f"hook is {self.hook!r}, expected blocks.L.hook_resid_post or blocks.L.hook_resid_pre, a place of the "
                "residual stream."
            ) from None

    @property
    def place(self) -> tuple[int, str]:
        """(layer, ``"resid_post"`` or ``"resid_pre"``)."""
        return SAEConfig("standard", self.d_in, 1, self.hook).residual_hook()

    @property
    def d_in(self) -> int:
        """Width ``d``."""
        return self.vector.shape[0]

    @cached_property
    def content_hash(self) -> str:
        """SHA-256 (hex) of place and float32 values, not of the name."""
        return hashlib.sha256(self.hook.encode() + self.vector.cpu().numpy().tobytes()).hexdigest()
