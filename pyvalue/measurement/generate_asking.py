"""Generate mode: the model writes a thought and an answer, which rules read, and a judge where the rules cannot.

A row's noise is a function of the seed, the persona, the question, the order and the repeat, and not of the edits: an
answer and its counterpart under an edit are drawn with the same random numbers, so that they differ by what the edit
does and not by luck (common random numbers; Law 2015, Simulation Modeling and Analysis, 11.2).
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Sequence
from typing import Any

from pyvalue.measurement.answer_parsing import P_YES, RULES, parse
from pyvalue.measurement.asking import Answer, Configuration
from pyvalue.measurement.design import Cell, Design
from pyvalue.measurement.judge import Judge
from pyvalue.measurement.personas import Persona
from pyvalue.measurement.plain_text import said
from pyvalue.measurement.prompts import THOUGHT_ANSWER, PromptStyle, render_prompt
from pyvalue.models.loading import LanguageModel
from pyvalue.models.prompt_tokens import check_text, most_tokens
from pyvalue.models.row_seed import row_seed

#: questions of a persona that are asked together; what a kill can lose
CHUNK = 64


class GenerateAsker:
    """Asks a local model for written answers.

    An answer depends on nothing that is asked beside it, up to the arithmetic of the model itself: another batch adds
    in another order, which changes a logit's last bits, and a text where two tokens are as close as that; in float32
    that is rare, in bfloat16 it happens now and then.

    Args:
        model: to ask.
        style: wording.
        temperature: 0 takes the likeliest token; above, tokens are sampled.
        top_p: sample among the likeliest tokens that together have at least this probability.
        max_new_tokens: most tokens of an answer.
        seed: of sampling.
        batch_size: most answers written at a time; default by the memory that is free.
        judge: is asked about answers that the rules cannot read; None leaves them invalid.

    Raises:
        ValueError: an argument is out of range.
    """

    chunk: int | None = CHUNK

    def __init__(
        self,
        model: LanguageModel,
        style: PromptStyle = THOUGHT_ANSWER,
        *,
        temperature: float = 0.0,
        top_p: float = 1.0,
        max_new_tokens: int = 64,
        seed: int = 0,
        batch_size: int | None = None,
        judge: Judge | None = None,
    ) -> None:
        from pyvalue.models.row_generation import Sampling  # needs torch; this module is read for remote models, too

        check_sampling(temperature, top_p, max_new_tokens, seed)
        self._model, self._style, self._judge = model, style, judge
        self._sampling = Sampling(int(max_new_tokens), float(temperature), float(top_p))
        self._seed, self._batch_size = int(seed), batch_size

    def facts(self) -> dict[str, Any]:
        """What decides the answers."""
        from pyvalue.models.row_generation import end_tokens

        sampled = self._sampling.temperature > 0
        return {
            "prompts": {"name": self._style.name, "digest": self._style.digest},
            "temperature": self._sampling.temperature,
            **({"top_p": self._sampling.top_p, "seed": self._seed} if sampled else {}),
            "max_new_tokens": self._sampling.max_new_tokens,
            "end_tokens": end_tokens(self._model),
            "rules": RULES,
            "judge": self._judge.facts() if self._judge else None,
        }

    def ask(
        self, persona: Persona, cells: Sequence[Cell], configurations: Sequence[Configuration]
    ) -> list[list[Answer]]:
        """Answers by configuration, then question.

        Raises:
            ValueError: ``batch_size`` < 1, a prompt leaves no room for an answer or holds half of a character, or the
                positions of an edit are not in it.
        """
        texts = self._write(persona, cells, configurations)
        found = iter(self.read([cell.question for _ in configurations for cell in cells], texts))
        return [[next(found) for _ in cells] for _ in configurations]

    def read(self, questions: Sequence[str], texts: Sequence[str]) -> list[Answer]:
        """What written answers say.

        Args:
            questions: one an answer.
            texts: the answers.
        """
        status = [parse(text, question).status for question, text in zip(questions, texts, strict=True)]
        unread = [i for i, found in enumerate(status) if found == "invalid" and texts[i].strip()]
        if self._judge is not None and unread:
            decided = self._judge.decide([(questions[i], said(texts[i])) for i in unread])
            for i, decision in zip(unread, decided, strict=True):
                status[i] = decision or "invalid"
        return [Answer(found, P_YES.get(found, math.nan), text=text) for found, text in zip(status, texts, strict=True)]

    def _write(self, persona: Persona, cells: Sequence[Cell], configurations: Sequence[Configuration]) -> list[str]:
        """Texts by configuration, then question, written in batches that mix them."""
        from pyvalue.models.row_generation import GenerationRow, write_rows

        prompts = [self._prompt(persona, cell) for cell in cells]
        seeds = [
            row_seed(self._seed, persona.name, persona.text, c.item.id, c.wording, c.order, c.repeat) for c in cells
        ]
        rows = [
            GenerationRow(ids, configuration.edits, seed)
            for configuration in configurations
            for ids, seed in zip(prompts, seeds, strict=True)
        ]
        texts = [""] * len(rows)
        batches = write_rows(self._model, rows, self._sampling, self._batch_size, stacklevel=5)
        with contextlib.closing(batches):
            for numbers, written in batches:
                for i, one in zip(numbers, written, strict=True):
                    texts[i] = one.text
        return texts

    def _prompt(self, persona: Persona, cell: Cell) -> tuple[int, ...]:
        tokenizer = self._model.tokenizer
        prompt = render_prompt(tokenizer, persona, cell.question, self._style, cell.order)
        check_text(prompt)
        ids = tuple(tokenizer(prompt, add_special_tokens=False)["input_ids"])
        room = most_tokens(self._model.network)
        if room and len(ids) + self._sampling.max_new_tokens > room:
            raise ValueError(
                f"max_new_tokens: the prompt of persona {persona.name!r} and item {cell.item.id!r} has {len(ids)} "
                f"tokens, which leaves no room for {self._sampling.max_new_tokens} more in the model's {room}"
            )
        return ids


def check_design(design: Design, style: PromptStyle, temperature: float) -> None:
    """Make sure that a design can be asked for in writing.

    Raises:
        ValueError: repeats without sampling, which would be the same texts, or an order that the style cannot name.
    """
    if design.repeats > 1 and temperature == 0:
        raise ValueError(
            f"repeats: expected 1 at temperature 0, where every repeat is the same text, got {design.repeats}; "
            "give temperature= above 0"
        )
    for order in design.orders:
        style.check_order(order)


def check_sampling(temperature: float, top_p: float, max_new_tokens: int, seed: int) -> None:
    """Make sure that settings of sampling are in range.

    Raises:
        ValueError: one is not.
    """
    if not (math.isfinite(temperature) and temperature >= 0):
        raise ValueError(f"temperature: expected a number of at least 0, got {temperature}")
    if not 0 < top_p <= 1:
        raise ValueError(f"top_p: expected a number above 0 and at most 1, got {top_p}")
    if max_new_tokens != int(max_new_tokens) or max_new_tokens < 1:
        raise ValueError(f"max_new_tokens: expected an integer of at least 1, got {max_new_tokens}")
    if seed != int(seed) or seed < 0:
        raise ValueError(f"seed: expected an integer of at least 0, got {seed}")
