"""What models share of their prompts: answers equal plain passes in families that cannot go on from any beginning."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="runs a model")
transformers = pytest.importorskip("transformers", reason="runs a model of transformers")

from model_families import UNUSUAL, family_model  # noqa: E402
from test_perplexity import by_loss  # noqa: E402
from test_scoring import counted_tokens, most_rows, plain  # noqa: E402

from pyvalue.errors import ModelError  # noqa: E402
from pyvalue.measurement.perplexity import question_perplexity  # noqa: E402
from pyvalue.measurement.scoring import score_configurations, score_prompts  # noqa: E402
from pyvalue.measurement.shared_tokens import tokenise  # noqa: E402
from pyvalue.measurement.sharing import take_apart  # noqa: E402
from pyvalue.models.edits import Direction, Edit, span  # noqa: E402
from pyvalue.models.loading import LanguageModel  # noqa: E402

START = (
    "<|im_start|>system\nYou are a woman from Norway, an engineer, guided by your values.<|im_end|>\n<|im_start|>user\n"
)
ORDERS = (" Answer with yes or no.", " Answer with no or yes, please.")
QUESTIONS = ["Should I rest?", "Is it a mistake to spend an evening on pleasure alone, even when nobody is watching?",
             "Should I always follow the rules?"]  # fmt: skip
PROMPTS = [START + question + order for question in QUESTIONS for order in ORDERS]
# Too short for windows and chunks of 16 tokens.
SHORT = ["Should I rest?", "Should I rest? Why", "Should I help?", "Should I"]
SHARES_NOTHING = {"mpt", "lfm2", "qwen3_next", "granite_hybrid", "mamba", "falcon_h1", "minimax"}
# Their layers are not where edits look for them.
NOT_EDITED = {"mpt", "mamba"}

pytestmark = pytest.mark.filterwarnings("ignore:.*is asked without shared beginnings")


@pytest.fixture(scope="module")
def unusual(tokenizer_of):
    known = {}

    def of(name):
        if name not in known:
            known[name] = family_model(name, tokenizer_of())
        return known[name]

    return of


def p_yes(chances):
    return chances[:, 0] / chances.sum(axis=1)


def asked(model, prompts, edits=()):
    found = score_prompts(model, prompts, edits)
    return np.stack([found.yes, found.no], axis=1)


@pytest.mark.parametrize("prompts", [PROMPTS, SHORT], ids=["long", "short"])
@pytest.mark.parametrize("name", UNUSUAL)
def test_answers_equal_plain_passes(unusual, name, prompts):
    model = unusual(name)
    expected = plain(model, prompts)
    assert np.ptp(p_yes(expected)) > 1e-3  # the prompts do differ
    np.testing.assert_allclose(p_yes(asked(model, prompts)), p_yes(expected), rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", UNUSUAL)
def test_edited_answers_equal_plain_passes_or_are_refused(unusual, name):
    model = unusual(name)
    vector = torch.randn(32, generator=torch.Generator().manual_seed(1))
    edits = [
        Edit(op="direction", strength=0.7, unit="relative", positions=positions, direction=Direction(vector, place))
        for place, positions in (("blocks.1.hook_resid_post", "all"), ("blocks.2.hook_resid_pre", span("your values")))
    ]
    if name in NOT_EDITED:
        with pytest.raises(ModelError, match="keeps its decoder layers at no known place"):
            score_prompts(model, PROMPTS, edits)
        return
    configurations = [(), (edits[0],), (edits[1],)]
    for edits, found in zip(configurations, score_configurations(model, PROMPTS, configurations), strict=True):
        chances = np.stack([found.yes, found.no], axis=1)
        np.testing.assert_allclose(p_yes(chances), p_yes(plain(model, PROMPTS, edits)), rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", ["gpt_neo", "llama4", "mpt", "lfm2", "falcon_h1"])
def test_perplexities_equal_the_loss(unusual, name):
    model = unusual(name)
    places = [(len(START), len(prompt)) for prompt in PROMPTS]
    found = question_perplexity(model, PROMPTS, places)
    np.testing.assert_allclose(found, by_loss(model, PROMPTS, places), rtol=1e-4)


@pytest.mark.parametrize("name", UNUSUAL)
def test_who_shares_nothing_is_told_once(tokenizer_of, name):
    model = family_model(name, tokenizer_of())
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        for prompts in (PROMPTS, SHORT, PROMPTS):
            score_prompts(model, prompts)
    said = [str(one.message) for one in said if "shared beginnings" in str(one.message)]
    assert len(said) == (name in SHARES_NOTHING)
    whole = sum(len(model.tokenizer(prompt).input_ids) for prompt in PROMPTS)
    with counted_tokens(model) as ran:
        score_prompts(model, PROMPTS)
    assert (ran[0] == whole) == (name in SHARES_NOTHING)
    assert ran[0] <= whole


def test_nothing_is_padded_beyond_a_window(unusual):
    for name, settings in (
        ("mistral", "sliding_window"),
        ("gpt_neo", "window_size"),
        ("llama4", "attention_chunk_size"),
    ):
        model = unusual(name)
        assert getattr(model.network.config, settings) == 16
        assert not take_apart(model, tokenise(model.tokenizer, PROMPTS, [])).padding


def test_layers_with_windows_are_counted_by_no_tokens(tokenizer_of):
    tokenizer = tokenizer_of()
    config = transformers.Qwen2Config(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=48, num_hidden_layers=4, num_attention_heads=2,
        num_key_value_heads=1, max_window_layers=4, pad_token_id=0,
    )  # fmt: skip
    network = transformers.Qwen2ForCausalLM(config).float().eval().requires_grad_(False)
    shared = take_apart(LanguageModel("qwen2", network, tokenizer), tokenise(tokenizer, PROMPTS, []))
    assert shared.padding and len(shared.beginning)


@pytest.mark.model
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_rounding_is_no_reason_to_share_nothing(dtype):
    import pyvalue as pv

    model = pv.load_model("smollm2-135m-instruct", dtype=dtype, device="cpu")
    assert len(take_apart(model, tokenise(model.tokenizer, PROMPTS, [])).beginning)


def test_padding_that_counts_is_seen_in_half_precision_too(tokenizer_of):
    model = family_model("mpt", tokenizer_of())
    half = LanguageModel("half", model.network.bfloat16(), model.tokenizer)
    assert not len(take_apart(half, tokenise(model.tokenizer, PROMPTS, [])).beginning)


def test_without_memory_to_try_it_prompts_run_whole_for_now(tokenizer_of):
    model = family_model("bloom", tokenizer_of())
    with most_rows(model.network, 2), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="memory runs out with a batch")
        warnings.filterwarnings("error", message=".*shared beginnings")
        found = asked(model, PROMPTS)
    np.testing.assert_allclose(found, plain(model, PROMPTS), rtol=0, atol=1e-5)
    assert len(take_apart(model, tokenise(model.tokenizer, PROMPTS, [])).beginning)
