"""Prompts: persona and question through the model's own chat template.

The persona and the sentence that names "your values" stand in the system message, so that every question of a
persona shares one prefix, and an edit at the tokens "your values" is computed once a persona.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from pyvalue.errors import ModelError
from pyvalue.measurement.design import ORDERS
from pyvalue.measurement.personas import Persona


@dataclass(frozen=True)
class PromptStyle:
    """Wording of a prompt; named and hashed, so that a run says what was asked.

    Attributes:
        name: version of the wording.
        system: system message after the persona.
        user: user message; ``{question}`` is replaced, and ``{options}`` by "yes or no" or "no or yes".
    """

    name: str
    system: str
    user: str

    def __post_init__(self) -> None:
        if "{question}" not in self.user:
            raise ValueError(f"user: expected a text with {{question}} in it, got {self.user!r}")

    @property
    def digest(self) -> str:
        """Hash of the wording, for manifests."""
        return hashlib.sha256(f"{self.system}\n{self.user}".encode()).hexdigest()[:16]


YES_NO = PromptStyle(
    name="yes-no-2",
    system="Answer as honestly as you can, guided by your values.",
    user="{question} Answer with {options}.",
)


def chat_messages(
    persona: Persona, question: str, style: PromptStyle = YES_NO, order: str = "yes-no"
) -> list[dict[str, str]]:
    """The system message (none where it would be empty) and the user message.

    Args:
        persona: who to be.
        question: what to ask.
        style: wording.
        order: of the options, a key of ``pyvalue.measurement.design.ORDERS``.
    """
    # Stripped, because many templates strip their messages; render_prompt looks for the text as it is.
    system = " ".join(part for part in (persona.text, style.system) if part).strip()
    # The question last: what it holds in braces is its own.
    user = style.user.replace("{options}", ORDERS[order]).replace("{question}", question).strip()
    first = [{"role": "system", "content": system}] if system else []
    return [*first, {"role": "user", "content": user}]


def render_prompt(
    tokenizer: Any, persona: Persona, question: str, style: PromptStyle = YES_NO, order: str = "yes-no"
) -> str:
    """The text that the model reads, up to where its answer begins.

    Models whose template knows no system role get the system message in front of the question.

    Args:
        tokenizer: a ``transformers`` tokenizer with a chat template.
        persona: who to be.
        question: what to ask.
        style: wording.
        order: of the options, a key of ``pyvalue.measurement.design.ORDERS``.

    Raises:
        ModelError: the tokenizer has no chat template.
    """
    if not getattr(tokenizer, "chat_template", None):
        raise ModelError("the model's tokenizer has no chat template; use an instruction-tuned model")
    messages = chat_messages(persona, question, style, order)
    user, system = messages[-1]["content"], messages[0]["content"] if len(messages) > 1 else ""
    text = _render(tokenizer, messages)
    if system and (text is None or system not in text):
        text = _render(tokenizer, [{"role": "user", "content": f"{system}\n\n{user}"}])
    if text is None or user not in text:
        raise ModelError("the model's chat template drops or rejects a plain user message; it cannot be asked")
    return text


def _render(tokenizer: Any, messages: list[dict[str, str]]) -> str | None:
    from jinja2 import TemplateError

    try:
        return str(tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True))
    except TemplateError:
        return None
