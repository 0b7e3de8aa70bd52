"""Score mode: p(yes) against p(no) of the next token, read from forward passes. See ``scoring`` for those."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pyvalue.measurement.asking import Answer, Configuration
from pyvalue.measurement.design import Cell
from pyvalue.measurement.personas import Persona
from pyvalue.measurement.prompts import PromptStyle, render_prompt
from pyvalue.measurement.scoring import score_prompts
from pyvalue.models.loading import LanguageModel


class ScoreAsker:
    """Asks a local model for probabilities.

    Args:
        model: to ask.
        style: wording.
        min_mass: an answer whose P(yes) + P(no) is below it is invalid.
        batch_size: most questions in one forward pass; default what fits.
    """

    chunk: int | None = None

    def __init__(self, model: LanguageModel, style: PromptStyle, min_mass: float, batch_size: int | None) -> None:
        self._model, self._style, self._min_mass, self._batch_size = model, style, min_mass, batch_size

    def facts(self) -> dict[str, Any]:
        """What decides the answers."""
        return {"prompts": {"name": self._style.name, "digest": self._style.digest}, "min_mass": self._min_mass}

    def ask(
        self, persona: Persona, cells: Sequence[Cell], configurations: Sequence[Configuration]
    ) -> list[list[Answer]]:
        """Answers by configuration, then question."""
        prompts = [
            render_prompt(self._model.tokenizer, persona, cell.question, self._style, cell.order) for cell in cells
        ]
        answers = []
        for configuration in configurations:
            found = score_prompts(self._model, prompts, configuration.edits, self._batch_size or 48)
            answers.append([self._answer(yes, no) for yes, no in zip(found.yes, found.no, strict=True)])
        return answers

    def _answer(self, yes: float, no: float) -> Answer:
        mass = float(yes + no)
        if mass <= 0 or not mass >= self._min_mass:
            return Answer("invalid", float("nan"), mass)
        p_yes = float(yes) / mass
        return Answer("yes" if p_yes >= 0.5 else "no", p_yes, mass)
