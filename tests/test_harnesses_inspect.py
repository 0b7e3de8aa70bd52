"""The Inspect AI task: Inspect's own models answer it, and its logs are the table that ``measure`` makes."""

from __future__ import annotations

import hashlib
import json
import math
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

inspect_ai = pytest.importorskip("inspect_ai", reason="inspect-ai is not installed: pip install 'pyvalue[harness]'")
pytest.importorskip("openai", reason="asks a server")

from chat_server import ChatServer  # noqa: E402
from inspect_ai.log import read_eval_log  # noqa: E402
from inspect_ai.model import (  # noqa: E402
    ChatCompletionChoice,
    ChatMessageAssistant,
    Logprob,
    Logprobs,
    ModelOutput,
    ModelUsage,
    TopLogprob,
    get_model,
)

import pyvalue as pv  # noqa: E402
from pyvalue.errors import StoreError  # noqa: E402
from pyvalue.harnesses import responses_from_inspect, value_inventory  # noqa: E402
from pyvalue.measurement.prompts import THOUGHT_ANSWER, chat_messages  # noqa: E402

ROOT = Path(__file__).resolve().parents[1]
PEOPLE = (
    pv.Persona("none", ""),
    pv.Persona("Ana", "You are a woman from Norway, an engineer."),
    pv.Persona("Bo", "You are a man from Chile, a baker."),
)
SAID = (
    "I think it is kind. Answer: yes",
    "I think not. Answer: no",
    "I think it depends. Answer: unsure",
    "Perhaps.",
    "",
)
SAID = (*SAID, "As an AI, I cannot answer that.", "I think " + "so very " * 40)


def scripted(system: str, question: str) -> str:
    """The same answer to the same messages, of every kind."""
    return SAID[hashlib.sha256(f"{system}|{question}".encode()).digest()[0] % len(SAID)]


def content(messages, role: str) -> str:
    return " ".join(message["content"] for message in messages if message["role"] == role)


def mock(reply=None, **options):
    def say(messages, tools, choice, config):
        found = [{"role": message.role, "content": message.text} for message in messages]
        text = (reply or scripted)(content(found, "system"), content(found, "user"))
        output = text if isinstance(text, ModelOutput) else ModelOutput.from_content("mock", text)
        output.usage = ModelUsage(input_tokens=1, output_tokens=1, total_tokens=2)  # else counted by a download
        return output

    return get_model("mockllm/model", custom_outputs=say, memoize=False, **options)


def run(task, model, folder, **options):
    return inspect_ai.eval(task, model=model, display="none", log_dir=str(folder), **options)


def same(one: pv.Responses, other: pv.Responses) -> None:
    pd.testing.assert_frame_equal(one.table.drop(columns="model"), other.table.drop(columns="model"))


@pytest.fixture(scope="module")
def log(small_inventory, tmp_path_factory):
    task = value_inventory(small_inventory, PEOPLE)
    return run(task, mock(), tmp_path_factory.mktemp("logs"))[0]


def test_a_sample_is_a_persona_and_an_item_with_our_prompt(small_inventory):
    samples = list(value_inventory(small_inventory, PEOPLE).dataset)
    assert len(samples) == len(PEOPLE) * len(small_inventory.items)
    expected = [
        chat_messages(persona, item.question, THOUGHT_ANSWER) for persona in PEOPLE for item in small_inventory.items
    ]
    got = [[{"role": m.role, "content": m.content} for m in sample.input] for sample in samples]
    assert got == expected
    assert len({sample.id for sample in samples}) == len(samples)


def test_same_answers_through_measure_and_a_server_give_the_same_table(small_inventory, tiny_model, log, tmp_path):
    """measure asks over a socket a server that says what the mock said."""

    def say(body, completion):
        text = scripted(content(body["messages"], "system"), content(body["messages"], "user"))
        completion["choices"][0]["message"]["content"] = text

    with ChatServer(tiny_model) as server:
        server.text = ("yes", "stop")
        server.changes = say
        model = pv.load_model("openai:tiny", base_url=server.url, api_key="none")
        measured = pv.measure(model, small_inventory, PEOPLE, mode="generate", folder=tmp_path, progress=False)
    found = responses_from_inspect(log)
    same(found, measured)
    assert set(found.table["status"]) >= {"yes", "no", "unsure", "invalid", "refused", "degenerate"}
    pd.testing.assert_frame_equal(found.matrix(), measured.matrix())
    for fact in ("mode", "inventory", "personas", "design", "prompts", "rules"):
        assert found.facts["study"][fact] == measured.facts["study"][fact]


def test_inspect_asks_the_same_server_for_the_same_messages(small_inventory, tiny_model, tmp_path):
    """Inspect's own provider of OpenAI-like servers, and measure, send word for word the same."""
    with ChatServer(tiny_model) as server:
        server.text = ("I think so. Answer: yes", "stop")
        model = pv.load_model("openai:tiny", base_url=server.url, api_key="none")
        measured = pv.measure(model, small_inventory, PEOPLE, mode="generate", progress=False)
        asked = [json.dumps(body["messages"]) for body in server.requests]
        server.requests.clear()
        theirs = get_model("openai-api/local/tiny", base_url=server.url, api_key="none", memoize=False)
        logs = run(value_inventory(small_inventory, PEOPLE), theirs, tmp_path)
        again = [json.dumps(body["messages"]) for body in server.requests]
    assert sorted(asked[1:]) == sorted(again)  # the first of ours only finds out what the server takes
    same(responses_from_inspect(logs), measured)


def test_scores_are_means_and_their_errors_clustered_by_persona(small_inventory, log):
    statsmodels = pytest.importorskip("statsmodels.api", reason="computes the clustered errors anew")
    (reported,) = log.results.scores
    table = responses_from_inspect(log).table
    table = table[table["status"].isin(["yes", "no", "unsure"])]
    assert reported.scored_samples == len(table)
    assert reported.scored_samples + reported.unscored_samples == len(PEOPLE) * len(small_inventory.items)
    metrics = {name: metric.value for name, metric in reported.metrics.items()}
    for value, rows in table[table["keying"] != 0].groupby("value"):
        assert metrics[value] == pytest.approx(rows["score"].mean())
        people, ones = pd.factorize(rows["persona"])[0], np.ones(len(rows))
        if len(set(people)) < 2:
            continue
        fit = statsmodels.OLS(rows["score"].to_numpy(), ones).fit(
            cov_type="cluster", cov_kwds={"groups": people, "use_correction": False}
        )
        clusters = len(set(people))
        assert metrics[f"{value} stderr"] == pytest.approx(fit.bse[0] * math.sqrt(clusters / (clusters - 1)))
    free = table[table["keying"] == 0]
    assert metrics["content-free"] == pytest.approx((2 * free["p_yes"] - 1).mean())


def test_a_stored_log_reads_as_the_one_in_memory(log):
    from_file = responses_from_inspect(log.location, model="m", edit="push")
    same(from_file.__class__(from_file.table.assign(edit=""), from_file.facts), responses_from_inspect(log))
    assert set(from_file.table["model"]) == {"m"} and from_file.edits == ("push",)


def test_discover_takes_a_log(small_inventory, tmp_path):
    def reply(system, question):
        value = question.partition("?")[0].split()[-1]
        for_it, kind = "mistake" not in question, hashlib.sha256(f"{system}{value}".encode()).digest()[0] % 2
        return f"I think so. Answer: {'yes' if for_it == bool(kind) else 'no'}"

    people = pv.make_personas(30)
    log = run(value_inventory(small_inventory, people), mock(reply), tmp_path)
    found = responses_from_inspect(log)
    assert found.matrix("raw").shape == (31, 4) and found.valid_share == 1
    graph = pv.discover(found.matrix("raw"))
    assert set(graph.names) == set(found.values) and found.personas[0] == "none"


def test_repeats_are_epochs(small_inventory, tmp_path):
    task = value_inventory(small_inventory, PEOPLE[:2], values=["Power"], repeats=2, temperature=0.7)
    found = responses_from_inspect(run(task, mock(), tmp_path))
    assert found.facts["study"]["design"]["repeats"] == 2
    keys = ["persona", "item", "repeat"]
    order = [(p.name, i.id, r) for p in PEOPLE[:2] for i in small_inventory.only("Power").items for r in (0, 1)]
    assert list(found.table[keys].itertuples(index=False, name=None)) == order


def test_orders_and_wordings_go_into_the_prompt():
    task = value_inventory("portrait", 1, per_value=2, content_free=1, wordings=2, orders=["yes-no", "no-yes"])
    samples = list(task.dataset)
    assert len(samples) == 2 * sum(4 for _ in range(20)) + 2 * 2 * 2
    assert {sample.metadata["order"] for sample in samples if "no or yes" in sample.input[-1].content} == {"no-yes"}


def chances(**likely):
    """An output whose first token has these probabilities."""
    top = [TopLogprob(token=token, logprob=math.log(p)) for token, p in likely.items()]
    first = Logprob(token="Yes", logprob=-1.0, top_logprobs=top)
    choice = ChatCompletionChoice(message=ChatMessageAssistant(content="Yes"), logprobs=Logprobs(content=[first]))
    return ModelOutput(model="mock", choices=[choice])


def test_score_mode_adds_up_the_forms_of_yes_and_no(small_inventory, tmp_path):
    def reply(system, question):
        if "blorp" in question:
            return chances(Maybe=0.9, yes=0.004)
        return chances(**{"Yes": 0.3, "Ġyes": 0.1, "No": 0.05, " NO": 0.05, "Maybe": 0.4})

    found = responses_from_inspect(
        run(value_inventory(small_inventory, PEOPLE[:1], mode="score"), mock(reply), tmp_path)
    )
    table = found.table.set_index("item")
    assert table.loc["free-2", "status"] == "invalid" and math.isnan(table.loc["free-2", "p_yes"])
    assert table.drop("free-2")["p_yes"].to_numpy() == pytest.approx(0.8)
    assert table.drop("free-2")["mass"].to_numpy() == pytest.approx(0.5)
    assert table.loc["Power-1", "score"] == pytest.approx(-0.6)


def test_score_mode_says_when_there_are_no_probabilities(small_inventory, tmp_path):
    (log,) = run(value_inventory(small_inventory, PEOPLE[:1], mode="score"), mock(), tmp_path)
    assert log.status == "error" and "mode='generate'" in log.error.message


@pytest.mark.model
def test_inspects_hugging_face_provider_writes_what_measure_writes(smol, tmp_path):
    """The same weights, through Inspect's provider and through ours, in float32."""
    from pyvalue.models.bundled import bundled_folder

    inventory, people = pv.load_inventory("portrait").only(["Power"]).subset(2, 1), PEOPLE[1:2]
    folder = bundled_folder("smollm2-135m-instruct")
    theirs = get_model(f"hf/{folder}", device="cpu", do_sample=False, memoize=False)
    logs = run(value_inventory(inventory, people, max_tokens=12), theirs, tmp_path, max_connections=3)
    ours = pv.measure(smol, inventory, people, mode="generate", max_new_tokens=12, progress=False)
    same(responses_from_inspect(logs), ours)
    logs = run(value_inventory(inventory, people, mode="score"), theirs, tmp_path, max_connections=3)
    scored = pv.measure(smol, inventory, people, progress=False).table
    found = responses_from_inspect(logs).table
    # Of the likeliest 20 tokens only, so a little less than all.
    assert (found["mass"] <= scored["mass"] + 1e-6).all()
    assert found["p_yes"].to_numpy() == pytest.approx(scored["p_yes"].to_numpy(), abs=0.02)


def test_inspect_finds_the_task_by_its_name(tmp_path):
    """``inspect eval pyvalue/value_inventory`` in a process of its own, by the entry point of pyproject.toml."""
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]["inspect_ai"]
    info = tmp_path / "site" / "declared-0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: declared\nVersion: 0\n")
    lines = "".join(f"{name} = {module}\n" for name, module in declared.items())
    (info / "entry_points.txt").write_text(f"[inspect_ai]\n{lines}")
    command = [
        sys.executable, "-m", "inspect_ai", "eval", "pyvalue/value_inventory", "--model", "none/none",
        "-T", "personas=1", "-T", "per_value=2", "-T", "content_free=1", "-T", "values=Power,Security",
        "--display", "plain", "--log-dir", str(tmp_path / "logs"), "--limit", "1",
    ]  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": str(info.parent)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)
    (stored,) = (tmp_path / "logs").glob("*.eval")
    log = read_eval_log(str(stored))
    assert log.eval.task == "pyvalue/value_inventory", done.stdout + done.stderr
    assert log.eval.task_args["values"] == ["Power", "Security"] and log.eval.dataset.samples == 2 * 5
    assert log.status == "error"  # there is no model "none": the task was found, and could not be asked


def test_bad_arguments_are_named(small_inventory):
    for wanted, options in {
        "mode": {"mode": "free"},
        "personas: names": {"personas": [PEOPLE[1], PEOPLE[1]]},
        "personas: expected at least": {"personas": []},
        "repeats": {"repeats": 2},
        "orders": {"orders": "no"},
        "values": {"values": "Pwoer"},
    }.items():
        with pytest.raises(ValueError, match=wanted):
            value_inventory(small_inventory, **{"personas": PEOPLE, **options})
    with pytest.raises(TypeError, match="personas"):
        value_inventory(small_inventory, {"a": 1})


def test_bad_logs_are_named(tmp_path, log):
    with pytest.raises(StoreError, match="cannot be read"):
        responses_from_inspect(tmp_path / "none.eval")
    (tmp_path / "cut.eval").write_bytes(Path(log.location).read_bytes()[:1000])
    with pytest.raises(StoreError, match="cannot be read"):
        responses_from_inspect(tmp_path / "cut.eval")
    with pytest.raises(StoreError, match="without its samples"):
        responses_from_inspect(read_eval_log(log.location, header_only=True))
    with pytest.raises(ValueError, match="expected one log, got 2"):
        responses_from_inspect([log, log])
    other = log.model_copy(update={"eval": log.eval.model_copy(update={"metadata": None, "task": "arc"})})
    with pytest.raises(ValueError, match="'arc'"):
        responses_from_inspect(other)
    with pytest.warns(UserWarning, match="1 of 30 questions"):
        responses_from_inspect(log.model_copy(update={"samples": log.samples[1:]}))


def test_a_missing_package_is_named_with_its_extra():
    code = (
        "import sys; sys.modules['inspect_ai'] = None\n"
        "import pyvalue.harnesses\n"
        "for name in ('value_inventory', 'responses_from_inspect'):\n"
        "    try:\n"
        "        f = getattr(pyvalue.harnesses, name); f('x')\n"
        "    except Exception as fault: print(type(fault).__name__, fault)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["ImportError", "ModelError"]
    assert done.stdout.count("pip install 'pyvalue[harness]'") == 2
