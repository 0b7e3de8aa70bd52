"""Continuous batching that is not steered, or cannot be, is an error that says what to do."""

from __future__ import annotations

import copy

import pytest

torch = pytest.importorskip("torch", reason="the hook needs torch")
transformers = pytest.importorskip("transformers", reason="the hook edits models of transformers")
if not hasattr(transformers, "ContinuousBatchingConfig"):
    pytest.skip("transformers has no continuous batching", allow_module_level=True)

from continuous_cases import (  # noqa: E402
    EARLY,
    NEW,
    OF_ALL,
    PROMPTS,
    ROWS,
    D,
    alone,
    config,
    tokens,
)

from pyvalue.errors import ModelError  # noqa: E402
from pyvalue.models import continuous, continuous_options  # noqa: E402
from pyvalue.models.continuous import generate_batch  # noqa: E402
from pyvalue.models.continuous_hook import ContinuousHook  # noqa: E402
from pyvalue.models.continuous_lists import RequestLists  # noqa: E402
from pyvalue.models.edit_site import EditSite  # noqa: E402
from pyvalue.models.edits import Edit, span  # noqa: E402
from pyvalue.models.hook import ResidualEdits  # noqa: E402
from pyvalue.models.loading import LanguageModel  # noqa: E402

# What was not steered is an error.


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
