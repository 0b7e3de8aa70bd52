"""Measurements of a remote model: what a kill, a fault and a budget leave, counted at the server."""

from __future__ import annotations

import inspect
import os
import signal
import subprocess
import sys
import time
from collections import Counter

import pandas as pd
import pytest

pytest.importorskip("torch", reason="the server runs a model")
pytest.importorskip("openai", reason="remote models need openai; run: pip install 'pyvalue[remote]'")

from chat_server import ChatServer

import pyvalue as pv
from pyvalue.errors import ModelError
from pyvalue.measurement.remote_conversation import CHUNK

# The tiny model's likeliest words are odd ones.
pytestmark = pytest.mark.filterwarnings("ignore:model openai.tiny. neither yes nor no")
PEOPLE = 2


def study(url, folder, **options):
    """What the killed process and the test both do; 42 questions a persona, which are two chunks."""
    model = pv.load_model("openai:tiny", base_url=url, **options)
    inventory = pv.load_inventory().subset(4, 2)
    people = pv.make_personas(1, seed=3)
    return pv.measure(model, inventory, people, folder=folder, min_mass=0.0, progress=False)


@pytest.fixture
def server(tiny_model, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with ChatServer(tiny_model) as chat:
        yield chat


@pytest.fixture(scope="module")
def whole(tiny_model):
    """The study without interruption."""
    with ChatServer(tiny_model) as chat:
        found = study(chat.url, None)
        assert len(questions(chat)) == questions(chat).total() == len(found.table) > PEOPLE * CHUNK
    return found


def questions(server) -> Counter:
    """How often each question of each persona came in; the first ones, which find out what is offered, left out."""
    asked = [tuple(m["content"] for m in body["messages"]) for body in server.requests]
    return Counter(messages for messages in asked if "Is water wet?" not in messages[-1])


def test_a_kill_loses_at_most_the_chunk_in_flight(server, whole, tmp_path):
    server.delay = 0.02
    code = f"import pyvalue as pv\n{inspect.getsource(study)}\nstudy({server.url!r}, {str(tmp_path / 'run')!r})"
    client = subprocess.Popen([sys.executable, "-c", code], env=os.environ)
    while server.answered < 1.5 * len(whole.table) / PEOPLE:
        assert client.poll() is None
        time.sleep(0.01)
    client.send_signal(signal.SIGKILL)
    client.wait()
    killed_at = questions(server).total()
    assert 0 < killed_at < len(whole.table)
    server.delay = 0.0
    resumed = study(server.url, tmp_path / "run")
    again = questions(server)
    assert len(again) == len(whole.table)
    assert max(again.values()) <= 2
    assert again.total() - len(whole.table) <= CHUNK
    pd.testing.assert_frame_equal(resumed.table, whole.table, check_exact=True)
    before = again.total()
    study(server.url, tmp_path / "run")
    assert questions(server).total() == before  # a finished run asks nothing again


def test_a_server_that_fails_halfway_loses_nothing_stored(server, whole, tmp_path):
    server.fails_after = int(1.5 * len(whole.table) / PEOPLE)
    with pytest.raises(ModelError, match="on fire"):
        study(server.url, tmp_path / "run", max_retries=0)
    server.fails_after = None
    resumed = study(server.url, tmp_path / "run")
    assert questions(server).total() - len(whole.table) <= CHUNK
    pd.testing.assert_frame_equal(resumed.table, whole.table, check_exact=True)


def test_too_small_a_budget_asks_nothing(server):
    model = pv.load_model("openai:tiny", base_url=server.url, price=(1000.0, 1000.0))
    with pytest.raises(ValueError, match="max_cost"):
        pv.measure(model, pv.load_inventory(), pv.make_personas(1), max_cost=0.01, progress=False)
    assert not server.requests


def test_no_key_is_in_a_run_folder(server, small_inventory, tmp_path):
    server.key = "sk-test-0123456789abcdef"
    model = pv.load_model("openai:tiny", base_url=server.url + "?token=hidden-token", api_key=server.key)
    pv.measure(model, small_inventory, pv.make_personas(1), folder=tmp_path / "run", progress=False)
    files = [path for path in (tmp_path / "run").rglob("*") if path.is_file()]
    assert any(path.name == "manifest.json" for path in files)
    for path in files:
        content = path.read_bytes()
        assert server.key.encode() not in content
        assert b"hidden-token" not in content
