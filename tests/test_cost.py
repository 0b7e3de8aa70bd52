"""Estimates of cost against what a server and a tokenizer count."""

from __future__ import annotations

import warnings

import pytest

pytest.importorskip("torch", reason="the server runs a model")
pytest.importorskip("openai", reason="remote models need openai; run: pip install 'pyvalue[remote]'")

from chat_server import ChatServer
from hypothesis import given
from hypothesis import strategies as st

import pyvalue as pv
from pyvalue.measurement.asking import Configuration
from pyvalue.measurement.cost import CostEstimate, check_budget, estimate_cost
from pyvalue.measurement.design import Design
from pyvalue.measurement.inventory import Inventory, load_inventory
from pyvalue.measurement.judge import Judge, JudgePrompt
from pyvalue.measurement.personas import make_personas
from pyvalue.measurement.prompts import THOUGHT_ANSWER, YES_NO, render_prompt
from pyvalue.measurement.remote_asking import SHORT_ANSWER, RemoteScoreAsker
from pyvalue.models.remote import load_remote

PEOPLE = make_personas(3, seed=4)
ADDRESS = "http://localhost:1/v1"


@pytest.fixture
def paid():
    return load_remote("openai:x", base_url=ADDRESS, price=(2.0, 8.0))


def test_a_local_model_is_counted_token_by_token(tiny_model, small_inventory):
    design = Design(orders=("yes-no", "no-yes"))
    expected = sum(
        len(tiny_model.tokenizer(render_prompt(tiny_model.tokenizer, who, item.question, YES_NO, order)).input_ids)
        for who in PEOPLE
        for item in small_inventory.items
        for order in design.orders
    )
    found = estimate_cost(tiny_model, small_inventory, PEOPLE, design=design)
    assert found == CostEstimate(2 * len(PEOPLE) * len(small_inventory.items), expected, 0, 0.0, exact=True)
    written = estimate_cost(tiny_model, small_inventory, PEOPLE, mode="generate", max_new_tokens=50)
    assert written.completion_tokens == 50 * written.requests


@pytest.mark.model
def test_the_estimate_is_near_what_a_server_counts(smol):
    whole = load_inventory()
    some = Inventory("some", whole.items[::17])
    with ChatServer(smol) as chat:
        model = load_remote("openai:x", base_url=chat.url, price=(2.0, 8.0))
        asker = RemoteScoreAsker(model, YES_NO, 0.0)
        before = model.usage.so_far
        for persona in PEOPLE[:2]:
            asker.ask(persona, Design().cells(some), [Configuration("")])
    used = model.usage.so_far
    found = estimate_cost(model, some, PEOPLE[:2])
    assert found.requests == used.requests - before.requests
    assert found.prompt_tokens == pytest.approx(used.prompt_tokens - before.prompt_tokens, rel=0.25)
    assert found.completion_tokens == used.completion_tokens - before.completion_tokens
    counted = estimate_cost(smol, some, PEOPLE[:2])
    assert counted.prompt_tokens == used.prompt_tokens - before.prompt_tokens


@pytest.mark.model
def test_estimates_of_whole_studies_are_near_a_tokenizer(smol):
    inventory = load_inventory()
    model = load_remote("openai:x", base_url=ADDRESS)
    for style in (YES_NO, THOUGHT_ANSWER):
        counted = estimate_cost(smol, inventory, PEOPLE, prompts=style)
        assert estimate_cost(model, inventory, PEOPLE, prompts=style).prompt_tokens == pytest.approx(
            counted.prompt_tokens, rel=0.25
        )


def test_dollars_follow_the_price(paid, small_inventory):
    found = estimate_cost(paid, small_inventory, PEOPLE, mode="generate", max_new_tokens=100)
    assert found.dollars == pytest.approx((2 * found.prompt_tokens + 8 * 100 * found.requests) / 1e6)
    assert found.requests == len(PEOPLE) * len(small_inventory.items)
    assert not found.exact
    free = load_remote("openai:x", base_url=ADDRESS)
    assert estimate_cost(free, small_inventory, PEOPLE).dollars is None


def test_a_judge_costs_as_well(paid, tiny_model, small_inventory):
    alone = estimate_cost(paid, small_inventory, PEOPLE, mode="free")
    judged = estimate_cost(paid, small_inventory, PEOPLE, mode="free", judge=paid)
    assert judged.requests == 2 * alone.requests
    assert judged.prompt_tokens > alone.prompt_tokens + alone.completion_tokens  # it reads the answers
    assert judged.dollars > alone.dollars
    assert estimate_cost(paid, small_inventory, PEOPLE, mode="free", judge=tiny_model).dollars == alone.dollars
    free = load_remote("openai:x", base_url=ADDRESS)
    assert estimate_cost(paid, small_inventory, PEOPLE, mode="free", judge=free).dollars is None


def test_a_judge_costs_what_it_may_write_and_is_told(paid, small_inventory):
    plain = estimate_cost(paid, small_inventory, PEOPLE, mode="free", judge=paid)
    assert estimate_cost(paid, small_inventory, PEOPLE, mode="free", judge=Judge(paid)) == plain
    long = estimate_cost(paid, small_inventory, PEOPLE, mode="free", judge=Judge(paid, max_tokens=4000))
    answers = len(PEOPLE) * len(small_inventory.items)
    assert long.completion_tokens - plain.completion_tokens == (4000 - 16) * answers
    assert long.dollars - plain.dollars == pytest.approx(8 * (4000 - 16) * answers / 1e6)
    wordy = JudgePrompt("wordy", "{question} {answer}" + "x" * 4000, "{question} {answer}")
    told = estimate_cost(paid, small_inventory, PEOPLE, mode="free", judge=Judge(paid, wordy))
    assert told.prompt_tokens > plain.prompt_tokens + 850 * answers
    read = estimate_cost(paid, small_inventory, PEOPLE, mode="generate", judge=Judge(paid, wordy))
    assert read.prompt_tokens < told.prompt_tokens - 850 * answers  # it decides, and does not rate


@pytest.mark.filterwarnings("ignore:model openai.x. neither yes nor no")
def test_every_configuration_is_asked_for_itself(tiny_model, small_inventory, tmp_path):
    edits = {"a": [], "b": [], "c": []}
    with ChatServer(tiny_model) as chat:
        model = load_remote("openai:x", base_url=chat.url, price=(2.0, 8.0))
        one = estimate_cost(model, small_inventory, PEOPLE)
        all_three = estimate_cost(model, small_inventory, PEOPLE, edits)
        assert (all_three.requests, all_three.dollars) == (3 * one.requests, pytest.approx(3 * one.dollars))
        run = {"folder": tmp_path, "min_mass": 0.0, "progress": False}
        with pytest.raises(ValueError, match="max_cost"):
            pv.measure(model, small_inventory, PEOPLE, edits, **run, max_cost=one.dollars)
        assert not chat.requests
        pv.measure(model, small_inventory, PEOPLE, edits, **run)
        assert len(chat.requests) == 1 + all_three.requests  # one finds out what is offered
        assert estimate_cost(model, small_inventory, PEOPLE, edits, folder=tmp_path).requests == 0
        (tmp_path / "responses" / "part-000008.parquet").unlink()
        left = estimate_cost(model, small_inventory, PEOPLE, edits, folder=tmp_path)
        assert left.requests == len(small_inventory.items)
    with pytest.raises(ValueError, match="edits: expected at least one configuration"):
        estimate_cost(model, small_inventory, PEOPLE, {})


def test_a_judge_of_a_local_model_has_a_budget_too(tiny_model, small_inventory):
    with ChatServer(tiny_model) as chat:
        chat.text = ("3", "stop")
        judge = load_remote("openai:x", base_url=chat.url, price=(1000.0, 10000.0))
        for given in (judge, Judge(judge)):
            with pytest.raises(ValueError, match="max_cost"):
                pv.measure(tiny_model, small_inventory, PEOPLE, mode="free", judge=given, max_cost=0.0, progress=False)
        assert not chat.requests
        run = {"mode": "free", "judge": judge, "max_new_tokens": 3}
        most = estimate_cost(tiny_model, small_inventory, PEOPLE, **run).dollars
        pv.measure(tiny_model, small_inventory, PEOPLE, **run, max_cost=most, progress=False)
        assert 0 < judge.spent <= most


@pytest.mark.parametrize("character", "\u4f60\u0451\u00e9")
def test_other_scripts_are_a_token_a_character(paid, small_inventory, character):
    latin, other = (
        estimate_cost(paid, small_inventory, [pv.Persona("x", text)]) for text in ("a" * 4000, character * 4000)
    )
    assert other.prompt_tokens - latin.prompt_tokens == 3000 * len(small_inventory.items)


@pytest.mark.parametrize("offered", [True, False])
def test_short_answers_are_reckoned_with_until_probabilities_are_seen(tiny_model, small_inventory, offered):
    with ChatServer(tiny_model) as chat, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        chat.offers_logprobs = offered
        model = pv.load_model("openai:x", base_url=chat.url)
        before = estimate_cost(model, small_inventory, PEOPLE)
        RemoteScoreAsker(model, YES_NO, 0.0)
    after = estimate_cost(model, small_inventory, PEOPLE)
    assert before.completion_tokens == SHORT_ANSWER * before.requests
    assert after.completion_tokens == (1 if offered else SHORT_ANSWER) * after.requests


@given(st.integers(0, 10**7), st.floats(0, 1e4), st.floats(0, 1e4))
def test_a_budget_lets_pass_exactly_what_it_covers(requests, dollars, budget):
    estimate = CostEstimate(requests, 10 * requests, requests, dollars, exact=False)
    check_budget(estimate, None)
    if dollars <= budget:
        check_budget(estimate, budget)
        return
    with pytest.raises(ValueError, match="max_cost"):
        check_budget(estimate, budget)


def test_one_line_says_it_all():
    line = str(CostEstimate(8000, 612000, 8000, 1.288, exact=False))
    assert line == (
        "8,000 requests, 612,000 tokens of prompts (estimated at 4 characters a token), "
        "at most 8,000 tokens of replies, at most about $1.29"
    )
    assert "counted" in str(CostEstimate(1, 2, 3, None, exact=True))
    assert "no price known" in str(CostEstimate(1, 2, 3, None, exact=True))


@pytest.mark.parametrize("budget", [-1, float("nan"), "5", True])
def test_bad_budgets_are_named(budget):
    with pytest.raises(ValueError, match="max_cost: expected dollars"):
        check_budget(CostEstimate(1, 1, 1, 1.0, exact=False), budget)


def test_bad_arguments_are_named(paid, small_inventory):
    with pytest.raises(ValueError, match="mode: expected"):
        estimate_cost(paid, small_inventory, PEOPLE, mode="scored")
    with pytest.raises(ValueError, match="personas"):
        estimate_cost(paid, small_inventory, [])
    with pytest.raises(ValueError, match="price="):
        check_budget(CostEstimate(1, 1, 1, None, exact=False), 5)


@pytest.mark.filterwarnings("ignore:model openai.x. neither yes nor no")
def test_what_a_folder_holds_is_not_counted(tiny_model, small_inventory, tmp_path):
    with ChatServer(tiny_model) as chat:
        model = load_remote("openai:x", base_url=chat.url, price=(2.0, 8.0))
        run = {"folder": tmp_path, "min_mass": 0.0, "progress": False}
        pv.measure(model, small_inventory, PEOPLE, **run)
        whole = estimate_cost(model, small_inventory, PEOPLE)
        assert estimate_cost(model, small_inventory, PEOPLE, folder=tmp_path).requests == 0
        (tmp_path / "responses" / "part-000001.parquet").unlink()
        left = estimate_cost(model, small_inventory, PEOPLE, folder=tmp_path)
        assert left.requests == len(small_inventory.items) == whole.requests / len(PEOPLE)
        assert left == estimate_cost(model, small_inventory, PEOPLE[1:2])
        with pytest.raises(ValueError, match="max_cost"):
            pv.measure(model, small_inventory, PEOPLE, **run, max_cost=left.dollars / 2)
        pv.measure(model, small_inventory, PEOPLE, **run, max_cost=left.dollars)
        pv.measure(model, small_inventory, PEOPLE, **run, max_cost=0)
