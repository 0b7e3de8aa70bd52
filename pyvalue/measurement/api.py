"""``measure``: ask an inventory of a model under personas and edits, and keep the answers.

Checks what was asked and keeps the folder. How a model is asked stands in the modules of the askers.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from pyvalue.engines import Engine, read_engine
from pyvalue.errors import ModelError
from pyvalue.measurement.asked_units import AskedUnits
from pyvalue.measurement.askers import Mode, Settings, chunk_of, make_asker
from pyvalue.measurement.asking import Configuration
from pyvalue.measurement.cost import check_budget, estimate_cost
from pyvalue.measurement.design import Design
from pyvalue.measurement.inventory import Inventory
from pyvalue.measurement.judge import Judge
from pyvalue.measurement.personas import Persona
from pyvalue.measurement.prompts import PromptStyle
from pyvalue.measurement.run_parts import run_parts
from pyvalue.measurement.unasked import finished_study
from pyvalue.models.loading import LanguageModel
from pyvalue.models.remote import RemoteModel
from pyvalue.responses import Responses

if TYPE_CHECKING:
    from pyvalue.models.edits import Edit

Configurations: TypeAlias = "Sequence[Edit] | Mapping[str, Sequence[Edit]]"


def measure(
    model: LanguageModel | RemoteModel,
    inventory: Inventory,
    personas: Sequence[Persona],
    edits: Configurations = (),
    *,
    mode: Mode = "score",
    design: Design | None = None,
    label: str | None = None,
    folder: str | Path | None = None,
    shared: bool = False,
    prompts: PromptStyle | None = None,
    judge: Judge | LanguageModel | RemoteModel | None = None,
    min_mass: float = 0.01,
    temperature: float = 0.0,
    top_p: float = 1.0,
    max_new_tokens: int | None = None,
    seed: int = 0,
    batch_size: int | None = None,
    max_cost: float | None = None,
    progress: bool | None = None,
    engine: Engine = "local",
) -> Responses:
    """Ask every item of every persona, and keep what comes back.

    Args:
        model: to ask; a remote one (``load_model("openai:NAME")``) under personas only, not under edits.
        inventory: what to ask; its content-free items measure the bias towards "yes".
        personas: who to be.
        edits: of the residual stream, applied together to every question; or several such configurations, a mapping
            from labels to edits (an empty label with none for the unedited model), which share what lies below them.
        mode: ``"score"`` reads p(yes) against p(no) from the next token; ``"generate"`` lets the model write a thought
            and an answer, which rules read; ``"free"`` lets it advise in its own words, which ``judge`` rates.
        design: wordings, option orders, repeats, or a fraction of them; default every question once, as it stands.
        label: the ``edit`` column of the answers; default the edits' own labels joined by " + ", empty for none.
        folder: run folder; a later call with the same arguments asks only what is missing. Answers are stored persona
            by persona, written ones 64 questions and remote ones 32 questions of a persona at a time: so much is asked
            again after an interruption. Default: nothing is stored.
        shared: let other processes that pass it too work on the folder at the same time.
        prompts: wording; default ``YES_NO``, ``THOUGHT_ANSWER`` or ``FREE`` by the mode.
        judge: a model that rates free answers, or reads written ones that the rules cannot.
        min_mass: in mode score, an answer whose P(yes) + P(no) is below it is ``invalid``: missing, not 0.
        temperature: of written answers; 0 takes the likeliest token.
        top_p: sample written answers among the likeliest tokens that together have at least this probability.
        max_new_tokens: most tokens of a written answer; default 64 in mode generate and 128 in mode free, 256 for a
            remote model.
        seed: of sampling.
        batch_size: most questions in one forward pass; default what fits into memory.
        max_cost: dollars that remote models, the judge too, may cost at most; a measurement whose part that is not
            stored yet can cost more does not start.
        progress: show a bar with the time left; default when the terminal is one.
        engine: ``"local"``, this process; or ``"ray"`` or a ``RayEngine``, workers on a Ray cluster that write into the
            folder, which is then needed, and which all machines must see. They load the model by its name, so that one
            changed in memory must be saved to a folder and loaded from there. The answers are those of one process with
            as many torch threads as a worker has ``cpus``.

    Returns:
        One answer for every configuration, persona and question, in that order.

    Raises:
        ValueError: no personas, personas of the same name, an empty label for edits, an edit's text span that is not in
            the prompt, or settings that do not go with the mode.
        ModelError: the model cannot be asked (no chat template, no token for yes or no, no answer from its server), or
            an edit does not fit it.
        StoreError: the run folder belongs to another study, is in use, or cannot be written.
        ClusterError: Ray is not installed, its cluster cannot be reached, or a worker failed.
    """
    workers = read_engine(engine)
    if workers is not None and folder is None:
        raise ValueError(
            "folder: expected a run folder that all machines see, got None, and workers store their answers"
        )
    _check_personas(personas)
    _check_not_edited(model, judge)
    if folder is not None and not str(folder):
        raise ValueError('folder: expected the path of a run folder, got ""; None stores nothing')
    min_mass = float(min_mass)
    if not 0 <= min_mass <= 1:
        raise ValueError(f"min_mass: expected a probability from 0 to 1, got {min_mass}")
    configurations = read_configurations(edits, label)
    design = design or Design()
    cells = design.cells(inventory)
    settings = Settings(mode, prompts, judge, min_mass, temperature, top_p, max_new_tokens, seed, batch_size)
    known = None
    if isinstance(model, RemoteModel) or _is_remote(judge):
        _check_remote(model, inventory, personas, design, settings, configurations, folder, max_cost)
        known = finished_study(personas, cells, len(configurations), folder, chunk_of(model, mode))
    asker = make_asker(model, personas, design, settings, known)
    study = {
        "mode": mode,
        **_model_study(model),
        "inventory": {"name": inventory.name, "items": len(inventory.items), "digest": inventory.digest},
        "personas": {"count": len(personas), "digest": _digest(personas)},
        "design": design.to_dict(),
        "configurations": [{"label": c.label, "edits": [edit.to_dict() for edit in c.edits]} for c in configurations],
        **asker.facts(),
    }
    asked = AskedUnits(model.name, mode, asker, personas, cells, configurations)
    names = [c.label for c in configurations if c.label]
    title = f"measuring ({names[0] if len(names) == 1 else f'{len(names)} edits'})" if names else "measuring"
    if workers is None or folder is None:
        return run_parts(
            folder, study, asked.units, asked.numbers_of, asked.ask, title=title, progress=progress, shared=shared
        )
    from pyvalue.measurement.ray_measuring import measure_on_ray

    return measure_on_ray(
        workers,
        model,
        asked,
        study,
        personas,
        design,
        cells,
        configurations,
        settings,
        folder,
        title=title,
        progress=progress,
    )


def read_configurations(edits: Configurations, label: str | None = None) -> tuple[Configuration, ...]:
    """Configurations as they were given to ``measure``.

    Raises:
        TypeError: one edit instead of a sequence of edits.
        ValueError: an empty label for edits, a label beside a mapping, or an empty mapping.
    """
    if _is_edit(edits):
        raise TypeError("edits: expected a sequence of edits, got one Edit; write [edit]")
    if not isinstance(edits, Mapping):
        if label is None:
            label = " + ".join(edit.label for edit in edits)
        edits = {label: edits}
    elif label is not None:
        raise ValueError(f"label: expected none beside a mapping of edits, whose keys are the labels, got {label!r}")
    found = []
    for name, together in edits.items():
        if not isinstance(name, str):
            raise TypeError(f"edits: expected labels that are texts, got {name!r}")
        if _is_edit(together):
            raise TypeError(f"edits[{name!r}]: expected a sequence of edits, got one Edit; write [edit]")
        if together and not name:
            raise ValueError('label: expected a name for answers under edits, got ""; it stands for no edit')
        found.append(Configuration(name, tuple(together)))
    if not found:
        raise ValueError("edits: expected at least one configuration, got an empty mapping; () is the unedited model")
    return tuple(found)


def _is_edit(given: object) -> bool:
    if isinstance(given, Sequence | Mapping):
        return False  # remote models are asked without torch, which edits need
    from pyvalue.models.edits import Edit

    return isinstance(given, Edit)


def _model_study(model: LanguageModel | RemoteModel) -> dict[str, Any]:
    if isinstance(model, RemoteModel):
        return {"model": model.facts()}
    from pyvalue.models.fingerprint import fingerprints

    return {"model": {**model.facts(), **fingerprints(model)}}


def _is_remote(judge: Judge | LanguageModel | RemoteModel | None) -> bool:
    return isinstance(judge.model if isinstance(judge, Judge) else judge, RemoteModel)


def _check_remote(
    model: LanguageModel | RemoteModel,
    inventory: Inventory,
    personas: Sequence[Persona],
    design: Design,
    settings: Settings,
    configurations: Sequence[Configuration],
    folder: str | Path | None,
    max_cost: float | None,
) -> None:
    """Refuse edits of a remote model, and what may cost too much, before the first request."""
    for configuration in configurations:
        if configuration.edits and isinstance(model, RemoteModel):
            raise ModelError(
                f"edits: {configuration.label!r} edits the residual stream, which is out of reach in "
                f"{model.name}; a remote model can only be steered by roles (personas)"
            )
    if max_cost is None:
        return
    estimate = estimate_cost(
        model,
        inventory,
        personas,
        {str(i): configuration.edits for i, configuration in enumerate(configurations)},
        design=design,
        mode=settings.mode,
        prompts=settings.prompts,
        max_new_tokens=settings.max_new_tokens,
        folder=folder,
        judge=settings.judge,
    )
    check_budget(estimate, max_cost)


def _check_personas(personas: Sequence[Persona]) -> None:
    if not personas:
        raise ValueError("personas: expected at least one, got none; make_personas(0) is the model as it is")
    names = [persona.name for persona in personas]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ValueError(f"personas: names must be unique, but {repeated[0]!r} occurs more than once")


def _check_not_edited(*models: object) -> None:
    """Edits of a block around the call would go unnoticed: answers under them would be stored as unedited ones."""
    for model in models:
        model = model.model if isinstance(model, Judge) else model
        if not isinstance(model, LanguageModel):
            continue
        from pyvalue.models.generate_hook import is_edited

        if is_edited(model.network):
            raise ModelError(
                f"{model.name} is inside of an edit(...) block, whose edits would not be on record: leave the block, "
                "and pass the edits as an argument instead (edits=...)"
            )


def _digest(personas: Sequence[Persona]) -> str:
    people = json.dumps([[p.name, p.text] for p in personas])
    return hashlib.sha256(people.encode()).hexdigest()[:16]
