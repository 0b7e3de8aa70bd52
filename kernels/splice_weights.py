"""The weights of a whole SAE, laid out as the splice kernels read them. Knows nothing of SAE files."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import torch

from .edit_table import NORM_CONSTANT, NORM_LAYER, NORM_NONE


@dataclass(frozen=True, eq=False)
class SpliceWeights:
    """An SAE of ``f`` features on a residual stream of width ``d``.

    Feature ``j`` has the activation ``a = relu(u * gain[j] + offset[j]) if u > threshold[j] else 0`` where
    ``u = normalised(x) @ encoder[j] + bias[j]``, and of a TopK SAE 0 unless ``u`` is among the ``k`` largest. ReLU has
    none of threshold, gain and offset; JumpReLU has a threshold; a gated SAE has gain and offset (threshold None is 0).
    The reconstruction is ``(a @ decoder + decoder_bias) * scale + mean``, scale and mean being those of ``x`` that the
    normalisation took out.

    Attributes:
        encoder: (f, d) encoder, stored transposed, float. On CUDA in bfloat16 or float16, the type of the residual
            stream, for speed.
        bias: (f,) encoder bias with the decoder bias folded in where the SAE subtracts it, float32 for precision.
        decoder: (f, d) decoder rows, the type of ``encoder``.
        decoder_bias: (d,) float.
        threshold: (f,) the activation is 0 unless ``u`` is strictly above it; None for 0.
        gain: (f,) slope of the activation; None for 1.
        offset: (f,) offset of the activation; None for 0.
        k: active features of a TopK SAE, 0 for any other.
        norm: ``NORM_NONE``, ``NORM_LAYER`` or ``NORM_CONSTANT`` of ``edit_table``.

    Raises:
        ValueError: a tensor has the wrong shape, type or device, a code is unknown, or ``k`` does not fit.
    """

    encoder: torch.Tensor
    bias: torch.Tensor
    decoder: torch.Tensor
    decoder_bias: torch.Tensor
    threshold: torch.Tensor | None = None
    gain: torch.Tensor | None = None
    offset: torch.Tensor | None = None
    k: int = 0
    norm: int = NORM_NONE

    def __post_init__(self) -> None:
        if self.encoder.ndim != 2 or self.encoder.shape[0] == 0:
            raise ValueError(f"encoder must be (f, d) with f >= 1, got shape {tuple(self.encoder.shape)}.")
        f, d = self.encoder.shape
        shapes = {"encoder": (f, d), "decoder": (f, d), "decoder_bias": (d,)}
        for name, tensor in self._tensors().items():
            wanted = shapes.get(name, (f,))
            if tensor.shape != wanted:
                raise ValueError(
                    f"{name} has shape {tuple(tensor.shape)}, but encoder {(f, d)} calls for {wanted}; encoder and "
                    "decoder are both (f, d)."
                )
            if not tensor.is_floating_point():
                raise ValueError(f"{name} must be floating point, got {tensor.dtype}.")
            if tensor.device != self.encoder.device:
                raise ValueError(f"{name} is on {tensor.device}, but encoder on {self.encoder.device}; move it there.")
            # The kernels walk these with unit strides.
            object.__setattr__(self, name, tensor.contiguous())
        if self.decoder.dtype != self.encoder.dtype:
            raise ValueError(f"decoder is {self.decoder.dtype}, but encoder {self.encoder.dtype}; give both one type.")
        if (self.gain is None) != (self.offset is None):
            raise ValueError("gain and offset come together: give both (a gated SAE) or neither.")
        if self.norm not in (NORM_NONE, NORM_LAYER, NORM_CONSTANT):
            raise ValueError(f"norm must be 0 (none), 1 (layer norm) or 2 (constant norm), got {self.norm!r}.")
        if not 0 <= self.k <= f:
            raise ValueError(f"k must be from 0 (no TopK SAE) to {f}, the number of features, got {self.k}.")
        if self.k and (self.threshold is not None or self.gain is not None):
            raise ValueError(f"A TopK SAE (k = {self.k}) has neither threshold nor gain and offset; give None.")

    @property
    def n_features(self) -> int:
        """Number of features ``f``."""
        return self.encoder.shape[0]

    @property
    def d_model(self) -> int:
        """Width ``d`` of the residual stream."""
        return self.encoder.shape[1]

    def to(self, device: torch.device | str | None = None, dtype: torch.dtype | None = None) -> SpliceWeights:
        """The same SAE on ``device``, encoder and decoder in ``dtype``; biases and thresholds keep their type."""
        moved = {
            name: tensor.to(device=device, dtype=dtype if name in ("encoder", "decoder") else None)
            for name, tensor in self._tensors().items()
        }
        return replace(self, **moved)

    def _tensors(self) -> dict[str, torch.Tensor]:
        named = {entry.name: getattr(self, entry.name) for entry in fields(self)}
        return {name: value for name, value in named.items() if isinstance(value, torch.Tensor)}
