"""Servers of chat completions on this machine: one of our own around a local model, and that of transformers.

The first computes every reply with a forward pass and sends it over a real socket; it can be told to refuse what
servers refuse, and to fail as they fail. Nothing of pyvalue's remote code is in it.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import torch


@dataclass(frozen=True)
class Fault:
    """What happens to one request instead of a reply: a status with a body, or, without a status, a cut connection."""

    status: int | None = None
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)


def error(message: str, **more: Any) -> dict[str, Any]:
    """An error's body, as OpenAI writes it."""
    return {"error": {"message": message, **more}}


class ChatServer:
    """Serves a ``LanguageModel``; use it in a ``with`` block.

    Attributes:
        faults: taken from the left, one a request, before anything is computed.
        fails_after: every request gets status 500 once so many were answered; None for never.
        refuses: parameter -> (status, body) for requests that have it.
        decides: from a request's body to what happens to it; None for a reply.
        changes: is given a request's body and its reply, and may change this in place.
        refuses_system: answer 400 to a message of the system.
        key: the bearer token asked for; None takes any.
        delay: seconds that every reply takes, but those of ``faults``.
        offers_logprobs: whether they are in the replies; else they are left out without a word.
        top_logprobs: most that are sent.
        text: of every reply, with a finish reason; None for what the model writes.
        requests: bodies, in order of arrival.
        paths: of the requests, with their query.
        headers: of the requests, their names in lower case.
        times: of arrival, in seconds.
        most_at_once: requests in flight.
    """

    def __init__(self, model: Any) -> None:
        self.model = model
        self.faults: deque[Fault] = deque()
        self.fails_after: int | None = None
        self.refuses: dict[str, tuple[int, Any]] = {}
        self.decides: Callable[[dict[str, Any]], Fault | None] = lambda body: None
        self.changes: Callable[[dict[str, Any], dict[str, Any]], None] = lambda body, completion: None
        self.refuses_system = False
        self.key: str | None = None
        self.delay = 0.0
        self.offers_logprobs = True
        self.top_logprobs = 20
        self.text: tuple[str, str] | None = None
        self.requests: list[dict[str, Any]] = []
        self.paths: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.times: list[float] = []
        self.answered = 0
        self.most_at_once = 0
        self._at_once = 0
        self._lock = threading.Lock()
        self._forward = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/v1"

    def __enter__(self) -> ChatServer:
        handler = type("Handler", (_Handler,), {"chat": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def reply(self, path: str, headers: dict[str, str], body: dict[str, Any]) -> Fault:
        with self._lock:
            self.requests.append(body)
            self.paths.append(path)
            self.headers.append(headers)
            self.times.append(time.monotonic())
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
            fault = self.faults.popleft() if self.faults else None
        try:
            if fault is not None:
                return fault
            time.sleep(self.delay)
            return self._refusal(headers, body) or self.decides(body) or self._completion(body)
        finally:
            with self._lock:
                self._at_once -= 1

    def _refusal(self, headers: dict[str, str], body: dict[str, Any]) -> Fault | None:
        if self.key is not None and headers.get("authorization") != f"Bearer {self.key}":
            sent = headers.get("authorization", "").removeprefix("Bearer ")
            return Fault(401, error(f"Incorrect API key provided: {sent}.", code="invalid_api_key"))
        if self.fails_after is not None and self.answered >= self.fails_after:
            return Fault(500, error("the machine is on fire"))
        for name, (status, refusal) in self.refuses.items():
            if name in body:
                return Fault(status, refusal)
        if self.refuses_system and any(message["role"] == "system" for message in body["messages"]):
            return Fault(400, error("System role not supported"))
        return None

    def _completion(self, body: dict[str, Any]) -> Fault:
        tokenizer = self.model.tokenizer
        prompt = tokenizer.apply_chat_template(body["messages"], tokenize=False, add_generation_prompt=True)
        ids = torch.tensor([tokenizer(prompt, add_special_tokens=False).input_ids])
        most = body.get("max_completion_tokens", body.get("max_tokens", 16))
        with self._forward, torch.inference_mode():
            chances = torch.log_softmax(self.model.network(ids).logits[0, -1].double(), dim=-1)
            written = [int(chances.argmax())]
            if most > 1 and self.text is None:
                written = self.model.network.generate(ids, max_new_tokens=most, do_sample=False)[0, ids.shape[1] :]
        text, reason = self.text or (
            tokenizer.decode(written, skip_special_tokens=True),
            "length" if len(written) >= most else "stop",
        )
        choice: dict[str, Any] = {
            "index": 0, "finish_reason": reason, "message": {"role": "assistant", "content": text},
        }  # fmt: skip
        if body.get("logprobs") and self.offers_logprobs:
            top = chances.topk(min(body.get("top_logprobs", 0), self.top_logprobs))
            likeliest = [
                {"token": tokenizer.decode([token]), "logprob": value, "bytes": None}
                for token, value in zip(top.indices.tolist(), top.values.tolist(), strict=True)
            ]
            choice["logprobs"] = {"content": [{**likeliest[0], "top_logprobs": likeliest}]}
        usage = {"prompt_tokens": ids.shape[1], "completion_tokens": len(written)}
        usage["total_tokens"] = sum(usage.values())
        with self._lock:
            self.answered += 1
        completion = {
            "id": "0", "object": "chat.completion", "created": 0, "model": body["model"], "choices": [choice],
            "usage": usage,
        }  # fmt: skip
        self.changes(body, completion)
        return Fault(200, completion)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else the body waits 40 ms for the receipt of its headers
    chat: ChatServer

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        done = self.chat.reply(self.path, {k.lower(): v for k, v in self.headers.items()}, body)
        if done.status is None:
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
            return
        content = done.body if isinstance(done.body, str) else json.dumps(done.body)
        with contextlib.suppress(OSError):  # who asked may have gone
            self.send_response(done.status)
            kind = "text/html" if isinstance(done.body, str) else "application/json"
            for name, value in {
                "Content-Type": kind,
                "Content-Length": str(len(content.encode())),
                **done.headers,
            }.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content.encode())

    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def transformers_serve(folder: Path, log: Path, timeout: float = 120) -> Iterator[str]:
    """``transformers serve`` of a model folder, in a process of its own; yields its base_url.

    Raises:
        RuntimeError: it does not come up in time.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [
        sys.executable, "-c", "from transformers.cli.transformers import main; main()", "serve", str(folder),
        "--host", "127.0.0.1", "--port", str(port), "--device", "cpu", "--dtype", "float32",
    ]  # fmt: skip
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    with log.open("wb") as out:
        server = subprocess.Popen(command, stdout=out, stderr=out, env=environment, cwd=log.parent)
    try:
        ends = time.monotonic() + timeout
        while not _healthy(f"http://127.0.0.1:{port}/health"):
            if server.poll() is not None or time.monotonic() > ends:
                raise RuntimeError(f"transformers serve did not come up: {log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.2)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        server.terminate()
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _healthy(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as reply:
            return reply.status == 200
    except OSError:
        return False
