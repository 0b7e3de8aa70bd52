"""Steered continuous batching against the same prompts run alone through transformers' plain ``generate``.

Every trap of continuous batching is shown to be one: without our care the outputs differ.
"""

from __future__ import annotations

import contextlib
import copy
import functools
import gc
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="the hook needs torch")
transformers = pytest.importorskip("transformers", reason="the hook edits models of transformers")
if not hasattr(transformers, "ContinuousBatchingConfig"):
    pytest.skip("transformers has no continuous batching", allow_module_level=True)

from pyvalue.errors import ModelError  # noqa: E402
from pyvalue.models import continuous, continuous_hook, continuous_options  # noqa: E402
from pyvalue.models.continuous import generate_batch  # noqa: E402
from pyvalue.models.continuous_hook import ContinuousHook  # noqa: E402
from pyvalue.models.continuous_lists import RequestLists  # noqa: E402
from pyvalue.models.direction import Direction  # noqa: E402
from pyvalue.models.edit_site import EditSite  # noqa: E402
from pyvalue.models.edits import Edit, indices, span  # noqa: E402
from pyvalue.models.hook import ResidualEdits  # noqa: E402
from pyvalue.models.loading import LanguageModel  # noqa: E402
from pyvalue.models.sae import SAE  # noqa: E402
from pyvalue.models.sae_config import SAEConfig  # noqa: E402

D, NEW = 64, 11
LONG = "<|im_start|>user\nShould I always follow the rules, even when nobody is watching?<|im_end|>\n"
PROMPTS = (
    "<|im_start|>You are a woman from Norway",
    "Is it a mistake to spend an evening on pleasure alone?",
    LONG,
    "Yes",
    "<|im_start|>user\nShould I help a neighbour who asks for it?<|im_end|>\n<|im_start|>assistant\n",
    LONG + "Answer as honestly as you can",
)


def make_sae(hook: str = "blocks.1.hook_resid_post", seed: int = 3) -> SAE:
    g = torch.Generator().manual_seed(seed)
    weights = [torch.randn(*shape, generator=g) for shape in [(D, 63), (63,), (63, D), (D,)]]
    return SAE(SAEConfig("standard", D, 63, hook), *weights)


EARLY, LATE = make_sae(), make_sae("blocks.3.hook_resid_pre", seed=4)
ROWS = (
    [],
    [Edit(feature=3, op="set", strength=20, positions=span("mistake"), sae=EARLY)],
    [Edit(feature=5, strength=9, positions="prompt", sae=EARLY), Edit(feature=60, op="ablate", sae=LATE)],
    [Edit(feature=7, strength=0.7, unit="relative", sae=LATE, positions="generated")],
    [],
    [Edit(feature=9, op="scale", strength=3, positions=indices(-1, 4), sae=EARLY)],
)


def config(**options):
    found = transformers.ContinuousBatchingConfig(**{"num_blocks": 200, "max_batch_tokens": 64, **options})
    # Tokens of a block, under the names of transformers 5.23 and 5.17.
    setattr(found, "page_size" if hasattr(found, "page_size") else "block_size", 4)
    return found


def alone(model: LanguageModel, prompt: str, row, new: int = NEW, **options) -> list[int]:
    """The oracle: transformers' ``generate`` of one prompt, steered by its own edits or not at all."""
    encoded = model.tokenizer(prompt, return_tensors="pt", add_special_tokens=False)
    length = encoded["input_ids"].shape[1]

    def run():
        return model.network.generate(
            input_ids=encoded["input_ids"], attention_mask=encoded["attention_mask"], max_new_tokens=new,
            do_sample=False, **options,
        )[0, length:].tolist()  # fmt: skip

    if not row:
        return run()
    with ResidualEdits(model.network, [row], model.tokenizer):
        return run()


def place_of(model, prompt: str, word: str) -> tuple[int, int]:
    """(first token of a word, number of its tokens), from the tokenizer's offsets."""
    begin = prompt.index(word)
    offsets = model.tokenizer(prompt, return_offsets_mapping=True, add_special_tokens=False)["offset_mapping"]
    inside = [i for i, (start, end) in enumerate(offsets) if start < begin + len(word) and end > begin]
    return inside[0], len(inside)


def tokens(found) -> list[list[int]]:
    return [list(continuation.token_ids) for continuation in found]


_known: dict[tuple, list[int]] = {}


def expected(model, prompts=PROMPTS, rows=ROWS, new: int = NEW) -> list[list[int]]:
    """What each prompt gives alone, worked out once."""
    found = []
    for prompt, row in zip(prompts, rows, strict=True):
        key = (model.name, prompt, tuple(row), new)
        if key not in _known:
            _known[key] = alone(model, prompt, row, new)
        found.append(_known[key])
    return found


@pytest.fixture(scope="module", autouse=True)
def quick_collection():
    """transformers collects garbage three times a call, over all that torch has ever made."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(scope="module")
def models(tiny_model):
    """The tiny Llama, a Gemma 2 of layers with and without a sliding window, and a GPT-2."""
    torch.manual_seed(1)
    common = {"vocab_size": len(tiny_model.tokenizer), "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
    gemma = transformers.Gemma2Config(
        hidden_size=D, intermediate_size=96, num_hidden_layers=4, num_attention_heads=4, num_key_value_heads=2,
        head_dim=16, sliding_window=8, attn_logit_softcapping=None, initializer_range=0.3, **common,
    )  # fmt: skip
    gpt2 = transformers.GPT2Config(n_embd=D, n_layer=4, n_head=4, n_positions=256, initializer_range=0.3, **common)
    found = {"llama": tiny_model}
    for name, of in (("gemma2", gemma), ("gpt2", gpt2)):
        network = transformers.AutoModelForCausalLM.from_config(of).float().eval().requires_grad_(False)
        found[name] = LanguageModel(name, network, tiny_model.tokenizer)
    return found


class Spy:
    """Counts what transformers does inside, without changing it."""

    def __init__(self, monkeypatch, owner, name: str) -> None:
        self.results: list = []
        inner = getattr(owner, name)

        @functools.wraps(inner)
        def spy(*args, **kwargs):
            self.results.append(inner(*args, **kwargs))
            return self.results[-1]

        monkeypatch.setattr(owner, name, spy)


# Every request is continued as it would be alone.


BATCHING = {
    "default": None,
    "packed": config(),
    "chunked": config(max_batch_tokens=7),
    "one by one": config(max_requests_per_batch=1),
    "crowded": config(scheduler_type="prefill_first", num_blocks=26, max_batch_tokens=16),
    "no sharing": config(allow_block_sharing=False),
}
CASES = [("llama", name) for name in BATCHING]
CASES += [("gemma2", name) for name in ("default", "chunked", "crowded")] + [("gpt2", "default")]


@pytest.mark.parametrize("family, batching", CASES)
def test_every_request_is_continued_as_alone(models, family, batching):
    model = models[family]
    wanted = expected(model)
    assert wanted[1:4] != expected(model, rows=[[]] * 6)[1:4]
    before = model.network.config._attn_implementation
    found = model.generate_batch(PROMPTS, ROWS, max_new_tokens=NEW, batching=BATCHING[batching], do_sample=False)
    assert tokens(found) == wanted
    assert [f.prompt_tokens for f in found] == [len(model.tokenizer(p).input_ids) for p in PROMPTS]
    assert [f.text for f in found] == model.tokenizer.batch_decode(wanted, skip_special_tokens=True)
    assert model.network.config._attn_implementation == before


def test_one_row_of_edits_for_all_and_none_at_all(tiny_model):
    edits = [Edit(feature=3, strength=20, sae=EARLY)]
    found = generate_batch(tiny_model, PROMPTS, edits, max_new_tokens=NEW)
    assert tokens(found) == expected(tiny_model, rows=[edits] * 6)
    assert tokens(generate_batch(tiny_model, PROMPTS, max_new_tokens=NEW)) == expected(tiny_model, rows=[[]] * 6)


def test_directions_and_splices(tiny_model):
    g = torch.Generator().manual_seed(5)
    direction = Direction(torch.randn(D, generator=g), "blocks.2.hook_resid_post")
    rows = [[Edit(op="direction", strength=0.5, unit="relative", direction=direction)], [Edit(op="splice", sae=EARLY)]]
    found = generate_batch(tiny_model, PROMPTS[:2], rows, max_new_tokens=NEW, batching=config())
    assert tokens(found) == expected(tiny_model, PROMPTS[:2], rows)


def test_a_text_ends_at_its_end_mark(tiny_model):
    whole = alone(tiny_model, PROMPTS[1], ROWS[1])
    end = whole[4]
    found = generate_batch(tiny_model, PROMPTS[:2], ROWS[:2], max_new_tokens=NEW, eos_token_id=[end, 2])
    assert list(found[1].token_ids) == whole[: whole.index(end) + 1]
    assert found[1].finish_reason == "stop"
    assert list(found[0].token_ids) == alone(tiny_model, PROMPTS[0], [], eos_token_id=[end, 2])
    assert generate_batch(tiny_model, ["Yes"], [[]], max_new_tokens=3)[0].finish_reason == "length"


@pytest.mark.model
def test_the_bundled_model(smol):
    g = torch.Generator().manual_seed(0)
    direction = Direction(torch.randn(576, generator=g), "blocks.12.hook_resid_post")
    prompts = ["The capital of Norway is", "My values are", "My values are these: I"]
    rows = [
        [],
        [Edit(op="direction", strength=0.4, unit="relative", direction=direction)],
        [Edit(op="direction", strength=0.6, unit="relative", direction=direction, positions=span("values"))],
    ]
    found = smol.generate_batch(prompts, rows, max_new_tokens=8, do_sample=False)
    assert tokens(found) == expected(smol, prompts, rows, 8)
    assert tokens(found) != expected(smol, prompts, [[]] * 3, 8)


# 1. Requests are packed, and padded.


def test_packed_tokens_belong_to_their_request(tiny_model, monkeypatch):
    """With care: the test above."""

    def along_the_row(self, batch):
        first, (positions, _) = batch[0].state, inner(self, batch)
        return positions, self._requests.lists(first.request_id, first.position_offset, len(positions))

    inner = ContinuousHook._layout
    monkeypatch.setattr(ContinuousHook, "_layout", along_the_row)
    assert tokens(generate_batch(tiny_model, PROMPTS, ROWS, max_new_tokens=NEW)) != expected(tiny_model)


def test_unedited_requests_beside_edited_ones_are_bit_identical(tiny_model, monkeypatch):
    """The logits of the first pass, which reads all prompts, row by row."""
    logits: list[torch.Tensor] = []
    handle = tiny_model.network.lm_head.register_forward_hook(lambda module, args, output: logits.append(output[0]))
    monkeypatch.setattr(RequestLists, "salted", lambda self, request, ids: list(ids))  # the same order of requests
    for rows in (ROWS, [[]] * 6):
        generate_batch(tiny_model, PROMPTS, rows, max_new_tokens=1, batching=config(max_batch_tokens=200))
    handle.remove()
    steered, plain = logits
    same = [bool(torch.equal(a, b)) for a, b in zip(steered, plain, strict=True)]
    order = sorted(range(6), key=lambda i: tiny_model.tokenizer(PROMPTS[i], add_special_tokens=False)["input_ids"])
    # Row 3 edits generated tokens only.
    assert same == [i in (0, 3, 4) for i in order]


# 2. Nothing but the buffers changes between passes.


def test_buffers_and_tables_keep_their_addresses(tiny_model, monkeypatch):
    seen: list[tuple] = []
    read = ResidualEdits.read

    def spy(self, buffer, seq=0):
        if buffer is not None:
            named = ("encoder", "list_start", "list_edit", "strength")
            tables = [getattr(site.table, name).data_ptr() for site in self._sites for name in named]
            rest = [(site.table.flags, site.table.n_lists, site.hits.data_ptr()) for site in self._sites]
            seen.append((buffer.data_ptr(), len(self.lists), *tables, *rest))
        read(self, buffer, seq)

    monkeypatch.setattr(ResidualEdits, "read", spy)
    generate_batch(tiny_model, PROMPTS, ROWS, max_new_tokens=NEW, batching=config(max_batch_tokens=16))
    assert len(seen) > NEW
    assert len(set(seen)) == 1


def test_a_captured_pass_would_be_steered(tiny_model, monkeypatch):
    """A CUDA graph reads the addresses of its capture for ever; here every pass reads the buffer of the first."""
    captured: dict[str, torch.Tensor] = {}

    def replay(self, site, hidden):
        buffer = captured.setdefault(str(site), self.token_list)
        return site.change(hidden, buffer[: hidden.shape[1]].view(1, -1))

    monkeypatch.setattr(ResidualEdits, "_edit", replay)
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
    steer = SimpleNamespace(lists=[(0,), (1,)], token_list=torch.zeros(1, dtype=torch.int32), count=lambda n: None)
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


# 3. Blocks are shared between requests.

SHARED = (LONG, LONG, LONG, LONG)
OF_ALL = [Edit(feature=3, strength=20, positions="prompt", sae=EARLY)]
AT_END = [Edit(feature=3, strength=40, positions=span("watching"), sae=EARLY)]


def one_by_one(model, rows, monkeypatch):
    """Outputs of the same long prompt again and again, and how many of its tokens came out of the cache each time.

    Runs go in the order of what is hashed, so that those with edits at the beginning come first.
    """
    from transformers.generation.continuous_batching.cache import PagedAttentionCache

    spy = Spy(monkeypatch, PagedAttentionCache, "search_prefix_match")
    batching = config(max_requests_per_batch=1, max_batch_tokens=64)
    found = generate_batch(model, SHARED[: len(rows)], rows, max_new_tokens=NEW, batching=batching)
    monkeypatch.undo()
    return tokens(found), spy.results


@pytest.mark.filterwarnings("ignore:the edits acted on no token")  # one that leaks finds all of its prompt in the cache
@pytest.mark.parametrize("rows", [([], OF_ALL, []), (OF_ALL, [], OF_ALL), ([], AT_END, [])])
def test_blocks_are_not_shared_between_different_edits(tiny_model, monkeypatch, rows):
    wanted = expected(tiny_model, SHARED[:3], rows)
    found, _ = one_by_one(tiny_model, rows, monkeypatch)
    assert found == wanted
    # Without care, blocks are known by their tokens alone.
    monkeypatch.setattr(RequestLists, "salted", lambda self, request, ids: list(ids))
    leaked, matched = one_by_one(tiny_model, rows, monkeypatch)
    assert all(matched[1:]) and leaked[0] == wanted[0]
    assert leaked[1] != wanted[1]


def test_blocks_are_shared_where_tokens_and_edits_agree(tiny_model, monkeypatch):
    length = len(tiny_model.tokenizer(LONG).input_ids)
    whole = (length - 1) // 4 * 4
    before, _ = place_of(tiny_model, LONG, "watching")
    rows = ([], OF_ALL, AT_END, OF_ALL)
    found, matched = one_by_one(tiny_model, rows, monkeypatch)
    assert found == expected(tiny_model, SHARED, rows)
    # Both of OF_ALL, then AT_END, and no edits, which shares the blocks before the word that AT_END edits.
    assert matched == [0, whole, 0, before // 4 * 4]
    assert 4 < matched[-1] < whole


def test_unknown_sharing_is_switched_off(tiny_model, monkeypatch):
    monkeypatch.setattr(continuous_hook, "_MARKS", ("complete_blocks_of_another_version",))
    rows = ([], OF_ALL, [])
    found, matched = one_by_one(tiny_model, rows, monkeypatch)
    assert (found, matched) == (expected(tiny_model, SHARED[:3], rows), [])


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_hashed_numbers_agree_exactly_where_tokens_and_lists_do(data):
    pair = st.tuples(st.integers(0, 4), st.integers(-1, 2))
    texts = [data.draw(st.lists(pair, min_size=1, max_size=6)) for _ in range(3)]
    prompts = {str(i): [number for _, number in text] for i, text in enumerate(texts)}
    requests = RequestLists(prompts, dict.fromkeys(prompts, -1))
    found = [requests.salted(str(i), [token for token, _ in text]) for i, text in enumerate(texts)]
    for a, numbers in zip(texts, found, strict=True):
        assert [n for n, (_, number) in zip(numbers, a, strict=True) if number == -1] == [t for t, n in a if n == -1]
        for b, others in zip(texts, found, strict=True):
            for x, n in zip(a, numbers, strict=True):
                assert [n == m for m in others] == [x == y for y in b]
    assert all(n >= -(2**31) for numbers in found for n in numbers)


# 4. Prompts are cut into chunks.


def test_a_span_in_the_second_chunk_is_edited_there_and_only_there(tiny_model, monkeypatch):
    prompt, row = LONG, [Edit(feature=3, strength=40, positions=span("nobody"), sae=EARLY)]
    first, size = place_of(tiny_model, prompt, "nobody")
    assert first >= 8
    hits: list[tuple[int, ...]] = []
    leave = ResidualEdits.__exit__
    monkeypatch.setattr(ResidualEdits, "__exit__", lambda self, *why: hits.append(self.hits) or leave(self, *why))
    batching = config(max_batch_tokens=8, allow_block_sharing=False)
    wanted = alone(tiny_model, prompt, row)
    hits.clear()
    found = generate_batch(tiny_model, [prompt], [row], max_new_tokens=NEW, batching=batching)
    assert tokens(found) == [wanted]
    assert hits == [(size,)]
    # Without care: every chunk taken for the beginning of the prompt.
    inner = RequestLists.lists
    monkeypatch.setattr(RequestLists, "lists", lambda self, name, start, n: inner(self, name, 0, n))
    monkeypatch.setattr(RequestLists, "salted", lambda self, name, ids: list(ids))
    with pytest.warns(UserWarning, match="acted on no token"):
        lost = generate_batch(tiny_model, [prompt], [row], max_new_tokens=NEW, batching=batching)
    assert tokens(lost) != [wanted]


# 5. Requests are evicted, and come back with their generated tokens in the prompt.


def test_generated_tokens_of_an_evicted_request_are_still_generated(tiny_model, monkeypatch):
    from transformers.generation.continuous_batching.requests import RequestState

    prompts = (PROMPTS[1], PROMPTS[4], PROMPTS[0])
    rows = [[Edit(feature=3, strength=9, positions=where, sae=EARLY)] for where in ("prompt", "generated", "prompt")]
    new = 40
    wanted = expected(tiny_model, prompts, rows, new)
    evicted = Spy(monkeypatch, RequestState, "create_equivalent_initial_request")
    batching = config(num_blocks=16, max_batch_tokens=32, safety_margin=0.0)
    options = {"max_new_tokens": new, "batching": batching}
    assert tokens(generate_batch(tiny_model, prompts, rows, **options)) == wanted
    assert any(len(state.initial_tokens) > state._true_initial_tokens > 0 for state in evicted.results)
    evicted.results.clear()

    def naive(self, batch):
        """Without care: whatever the request calls its prompt is prompt."""
        positions, lists = inner(self, batch)
        states = [future.state for future in batch for _ in range(future.query_length)]
        for i, (state, place) in enumerate(zip(states, positions, strict=True)):
            prompt = self._requests.prompts[state.request_id]
            if len(prompt) <= place < len(state.initial_tokens):
                lists[i] = prompt[-1]
        return positions, lists

    inner = ContinuousHook._layout
    monkeypatch.setattr(ContinuousHook, "_layout", naive)
    assert tokens(generate_batch(tiny_model, prompts, rows, **options)) != wanted
    assert evicted.results


# 6. Requests are forked.


@pytest.mark.parametrize("blocks", [200, 24])
def test_forked_requests_inherit_the_edits(tiny_model, monkeypatch, blocks):
    # Of several sequences transformers wants samples; those of the likeliest token are the greedy ones.
    options = {"max_new_tokens": NEW, "do_sample": True, "top_k": 1, "num_return_sequences": 3}
    options["batching"] = config(num_blocks=blocks)
    wanted = [row for row in expected(tiny_model) for _ in range(3)]
    assert tokens(generate_batch(tiny_model, PROMPTS, ROWS, **options)) == wanted
    inner = RequestLists.lists

    def orphaned(self, name, start, n):
        return [-1] * n if "child" in name else inner(self, name, start, n)

    monkeypatch.setattr(RequestLists, "lists", orphaned)
    assert tokens(generate_batch(tiny_model, PROMPTS, ROWS, **options)) != wanted


# 7. What was not steered is an error.


def test_an_edit_that_did_not_run_is_an_error(tiny_model, monkeypatch):
    change, calls = EditSite.change, []

    def skip(self, hidden, token_list):
        calls.append(1)
        return hidden if len(calls) == 5 else change(self, hidden, token_list)

    monkeypatch.setattr(EditSite, "change", skip)
    with pytest.raises(ModelError, match=r"acted on \d+ tokens, but \d+ were to be edited"):
        generate_batch(tiny_model, PROMPTS, [Edit(feature=3, strength=2, sae=EARLY)], max_new_tokens=NEW)


def test_hits_are_the_tokens_that_were_computed(tiny_model, monkeypatch):
    kept: list[ResidualEdits] = []
    leave = ResidualEdits.__exit__
    monkeypatch.setattr(ResidualEdits, "__exit__", lambda self, *why: kept.append(self) or leave(self, *why))
    rows = [[Edit(feature=3, strength=2, sae=EARLY)], [Edit(feature=4, strength=2, positions="generated", sae=EARLY)]]
    prompts = ("You are a woman from Norway", "No")
    found = generate_batch(tiny_model, prompts, rows, max_new_tokens=5, batching=config())
    # The last token that is written is not read any more.
    wanted = (found[0].prompt_tokens + len(found[0].token_ids) - 1, len(found[1].token_ids) - 1)
    assert kept[-1].hits == kept[-1].asked == wanted


@pytest.mark.parametrize("start", ["network", "language model", "paged"])
def test_continuous_batching_inside_of_an_edit_is_refused(tiny_model, start):
    ids = torch.tensor([[5, 6, 7]])
    with (
        pytest.raises(ModelError, match=r"call model.generate_batch\(prompts, edits\), outside"),
        tiny_model.edit(OF_ALL),
    ):
        if start == "network":
            tiny_model.network.generate_batch(ids.tolist(), max_new_tokens=3)
        elif start == "paged":
            tiny_model.network.generate(ids, cache_implementation="paged", max_new_tokens=3)
        else:
            tiny_model.generate_batch(["Yes"], OF_ALL)
    assert "init_continuous_batching" not in vars(tiny_model.network)
    assert tokens(tiny_model.generate_batch(["Yes"], [[]], max_new_tokens=3)) == [alone(tiny_model, "Yes", [], 3)]


def test_a_manager_from_before_an_edit_does_not_run_unsteered(tiny_model):
    manager = tiny_model.network.init_continuous_batching(
        transformers.GenerationConfig(max_new_tokens=3, do_sample=False, eos_token_id=-1, pad_token_id=0), config()
    )
    manager.start()
    try:
        with pytest.warns(UserWarning, match="acted on no token"), tiny_model.edit(OF_ALL):
            manager.add_request([5, 6, 7])
            assert "call model.generate_batch" in manager.get_result(timeout=30).error
    finally:
        manager.stop()


def test_a_request_that_nobody_asked_for_is_an_error():
    requests = RequestLists({"prompt 0": [0, 0]}, {"prompt 0": -1})
    with pytest.raises(ModelError, match="'req_0', whose edits are not known"):
        requests.lists("req_0", 0, 2)


# Sampling.


def test_samples_follow_the_seed_and_the_edits(tiny_model):
    def sample(**options):
        return tokens(generate_batch(tiny_model, PROMPTS, ROWS, max_new_tokens=NEW, do_sample=True, **options))

    assert sample(top_k=1) == expected(tiny_model)
    assert sample(seed=3, temperature=2.0) == sample(seed=3, temperature=2.0)
    assert sample(seed=3, temperature=2.0) != sample(seed=4, temperature=2.0)


# Errors.


@pytest.mark.parametrize(
    "arguments, words",
    [
        ({"prompts": []}, "prompts must be a non-empty sequence"),
        ({"prompts": "Yes"}, "prompts must be a non-empty sequence"),
        ({"prompts": ["Yes", ""]}, "prompt 1 is ''"),
        ({"edits": [[], []]}, "edits has 2 rows, but there are 1 prompts"),
        ({"edits": [[Edit(feature=3, strength=1, positions=span("no"), sae=EARLY)]]}, "span 'no' is not in the prompt"),
        ({"max_new_tokens": 0}, "max_new_tokens must be at least 1"),
        ({"num_beams": 2}, "num_beams: not an option of continuous batching"),
        ({"batching": config(num_blocks=2), "max_new_tokens": 9}, "do not fit into a cache of 8 tokens.*num_blocks"),
    ],
)
def test_bad_arguments(tiny_model, arguments, words):
    with pytest.raises(ValueError, match=words):
        tiny_model.generate_batch(**{"prompts": ["Yes"], "edits": [[]], **arguments})
    assert tiny_model.network.config._attn_implementation == "sdpa"


def test_other_settings_of_batching_are_refused(tiny_model):
    with pytest.raises(TypeError, match=r"ContinuousBatchingConfig, got dict \{'num_blocks': 3\}"):
        tiny_model.generate_batch(["Yes"], [[]], batching={"num_blocks": 3})


def test_what_continuous_batching_would_leave_out_is_refused(tiny_model):
    model = LanguageModel("copy", copy.deepcopy(tiny_model.network), tiny_model.tokenizer)
    model.network.generation_config.repetition_penalty = 1.3
    with pytest.raises(ValueError, match="RepetitionPenaltyLogitsProcessor, which continuous batching would leave out"):
        model.generate_batch(["Yes"], [[]])


def test_models_that_cannot_be_paged_are_refused(tiny_model):
    sizes = {"vocab_size": len(tiny_model.tokenizer), "bos_token_id": 1, "eos_token_id": 2}
    cases = {
        "GPTJ": (transformers.GPTJConfig(n_embd=D, n_layer=2, n_head=2, rotary_dim=4, **sizes), "cannot be exchanged"),
        "Mamba": (transformers.MambaConfig(hidden_size=D, num_hidden_layers=2, **sizes), "(Invalid layer|be found)"),
        "Gemma2": (
            transformers.Gemma2Config(
                hidden_size=D, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=1,
                head_dim=12, **sizes,
            ),
            "attn_logit_softcapping 50",
        ),
    }  # fmt: skip
    for name, (of, words) in cases.items():
        network = transformers.AutoModelForCausalLM.from_config(of).eval().requires_grad_(False)
        before = network.config._attn_implementation
        with pytest.raises(ModelError, match=rf"{name}\w* \({name.lower()}\) cannot run.*{words}.*use model.edit"):
            LanguageModel(name, network, tiny_model.tokenizer).generate_batch(["Yes"], [[]])
        assert network.config._attn_implementation == before


def test_a_kept_manager_is_refused(tiny_model):
    network = tiny_model.network
    options = {"eos_token_id": -1, "pad_token_id": 0, "do_sample": False}
    plain = transformers.GenerationConfig(max_new_tokens=2, **options)
    network.generate_batch(
        [[5, 6]], generation_config=plain, continuous_batching_config=config(), persistent_manager=True
    )
    try:
        with pytest.raises(ModelError, match="destroy_cached_continuous_batching_manager"):
            tiny_model.generate_batch(["Yes"], OF_ALL)
    finally:
        network.destroy_cached_continuous_batching_manager()


def test_a_failure_in_the_background_is_raised(tiny_model, monkeypatch):
    def broken(self, batch):
        raise RuntimeError("the battery is empty")

    monkeypatch.setattr(ContinuousHook, "_layout", broken)
    with pytest.raises(ModelError, match="failed at prompt 0: the battery is empty"):
        generate_batch(tiny_model, PROMPTS, ROWS)


@pytest.mark.parametrize("what", ["another signature", "another order"])
def test_internals_that_are_not_as_expected_are_refused(tiny_model, monkeypatch, what):
    from transformers.generation.continuous_batching.input_outputs import ContinuousBatchingIOs

    inner = ContinuousBatchingIOs.prepare_batch_tensors

    def other(self, plan):
        return inner(self, plan)

    def turned(self, requests_in_batch, *args, num_q_tokens, **kwargs):
        inner(self, requests_in_batch[::-1], *args, num_q_tokens=num_q_tokens, **kwargs)

    monkeypatch.setattr(ContinuousBatchingIOs, "prepare_batch_tensors", other if "sign" in what else turned)
    with pytest.raises(ModelError, match="works another way than its versions"):
        generate_batch(tiny_model, PROMPTS, ROWS, max_new_tokens=3)


def test_settings_for_a_cpu_hold_all_requests_and_little_more():
    made = continuous_options.batching_config(None, [100, 7, 33], torch.device("cpu"), 5)
    assert continuous_options.cache_tokens(made) == (4 + 1 + 2 + 1) * 32
    assert made.seed == 5
    many = continuous_options.batching_config(None, [100] * 10_000, torch.device("cpu"), None)
    assert continuous_options.cache_tokens(many) == 16384 + 32
    assert continuous.Continuation("a", (1,), 2, "stop").finish_reason == "stop"
