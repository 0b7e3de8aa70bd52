"""Hand every token's list of edits to the forward passes of transformers' continuous batching. Adds no requests.

A CUDA graph is captured around the forward pass, so that Python hooks run at capture only. All that changes between
passes is therefore written where a batch is prepared, outside of the graph, into one buffer for each set of static
inputs (two under asynchronous batching).
"""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from pyvalue.errors import ModelError
from pyvalue.models.continuous_lists import RequestLists
from pyvalue.models.edit_lists import NO_LIST
from pyvalue.models.hook import ResidualEdits

# transformers 5.20 to 5.23, and 5.17, register the hashes of blocks that a pass completed in one of these.
_MARKS = ("mark_complete_blocks", "mark_shareable_blocks_as_complete")


class ContinuousHook:
    """Wraps three methods of one batch processor until ``remove``.

    Relies on internals of transformers 5.17 to 5.23, and says so where they are not as expected:
    ``inputs_and_outputs.prepare_batch_tensors`` sees every batch before its forward pass; the cache hashes blocks in
    ``search_prefix_match`` and in one of ``_MARKS``.

    Args:
        processor: of a continuous batching manager, before it has run or captured anything.
        steer: entered, with all lists known, so that its tables keep their addresses.
        requests: lists of all requests.

    Raises:
        ModelError: the internals are not as expected.
    """

    def __init__(self, processor: Any, steer: ResidualEdits, requests: RequestLists) -> None:
        self.asked = np.zeros(len(steer.lists) + 1, dtype=np.int64)
        self._steer = steer
        self._requests = requests
        self._io = processor.inputs_and_outputs
        self._prepare = self._io.prepare_batch_tensors
        self._signature = inspect.signature(self._prepare)
        cache = processor.cache
        found = set(self._signature.parameters)
        if not {"requests_in_batch", "num_q_tokens"} <= found:
            raise ModelError(_unexpected(f"prepare_batch_tensors takes {', '.join(sorted(found))}"))
        pairs = len(getattr(self._io, "io_pairs", (None,)))
        device = steer.device
        pinned = device.type == "cuda"
        size = int(cache.max_batch_tokens)
        self._host = [torch.full((size,), NO_LIST, dtype=torch.int32, pin_memory=pinned) for _ in range(pairs)]
        self.buffers = [host.to(device) for host in self._host]
        self._undo: list[tuple[Any, str]] = []
        self._wrap(self._io, "prepare_batch_tensors", self._prepare_batch)
        if getattr(cache, "allow_block_sharing", True):
            self._wrap(cache, "search_prefix_match", self._match(cache.search_prefix_match))
            name = next(name for name in _MARKS if hasattr(cache, name))
            self._wrap(cache, name, self._mark(getattr(cache, name)))

    def remove(self) -> None:
        """Leave the processor as it was, and say how many tokens were to be edited."""
        for owner, name in self._undo:
            delattr(owner, name)
        self._steer.read(None)
        self._steer.count(torch.from_numpy(self.asked[1:]))

    def _wrap(self, owner: Any, name: str, replacement: Callable[..., Any]) -> None:
        setattr(owner, name, replacement)
        self._undo.append((owner, name))

    def _prepare_batch(self, *args: Any, **kwargs: Any) -> None:
        given = self._signature.bind(*args, **kwargs).arguments
        # Before the inner call, which moves the positions on.
        positions, lists = self._layout(given["requests_in_batch"])
        self._prepare(*args, **kwargs)
        self._check(positions)
        self._fill(np.array(lists, dtype=np.int32), int(given["num_q_tokens"]))

    def _layout(self, batch: Sequence[Any]) -> tuple[list[int], list[int]]:
        """Position and list of every token of a batch, the requests in their order."""
        positions: list[int] = []
        lists: list[int] = []
        for future in batch:
            start, tokens = future.state.position_offset, future.query_length
            positions.extend(range(start, start + tokens))
            lists.extend(self._requests.lists(future.state.request_id, start, tokens))
        return positions, lists

    def _check(self, positions: list[int]) -> None:
        """That the batch was laid out as taken for granted here, where looking costs no wait for a GPU."""
        io = self._io.io_pairs[self._io.current_pair].host_io if hasattr(self._io, "io_pairs") else self._io
        if io.position_ids.device.type == "cpu" and io.position_ids[: len(positions)].tolist() != positions:
            raise ModelError(_unexpected("a batch holds its tokens in another order than its requests"))

    def _fill(self, lists: npt.NDArray[np.int32], tokens: int) -> None:
        """Write the lists of a pass of so many tokens, padding included, where its forward pass will read them."""
        self.asked += np.bincount(lists + 1, minlength=len(self.asked))
        pair = getattr(self._io, "current_pair", 0)
        host, buffer = self._host[pair], self.buffers[pair]
        host[: len(lists)] = torch.from_numpy(lists)
        host[len(lists) : tokens] = NO_LIST
        if buffer is not host:
            # The stream that brings the other inputs: the forward pass waits for it.
            stream = getattr(self._io, "h2d_stream", None) or self._io.compute_stream
            with _on(stream, buffer.device):
                buffer[:tokens].copy_(host[:tokens], non_blocking=True)
        self._steer.read(buffer, tokens)

    def _match(self, inner: Callable[..., Any]) -> Callable[..., Any]:
        def match(request_id: str, prompt_ids: list[int]) -> Any:
            return inner(request_id, self._requests.salted(request_id, prompt_ids))

        return match

    def _mark(self, inner: Callable[..., Any]) -> Callable[..., Any]:
        def mark(state: Any, completed: Any) -> Any:
            return inner(_Salted(state, self._requests), completed)

        return mark


class _Salted:
    """A request as the cache should hash it; all else is the request's own."""

    def __init__(self, state: Any, requests: RequestLists) -> None:
        self._state = state
        self._requests = requests
        self.generated_tokens: list[int] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._state, name)

    @property
    def initial_tokens(self) -> list[int]:
        tokens = self._state.initial_tokens + self._state.generated_tokens
        return self._requests.salted(self._state.request_id, tokens)


def sharing_is_known(cache_class: type) -> bool:
    """Whether the cache hashes blocks where this file expects it; where not, blocks must not be shared."""
    marks = [getattr(cache_class, name) for name in _MARKS if hasattr(cache_class, name)]
    match = getattr(cache_class, "search_prefix_match", None)
    if match is None or len(marks) != 1:
        return False
    wanted = ["self", "request_id", "prompt_ids"]
    return list(inspect.signature(match).parameters) == wanted and len(inspect.signature(marks[0]).parameters) == 3


def _on(stream: Any, device: torch.device) -> contextlib.AbstractContextManager[Any]:
    """Work goes on ``stream``, where the device has streams."""
    if stream is None:
        return contextlib.nullcontext()
    found: contextlib.AbstractContextManager[Any] = torch.get_device_module(device).stream(stream)
    return found


def _unexpected(what: str) -> str:
    import transformers

    return (
        f"continuous batching of transformers {transformers.__version__} works another way than its versions 5.17 to "
        f"5.23 ({what}), so that edits cannot be placed; use model.edit(...) with model.generate(...)."
    )
