"""``measure``: ask an inventory of a model under personas and edits, and keep the answers."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pyvalue.measurement.inventory import Inventory
from pyvalue.measurement.personas import Persona
from pyvalue.measurement.progress import progress_bar
from pyvalue.measurement.prompts import YES_NO, PromptStyle, render_prompt
from pyvalue.measurement.scoring import score_prompts
from pyvalue.measurement.store import RunFolder
from pyvalue.models.edits import Edit
from pyvalue.models.fingerprint import weights_fingerprint
from pyvalue.models.loading import LanguageModel
from pyvalue.responses import Responses, make_table


def measure(
    model: LanguageModel,
    inventory: Inventory,
    personas: Sequence[Persona],
    edits: Sequence[Edit] = (),
    *,
    label: str | None = None,
    folder: str | Path | None = None,
    prompts: PromptStyle = YES_NO,
    min_mass: float = 0.01,
    batch_size: int = 48,
    progress: bool | None = None,
) -> Responses:
    """Ask every item of every persona, and read p(yes) against p(no) from one forward pass.

    Args:
        model: to ask.
        inventory: what to ask; its content-free items measure the bias towards "yes".
        personas: who to be.
        edits: of the residual stream, applied together to every question.
        label: the ``edit`` column of the answers; default the edits' own labels joined by " + ", empty for none.
        folder: run folder; answers are stored persona by persona, and a later call with the same arguments asks
            only what is missing. Default: nothing is stored.
        prompts: wording.
        min_mass: an answer whose P(yes) + P(no) is below it is ``invalid``: its score is missing, not 0.
        batch_size: most questions in one forward pass.
        progress: show a bar with the time left; default when the terminal is one.

    Returns:
        One answer for every persona and item, in that order.

    Raises:
        ValueError: no personas, personas of the same name, an empty label for edits, or an edit's text span that is
            not in the prompt.
        ModelError: the model cannot be asked (no chat template, no token for yes or no), or an edit does not fit it.
        StoreError: the run folder belongs to another study, is in use, or cannot be written.
    """
    _check_personas(personas)
    if isinstance(edits, Edit):
        raise TypeError("edits: expected a sequence of edits, got one Edit; write [edit]")
    if edits and label == "":
        raise ValueError('label: expected a name for answers under edits, got ""; it stands for no edit')
    label = " + ".join(edit.label for edit in edits) if label is None else label
    groups = _answers(model, inventory, personas, edits, label, prompts, min_mass, batch_size)
    title = f"measuring ({label})" if label else "measuring"
    study = _study(model, inventory, personas, edits, label, prompts, min_mass)
    if folder is None:
        with progress_bar(title, len(personas), progress) as advance:
            tables = []
            for ask in groups:
                tables.append(ask())
                advance()
        return Responses(pd.concat(tables, ignore_index=True), {"study": study})
    with RunFolder(folder, study) as run, progress_bar(title, len(personas), progress) as advance:
        for group, ask in enumerate(groups):
            if not run.part(group).exists():
                run.write_part(group, ask())
            advance()
        return run.read()


def _answers(
    model: LanguageModel,
    inventory: Inventory,
    personas: Sequence[Persona],
    edits: Sequence[Edit],
    label: str,
    prompts: PromptStyle,
    min_mass: float,
    batch_size: int,
) -> Iterator[Any]:
    """One function a persona, which asks it everything and returns the table of its answers."""
    for persona in personas:

        def ask(persona: Persona = persona) -> pd.DataFrame:
            asked = [render_prompt(model.tokenizer, persona, item.question, prompts) for item in inventory.items]
            found = score_prompts(model, asked, edits, batch_size)
            mass = found.yes + found.no
            keying = np.array([item.keying for item in inventory.items])
            valid = (mass >= min_mass) & (mass > 0)
            p_yes = np.where(valid, found.yes / np.where(valid, mass, 1.0), np.nan)
            return make_table(
                {
                    "model": model.name,
                    "edit": label,
                    "persona": persona.name,
                    "item": [item.id for item in inventory.items],
                    "value": [item.value for item in inventory.items],
                    "keying": keying,
                    "repeat": 0,
                    "text": [item.question for item in inventory.items],
                    "status": np.where(~valid, "invalid", np.where(p_yes >= 0.5, "yes", "no")),
                    "p_yes": p_yes,
                    "mass": mass,
                    "score": np.where(keying != 0, keying * (2 * p_yes - 1), np.nan),
                }
            )

        yield ask


def _check_personas(personas: Sequence[Persona]) -> None:
    if not personas:
        raise ValueError("personas: expected at least one, got none; make_personas(0) is the model as it is")
    names = [persona.name for persona in personas]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ValueError(f"personas: names must be unique, but {repeated[0]!r} occurs more than once")


def _study(
    model: LanguageModel,
    inventory: Inventory,
    personas: Sequence[Persona],
    edits: Sequence[Edit],
    label: str,
    prompts: PromptStyle,
    min_mass: float,
) -> dict[str, Any]:
    people = "\n".join(f"{p.name}\t{p.text}" for p in personas)
    return {
        "model": {**model.facts(), "weights": weights_fingerprint(model)},
        "inventory": {"name": inventory.name, "items": len(inventory.items), "digest": inventory.digest},
        "personas": {"count": len(personas), "digest": hashlib.sha256(people.encode()).hexdigest()[:16]},
        "prompts": {"name": prompts.name, "digest": prompts.digest},
        "template": hashlib.sha256(str(model.tokenizer.chat_template).encode()).hexdigest()[:16],
        "edit": label,
        "edits": [edit.to_dict() for edit in edits],
        "min_mass": min_mass,
    }
