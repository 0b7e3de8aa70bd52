"""Replace a residual stream by an SAE's reconstruction of it: Triton on CUDA, torch elsewhere.

Registered as ``torch.ops.pyvalue.sae_splice``, so that ``torch.compile`` keeps it and a CUDA graph can hold it.
"""

from __future__ import annotations

import torch

from .sae_splice_reference import sae_splice_reference
from .splice_weights import SpliceWeights

TRITON_DTYPES = (torch.float32, torch.float16, torch.bfloat16)


def sae_splice(x: torch.Tensor, weights: SpliceWeights, strength: torch.Tensor) -> torch.Tensor:
    """``x + strength[:, None] * (decode(encode(x)) - x)`` for tokens whose strength is not 0.

    Sums are in float32 (float64 for float64 ``x``) and rounded once. On CUDA, where residual and weights share a 16-bit
    type, it is also the type of what the encoder reads after a layer norm and, beyond 64 tokens, of the activations
    (not of a TopK SAE's); so the last bits of a token may depend on the number of tokens. On the same input the result
    is the same on every call. Differentiable in ``x`` and ``strength``, through the reference.

    Args:
        x: (t, d) residual stream, float; any strides, never written.
        weights: SAE of width ``d``, on the device of ``x``.
        strength: (t,) float32; 1 replaces the residual without the SAE's error, 0 leaves it alone.

    Returns:
        (t, d), a new tensor in the dtype of ``x``. Tokens of strength 0 are bit-identical to ``x``.

    Raises:
        ValueError: a shape, dtype or device does not fit.
    """
    _check(x, weights, strength)
    if torch.is_grad_enabled() and (x.requires_grad or strength.requires_grad):
        return sae_splice_reference(x, weights, strength)
    result: torch.Tensor = _sae_splice_op(
        x, strength, weights.encoder, weights.bias, weights.decoder, weights.decoder_bias,
        weights.threshold, weights.gain, weights.offset, weights.k, weights.norm,
    )  # fmt: skip
    return result


@torch.library.custom_op(
    "pyvalue::sae_splice",
    mutates_args=(),
    schema="(Tensor x, Tensor strength, Tensor encoder, Tensor bias, Tensor decoder, Tensor decoder_bias, "
    "Tensor? threshold, Tensor? gain, Tensor? offset, int k, int norm) -> Tensor",
)
def _sae_splice_op(
    x: torch.Tensor,
    strength: torch.Tensor,
    encoder: torch.Tensor,
    bias: torch.Tensor,
    decoder: torch.Tensor,
    decoder_bias: torch.Tensor,
    threshold: torch.Tensor | None,
    gain: torch.Tensor | None,
    offset: torch.Tensor | None,
    k: int,
    norm: int,
) -> torch.Tensor:
    weights = SpliceWeights(encoder, bias, decoder, decoder_bias, threshold, gain, offset, k, norm)
    if x.is_cuda and x.dtype in TRITON_DTYPES and encoder.dtype in TRITON_DTYPES:
        # Triton is imported late: it is absent on some CPU-only platforms and slow to import.
        from .sae_splice_triton import sae_splice_triton

        return sae_splice_triton(x, weights, strength)
    return sae_splice_reference(x, weights, strength)


@_sae_splice_op.register_fake
def _(x: torch.Tensor, strength: torch.Tensor, *weights: torch.Tensor | int | None) -> torch.Tensor:
    return torch.empty(x.shape, dtype=x.dtype, device=x.device)


def _check(x: torch.Tensor, weights: SpliceWeights, strength: torch.Tensor) -> None:
    if not x.is_floating_point():
        raise ValueError(f"x must be floating point, got {x.dtype}.")
    if x.ndim != 2 or x.shape[1] != weights.d_model:
        raise ValueError(f"x must be (t, {weights.d_model}) for this SAE, got shape {tuple(x.shape)}.")
    if strength.dtype != torch.float32 or strength.shape != x.shape[:1]:
        raise ValueError(
            f"strength must be float32 ({x.shape[0]},), one a token, got {strength.dtype} {tuple(strength.shape)}."
        )
    for name, device in (("weights", weights.encoder.device), ("strength", strength.device)):
        if device != x.device:
            raise ValueError(f"{name} are on {device}, but x on {x.device}; move them there.")
