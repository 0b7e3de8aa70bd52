"""Written answers are those of ``generate`` row by row, whatever the batch, and edits share their noise."""

from __future__ import annotations

import math

import pytest

torch = pytest.importorskip("torch", reason="runs a model")
pytest.importorskip("transformers", reason="runs a model of transformers")

from pyvalue.measurement.answer_parsing import parse  # noqa: E402
from pyvalue.measurement.asking import Configuration  # noqa: E402
from pyvalue.measurement.design import Design  # noqa: E402
from pyvalue.measurement.free_asking import FreeAsker, read_free, status_of  # noqa: E402
from pyvalue.measurement.generate_asking import GenerateAsker, check_design  # noqa: E402
from pyvalue.measurement.judge import Judge  # noqa: E402
from pyvalue.measurement.personas import NO_PERSONA, Persona  # noqa: E402
from pyvalue.measurement.prompts import FREE, THOUGHT_ANSWER, YES_NO, render_prompt  # noqa: E402
from pyvalue.models.chat import ChatReply  # noqa: E402
from pyvalue.models.edits import Edit, span  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore:judge tiny")  # random weights are no judge
ANA = Persona("Ana", "You are a woman from Norway, an engineer.")


@pytest.fixture(scope="module")
def configurations(tiny_sae):
    push = Edit(feature=3, strength=6.0, sae=tiny_sae, positions=span("your values"))
    hold = Edit(feature=4, op="set", strength=4.0, sae=tiny_sae)
    return [Configuration(""), Configuration("push", (push,)), Configuration("both", (push, hold))]


@pytest.fixture(scope="module")
def cells(small_inventory):
    return Design(orders=("yes-no", "no-yes")).cells(small_inventory)[::3]


class Scripted:
    """A judge's model that replies with what it is told."""

    name = "scripted"

    def __init__(self, *texts: str) -> None:
        self.texts, self.asked = list(texts), []

    def ask(self, requests):
        self.asked += [request.messages[-1]["content"] for request in requests]
        return [ChatReply(self.texts.pop(0)) for _ in requests]


def texts_of(answers):
    return [[answer.text for answer in row] for row in answers]


def test_greedy_answers_are_those_of_generate_row_by_row(tiny_model, cells, configurations):
    asker = GenerateAsker(tiny_model, max_new_tokens=8)
    got = asker.ask(ANA, cells, configurations)
    for configuration, answers in zip(configurations, got, strict=True):
        for cell, answer in zip(cells, answers, strict=True):
            prompt = render_prompt(tiny_model.tokenizer, ANA, cell.question, THOUGHT_ANSWER, cell.order)
            with tiny_model.edit(configuration.edits):
                assert answer.text == tiny_model.generate([prompt], max_new_tokens=8, do_sample=False)[0]
            assert answer.status == parse(answer.text, cell.question).status
            assert math.isnan(answer.mass)
            assert math.isnan(answer.p_yes) == (answer.status not in ("yes", "no", "unsure"))
    assert texts_of(got)[0] != texts_of(got)[1] != texts_of(got)[2]  # the edits change something


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_an_answer_depends_on_nothing_beside_it(tiny_model, cells, configurations, temperature):
    options = dict(temperature=temperature, top_p=0.95, max_new_tokens=8, seed=3)
    whole = texts_of(GenerateAsker(tiny_model, **options).ask(ANA, cells, configurations))
    for batch_size in (1, 7):
        asker = GenerateAsker(tiny_model, **options, batch_size=batch_size)
        assert texts_of(asker.ask(ANA, cells, configurations)) == whole
    alone = GenerateAsker(tiny_model, **options).ask(ANA, cells[3:5], configurations[::-1])
    assert texts_of(alone) == [row[3:5] for row in whole[::-1]]


def test_edits_share_their_noise_and_all_else_has_its_own(tiny_model, small_inventory, tiny_sae):
    idle = Edit(feature=3, strength=0.0, sae=tiny_sae)
    cells = Design(repeats=2).cells(small_inventory)
    options = dict(temperature=1.0, max_new_tokens=6)
    first, second = texts_of(
        GenerateAsker(tiny_model, **options).ask(ANA, cells, [Configuration(""), Configuration("idle", (idle,))])
    )
    assert first == second
    assert sum(a != b for a, b in zip(first[::2], first[1::2], strict=True)) > 8  # repeats differ
    others = [
        GenerateAsker(tiny_model, **options, seed=1).ask(ANA, cells, [Configuration("")])[0],
        GenerateAsker(tiny_model, **options).ask(Persona("Eva", ANA.text), cells, [Configuration("")])[0],
    ]
    for other in others:
        assert sum(a != b.text for a, b in zip(first, other, strict=True)) > 16


def test_a_judge_reads_what_the_rules_cannot(tiny_model):
    texts = ["Answer: yes", "They would be glad of it.", "Rather rest.", "Hm.", ""]
    model = Scripted("?", "?", "1", "2", "4")  # tried first, with probabilities and without
    answers = GenerateAsker(tiny_model, judge=Judge(model)).read(["Should I help?"] * 5, texts)
    assert [answer.status for answer in answers] == ["yes", "yes", "no", "invalid", "invalid"]
    assert [answer.p_yes for answer in answers[:3]] == [1, 1, 0] and math.isnan(answers[3].p_yes)
    assert [text in asked for text, asked in zip(texts[1:4], model.asked[2:], strict=True)] == [True] * 3
    assert [answer.text for answer in answers] == texts


def test_free_answers_are_rated(tiny_model, small_inventory, configurations):
    cells = Design().cells(small_inventory)[:4]
    asker = FreeAsker(tiny_model, Judge(tiny_model), max_new_tokens=8)
    answers = asker.ask(NO_PERSONA, cells, configurations)
    pairs = [(cell.question, answer.text) for row in answers for cell, answer in zip(cells, row, strict=True)]
    ratings = Judge(tiny_model).rate(pairs)
    for answer, rating in zip([answer for row in answers for answer in row], ratings, strict=True):
        if answer.status in ("yes", "no", "unsure"):
            assert answer.p_yes == pytest.approx((rating + 1) / 2, abs=1e-6)
            assert answer.status == status_of(float(rating))
        else:
            assert math.isnan(answer.p_yes)
    assert {answer.status for row in answers for answer in row} & {"yes", "no"}


def test_rules_come_before_ratings():
    texts = ["Go and help them.", "As an AI, I don't have personal values.", "no " * 40, "", "Stay.", "Both.", "?"]
    answers = read_free(Judge(Scripted("?", "?", "5", "2", "3", "what?")), ["Should I help?"] * 7, texts)
    assert [a.status for a in answers] == ["yes", "refused", "degenerate", "invalid", "no", "unsure", "invalid"]
    assert [a.p_yes for a in answers if not math.isnan(a.p_yes)] == [1.0, 0.25, 0.5]


def test_facts_tell_askers_apart(tiny_model):
    askers = [
        GenerateAsker(tiny_model),
        GenerateAsker(tiny_model, temperature=1.0),
        GenerateAsker(tiny_model, temperature=1.0, seed=1),
        GenerateAsker(tiny_model, temperature=1.0, top_p=0.9),
        GenerateAsker(tiny_model, max_new_tokens=9),
        GenerateAsker(tiny_model, YES_NO),
        GenerateAsker(tiny_model, judge=Judge(Scripted())),
        FreeAsker(tiny_model, Judge(tiny_model)),
    ]
    facts = [str(asker.facts()) for asker in askers]
    assert len(set(facts)) == len(facts)
    assert GenerateAsker(tiny_model, seed=5).facts() == askers[0].facts()  # a greedy text has no seed


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"temperature": -1.0}, "temperature: expected"),
        ({"temperature": math.nan}, "temperature: expected"),
        ({"top_p": 0.0}, "top_p: expected"),
        ({"max_new_tokens": 0}, "max_new_tokens: expected"),
        ({"seed": -1}, "seed: expected"),
    ],
)
def test_bad_settings(tiny_model, options, message):
    with pytest.raises(ValueError, match=message):
        GenerateAsker(tiny_model, **options)


def test_designs_that_cannot_be_asked():
    with pytest.raises(ValueError, match="repeats: expected 1 at temperature 0"):
        check_design(Design(repeats=2), THOUGHT_ANSWER, 0.0)
    with pytest.raises(ValueError, match="names no options"):
        check_design(Design(orders=("yes-no", "no-yes")), FREE, 1.0)
    check_design(Design(repeats=2, orders=("yes-no", "no-yes")), THOUGHT_ANSWER, 0.5)


def test_a_prompt_without_room_is_named(tiny_model, cells):
    with pytest.raises(ValueError, match="leaves no room for 1000 more"):
        GenerateAsker(tiny_model, max_new_tokens=1000).ask(ANA, cells[:1], [Configuration("")])


@pytest.mark.parametrize("batch_size", [0, -1])
def test_a_batch_of_no_rows_is_refused(tiny_model, cells, batch_size):
    asker = GenerateAsker(tiny_model, max_new_tokens=2, batch_size=batch_size)
    with pytest.raises(ValueError, match=f"batch_size: expected at least 1, got {batch_size}"):
        asker.ask(ANA, cells[:1], [Configuration("")])


def test_half_a_character_is_a_value_error(tiny_model, cells):
    with pytest.raises(ValueError, match="half of a character"):
        GenerateAsker(tiny_model, max_new_tokens=2).ask(Persona("Eva", "Eva \ud83d."), cells[:1], [Configuration("")])


@pytest.mark.model
def test_the_bundled_model_writes_answers_that_can_be_read(smol):
    from pyvalue.measurement.inventory import load_inventory

    cells = Design().cells(load_inventory("portrait"))[::24]
    answers = GenerateAsker(smol, max_new_tokens=20).ask(NO_PERSONA, cells, [Configuration("")])[0]
    assert sum(answer.status in ("yes", "no", "unsure") for answer in answers) >= len(answers) / 3
