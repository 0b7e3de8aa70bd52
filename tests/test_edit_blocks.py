"""What a block of edits must notice or survive: failures, foreign caches, odd masks, threads, compiled code, exits in
any order. In each of these, a pass that nobody understood could go on unsteered."""

from __future__ import annotations

import threading

import pytest

torch = pytest.importorskip("torch", reason="edits need torch")
transformers = pytest.importorskip("transformers", reason="edits are of models of transformers")

from pyvalue.errors import ModelError  # noqa: E402
from pyvalue.measurement.scoring import score_prompts  # noqa: E402
from pyvalue.models.edits import Edit, indices, span  # noqa: E402
from pyvalue.models.hook_points import decoder_layers  # noqa: E402
from pyvalue.models.placement import prompt_text  # noqa: E402

IDS = torch.tensor([[5, 6, 7, 8], [9, 10, 11, 12]])


@pytest.fixture
def edits(tiny_sae):
    return [Edit(feature=3, strength=8, sae=tiny_sae), Edit(feature=4, strength=8, positions="generated", sae=tiny_sae)]


def logits(model, **arguments) -> torch.Tensor:
    return model.network(**({"input_ids": IDS} | arguments)).logits


def test_scoring_inside_of_a_block_is_refused_since_its_prefix_would_pass_for_a_prompt(tiny_model, edits):
    with pytest.raises(ModelError, match=r"pass the edits as an argument instead"), tiny_model.edit(edits):
        score_prompts(tiny_model, ["Should I?", "Should we?"])


def test_self_speculation_is_refused(tiny_model, edits, monkeypatch):
    # transformers shortens the model for its drafts, and leaves it short when they fail.
    monkeypatch.setattr(tiny_model.network.config, "num_hidden_layers", tiny_model.network.config.num_hidden_layers)
    for options in ({"assistant_early_exit": 2}, {"assistant_model": tiny_model.network}):
        with pytest.raises(ModelError, match="within generate of the same model"), tiny_model.edit(edits):
            tiny_model.network.generate(IDS[:1], max_new_tokens=4, do_sample=False, **options)


def test_guidance_is_refused(tiny_model, edits):
    with pytest.raises(ModelError, match="as guidance_scale does"), tiny_model.edit(edits):
        tiny_model.network.generate(IDS, max_new_tokens=4, do_sample=False, guidance_scale=1.5)


@pytest.mark.usefixtures("fresh_compiler")
def test_compiled_steps_that_nobody_announced_are_noticed_and_those_announced_are_steered(tiny_model, edits):
    network = tiny_model.network

    def steps(forward, steer):
        past = forward(input_ids=IDS, use_cache=True).past_key_values
        for step in range(3):
            if steer is not None:
                steer.assign(torch.full((2, 1), 4 + step), torch.ones(2, 1, dtype=torch.bool))
            last = forward(input_ids=IDS[:, :1], past_key_values=past).logits
        return last

    with tiny_model.edit(edits) as steer:
        wanted = steps(network, None)
        expected = steer.hits
    compiled = torch.compile(network, backend="eager")
    with tiny_model.edit(edits) as steer:
        steer.place(IDS)
        torch.testing.assert_close(steps(compiled, steer), wanted)
        steer.check()
        assert steer.hits == expected
    with pytest.raises(ModelError, match=r"acted on|tokens came by"), tiny_model.edit(edits) as steer:
        steer.place(IDS)
        steps(compiled, None)


# Caches.


def test_caches_from_elsewhere_are_refused(tiny_model, edits):
    network = tiny_model.network
    before = network(IDS, use_cache=True).past_key_values
    whole = torch.cat([IDS, IDS[:, :1]], dim=1)
    with pytest.raises(ModelError, match="filled outside of this block"), tiny_model.edit(edits):
        network.generate(whole, past_key_values=before, max_new_tokens=3, do_sample=False)
    with pytest.raises(ModelError, match="for other prompts than those"), tiny_model.edit(edits):
        first = network(IDS, use_cache=True).past_key_values
        network(IDS.flip(0), use_cache=True)
        network(IDS[:, :1], past_key_values=first)


def test_a_cache_of_an_earlier_block_is_refused(tiny_model, edits):
    """Also where the same edits are entered again, or an object of the block comes to lie where an earlier one lay."""
    from pyvalue.models.hook import ResidualEdits

    again = ResidualEdits(tiny_model.network, edits, tiny_model.tokenizer)
    with again:
        past = tiny_model.network(IDS, use_cache=True).past_key_values
    whole = torch.cat([IDS, IDS[:, :1]], dim=1)
    with pytest.raises(ModelError, match="filled outside of this block"), again:
        tiny_model.network.generate(whole, past_key_values=past, max_new_tokens=3, do_sample=False)
    for _ in range(20):
        with tiny_model.edit(edits):
            past = tiny_model.network(IDS, use_cache=True).past_key_values
        with pytest.raises(ModelError, match="filled outside of this block"), tiny_model.edit(edits):
            tiny_model.network(IDS[:, :1], past_key_values=past)


def test_a_copy_of_a_cache_goes_on(tiny_model, edits):
    import copy

    with tiny_model.edit(edits):
        past = tiny_model.network(IDS, use_cache=True).past_key_values
        other = copy.deepcopy(past)
        found = [logits(tiny_model, input_ids=IDS[:, :1], past_key_values=cache) for cache in (past, other)]
    assert torch.equal(*found)


# Masks.


def test_a_mask_of_the_whole_static_cache_is_read_at_its_own_columns(tiny_model, tiny_sae):
    edit = [Edit(feature=3, strength=8, positions=indices(0), sae=tiny_sae)]
    long = torch.cat([torch.ones_like(IDS), torch.zeros(2, 12, dtype=torch.long)], dim=1)
    cache = transformers.StaticCache(config=tiny_model.network.config, max_cache_len=16)
    with tiny_model.edit(edit) as steer:
        logits(tiny_model, attention_mask=long, past_key_values=cache)
        assert steer.hits == (2,)


def test_odd_masks_are_refused(tiny_model, edits):
    with pytest.raises(ModelError, match="attention_mask has 4 dimensions"), tiny_model.edit(edits):
        logits(tiny_model, attention_mask=torch.zeros(2, 1, 4, 4))
    with pytest.raises(ValueError, match=r"attention_mask must be \(2, 5\)"), tiny_model.edit(edits):
        past = tiny_model.network(IDS, use_cache=True).past_key_values
        logits(tiny_model, input_ids=IDS[:, :1], attention_mask=torch.ones(2, 1), past_key_values=past)
    with pytest.raises(ModelError, match="packs the tokens"), tiny_model.edit(edits):
        logits(tiny_model, position_ids=torch.tensor([[0, 1, 0, 1]] * 2))


def test_a_mask_given_by_position_counts(tiny_model, tiny_sae):
    edit = [Edit(feature=3, strength=8, positions=indices(0), sae=tiny_sae)]
    mask = torch.tensor([[0, 0, 1, 1], [1, 1, 1, 1]])
    with tiny_model.edit(edit):
        wanted = tiny_model.network.base_model(input_ids=IDS, attention_mask=mask).last_hidden_state
        assert torch.equal(tiny_model.network.base_model(IDS, mask).last_hidden_state, wanted)


# What came before.


def test_lists_and_prompts_given_for_one_thing_are_not_used_for_another(tiny_model, tiny_sae, edits):
    with tiny_model.edit(edits[:1]):
        wanted = logits(tiny_model, input_ids=IDS.flip(0))
    with tiny_model.edit(edits[:1]) as steer:
        steer.place(IDS)
        assert torch.equal(logits(tiny_model, input_ids=IDS.flip(0)), wanted)
        steer.use(torch.full((2, 4), -1, dtype=torch.int32))
        steer.choose(edits[:1])
        assert torch.equal(logits(tiny_model, input_ids=IDS.flip(0)), wanted)


def test_a_pass_that_fails_and_is_tried_again_raises_no_false_alarm(tiny_model, edits):
    layer = decoder_layers(tiny_model.network)[2]
    with tiny_model.edit(edits) as steer:
        wanted = logits(tiny_model)
        handle = layer.register_forward_pre_hook(lambda *_: (_ for _ in ()).throw(MemoryError()))
        with pytest.raises(MemoryError):
            logits(tiny_model)
        handle.remove()
        steer.place(IDS)
        assert torch.equal(logits(tiny_model), wanted)
        assert steer.hits == (8, 0)


def test_inference_mode_may_come_and_go(tiny_model, tiny_sae):
    edits = [Edit(op="splice", strength=0.5, sae=tiny_sae), Edit(feature=3, op="set", strength=2, sae=tiny_sae)]
    with tiny_model.edit(edits) as steer:
        with torch.inference_mode():
            logits(tiny_model)
        logits(tiny_model, input_ids=IDS.repeat(1, 3))
        assert steer.hits == (32, 32)
    embeds = torch.zeros(2, 4, 64, requires_grad=True)
    with tiny_model.edit(edits):
        handle = tiny_model.network.get_input_embeddings().register_forward_hook(lambda *_: embeds * 1)
        logits(tiny_model).sum().backward()
        handle.remove()
    assert bool(embeds.grad.any())


# Threads and exits.


def test_another_thread_is_refused(tiny_model, edits):
    caught: list[str] = []

    def other() -> None:
        for work in (lambda: logits(tiny_model), lambda: tiny_model.edit(edits).__enter__()):
            try:
                work()
            except ModelError as error:
                caught.append(str(error))

    with tiny_model.edit(edits):
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
        logits(tiny_model)
    assert len(caught) == 2 and all("one thread at a time" in text for text in caught)


def test_blocks_may_end_in_any_order(tiny_model, edits):
    plain, kind, before = logits(tiny_model), type(decoder_layers(tiny_model.network)[1]), set(vars(tiny_model.network))
    first, second = tiny_model.edit(edits[:1]), tiny_model.edit(edits)
    first.__enter__()
    second.__enter__()
    logits(tiny_model)
    first.__exit__(None, None, None)
    with tiny_model.edit(edits):
        both = logits(tiny_model)
    assert not torch.equal(both, logits(tiny_model))
    second.__exit__(None, None, None)
    assert torch.equal(logits(tiny_model), plain)
    assert type(decoder_layers(tiny_model.network)[1]) is kind
    assert set(vars(tiny_model.network)) == before


def test_an_entry_that_fails_halfway_leaves_nothing_behind(tiny_model, tiny_sae, monkeypatch):
    from dataclasses import replace

    from pyvalue.models.edit_site import EditSite

    late = replace(tiny_sae, config=replace(tiny_sae.config, hook_name="blocks.2.hook_resid_post"))
    enter = EditSite.enter

    def fails(self, change):
        if self.place[0] == 2:
            raise KeyboardInterrupt
        enter(self, change)

    plain, before = logits(tiny_model), set(vars(tiny_model.network))
    monkeypatch.setattr(EditSite, "enter", fails)
    both = [Edit(feature=3, strength=8, sae=sae) for sae in (tiny_sae, late)]
    with pytest.raises(KeyboardInterrupt), tiny_model.edit(both):
        pass
    assert torch.equal(logits(tiny_model), plain)
    assert set(vars(tiny_model.network)) == before


@pytest.mark.usefixtures("fresh_compiler")
def test_a_compiled_model_is_edited_itself(tiny_model, edits):
    from pyvalue.models.hook import ResidualEdits

    before = set(vars(tiny_model.network))
    with tiny_model.edit(edits):
        wanted = logits(tiny_model)
    with ResidualEdits(torch.compile(tiny_model.network, backend="eager"), edits):
        assert torch.equal(logits(tiny_model), wanted)
    assert set(vars(tiny_model.network)) == before


# Tokens.


def test_marks_without_a_role_are_special_too(tokenizer_of, tiny_model, tiny_sae):
    tokenizer = tokenizer_of()
    tokenizer.add_tokens([transformers.AddedToken("<|header|>", special=True)])
    number = tokenizer.convert_tokens_to_ids("<|header|>")
    assert number not in tokenizer.all_special_ids
    from pyvalue.models.positions import special_tokens

    assert special_tokens(torch.tensor([5, number]), tokenizer).tolist() == [False, True]


def test_a_byte_of_a_character_belongs_to_it():
    """A tokenizer that falls back to bytes, and ids that tokenising again does not give."""
    from tokenizers import Tokenizer, decoders, models

    vocabulary = {"<unk>": 0, "c": 1, "a": 2, "t": 3, " ": 4} | {f"<0x{b:02X}>": 5 + b for b in range(256)}
    core = Tokenizer(models.BPE(vocab=vocabulary, merges=[], byte_fallback=True, unk_token="<unk>"))
    core.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Fuse()])
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=core)
    emoji = [5 + b for b in "\N{GRINNING FACE}".encode()]
    ids = [*emoji, 4, 1, 2, 5 + ord("t")]
    text, offsets = prompt_text(ids, tokenizer)
    assert text == "\N{GRINNING FACE} cat"
    assert offsets == [(0, 1)] * 4 + [(1, 2), (2, 3), (3, 4), (4, 5)]


def test_a_model_without_a_padding_token_generates(tiny_model, tokenizer_of):
    from dataclasses import replace

    prompts = ["Yes", "Should I help a neighbour?"]
    wanted = tiny_model.generate(prompts, max_new_tokens=3, do_sample=False)
    tokenizer = tokenizer_of()
    tokenizer.pad_token = None
    assert replace(tiny_model, tokenizer=tokenizer).generate(prompts, max_new_tokens=3, do_sample=False) == wanted
    with pytest.raises(ValueError, match="non-empty texts"):
        tiny_model.generate(["Yes", ""])
    with pytest.raises(ValueError, match="return_dict_in_generate"):
        tiny_model.generate(prompts, return_dict_in_generate=True)


def test_a_span_that_is_missing_names_its_prompt(tiny_model, tiny_sae):
    edit = Edit(feature=3, strength=8, positions=span("rules"), sae=tiny_sae)
    with pytest.raises(ValueError, match="prompt 1: the span 'rules' is not in the prompt"), tiny_model.edit([edit]):
        tiny_model.generate(["follow the rules", "nobody"], max_new_tokens=3)
