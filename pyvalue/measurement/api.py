"""``measure``: ask an inventory of a model under personas and edits, and keep the answers.

Checks what was asked and keeps the folder. How a model is asked stands in the modules of the askers.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from pyvalue.measurement.asking import Answer, Asker, Configuration
from pyvalue.measurement.design import Cell, Design
from pyvalue.measurement.inventory import Inventory
from pyvalue.measurement.personas import Persona
from pyvalue.measurement.progress import progress_bar
from pyvalue.measurement.prompts import YES_NO, PromptStyle
from pyvalue.measurement.score_asking import ScoreAsker
from pyvalue.measurement.store import RunFolder
from pyvalue.models.edits import Edit
from pyvalue.models.fingerprint import weights_fingerprint
from pyvalue.models.loading import LanguageModel
from pyvalue.responses import Responses, make_table

Configurations = Sequence[Edit] | Mapping[str, Sequence[Edit]]


def measure(
    model: LanguageModel,
    inventory: Inventory,
    personas: Sequence[Persona],
    edits: Configurations = (),
    *,
    design: Design | None = None,
    label: str | None = None,
    folder: str | Path | None = None,
    prompts: PromptStyle = YES_NO,
    min_mass: float = 0.01,
    batch_size: int | None = None,
    progress: bool | None = None,
) -> Responses:
    """Ask every item of every persona, and read p(yes) against p(no) from one forward pass.

    Args:
        model: to ask.
        inventory: what to ask; its content-free items measure the bias towards "yes".
        personas: who to be.
        edits: of the residual stream, applied together to every question; or several such configurations, a mapping
            from labels to edits (an empty label with none for the unedited model), which share what lies below them.
        design: wordings, option orders and repeats; default every question once, as it stands.
        label: the ``edit`` column of the answers; default the edits' own labels joined by " + ", empty for none.
        folder: run folder; answers are stored persona by persona, and a later call with the same arguments asks
            only what is missing. Default: nothing is stored.
        prompts: wording.
        min_mass: an answer whose P(yes) + P(no) is below it is ``invalid``: its score is missing, not 0.
        batch_size: most questions in one forward pass; default what fits into memory.
        progress: show a bar with the time left; default when the terminal is one.

    Returns:
        One answer for every configuration, persona and question, in that order.

    Raises:
        ValueError: no personas, personas of the same name, an empty label for edits, or an edit's text span that is
            not in the prompt.
        ModelError: the model cannot be asked (no chat template, no token for yes or no), or an edit does not fit it.
        StoreError: the run folder belongs to another study, is in use, or cannot be written.
    """
    _check_personas(personas)
    configurations = read_configurations(edits, label)
    design = design or Design()
    cells = design.cells(inventory)
    asker: Asker = ScoreAsker(model, prompts, min_mass, batch_size)
    study = {
        "model": {**model.facts(), "weights": weights_fingerprint(model)},
        "template": hashlib.sha256(str(model.tokenizer.chat_template).encode()).hexdigest()[:16],
        "inventory": {"name": inventory.name, "items": len(inventory.items), "digest": inventory.digest},
        "personas": {"count": len(personas), "digest": _digest(personas)},
        "design": design.to_dict(),
        "configurations": [{"label": c.label, "edits": [edit.to_dict() for edit in c.edits]} for c in configurations],
        **asker.facts(),
    }
    tables: dict[int, pd.DataFrame] = {}
    chunks = [cells[i : i + (asker.chunk or len(cells))] for i in range(0, len(cells), asker.chunk or len(cells))]
    names = [c.label for c in configurations if c.label]
    title = f"measuring ({names[0] if len(names) == 1 else f'{len(names)} edits'})" if names else "measuring"
    total = len(personas) * len(chunks)

    def number(c: int, p: int, k: int) -> int:
        return (c * len(personas) + p) * len(chunks) + k

    def ask(p: int, k: int, wanted: Sequence[int]) -> list[pd.DataFrame]:
        found = asker.ask(personas[p], chunks[k], [configurations[c] for c in wanted])
        return [
            _table(model.name, configurations[c].label, personas[p], chunks[k], answers)
            for c, answers in zip(wanted, found, strict=True)
        ]

    every = range(len(configurations))
    if folder is None:
        with progress_bar(title, total, progress) as advance:
            for p in range(len(personas)):
                for k in range(len(chunks)):
                    for c, table in zip(every, ask(p, k, every), strict=True):
                        tables[number(c, p, k)] = table
                    advance()
        return Responses(pd.concat([tables[i] for i in sorted(tables)], ignore_index=True), {"study": study})
    with RunFolder(folder, study) as run, progress_bar(title, total, progress) as advance:
        for p in range(len(personas)):
            for k in range(len(chunks)):
                missing = [c for c in every if not run.part(number(c, p, k)).exists()]
                if missing:
                    for c, table in zip(missing, ask(p, k, missing), strict=True):
                        run.write_part(number(c, p, k), table)
                advance()
        return run.read()


def read_configurations(edits: Configurations, label: str | None = None) -> tuple[Configuration, ...]:
    """Configurations as they were given to ``measure``.

    Raises:
        TypeError: one edit instead of a sequence of edits.
        ValueError: an empty label for edits, a label beside a mapping, or an empty mapping.
    """
    if isinstance(edits, Edit):
        raise TypeError("edits: expected a sequence of edits, got one Edit; write [edit]")
    if not isinstance(edits, Mapping):
        if label is None:
            label = " + ".join(edit.label for edit in edits)
        edits = {label: edits}
    elif label is not None:
        raise ValueError(f"label: expected none beside a mapping of edits, whose keys are the labels, got {label!r}")
    found = []
    for name, together in edits.items():
        if isinstance(together, Edit):
            raise TypeError(f"edits[{name!r}]: expected a sequence of edits, got one Edit; write [edit]")
        if together and not name:
            raise ValueError('label: expected a name for answers under edits, got ""; it stands for no edit')
        found.append(Configuration(str(name), tuple(together)))
    if not found:
        raise ValueError("edits: expected at least one configuration, got an empty mapping; () is the unedited model")
    return tuple(found)


def _table(
    model: str, label: str, persona: Persona, cells: Sequence[Cell], answers: Sequence[Answer]
) -> pd.DataFrame:
    keying = [cell.item.keying for cell in cells]
    score = [
        key * (2 * answer.p_yes - 1) if key else float("nan") for key, answer in zip(keying, answers, strict=True)
    ]
    return make_table(
        {
            "model": model,
            "edit": label,
            "persona": persona.name,
            "item": [cell.item.id for cell in cells],
            "value": [cell.item.value for cell in cells],
            "keying": keying,
            "kind": [cell.item.kind for cell in cells],
            "mode": "score",
            "wording": [cell.wording for cell in cells],
            "order": [cell.order for cell in cells],
            "repeat": [cell.repeat for cell in cells],
            "text": [cell.question for cell in cells],
            "answer": [answer.text for answer in answers],
            "status": [answer.status for answer in answers],
            "p_yes": [answer.p_yes for answer in answers],
            "mass": [answer.mass for answer in answers],
            "score": score,
            "perplexity": [answer.perplexity for answer in answers],
        }
    )


def _check_personas(personas: Sequence[Persona]) -> None:
    if not personas:
        raise ValueError("personas: expected at least one, got none; make_personas(0) is the model as it is")
    names = [persona.name for persona in personas]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ValueError(f"personas: names must be unique, but {repeated[0]!r} occurs more than once")


def _digest(personas: Sequence[Persona]) -> str:
    people = "\n".join(f"{p.name}\t{p.text}" for p in personas)
    return hashlib.sha256(people.encode()).hexdigest()[:16]
