"""The edits of one residual stream, laid out as the kernels read them. Knows nothing of SAE files or prompts.

Three levels: *features* are directions with what reads them, *edits* say what happens to a feature, *lists* say which
edits act together. A token names its list by number, so the cost of a token depends on its own list only, however many
different lists a batch holds.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import torch

ADD = 0
"""Operation code: the residual gains ``strength`` times the decoder row."""
SET = 1
"""Operation code: the feature's activation becomes ``strength``."""
MIN = 2
"""Operation code: the activation becomes at least ``strength``."""
MAX = 3
"""Operation code: the activation becomes at most ``strength``."""
SCALE = 4
"""Operation code: the activation is multiplied by ``strength``."""
OPS = (ADD, SET, MIN, MAX, SCALE)

NORM_NONE = 0
"""Normalisation code: the SAE reads the residual as it is."""
NORM_LAYER = 1
"""Normalisation code: the SAE reads ``(x - mean) / (std + LAYER_NORM_EPS)``, ``std`` being the unbiased one."""
NORM_CONSTANT = 2
"""Normalisation code: the SAE reads ``x * sqrt(d) / ||x||``."""
NORMS = (NORM_NONE, NORM_LAYER, NORM_CONSTANT)
LAYER_NORM_EPS = 1e-5

READS = 1
"""Flag: some edit reads its feature's activation."""
NORMED = 2
"""Flag: some edit undoes a normalisation."""
RANKED = 4
"""Flag: some feature is active only among the top k of its SAE."""

_FEATURES = ("encoder", "bias", "threshold", "gain", "offset", "decoder")
_EDITS = ("feature", "op", "norm", "strength", "k")
_LISTS = ("list_start", "list_edit")


@dataclass(frozen=True, eq=False)
class EditTable:
    """``r`` features of width ``d``, ``e`` edits of them, and ``l`` lists of edits in compressed sparse rows.

    A feature has the activation ``a = relu(u * gain + offset) if u > threshold else 0`` where
    ``u = normalised(x) @ encoder + bias``. ReLU is threshold 0, gain 1, offset 0; JumpReLU differs in the threshold; a
    gated SAE needs gain and offset too. With ``k`` > 0 it is also 0 unless fewer than ``k`` features of its SAE have a
    larger ``u``.

    Attributes:
        encoder: (r, d) encoder columns, stored transposed.
        bias: (r,) encoder bias with the decoder bias folded in, so that the kernel reads ``x`` only.
        threshold: (r,) the activation is 0 unless ``u`` is strictly above it.
        gain: (r,) slope of the activation.
        offset: (r,) offset of the activation.
        decoder: (r, d) decoder rows.
        feature: (e,) int32, row of the feature that the edit changes.
        op: (e,) int32, one of ``OPS``.
        norm: (e,) int32, one of ``NORMS``.
        strength: (e,) float, in units of the decoder row.
        k: (e,) int32, 0 or the ``k`` of the feature's TopK SAE.
        list_start: (l + 1,) int32, where each list begins in ``list_edit``, and the end of the last.
        list_edit: (n,) int32, the edits of all lists.
        flags: sum of ``READS``, ``NORMED``, ``RANKED``: what a kernel must be ready for. Fixed buffers may say more
            than they hold.
    """

    encoder: torch.Tensor
    bias: torch.Tensor
    threshold: torch.Tensor
    gain: torch.Tensor
    offset: torch.Tensor
    decoder: torch.Tensor
    feature: torch.Tensor
    op: torch.Tensor
    norm: torch.Tensor
    strength: torch.Tensor
    k: torch.Tensor
    list_start: torch.Tensor
    list_edit: torch.Tensor
    flags: int

    @classmethod
    def of(cls, **tensors: torch.Tensor) -> EditTable:
        """A checked table; ``flags`` follow from the tensors. Reads them on the host, so make it on the CPU.

        Raises:
            ValueError: a tensor has the wrong shape, an unknown code, or an index out of range.
        """
        made = cls(**{name: tensor.contiguous() for name, tensor in tensors.items()}, flags=0)
        made._check()
        flags = READS * bool((made.op != ADD).any()) | NORMED * bool((made.norm != NORM_NONE).any())
        return replace(made, flags=flags | RANKED * bool((made.k > 0).any()))

    @classmethod
    def capacity(
        cls,
        d_model: int,
        features: int,
        edits: int,
        lists: int,
        entries: int,
        device: torch.device | str = "cpu",
        flags: int = READS | NORMED | RANKED,
        weights: torch.dtype = torch.float32,
    ) -> EditTable:
        """Empty buffers that ``load`` fills, and that keep their addresses from then on.

        Args:
            d_model: width of the residual stream.
            features: most features.
            edits: most edits.
            lists: most lists.
            entries: most edits of all lists together.
            device: where they live.
            flags: what loaded tables may need.
            weights: number format of encoder and decoder rows.
        """

        def wide(*shape: int) -> torch.Tensor:
            return torch.zeros(*shape, dtype=weights, device=device)

        def real(*shape: int) -> torch.Tensor:
            return torch.zeros(*shape, device=device)

        def whole(*shape: int) -> torch.Tensor:
            return torch.zeros(*shape, dtype=torch.int32, device=device)

        row, edit = (features,), (edits,)
        return cls(
            wide(features, d_model), real(*row), real(*row), real(*row), real(*row), wide(features, d_model),
            whole(*edit), whole(*edit), whole(*edit), real(*edit), whole(*edit),
            whole(lists + 1), whole(entries), flags,
        )  # fmt: skip

    def fits(self, other: EditTable) -> bool:
        """Whether ``load(other)`` would succeed."""
        room = all(b.shape[0] <= a.shape[0] for a, b in zip(self.tensors(), other.tensors(), strict=True))
        return room and other.d_model == self.d_model and other.flags & ~self.flags == 0

    def load(self, other: EditTable) -> None:
        """Copy ``other`` into the front of these buffers, in place.

        Raises:
            ValueError: it does not fit.
        """
        if not self.fits(other):
            raise ValueError(
                f"the buffers hold {self.n_features} features, {self.n_edits} edits and {self.n_lists} lists of width "
                f"{self.d_model} with flags {self.flags}, which is too little for {other.n_features}, "
                f"{other.n_edits}, {other.n_lists}, {other.d_model}, {other.flags}; make larger ones."
            )
        for buffer, source in zip(self.tensors(), other.tensors(), strict=True):
            buffer[: source.shape[0]].copy_(source)
        self.load_lists(other.list_start, other.list_edit)

    def load_lists(self, list_start: torch.Tensor, list_edit: torch.Tensor) -> bool:
        """Copy other lists of the edits that are there, in place; those beyond them become empty.

        Returns:
            False where they do not fit, and nothing was copied.
        """
        lists, entries = list_start.shape[0] - 1, list_edit.shape[0]
        if lists > self.n_lists or entries > self.list_edit.shape[0]:
            return False
        self.list_edit[:entries].copy_(list_edit)
        self.list_start[: lists + 1].copy_(list_start)
        self.list_start[lists:].fill_(entries)
        return True

    def tensors(self) -> tuple[torch.Tensor, ...]:
        """Every tensor, in the order of the attributes."""
        return tuple(getattr(self, name) for name in (*_FEATURES, *_EDITS, *_LISTS))

    @property
    def n_features(self) -> int:
        """Number of features ``r``."""
        return self.decoder.shape[0]

    @property
    def n_edits(self) -> int:
        """Number of edits ``e``."""
        return self.op.shape[0]

    @property
    def n_lists(self) -> int:
        """Number of lists ``l``."""
        return self.list_start.shape[0] - 1

    @property
    def d_model(self) -> int:
        """Width ``d`` of the residual stream."""
        return self.decoder.shape[1]

    def to(self, device: torch.device | str) -> EditTable:
        """The same edits on ``device``; ``self`` where they are there already."""
        if self.decoder.device == torch.device(device):
            return self
        return replace(self, **{f.name: getattr(self, f.name).to(device) for f in fields(self) if f.name != "flags"})

    def _check(self) -> None:
        if self.decoder.ndim != 2 or self.decoder.shape[0] == 0:
            raise ValueError(f"decoder must be (r, d) with r >= 1, got shape {tuple(self.decoder.shape)}.")
        if self.op.ndim != 1 or self.op.shape[0] == 0:
            raise ValueError(f"op must be (e,) with e >= 1, got shape {tuple(self.op.shape)}.")
        for names, like in ((_FEATURES, self.decoder), (_EDITS, self.op)):
            for name in names:
                wanted = like.shape if name == "encoder" else like.shape[:1]
                if name != "decoder" and getattr(self, name).shape != wanted:
                    raise ValueError(
                        f"{name} has shape {tuple(getattr(self, name).shape)}, but {tuple(wanted)} is called for."
                    )
        for name, known in (("op", OPS), ("norm", NORMS), ("feature", range(self.n_features))):
            found: torch.Tensor = getattr(self, name)
            if int(found.min()) < known[0] or int(found.max()) > known[-1]:
                raise ValueError(
                    f"{name} must hold {known[0]} to {known[-1]}, got {int(found.min())} to {int(found.max())}."
                )
        starts, entries = self.list_start, self.list_edit
        if starts.ndim != 1 or starts.shape[0] == 0 or int(starts[0]) != 0 or int(starts[-1]) != entries.shape[0]:
            raise ValueError(f"list_start must run from 0 to the {entries.shape[0]} entries of list_edit.")
        if bool((starts.diff() < 0).any()):
            raise ValueError("list_start must not fall.")
        if entries.numel() and not 0 <= int(entries.min()) <= int(entries.max()) < self.n_edits:
            raise ValueError(f"list_edit must hold edits from 0 to {self.n_edits - 1}.")
