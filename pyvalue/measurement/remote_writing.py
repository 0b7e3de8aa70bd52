"""Asks a remote model for an answer in words: a thought and an answer that rules read, or advice that a judge rates."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from pyvalue.measurement.answer_parsing import P_YES, RULES
from pyvalue.measurement.asking import Answer
from pyvalue.measurement.design import Cell
from pyvalue.measurement.free_asking import read_free
from pyvalue.measurement.generate_asking import check_sampling
from pyvalue.measurement.judge import Judge
from pyvalue.measurement.personas import Persona
from pyvalue.measurement.plain_text import said
from pyvalue.measurement.prompts import FREE, THOUGHT_ANSWER, PromptStyle
from pyvalue.measurement.remote_asking import read_written
from pyvalue.measurement.remote_conversation import RemoteAsker
from pyvalue.models.chat import ChatReply, ChatRequest
from pyvalue.models.remote import RemoteModel
from pyvalue.models.row_seed import row_seed


class RemoteGenerateAsker(RemoteAsker):
    """Asks a remote model for a thought and an answer, as ``GenerateAsker`` asks a local one.

    Args:
        model: to ask.
        style: wording.
        temperature: 0 for the likeliest answer; above, answers are sampled.
        top_p: sample among the likeliest tokens that together have at least this probability.
        max_new_tokens: most tokens of an answer, hidden reasoning included.
        seed: of sampling. Every question has its own by it, which a server follows as well as it can, or refuses.
        batch_size: none; the model's ``concurrency`` decides.
        judge: is asked about answers that the rules cannot read; None leaves them invalid.
        known: the study of a finished run, whose facts are taken over so that nothing is asked.

    Raises:
        ValueError: an argument is out of range.
        ModelError: the model cannot be asked, or reasons for longer than ``max_new_tokens``.
    """

    def __init__(
        self,
        model: RemoteModel,
        style: PromptStyle = THOUGHT_ANSWER,
        *,
        temperature: float = 0.0,
        top_p: float = 1.0,
        max_new_tokens: int = 256,
        seed: int = 0,
        batch_size: int | None = None,
        judge: Judge | None = None,
        known: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(model, style, batch_size, known)
        check_sampling(temperature, top_p, max_new_tokens, seed)
        self._temperature, self._top_p, self._max_new_tokens = float(temperature), float(top_p), int(max_new_tokens)
        self._seed, self._judge = int(seed), judge
        self._example = ChatRequest((), self._max_new_tokens)
        if known is None:
            self._example, _ = self.conversation.open(
                self._max_new_tokens, self._temperature, self._top_p, seed=0 if temperature else None
            )

    def facts(self) -> dict[str, Any]:
        """What decides the answers."""
        return {
            **self.facts_of(self._example),
            "temperature": self._temperature,
            **({"top_p": self._top_p, "seed": self._seed} if self._temperature else {}),
            "max_new_tokens": self._max_new_tokens,
            "rules": RULES,
            "judge": self._judge.facts() if self._judge else None,
        }

    def request(self, persona: Persona, cell: Cell) -> ChatRequest:
        """What is sent for a question."""
        seed = self._row_seed(persona, cell) if self._temperature else None
        messages = self.conversation.messages(persona, cell)
        return ChatRequest(messages, self._max_new_tokens, self._temperature, seed, top_p=self._top_p)

    def answers(
        self, cells: Sequence[Cell], requests: Sequence[ChatRequest], replies: Sequence[ChatReply]
    ) -> list[Answer]:
        """What the replies say."""
        answers = [read_written(cell, reply) for cell, reply in zip(cells, replies, strict=True)]
        unread = [i for i, answer in enumerate(answers) if answer.status == "invalid" and answer.text.strip()]
        if self._judge is None or not unread:
            return answers
        decided = self._judge.decide([(cells[i].question, said(answers[i].text)) for i in unread])
        for i, status in zip(unread, decided, strict=True):
            if status is not None:
                answers[i] = Answer(status, P_YES.get(status, math.nan), text=answers[i].text)
        return answers

    def _row_seed(self, persona: Persona, cell: Cell) -> int:
        """31 bits: some servers keep seeds in 32 with a sign."""
        row = (cell.item.id, cell.wording, cell.order, cell.repeat)
        return row_seed(self._seed, persona.name, persona.text, *row) >> 32


class RemoteFreeAsker(RemoteGenerateAsker):
    """Asks a remote model for advice, as ``FreeAsker`` asks a local one.

    Args:
        model: to ask.
        judge: rates every text; better another model than the one that is asked.
        style: wording.
        temperature: 0 for the likeliest text; above, texts are sampled.
        top_p: sample among the likeliest tokens that together have at least this probability.
        max_new_tokens: most tokens of a text, hidden reasoning included.
        seed: of sampling.
        batch_size: none; the model's ``concurrency`` decides.
        known: the study of a finished run, whose facts are taken over so that nothing is asked.

    Raises:
        ValueError: an argument is out of range.
        ModelError: the model cannot be asked, or reasons for longer than ``max_new_tokens``.
    """

    def __init__(
        self,
        model: RemoteModel,
        judge: Judge,
        style: PromptStyle = FREE,
        *,
        temperature: float = 0.0,
        top_p: float = 1.0,
        max_new_tokens: int = 256,
        seed: int = 0,
        batch_size: int | None = None,
        known: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(
            model,
            style,
            temperature=temperature,
            top_p=top_p,
            max_new_tokens=max_new_tokens,
            seed=seed,
            batch_size=batch_size,
            judge=judge,
            known=known,
        )
        self._rater = judge

    def answers(
        self, cells: Sequence[Cell], requests: Sequence[ChatRequest], replies: Sequence[ChatReply]
    ) -> list[Answer]:
        """What the replies say."""
        filtered = [reply.filtered for reply in replies]
        texts = ["" if out else reply.text for out, reply in zip(filtered, replies, strict=True)]
        answers = read_free(self._rater, [cell.question for cell in cells], texts)
        return [
            Answer("refused", math.nan, text=reply.text) if out else answer
            for out, reply, answer in zip(filtered, replies, answers, strict=True)
        ]
