"""The edits of one residual stream, laid out as the kernels read them. Knows nothing of SAE files or prompts."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace

import torch

ADD = 0
"""Operation code: the residual gains ``strength`` times the decoder row."""
SET = 1
"""Operation code: the feature's activation becomes ``strength``; the rest of the residual is kept."""

NORM_NONE = 0
"""Normalisation code: the SAE reads the residual as it is."""
NORM_LAYER = 1
"""Normalisation code: the SAE reads ``(x - mean) / (std + LAYER_NORM_EPS)``, ``std`` being the unbiased one."""
NORM_CONSTANT = 2
"""Normalisation code: the SAE reads ``x * sqrt(d) / ||x||``."""
LAYER_NORM_EPS = 1e-5


@dataclass(frozen=True, eq=False)
class EditTable:
    """``k`` edits that act together on one residual stream of width ``d``.

    Edit ``e`` has the activation ``a = relu(u * gain + offset) if u > threshold else 0`` where
    ``u = normalised(x) @ encoder[e] + bias[e]``. ReLU is threshold 0, gain 1, offset 0; JumpReLU differs in the
    threshold; a gated SAE needs gain and offset too.

    Attributes:
        encoder: (k, d) encoder columns, stored transposed.
        bias: (k,) encoder bias with the decoder bias folded in, so that the kernel reads ``x`` only.
        threshold: (k,) the activation is 0 unless ``u`` is strictly above it.
        gain: (k,) slope of the activation.
        offset: (k,) offset of the activation.
        decoder: (k, d) decoder rows.
        op: (k,) int32, ``ADD`` or ``SET``.
        norm: (k,) int32, ``NORM_NONE``, ``NORM_LAYER`` or ``NORM_CONSTANT``.
        strength: (k,) added coefficient or wanted activation, in units of the decoder row.
        reads_activations: whether any edit needs its encoder. Derived.
        norm_codes: the distinct values of ``norm``, ascending. Derived.

    Raises:
        ValueError: a tensor has the wrong shape or an unknown code.
    """

    encoder: torch.Tensor
    bias: torch.Tensor
    threshold: torch.Tensor
    gain: torch.Tensor
    offset: torch.Tensor
    decoder: torch.Tensor
    op: torch.Tensor
    norm: torch.Tensor
    strength: torch.Tensor
    reads_activations: bool = field(init=False)
    norm_codes: tuple[int, ...] = field(init=False)

    def __post_init__(self) -> None:
        if self.decoder.ndim != 2 or self.decoder.shape[0] == 0:
            raise ValueError(f"decoder must be (k, d) with k >= 1, got shape {tuple(self.decoder.shape)}.")
        for entry in fields(self):
            if not entry.init:
                continue
            wanted = self.decoder.shape if entry.name in ("encoder", "decoder") else self.decoder.shape[:1]
            tensor: torch.Tensor = getattr(self, entry.name)
            if tensor.shape != wanted:
                raise ValueError(
                    f"{entry.name} has shape {tuple(tensor.shape)}, but decoder {tuple(self.decoder.shape)} calls for "
                    f"{tuple(wanted)}."
                )
            # The kernel walks these with unit strides.
            object.__setattr__(self, entry.name, tensor.contiguous())
        ops, norms = set(self.op.tolist()), set(self.norm.tolist())
        if not ops <= {ADD, SET}:
            raise ValueError(f"op must hold {ADD} (add) or {SET} (set), got {sorted(ops)}.")
        if not norms <= {NORM_NONE, NORM_LAYER, NORM_CONSTANT}:
            raise ValueError(f"norm must hold 0 (none), 1 (layer norm) or 2 (constant norm), got {sorted(norms)}.")
        object.__setattr__(self, "reads_activations", SET in ops)
        object.__setattr__(self, "norm_codes", tuple(sorted(norms)))

    @property
    def n_edits(self) -> int:
        """Number of edits ``k``."""
        return self.decoder.shape[0]

    @property
    def d_model(self) -> int:
        """Width ``d`` of the residual stream."""
        return self.decoder.shape[1]

    def to(self, device: torch.device | str) -> EditTable:
        """The same edits on ``device``; ``self`` where they are there already."""
        if self.decoder.device == torch.device(device):
            return self
        return replace(self, **{f.name: getattr(self, f.name).to(device) for f in fields(self) if f.init})
