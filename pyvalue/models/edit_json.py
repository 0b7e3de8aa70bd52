"""Edits out of JSON: what ``Edit.to_dict`` wrote, as edits again where their SAE is at hand. Finds no SAE itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pyvalue.errors import ModelError

if TYPE_CHECKING:
    from pyvalue.models.edits import Edit
    from pyvalue.models.positions import Positions
    from pyvalue.models.sae import SAE

_FIELDS = ("feature", "op", "strength", "unit", "positions", "name")
_KNOWN = (*_FIELDS, "label", "sae", "direction", "max_activation")


@dataclass(frozen=True)
class StoredEdit:
    """An edit as a file tells of it, without the weights that it takes to make it.

    Attributes:
        label: what to call it in tables.
        facts: what ``Edit.to_dict`` gives.
    """

    label: str
    facts: Mapping[str, Any] = field(repr=False)

    @property
    def sae_name(self) -> str | None:
        """Where its SAE came from, as ``load_sae`` was told; None where the file says nothing of it."""
        known = self.facts.get("sae")
        name = known.get("name") if isinstance(known, Mapping) else None
        return name if isinstance(name, str) and name else None

    def to_dict(self) -> dict[str, Any]:
        """What ``Edit.to_dict`` gave."""
        return dict(self.facts)

    def with_sae(self, sae: SAE) -> Edit:
        """The edit that can be made.

        Raises:
            ModelError: the SAE is not the one that the edit was made with, or the edit adds a vector, which no file
                holds.
            ValueError: the file has an unknown or an impossible entry.
            TypeError: an entry is of the wrong type.
        """
        from pyvalue.models.edits import Edit

        if self.facts.get("direction") is not None:
            raise ModelError(
                f"edit {self.label!r} adds a vector, of which a file holds the hash only; make it in Python with "
                "pv.Direction"
            )
        known = self.facts.get("sae")
        wanted = known.get("sha256") if isinstance(known, Mapping) else None
        if wanted is not None and wanted != sae.content_hash:
            raise ModelError(
                f"sae: edit {self.label!r} was made with {self.sae_name or 'another SAE'} (sha256 {str(wanted)[:12]}), "
                f"got {sae.name or 'one'} with sha256 {sae.content_hash[:12]}; pass the same SAE"
            )
        given = {name: self.facts[name] for name in _FIELDS if self.facts.get(name) is not None}
        if "positions" in given:
            given["positions"] = _positions(given["positions"])
        edit = Edit(sae=sae, **given)
        measured = self.facts.get("max_activation")
        if measured is not None and sae.max_activations is not None:
            own = float(sae.max_activations[edit.feature or 0])
            if abs(own - float(measured)) > 1e-6 * abs(float(measured)):
                raise ModelError(
                    f"edit {self.label!r} counts in a largest activation of {measured:g}, but this SAE has {own:g} at "
                    "the feature; use the maxima that the edit was made with"
                )
        return edit


def stored_edits(data: Any, where: str) -> tuple[StoredEdit, ...]:
    """A list of edits as JSON has it.

    Args:
        data: what the file holds.
        where: what to call it in errors.

    Raises:
        ValueError: no list of objects, an unknown key, or no operation; names the entry.
    """
    if not isinstance(data, Sequence) or isinstance(data, str):
        raise ValueError(f"{where}: expected a list of edits, got {type(data).__name__}")
    return tuple(_stored(entry, f"{where}[{place}]") for place, entry in enumerate(data))


def _stored(entry: Any, where: str) -> StoredEdit:
    if not isinstance(entry, Mapping):
        raise ValueError(f"{where}: expected an object with feature, op and strength, got {type(entry).__name__}")
    if unknown := sorted(str(key) for key in entry.keys() - set(_KNOWN)):
        raise ValueError(f"{where}: unknown key {unknown[0]!r}; expected some of {', '.join(_KNOWN)}")
    if not isinstance(entry.get("op", "add"), str):
        raise ValueError(f"{where}: op must be a text such as 'add', got {entry['op']!r}")
    return StoredEdit(_label(entry), dict(entry))


def _label(entry: Mapping[str, Any]) -> str:
    """The one that is told, else the one that ``Edit.label`` would make."""
    told = entry.get("label") or entry.get("name")
    if isinstance(told, str) and told:
        return told
    what = f"f{entry.get('feature')} {entry.get('op', 'add')}"
    strength, unit = entry.get("strength"), entry.get("unit") or "raw"
    what += f" {strength:.12g}" if isinstance(strength, int | float) else ""
    return what + ("" if unit == "raw" else f" {unit}")


def _positions(told: Any) -> Positions:
    from pyvalue.models.positions import indices, span

    if isinstance(told, str):
        return told  # type: ignore[return-value]  # Edit checks the word
    if isinstance(told, Mapping) and set(told) == {"indices"} and isinstance(told["indices"], Sequence):
        return indices(*told["indices"])
    if isinstance(told, Mapping) and "span" in told and set(told) <= {"span", "occurrence"}:
        return span(told["span"], told.get("occurrence", "all"))
    raise ValueError(
        f"positions: expected 'all', 'prompt', 'generated', {{\"span\": text}} or {{\"indices\": [0, -1]}}, "
        f"got {told!r}"
    )
