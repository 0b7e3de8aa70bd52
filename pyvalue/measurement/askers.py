"""Which asker goes with a model and a mode, and whether the settings fit them. Asks nothing itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pyvalue.measurement.asking import Asker
from pyvalue.measurement.design import Design
from pyvalue.measurement.free_asking import FreeAsker
from pyvalue.measurement.generate_asking import GenerateAsker, check_design
from pyvalue.measurement.judge import Judge
from pyvalue.measurement.personas import Persona
from pyvalue.measurement.prompts import FREE, THOUGHT_ANSWER, YES_NO, PromptStyle
from pyvalue.measurement.remote_asking import RemoteScoreAsker
from pyvalue.measurement.remote_writing import RemoteFreeAsker, RemoteGenerateAsker
from pyvalue.models.loading import LanguageModel
from pyvalue.models.remote import RemoteModel

Mode = Literal["score", "generate", "free"]
#: mode -> wording, where none is given
STYLES: dict[str, PromptStyle] = {"score": YES_NO, "generate": THOUGHT_ANSWER, "free": FREE}
#: mode -> most tokens of an answer, where none is given; a remote model may reason before it answers
NEW_TOKENS = {"score": 1, "generate": 64, "free": 128}
REMOTE_NEW_TOKENS = {"score": 1, "generate": 256, "free": 256}
#: personas on whom it is watched how surprising the questions are under an edit
WATCHED_PERSONAS = 2


@dataclass(frozen=True)
class Settings:
    """How answers are got; None for what the mode decides."""

    mode: Mode
    prompts: PromptStyle | None
    judge: Judge | LanguageModel | RemoteModel | None
    min_mass: float
    temperature: float
    top_p: float
    max_new_tokens: int | None
    seed: int
    batch_size: int | None


def make_asker(
    model: LanguageModel | RemoteModel,
    personas: Sequence[Persona],
    design: Design,
    settings: Settings,
    known: Mapping[str, Any] | None = None,
) -> Asker:
    """The asker of a mode. A remote model, and a remote judge, are asked one or two questions.

    Args:
        model: to ask.
        personas: who to be.
        design: of the questions.
        settings: how.
        known: study of a finished run. What its first questions found out is taken over, and nothing is asked.

    Raises:
        ValueError: an unknown mode, settings that go with another, no judge where one is needed, or a wording that
            cannot be asked in some order.
        ModelError: the model cannot be asked.
    """
    if settings.mode not in STYLES:
        raise ValueError(f"mode: expected one of {', '.join(map(repr, STYLES))}, got {settings.mode!r}")
    style = settings.prompts or STYLES[settings.mode]
    if settings.mode == "score":
        return _score_asker(model, personas, design, settings, style, known)
    check_design(design, style, settings.temperature)
    judge = _judge(settings)
    if judge is not None:
        judge.open(known and known.get("judge"))
    sampling: dict[str, Any] = {
        "temperature": settings.temperature,
        "top_p": settings.top_p,
        "max_new_tokens": new_tokens(model, settings.mode, settings.max_new_tokens),
        "seed": settings.seed,
        "batch_size": settings.batch_size,
    }
    if settings.mode == "generate":
        if isinstance(model, RemoteModel):
            return RemoteGenerateAsker(model, style, judge=judge, known=known, **sampling)
        return GenerateAsker(model, style, judge=judge, **sampling)
    assert judge is not None
    if isinstance(model, RemoteModel):
        return RemoteFreeAsker(model, judge, style, known=known, **sampling)
    return FreeAsker(model, judge, style, **sampling)


def new_tokens(model: LanguageModel | RemoteModel, mode: Mode, given: int | None = None) -> int:
    """Most tokens of an answer: as given, else by the mode."""
    if given is not None:
        return given
    return (REMOTE_NEW_TOKENS if isinstance(model, RemoteModel) else NEW_TOKENS)[mode]


def chunk_of(model: LanguageModel | RemoteModel, mode: Mode) -> int | None:
    """Most questions of a part of a run; None for all of a persona."""
    if isinstance(model, RemoteModel):
        return RemoteScoreAsker.chunk
    from pyvalue.measurement.score_asking import ScoreAsker  # needs torch, which a remote model does not

    return ScoreAsker.chunk if mode == "score" else GenerateAsker.chunk


def _score_asker(
    model: LanguageModel | RemoteModel,
    personas: Sequence[Persona],
    design: Design,
    settings: Settings,
    style: PromptStyle,
    known: Mapping[str, Any] | None,
) -> Asker:
    given = {"temperature": 0.0, "top_p": 1.0, "max_new_tokens": None, "judge": None}
    if other := [name for name, default in given.items() if getattr(settings, name) != default]:
        raise ValueError(
            f"{', '.join(other)}: for written answers, and mode is 'score', which reads probabilities; leave out, or "
            "give mode='generate'"
        )
    if design.repeats > 1:
        raise ValueError(
            f"repeats: expected 1 in mode 'score', which gives the same probabilities every time, got {design.repeats}"
        )
    for order in design.orders:
        style.check_order(order)
    if isinstance(model, RemoteModel):
        return RemoteScoreAsker(model, style, settings.min_mass, settings.batch_size, known)
    from pyvalue.measurement.score_asking import ScoreAsker

    watched = frozenset(persona.name for persona in personas[:WATCHED_PERSONAS])
    return ScoreAsker(model, style, settings.min_mass, settings.batch_size, watched)


def _judge(settings: Settings) -> Judge | None:
    judge = settings.judge
    if judge is None and settings.mode == "free":
        raise ValueError("judge: expected a model that rates free answers, got None; give judge=load_model(...)")
    return judge if judge is None or isinstance(judge, Judge) else Judge(judge)
