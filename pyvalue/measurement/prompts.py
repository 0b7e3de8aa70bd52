"""Prompts: persona and question through the model's own chat template.

The persona and the sentence that names "your values" stand in the system message, so that every question of a
persona shares one prefix, and an edit at the tokens "your values" is computed once a persona.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from pyvalue.errors import ModelError
from pyvalue.measurement.personas import Persona


@dataclass(frozen=True)
class PromptStyle:
    """Wording of a prompt; named and hashed, so that a run says what was asked.

    Attributes:
        name: version of the wording.
        system: system message after the persona.
        user: user message; ``{question}`` is replaced.
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
    name="yes-no-1",
    system="Answer as honestly as you can, guided by your values.",
    user="{question} Answer with yes or no.",
)


def render_prompt(tokenizer: Any, persona: Persona, question: str, style: PromptStyle = YES_NO) -> str:
    """The text that the model reads, up to where its answer begins.

    Models whose template knows no system role get the system message in front of the question.

    Args:
        tokenizer: a ``transformers`` tokenizer with a chat template.
        persona: who to be.
        question: what to ask.
        style: wording.

    Raises:
        ModelError: the tokenizer has no chat template.
    """
    if not getattr(tokenizer, "chat_template", None):
        raise ModelError("the model's tokenizer has no chat template; use an instruction-tuned model")
    # Stripped, because many templates strip their messages; the checks below look for the text as it is.
    system = " ".join(part for part in (persona.text, style.system) if part).strip()
    user = style.user.replace("{question}", question).strip()
    text = _render(tokenizer, [{"role": "system", "content": system}, {"role": "user", "content": user}])
    if text is None or system not in text:
        text = _render(tokenizer, [{"role": "user", "content": f"{system}\n\n{user}".strip()}])
    if text is None or user not in text:
        raise ModelError("the model's chat template drops or rejects a plain user message; it cannot be asked")
    return text


def _render(tokenizer: Any, messages: list[dict[str, str]]) -> str | None:
    from jinja2 import TemplateError

    try:
        return str(tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True))
    except TemplateError:
        return None
