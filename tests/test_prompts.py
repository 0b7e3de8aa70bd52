"""Prompts hold persona, system text and question verbatim, whatever the template makes of roles."""

from __future__ import annotations

import pytest

from pyvalue.errors import ModelError
from pyvalue.measurement.personas import NO_PERSONA, Persona
from pyvalue.measurement.prompts import FREE, THOUGHT_ANSWER, YES_NO, PromptStyle, chat_messages, render_prompt

ANA = Persona("Ana", "You are Ana.")
QUESTION = "Should I rest?"
SYSTEM = f"You are Ana. {YES_NO.system}"
USER = "Should I rest? Answer with yes or no."
GEMMA = (
    "{{ bos_token }}{% if messages[0]['role'] == 'system' %}"
    "{{ raise_exception('System role not supported') }}{% endif %}"
    "{% for m in messages %}<start_of_turn>{{ m['role'] }}\n{{ m['content'] | trim }}<end_of_turn>\n{% endfor %}"
    "{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}"
)
SYSTEM_DROPPED = "{% for m in messages %}{% if m['role'] == 'user' %}[{{ m['content'] }}]{% endif %}{% endfor %}"
TRIMMING = "{% for m in messages %}<{{ m['role'] }}>{{ m['content'] | trim }}</{{ m['role'] }}>{% endfor %}"


def test_a_system_message_comes_before_the_question(tiny_model):
    assert render_prompt(tiny_model.tokenizer, ANA, QUESTION) == (
        f"<|im_start|>system\n{SYSTEM}<|im_end|>\n<|im_start|>user\n{USER}<|im_end|>\n<|im_start|>assistant\n"
    )


def test_no_persona_leaves_the_style_alone(tiny_model):
    assert f"system\n{YES_NO.system}<|im_end|>" in render_prompt(tiny_model.tokenizer, NO_PERSONA, QUESTION)


def test_a_template_that_raises_for_system_gets_it_merged(tokenizer_of):
    text = render_prompt(tokenizer_of(GEMMA), ANA, QUESTION)
    assert text == (
        f"<|im_start|><start_of_turn>user\n{SYSTEM}\n\n{USER}<end_of_turn>\n<start_of_turn>model\n"
    )


def test_a_template_that_drops_system_gets_it_merged(tokenizer_of):
    assert render_prompt(tokenizer_of(SYSTEM_DROPPED), ANA, QUESTION) == f"[{SYSTEM}\n\n{USER}]"


def test_a_template_that_trims_keeps_the_system_role(tokenizer_of):
    padded = Persona("Ana", "  You are Ana.")
    text = render_prompt(tokenizer_of(TRIMMING), padded, QUESTION, PromptStyle("x", "Be honest.\n", " {question}\n"))
    assert text == "<system>You are Ana. Be honest.</system><user>Should I rest?</user>"


@pytest.mark.parametrize("question", ["Is {} {0} {question!r} a set?", "Is 100% of %s enough?", "Is {{x}} a \\ tag?"])
def test_questions_are_taken_verbatim(tiny_model, question):
    assert f"user\n{question} Answer" in render_prompt(tiny_model.tokenizer, ANA, question)


def test_a_style_may_hold_braces(tiny_model):
    style = PromptStyle("json", "Reply in JSON.", '{question} Reply {"answer": "yes"} or {"answer": "no"}.')
    assert 'Should I rest? Reply {"answer": "yes"}' in render_prompt(tiny_model.tokenizer, ANA, QUESTION, style)


def test_a_style_without_a_question_is_refused():
    with pytest.raises(ValueError, match=r"user: expected a text with \{question\}"):
        PromptStyle("empty", "", "Answer with yes or no.")


def test_the_digest_follows_the_wording():
    digests = {PromptStyle("a", s, u).digest for s in ("x", "y") for u in ("{question}", "{question}?")}
    assert len(digests) == 4
    assert PromptStyle("a", "x", "{question}").digest == PromptStyle("b", "x", "{question}").digest


@pytest.mark.parametrize("template", [None, ""])
def test_no_chat_template_is_a_model_error(tokenizer_of, template):
    with pytest.raises(ModelError, match="no chat template"):
        render_prompt(tokenizer_of(template), ANA, QUESTION)


@pytest.mark.parametrize("template", ["hello", "{{ raise_exception('never') }}"])
def test_a_template_that_drops_the_question_is_a_model_error(tokenizer_of, template):
    with pytest.raises(ModelError, match="drops or rejects"):
        render_prompt(tokenizer_of(template), ANA, QUESTION)


def test_styles_name_the_options_in_either_order():
    for style, options in ((YES_NO, "Answer with {}."), (THOUGHT_ANSWER, "choose {} (or unsure")):
        for order, words in (("yes-no", "yes or no"), ("no-yes", "no or yes")):
            assert options.format(words) in chat_messages(ANA, QUESTION, style, order)[-1]["content"]


def test_edits_find_their_place_in_every_style(tiny_model):
    for style in (YES_NO, THOUGHT_ANSWER, FREE):
        assert style.system.count("your values") == 1
        assert render_prompt(tiny_model.tokenizer, ANA, QUESTION, style).count("your values") == 1
    assert len({style.name for style in (YES_NO, THOUGHT_ANSWER, FREE)}) == 3


def test_a_style_without_options_has_one_order(tiny_model):
    assert QUESTION in render_prompt(tiny_model.tokenizer, ANA, QUESTION, FREE, "yes-no")
    with pytest.raises(ValueError, match=r"'free-1' names no options.*'no-yes'"):
        render_prompt(tiny_model.tokenizer, ANA, QUESTION, FREE, "no-yes")
    with pytest.raises(ValueError, match="order: expected one of 'yes-no', 'no-yes', got 'maybe'"):
        render_prompt(tiny_model.tokenizer, ANA, QUESTION, YES_NO, "maybe")


def test_the_wording_that_stored_answers_were_asked_in_has_not_changed():
    assert (YES_NO.name, YES_NO.digest) == ("yes-no-2", "19dee06c3343a2eb")
