"""Effects of an edit as functions for ``find_strength``: how far it moves p(yes), or the score of a value.

Each asks the unedited model once, when it is made. Searches nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from pyvalue.measurement.api import measure
from pyvalue.measurement.inventory import Inventory
from pyvalue.measurement.personas import NO_PERSONA, Persona
from pyvalue.measurement.scoring import score_prompts
from pyvalue.models.edits import Edit
from pyvalue.models.loading import LanguageModel
from pyvalue.responses import Responses, Score


def yes_effect(model: LanguageModel, prompts: Sequence[str], *, batch_size: int = 64) -> Callable[[Edit], float]:
    """Mean change of p(yes) = P(yes) / (P(yes) + P(no)) over prompts that ask for yes or no.

    Args:
        model: to ask.
        prompts: rendered prompts, fastest when they share a long prefix.
        batch_size: most prompts in one forward pass.

    Returns:
        A function of an edit, from -1 to 1; NaN where the edited model gives neither word any probability.

    Raises:
        ValueError: no prompts.
        ModelError: the tokenizer has no token for yes or no.
    """
    if isinstance(prompts, str) or not prompts:
        raise ValueError(f"prompts must be a non-empty sequence of texts, got {prompts!r:.80}.")
    asked = list(prompts)
    before = _p_yes(model, asked, [], batch_size)

    def effect(edit: Edit) -> float:
        return float((_p_yes(model, asked, [edit], batch_size) - before).mean())

    return effect


def value_effect(
    model: LanguageModel,
    inventory: Inventory,
    value: str,
    personas: Sequence[Persona] = (NO_PERSONA,),
    *,
    score: Score = "corrected",
    min_mass: float = 0.01,
    batch_size: int = 48,
) -> Callable[[Edit], float]:
    """Mean change of a value's score over personas, as ``measure`` and ``Responses.matrix`` find it.

    Only the items of the value and the content-free ones are asked; the centred and the ipsatised score, which look
    at all values, ask all.

    Args:
        model: to ask.
        inventory: its items on ``value`` are asked.
        value: whose score.
        personas: the mean is over them.
        score: ``"raw"``, ``"corrected"``, ``"centred"`` or ``"ipsatised"``; see ``Responses.answers``.
        min_mass: as in ``measure``.
        batch_size: most questions in one forward pass.

    Returns:
        A function of an edit; NaN where no persona has a valid answer with and without it.

    Raises:
        ValueError: the inventory has no item on ``value``, no personas, or an unknown ``score``.
    """
    if value not in inventory.values:
        raise ValueError(f"value must be one of {', '.join(inventory.values)}, got {value!r}.")
    items = tuple(i for i in inventory.items if score in ("centred", "ipsatised") or i.value == value or not i.keying)
    asked = Inventory(inventory.name, items)

    def ask(edits: Sequence[Edit]) -> Responses:
        return measure(model, asked, personas, edits, min_mass=min_mass, batch_size=batch_size, progress=False)

    before = ask([]).matrix(score)[value].droplevel("edit")

    def effect(edit: Edit) -> float:
        return float((ask([edit]).matrix(score)[value].droplevel("edit") - before).mean())

    return effect


def _p_yes(
    model: LanguageModel, prompts: Sequence[str], edits: Sequence[Edit], batch_size: int
) -> npt.NDArray[np.float64]:
    found = score_prompts(model, prompts, edits, batch_size)
    mass = found.yes + found.no
    return np.where(mass > 0, found.yes / np.where(mass > 0, mass, 1.0), np.nan)
