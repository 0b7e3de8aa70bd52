"""Measurements of remote models whose servers refuse a question, forget probabilities, fail or are gone."""

from __future__ import annotations

import json
import math
import shutil
import signal
import warnings

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("torch", reason="the server runs a model")
pytest.importorskip("openai", reason="remote models need openai; run: pip install 'pyvalue[remote]'")

from chat_server import ChatServer, Fault, error

import pyvalue as pv
from pyvalue.errors import ModelError, StoreError
from pyvalue.measurement.judge import Judge
from pyvalue.models import remote_calls

pytestmark = pytest.mark.filterwarnings("ignore:model openai.tiny. neither yes nor no")
KEY = "sk-test-0123456789abcdef"
PEOPLE = pv.make_personas(1, seed=3)
OTHER = pv.PromptStyle("other", "Be brief.", "{question}")
#: a text that the rules do not read
ADVICE = "It is what my mother would have wanted."


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    monkeypatch.setattr(remote_calls, "back_off", lambda tries: 0.01 * tries)


@pytest.fixture
def server(tiny_model):
    with ChatServer(tiny_model) as chat:
        yield chat


@pytest.fixture
def judge(tiny_model):
    """A server whose probabilities are those of a judge, three to one for 4 against 2."""
    with ChatServer(tiny_model) as chat:
        chat.text = ("4", "stop")
        chat.changes = four_to_two
        yield chat


def four_to_two(body, completion):
    if "logprobs" in body:
        tops = [{"token": "4", "logprob": math.log(0.75)}, {"token": "2", "logprob": math.log(0.25)}]
        completion["choices"][0]["logprobs"] = {"content": [{"top_logprobs": tops}]}


def remote(server, **options):
    return pv.load_model("openai:tiny", **{"base_url": server.url, **options})


def last(body):
    return body["messages"][-1]["content"]


def refusing(text, fault):
    """Refuses the requests whose last message holds a text."""
    return lambda body: fault if text in last(body) else None


def measure(model, inventory, folder=None, **settings):
    return pv.measure(model, inventory, PEOPLE, folder=folder, progress=False, **settings)


def asked_of(server):
    """Questions of a run: all requests but the first ones, which find out what is offered."""
    return [body for body in server.requests if "Is water wet?" not in last(body)]


@pytest.mark.parametrize("mode", ["score", "generate"])
def test_a_question_that_is_too_long_is_an_answer(server, small_inventory, tmp_path, mode):
    bad = small_inventory.items[3]
    server.text = ("Answer: yes", "stop")
    fault = Fault(400, error(f"{KEY}: maximum context length is 10 tokens", code="context_length_exceeded"))
    server.decides = refusing(bad.question, fault)
    found = measure(remote(server, api_key=KEY), small_inventory, tmp_path, mode=mode).table
    found = found.set_index(["persona", "item"])
    refused = found.xs(bad.id, level="item")
    assert list(refused.status) == ["invalid"] * len(PEOPLE)
    assert refused.p_yes.isna().all()
    assert set(refused.answer) == {"[server: [hidden]: maximum context length is 10 tokens]"}
    assert not found.drop(bad.id, level="item").answer.str.contains("server:").any()
    assert len(asked_of(server)) == len(PEOPLE) * len(small_inventory.items)
    server.decides = refusing(bad.question, Fault(400, error("no", code="content_policy_violation")))
    other = measure(remote(server), small_inventory, mode=mode).table
    assert list(other[other.item == bad.id].status) == ["refused"] * len(PEOPLE)


def test_most_questions_refused_end_the_run(server, small_inventory, tmp_path):
    few = [item.question for item in small_inventory.items[:2]]
    server.text = ("Answer: yes", "stop")
    server.decides = lambda body: (
        None if any(q in last(body) for q in [*few, "Is water wet?"]) else Fault(400, error("persona too long"))
    )
    with pytest.raises(ModelError, match="persona too long"):
        measure(remote(server), small_inventory, tmp_path, mode="generate", max_new_tokens=4)
    assert not list(tmp_path.glob("responses/part-*"))


def test_answers_are_not_paid_again_in_one_process(server, small_inventory, tmp_path):
    model = remote(server, max_retries=0, concurrency=1)
    whole = measure(remote(server), small_inventory, mode="generate", max_new_tokens=4)
    before = len(server.requests)
    for _ in range(3):
        server.fails_after = server.answered + 4
        with pytest.raises(ModelError, match="on fire"):
            measure(model, small_inventory, tmp_path, mode="generate", max_new_tokens=4)
    server.fails_after = None
    found = measure(model, small_inventory, tmp_path, mode="generate", max_new_tokens=4)
    pd.testing.assert_frame_equal(found.table, whole.table)
    questions = [json.dumps(body["messages"]) for body in server.requests[before:] if "wet" not in last(body)]
    assert model.usage.so_far.requests == len(set(questions)) + 4  # and one to find out what is offered, each time


def test_an_interrupt_keeps_what_was_paid_for(server, small_inventory, tmp_path):
    def interrupt(*_):
        raise KeyboardInterrupt

    model = remote(server, concurrency=1)
    server.text, server.delay = ("Answer: yes", "stop"), 0.1
    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.8)
    try:
        with pytest.raises(KeyboardInterrupt):
            measure(model, small_inventory, tmp_path, mode="generate")
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    server.delay = 0.0
    found = measure(model, small_inventory, tmp_path, mode="generate")
    assert model.usage.so_far.requests == len(found.table) + 2  # and two to find out what is offered


def test_a_judge_that_fails_costs_no_answers_twice(server, judge, small_inventory, tmp_path):
    server.text = (ADVICE, "stop")
    model = remote(server)
    judge.fails_after = 3
    for _ in range(2):
        with pytest.raises(ModelError, match="on fire"):
            measure(model, small_inventory, tmp_path, mode="free", judge=Judge(remote(judge, max_retries=0)))
    judge.fails_after = None
    found = measure(model, small_inventory, tmp_path, mode="free", judge=remote(judge))
    assert len(asked_of(server)) == len(found.table)
    np.testing.assert_allclose(found.table.p_yes, (1 + 0.75 * 0.5 - 0.25 * 0.5) / 2)


@pytest.mark.parametrize("mode", ["free", "generate"])
def test_a_judge_is_tried_before_an_answer_is_paid_for(server, judge, small_inventory, mode):
    judge.faults.extend([Fault(401, error("no key"))] * 9)
    with pytest.raises(ModelError, match="401"):
        measure(remote(server), small_inventory, mode=mode, judge=remote(judge))
    assert not server.requests


@pytest.mark.parametrize("mode", ["free", "generate"])
def test_a_judge_without_system_role_reads_its_instructions_first(server, judge, small_inventory, tmp_path, mode):
    server.text, judge.refuses_system = (ADVICE, "stop"), True
    if mode == "generate":
        judge.changes = lambda body, completion: completion["choices"][0].update(message={"content": "2"})
    with pytest.warns(UserWarning, match="judge openai:tiny: it refuses system messages"):
        found = measure(remote(server), small_inventory, tmp_path, mode=mode, judge=remote(judge))
    assert set(found.table.status) == ({"yes"} if mode == "free" else {"no"})
    assert len(judge.requests) - 1 >= len(found.table)
    assert all(body["messages"][0]["content"].startswith("You read answers") for body in judge.requests[1:])
    study = json.loads((tmp_path / "manifest.json").read_text())["study"]
    assert study["judge"]["system_message"] == "in front of the question"


def test_a_judge_rates_in_free_mode_and_decides_in_generate_mode(server, judge, small_inventory):
    server.text = (ADVICE, "stop")
    for mode, asked in (("free", "1: clearly against"), ("generate", "1: yes. 2: no.")):
        judge.requests.clear()
        measure(remote(server), small_inventory, mode=mode, judge=remote(judge))
        sent = [last(body) for body in judge.requests if ADVICE in last(body)]
        assert len(sent) == len(PEOPLE) * len(small_inventory.items)
        assert all(asked in text for text in sent)


def test_what_a_judge_refuses_is_invalid(server, judge, small_inventory):
    server.text = (ADVICE, "stop")
    bad = small_inventory.items[2]
    judge.decides = refusing(bad.question, Fault(400, error("cannot read that")))
    table = measure(remote(server), small_inventory, mode="free", judge=remote(judge)).table
    assert list(table.item[table.status == "invalid"]) == [bad.id] * len(PEOPLE)
    assert set(table.status) == {"yes", "invalid"}


def test_whether_a_judge_offers_probabilities_is_part_of_the_study(server, judge, small_inventory, tmp_path):
    server.text = (ADVICE, "stop")
    found = measure(remote(server), small_inventory, tmp_path, mode="free", judge=remote(judge))
    np.testing.assert_allclose(found.table.p_yes, 0.625)
    assert {body["temperature"] for body in judge.requests} == {1.0}
    next(tmp_path.glob("responses/part-*")).unlink()
    judge.changes, judge.offers_logprobs = lambda body, completion: None, False
    with pytest.raises(StoreError, match=r"judge\.logprobs"):
        measure(remote(server), small_inventory, tmp_path, mode="free", judge=remote(judge))
    written = measure(remote(server), small_inventory, mode="free", judge=remote(judge))
    assert set(written.table.p_yes) == {0.75}
    assert {body["temperature"] for body in judge.requests[-len(written.table) :]} == {0.0}


def test_a_judge_whose_probabilities_stop_is_an_error(server, judge, small_inventory):
    server.text = (ADVICE, "stop")
    other = Judge(remote(judge))
    measure(remote(server), small_inventory, mode="free", judge=other)
    judge.changes, judge.offers_logprobs = lambda body, completion: None, False
    with pytest.raises(ModelError, match="sends none now"):
        measure(remote(server), small_inventory, mode="free", judge=other)


def test_missing_probabilities_are_asked_for_again(server, small_inventory):
    whole = measure(remote(server), small_inventory, min_mass=0.0)
    asked = len(server.requests)
    seen = set()

    def forget_every_question_once(body, completion):
        if "wet" not in last(body) and len(seen) % 2 == 0 and json.dumps(body) not in seen:
            del completion["choices"][0]["logprobs"]
        seen.add(json.dumps(body))

    server.changes = forget_every_question_once
    found = measure(remote(server, concurrency=1), small_inventory, min_mass=0.0)
    pd.testing.assert_frame_equal(found.table, whole.table)
    assert len(server.requests) - asked > asked


def test_probabilities_that_stay_away_are_invalid_and_counted(server, small_inventory):
    bad = small_inventory.items[1]

    def forget_one(body, completion):
        if bad.question in last(body):
            del completion["choices"][0]["logprobs"]

    server.changes = forget_one
    with pytest.warns(UserWarning, match=r"1 of \d+ replies hold no probabilities, though they were asked for 3 times"):
        table = measure(remote(server, max_retries=2), small_inventory, min_mass=0.0).table
    assert (table.status[table.item == bad.id] == "invalid").all()
    assert table[table.item != bad.id].mass.notna().all()
    assert sum(bad.question in last(body) for body in server.requests) == 3 * len(PEOPLE)


@pytest.mark.parametrize("mode", ["score", "generate", "free"])
@pytest.mark.parametrize("merged", [False, True])
def test_a_finished_run_is_read_without_its_servers(tiny_model, small_inventory, tmp_path, mode, merged):
    settings = {"mode": mode} if mode == "score" else {"mode": mode, "max_new_tokens": 4}
    with ChatServer(tiny_model) as chat, ChatServer(tiny_model) as other, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        chat.refuses_system = other.refuses_system = merged
        other.text = ("4", "stop")
        other.offers_logprobs = chat.offers_logprobs = not merged
        models = [remote(chat, max_retries=0), remote(other, max_retries=0)]
        of_judge = {} if mode == "score" else {"judge": models[1]}
        found = measure(models[0], small_inventory, tmp_path, **settings, **of_judge)
    models = [remote(chat, max_retries=0), remote(other, max_retries=0)]
    of_judge = {} if mode == "score" else {"judge": models[1]}
    again = measure(models[0], small_inventory, tmp_path, **settings, **of_judge)
    pd.testing.assert_frame_equal(again.table, found.table)
    assert again.facts["study"] == found.facts["study"]
    changed = {"min_mass": 0.5} if mode == "score" and not merged else {"prompts": OTHER}
    with pytest.raises(StoreError, match="belongs to another study"):
        measure(models[0], small_inventory, tmp_path, **{**settings, **of_judge, **changed})
    shutil.rmtree(tmp_path / "responses")
    with pytest.raises(ModelError, match="is the server running"):
        measure(models[0], small_inventory, tmp_path, **settings, **of_judge)
