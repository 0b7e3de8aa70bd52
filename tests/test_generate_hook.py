"""``generate`` under edits: every pass knows prompt from new tokens, whatever cache, padding or search it uses.

The oracle recomputes the whole text at every step, under lists that are given by hand.
"""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="generation needs torch")
transformers = pytest.importorskip("transformers", reason="generation is that of transformers")

from pyvalue.errors import ModelError  # noqa: E402
from pyvalue.models import generate_hook, hook  # noqa: E402
from pyvalue.models.edits import Edit, indices, span  # noqa: E402
from pyvalue.models.hook import ResidualEdits  # noqa: E402
from pyvalue.models.loading import LanguageModel  # noqa: E402
from pyvalue.models.sae import SAE  # noqa: E402
from pyvalue.models.sae_config import SAEConfig  # noqa: E402

PROMPTS = [
    "<|im_start|>user\nWhat are your values?<|im_end|>\n<|im_start|>assistant\n",
    "Yes. Guided by your values, should I follow the rules? And do your values matter?",
    "no your values",
]
D, STEPS = 32, 6
FAMILIES = {
    "llama": lambda n: transformers.LlamaConfig(
        vocab_size=n, hidden_size=D, intermediate_size=48, num_hidden_layers=3, num_attention_heads=2
    ),
    "gemma3": lambda n: transformers.Gemma3TextConfig(
        vocab_size=n, hidden_size=D, intermediate_size=48, num_hidden_layers=3, num_attention_heads=2,
        num_key_value_heads=1, head_dim=16, sliding_window=8,
        layer_types=["sliding_attention", "full_attention", "sliding_attention"],
    ),
    "gpt2": lambda n: transformers.GPT2Config(vocab_size=n, n_embd=D, n_layer=3, n_head=2, n_positions=128),
    "neox": lambda n: transformers.GPTNeoXConfig(
        vocab_size=n, hidden_size=D, intermediate_size=48, num_hidden_layers=3, num_attention_heads=2
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def models(tokenizer_of):
    made: dict[str, LanguageModel] = {}

    def make(family: str = "llama") -> LanguageModel:
        if family not in made:
            tokenizer = tokenizer_of()
            torch.manual_seed(0)
            config = FAMILIES[family](len(tokenizer))
            config.initializer_range = 0.4
            config.pad_token_id, config.bos_token_id, config.eos_token_id = 0, 1, None
            network = transformers.AutoModelForCausalLM.from_config(config).float().eval().requires_grad_(False)
            made[family] = LanguageModel(family, network, tokenizer)
        return made[family]

    return make


@pytest.fixture(scope="module")
def sae() -> SAE:
    g = torch.Generator().manual_seed(1)
    weights = [torch.randn(*shape, generator=g) for shape in [(D, 40), (40,), (40, D), (D,)]]
    return SAE(SAEConfig("standard", D, 40, "blocks.1.hook_resid_post"), *weights)


def edits_of(sae: SAE) -> list[list[Edit]]:
    """A row of edits for each prompt: of every kind of position, none, and two together."""
    return [
        [
            Edit(feature=3, op="set", strength=40, positions=span("your values"), sae=sae),
            Edit(feature=4, strength=9, positions="generated", sae=sae),
        ],
        [],
        [
            Edit(feature=5, op="min", strength=20, positions="prompt", sae=sae),
            Edit(feature=6, op="scale", strength=3, sae=sae),
            Edit(feature=7, strength=9, positions=indices(-1), sae=sae),
        ],
    ]


def encode(model: LanguageModel, prompts: list[str]) -> dict[str, torch.Tensor]:
    return dict(
        model.tokenizer(prompts, return_tensors="pt", padding=True, padding_side="left", add_special_tokens=False)
    )


def generate(model: LanguageModel, inputs: dict[str, torch.Tensor], **options) -> torch.Tensor:
    options = {"max_new_tokens": STEPS, "do_sample": False, **options}
    return model.network.generate(**inputs, **options)


def by_hand(model: LanguageModel, prompt: str, edits: list[Edit]) -> list[int]:
    """Greedy tokens, the whole text recomputed at each step, edits placed by character offsets of the prompt."""
    encoded = model.tokenizer(prompt, add_special_tokens=False, return_offsets_mapping=True)
    ids = list(encoded["input_ids"])
    special = torch.tensor([token in model.tokenizer.all_special_ids for token in ids])
    masks = []
    for edit in edits:
        mask = torch.zeros(len(ids) + STEPS, dtype=torch.bool)
        if edit.positions in ("prompt", "all"):
            mask[: len(ids)] = ~special
        if edit.positions in ("generated", "all"):
            mask[len(ids) :] = True
        if edit.positions == indices(-1):
            mask[len(ids) - 1] = True
        if edit.positions == span("your values"):
            for i, (start, end) in enumerate(encoded["offset_mapping"]):
                at = 0
                while (at := prompt.find("your values", at)) >= 0:
                    mask[i] |= start < at + len("your values") and end > at
                    at += 1
        masks.append(mask)
    with ResidualEdits(model.network, edits) as steer:
        for _ in range(STEPS):
            if edits:
                hit = torch.stack(masks)[:, : len(ids)].numpy()
                steer.use(torch.from_numpy(steer.numbers(hit)).unsqueeze(0))
            ids.append(int(model.network(torch.tensor([ids]), use_cache=False).logits[0, -1].argmax()))
    return ids[-STEPS:]


@pytest.mark.parametrize("family", FAMILIES)
def test_a_left_padded_batch_of_different_edits_equals_each_prompt_recomputed(models, sae, family):
    model, rows = models(family), edits_of(sae)
    wanted = [by_hand(model, prompt, edits) for prompt, edits in zip(PROMPTS, rows, strict=True)]
    plain = [by_hand(model, prompt, []) for prompt in PROMPTS]
    assert wanted[0] != plain[0] and wanted[1] == plain[1] and wanted[2] != plain[2]
    with model.edit(rows) as steer:
        written = generate(model, encode(model, PROMPTS))
    assert written[:, -STEPS:].tolist() == wanted
    assert steer.hits == steer.asked
    assert min(steer.hits) > 0


def test_features_of_topk_saes_and_splices_in_a_batch_equal_each_prompt_alone(models):
    """They need the whole SAE; rows that do not must not feel it."""
    model = models()
    g = torch.Generator().manual_seed(2)
    weights = [torch.randn(*shape, generator=g) for shape in [(D, 40), (40,), (40, D), (D,)]]
    topk = SAE(SAEConfig("topk", D, 40, "blocks.1.hook_resid_post", k=6), *weights)
    active = int(topk.encode(torch.randn(200, D, generator=g)).count_nonzero(dim=0).argmax())
    rows = [
        [Edit(feature=active, op="scale", strength=9, sae=topk), Edit(feature=3, op="set", strength=20, sae=topk)],
        [],
        [Edit(op="splice", strength=0.7, sae=topk), Edit(feature=5, op="max", strength=1, sae=topk)],
    ]
    with model.edit(rows) as steer:
        together = generate(model, encode(model, PROMPTS))[:, -STEPS:]
    assert min(steer.hits) > 0
    for prompt, edits, found in zip(PROMPTS, rows, together, strict=True):
        with model.edit(edits):
            assert torch.equal(generate(model, encode(model, [prompt]))[0, -STEPS:], found)
        assert torch.equal(generate(model, encode(model, [prompt]))[0, -STEPS:], found) is not bool(edits)


@pytest.mark.parametrize(
    "options",
    [{"cache_implementation": "static"}, {"prefill_chunk_size": 5}, {"use_cache": False}],
    ids=["static cache", "chunked prefill", "no cache"],
)
def test_every_way_to_run_it_gives_the_same_tokens(models, sae, options):
    model, rows, inputs = models(), edits_of(sae), None
    inputs = encode(model, PROMPTS)
    with model.edit(rows):
        wanted = generate(model, inputs)
    with model.edit(rows) as steer:
        assert torch.equal(generate(model, inputs, **options), wanted)
    assert min(steer.hits) > 0


@pytest.mark.usefixtures("fresh_compiler")
def test_compiled_decoding_steps_are_steered(models, sae):
    """transformers compiles decoding on a static cache by itself on a GPU; on a CPU it does when told to."""
    model, rows = models(), edits_of(sae)
    inputs = encode(model, PROMPTS)
    with model.edit(rows):
        wanted = generate(model, inputs)
    compiled = transformers.CompileConfig(backend="aot_eager", mode=None, fullgraph=True)
    compiled._compile_all_devices = True
    try:
        for _ in range(2):  # the second time with the code that the first one compiled
            with model.edit(rows) as steer:
                written = generate(model, inputs, cache_implementation="static", compile_config=compiled)
            assert torch.equal(written, wanted)
            assert steer.hits == steer.asked
    finally:
        if hasattr(model.network, "_compiled_call"):
            del model.network._compiled_call


def test_beams_and_several_sequences_keep_to_their_prompts(models, sae):
    model, rows = models(), edits_of(sae)
    inputs = encode(model, PROMPTS)
    for options in ({"num_beams": 3}, {"num_beams": 4, "num_return_sequences": 2}):
        with model.edit(rows):
            together = generate(model, inputs, **options)[:, -STEPS:].view(3, -1, STEPS)
        for i, prompt in enumerate(PROMPTS):
            with model.edit(rows[i]):
                alone = generate(model, encode(model, [prompt]), **options)[:, -STEPS:]
            assert torch.equal(together[i], alone)


def test_sampling_is_steered_and_unedited_rows_keep_their_logits(models, sae):
    model = models()
    inputs = encode(model, PROMPTS)

    def first_scores(edits):
        with model.edit(edits):
            torch.manual_seed(0)
            found = generate(model, inputs, do_sample=True, return_dict_in_generate=True, output_logits=True)
        return found.logits[0]

    plain, steered = first_scores([]), first_scores(edits_of(sae))
    assert torch.equal(plain[1], steered[1])
    assert not torch.equal(plain[0], steered[0])


def test_a_prompt_in_one_call_and_its_continuation_in_the_next(models, sae):
    """A cache handed on: the second call's prompt is the whole text so far."""
    model = models()
    edit = [Edit(feature=6, op="scale", strength=3, sae=sae), Edit(feature=3, strength=5, positions="prompt", sae=sae)]
    inputs = encode(model, PROMPTS[:1])
    with model.edit(edit):
        first = generate(model, inputs, return_dict_in_generate=True, use_cache=True)
        text = torch.cat([first.sequences, inputs["input_ids"][:, -3:]], dim=1)
        whole = {"input_ids": text, "attention_mask": torch.ones_like(text)}
        again = generate(model, whole, past_key_values=first.past_key_values)
        part = {"input_ids": text[:, -4:], "attention_mask": torch.ones(1, 4, dtype=torch.long)}
        with pytest.raises(ValueError, match=r"attention_mask must be \(1, 4\).*give the whole text"):
            generate(model, {**part, "attention_mask": whole["attention_mask"]}, past_key_values=first.past_key_values)
    assert again.shape == (1, text.shape[1] + STEPS)


def test_padding_without_a_mask_is_found_as_transformers_finds_it(models, sae):
    model, rows = models(), edits_of(sae)
    inputs = encode(model, PROMPTS)
    with model.edit(rows):
        wanted = generate(model, inputs)
        assert torch.equal(generate(model, {"inputs": inputs["input_ids"]}), wanted)


def test_a_span_is_found_where_the_tokens_were_put_together_from_pieces(models, sae):
    """Tokenising the whole text again gives other tokens here; the edit must reach those that are there."""
    model = models()
    pieces = ["Answer as honestly as you can, guided by yo", "ur val", "ues."]
    ids = [token for piece in pieces for token in model.tokenizer(piece, add_special_tokens=False)["input_ids"]]
    assert ids != model.tokenizer("".join(pieces), add_special_tokens=False)["input_ids"]
    edit = Edit(feature=3, strength=9, positions=span("your values"), sae=sae)
    with model.edit([edit]) as steer:
        generate(model, {"input_ids": torch.tensor([ids])})
    reached = [len(model.tokenizer.decode(ids[: i + 1])) > len(pieces[0]) - 2 for i in range(len(ids) - 1)]
    assert steer.hits == (sum(reached),)


def test_a_pipeline_is_steered(models, sae):
    model = models()
    pipe = transformers.pipeline("text-generation", model=model.network, tokenizer=model.tokenizer, device="cpu")
    call = dict(max_new_tokens=STEPS, do_sample=False, return_full_text=False, add_special_tokens=False)
    plain = pipe(PROMPTS[2], **call)
    with model.edit(edits_of(sae)[2]):
        steered = pipe(PROMPTS[2], **call)
        direct = model.generate(PROMPTS[2:], max_new_tokens=STEPS, do_sample=False)
    assert steered[0]["generated_text"] == direct[0] != plain[0]["generated_text"]
    assert pipe(PROMPTS[2], **call) == plain


def test_the_model_is_left_as_it_was_and_blocks_nest(models, sae):
    model, rows = models(), edits_of(sae)
    inputs = encode(model, PROMPTS)
    before = set(vars(model.network))
    plain = generate(model, inputs)
    with model.edit(rows[0]) as outer:
        with model.edit(rows[2]) as inner:
            generate(model, inputs)
        assert min(*outer.hits, *inner.hits) > 0
        alone = generate(model, inputs)
    with model.edit(rows[0]):
        assert torch.equal(generate(model, inputs), alone)
    assert set(vars(model.network)) == before
    assert torch.equal(generate(model, inputs), plain)


# Without our care.


def test_positions_by_column_would_miss_under_left_padding(models, sae, monkeypatch):
    model, rows = models(), edits_of(sae)
    with model.edit(rows):
        wanted = generate(model, encode(model, PROMPTS))

    def by_column(mask, seq, past):
        columns = torch.arange(mask.shape[1]).expand(mask.shape)
        return columns[:, past : past + seq], mask[:, past : past + seq].bool()

    monkeypatch.setattr(hook, "places_from_mask", by_column)
    monkeypatch.setattr(generate_hook, "places_from_mask", by_column)
    with model.edit(rows):
        assert not torch.equal(generate(model, encode(model, PROMPTS)), wanted)


@pytest.mark.usefixtures("fresh_compiler")
def test_compiled_steps_that_nobody_prepares_would_not_be_steered(models, sae, monkeypatch):
    """The Python hook before a pass does not run in compiled code."""
    model, rows = models(), edits_of(sae)
    with model.edit(rows):
        wanted = generate(model, encode(model, PROMPTS))
    compiled = transformers.CompileConfig(backend="eager", mode=None)
    compiled._compile_all_devices = True
    monkeypatch.setattr(generate_hook.GenerateHook, "_prepare", lambda self, inner, *a, **k: inner(*a, **k))
    try:
        options = {"cache_implementation": "static", "compile_config": compiled}
        # With the first pass, which is not compiled, unprepared too, it is noticed at once.
        with pytest.raises(ModelError, match="that it did not prepare"), model.edit(rows):
            generate(model, encode(model, PROMPTS), **options)
        nothing = lambda shape: torch.full(shape, -1, dtype=torch.int32)  # noqa: E731
        monkeypatch.setattr(hook.ResidualEdits, "_decide", lambda self, p: self._buffers.write(nothing(p.shape)))
        with pytest.raises(ModelError, match=r"tokens came by blocks\.1\.hook_resid_post, but"), model.edit(rows):
            assert not torch.equal(generate(model, encode(model, PROMPTS), **options), wanted)
    finally:
        if hasattr(model.network, "_compiled_call"):
            del model.network._compiled_call


@pytest.mark.parametrize(
    "inputs, kind, words",
    [
        ({"input_ids": [[1, 2]]}, TypeError, "must be a tensor of token ids, got list"),
        ({"inputs_embeds": torch.zeros(1, 2, D)}, TypeError, "needs token ids"),
        ({"input_ids": torch.ones(2, 4, dtype=torch.long)}, ValueError, "edits has 3 rows, but the batch 2 prompts"),
    ],
)
def test_what_generate_refuses_under_edits(models, sae, inputs, kind, words):
    model = models()
    with pytest.raises(kind, match=words), model.edit(edits_of(sae)):
        generate(model, inputs)


@pytest.mark.parametrize("prompts", [[], "a text"])
def test_prompts_must_be_a_sequence_of_texts(models, prompts):
    with pytest.raises(ValueError, match="prompts must be a non-empty sequence"):
        models().generate(prompts)


@pytest.mark.usefixtures("fresh_compiler")
def test_steps_that_were_compiled_before_the_edits_came_are_steered_too(models, sae):
    """torch.compile does not look at hooks again once it has compiled a module without them."""
    model, rows = models(), edits_of(sae)
    inputs = encode(model, PROMPTS)
    with model.edit(rows):
        wanted = generate(model, inputs)
    plain = generate(model, inputs)
    compiled = transformers.CompileConfig(backend="eager", mode=None)
    compiled._compile_all_devices = True
    options = {"cache_implementation": "static", "compile_config": compiled}
    try:
        for _ in range(2):
            assert torch.equal(generate(model, inputs, **options), plain)
            with model.edit(rows) as steer:
                assert torch.equal(generate(model, inputs, **options), wanted)
            assert min(steer.hits) > 0
    finally:
        del model.network._compiled_call
