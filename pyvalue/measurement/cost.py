"""What a measurement will cost, before it starts: requests, tokens, dollars. Asks no model.

What it did cost stands in ``RemoteModel.usage`` afterwards.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pyvalue.measurement.askers import STYLES, Mode, chunk_of, new_tokens
from pyvalue.measurement.design import Cell, Design
from pyvalue.measurement.inventory import Inventory
from pyvalue.measurement.judge import RATING_TOKENS, SUPPORT, Judge
from pyvalue.measurement.personas import Persona
from pyvalue.measurement.prompts import PromptStyle, chat_messages, render_prompt
from pyvalue.measurement.remote_asking import SHORT_ANSWER
from pyvalue.measurement.unasked import unasked
from pyvalue.models.loading import LanguageModel
from pyvalue.models.remote import RemoteModel
from pyvalue.models.remote_usage import dollars

if TYPE_CHECKING:
    from pyvalue.models.edits import Edit

#: personas, and what each is asked
Asked = Sequence[tuple[Persona, Sequence[Cell]]]
#: ASCII characters a token, where a model's tokenizer is out of reach; every other character counts as one
CHARACTERS_PER_TOKEN = 4
#: tokens that mark off a message, and the beginning of the reply
TOKENS_PER_MESSAGE, TOKENS_PER_REPLY = 4, 3


@dataclass(frozen=True)
class CostEstimate:
    """What a measurement will use.

    Attributes:
        requests: questions asked, and answers rated.
        prompt_tokens: read by the models.
        completion_tokens: most that they can write.
        dollars: most that it can cost at the models' ``price``; None where one is missing.
        exact: the prompts were counted with the model's own tokenizer; else at four characters a token, and one where
            they are not ASCII.
    """

    requests: int
    prompt_tokens: int
    completion_tokens: int
    dollars: float | None
    exact: bool

    def __str__(self) -> str:
        counted = "counted" if self.exact else f"estimated at {CHARACTERS_PER_TOKEN} characters a token"
        cost = "no price known" if self.dollars is None else f"at most about ${self.dollars:,.2f}"
        if self.dollars == 0:
            cost = "nothing to pay"
        return (
            f"{self.requests:,} requests, {self.prompt_tokens:,} tokens of prompts ({counted}), "
            f"at most {self.completion_tokens:,} tokens of replies, {cost}"
        )


def estimate_cost(
    model: LanguageModel | RemoteModel,
    inventory: Inventory,
    personas: Sequence[Persona],
    edits: Sequence[Edit] | Mapping[str, Sequence[Edit]] = (),
    *,
    design: Design | None = None,
    mode: Mode = "score",
    prompts: PromptStyle | None = None,
    max_new_tokens: int | None = None,
    judge: Judge | LanguageModel | RemoteModel | None = None,
    folder: str | Path | None = None,
) -> CostEstimate:
    """What ``measure`` will use with the same arguments.

    Not counted: the one or two questions that find out what a remote model offers, and what is asked twice because a
    server failed.

    Args:
        model: to ask.
        inventory: what to ask.
        personas: who to be.
        edits: as ``measure`` takes them; every configuration is asked for itself.
        design: wordings, option orders and repeats; default every question once.
        mode: ``"score"``, ``"generate"`` or ``"free"``.
        prompts: wording; default by the mode, as in ``measure``.
        max_new_tokens: most tokens of a written answer; default by the mode, as in ``measure``.
        judge: rates every answer in mode free, and reads at most every answer in mode generate; None for none.
        folder: run folder of the measurement; what it holds already is not counted.

    In mode score, a reply of a remote model counts as 16 tokens until its server is known to offer probabilities, which
    take one.

    Raises:
        ValueError: an unknown mode, no personas, no configuration, or a design that the inventory does not allow.
    """
    if mode not in STYLES:
        raise ValueError(f"mode: expected one of {', '.join(map(repr, STYLES))}, got {mode!r}")
    prompts = prompts or STYLES[mode]
    if not personas:
        raise ValueError("personas: expected at least one, got none")
    configurations = len(edits) if isinstance(edits, Mapping) else 1
    if not configurations:
        raise ValueError("edits: expected at least one configuration, got an empty mapping; () is the unedited model")
    cells = (design or Design()).cells(inventory)
    asked = unasked(personas, cells, configurations, folder, chunk_of(model, mode))
    answers = sum(len(left) for _, left in asked)
    written = _score_tokens(model) if mode == "score" else new_tokens(model, mode, max_new_tokens)
    exact = isinstance(model, LanguageModel)
    read = _counted(model, asked, prompts) if exact else _estimated(asked, prompts)
    cost = _dollars(model, read, answers * written)
    if judge is None:
        return CostEstimate(answers, read, answers * written, cost, exact)
    prompt, most = (judge.prompt, judge.max_tokens) if isinstance(judge, Judge) else (SUPPORT, RATING_TOKENS)
    told = _messages([prompt.system, prompt.rating if mode == "free" else prompt.decision]) + TOKENS_PER_REPLY + written
    rated = math.ceil(sum(told + _tokens(cell.question) for _, left in asked for cell in left))
    judged = _dollars(judge.model if isinstance(judge, Judge) else judge, rated, answers * most)
    total = None if cost is None or judged is None else cost + judged
    return CostEstimate(2 * answers, read + rated, answers * (written + most), total, False)


def check_budget(estimate: CostEstimate, max_cost: float | None) -> None:
    """Make sure that a measurement can cost no more than it may; call it before the first request.

    Args:
        estimate: of ``estimate_cost``.
        max_cost: dollars; None for no bound.

    Raises:
        ValueError: it can cost more, or no price is known.
    """
    if max_cost is None:
        return
    if isinstance(max_cost, bool) or not isinstance(max_cost, int | float) or not max_cost >= 0:
        raise ValueError(f"max_cost: expected dollars of at least 0, got {max_cost!r}")
    if estimate.dollars is None:
        raise ValueError("max_cost: no price is known; give load_model(price=(dollars per million tokens in, out))")
    if estimate.dollars > max_cost:
        raise ValueError(
            f"max_cost: expected at most ${max_cost:,.2f}, but it can cost more: {estimate}; "
            "ask fewer personas or items, or raise max_cost"
        )


def _score_tokens(model: LanguageModel | RemoteModel) -> int:
    """Tokens written for a score: one, but a short answer where a server may offer no probabilities."""
    if isinstance(model, LanguageModel):
        return 0
    return 1 if model.calls.accepted.offers_logprobs else SHORT_ANSWER


def _counted(model: LanguageModel | RemoteModel, asked: Asked, style: PromptStyle) -> int:
    assert isinstance(model, LanguageModel)
    total = 0
    for persona, cells in asked:
        texts = [render_prompt(model.tokenizer, persona, cell.question, style, cell.order) for cell in cells]
        total += sum(map(len, model.tokenizer(texts, add_special_tokens=False)["input_ids"])) if texts else 0
    return total


def _estimated(asked: Asked, style: PromptStyle) -> int:
    """The system message is the persona's, the user message the question's; each is counted once."""
    of_users: dict[Cell, float] = {}
    total = 0.0
    for persona, cells in asked:
        for cell in cells:
            if cell not in of_users:
                user = chat_messages(persona, cell.question, style, cell.order)[-1]["content"]
                of_users[cell] = _messages([user]) + TOKENS_PER_REPLY
            total += of_users[cell]
        if cells:
            system = chat_messages(persona, cells[0].question, style, cells[0].order)[:-1]
            total += len(cells) * _messages(message["content"] for message in system)
    return math.ceil(total)


def _messages(texts: Iterable[str]) -> float:
    return sum(_tokens(text) + TOKENS_PER_MESSAGE for text in texts)


def _tokens(text: str) -> float:
    plain = sum(map(str.isascii, text))
    return plain / CHARACTERS_PER_TOKEN + len(text) - plain


def _dollars(model: LanguageModel | RemoteModel, read: int, written: int) -> float | None:
    """A model that runs here costs nothing."""
    return dollars(model.price, read, written) if isinstance(model, RemoteModel) else 0.0
