"""Shared-prefix batches against plain transformers: one whole prompt at a time, softmax, sum over the forms."""

from __future__ import annotations

import contextlib
import warnings

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="scoring runs a model")
transformers = pytest.importorskip("transformers", reason="scoring runs a model of transformers")

from pyvalue.errors import ModelError  # noqa: E402
from pyvalue.measurement.inventory import load_inventory  # noqa: E402
from pyvalue.measurement.personas import make_personas  # noqa: E402
from pyvalue.measurement.prompts import render_prompt  # noqa: E402
from pyvalue.measurement.scoring import score_configurations, score_prompts  # noqa: E402
from pyvalue.models.edits import Edit, span, token_positions  # noqa: E402
from pyvalue.models.hook import ResidualEdits  # noqa: E402
from pyvalue.models.loading import LanguageModel  # noqa: E402

FORMS = [[pad + word for word in words for pad in ("", " ")] for words in (("Yes", "yes", "YES"), ("No", "no", "NO"))]
QUESTIONS = ["Should I rest?", "Is it a mistake to follow your values, even when nobody is watching?", "Why?",
             "Should I always follow the rules of the people who came here before me and my friends?"]  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def _tried(tiny_model):
    """What is tried once a model has been: some tests count passes, or let them fail."""
    score_prompts(tiny_model, QUESTIONS)


def plain(model, prompts, edits=()) -> np.ndarray:
    """(prompts, 2): one prompt at a time, no cache, no padding, the edits' positions by character."""
    tokenizer, found = model.tokenizer, []
    ids_of = [tokenizer(form, add_special_tokens=False).input_ids for forms in FORMS for form in forms]
    forms = [sorted({ids[0] for ids in part if len(ids) == 1}) for part in (ids_of[:6], ids_of[6:])]
    for prompt in prompts:
        encoded = tokenizer(prompt, add_special_tokens=False, return_offsets_mapping=True)
        special = [token in set(tokenizer.all_special_ids) for token in encoded.input_ids]
        with torch.inference_mode(), ResidualEdits(model.network, edits) as steer:
            if edits:
                masks = [token_positions(prompt, encoded.offset_mapping, special, edit.positions) for edit in edits]
                steer.use(torch.from_numpy(steer.numbers(torch.stack(masks).numpy())).unsqueeze(0))
            logits = model.network(torch.tensor([encoded.input_ids]), use_cache=False).logits[0, -1]
        chances = torch.softmax(logits.double(), dim=-1)
        found.append([float(chances[ids].sum()) for ids in forms])
    return np.array(found)


def scored(model, prompts, edits=(), batch_size=None) -> np.ndarray:
    found = score_prompts(model, prompts, edits, batch_size)
    return np.stack([found.yes, found.no], axis=1)


@contextlib.contextmanager
def counted_tokens(model):
    """Tokens, padding included, that went through the model since the list was emptied, as its one entry."""
    found = []

    def count(module, args, kwargs):
        found[:] = [sum(found) + kwargs["input_ids"].numel()]

    handle = model.network.register_forward_pre_hook(count, with_kwargs=True)
    try:
        yield found
    finally:
        handle.remove()


def prompts_of(model, persona: int = 1) -> list[str]:
    who = make_personas(persona)[persona]
    return [render_prompt(model.tokenizer, who, question) for question in QUESTIONS]


@pytest.mark.parametrize("batch_size", [1, 3, 64, None])
def test_probabilities_equal_plain_forward_passes(tiny_model, batch_size):
    prompts = prompts_of(tiny_model)
    expected = plain(tiny_model, prompts)
    assert expected.std(axis=0).min() > 1e-3  # the prompts do differ
    np.testing.assert_allclose(scored(tiny_model, prompts, (), batch_size), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("batch_size", [1, 3, 64])
def test_prompts_without_a_shared_prefix(tiny_model, batch_size):
    prompts = ["Should I rest? ", "Is it a mistake?", "A", "yes " * 30]
    expected = plain(tiny_model, prompts)
    np.testing.assert_allclose(scored(tiny_model, prompts, (), batch_size), expected, rtol=0, atol=1e-5)


def test_equal_prompts_and_a_prompt_that_is_anothers_prefix(tiny_model):
    prompts = ["Should I rest", "Should I rest", "Should I rest now, or go and help the people?"]
    np.testing.assert_allclose(scored(tiny_model, prompts), plain(tiny_model, prompts), rtol=0, atol=1e-5)


@pytest.mark.parametrize("positions", ["all", *(span("your values", which) for which in (0, "all", -1))], ids=str)
@pytest.mark.parametrize("batch_size", [1, 3, 64])
def test_edits_equal_edited_plain_forward_passes(tiny_model, tiny_sae, positions, batch_size):
    prompts = prompts_of(tiny_model)  # the second question says "your values" once more
    edit = Edit(feature=3, strength=20.0, unit="relative", positions=positions, sae=tiny_sae)
    expected = plain(tiny_model, prompts, [edit])
    assert np.abs(expected - plain(tiny_model, prompts)).max() > 1e-3  # the edit does something
    np.testing.assert_allclose(scored(tiny_model, prompts, [edit], batch_size), expected, rtol=0, atol=1e-5)


def test_two_edits_with_positions_of_their_own(tiny_model, tiny_sae):
    prompts = prompts_of(tiny_model)
    edits = [
        Edit(feature=3, op="set", strength=4.0, positions="all", sae=tiny_sae),
        Edit(feature=7, strength=5.0, positions=span("your values"), sae=tiny_sae),
    ]
    np.testing.assert_allclose(scored(tiny_model, prompts, edits), plain(tiny_model, prompts, edits), rtol=0, atol=1e-5)


@pytest.mark.parametrize("batch_size", [1, 5, None])
def test_questions_in_both_orders_of_the_options(tiny_model, tiny_sae, batch_size):
    who = make_personas(1)[1]
    prompts = [
        render_prompt(tiny_model.tokenizer, who, question, order=order)
        for order in ("yes-no", "no-yes")
        for question in QUESTIONS
    ]
    for edits in ([], [Edit(feature=3, strength=0.9, unit="relative", sae=tiny_sae)]):
        found = scored(tiny_model, prompts, edits, batch_size)
        np.testing.assert_allclose(found, plain(tiny_model, prompts, edits), rtol=0, atol=1e-5)


def test_a_question_runs_once_for_both_orders(tiny_model):
    who = make_personas(1)[1]
    both = [[render_prompt(tiny_model.tokenizer, who, q, order=o) for q in QUESTIONS] for o in ("yes-no", "no-yes")]
    with counted_tokens(tiny_model) as tokens:
        scored(tiny_model, both[0], (), 1)
        one = tokens.pop()
        scored(tiny_model, [*both[0], *both[1]], (), 2)
        two = tokens.pop()
    assert two < 1.7 * one


def test_stems_without_a_common_beginning(tiny_model):
    prompts = [start + end for start in ("Should I rest?", "Is it a mistake to?", "yes yes yes") for end in ("A", "B")]
    np.testing.assert_allclose(scored(tiny_model, prompts), plain(tiny_model, prompts), rtol=0, atol=1e-5)


def test_the_model_is_left_as_it_was(tiny_model, tiny_sae):
    prompts = prompts_of(tiny_model)
    before = scored(tiny_model, prompts)
    scored(tiny_model, prompts, [Edit(feature=3, strength=9.0, sae=tiny_sae)])
    np.testing.assert_array_equal(scored(tiny_model, prompts), before)


def test_an_answer_does_not_depend_on_the_other_prompts(tiny_model):
    prompts = prompts_of(tiny_model)
    alone = np.concatenate([scored(tiny_model, [prompt]) for prompt in prompts])
    np.testing.assert_allclose(scored(tiny_model, prompts[::-1])[::-1], alone, rtol=0, atol=1e-5)


def test_a_tokenizer_without_yes_is_a_model_error(tiny_model, tokenizer_of):
    poor = tokenizer_of(sentences=["abc abd"])
    with pytest.raises(ModelError, match="no single token for 'Yes'"):
        score_prompts(LanguageModel("poor", tiny_model.network, poor), ["Should I?"])


def test_an_unknown_token_is_no_form_of_yes(tiny_model):
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    core = Tokenizer(models.WordLevel({"<unk>": 0, "Should": 1}, unk_token="<unk>"))
    core.pre_tokenizer = pre_tokenizers.Whitespace()
    words = PreTrainedTokenizerFast(tokenizer_object=core, unk_token="<unk>")
    with pytest.raises(ModelError, match="no single token"):
        score_prompts(LanguageModel("words", tiny_model.network, words), ["Should I?"])


class _Small:
    """A model whose memory runs out in passes of more than some tokens."""

    def __init__(self, model, tokens):
        self.network, self.tokens, self.failed = model.network, tokens, 0

    def __enter__(self):
        self.handle = self.network.register_forward_pre_hook(self.check, with_kwargs=True)
        return self

    def __exit__(self, *_):
        self.handle.remove()

    def check(self, module, args, kwargs):
        if kwargs["input_ids"].numel() > self.tokens:
            self.failed += 1
            raise torch.OutOfMemoryError("CUDA out of memory")


@pytest.mark.parametrize("edited", [False, True])
def test_smaller_batches_where_memory_runs_out(tiny_model, tiny_sae, edited):
    who = make_personas(1)[1]
    prompts = [render_prompt(tiny_model.tokenizer, who, f"{i} {question}") for i in range(3) for question in QUESTIONS]
    edits = [Edit(feature=3, strength=0.9, unit="relative", sae=tiny_sae)] if edited else []
    expected = scored(tiny_model, prompts, edits)
    with _Small(tiny_model, 100) as small, pytest.warns(UserWarning, match="memory runs out with a batch of") as said:
        found = scored(tiny_model, prompts, edits)
    assert small.failed and len(said) <= 2
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


def test_no_memory_for_one_prompt_is_a_model_error(tiny_model):
    prompts = prompts_of(tiny_model)
    with _Small(tiny_model, 20), pytest.raises(ModelError, match="tokens that begin all prompts"):
        score_prompts(tiny_model, prompts)
    with _Small(tiny_model, 3), pytest.raises(ModelError, match="memory runs out with one prompt of"):
        score_prompts(tiny_model, ["Should I rest?", "Is it a mistake?"])


@contextlib.contextmanager
def most_rows(network, most):
    """Memory runs out in passes of more rows; yields the rows of every pass that was tried."""
    tried = []

    def check(module, args, kwargs):
        tried.append(kwargs["input_ids"].shape[0])
        if tried[-1] > most:
            raise torch.OutOfMemoryError("CUDA out of memory")

    handle = network.register_forward_pre_hook(check, with_kwargs=True)
    try:
        yield tried
    finally:
        handle.remove()


ON_ONE_STEM = [f"Should I always follow the rules, even when nobody is watching {who}?" for who in
               ("me", "you", "him", "her", "them", "us", "it", "all the people")]  # fmt: skip


@pytest.mark.parametrize("batch_size", [1, 3])
def test_prompts_on_one_stem_stay_within_the_batch_size(tiny_model, batch_size):
    prompts = [*ON_ONE_STEM, *QUESTIONS]
    expected = plain(tiny_model, prompts)
    with most_rows(tiny_model.network, 99) as tried:
        found = scored(tiny_model, prompts, (), batch_size)
    assert max(tried) == batch_size
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("edited", [False, True])
def test_prompts_on_one_stem_are_split_where_memory_runs_out(tiny_model, tiny_sae, edited):
    edits = [Edit(feature=3, strength=0.9, unit="relative", sae=tiny_sae)]
    configurations = [(), edits] if edited else [()]
    prompts = [*ON_ONE_STEM, *QUESTIONS]
    with most_rows(tiny_model.network, 2) as tried, pytest.warns(UserWarning, match="memory runs out with a batch"):
        found = score_configurations(tiny_model, prompts, configurations)
    assert sum(rows > 2 for rows in tried) <= 4  # later batches begin small, those of later configurations too
    for one, together in zip(found, configurations, strict=True):
        expected = plain(tiny_model, prompts, together)
        np.testing.assert_allclose(np.stack([one.yes, one.no], axis=1), expected, rtol=0, atol=1e-5)


def test_a_model_in_training_mode_is_refused(tiny_model):
    tiny_model.network.train()
    try:
        with pytest.raises(ModelError, match=r"training mode.*network\.eval\(\)"):
            score_prompts(tiny_model, QUESTIONS)
        assert tiny_model.network.training  # as it was
    finally:
        tiny_model.network.eval()


def test_prompts_longer_than_the_positions_are_refused(tokenizer_of):
    tokenizer = tokenizer_of()
    config = transformers.GPT2Config(vocab_size=len(tokenizer), n_embd=32, n_layer=2, n_head=2, n_positions=64)
    model = LanguageModel("gpt2", transformers.GPT2LMHeadModel(config).eval().requires_grad_(False), tokenizer)
    tokens = len(tokenizer("Should I? " * 30).input_ids)
    with pytest.raises(ModelError, match=f"a prompt has {tokens} tokens, but the model has positions for 64"):
        score_prompts(model, ["Why?", "Should I? " * 30])


def test_half_a_character_is_a_value_error(tiny_model):
    with pytest.raises(ValueError, match="half of a character") as refused:
        score_prompts(tiny_model, ["Why?", "Should I \ud83d?"])
    assert not isinstance(refused.value, UnicodeError)


def test_a_model_that_returns_tuples_by_its_config(tokenizer_of):
    tokenizer = tokenizer_of()
    config = transformers.GPT2Config(vocab_size=len(tokenizer), n_embd=32, n_layer=2, n_head=2, initializer_range=0.3)
    model = LanguageModel("gpt2", transformers.GPT2LMHeadModel(config).eval().requires_grad_(False), tokenizer)
    expected = plain(model, QUESTIONS)
    config.return_dict = False
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_allclose(scored(model, QUESTIONS), expected, rtol=0, atol=1e-5)
    assert config.return_dict is False  # as it was


def test_edits_that_act_on_no_token_change_nothing_and_are_told_once(tiny_model, tiny_sae):
    prompts, idle = prompts_of(tiny_model), Edit(feature=3, strength=5.0, positions="generated", sae=tiny_sae)
    edit = Edit(feature=3, strength=5.0, sae=tiny_sae)
    known: set = set()
    with pytest.warns(UserWarning, match="acted on no token") as said:
        first = score_configurations(tiny_model, prompts, [(), (idle,), (edit,)], idle=known)
        score_configurations(tiny_model, prompts, [(), (idle,), (edit,)], idle=known)
    assert len(said) == 1 and known == {(idle,)}
    np.testing.assert_array_equal(first[1].yes, first[0].yes)
    assert np.abs(first[2].yes - first[0].yes).max() > 1e-3


def test_bad_arguments_are_refused(tiny_model, tiny_sae):
    with pytest.raises(ValueError, match="prompts: expected at least one"):
        score_prompts(tiny_model, [])
    with pytest.raises(ValueError, match="configurations: expected at least one"):
        score_configurations(tiny_model, ["Should I?"], [])
    with pytest.raises(ValueError, match="batch_size: expected at least 1, got -1"):
        score_prompts(tiny_model, ["Should I?"], batch_size=-1)
    with pytest.raises(ValueError, match="not in the prompt"):
        score_prompts(tiny_model, ["Should I?"], [Edit(feature=1, strength=1, positions=span("xyz"), sae=tiny_sae)])


@pytest.mark.model
@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-5), ("bfloat16", 2e-2)])
def test_the_bundled_model_equals_plain_forward_passes(smol, dtype, tolerance):
    model = smol
    if dtype == "bfloat16":
        import pyvalue as pv

        model = pv.load_model("smollm2-135m-instruct", dtype=dtype, device="cpu")
    person = make_personas(1)[1]
    prompts = [render_prompt(model.tokenizer, person, item.question) for item in load_inventory().items[::36]]
    np.testing.assert_allclose(scored(model, prompts), plain(smol, prompts), rtol=0, atol=tolerance)


@pytest.mark.model
def test_the_bundled_model_in_bfloat16_is_nearer_to_float32_than_plain_passes(smol):
    import pyvalue as pv

    model = pv.load_model("smollm2-135m-instruct", dtype="bfloat16", device="cpu")
    person = make_personas(1)[1]
    prompts = [render_prompt(model.tokenizer, person, item.question) for item in load_inventory().items[::8]]
    truth, own, found = (
        answers[:, 0] / answers.sum(axis=1)
        for answers in (scored(smol, prompts), plain(model, prompts), scored(model, prompts))
    )
    errors = [np.sqrt(np.mean((answers - truth) ** 2)) for answers in (found, own)]
    assert errors[0] < errors[1]


def test_a_sliding_window_does_not_count_padding(tokenizer_of):
    """The same answer in a batch with a longer prompt and alone, where prompts are longer than the window."""
    tokenizer = tokenizer_of()
    torch.manual_seed(0)
    config = transformers.Gemma3TextConfig(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=48, num_hidden_layers=3, num_attention_heads=2,
        num_key_value_heads=1, head_dim=16, sliding_window=8, initializer_range=0.4,
        layer_types=["sliding_attention", "full_attention", "sliding_attention"], pad_token_id=0,
    )  # fmt: skip
    network = transformers.Gemma3ForCausalLM(config).float().eval().requires_grad_(False)
    model = LanguageModel("gemma3", network, tokenizer)
    start = "Answer as honestly as you can, guided by your values. "
    long = "Should I always follow the rules, even when nobody is watching?"
    ends = ("A", "No, or yes, or no?", "B")  # on one stem, and of different length
    prompts = [
        start + "Should I?",
        start + long,
        start + "No",
        *(start + "Is it a mistake to rest? " + e for e in ends),
    ]
    together = score_prompts(model, prompts)
    for i, prompt in enumerate(prompts):
        alone = score_prompts(model, [prompt])
        np.testing.assert_allclose(together.yes[i], alone.yes[0], rtol=1e-4)
