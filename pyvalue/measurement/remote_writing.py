"""Asks a remote model for an answer in words: a thought and an answer that rules read, or one that a judge rates."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pyvalue.measurement.answer_parsing import is_degenerate, is_refusal
from pyvalue.measurement.asking import Answer
from pyvalue.measurement.design import Cell
from pyvalue.measurement.personas import Persona
from pyvalue.measurement.prompts import PromptStyle
from pyvalue.measurement.remote_asking import P_YES, read_written
from pyvalue.measurement.remote_conversation import RemoteAsker
from pyvalue.models.chat import ChatReply, ChatRequest
from pyvalue.models.remote import RemoteModel
from pyvalue.models.row_seeds import row_seed

if TYPE_CHECKING:
    from pyvalue.measurement.judge import Judge


class RemoteGenerateAsker(RemoteAsker):
    """Asks a remote model for a thought and an answer, which rules read; see ``answer_parsing``.

    Args:
        model: to ask.
        style: wording.
        max_new_tokens: most tokens of a reply, hidden reasoning included.
        temperature: 0 for the likeliest reply.
        seed: every row's own comes of it, where the server follows seeds.
        batch_size: none; the model's ``concurrency`` decides.
        judge: rates the answers that the rules cannot read; None leaves them invalid.

    Raises:
        ModelError: the model cannot be asked, or reasons for longer than ``max_new_tokens``.
    """

    def __init__(
        self,
        model: RemoteModel,
        style: PromptStyle,
        max_new_tokens: int,
        temperature: float = 0.0,
        seed: int = 0,
        batch_size: int | None = None,
        judge: Judge | None = None,
    ) -> None:
        super().__init__(model, style, batch_size)
        self._max_new_tokens, self._temperature, self._seed, self._judge = max_new_tokens, temperature, seed, judge
        self._example, _ = self.conversation.open(max_new_tokens, temperature, 0 if temperature else None)

    def facts(self) -> dict[str, Any]:
        """What decides the answers."""
        return {
            **self.facts_of(self._example),
            "max_new_tokens": self._max_new_tokens,
            "temperature": self._temperature,
            "seed": self._seed,
            "judge": self._judge.facts() if self._judge else None,
        }

    def request(self, persona: Persona, cell: Cell) -> ChatRequest:
        """What is sent for a question."""
        seed = self._row_seed(persona, cell) if self._temperature else None
        messages = self.conversation.messages(persona, cell)
        return ChatRequest(messages, self._max_new_tokens, self._temperature, seed)

    def _row_seed(self, persona: Persona, cell: Cell) -> int:
        # Some servers keep seeds in 32 bits with a sign.
        return row_seed(self._seed, persona.name, cell.item.id, cell.wording, cell.order, cell.repeat) >> 32

    def answers(self, cells: Sequence[Cell], replies: Sequence[ChatReply]) -> list[Answer]:
        """What the replies say."""
        answers = [read_written(cell, reply) for cell, reply in zip(cells, replies, strict=True)]
        unread = [i for i, answer in enumerate(answers) if answer.status == "invalid" and answer.text.strip()]
        if self._judge is not None and unread:
            ratings = self._judge.rate([(cells[i].question, answers[i].text) for i in unread])
            for i, rating in zip(unread, ratings, strict=True):
                if not math.isnan(rating):
                    status = _status(float(rating))
                    answers[i] = Answer(status, P_YES[status], text=answers[i].text)
        return answers


class RemoteFreeAsker(RemoteGenerateAsker):
    """Asks a remote model for an answer in its own words, which a judge rates from -1 (against) to 1 (for).

    p_yes is (rating + 1) / 2. Refusals and degenerate texts are not rated; what the judge cannot rate is invalid.

    Args:
        model: to ask.
        style: wording.
        judge: rates every answer.
        max_new_tokens: most tokens of a reply, hidden reasoning included.
        temperature: 0 for the likeliest reply.
        seed: every row's own comes of it, where the server follows seeds.
        batch_size: none; the model's ``concurrency`` decides.
    """

    def __init__(
        self,
        model: RemoteModel,
        style: PromptStyle,
        judge: Judge,
        max_new_tokens: int,
        temperature: float = 0.0,
        seed: int = 0,
        batch_size: int | None = None,
    ) -> None:
        super().__init__(model, style, max_new_tokens, temperature, seed, batch_size, judge)
        self._rater = judge

    def answers(self, cells: Sequence[Cell], replies: Sequence[ChatReply]) -> list[Answer]:
        """What the replies say."""
        answers = [
            Answer(_status_unrated(cell, reply), math.nan, text=reply.text)
            for cell, reply in zip(cells, replies, strict=True)
        ]
        said = [i for i, answer in enumerate(answers) if answer.status == "invalid" and answer.text.strip()]
        ratings = self._rater.rate([(cells[i].question, answers[i].text) for i in said]) if said else ()
        for i, rating in zip(said, ratings, strict=True):
            if not math.isnan(rating):
                answers[i] = Answer(_status(float(rating)), (float(rating) + 1) / 2, text=answers[i].text)
        return answers


def _status_unrated(cell: Cell, reply: ChatReply) -> str:
    """Of an answer that no judge has rated."""
    if reply.finish_reason == "content_filter" or is_refusal(reply.text):
        return "refused"
    return "degenerate" if is_degenerate(reply.text, cell.question) else "invalid"


def _status(rating: float) -> str:
    return "yes" if rating > 0 else "no" if rating < 0 else "unsure"
