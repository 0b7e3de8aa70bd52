"""Askers of remote models against the local ones, number by number, and against ``transformers serve``."""

from __future__ import annotations

import importlib.util
import math
import warnings

import numpy as np
import pytest

pytest.importorskip("torch", reason="the server runs a model")
pytest.importorskip("openai", reason="remote models need openai; run: pip install 'pyvalue[remote]'")

from chat_server import ChatServer, Fault, error, transformers_serve

import pyvalue as pv
from pyvalue.errors import ModelError
from pyvalue.measurement import remote_asking
from pyvalue.measurement.asking import Configuration
from pyvalue.measurement.design import Cell, Design
from pyvalue.measurement.inventory import load_inventory
from pyvalue.measurement.judge import Judge
from pyvalue.measurement.personas import NO_PERSONA, make_personas
from pyvalue.measurement.prompts import THOUGHT_ANSWER, YES_NO, render_prompt
from pyvalue.measurement.remote_asking import RemoteScoreAsker, yes_and_no
from pyvalue.measurement.remote_writing import RemoteFreeAsker, RemoteGenerateAsker
from pyvalue.measurement.score_asking import ScoreAsker
from pyvalue.models import remote_calls
from pyvalue.models.edits import Edit

# The tiny model's likeliest words are odd ones.
pytestmark = pytest.mark.filterwarnings("ignore:model openai.tiny. neither yes nor no")
PLAIN = [Configuration("")]
SOMEONE = make_personas(1, seed=2)[1]


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
def cells(small_inventory):
    return Design(orders=("yes-no", "no-yes")).cells(small_inventory)


def remote(server):
    return pv.load_model("openai:tiny", base_url=server.url)


class LengthJudge(Judge):
    """Rates by the length of the answer, and cannot judge every third."""

    def __init__(self):
        self.pairs = []

    def facts(self):
        return {"name": "length"}

    def rate(self, pairs):
        self.pairs += pairs
        return np.array([math.nan if i % 3 == 2 else (-1) ** i * len(text) / 100 for i, (_, text) in enumerate(pairs)])

    def decide(self, pairs):
        return [None if math.isnan(rating) else "yes" if rating > 0 else "no" for rating in self.rate(pairs)]


def test_probabilities_equal_those_of_the_local_asker(server, tiny_model, cells, monkeypatch):
    server.top_logprobs = len(tiny_model.tokenizer)
    monkeypatch.setattr(remote_asking, "TOP_LOGPROBS", server.top_logprobs)  # so that nothing is cut off
    asker = RemoteScoreAsker(remote(server), YES_NO, 0.0)
    for persona in (NO_PERSONA, SOMEONE):
        (found,) = asker.ask(persona, cells, PLAIN)
        (expected,) = ScoreAsker(tiny_model, YES_NO, 0.0, 8).ask(persona, cells, PLAIN)
        np.testing.assert_allclose([a.p_yes for a in found], [a.p_yes for a in expected], rtol=0, atol=1e-5)
        np.testing.assert_allclose([a.mass for a in found], [a.mass for a in expected], rtol=0, atol=1e-5)
        assert [a.status for a in found] == [a.status for a in expected]
        assert np.std([a.p_yes for a in found]) > 0.01  # the questions do differ
    assert asker.facts()["logprobs"] is True


def test_mass_over_twenty_tokens_is_a_lower_bound(server, tiny_model, cells):
    (found,) = RemoteScoreAsker(remote(server), YES_NO, 0.0).ask(SOMEONE, cells, PLAIN)
    (whole,) = ScoreAsker(tiny_model, YES_NO, 0.0, None).ask(SOMEONE, cells, PLAIN)
    masses, bounds = np.array([a.mass for a in found]), np.array([a.mass for a in whole])
    assert (masses <= bounds + 1e-6).all()
    assert (masses > 0).any()
    assert all(a.status == "invalid" and math.isnan(a.p_yes) for a in found if a.mass == 0)


def test_a_low_mass_is_invalid(server, cells):
    (answers,) = RemoteScoreAsker(remote(server), YES_NO, 1.0).ask(SOMEONE, cells, PLAIN)
    assert {a.status for a in answers} == {"invalid"}
    assert all(math.isnan(a.p_yes) for a in answers)


def test_words_are_found_in_any_case_and_with_any_space():
    tokens = {" Yes": 0.1, "yes": 0.05, "ĠYES": 0.05, "▁no": 0.2, "No": 0.1, "not": 0.2, "yesterday": 0.3}
    np.testing.assert_allclose(
        yes_and_no({text: math.log(chance) for text, chance in tokens.items()}), (0.2, 0.3), atol=1e-12
    )


@pytest.mark.parametrize("silently", [True, False])
def test_without_probabilities_the_written_answer_counts(server, cells, silently):
    if silently:
        server.offers_logprobs = False
    else:
        server.refuses["logprobs"] = (400, error("logprobs are not available for this model"))
    server.text = ("No, I should not.", "stop")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        asker = RemoteScoreAsker(remote(server), YES_NO, 0.01)
    said = [str(warning.message) for warning in caught]
    assert len(said) == (1 if silently else 2)
    assert "offers no probabilities" in said[-1]
    asked = len(server.requests)
    (answers,) = asker.ask(SOMEONE, cells, PLAIN)
    assert {(a.status, a.p_yes, a.text) for a in answers} == {("no", 0.0, "No, I should not.")}
    assert all(math.isnan(a.mass) for a in answers)
    assert len(server.requests) == asked + len(cells)
    assert all("logprobs" not in body and body["max_tokens"] > 1 for body in server.requests[asked:])
    assert asker.facts()["logprobs"] is False


def test_probabilities_that_stop_are_an_error(server, cells):
    asker = RemoteScoreAsker(remote(server), YES_NO, 0.01)
    server.offers_logprobs = False
    with pytest.raises(ModelError, match="sends none now"):
        asker.ask(SOMEONE, cells, PLAIN)


def test_a_first_word_that_is_neither_is_said(server, monkeypatch):
    monkeypatch.setattr(remote_asking, "TOP_LOGPROBS", 2)
    with pytest.warns(UserWarning, match="neither yes nor no is among its likeliest first words, which are '"):
        RemoteScoreAsker(remote(server), YES_NO, 0.01)


def test_the_facts_of_two_runs_agree(server):
    server.refuses["temperature"] = (400, error("Unsupported value: 'temperature'", param="temperature"))
    server.refuses_system = True
    with pytest.warns(UserWarning):
        first, second = (RemoteScoreAsker(remote(server), YES_NO, 0.01).facts() for _ in range(2))
    assert first == second
    assert first["system_message"] == "in front of the question"
    assert "temperature" not in first["parameters"]
    assert first["parameters"]["top_logprobs"] == 20


def test_a_model_without_system_role_gets_what_a_local_one_gets(server, tiny_model, cells, tokenizer_of):
    server.refuses_system = True
    with pytest.warns(UserWarning, match="refuses system messages"):
        asker = RemoteScoreAsker(remote(server), YES_NO, 0.0)
    refused = len(server.requests)
    assert refused == 2
    asker.ask(SOMEONE, cells, PLAIN)
    assert len(server.requests) == refused + len(cells)  # refused once, not again
    template = "{% for m in messages %}{% if m['role'] == 'system' %}{{ raise_exception('no') }}{% endif %}"
    local = tokenizer_of(template + "<{{ m['content'] }}>{% endfor %}")
    prompts = {render_prompt(local, SOMEONE, cell.question, YES_NO, cell.order) for cell in cells}
    sent = [body["messages"] for body in server.requests[refused:]]
    assert {f"<{messages[0]['content']}>" for messages in sent} == prompts
    assert {len(messages) for messages in sent} == {1}


def test_other_refusals_of_the_first_question_are_errors(server):
    server.faults.append(Fault(400, error("the model is being replaced")))
    with pytest.raises(ModelError, match="being replaced"):
        RemoteScoreAsker(remote(server), YES_NO, 0.0)


def test_edits_are_refused_before_anything_is_asked(server, cells, tiny_sae):
    asker = RemoteScoreAsker(remote(server), YES_NO, 0.0)
    asked = len(server.requests)
    edit = Edit(feature=7, strength=20.0, sae=tiny_sae)
    with pytest.raises(ModelError, match=r"only roles can be steered on a remote model.*'kind'.*7.*"):
        asker.ask(SOMEONE, cells, [Configuration(""), Configuration("kind", (edit,))])
    assert len(server.requests) == asked


def test_a_batch_size_is_named(server):
    with pytest.raises(ValueError, match=r"batch_size: .*concurrency"):
        RemoteScoreAsker(remote(server), YES_NO, 0.0, 16)
    assert not server.requests


def test_written_answers_are_read_by_the_rules(server, cells):
    asker = RemoteGenerateAsker(remote(server), THOUGHT_ANSWER, max_new_tokens=40)
    for text, status, p_yes in [
        ("Thought: I like it. Answer: yes", "yes", 1.0),
        ("Thought: hard to say. Answer: unsure", "unsure", 0.5),
        ("I cannot answer that as an AI.", "refused", math.nan),
        ("", "invalid", math.nan),
    ]:
        server.text = (text, "stop")
        (answers,) = asker.ask(SOMEONE, cells[:2], PLAIN)
        np.testing.assert_equal([(a.status, a.p_yes, a.text) for a in answers], [(status, p_yes, text)] * 2)


def test_a_filtered_answer_is_a_refusal(server, cells):
    asker = RemoteGenerateAsker(remote(server), THOUGHT_ANSWER, max_new_tokens=40)
    server.faults.append(Fault(400, error("policy", code="content_filter")))
    (answers,) = asker.ask(SOMEONE, cells[:1], PLAIN)
    assert answers[0].status == "refused"


def test_what_is_written_is_what_the_local_model_writes(server, tiny_model, cells):
    asker = RemoteGenerateAsker(remote(server), THOUGHT_ANSWER, max_new_tokens=12)
    (answers,) = asker.ask(SOMEONE, cells[:4], PLAIN)
    prompts = [
        render_prompt(tiny_model.tokenizer, SOMEONE, cell.question, THOUGHT_ANSWER, cell.order) for cell in cells[:4]
    ]
    alone = [tiny_model.generate([prompt], max_new_tokens=12, do_sample=False)[0] for prompt in prompts]
    assert [a.text for a in answers] == alone


def test_every_row_has_its_own_seed_of_31_bits(server, small_inventory):
    cells = Design(orders=("yes-no", "no-yes"), repeats=2).cells(small_inventory)[:12]
    asker = RemoteGenerateAsker(remote(server), THOUGHT_ANSWER, max_new_tokens=1, temperature=0.7, top_p=0.9, seed=5)
    start = len(server.requests)
    asker.ask(SOMEONE, cells, PLAIN)
    asker.ask(SOMEONE, list(reversed(cells)), PLAIN)
    seeds = [body["seed"] for body in server.requests[start:]]
    assert len(set(seeds)) == len(cells)  # the same in both orders
    assert sorted(seeds[: len(cells)]) == sorted(seeds[len(cells) :])
    assert all(0 <= seed < 2**31 for seed in seeds)
    assert {(body["temperature"], body["top_p"]) for body in server.requests[start:]} == {(0.7, 0.9)}


def test_a_judge_reads_what_the_rules_cannot(server, cells):
    judge = LengthJudge()
    asker = RemoteGenerateAsker(remote(server), THOUGHT_ANSWER, max_new_tokens=40, judge=judge)
    server.text = ("It is a fine day for a walk in the park.", "stop")
    (answers,) = asker.ask(SOMEONE, cells[:3], PLAIN)
    assert [a.status for a in answers] == ["yes", "no", "invalid"]
    np.testing.assert_equal([a.p_yes for a in answers], [1.0, 0.0, math.nan])
    server.text = ("Yes.", "stop")
    asker.ask(SOMEONE, cells[:3], PLAIN)
    assert len(judge.pairs) == 3  # the rules read those


def test_free_answers_are_rated(server, cells):
    judge = LengthJudge()
    plain = [cell for cell in cells if cell.order == "yes-no"]
    asker = RemoteFreeAsker(remote(server), judge, max_new_tokens=40)
    server.text = ("It is what my mother would have wanted.", "stop")
    (answers,) = asker.ask(SOMEONE, plain[:3], PLAIN)
    rating = len(server.text[0]) / 100
    np.testing.assert_allclose([a.p_yes for a in answers], [(1 + rating) / 2, (1 - rating) / 2, math.nan])
    assert [a.status for a in answers] == ["yes", "no", "invalid"]
    assert judge.pairs == [(cell.question, server.text[0]) for cell in plain[:3]]
    assert asker.facts()["judge"] == {"name": "length"}
    for text, reason, status in [("", "stop", "invalid"), ("I think", "content_filter", "refused")]:
        server.text = (text, reason)
        (answers,) = asker.ask(SOMEONE, plain[:1], PLAIN)
        np.testing.assert_equal([(answers[0].status, answers[0].p_yes)], [(status, math.nan)])
    assert len(judge.pairs) == 3


def test_another_remote_model_can_judge(server, cells, tiny_model):
    with ChatServer(tiny_model) as other:
        other.text, other.offers_logprobs = ("2", "stop"), False
        asker = RemoteFreeAsker(remote(server), Judge(remote(other)), max_new_tokens=40)
        server.text = ("It is what my mother would have wanted.", "stop")
        (answers,) = asker.ask(SOMEONE, cells[::2][:2], PLAIN)  # in the order of FREE, which names no options
        assert len(other.requests) == 2 + 2  # two find out what it offers
        assert server.text[0] in other.requests[2]["messages"][-1]["content"]
    assert [(a.status, a.p_yes) for a in answers] == [("no", 0.25)] * 2


def test_models_that_reason_first_are_told_apart(server, cells):
    server.text = ("", "length")
    with pytest.raises(ModelError, match="reasons before it answers"):
        RemoteGenerateAsker(remote(server), THOUGHT_ANSWER, max_new_tokens=8)
    server.text = None
    asker = RemoteGenerateAsker(remote(server), THOUGHT_ANSWER, max_new_tokens=8)
    server.text = ("", "length")
    with pytest.warns(UserWarning, match="3 of 3 replies end before anything is written") as caught:
        for _ in range(2):
            asker.ask(SOMEONE, cells[:3], PLAIN)
    assert len(caught) == 1


@pytest.mark.model
def test_twenty_tokens_of_the_bundled_model_are_nearly_all(smol):
    cells = Design().cells(load_inventory())[::34]
    with ChatServer(smol) as chat:
        (found,) = RemoteScoreAsker(remote(chat), YES_NO, 0.01).ask(SOMEONE, cells, PLAIN)
    (whole,) = ScoreAsker(smol, YES_NO, 0.01, None).ask(SOMEONE, cells, PLAIN)
    np.testing.assert_allclose([a.p_yes for a in found], [a.p_yes for a in whole], rtol=0, atol=1e-2)
    np.testing.assert_allclose([a.mass for a in found], [a.mass for a in whole], rtol=0, atol=1e-2)


@pytest.fixture(scope="session")
def served(smol, tmp_path_factory):
    """base_url of ``transformers serve``, and the folder of the model that it serves."""
    missing = [name for name in ("fastapi", "uvicorn", "pydantic") if importlib.util.find_spec(name) is None]
    if missing:
        pytest.skip(f"transformers serve needs {', '.join(missing)}; run: pip install 'transformers[serving]'")
    from pyvalue.models.bundled import bundled_folder

    folder = bundled_folder("smollm2-135m-instruct")
    with transformers_serve(folder, tmp_path_factory.mktemp("serve") / "log.txt") as url:
        yield url, folder


@pytest.mark.model
def test_transformers_serve_writes_what_the_local_model_writes(served, smol):
    url, folder = served
    model = pv.load_model(f"openai:{folder}", base_url=url, concurrency=2)
    cells = Design().cells(load_inventory())[:2]
    with pytest.warns(UserWarning, match="offers no probabilities"):  # transformers 5.23 drops logprobs silently
        asker = RemoteScoreAsker(model, YES_NO, 0.01)
    assert asker.facts()["logprobs"] is False
    before = model.usage.so_far
    (answers,) = asker.ask(SOMEONE, cells, PLAIN)
    prompts = [render_prompt(smol.tokenizer, SOMEONE, cell.question, YES_NO, cell.order) for cell in cells]
    alone = [smol.generate([prompt], max_new_tokens=16, do_sample=False)[0] for prompt in prompts]
    assert [a.text.strip() for a in answers] == [text.strip() for text in alone]
    assert model.usage.so_far.requests == 2 + len(cells)  # two questions found out what is offered
    read = model.usage.so_far.prompt_tokens - before.prompt_tokens
    assert read == sum(len(smol.tokenizer(prompt, add_special_tokens=False).input_ids) for prompt in prompts)


@pytest.mark.model
def test_transformers_serve_names_what_it_refuses(served):
    url, folder = served
    asked = Cell(load_inventory().items[0])
    with pytest.raises(ModelError, match=r"422: Unexpected fields in the request: \{'bogus'\}"):
        RemoteScoreAsker(pv.load_model(f"openai:{folder}", base_url=url, extra_body={"bogus": 1}), YES_NO, 0.0)
    with pytest.raises(ModelError, match="Server is pinned to"):
        RemoteScoreAsker(pv.load_model("openai:other", base_url=url), YES_NO, 0.0).ask(SOMEONE, [asked], PLAIN)
