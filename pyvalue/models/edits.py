"""One change of one SAE feature, and the table of such changes that the kernel reads. Hooks no model."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch

from pyvalue.kernels.edit_table import ADD, NORM_CONSTANT, NORM_LAYER, NORM_NONE, SET, EditTable
from pyvalue.models.positions import Span, span, special_tokens, token_positions
from pyvalue.models.sae import SAE, EncoderColumn

__all__ = ["Edit", "Span", "edit_table", "span", "special_tokens", "token_positions"]

OPS = {"add": ADD, "set": SET}
UNITS = ("raw", "unit", "relative")

_NORM_CODES = {"none": NORM_NONE, "layer_norm": NORM_LAYER, "constant_norm_rescale": NORM_CONSTANT}
# An edit that only adds reads no activation; the kernel skips this row.
_UNREAD = (0.0, 0.0, 1.0, 0.0)


@dataclass(frozen=True, kw_only=True)
class Edit:
    """One change of one feature of the residual stream, made through an SAE whose reconstruction error is kept.

    ``add``: the residual gains ``strength`` decoder rows. ``set``: the feature's activation becomes ``strength``. Edits
    given together all read the same residual, then their changes are summed.

    Attributes:
        feature: index from 0.
        op: ``"add"`` or ``"set"``.
        strength: how much, in ``unit``.
        unit: ``"raw"`` multiplies the decoder row as it is; ``"unit"`` the row at length 1; ``"relative"`` the row at
            the length of the token's own residual (only ``add``).
        positions: ``"all"``, never including special tokens such as BOS and padding, or a ``span`` of the prompt.
        sae: the SAE that the feature belongs to.
        name: what to call it in tables; default ``label`` describes it.

    Raises:
        ValueError: a value is out of range or unknown.
        TypeError: ``sae`` is no SAE, or ``feature`` is no integer.
        ModelError: the SAE cannot make this edit.
    """

    feature: int
    op: Literal["add", "set"] = "add"
    strength: float
    unit: Literal["raw", "unit", "relative"] = "raw"
    positions: Literal["all"] | Span = "all"
    sae: SAE
    name: str | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.sae, SAE):
            raise TypeError(f"sae must be an SAE, such as load_sae(folder) returns, got {type(self.sae).__name__}.")
        object.__setattr__(self, "feature", _integer("feature", self.feature))
        object.__setattr__(self, "strength", _finite("strength", self.strength))
        self.sae.check_feature(self.feature)
        if self.op not in OPS:
            raise ValueError(f"op must be one of {', '.join(OPS)}, got {self.op!r}.")
        if self.unit not in UNITS:
            raise ValueError(f"unit must be one of {', '.join(UNITS)}, got {self.unit!r}.")
        if self.unit == "relative" and self.op != "add":
            raise ValueError(f"unit 'relative' is for op 'add' only, got op {self.op!r}; use 'raw' or 'unit'.")
        if self.positions != "all" and not isinstance(self.positions, Span):
            raise ValueError(f"positions must be 'all' or span(\"text\"), got {self.positions!r}.")
        # Both raise here, where the caller can see which edit it was, rather than in a forward pass.
        _ = self.sae.layer
        _table_row(self)

    @property
    def label(self) -> str:
        """``name``, or a description such as ``f1341 add 20 @'your values'``."""
        if self.name is not None:
            return self.name
        unit = "" if self.unit == "raw" else f" {self.unit}"
        place = "all" if self.positions == "all" else str(self.positions)
        return f"f{self.feature} {self.op} {self.strength:.12g}{unit} @{place}"

    def to_dict(self) -> dict[str, Any]:
        """The edit for a run's manifest: JSON-able, with the SAE's identity instead of its weights."""
        config = self.sae.config
        place: Any = "all"
        if isinstance(self.positions, Span):
            place = {"span": self.positions.text, "occurrence": self.positions.occurrence}
        return {
            "label": self.label,
            "feature": self.feature,
            "op": self.op,
            "strength": self.strength,
            "unit": self.unit,
            "positions": place,
            "name": self.name,
            "sae": {
                "name": self.sae.name,
                "sha256": self.sae.content_hash,
                "architecture": config.architecture,
                "model_name": config.model_name,
                "hook_name": config.hook_name,
                "d_in": config.d_in,
                "d_sae": config.d_sae,
            },
        }


def edit_table(edits: Sequence[Edit]) -> EditTable:
    """The edits of one hook point in the order given, as the kernel reads them, float32 on the device of the first SAE.

    Raises:
        ValueError: no edits, or SAEs of different widths.
    """
    if not edits:
        raise ValueError("edits is empty; a table needs at least one.")
    widths = sorted({edit.sae.config.d_in for edit in edits})
    if len(widths) > 1:
        raise ValueError(f"edits at one hook point must share one width, got SAEs of widths {widths}.")
    device = edits[0].sae.W_dec.device
    rows = [_table_row(edit) for edit in edits]

    def column(values: list[Any], dtype: torch.dtype) -> torch.Tensor:
        return torch.tensor(values, dtype=dtype, device=device)

    return EditTable(
        encoder=torch.stack([row.encoder.weight.to(device, torch.float32) for row in rows]),
        bias=column([row.encoder.bias for row in rows], torch.float32),
        threshold=column([row.encoder.threshold for row in rows], torch.float32),
        gain=column([row.encoder.gain for row in rows], torch.float32),
        offset=column([row.encoder.offset for row in rows], torch.float32),
        decoder=torch.stack([edit.sae.W_dec[edit.feature].to(device, torch.float32) for edit in edits]),
        op=column([OPS[edit.op] for edit in edits], torch.int32),
        norm=column([row.norm for row in rows], torch.int32),
        strength=column([row.strength for row in rows], torch.float32),
    )


@dataclass(frozen=True)
class _TableRow:
    encoder: EncoderColumn
    norm: int
    strength: float


def _table_row(edit: Edit) -> _TableRow:
    """Encoder, normalisation code and strength in decoder rows of one edit."""
    row = edit.sae.W_dec[edit.feature].double()
    norm = _NORM_CODES[edit.sae.config.normalize_activations]
    strength = edit.strength
    if edit.unit != "raw":
        length = float(row.norm())
        if length == 0.0:
            raise ValueError(
                f"feature {edit.feature} has a decoder row of zeros, which unit {edit.unit!r} cannot scale; use 'raw'."
            )
        strength /= length
    if edit.unit == "relative":
        # The kernel's factor of this code is ||x|| / sqrt(d): exactly the residual's own length, up to the constant.
        norm, strength = NORM_CONSTANT, strength * math.sqrt(row.shape[0])
    column = edit.sae.encoder_column(edit.feature) if edit.op == "set" else EncoderColumn(row, *_UNREAD)
    return _TableRow(column, norm, strength)


def _integer(name: str, value: Any) -> int:
    if isinstance(value, bool):
        raise TypeError(f"{name} must be an integer, got {value!r}.")
    try:
        return operator.index(value)
    except TypeError:
        raise TypeError(f"{name} must be an integer, got {type(value).__name__} {value!r}.") from None


def _finite(name: str, value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be a number, got {type(value).__name__} {value!r}.") from None
    if not math.isfinite(number):
        raise ValueError(f"{name} must be finite, got {number}.")
    return number
