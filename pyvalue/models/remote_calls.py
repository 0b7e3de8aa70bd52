"""Many chat completions at once: so many in flight, retries, one error for the lot. Uses the ``openai`` client.

The client's own retries are turned off: they follow no limit of requests a minute, hold back no other request when the
server asks for a pause, and repeat what no repetition helps.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from pyvalue.models.chat import ChatReply, ChatRequest
from pyvalue.models.remote_endpoint import Endpoint
from pyvalue.models.remote_failure import Failure, RemoteError
from pyvalue.models.remote_kept import KeptReplies
from pyvalue.models.remote_pace import LONGEST_PAUSE, Pace, back_off
from pyvalue.models.remote_parameters import AcceptedParameters
from pyvalue.models.remote_reply import read_reply
from pyvalue.models.remote_usage import Usage

if TYPE_CHECKING:
    from openai import AsyncOpenAI

Result = TypeVar("Result")
# A server that never answered is more likely down, or its address wrong, than busy.
_RETRIES_OF_A_STRANGER = 2
# So many refusals of single requests say nothing of the others, however few these are.
_FEW = 2


@dataclass(frozen=True)
class Calls:
    """How a model is called; see ``pyvalue.models.remote.RemoteModel`` for the settings."""

    endpoint: Endpoint
    model: str
    concurrency: int
    timeout: float
    max_retries: int
    extra_body: Mapping[str, Any]
    pace: Pace
    accepted: AcceptedParameters
    usage: Usage
    kept: KeptReplies

    def run(self, requests: Sequence[ChatRequest]) -> list[ChatReply]:
        """Replies in the order of the requests.

        Raises:
            RemoteError: a request failed for good; the others are given up.
        """
        replies: dict[int, ChatReply] = {}
        with self.endpoint.clean_logs():
            _in_own_thread(lambda: self._all(requests, replies, None))
        return [replies[number] for number in range(len(requests))]

    def run_each(self, requests: Sequence[ChatRequest]) -> list[ChatReply | RemoteError]:
        """Replies in the order of the requests; for one that is refused for what it says, the refusal.

        Replies that came in before another fault or an interrupt are kept for the next call.

        Raises:
            RemoteError: a request failed for another reason, or most of them, and more than two, are refused.
        """
        refused: dict[int, RemoteError] = {}
        replies = {n: reply for n, request in enumerate(requests) if (reply := self.kept.take(request)) is not None}
        try:
            with self.endpoint.clean_logs():
                _in_own_thread(lambda: self._all(requests, replies, refused))
            if len(refused) > max(_FEW, len(requests) / 2):
                raise next(iter(refused.values()))
        except BaseException:
            for number, reply in sorted(replies.items()):
                self.kept.keep(requests[number], reply)
            raise
        return [refused[number] if number in refused else replies[number] for number in range(len(requests))]

    async def _all(
        self,
        requests: Sequence[ChatRequest],
        replies: dict[int, ChatReply],
        refused: dict[int, RemoteError] | None,
    ) -> None:
        """Fill in the replies that are missing, and the refusals where they may be."""
        from openai import AsyncOpenAI

        gate = asyncio.Semaphore(self.concurrency)

        async def answer(number: int) -> None:
            async with gate:
                where = f"request {number + 1} of {len(requests)}"
                try:
                    replies[number] = await self._answer(client, where, requests[number])
                except RemoteError as refusal:
                    if refused is None or not refusal.of_one_request:
                        raise
                    refused[number] = refusal

        client = AsyncOpenAI(
            api_key=self.endpoint.key,
            base_url=self.endpoint.shown,
            default_query=self.endpoint.query,
            default_headers=self.endpoint.headers,
            timeout=self.timeout,
            max_retries=0,
        )
        async with client:
            try:
                async with asyncio.TaskGroup() as group:
                    for number in range(len(requests)):
                        if number not in replies:
                            group.create_task(answer(number))
            except* Exception as failed:
                error = failed.exceptions[0]
            else:
                return
        if isinstance(error, RemoteError):
            error.replies = replies
        raise error

    async def _answer(self, client: AsyncOpenAI, where: str, request: ChatRequest) -> ChatReply:
        tries = 0
        while True:
            await self.pace.turn()
            sent = self.accepted.of(request)
            reply = await self._try(client, request, sent)
            if isinstance(reply, ChatReply):
                self.usage.add(reply.prompt_tokens, reply.completion_tokens)
                self.accepted.note_taken(sent)
                return reply
            if reply.refuses_content:
                return ChatReply("", "content_filter")
            # Another request may have taught us in the meantime what this one would.
            if reply.refuses_parameters and (
                self.accepted.of(request) != sent
                or self.accepted.learn(sent, self.endpoint.clean(reply.words), reply.parameter)
            ):
                continue
            tries += 1
            wait = back_off(tries) if reply.retry_after is None else reply.retry_after
            if not reply.may_pass or tries > self._retries(reply) or wait > LONGEST_PAUSE:
                raise self._error(where, reply, tries)
            if reply.retry_after is not None:
                self.pace.pause(wait)
            await asyncio.sleep(wait)

    async def _try(self, client: AsyncOpenAI, request: ChatRequest, sent: dict[str, Any]) -> ChatReply | Failure:
        import openai

        messages: Any = [dict(message) for message in request.messages]
        try:
            async with asyncio.timeout(self.timeout):  # the client's own counts anew with every byte that trickles in
                completion = await client.chat.completions.create(
                    model=self.model, messages=messages, extra_body=dict(self.extra_body) or None, **sent
                )
        # ValueError: a body that is no JSON
        except (openai.APIError, TimeoutError, ValueError) as fault:
            return Failure.of(fault)
        reply = read_reply(completion)
        if reply is not None and reply.finish_reason == "error":
            return Failure(200, "the reply ends with an error", "error")
        return reply or Failure.of_body(completion)

    def _retries(self, failure: Failure) -> int:
        stranger = failure.status is None and failure.code != "timeout" and not self.usage.so_far.requests
        return min(self.max_retries, _RETRIES_OF_A_STRANGER) if stranger else self.max_retries

    def _error(self, where: str, failure: Failure, tries: int) -> RemoteError:
        words = self.endpoint.clean(failure.words)[:500]
        status = f"status {failure.status}" if failure.status else "no reply"
        times = f" after {tries} tries" if tries > 1 else ""
        if failure.retry_after is not None and failure.retry_after > LONGEST_PAUSE:
            times += f"; the server asks to wait {failure.retry_after:.0f} s"
        hint = f" ({failure.hint})" if failure.hint else ""
        message = f"{where} to {self.model} at {self.endpoint.shown} failed with {status}{times}: {words}{hint}"
        return RemoteError(message, failure.status, words, failure.of_one_request)


def _in_own_thread(work: Callable[[], Coroutine[Any, Any, Result]]) -> Result:
    """Run to the end in a thread with an event loop of its own: a notebook's thread has one already.

    An interrupt (Ctrl-C) reaches the caller's thread, and ends the work there before it goes on.
    """
    outcome: Future[Result] = Future()
    started: Future[tuple[asyncio.AbstractEventLoop, asyncio.Task[Any] | None] | None] = Future()

    async def main() -> Result:
        started.set_result((asyncio.get_running_loop(), asyncio.current_task()))
        return await work()

    def run() -> None:
        try:
            with asyncio.Runner() as runner:
                outcome.set_result(runner.run(main()))
        except BaseException as fault:
            outcome.set_exception(fault)
        finally:
            if not started.done():  # the event loop could not be made
                started.set_result(None)

    thread = threading.Thread(target=run, name="remote model", daemon=True)
    thread.start()
    try:
        return outcome.result()
    except BaseException:
        begun = started.result()
        if begun is not None and begun[1] is not None and not outcome.done():
            with contextlib.suppress(RuntimeError):  # it has just ended
                begun[0].call_soon_threadsafe(begun[1].cancel)
        thread.join()
        raise
