"""Written answers are read as a person would read them; what no person could read is no answer."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyvalue.measurement.answer_parsing import parse
from pyvalue.measurement.asking import STATUSES
from pyvalue.measurement.degenerate_text import is_degenerate
from pyvalue.measurement.refusals import is_refusal

QUESTION = "Should I help a neighbour who asks for it?"
CASES = [
    # after "Answer:"
    ("Kindness matters to me. Answer: yes", "yes"),
    ("I value my time.\nAnswer: No", "no"),
    ("It is hard to tell.\nAnswer: unsure", "unsure"),
    ("**Thought:** Helping builds trust.\n\n**Answer:** Yes", "yes"),
    ("Helping builds trust.\n\n**Answer**: *no*.", "no"),
    ("ANSWER: YES!", "yes"),
    ("answer : no", "no"),
    ('{"thought": "They need me.", "answer": "yes"}', "yes"),
    ("Answer: 'yes'", "yes"),
    ("Answer: “No.”", "no"),
    ("Answer：yes", "yes"),
    ("Answer:\n\nYes, because they asked.", "yes"),
    ("### Answer\nNo.", "no"),
    ("Answer: [yes]", "yes"),
    ("Answer: $\\boxed{no}$", "no"),
    ("Answer: Yes, and there is no harm in it.", "yes"),
    ("Answer: No, I would rather say yes to my family.", "no"),
    ("Answer: not sure", "unsure"),
    ("Answer: not entirely certain", "unsure"),
    ("Answer: I would say yes.", "yes"),
    ("The answer is no.", "no"),
    ("My answer would be yes.", "yes"),
    ("Answer: yes\n\nAnswer: no", "no"),  # the last counts
    ("For money alone I would not. Answer: no. But they are kind. Answer: yes", "yes"),
    ("Answer: yes.\nThis answer: ", "yes"),
    ("Answer: yes or no", "invalid"),
    ("Answer: yes/no/unsure", "invalid"),
    ("Answer: yes, no, or unsure", "invalid"),
    ("Answer: not yes", "invalid"),
    ("Answer: no one can say", "invalid"),
    ("Answer: No reason to refuse, so yes.", "yes"),
    ("Answer: blue", "invalid"),
    ("Answer:", "invalid"),
    ("<think>Answer: no</think>Answer: yes", "yes"),
    ("No, wait. Answer: yes", "yes"),
    # at the beginning or the end
    ("Yes", "yes"),
    ("no.", "no"),
    ("Unsure", "unsure"),
    ('"Yes," I\'d say.', "yes"),
    ("- No, you have your own work.", "no"),
    ("No I should rest instead.", "no"),
    ("Nope, sorry.", "no"),
    ("Yeah, of course.", "yes"),
    ("Not sure, it depends on the neighbour.", "unsure"),
    ("So, yes.", "yes"),
    ("They would do it for me. So yes.", "yes"),
    ("They would do it for me. In short, no, I have no time.", "no"),
    ("I thought about it and I would say yes.", "yes"),
    ("I am kind but tired. I am not sure.", "unsure"),
    ("I'm not sure if I would be of use.", "unsure"),
    ("I'm not sure. I want to think about it.", "unsure"),
    ("I'm not sure. So yes.", "invalid"),
    ("I think yes. They are kind.", "yes"),
    ("I think: I'm not sure yet. (smiling)", "unsure"),
    ("I think not.", "no"),
    ("I'd say no, they never helped me.", "no"),
    ("They are kind. I think so.", "yes"),
    ("I don't think so. They never helped me.", "no"),
    ("I think nobody minds.", "invalid"),
    ("Does that say yes?", "invalid"),
    ("It is hard to hear a no.", "invalid"),
    ("Yes or no? Yes.", "yes"),
    ("Yes. On the other hand it costs time. No.", "invalid"),
    ("Yes\nNo", "invalid"),
    ("I would not say no.", "invalid"),
    ("I never say yes.", "invalid"),
    ("I'm not sure, but yes", "invalid"),
    ("No person should be left alone.", "invalid"),
    ("No-one should be left alone.", "invalid"),
    ("Nobody knows the notion of yesterday.", "invalid"),
    ("A yes-man would help.", "invalid"),
    ("Helping is a fine thing.", "invalid"),
    ("", "invalid"),
    ("...", "invalid"),
    # the question said again
    ("I should help a neighbour who asks for it.", "yes"),
    ("I think you should not help a neighbour who is rude.", "no"),
    ("I shouldn't help a neighbour who asks at night.", "no"),
    ("I should help a neighbour with a dog.", "invalid"),
    ("I'd rather not help a neighbour who shouts.", "no"),
    ("I think I should. I think I should.", "yes"),
    ("I should not.", "no"),
    ("I think I'd rather not. They never helped me.", "no"),
    ("You should definitely help a neighbour who asks.", "yes"),
    ("I'm not sure I should", "unsure"),
    ("They do what I should.", "invalid"),
    ("I should help a neighbourhood.", "invalid"),
    ("I wonder if I should help a neighbour who asks.", "invalid"),
    ("I should help a neighbour who asks, but we should not help a neighbour who shouts.", "invalid"),
    # refused
    ("As an AI, I don't have personal values.", "refused"),
    ("I'm sorry, but I can't help with that.", "refused"),
    ("I’m not able to answer this question.", "refused"),
    ("I am unable to give advice on that.", "refused"),
    ("I do not have personal opinions.", "refused"),
    ("Answer: I cannot answer that.", "refused"),
    ("As an AI I have no neighbours. Answer: yes", "yes"),
    ("As a language model I am not sure.", "unsure"),
    ("I can't imagine a life without friends.", "invalid"),
    # degenerate
    ("yes yes yes yes yes yes yes yes yes yes yes yes yes yes yes yes yes yes yes yes yes yes yes yes", "degenerate"),
    ("I value it. " * 12, "degenerate"),
    ("!" * 40, "degenerate"),
    ("yes" * 30, "degenerate"),
    ("Да, я думаю, что надо помочь. Answer: yes", "degenerate"),
    ("我认为应该帮助邻居。", "degenerate"),
    ("Creo que ayudar al vecino es algo muy bueno para todos nosotros, siempre. Answer: yes", "degenerate"),
    ("kindness trust work value happiness people family love life strong good help hope", "degenerate"),
    ("Sí, claro.", "invalid"),  # too short to judge its language
]


@pytest.mark.parametrize(("text", "status"), CASES)
def test_cases(text, status):
    assert parse(text, QUESTION).status == status


@pytest.mark.parametrize(
    ("text", "thought"),
    [
        ("Thought: They need me.\nAnswer: yes", "They need me"),
        ("**Thought:** They need me.\n\n**Answer:** yes", "They need me"),
        ("Yes, because they need me.", "because they need me"),
        ("They need me. So yes.", "They need me. So yes."),
        ("<think>hm</think>They need me. Answer: no", "They need me"),
    ],
)
def test_thoughts(text, thought):
    assert parse(text, QUESTION).thought == thought


def test_other_languages_are_fine_where_the_question_is_in_one():
    spanish = "Creo que ayudar al vecino es algo muy bueno para todos nosotros, siempre. Answer: yes"
    assert parse(spanish, "¿Debería ayudar a un vecino?").status == "yes"
    assert parse("我认为应该帮助邻居。Answer: yes", "我应该帮助邻居吗？").status == "yes"
    assert parse(spanish).status == "yes"


WORDS = st.sampled_from(["yes", "No", "unsure", "Answer:", "I", "should", "not", "help", ".", "**", "or", "AI", "é\n"])


@given(st.one_of(st.text(), st.lists(WORDS, max_size=40).map(" ".join)), st.sampled_from(["", QUESTION, "?"]))
def test_any_text_has_a_status_and_keeps_it(text, question):
    found = parse(text, question)
    assert found.status in STATUSES
    assert parse(text, question) == found
    assert found.thought in text
    assert (found.status == "degenerate") == is_degenerate(text.rpartition("</think>")[2].strip(), question)


THOUGHTS = st.sampled_from(
    ["They need me.", "I say no to nobody!", "Yes, at first sight.", "I am not sure.", "No doubt about it.", "“Why?”"]
)


@given(
    THOUGHTS,
    st.sampled_from(["yes", "no", "unsure"]),
    st.sampled_from(["{}", "{}.", "**{}**", '"{}"', "({})", " {} \n"]),
    st.sampled_from([str.lower, str.upper, str.title]),
    st.sampled_from([" ", "\n", "\n\n"]),
)
def test_a_marked_answer_is_read_whatever_stands_before_it(thought, answer, shape, case, gap):
    assert parse(f"{thought}{gap}Answer: {shape.format(case(answer))}", QUESTION).status == answer


@given(st.lists(st.sampled_from(["I", "think", "the", "neighbour", "is", "kind", "and", "of", "use"]), max_size=60))
def test_words_without_an_answer_are_none(words):
    assert parse(" ".join(words), QUESTION).status in ("invalid", "degenerate")


@pytest.mark.parametrize(
    ("text", "refuses"),
    [
        ("I'm sorry, but I can't help with that.", True),
        ("As an AI, I don't have personal values. Ask a friend.", True),
        ("As an AI, I have no neighbours, but I would help.", False),
        ("Help them. I am not able to say more.", False),
        ("You should help.", False),
        ("", False),
    ],
)
def test_refusals_of_free_texts(text, refuses):
    assert is_refusal(text) is refuses
