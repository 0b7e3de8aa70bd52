"""Studies on an install without torch: what is wrong with them comes first, then how to get it; remote ones run."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from pyvalue.extras import how_to_install

_WITHOUT = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("torch", "transformers", "sae_lens"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Absent())
from pyvalue.cli import app
app()
"""


def pyvalue(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    import os

    command = [sys.executable, "-c", _WITHOUT, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, env={**os.environ, **environment})


def test_a_study_is_checked_before_torch_is_missed(tmp_path):
    made = pyvalue("init", tmp_path / "study.toml")
    assert made.returncode == 0, made.stderr
    text = (tmp_path / "study.toml").read_text(encoding="utf-8")
    wrong = tmp_path / "wrong.toml"
    for right, typed in (("portrait", "portait"), ("smollm2-135m-instruct", "smolm2"), ("demo", "dmo")):
        assert f'"{right}"' in text
        wrong.write_text(text.replace(f'"{right}"', f'"{typed}"'), encoding="utf-8")
        told = pyvalue("run", wrong)
        assert told.returncode == 1 and f'did you mean "{right}"?' in told.stderr
    told = pyvalue("run", tmp_path / "study.toml")
    assert told.returncode == 1
    assert told.stderr.strip().splitlines()[-1].endswith(f"(torch is missing); run: {how_to_install('lm')}")


def test_training_an_sae_names_what_it_needs(tmp_path):
    told = pyvalue("sae", "train", tmp_path / "new")
    assert told.returncode == 1 and how_to_install("lm,sae") in told.stderr


class _AlwaysYes(BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Yes."}}
        usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
        reply = {"id": "1", "object": "chat.completion", "created": 0, "model": "m", "choices": [choice]}
        body = json.dumps({**reply, "usage": usage}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.mark.skipif(importlib.util.find_spec("openai") is None, reason="remote models need openai")
def test_a_remote_study_needs_no_torch(tmp_path):
    server = ThreadingHTTPServer(("127.0.0.1", 0), _AlwaysYes)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        (tmp_path / "study.toml").write_text(
            f'[model]\nname = "openai:m"\nbase_url = "http://127.0.0.1:{server.server_port}/v1"\n'
            '[inventory]\nvalues = ["Power", "Security"]\nper_value = 2\n[personas]\ncount = 2\n'
            '[measure]\nmode = "generate"\ntemperature = 0.5\n[report]\n',
            encoding="utf-8",
        )
        done = pyvalue("run", tmp_path / "study.toml", "--json", OPENAI_API_KEY="none", no_proxy="127.0.0.1")
    finally:
        server.shutdown()
        server.server_close()
    assert done.returncode == 0, done.stderr
    page = Path(json.loads(done.stdout)["report"])
    assert "openai:m" in page.read_text(encoding="utf-8")
