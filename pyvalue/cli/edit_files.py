"""Edits in JSON files, and the SAE that it takes to make them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pyvalue.models.edit_json import StoredEdit
    from pyvalue.models.edits import Edit
    from pyvalue.models.sae import SAE


def read_edits(path: Path, sae: str | None) -> list[Edit] | dict[str, list[Edit]]:
    """A list of edits that act together, or an object of several such lists by label.

    Args:
        path: of the file; an edit is an object such as ``{"feature": 568, "op": "add", "strength": -0.3, "unit":
            "relative", "positions": "all"}``, or what ``Edit.to_dict`` gives.
        sae: as ``load_sae`` takes it; default the one that the edits name.

    Raises:
        ValueError: the file is missing, is no JSON, or holds no edits; or it names no SAE, and ``sae`` is None.
        ModelError: the SAE is not the one that the edits were made with.
    """
    from pyvalue.models.edit_json import stored_edits

    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except (ValueError, RecursionError) as fault:
        raise ValueError(f"edits: {path} cannot be read as JSON ({fault})") from fault
    several = isinstance(content, Mapping) and "op" not in content and "feature" not in content
    lists = content if several else {"": content}
    if not lists:
        raise ValueError(f"edits: {path} is empty; expected a list of edits, or an object of such lists by label")
    stored = {name: stored_edits(one, f"edits: {path}{f' {name!r}' if name else ''}") for name, one in lists.items()}
    made = with_saes([edit for one in stored.values() for edit in one], sae)
    numbered = iter(made)
    found = {name: [next(numbered) for _ in one] for name, one in stored.items()}
    return found if several else found[""]


def with_saes(stored: Sequence[StoredEdit], sae: str | None) -> list[Edit]:
    """The edits with their SAEs, each of which is read once."""
    from pyvalue.models.sae import load_sae

    read: dict[str, SAE] = {}
    made = []
    for edit in stored:
        source: Any = sae or edit.sae_name
        if source is None:
            raise ValueError(f"sae: edit {edit.label!r} names no SAE; pass --sae demo, or the folder of one")
        if source not in read:
            read[source] = load_sae(source)
        made.append(edit.with_sae(read[source]))
    return made
