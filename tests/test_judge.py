"""A judge's ratings are expectations over the probabilities of its next token, or the number that it wrote."""

from __future__ import annotations

import json
import math
import warnings
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="runs a model")
pytest.importorskip("transformers", reason="runs a model of transformers")

from pyvalue.errors import ModelError  # noqa: E402
from pyvalue.measurement.judge import LEAST_MASS, SUPPORT, Judge, JudgePrompt, written_number  # noqa: E402
from pyvalue.models.chat import ChatReply  # noqa: E402

# A random model is no judge, and is told so; here its arithmetic matters.
pytestmark = pytest.mark.filterwarnings("ignore:judge tiny")
PAIRS = [
    ("Should I help a neighbour?", "Of course, they would do it for you."),
    ("Should I follow the rules?", "No."),
    ("Is {answer} a {question}?", "Yes, {question} is {answer}, and this text is much longer than all of the others."),
    ("Should I rest?", ""),
]


class Remote:
    """Replies what it was given, and keeps what it was asked; first it is found out whether it offers probabilities."""

    name = "openai:fake"

    def __init__(self, *replies: ChatReply) -> None:
        self.replies, self.asked = list(replies), []
        self.opening = [ChatReply("5", first_token={"5": 0.0})]
        if not any(reply.first_token for reply in replies):
            self.opening = [ChatReply("5"), ChatReply("5")]

    def ask(self, requests):
        if self.opening:
            return [self.opening.pop(0)]
        self.asked += requests
        return [self.replies.pop(0) for _ in requests]


def leaning(model, shift, digits="0123456789"):
    """The model with this much added to the logits of the digits."""
    vocabulary = model.tokenizer.get_vocab()
    ids = [vocabulary[text] for n in digits for text in (n, f"Ġ{n}") if text in vocabulary]

    class Leaning(torch.nn.Module):
        config = model.network.config
        parameters = model.network.parameters

        def forward(self, input_ids, **options):
            output = model.network(input_ids, **options)
            output.logits[..., ids] += shift
            return output

    return replace(model, network=Leaning().eval())


@pytest.fixture(scope="module")
def numerate(tiny_model):
    return leaning(tiny_model, 15.0)


def by_hand(model, question, count):
    """Shares of "1", "2", ... as the next token, from one plain forward pass."""
    chat = [{"role": "system", "content": SUPPORT.system}, {"role": "user", "content": question}]
    text = model.tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
    ids = torch.tensor([model.tokenizer(text, add_special_tokens=False)["input_ids"]])
    chances = torch.softmax(model.network(ids).logits[0, -1].double(), dim=-1).numpy()
    vocabulary = model.tokenizer.get_vocab()
    forms = [[vocabulary[t] for t in (str(n), f"Ġ{n}") if t in vocabulary] for n in range(1, count + 1)]
    found = np.array([chances[ids].sum() for ids in forms])
    return found / found.sum()


def filled(text, pair):
    before, rest = text.split("{question}")
    between, after = rest.split("{answer}")
    return f"{before}{pair[0]}{between}{pair[1]}{after}"


@pytest.mark.parametrize("batch_size", [None, 1, 3])
def test_a_local_rating_is_the_expectation_of_the_next_token(numerate, batch_size):
    got = Judge(numerate, batch_size=batch_size).rate(PAIRS)
    wanted = [by_hand(numerate, filled(SUPPORT.rating, pair), 5) @ [-1, -0.5, 0, 0.5, 1] for pair in PAIRS]
    np.testing.assert_allclose(got, wanted, atol=1e-5)
    assert len(set(np.round(got, 3))) == len(PAIRS)


def test_a_local_decision_is_the_likeliest_of_the_next_token(numerate):
    options = ["yes", "no", "unsure", None]
    wanted = [options[by_hand(numerate, filled(SUPPORT.decision, pair), 4).argmax()] for pair in PAIRS]
    assert Judge(numerate).decide(PAIRS) == wanted


def test_numbers_that_are_next_to_impossible_are_no_rating(tiny_model):
    judge = Judge(leaning(tiny_model, -30.0))
    assert np.isnan(judge.rate(PAIRS)).all()
    assert judge.decide(PAIRS) == [None] * len(PAIRS)


def test_a_remote_judge_is_asked_in_order_and_its_probabilities_are_read():
    tops = {"4": math.log(0.6), " 5": math.log(0.3), "▁2": math.log(0.05), "The": math.log(0.05)}
    model = Remote(ChatReply("4", first_token=tops), ChatReply("5"), ChatReply("I cannot say."), ChatReply(""))
    got = Judge(model).rate(PAIRS)
    np.testing.assert_allclose(got[:2], [(0.6 * 0.5 + 0.3 * 1.0 + 0.05 * -0.5) / 0.95, 1.0])
    assert np.isnan(got[2:]).all()
    for request, pair in zip(model.asked, PAIRS, strict=True):
        assert [message["role"] for message in request.messages] == ["system", "user"]
        assert request.messages[-1]["content"] == filled(SUPPORT.rating, pair)
        assert request.temperature == 1 and request.top_logprobs > 5  # the model's own probabilities


def test_a_remote_judge_decides():
    replies = [ChatReply("1"), ChatReply("2."), ChatReply("3"), ChatReply("4"), ChatReply("5"), ChatReply("hm")]
    assert Judge(Remote(*replies)).decide(PAIRS[:1] * 6) == ["yes", "no", "unsure", None, None, None]


def test_a_remote_judge_without_probabilities_writes_its_likeliest_number():
    model = Remote(ChatReply("4"))
    assert Judge(model).rate(PAIRS[:1]) == [0.5]
    assert [(request.temperature, request.top_logprobs) for request in model.asked] == [(0, 0)]


def test_probabilities_that_hold_no_number_leave_the_reply():
    assert Judge(Remote(ChatReply("**2**", first_token={"**": -0.01}))).rate(PAIRS[:1])[0] == -0.5


@given(st.lists(st.floats(-20, 0), min_size=1, max_size=5), st.floats(-20, 0))
def test_ratings_stay_in_range(logprobs, other):
    tops = {str(i + 1): logprob for i, logprob in enumerate(logprobs)} | {"so": other}
    [rating] = Judge(Remote(ChatReply("so", first_token=tops))).rate(PAIRS[:1])
    mass = sum(map(math.exp, logprobs))
    assert math.isnan(rating) == (mass < LEAST_MASS) or abs(mass - LEAST_MASS) < 1e-9
    assert math.isnan(rating) or -1 <= rating <= 1


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("4", 4), ("4.", 4), (" **4** because it helps", 4), ("4/5", 4), ("4 out of 5", 4), ("Rating: 2", 2),
        ("I would say 3.", 3), ("3 (neither)", 3), ("6", None), ("0", None), ("45", None), ("4.5", None),
        ("between 2 and 3", None), ("On a scale from 1 to 5: 4", 4), ("four", None), ("", None), ("2 2", 2),
        ("1-5: 4", 4), ("-1", None), ("3-4", None), ("2 or 3", None), ("Score: 4/5", 4),
    ],
)  # fmt: skip
def test_written_numbers(text, number):
    assert written_number(text, 5) == number


def test_a_judge_that_cannot_judge_is_named(tiny_model):
    with pytest.warns(UserWarning, match="judge tiny: rates plain support only -?0.00 above plain opposition"):
        Judge(leaning(tiny_model, 60.0, "3"))
    with pytest.warns(UserWarning, match="only nan above"):
        Judge(leaning(tiny_model, -60.0))


def test_discernment_is_support_less_opposition():
    replies = [ChatReply(number) for number in "554112"]
    assert Judge(Remote(*replies)).discernment() == pytest.approx((1 + 1 + 0.5) / 3 - (-1 - 1 - 0.5) / 3)


def test_nothing_to_judge(tiny_model):
    for model in (tiny_model, Remote()):
        assert Judge(model).rate([]).shape == (0,)
        assert Judge(model).decide([]) == []


def test_facts_name_judge_and_wording(tiny_model):
    other = JudgePrompt("other", "{question} {answer} 1 to 5", "{question} {answer} 1 to 4")
    facts = [Judge(tiny_model).facts(), Judge(tiny_model, other).facts(), Judge(Remote()).facts()]
    assert len({json.dumps(found, sort_keys=True) for found in facts}) == 3
    assert facts[0]["name"] == "tiny" and facts[0]["prompt"] == {"name": "support-1", "digest": SUPPORT.digest}
    assert len(facts[0]["weights"]) == 16


def test_bad_judges(tiny_model, tokenizer_of):
    with pytest.raises(TypeError, match="model: expected a local or a remote model, got str"):
        Judge("gpt")
    with pytest.raises(ModelError, match="no chat template"):
        Judge(replace(tiny_model, tokenizer=tokenizer_of(None)))
    with pytest.raises(ValueError, match="max_tokens: expected at least 1"):
        Judge(Remote(), max_tokens=0)
    with pytest.raises(ValueError, match=r"decision: expected a text with \{question\} and \{answer\}"):
        JudgePrompt("x", "{question} {answer}", "{question}")


def test_memory_that_runs_out_changes_no_rating(numerate, monkeypatch):
    import pyvalue.models.next_token as module

    real, wanted = module._chances, Judge(numerate).rate(PAIRS)

    def tight(model, rows, choices):
        if len(rows) > 1:
            raise MemoryError
        return real(model, rows, choices)

    judge = Judge(numerate)
    monkeypatch.setattr(module, "_chances", tight)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        np.testing.assert_allclose(judge.rate(PAIRS), wanted, atol=1e-5)
    assert len(said) == 1 and "memory runs out" in str(said[0].message)
