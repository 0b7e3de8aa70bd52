"""A key is sent to its server and is nowhere else: no file, no output, no error, no repr, no log, no report."""

from __future__ import annotations

import io
import logging
import os
import subprocess
import sys
import traceback
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="the server runs a model")
pytest.importorskip("openai", reason="remote models need openai; run: pip install 'pyvalue[remote]'")

from chat_server import ChatServer, Fault, error

import pyvalue as pv
from pyvalue.errors import PyvalueError

KEY = "sk-SENTINEL-0123456789abcdefSENTINEL"
USER, PASSWORD = "sentineluser", "sentinelpassword"
SENTINELS = (KEY, PASSWORD, USER, KEY[:24])


@pytest.fixture
def server(tiny_model, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with ChatServer(tiny_model) as chat:
        yield chat


@pytest.fixture(params=["argument", "environment", "address"])
def load(request, server, monkeypatch):
    """Loads the model with its secret where the parameter says; the server asks for it."""

    def model():
        if request.param == "address":
            address = server.url.replace("http://", f"http://{USER}:{PASSWORD}@")
            return pv.load_model("openai:tiny", base_url=address, max_retries=0)
        server.key = KEY
        if request.param == "environment":
            monkeypatch.setenv("OPENAI_API_KEY", KEY)
            return pv.load_model("openai:tiny", base_url=server.url, max_retries=0)
        return pv.load_model("openai:tiny", base_url=server.url, api_key=KEY, max_retries=0)

    return model


def leaks(*places: Path | str) -> list[str]:
    """Where a sentinel stands: in files below folders, and in texts."""
    texts: dict[str, bytes] = {}
    for number, place in enumerate(places):
        if isinstance(place, Path):
            texts |= {str(path): path.read_bytes() for path in place.rglob("*") if path.is_file()}
        else:
            texts[f"text {number}"] = place.encode()
    return [name for name, content in texts.items() if any(one.encode() in content for one in SENTINELS)]


@pytest.mark.parametrize("fails", [None, 401, 429, 500, "cut"])
def test_a_key_is_nowhere_but_with_the_server(server, load, small_inventory, tmp_path, caplog, fails):
    out, told = io.StringIO(), ""
    caplog.set_level(logging.DEBUG)
    if fails is not None:  # a server that repeats what it was sent

        def decide(_):
            sent = server.headers[-1]["authorization"].removeprefix("Bearer ")
            repeated = f"{USER} with {PASSWORD}" if sent.startswith("Basic") else sent
            return Fault() if fails == "cut" else Fault(fails, error(f"wrong key {repeated}", code="x"))

        server.decides = decide
    with redirect_stdout(out), redirect_stderr(out):
        model = load()
        print(model, repr(model), vars(model), getattr(model, "facts", ""))
        try:
            found = pv.measure(model, small_inventory, pv.make_personas(1), folder=tmp_path / "run", progress=True)
            found.save(tmp_path / "answers.parquet")
            found.to_csv(tmp_path / "answers.csv")
            print(found, found.facts, model.usage)
        except PyvalueError as fault:
            assert fails is not None
            told = "".join(traceback.format_exception(fault))
    assert (fails is None) == (not told)
    sent = [headers.get("authorization", "") for headers in server.headers]
    assert sent and all(sent), "the key was never sent, so nothing could leak"
    assert leaks(tmp_path, out.getvalue(), told, caplog.text) == []
    assert fails is not None or (tmp_path / "run" / "manifest.json").is_file()


def test_a_command_with_a_key_leaves_none_in_the_manifest(tmp_path):
    """``sys.argv`` is kept, without what looks like a secret."""
    code = (
        "import sys\nfrom pyvalue.measurement.store import RunFolder\n"
        f"with RunFolder({str(tmp_path / 'run')!r}, {{'seed': 0}}): pass\n"
    )
    words = ["--api-key", KEY, f"--base-url=http://{USER}:{PASSWORD}@localhost/v1", f"OPENAI_API_KEY={KEY}"]
    subprocess.run([sys.executable, "-c", code, *words], check=True, capture_output=True)
    assert (tmp_path / "run" / "manifest.json").read_text().count("***") >= 3
    assert leaks(tmp_path) == []


def test_doctor_tells_no_key(tmp_path):
    environment = {**os.environ, "OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": f"http://{USER}:{PASSWORD}@localhost/v1",
                   "HF_TOKEN": KEY}  # fmt: skip
    for words in (["doctor"], ["doctor", "--json"]):
        ended = subprocess.run([sys.executable, "-m", "pyvalue", *words], capture_output=True, text=True,
            env=environment,
                               cwd=tmp_path)  # fmt: skip
        if "No such command" in ended.stderr:
            pytest.skip("no command of this name in this version")
        assert leaks(ended.stdout, ended.stderr) == []


def test_a_study_with_a_key_in_it_is_refused_without_telling_it(tmp_path):
    pv.write_study(tmp_path / "study.toml")
    text = (tmp_path / "study.toml").read_text()
    for line in (f"# {KEY}\n", f'api_key = "{KEY}"\n'):
        (tmp_path / "study.toml").write_text(line + text)
        with pytest.raises(ValueError, match="key") as refused:
            pv.load_study(tmp_path / "study.toml")
        assert leaks(str(refused.value), "".join(traceback.format_exception(refused.value))) == []
