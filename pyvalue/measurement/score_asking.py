"""Score mode: p(yes) against p(no) of the next token, read from forward passes. See ``scoring`` for those."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pyvalue.measurement.asking import Answer, Configuration
from pyvalue.measurement.design import Cell
from pyvalue.measurement.perplexity import perplexities
from pyvalue.measurement.personas import Persona
from pyvalue.measurement.prompts import PromptStyle, render_prompt
from pyvalue.measurement.scoring import score_configurations
from pyvalue.models.edits import Edit
from pyvalue.models.loading import LanguageModel

#: most questions of a watched persona whose perplexity is computed
WATCHED_QUESTIONS = 24


class ScoreAsker:
    """Asks a local model for probabilities.

    Args:
        model: to ask.
        style: wording.
        min_mass: an answer whose P(yes) + P(no) is below it is invalid.
        batch_size: most questions in one forward pass; default what fits.
        watched: names of personas of whose questions some are read for their perplexity, which tells whether edits
            break the model.
    """

    chunk: int | None = None

    def __init__(
        self,
        model: LanguageModel,
        style: PromptStyle,
        min_mass: float,
        batch_size: int | None,
        watched: frozenset[str] = frozenset(),
    ) -> None:
        self._model, self._style, self._min_mass, self._batch_size = model, style, min_mass, batch_size
        self._watched = watched
        self._idle: set[tuple[Edit, ...]] = set()

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
        edits = [configuration.edits for configuration in configurations]
        found = score_configurations(self._model, prompts, edits, self._batch_size, self._idle)
        perplexity = np.full((len(edits), len(cells)), np.nan)
        if persona.name in self._watched:
            self._watch(prompts, cells, configurations, perplexity)
        return [
            [self._answer(*each) for each in zip(chances.yes, chances.no, of_questions, strict=True)]
            for chances, of_questions in zip(found, perplexity, strict=True)
        ]

    def _watch(
        self,
        prompts: Sequence[str],
        cells: Sequence[Cell],
        configurations: Sequence[Configuration],
        perplexity: npt.NDArray[np.float64],
    ) -> None:
        """Fill in the perplexity (configurations, questions) of some questions, the same for every configuration."""
        chosen, places = [], []
        for i in watched_questions(cells):
            question = cells[i].question.strip()
            start = prompts[i].rfind(question)
            if start >= 0:  # a template may write it in another way
                chosen.append(i)
                places.append((start, start + len(question)))
        if chosen:
            edits = [configuration.edits for configuration in configurations]
            texts = [prompts[i] for i in chosen]
            perplexity[:, chosen] = perplexities(self._model, texts, places, edits, self._batch_size)

    def _answer(self, yes: float, no: float, perplexity: float) -> Answer:
        mass = float(yes + no)
        if mass <= 0 or not mass >= self._min_mass:
            return Answer("invalid", float("nan"), mass, perplexity=float(perplexity))
        p_yes = float(yes) / mass
        return Answer("yes" if p_yes >= 0.5 else "no", p_yes, mass, perplexity=float(perplexity))


def watched_questions(cells: Sequence[Cell]) -> list[int]:
    """Numbers of at most ``WATCHED_QUESTIONS`` questions with keying, evenly spaced among them."""
    keyed = [i for i, cell in enumerate(cells) if cell.item.keying]
    count = min(len(keyed), WATCHED_QUESTIONS)
    return [keyed[i] for i in np.linspace(0, len(keyed) - 1, count).round().astype(int)] if count else []
