"""One change of the residual stream, as a value that cannot change. Hooks no model and computes nothing."""

from __future__ import annotations

import math
import operator
import warnings
from dataclasses import dataclass
from typing import Any, Literal, get_args

from pyvalue.models.direction import Direction
from pyvalue.models.positions import (
    Indices,
    Positions,
    Span,
    indices,
    span,
    special_ids,
    special_tokens,
    token_positions,
)
from pyvalue.models.sae import SAE

__all__ = [
    "Direction",
    "Edit",
    "Indices",
    "Span",
    "indices",
    "span",
    "special_ids",
    "special_tokens",
    "token_positions",
]

Op = Literal["add", "set", "min", "max", "scale", "ablate", "direction", "splice"]
Unit = Literal["raw", "unit", "max_act", "relative"]

OPS: tuple[Op, ...] = get_args(Op)
UNITS: tuple[Unit, ...] = get_args(Unit)
WORDS = ("all", "prompt", "generated")

#: What the strength of an operation may be measured in.
_UNITS_OF: dict[str, tuple[Unit, ...]] = {
    "add": UNITS,
    "set": ("raw", "unit", "max_act"),
    "min": ("raw", "unit", "max_act"),
    "max": ("raw", "unit", "max_act"),
    "scale": ("raw",),
    "ablate": ("raw",),
    "direction": ("raw", "unit", "relative"),
    "splice": ("raw",),
}
_DEFAULT_STRENGTH = {"ablate": 0.0, "splice": 1.0}


@dataclass(frozen=True, kw_only=True)
class Edit:
    """One change of the residual stream at the tokens that ``positions`` names.

    With ``a`` the activation of ``feature``, and the SAE's reconstruction error kept:

    ========== ==================================================================================================
    op         what happens
    ========== ==================================================================================================
    add        the residual gains ``strength`` decoder rows
    set        ``a`` becomes ``strength``
    min        ``a`` becomes at least ``strength`` (as ``torch.clamp(min=...)``)
    max        ``a`` becomes at most ``strength``
    scale      ``a`` is multiplied by ``strength``
    ablate     ``a`` becomes 0
    direction  the residual gains ``strength`` times the vector of ``direction``
    splice     the residual moves by the share ``strength`` (default 1) to the SAE's reconstruction of it, so that at 1
               the SAE's error is lost; with it, edits of features act on the reconstruction
    ========== ==================================================================================================

    Edits given together at one place all read the same residual, then their changes are summed.

    Attributes:
        feature: index from 0; None for ``direction`` and ``splice``.
        op: see above.
        strength: how much, in ``unit``.
        unit: ``"raw"`` counts decoder rows (or vectors) as they are; ``"unit"`` rows of length 1; ``"max_act"`` the
            largest activation of the feature over some texts (``sae.max_activations``); ``"relative"`` the length of
            the token's own residual.
        positions: ``"all"``, ``"prompt"``, ``"generated"`` (none of them includes special tokens of the prompt, such
            as BOS and padding), a ``span`` of the prompt's text, or ``indices`` of its tokens.
        sae: the SAE that the feature belongs to.
        direction: for op ``direction``.
        name: what to call it in tables; default ``label`` describes it.

    Raises:
        ValueError: a value is out of range or unknown, or an argument does not go with ``op``.
        TypeError: an argument has the wrong type.
        ModelError: the SAE does not read the residual stream.

    Warns:
        UserWarning: a relative strength above 1 replaces more than it keeps; models break well before 2.
    """

    feature: int | None = None
    op: Op = "add"
    strength: float | None = None
    unit: Unit = "raw"
    positions: Positions = "all"
    sae: SAE | None = None
    direction: Direction | None = None
    name: str | None = None

    def __post_init__(self) -> None:
        if self.op not in OPS:
            hint = "; clamping to a value is 'set', from one side 'min' or 'max'" if str(self.op) == "clamp" else ""
            raise ValueError(f"op must be one of {', '.join(OPS)}, got {self.op!r}{hint}.")
        self._check_source()
        self._check_strength()
        if self.positions not in WORDS and not isinstance(self.positions, Span | Indices):
            raise ValueError(
                f"positions must be one of {', '.join(map(repr, WORDS))}, span(\"text\") or indices(0, -1), got "
                f"{self.positions!r}."
            )
        _ = self.place

    @property
    def place(self) -> tuple[int, str]:
        """(layer, ``"resid_post"`` or ``"resid_pre"``) that the edit changes."""
        if self.direction is not None:
            return self.direction.place
        assert self.sae is not None
        return self.sae.layer, self.sae.hook_point

    @property
    def d_in(self) -> int:
        """Width of the residual stream that it fits."""
        if self.direction is not None:
            return self.direction.d_in
        assert self.sae is not None
        return self.sae.config.d_in

    @property
    def amount(self) -> float:
        """``strength``, with the default of the operation filled in."""
        return _DEFAULT_STRENGTH[self.op] if self.strength is None else self.strength

    @property
    def label(self) -> str:
        """``name``, or a description such as ``f1341 add 20 @'your values'``."""
        if self.name is not None:
            return self.name
        what = self.direction.name if self.direction is not None else f"f{self.feature}"
        what = self.op if self.op in ("direction", "splice") and self.direction is None else f"{what} {self.op}"
        if self.strength is not None:
            what += f" {self.strength:.12g}"
        unit = "" if self.unit == "raw" else f" {self.unit}"
        return f"{what}{unit} @{self.positions}"

    def to_dict(self) -> dict[str, Any]:
        """The edit for a run's manifest: JSON-able, with the identity of SAE or direction instead of its weights."""
        place: Any = self.positions
        if isinstance(self.positions, Span):
            place = {"span": self.positions.text, "occurrence": self.positions.occurrence}
        elif isinstance(self.positions, Indices):
            place = {"indices": list(self.positions.numbers)}
        found: dict[str, Any] = {
            "label": self.label,
            "feature": self.feature,
            "op": self.op,
            "strength": self.strength,
            "unit": self.unit,
            "positions": place,
            "name": self.name,
        }
        if self.unit == "max_act" and self.sae is not None and self.sae.max_activations is not None:
            # What the strength counts in was measured, and is no part of the SAE's identity.
            found["max_activation"] = float(self.sae.max_activations[self.feature or 0])
        if self.direction is not None:
            found["direction"] = {
                "name": self.direction.name,
                "sha256": self.direction.content_hash,
                "hook_name": self.direction.hook,
                "d_in": self.direction.d_in,
            }
        if self.sae is not None:
            config = self.sae.config
            found["sae"] = {
                "name": self.sae.name,
                "sha256": self.sae.content_hash,
                "architecture": config.architecture,
                "model_name": config.model_name,
                "hook_name": config.hook_name,
                "d_in": config.d_in,
                "d_sae": config.d_sae,
            }
        return found

    def _check_source(self) -> None:
        """Feature, SAE and direction: those that the operation needs, and no others."""
        if self.op == "direction":
            if not isinstance(self.direction, Direction):
                raise TypeError(f"direction must be a Direction for op 'direction', got {_kind(self.direction)}.")
            if self.sae is not None or self.feature is not None:
                raise ValueError("sae, feature: op 'direction' uses neither; leave them out.")
            return
        if self.direction is not None:
            raise ValueError(f"direction is for op 'direction' only, got op {self.op!r}.")
        if not isinstance(self.sae, SAE):
            raise TypeError(f"sae must be an SAE, such as load_sae(folder) returns, got {_kind(self.sae)}.")
        if self.op == "splice":
            if self.feature is not None:
                raise ValueError("feature: op 'splice' concerns the whole SAE; leave it out, or add a second edit.")
            return
        object.__setattr__(self, "feature", _integer("feature", self.feature))
        self.sae.check_feature(self.feature)  # type: ignore[arg-type]

    def _check_strength(self) -> None:
        if self.unit not in UNITS:
            raise ValueError(f"unit must be one of {', '.join(UNITS)}, got {self.unit!r}.")
        if self.unit not in _UNITS_OF[self.op]:
            known = ", ".join(map(repr, _UNITS_OF[self.op]))
            raise ValueError(f"unit of op {self.op!r} must be one of {known}, got {self.unit!r}.")
        if self.strength is None:
            if self.op not in _DEFAULT_STRENGTH:
                raise ValueError(f"strength is missing: op {self.op!r} needs one.")
        else:
            object.__setattr__(self, "strength", _finite("strength", self.strength))
        if self.op == "ablate" and self.amount != 0:
            raise ValueError(f"strength: op 'ablate' takes none, got {self.strength}; use op 'set'.")
        if self.op == "splice" and not 0 < self.amount <= 1:
            raise ValueError(f"strength of op 'splice' must be above 0 and at most 1, got {self.strength}.")
        if self.unit == "relative" and abs(self.amount) > 1:
            warnings.warn(
                f"strength {self.amount:g} relative adds more than the residual itself; models break well before 2",
                stacklevel=4,
            )
        if self.unit == "unit" or (self.unit == "relative" and self.op == "add"):
            self._check_row()
        if self.unit == "max_act":
            assert self.sae is not None and self.feature is not None
            if self.sae.max_activations is None:
                raise ValueError(
                    f"unit 'max_act' needs the maximum of every feature, which {self.sae!r} does not carry; use "
                    "pv.max_activations(model, sae, texts), or another unit."
                )
            if not float(self.sae.max_activations[self.feature]):
                raise ValueError(
                    f"feature {self.feature} never fired where maxima were measured, so that unit 'max_act' makes "
                    "every strength nothing; use another unit."
                )

    def _check_row(self) -> None:
        if self.sae is None or self.feature is None:
            return
        if not bool(self.sae.W_dec[self.feature].any()):
            raise ValueError(
                f"feature {self.feature} has a decoder row of zeros, which unit {self.unit!r} cannot scale; use 'raw'."
            )


def _kind(value: object) -> str:
    return "none" if value is None else type(value).__name__


def _integer(name: str, value: Any) -> int:
    if isinstance(value, bool) or value is None:
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
