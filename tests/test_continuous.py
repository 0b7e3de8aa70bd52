"""Steered continuous batching against the same prompts run alone through transformers' plain ``generate``.

Every trap of continuous batching is shown to be one: without our care the outputs differ.
"""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="the hook needs torch")
transformers = pytest.importorskip("transformers", reason="the hook edits models of transformers")
if not hasattr(transformers, "ContinuousBatchingConfig"):
    pytest.skip("transformers has no continuous batching", allow_module_level=True)

from continuous_cases import (  # noqa: E402
    EARLY,
    LONG,
    NEW,
    PROMPTS,
    ROWS,
    D,
    Spy,
    alone,
    config,
    expected,
    place_of,
    tokens,
)

from pyvalue.models.continuous import generate_batch  # noqa: E402
from pyvalue.models.continuous_hook import ContinuousHook  # noqa: E402
from pyvalue.models.continuous_lists import RequestLists  # noqa: E402
from pyvalue.models.direction import Direction  # noqa: E402
from pyvalue.models.edits import Edit, span  # noqa: E402
from pyvalue.models.hook import ResidualEdits  # noqa: E402
from pyvalue.models.loading import LanguageModel  # noqa: E402
from pyvalue.models.sae import SAE  # noqa: E402
from pyvalue.models.sae_config import SAEConfig  # noqa: E402


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


def test_directions_splices_and_ranked_features(tiny_model):
    g = torch.Generator().manual_seed(5)
    direction = Direction(torch.randn(D, generator=g), "blocks.2.hook_resid_post")
    topk = SAE(
        SAEConfig("topk", D, 63, "blocks.1.hook_resid_post", k=4), EARLY.W_enc, EARLY.b_enc, EARLY.W_dec, EARLY.b_dec
    )
    rows = [
        [Edit(op="direction", strength=0.5, unit="relative", direction=direction)],
        [Edit(op="splice", sae=EARLY)],
        [Edit(feature=feature, op="scale", strength=5, sae=topk) for feature in range(20)],
        [],
    ]
    found = generate_batch(tiny_model, PROMPTS[:4], rows, max_new_tokens=NEW, batching=config())
    assert tokens(found) == expected(tiny_model, PROMPTS[:4], rows)
    plain = expected(tiny_model, PROMPTS[:4], [[]] * 4)
    assert [a == b for a, b in zip(tokens(found), plain, strict=True)] == [False, False, False, True]


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


# Requests are packed, and padded.


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


# Prompts are cut into chunks.


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


# Requests are evicted, and come back with their generated tokens in the prompt.


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


# Requests are forked.


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


# Sampling.


def test_samples_follow_the_seed_and_the_edits(tiny_model):
    def sample(**options):
        return tokens(generate_batch(tiny_model, PROMPTS, ROWS, max_new_tokens=NEW, do_sample=True, **options))

    assert sample(top_k=1) == expected(tiny_model)
    assert sample(seed=3, temperature=2.0) == sample(seed=3, temperature=2.0)
    assert sample(seed=3, temperature=2.0) != sample(seed=4, temperature=2.0)
