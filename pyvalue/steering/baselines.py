"""What an edit has to be compared with: roles, instructions, a difference of means, and random pushes as large.

Each is something that ``measure`` can ask. Judges none of them; see ``pyvalue.evaluation.side_effects_comparison``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from pyvalue.measurement.api import measure
from pyvalue.measurement.inventory import Inventory
from pyvalue.measurement.personas import Persona
from pyvalue.measurement.prompts import render_prompt
from pyvalue.models.edits import Edit
from pyvalue.models.loading import LanguageModel
from pyvalue.models.remote import RemoteModel
from pyvalue.responses import Responses
from pyvalue.steering.baselines_directions import as_large, difference_of_means
from pyvalue.steering.baselines_prompts import in_the_role_of, instruction_sentence, role_sentence, told
from pyvalue.steering.controls import random_controls
from pyvalue.steering.roles import rank_roles

#: label -> edits made together, or the personas as they are told to be
Methods: TypeAlias = Mapping[str, "tuple[Edit, ...] | tuple[Persona, ...]"]


def steering_baselines(
    model: LanguageModel | RemoteModel,
    inventory: Inventory,
    value: str,
    personas: Sequence[Persona],
    *,
    edit: Edit | None = None,
    sign: int = 1,
    n_random: int = 5,
    layer: int | None = None,
    strength: float = 0.3,
    base: Responses | None = None,
    train_inventory: Inventory | None = None,
    train_personas: Sequence[Persona] | None = None,
    seed: int = 0,
) -> dict[str, tuple[Edit, ...] | tuple[Persona, ...]]:
    """Ways to steer one value, to be measured side by side.

    In this order: the edit, where there is one, and random features as large; ``"role prompt"`` (every persona is also
    told that it is one who holds the value); ``"instruction"`` (told to answer as someone to whom it matters most);
    ``"role of NAME"`` (told to take the part of the persona who scored best in ``base``); ``"difference of means"``, at
    the layer of the edit and as large, and random directions as large. Of a remote model the ones in words only.

    Args:
        model: to steer.
        inventory: that will be asked; it names the values.
        value: to raise or lower.
        personas: that will be asked.
        edit: to be compared; default none.
        sign: +1 to raise the value, -1 to lower it. The edit stays as it is.
        n_random: random features, and random directions, of each edit; 0 for none.
        layer: of the difference of means where there is no edit; default the middle one.
        strength: of the difference of means, relative to the residual, where there is no edit.
        base: unedited answers, to choose the best role from; default none.
        train_inventory: items that the difference of means is made from; default those of ``inventory``, on which it
            then looks better than it is.
        train_personas: who answers them; default the first 4 of ``personas``.
        seed: of the random features and directions.

    Returns:
        label -> edits or personas. Random ones are called ``"control 1 of <label> (...)"``, as in ``random_controls``.

    Raises:
        ValueError: an unknown value, no personas, a sign other than +1 and -1, ``n_random`` < 0, or the best role is no
            persona of ``personas``.
        ModelError: an edit of a remote model.
    """
    if value not in inventory.values:
        raise ValueError(f"value: expected one of {', '.join(inventory.values)}, got {value!r}")
    if not personas:
        raise ValueError("personas: expected at least one, got none")
    found: dict[str, tuple[Edit, ...] | tuple[Persona, ...]] = {}
    if edit is not None:
        found[edit.label] = (edit,)
        found |= _controls(edit, n_random, seed)
    found["role prompt"] = told(personas, role_sentence(value, sign))
    found["instruction"] = told(personas, instruction_sentence(value, sign))
    if base is not None:
        role = _best_role(base, value, sign, personas)
        found[f"role of {role.name}"] = in_the_role_of(personas, role)
    if not isinstance(model, LanguageModel):
        return found
    place = (layer, "resid_post") if edit is None else edit.place
    asked = train_inventory or inventory
    people = list(personas[:4] if train_personas is None else train_personas)
    direction = difference_of_means(model, asked, value, people, place[0], point=place[1])
    size = edit or Edit(op="direction", direction=direction, strength=strength, unit="relative")
    prompts = [render_prompt(model.tokenizer, persona, asked.items[0].question) for persona in people]
    push = as_large(model, size, direction, prompts)
    push = Edit(
        op="direction", direction=direction, strength=sign * push.amount, unit=push.unit, positions=push.positions,
        name="difference of means",
    )  # fmt: skip
    found[push.label] = (push,)
    return found | _controls(push, n_random, seed)


def measure_steering(
    model: LanguageModel | RemoteModel,
    inventory: Inventory,
    personas: Sequence[Persona],
    methods: Methods,
    *,
    folder: str | Path | None = None,
    **options: Any,
) -> Responses:
    """Ask the same questions of the same personas unsteered and under every method.

    Args:
        model: to ask.
        inventory: what to ask.
        personas: as they are without steering.
        methods: of ``steering_baselines``, or of your own: label -> edits, or personas of the same names.
        folder: run folder with a folder for the edits and one a method in words; default nothing is stored.
        options: of ``measure``.

    Returns:
        All answers; the ``edit`` column holds the labels.

    Raises:
        ValueError: a method without a label, or whose personas have other names.
        TypeError: a method that is neither edits nor personas.
    """
    edits: dict[str, Sequence[Edit]] = {"": ()}
    words: dict[str, Sequence[Persona]] = {}
    names = [persona.name for persona in personas]
    for label, method in methods.items():
        if not label:
            raise ValueError('methods: expected a label for every method, got ""; it stands for no steering')
        if method and all(isinstance(one, Edit) for one in method):
            edits[label] = [one for one in method if isinstance(one, Edit)]
        elif method and all(isinstance(one, Persona) for one in method):
            words[label] = [one for one in method if isinstance(one, Persona)]
            if [one.name for one in words[label]] != names:
                raise ValueError(f"methods[{label!r}]: expected the personas {', '.join(names)}, in this order")
        else:
            raise TypeError(f"methods[{label!r}]: expected a sequence of edits or of personas, got {method!r:.80}")
    root = None if folder is None else Path(folder)
    parts = [measure(model, inventory, personas, edits, folder=root and root / "edits", **options)]
    for number, (label, people) in enumerate(words.items()):
        place = root and root / f"words-{number}"
        parts.append(measure(model, inventory, people, label=label, folder=place, **options))
    return Responses.concat(parts)


def _controls(edit: Edit, n: int, seed: int) -> dict[str, tuple[Edit, ...]]:
    if n < 0:
        raise ValueError(f"n_random: expected at least 0, got {n}")
    if not n:
        return {}
    return {control.label: (control,) for control in random_controls(edit, n, seed)}


def _best_role(base: Responses, value: str, sign: int, personas: Sequence[Persona]) -> Persona:
    known = {persona.name: persona for persona in personas if persona.text}
    ranked = [name for name in rank_roles(base, {value: sign})["persona"] if name in known]
    if not ranked:
        raise ValueError("base: has none of the personas that have a text, so there is no role to choose")
    return known[ranked[0]]
