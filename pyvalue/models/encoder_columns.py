"""What reads single features from the residual: encoder columns with every bias folded in. Encodes nothing itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import torch

from pyvalue.errors import ModelError

if TYPE_CHECKING:
    from pyvalue.models.sae import SAE

# Features folded at once: bounds the copy in double to d x 4096 x 8 bytes, 134 MB at width 4096.
_CHUNK = 4096


class EncoderColumn(NamedTuple):
    """One feature's encoder: ``a = relu(u * gain + offset) if u > threshold else 0``, ``u = x @ weight + bias``.

    ``x`` is the normalised residual (``SAE.normalise``); the decoder bias is folded into ``bias``. With ``k > 0`` the
    activation is besides 0 unless fewer than ``k`` other features of the SAE have a larger ``u``; who reads the column
    ranks, and leaves the feature itself out, whose ``u`` another product may round otherwise.
    """

    weight: torch.Tensor
    """(d_in,) float32"""
    bias: float
    threshold: float
    gain: float
    offset: float
    k: int = 0


class EncoderColumns(NamedTuple):
    """The encoders of n features, in the meaning of ``EncoderColumn``; float32 on the SAE's device."""

    weight: torch.Tensor
    """(n, d_in)"""
    bias: torch.Tensor
    """(n,)"""
    threshold: torch.Tensor
    """(n,)"""
    gain: torch.Tensor
    """(n,)"""
    offset: torch.Tensor
    """(n,)"""
    k: int = 0


def encoder_columns(sae: SAE, features: Sequence[int]) -> EncoderColumns:
    """Columns of ``features`` in their order; see ``SAE.encoder_columns``."""
    _refuse_signed(sae)
    index = torch.tensor(list(features), dtype=torch.long, device=sae.W_enc.device)
    weight = sae.W_enc.index_select(1, index).T.contiguous()
    gate = sae.b_enc[index].double()
    bias = gate - _shift(sae, weight)
    if sae.threshold is None:
        threshold = torch.zeros_like(bias)
    else:
        threshold = sae.threshold[index].double()
    gain, offset = torch.ones_like(bias), torch.zeros_like(bias)
    if sae.r_mag is not None and sae.b_mag is not None:
        # relu(p * gain + b_mag) in terms of u = p + gate, so that one dot product serves gate and magnitude.
        gain = sae.r_mag[index].double().exp()
        offset = sae.b_mag[index].double() - gate * gain
    return EncoderColumns(
        weight.float(), bias.float(), threshold.float(), gain.float(), offset.float(), sae.config.k or 0
    )


def folded_encoder(sae: SAE) -> tuple[torch.Tensor, torch.Tensor]:
    """The whole encoder; see ``SAE.folded_encoder``."""
    _refuse_signed(sae)
    weight = sae.W_enc.T.contiguous()
    return weight, (sae.b_enc.double() - _shift(sae, weight)).float()


def _shift(sae: SAE, weight: torch.Tensor) -> torch.Tensor | float:
    """(n,) double: what the decoder bias takes from the pre-activations of the columns ``weight`` (n, d)."""
    if not sae.config.apply_b_dec_to_input:
        return 0.0
    # In double: the fold cancels large terms where the decoder bias is large.
    b_dec = sae.b_dec.double()
    return torch.cat([part.double() @ b_dec for part in torch.split(weight, _CHUNK)])


def _refuse_signed(sae: SAE) -> None:
    if sae.config.architecture == "abstopk":
        raise ModelError(
            "A feature of an 'abstopk' SAE may be negative, which an encoder column cannot say; edits that read a "
            "feature work with standard, jumprelu, gated and topk SAEs. Op 'add' works with every SAE."
        )
