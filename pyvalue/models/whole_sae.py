"""What needs every feature of an SAE at once: ranks of TopK features, and splicing. Decides no positions."""

from __future__ import annotations

from collections.abc import Sequence
from weakref import WeakKeyDictionary

import torch

from pyvalue.kernels.sae_splice import sae_splice
from pyvalue.kernels.splice_weights import SpliceWeights
from pyvalue.kernels.topk_rank import topk_rank
from pyvalue.models.edit_rows import NORM_CODES, reads
from pyvalue.models.edits import Edit
from pyvalue.models.sae import SAE

Lists = Sequence[Sequence[int]]

# A whole SAE is large: it goes to a device once, not with every batch.
_encoders: WeakKeyDictionary[SAE, dict[torch.device, tuple[torch.Tensor, torch.Tensor]]] = WeakKeyDictionary()
_whole: WeakKeyDictionary[SAE, dict[torch.device, SpliceWeights]] = WeakKeyDictionary()


class RankedSAE:
    """Ranks the features of a TopK SAE that the edits of each token's list read."""

    def __init__(self, sae: SAE, device: torch.device) -> None:
        self.sae = sae
        kept = _encoders.setdefault(sae, {})
        if device not in kept:
            weight, bias = sae.folded_encoder()
            kept[device] = weight.to(device), bias.to(device)
        self._weight, self._bias = kept[device]
        # (lists + 1, longest list): the last row serves tokens without a list.
        self._features = torch.empty(0, 0, dtype=torch.int32, device=device)

    def load(self, edits: Sequence[Edit], lists: Lists, rows: int, columns: int) -> None:
        """Take the lists of positions in ``edits``; buffers of ``rows`` lists of at most ``columns`` edits."""
        features = torch.full((rows + 1, columns), -1, dtype=torch.int32)
        for i, row in enumerate(lists):
            for slot, number in enumerate(row):
                edit = edits[number]
                if edit.sae is self.sae and reads(edit) and edit.feature is not None:
                    features[i, slot] = edit.feature
        self._features = _put(features, self._features)

    def rank(self, hidden: torch.Tensor, token_list: torch.Tensor) -> torch.Tensor:
        """(b, s, m) int32 for a residual (b, s, d); 0 where an edit's feature is of another SAE."""
        read = self.sae.normalise(hidden).x.flatten(0, -2)
        found: torch.Tensor = topk_rank(read, self._weight, self._bias, self._features[token_list.flatten().long()])
        return found.view(*token_list.shape, -1)


class SplicedSAE:
    """Moves the residual to the SAE's reconstruction, by the share that each token's list asks for."""

    def __init__(self, sae: SAE, device: torch.device) -> None:
        self.sae = sae
        kept = _whole.setdefault(sae, {})
        if device not in kept:
            kept[device] = splice_weights(sae, device)
        self._weights = kept[device]
        self._share = torch.empty(0, device=device)

    def load(self, edits: Sequence[Edit], lists: Lists, rows: int) -> None:
        """Take the lists of positions in ``edits``; a buffer of ``rows`` lists."""
        share = torch.zeros(rows + 1)
        for i, row in enumerate(lists):
            share[i] = sum(edits[n].amount for n in row if edits[n].op == "splice" and edits[n].sae is self.sae)
        self._share = _put(share, self._share)

    def splice(self, hidden: torch.Tensor, edited: torch.Tensor, token_list: torch.Tensor) -> torch.Tensor:
        """``edited`` (b, s, d) with the splice of ``hidden`` (b, s, d) added where a list has one."""
        share = self._share[token_list.flatten().long()]
        spliced = sae_splice(hidden.flatten(0, -2), self._weights, share).view(hidden.shape)
        wide = torch.promote_types(hidden.dtype, torch.float32)
        moved = (edited.to(wide) + (spliced.to(wide) - hidden.to(wide))).to(hidden.dtype)
        return torch.where(share.view(token_list.shape).unsqueeze(-1) != 0, moved, edited)


def splice_weights(sae: SAE, device: torch.device | str) -> SpliceWeights:
    """The whole SAE as ``sae_splice`` reads it, on ``device``."""
    weight, bias = sae.folded_encoder()
    gated = sae.encoder_columns(range(sae.config.d_sae)) if sae.config.architecture == "gated" else None
    return SpliceWeights(
        encoder=weight.to(device),
        bias=bias.to(device),
        threshold=None if sae.threshold is None else sae.threshold.to(device),
        gain=None if gated is None else gated.gain.to(device),
        offset=None if gated is None else gated.offset.to(device),
        k=sae.config.k or 0,
        decoder=sae.W_dec.to(device).contiguous(),
        decoder_bias=sae.b_dec.to(device),
        norm=NORM_CODES[sae.config.normalize_activations],
    )


def _put(new: torch.Tensor, buffer: torch.Tensor) -> torch.Tensor:
    """``new`` on the device of ``buffer``: in its place where the shape is the same, so that its address stays."""
    if buffer.shape != new.shape:
        return new.to(buffer.device)
    buffer.copy_(new)
    return buffer
