"""A small trial of candidate edits: which one moves the target most, by the items of the target alone."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from pyvalue.broken_edits import edit_table
from pyvalue.errors import ModelError
from pyvalue.measurement.api import measure
from pyvalue.measurement.inventory import Inventory
from pyvalue.measurement.personas import Persona
from pyvalue.models.edits import Edit, Span, span
from pyvalue.models.loading import LanguageModel
from pyvalue.models.sae import SAE
from pyvalue.responses import Responses
from pyvalue.steering.features import find_features


def run_pilot(
    model: LanguageModel,
    sae: SAE,
    inventory: Inventory,
    personas: Sequence[Persona],
    target: Mapping[str, int],
    candidates: int,
    strengths: Sequence[float],
    positions: Any,
    progress: bool | None,
) -> tuple[Edit, pd.DataFrame]:
    """Try every feature at every strength; return the best edit and what each did.

    The table has the columns ``feature, strength, activation, gain, valid, perplexity_ratio, usable``, usable edits
    first. ``gain`` is the mean over personas and target values of sign * (steered - unedited), on corrected scores;
    an edit is usable where it does not break the model (``pyvalue.broken_edits``).
    """
    place: Span | str = span("your values") if positions is None else positions
    text = place.text if isinstance(place, Span) else "your values"
    asked = Inventory(
        inventory.name, tuple(i for i in inventory.items if i.value in target or not i.keying)
    )
    if unasked := [value for value in target if value not in asked.values]:
        raise ValueError(f"inventory: has no items on {', '.join(unasked)}; it asks {', '.join(inventory.values)}")
    found = find_features(model, sae, inventory, personas, text=text, count=candidates)
    if found.empty:
        raise ModelError(f"no feature of the SAE is active on the tokens {text!r}; use another SAE or other positions")
    edits = [
        Edit(feature=int(feature), op="add", strength=strength, unit="relative", positions=place, sae=sae)  # type: ignore[arg-type]
        for feature in found["feature"]
        for strength in strengths
    ]
    # Asked together: the layers below the SAE run once for all of them.
    answers = measure(model, asked, personas, {"": [], **{edit.label: [edit] for edit in edits}}, progress=progress)
    base, effects = answers.only(edit=""), edit_table(answers.table).set_index("edit")
    rows = []
    settings = itertools.product(zip(found["feature"], found["activation"], strict=True), strengths)
    for edit, ((feature, activation), strength) in zip(edits, settings, strict=True):
        steered = answers.only(edit=edit.label)
        rows.append(
            {
                "feature": int(feature),
                "strength": float(strength),
                "activation": float(activation),
                "gain": _gain(base, steered, target),
                "valid": steered.valid_share,
                "perplexity_ratio": float(effects.loc[edit.label, "perplexity_ratio"]),
                "usable": not effects.loc[edit.label, "broken"],
            }
        )
    table = pd.DataFrame(rows)
    table["usable"] &= table["gain"].notna()
    if not table["usable"].any():
        raise ModelError(f"every candidate edit breaks the model ({effects['reason'].iloc[-1]}); try smaller strengths")
    best = int(table["gain"].where(table["usable"]).idxmax())
    if table["gain"][best] <= 0:
        gain = table["gain"][best]
        warnings.warn(
            f"no candidate edit moves {', '.join(target)} as wanted in the pilot (best gain {gain:+.3f}); "
            "try more candidates or larger strengths",
            stacklevel=3,
        )
    order = table.sort_values(["usable", "gain"], ascending=False, ignore_index=True)
    return edits[best], order


def _gain(base: Responses, steered: Responses, target: Mapping[str, int]) -> float:
    change = steered.matrix().droplevel("edit") - base.matrix().droplevel("edit")
    return float((change[list(target)] * pd.Series(target)).mean(axis=None))
