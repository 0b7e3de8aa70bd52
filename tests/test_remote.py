"""Remote models against a server on this machine, whose replies are real forward passes and whose faults are real."""

from __future__ import annotations

import asyncio
import logging
import math
import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("torch", reason="the server runs a model")
pytest.importorskip("openai", reason="remote models need openai; run: pip install 'pyvalue[remote]'")

from chat_server import ChatServer, Fault, error

import pyvalue as pv
from pyvalue.errors import ModelError
from pyvalue.models import remote_calls
from pyvalue.models.chat import ChatRequest
from pyvalue.models.remote import RemoteModel
from pyvalue.models.remote_failure import RemoteError
from pyvalue.models.remote_pace import back_off
from pyvalue.models.remote_parameters import AcceptedParameters

KEY = "sk-test-0123456789abcdef"


@pytest.fixture
def server(tiny_model):
    with ChatServer(tiny_model) as chat:
        yield chat


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Back-off of milliseconds; its own lengths have their own test."""
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    monkeypatch.setattr(remote_calls, "back_off", lambda tries: 0.01 * tries)


def remote(server, **options) -> RemoteModel:
    return pv.load_model("openai:tiny", **{"base_url": server.url, **options})


def ask_for(text: str = "Should I rest?", **changes) -> ChatRequest:
    return ChatRequest([{"role": "user", "content": text}], **{"max_tokens": 1, **changes})


def test_replies_keep_the_order_of_the_requests(server, tiny_model):
    questions = [f"Should I help {n} neighbours?" for n in range(20)]
    alone = [remote(server).ask([ask_for(question, max_tokens=8)])[0] for question in questions]
    together = remote(server, concurrency=5).ask([ask_for(question, max_tokens=8) for question in questions])
    assert together == alone
    assert len({reply.text for reply in together}) > 5  # they can be told apart
    assert 2 <= server.most_at_once <= 5
    for question, reply in zip(questions, together, strict=True):
        prompt = tiny_model.tokenizer.apply_chat_template(
            [{"role": "user", "content": question}], tokenize=False, add_generation_prompt=True
        )
        assert reply.text == tiny_model.generate([prompt], max_new_tokens=8, do_sample=False)[0]
        assert reply.prompt_tokens == len(tiny_model.tokenizer(prompt, add_special_tokens=False).input_ids)


def test_concurrency_is_reached_and_kept(server):
    server.delay = 0.1
    remote(server, concurrency=4).ask([ask_for()] * 12)
    assert server.most_at_once == 4


def test_usage_adds_up_over_threads(server):
    model = remote(server, price=(2.0, 10.0))
    threads = [threading.Thread(target=model.ask, args=([ask_for(max_tokens=3)] * 5,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    reply = model.ask([ask_for(max_tokens=3)])[0]
    used = model.usage.so_far
    assert used.requests == 21
    assert used.prompt_tokens == 21 * reply.prompt_tokens > 0
    assert used.completion_tokens == 21 * reply.completion_tokens > 0
    assert model.spent == pytest.approx((2 * used.prompt_tokens + 10 * used.completion_tokens) / 1e6)
    assert remote(server).spent is None


@pytest.mark.parametrize("status", [408, 409, 429, 500, 503, None])
def test_passing_faults_are_tried_again(server, status):
    model = remote(server)
    model.ask([ask_for()])
    server.faults.extend([Fault(status, error("wait a little"))] * 3)
    assert len(model.ask([ask_for()] * 4)) == 4
    assert len(server.requests) == 1 + 4 + 3


def test_retries_end_and_the_error_says_which_request_why_and_what_to_do(server):
    server.faults.extend([Fault(429, error("too many of you"))] * 99)
    with pytest.raises(ModelError, match=r"request 1 of 1 .*status 429 after 3 tries: too many of you .*concurrency="):
        remote(server, max_retries=2).ask([ask_for()])
    assert len(server.requests) == 3


def test_finished_replies_come_with_the_error(server):
    server.delay = 0.02
    server.refuses["seed"] = (402, error("no money"))
    requests = [ask_for()] * 6 + [ask_for(seed=1)] + [ask_for()] * 50
    with pytest.raises(RemoteError, match=r"request 7 of 57 .* 402.*no money") as caught:
        remote(server, concurrency=1).ask(requests)
    assert sorted(caught.value.replies) == list(range(6))
    assert caught.value.status == 402
    assert len(server.requests) == 7  # and nothing after it was asked


@pytest.mark.parametrize("as_date", [False, True])
def test_retry_after_is_obeyed_by_all_requests(server, as_date):
    model = remote(server, concurrency=1)
    model.ask([ask_for()])
    # A date has whole seconds, the current one cut off.
    server.faults.append(
        Fault(429, error("slow down"), {"Retry-After": formatdate(time.time() + 2, usegmt=True) if as_date else "1.2"})
    )
    model.ask([ask_for()] * 2)
    assert 0.9 <= server.times[2] - server.times[1] < 5


def test_milliseconds_to_wait_are_read(server):
    server.faults.append(Fault(429, error("slow down"), {"Retry-After": "30", "retry-after-ms": "600"}))
    remote(server).ask([ask_for()])
    assert 0.5 <= server.times[1] - server.times[0] < 10


def test_one_pause_holds_the_others_back(server):
    server.faults.append(Fault(429, error("slow down"), {"Retry-After": "1"}))
    server.delay = 0.3
    remote(server, concurrency=2).ask([ask_for()] * 6)
    late = [moment - server.times[0] for moment in server.times[2:]]
    assert min(late) > 0.8  # two went out together at most; all others waited


def test_a_pause_of_hours_ends_the_run(server):
    server.faults.append(Fault(429, error("quota"), {"Retry-After": "7200"}))
    with pytest.raises(ModelError, match="asks to wait 7200 s"):
        remote(server).ask([ask_for()])


def test_requests_a_minute(server):
    remote(server, requests_per_minute=600).ask([ask_for()] * 8)
    assert server.times[-1] - server.times[0] >= 0.65  # seven gaps of a tenth of a second


def test_slow_replies_time_out(server):
    server.delay = 1.0
    started = time.monotonic()
    with pytest.raises(ModelError, match=r"no reply after 2 tries: no reply in time \(raise timeout="):
        remote(server, timeout=0.2, max_retries=1).ask([ask_for()])
    assert time.monotonic() - started < 5


def test_a_server_that_is_down_is_named_soon(server):
    model = remote(server)
    server.__exit__()
    with pytest.raises(ModelError, match=rf"at {server.url} failed with no reply after 3 tries.*is the server running"):
        model.ask([ask_for()])


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Fault(404, error("no such model")), "404: no such model .*base_url="),
        (Fault(403, error("not for you")), "403: not for you .*OPENAI_API_KEY"),
        (Fault(429, error("You exceeded your quota", code="insufficient_quota")), "no credit left"),
        (Fault(500, error("System role not supported")), "500: System role not supported"),
        (Fault(200, "<html>welcome</html>"), "no chat completion.*welcome.*/v1"),
        (Fault(200, {"error": {"message": "upstream refused", "code": 402}}), "402: upstream refused"),
    ],
)
def test_lasting_faults_are_not_tried_again(server, fault, expected):
    server.faults.append(fault)
    with pytest.raises(ModelError, match=expected):
        remote(server).ask([ask_for()])
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "body",
    [
        {"choices": []}, {"choices": [None]}, {"choices": "none"}, {"choices": [{"finish_reason": "stop"}]},
        {"choices": [{"finish_reason": "error", "message": {"content": ""}}]}, {"error": "overloaded"},
        {"error": {"message": "overloaded"}}, {"error": {"message": "overloaded", "code": 503}},
    ],
)  # fmt: skip
def test_replies_without_a_message_are_tried_again(server, body):
    server.faults.extend([Fault(200, body)] * 2)
    assert remote(server).ask([ask_for()])[0].prompt_tokens > 0
    assert len(server.requests) == 3
    server.faults.extend([Fault(200, body)] * 3)
    with pytest.raises(RemoteError, match=r"status (200|503) after 3 tries"):
        remote(server, max_retries=2).ask([ask_for()])


YES_OR_NO = [
    {"token": "Yes", "logprob": math.log(0.6), "bytes": None},
    {"token": "No", "logprob": math.log(0.3), "bytes": None},
]


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({"message": {"content": 42}}, ""), ({"message": {"content": {"a": 1}}}, ""),
        ({"message": {"content": [{"text": "a"}, {"type": "x"}, 3, {"text": "b"}]}}, "ab"),
        ({"message": {"content": None, "refusal": "no"}}, "no"), ({"finish_reason": 7}, None),
        ({"logprobs": {"content": [{"top_logprobs": {"Yes": -0.1, "No": -2}}]}}, None),
        ({"logprobs": {"content": [{"top_logprobs": ["Yes", "No"]}]}}, None), ({"logprobs": [1]}, None),
        ({"logprobs": {"content": [{"top_logprobs": [{"token": "Yes", "logprob": None}, YES_OR_NO[1]]}]}}, None),
        ({"logprobs": {"content": [{"top_logprobs": [{"token": "Yes", "logprob": 5000}, YES_OR_NO[1]]}]}}, None),
        ({"logprobs": {"content": [{"top_logprobs": [{"token": "Yes", "logprob": "-1"}, YES_OR_NO[1]]}]}}, None),
        ({"logprobs": {"content": [{"top_logprobs": [{"token": "Yes", "logprob": 0}] * 3}]}}, None),
    ],
)  # fmt: skip
def test_odd_replies_are_read_as_far_as_they_go(server, changed, text):
    server.changes = lambda body, completion: completion["choices"][0].update(changed)
    reply = remote(server).ask([ask_for(max_tokens=4, top_logprobs=5)])[0]
    assert text is None or reply.text == text
    assert reply.first_token is None or "logprobs" not in changed
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("usage", "counted"),
    [({"prompt_tokens": "12", "completion_tokens": "3"}, (12, 3)), (None, (0, 0)), ({"prompt_tokens": -1}, (0, 0)),
     ({"prompt_tokens": "many", "completion_tokens": 2.5}, (0, 0)), ("12", (0, 0))],
)  # fmt: skip
def test_odd_counts_are_read_as_far_as_they_go(server, usage, counted):
    server.changes = lambda body, completion: completion.update(usage=usage)
    model = remote(server)
    model.ask([ask_for()])
    assert (model.usage.so_far.prompt_tokens, model.usage.so_far.completion_tokens) == counted


@pytest.mark.parametrize(
    ("token", "text"),
    [
        ({"token": "token_id:9642", "bytes": [89, 101, 115]}, "Yes"),
        ({"token": "bytes:\\x20\\x79es", "bytes": [32, 121, 101, 115]}, " yes"), ({"token": None, "bytes": [89]}, "Y"),
        ({"token": "Yes", "bytes": [226, 150]}, "Yes"), ({"token": "Yes", "bytes": 3}, "Yes"),
        ({"token": "Yes", "bytes": ["x"]}, "Yes"), ({"token": "Yes", "bytes": []}, "Yes"), ({"token": None}, None),
    ],
)  # fmt: skip
def test_tokens_are_known_by_their_bytes(server, token, text):
    tops = {"content": [{"top_logprobs": [{**token, "logprob": math.log(0.6)}, YES_OR_NO[1]]}]}
    server.changes = lambda body, completion: completion["choices"][0].update(logprobs=tops)
    found = remote(server).ask([ask_for(top_logprobs=5)])[0].first_token
    assert found == (None if text is None else pytest.approx({text: math.log(0.6), "No": math.log(0.3)}))


def test_other_faults_come_as_they_are(server, monkeypatch):
    def broken(completion):
        raise RecursionError("of ours")

    monkeypatch.setattr(remote_calls, "read_reply", broken)
    with pytest.raises(RecursionError, match="of ours"):
        remote(server).ask([ask_for()] * 3)


def test_an_event_loop_that_cannot_be_made_is_an_error(server, monkeypatch):
    def full():
        raise OSError(24, "too many open files")

    monkeypatch.setattr("asyncio.events.new_event_loop", full)
    found = []

    def ask():
        try:
            remote(server).ask([ask_for()])
        except OSError as fault:
            found.append(fault)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(10)
    assert [fault.errno for fault in found] == [24]


def refuse_poison(body):
    if "poison" in body["messages"][-1]["content"]:
        return Fault(400, error(f"the context of {KEY} is too long", code="context_length_exceeded"))
    return None


def test_a_refused_request_does_not_end_the_others(server):
    server.decides = refuse_poison
    model = remote(server, api_key=KEY)
    found = model.ask_each([ask_for(), ask_for("poison"), ask_for("poison 2"), ask_for()])
    assert [type(each).__name__ for each in found] == ["ChatReply", "RemoteError", "RemoteError", "ChatReply"]
    assert found[1].words == "the context of [hidden] is too long"
    assert len(server.requests) == 4
    with pytest.raises(RemoteError, match="too long"):
        model.ask([ask_for(), ask_for("poison")])


@pytest.mark.parametrize("fault", [Fault(401), Fault(402), Fault(403), Fault(404), Fault(400, error("credit balance"))])
def test_what_concerns_all_requests_ends_them(server, fault):
    model = remote(server)
    model.ask([ask_for()])
    server.faults.append(Fault(fault.status, fault.body or error("no")))
    with pytest.raises(RemoteError):
        model.ask_each([ask_for()])


def test_most_requests_refused_are_an_error_and_the_others_are_kept(server):
    server.decides = refuse_poison
    model = remote(server)
    requests = [ask_for(f"poison {n}") for n in range(5)] + [ask_for(f"Should I rest {n}?") for n in range(4)]
    with pytest.raises(RemoteError, match="too long"):
        model.ask_each(requests)
    server.decides = lambda body: None
    asked = len(server.requests)
    replies = model.ask_each(requests)
    assert len(server.requests) == asked + 5
    assert replies == remote(server).ask(requests)


def test_replies_before_a_fault_are_kept_and_used_once(server):
    model = remote(server, concurrency=1, max_retries=0)
    requests = [ask_for(f"Should I rest {n}?") for n in range(6)] * 2
    server.fails_after = 4
    with pytest.raises(RemoteError, match="on fire"):
        model.ask_each(requests)
    server.fails_after = None
    assert model.ask_each(requests) == remote(server).ask(requests)
    assert model.usage.so_far.requests == len(requests)
    model.ask_each(requests)
    assert model.usage.so_far.requests == 2 * len(requests)


def test_a_body_cut_off_is_tried_again(server):
    server.faults.append(Fault(200, '{"choices": [', {"Content-Type": "application/json"}))
    assert len(remote(server).ask([ask_for()])) == 1
    assert len(server.requests) == 2


def test_a_content_filter_is_an_answer(server):
    server.faults.append(Fault(400, error("blocked by policy", code="content_filter")))
    assert remote(server).ask([ask_for()])[0].filtered
    server.text = ("", "content_filter: SAFETY")
    assert remote(server).ask([ask_for()])[0].filtered


LOGPROBS = {"logprobs", "top_logprobs"}
OPENAI_LENGTH = error(
    "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
    param="max_tokens",
)


@pytest.mark.parametrize(
    ("refuses", "then_sent", "said"),
    [
        ({"logprobs": (400, error("logprobs is not supported"))}, {"seed", "temperature", "max_tokens"}, "logprobs"),
        (
            {"top_logprobs": (422, {"detail": [{"loc": ["body", "top_logprobs"], "msg": "Extra inputs"}]})},
            {"seed", "temperature", "max_tokens"},
            "top_logprobs",
        ),
        ({"seed": (400, error("Unknown field", param="seed"))}, {*LOGPROBS, "temperature", "max_tokens"}, "seed"),
        (
            {"max_tokens": (400, OPENAI_LENGTH), "temperature": (400, error("only 1", param="temperature"))},
            {*LOGPROBS, "seed", "max_completion_tokens"},
            "temperature",
        ),
    ],
)
def test_refused_parameters_are_left_out_once_and_for_all(server, refuses, then_sent, said):
    server.refuses = refuses
    model = remote(server, concurrency=3)
    request = ask_for(seed=4, top_logprobs=5)
    with pytest.warns(UserWarning, match=rf"openai:tiny: {said}") as caught:
        assert len(model.ask([request] * 6)) == 6
    assert len(caught) == 1
    refused = len(server.requests) - server.answered
    assert refused <= 3 * len(refuses)  # only those in flight when it was learned
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.ask([request] * 6)
    assert len(server.requests) - server.answered == refused
    assert server.requests[-1].keys() - {"model", "messages"} == then_sent
    assert model.sends(request).keys() == then_sent


@pytest.mark.parametrize(
    "words",
    [
        "top_logprobs must be less than or equal to 5",
        "Invalid value for 'top_logprobs': must be between 0 and 5, inclusive",
        "top_logprobs: expected a number in [0, 5]",
        "top_logprobs: Input should be <= 5",
    ],
)
def test_fewer_log_probabilities_are_taken_where_a_server_says_so(words):
    accepted = AcceptedParameters()
    request = ask_for(top_logprobs=20)
    assert accepted.learn(accepted.of(request), words, None)
    assert accepted.of(request)["top_logprobs"] == 5
    assert accepted.learn(accepted.of(request), "top_logprobs are not offered", None)
    assert "logprobs" not in accepted.of(request)


def test_a_least_length_is_taken_over():
    accepted = AcceptedParameters()
    words = "Invalid 'max_tokens': integer below minimum value. Expected a value >= 16, but got 1 instead."
    assert accepted.learn(accepted.of(ask_for()), words, "max_tokens")
    assert accepted.of(ask_for())["max_tokens"] == 16
    assert accepted.of(ask_for(max_tokens=40))["max_tokens"] == 40


def test_words_of_a_question_teach_nothing_once_a_parameter_was_taken(server):
    model = remote(server, concurrency=1)
    model.ask([ask_for(seed=1)])
    echo = {"detail": [{"loc": ["body", "messages", 1], "msg": "hiccup", "input": "Should I lower the temperature?"}]}
    server.faults.append(Fault(422, echo))
    found = model.ask_each([ask_for(seed=n) for n in range(4)])
    assert isinstance(found[0], RemoteError)
    assert all(body["temperature"] == 0 for body in server.requests)
    server.faults.append(Fault(400, error("no longer", param="temperature")))
    with pytest.warns(UserWarning, match="temperature is refused"):
        model.ask([ask_for(seed=5)])
    assert "temperature" not in server.requests[-1]


@pytest.mark.parametrize("words", ["messages are too long", "max_tokens is too large: 5000"])
def test_other_refusals_teach_nothing_and_end_the_run(server, words):
    server.refuses["max_tokens"] = (400, error(words))
    with pytest.raises(ModelError, match=f"400: {words}"):
        remote(server).ask([ask_for(max_tokens=5000)])
    assert len(server.requests) == 1


def test_extra_fields_are_sent_and_recorded(server):
    model = remote(server, extra_body={"reasoning_effort": "low"})
    model.ask([ask_for()])
    assert server.requests[0]["reasoning_effort"] == "low"
    assert model.facts()["extra_body"] == {"reasoning_effort": "low"}


def test_a_wrong_key_fails_at_once_and_is_not_shown(server, caplog):
    server.key = KEY
    assert remote(server, api_key=KEY).ask([ask_for()])
    caplog.set_level(logging.DEBUG)
    wrong = "wrong-0987654321"
    model = remote(server, api_key=wrong)
    with pytest.raises(ModelError, match=r"401.*OPENAI_API_KEY") as caught:
        model.ask([ask_for()] * 3)
    shown = [str(caught.value), repr(caught.value), repr(model), str(model.facts()), caplog.text, caught.value.words]
    assert not any(wrong in text for text in shown)
    assert caught.value.__cause__ is None and caught.value.__context__ is None
    assert len(server.requests) <= 1 + 3


def test_credentials_in_the_address_work_and_are_not_shown(server, caplog, monkeypatch):
    caplog.set_level(logging.DEBUG)
    # Other packages silence them for the whole process.
    for name in ("httpx", "httpx2", "httpcore", "httpcore2", "openai"):
        caplog.set_level(logging.DEBUG, logger=name)
        monkeypatch.setattr(logging.getLogger(name), "disabled", False)
        monkeypatch.setattr(logging.getLogger(name), "propagate", True)
    address = server.url.replace("http://", "http://ada:p%40ssw0rd@") + "?api-key=secret-in-query&version=2024"
    model = pv.load_model("openai:tiny", base_url=address)
    model.ask([ask_for()])
    assert server.headers[0]["authorization"] == "Basic YWRhOnBAc3N3MHJk"
    assert server.paths == ["/v1/chat/completions?api-key=secret-in-query&version=2024"]
    server.faults.append(Fault(400, error("http://ada:p%40ssw0rd@here?api-key=secret-in-query is wrong")))
    with pytest.raises(ModelError, match="is wrong") as caught:
        model.ask([ask_for()])
    assert "chat/completions" in caplog.text  # the client did log
    for text in (repr(model), str(model.facts()), str(caught.value), caplog.text, repr(model.calls), str(vars(model))):
        assert not any(secret in text for secret in ("p%40ssw0rd", "p@ssw0rd", "secret-in-query", "YWRhOnBAc3N3MHJk"))
    assert model.facts() == {"name": "openai:tiny", "base_url": server.url, "kind": "remote"}


def test_where_a_key_comes_from(server, monkeypatch):
    with pytest.raises(ModelError, match="set the environment variable OPENAI_API_KEY, or pass api_key="):
        pv.load_model("openai:tiny", base_url="https://example.org/v1")
    with pytest.raises(ModelError, match=r"https://api.openai.com/v1; set"):
        pv.load_model("openai:tiny")
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_BASE_URL", server.url)
    pv.load_model("openai:tiny").ask([ask_for()])
    assert server.headers[0]["authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"concurrency": 0}, ValueError), ({"concurrency": 2.5}, TypeError), ({"timeout": 0}, ValueError),
        ({"timeout": float("nan")}, ValueError), ({"max_retries": -1}, ValueError), ({"price": (1,)}, ValueError),
        ({"price": (-1, 2)}, ValueError), ({"requests_per_minute": 0}, ValueError), ({"dtype": "float32"}, TypeError),
        ({"base_url": "localhost:8000/v1"}, ValueError), ({"base_url": "http://here:port"}, ValueError),
        ({"base_url": "http://ada:pw@localhost/", "api_key": "k"}, ValueError), ({"speed": 3}, TypeError),
    ],
)  # fmt: skip
def test_bad_options_are_named(options, fault):
    name = next(reversed(options))
    with pytest.raises(fault, match=name):
        pv.load_model("openai:tiny", **{"base_url": "http://localhost:1/v1", **options})


def test_names_and_kinds():
    with pytest.raises(ValueError, match="openai:"):
        pv.load_model("openai:", base_url="http://localhost:1")
    with pytest.raises(TypeError, match="base_url, timeout: only for remote models"):
        pv.load_model("smollm2-135m-instruct", base_url="http://localhost:1", timeout=3)


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ModelError, match=r"pip install 'pyvalue\[remote\]'"):
        pv.load_model("openai:tiny", base_url="http://localhost:1")


def test_it_works_where_an_event_loop_runs(server):
    async def notebook():
        return remote(server).ask([ask_for()])

    assert len(asyncio.run(notebook())) == 1


def test_an_interrupt_ends_it_at_once(server):
    server.delay = 30
    code = (
        "import pyvalue as pv; from pyvalue.models.chat import ChatRequest as R\n"
        f"model = pv.load_model('openai:tiny', base_url={server.url!r})\n"
        "model.ask([R([{'role': 'user', 'content': 'x'}], 1)] * 20)"
    )
    client = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, env=os.environ)
    while len(server.requests) < 8:
        assert client.poll() is None
        time.sleep(0.05)
    client.send_signal(signal.SIGINT)
    _, errors = client.communicate(timeout=10)
    assert errors.decode().rstrip().endswith("KeyboardInterrupt")
    assert len(server.requests) == 8


@given(st.integers(1, 400))
def test_back_off_doubles_up_to_half_a_minute(tries):
    assert 0.75 <= back_off(tries) / min(30.0, 0.5 * 2.0 ** (tries - 1)) <= 1.0


def test_the_default_retries_outlast_a_minute(monkeypatch):
    monkeypatch.setattr("random.uniform", lambda low, high: low)
    retries = pv.load_model("openai:tiny", base_url="http://localhost:1").calls.max_retries
    assert sum(map(back_off, range(1, 1 + retries))) > 60
