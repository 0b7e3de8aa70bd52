"""What passes of continuous batching read: buffers that stay where they are, filled before each pass. On a CPU."""

from __future__ import annotations

import contextlib
import copy
from types import SimpleNamespace

import pytest

torch = pytest.importorskip("torch", reason="the hook needs torch")
transformers = pytest.importorskip("transformers", reason="the hook edits models of transformers")
if not hasattr(transformers, "ContinuousBatchingConfig"):
    pytest.skip("transformers has no continuous batching", allow_module_level=True)

from continuous_cases import (  # noqa: E402
    NEW,
    PROMPTS,
    ROWS,
    config,
    expected,
    tokens,
)

from pyvalue.errors import ModelError  # noqa: E402
from pyvalue.models.continuous import generate_batch  # noqa: E402
from pyvalue.models.continuous_hook import ContinuousHook  # noqa: E402
from pyvalue.models.continuous_lists import RequestLists  # noqa: E402
from pyvalue.models.edit_buffers import EditBuffers  # noqa: E402
from pyvalue.models.hook import ResidualEdits  # noqa: E402
from pyvalue.models.loading import LanguageModel  # noqa: E402

# Nothing but the buffers changes between passes.


def test_buffers_and_tables_keep_their_addresses(tiny_model, monkeypatch):
    seen: list[tuple] = []
    read = EditBuffers.read

    def spy(self, buffer, shape):
        named = ("encoder", "list_start", "list_edit", "strength")
        tables = [getattr(site.table, name).data_ptr() for site in self._sites for name in named]
        rest = [(site.table.flags, site.table.n_lists, site.hits.data_ptr()) for site in self._sites]
        seen.append((buffer.data_ptr(), len(self.lists), *tables, *rest))
        read(self, buffer, shape)

    monkeypatch.setattr(EditBuffers, "read", spy)
    generate_batch(tiny_model, PROMPTS, ROWS, max_new_tokens=NEW, batching=config(max_batch_tokens=16))
    assert len(seen) > NEW
    assert len(set(seen)) == 1


def test_a_captured_pass_would_be_steered(tiny_model, monkeypatch):
    """A CUDA graph reads the addresses of its capture for ever; here every pass reads the buffer of the first."""
    captured: dict[str, torch.Tensor] = {}

    def replay(self, site, hidden):
        buffer = captured.setdefault(str(site), self.token_list)
        return site.change(hidden, buffer[: hidden.shape[1]].view(1, -1))

    monkeypatch.setattr(EditBuffers, "_change", replay)
    options = {"max_new_tokens": NEW, "batching": config()}
    found = tokens(generate_batch(tiny_model, PROMPTS, ROWS, **options))
    captured.clear()
    fill = ContinuousHook._fill

    def afresh(self, lists, seq):
        """Without care: a new tensor for every pass."""
        self._host[0] = self.buffers[0] = torch.full_like(self.buffers[0], -1)
        fill(self, lists, seq)

    monkeypatch.setattr(ContinuousHook, "_fill", afresh)
    with pytest.raises(ModelError, match=r"acted on \d+ tokens, but"):
        generate_batch(tiny_model, PROMPTS, ROWS, **options)
    monkeypatch.undo()
    assert found == expected(tiny_model)


def make_hook(pairs: int, size: int = 9):
    """A hook on made-up inputs of asynchronous batching; positions are laid out as transformers does."""

    def prepare(requests_in_batch, logits_processors, use_decode_fast_path, num_q_tokens, max_kv_read, use_padding):
        flat = [f.state.position_offset + i for f in requests_in_batch for i in range(f.query_length)]
        io.io_pairs[io.current_pair].host_io.position_ids[: len(flat)] = torch.tensor(flat)
        for future in requests_in_batch:
            future.state.position_offset += future.query_length

    sides = [SimpleNamespace(host_io=SimpleNamespace(position_ids=torch.zeros(size))) for _ in range(pairs)]
    io = SimpleNamespace(io_pairs=sides, current_pair=0, prepare_batch_tensors=prepare)
    cache = SimpleNamespace(max_batch_tokens=size, allow_block_sharing=False)
    reads: list[tuple] = []
    steer = SimpleNamespace(lists=[(0,), (1,)], device=torch.device("cpu"), count=lambda n: None)
    steer.read = lambda buffer, seq=0: reads.append((buffer, seq))
    requests = RequestLists({"a": [0, -1, 1], "b": [1]}, {"a": -1, "b": 0})
    hook = ContinuousHook(SimpleNamespace(inputs_and_outputs=io, cache=cache), steer, requests)
    return hook, io, reads


def batch(*requests):
    return [
        SimpleNamespace(query_length=length, state=SimpleNamespace(request_id=name, position_offset=start))
        for name, start, length in requests
    ]


def test_each_pair_of_inputs_has_its_buffer_and_padding_names_no_list():
    hook, io, reads = make_hook(pairs=2)
    io.prepare_batch_tensors(batch(("b", 0, 4), ("a", 1, 3)), None, False, 8, 0, use_padding=True)
    assert hook.buffers[0].tolist()[:8] == [1, 0, 0, 0, -1, 1, -1, -1]
    io.current_pair = 1
    io.prepare_batch_tensors(batch(("a", 0, 1)), None, False, 4, 0, use_padding=True)
    io.current_pair = 0
    io.prepare_batch_tensors(batch(("b", 7, 1), ("__warmup_DECODING_0__", 0, 1)), None, False, 4, 0, use_padding=True)
    assert [reads[i][0] is hook.buffers[p] for i, p in enumerate((0, 1, 0))] == [True] * 3
    assert hook.buffers[0] is not hook.buffers[1]
    assert [seq for _, seq in reads] == [8, 4, 4]
    # The last pass is shorter: what an earlier one left behind the padding is not read, and in it there is no list.
    assert hook.buffers[0].tolist()[:4] == [0, -1, -1, -1]
    assert hook.buffers[1].tolist()[:4] == [0, -1, -1, -1]
    assert hook.asked.tolist() == [3, 5, 2]
    hook.remove()
    assert reads[-1][0] is None and not hasattr(io, "prepare_batch_tensors")


class Now:
    """A stream or an event of a device that does everything at once."""

    def __init__(self, *_args, **_kwargs) -> None: ...

    def record_event(self, event) -> None: ...

    def wait_event(self, event) -> None: ...

    def synchronize(self) -> None: ...


@pytest.mark.parametrize("options", [{}, {"max_batch_tokens": 7}, {"num_blocks": 18, "safety_margin": 0.0}])
def test_batches_prepared_ahead_are_steered(tiny_model, monkeypatch, options):
    """Asynchronous batching prepares a batch before the tokens of the one before are known; here without a GPU."""
    from transformers.generation.continuous_batching import input_outputs, model_runner, offloading_manager

    if not hasattr(input_outputs, "create_device_stream"):
        pytest.skip("this transformers makes CUDA streams itself")
    monkeypatch.setattr(input_outputs.ContinuousBatchingAsyncIOs, "_supported_device_types", ("cpu",))
    monkeypatch.setattr(input_outputs, "create_device_stream", Now)
    monkeypatch.setattr(torch, "Event", Now)
    for module in (input_outputs, model_runner, offloading_manager):
        monkeypatch.setattr(module, "stream_context", lambda stream: contextlib.nullcontext())
    used: set[int] = set()
    read = ResidualEdits.read
    monkeypatch.setattr(ResidualEdits, "read", lambda self, buffer, *n: used.add(id(buffer)) or read(self, buffer, *n))
    batching = config(use_async_batching=True, **options)
    found = generate_batch(tiny_model, PROMPTS, ROWS, max_new_tokens=NEW, batching=batching)
    assert len(used - {id(None)}) == 2
    monkeypatch.undo()
    assert tokens(found) == expected(tiny_model)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_captured_graphs_are_steered(tiny_model):
    """Both ways of preparing batches, with graphs captured before any edit is known to a request."""
    network = copy.deepcopy(tiny_model.network).cuda()
    model = LanguageModel("cuda", network, tiny_model.tokenizer)
    for both in (False, True):
        batching = config(use_cuda_graph=True, use_async_batching=both, auto_switch_to_flash=False)
        found = generate_batch(model, PROMPTS, ROWS, max_new_tokens=NEW, batching=batching)
        assert tokens(found) == expected(tiny_model)
