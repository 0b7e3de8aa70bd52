"""Prompts: persona and question through the model's own chat template.

The persona and the sentence that names "your values" stand in the system message, so that every question of a
persona shares one prefix, and an edit at the tokens "your values" is computed once a persona.

A prompt is the same on every day and for every model of a kind: templates that write today's date get a fixed one, and
those that can let the model think before it answers are told not to.
"""

from __future__ import annotations

import datetime
import hashlib
import json
from dataclasses import dataclass
from typing import Any

from pyvalue.errors import ModelError
from pyvalue.measurement.design import ORDERS
from pyvalue.measurement.personas import Persona

#: the day that templates write as today: the one that Llama 3.1's falls back on
TODAY = datetime.date(2024, 7, 26)
# transformers hands templates a clock, and takes no other from outside; a macro of its name comes before it.
_CLOCK = "strftime_now"
_STOPPED_CLOCK = (
    f"{{%- macro {_CLOCK}(format) -%}}{{{{ format"
    + "".join(f" | replace('%{part}', '{TODAY:%{part}}')" for part in "aAbBdmyYHMSjZ")
    + "".join(f" | replace('%-{part}', '{int(f'{TODAY:%{part}}')}')" for part in "dmyHMSj")  # without zeros in front
    + " }}{%- endmacro -%}"
)


@dataclass(frozen=True)
class PromptStyle:
    """Wording of a prompt; named and hashed, so that a run says what was asked.

    Attributes:
        name: version of the wording.
        system: system message after the persona.
        user: user message; ``{question}`` is replaced, and ``{options}`` by "yes or no" or "no or yes". A text without
            ``{options}`` names none, and is asked in one order only.
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
        return hashlib.sha256(json.dumps([self.system, self.user]).encode()).hexdigest()[:16]

    def check_order(self, order: str) -> None:
        """Make sure that the wording can name the options in this order.

        Raises:
            ValueError: an unknown order, or another than the first for a wording that names no options.
        """
        if order not in ORDERS:
            raise ValueError(f"order: expected one of {', '.join(map(repr, ORDERS))}, got {order!r}")
        first = next(iter(ORDERS))
        if order != first and "{options}" not in self.user:
            raise ValueError(
                f"order: the prompt style {self.name!r} names no options, so its answers cannot be asked in the order "
                f"{order!r}; ask in {first!r} only, or put {{options}} into the style's user message"
            )


YES_NO = PromptStyle(
    name="yes-no-2",
    system="Answer as honestly as you can, guided by your values.",
    user="{question} Answer with {options}.",
)
#: the model writes a thought and then an answer, which ``answer_parsing`` reads
THOUGHT_ANSWER = PromptStyle(
    name="thought-answer-1",
    system=YES_NO.system,
    # Offered less shyly, "unsure" is all that the bundled model writes: 39 of 40 greedy answers.
    user='{question} Write one sentence that begins with "I think". Then write "Answer:" and choose {options} '
    "(or unsure, if you cannot choose).",
)
#: the model gives advice in its own words, which a judge rates
FREE = PromptStyle(
    name="free-1",
    system="Give honest advice, guided by your values.",
    user="{question} Give your advice in two or three sentences.",
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

    Raises:
        ValueError: an unknown order, or another than the first for a style that names no options.
    """
    style.check_order(order)
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

    Models whose template knows no system role get the system message in front of the question. Templates that think
    are rendered with thinking switched off, and the day of those that write one is ``TODAY``. Where persona and style
    leave no system message, some templates write their own (SmolLM2's and Qwen 2.5's "helpful assistant").

    Args:
        tokenizer: a ``transformers`` tokenizer with a chat template.
        persona: who to be.
        question: what to ask.
        style: wording.
        order: of the options, a key of ``pyvalue.measurement.design.ORDERS``.

    Raises:
        ModelError: the tokenizer has no chat template, or one that drops or rejects the question.
        ValueError: an unknown order, or another than the first for a style that names no options.
    """
    messages = chat_messages(persona, question, style, order)
    return render_chat(tokenizer, messages[-1]["content"], messages[0]["content"] if len(messages) > 1 else "")


def render_chat(tokenizer: Any, user: str, system: str = "") -> str:
    """The text that the model reads for a user message and a system message, both without spaces at their ends.

    Args:
        tokenizer: a ``transformers`` tokenizer with a chat template.
        user: message.
        system: message, empty for none; in front of ``user`` where the template knows no system role.

    Raises:
        ModelError: the tokenizer has no chat template, or one that drops or rejects the user message.
    """
    if not getattr(tokenizer, "chat_template", None):
        raise ModelError("the model's tokenizer has no chat template; use an instruction-tuned model")
    asked = {"role": "user", "content": user}
    text = _render(tokenizer, [{"role": "system", "content": system}, asked] if system else [asked])
    if system and (text is None or system not in text):
        text = _render(tokenizer, [{"role": "user", "content": f"{system}\n\n{user}"}])
    if text is None or user not in text:
        raise ModelError("the model's chat template drops or rejects a plain user message; it cannot be asked")
    return text


def _render(tokenizer: Any, messages: list[dict[str, str]]) -> str | None:
    from jinja2 import TemplateError

    template = tokenizer.get_chat_template()
    if _CLOCK in template:
        template = _STOPPED_CLOCK + template
    try:
        text = tokenizer.apply_chat_template(
            messages,
            chat_template=template,
            tokenize=False,
            add_generation_prompt=True,
            enable_thinking=False,  # a template that does not know the name is not changed by it
        )
    except TemplateError:
        return None
    return str(text)
