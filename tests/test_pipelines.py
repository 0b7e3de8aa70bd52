"""transformers' own pipelines around ``with model.edit(...)``: what they write is what ``generate`` writes there."""

from __future__ import annotations

import copy
import threading

import pytest

torch = pytest.importorskip("torch", reason="runs a model")
transformers = pytest.importorskip("transformers", reason="pipelines are those of transformers")

import pyvalue as pv  # noqa: E402
from pyvalue.errors import ModelError  # noqa: E402

PERSONA = "You are a woman from Norway, an engineer. Answer as honestly as you can, guided by your values."
QUESTIONS = ["Should I rest?", "Should I always follow the rules, even when nobody is watching?", "Is it a mistake?"]
CHATS = [[{"role": "system", "content": PERSONA}, {"role": "user", "content": question}] for question in QUESTIONS]
GREEDY = {"max_new_tokens": 8, "min_new_tokens": 8, "do_sample": False}


@pytest.fixture(scope="module")
def prompts(tiny_model):
    template = tiny_model.tokenizer.apply_chat_template
    return [template(chat, tokenize=False, add_generation_prompt=True) for chat in CHATS]


@pytest.fixture(scope="module")
def pipe(tiny_model):
    return transformers.pipeline(
        "text-generation", model=tiny_model.network, tokenizer=tiny_model.tokenizer, device="cpu"
    )


@pytest.fixture(params=["all", "span", "generated"])
def edits(request, tiny_sae):
    positions = pv.span("your values") if request.param == "span" else request.param
    return [
        pv.Edit(feature=3, strength=9.0, sae=tiny_sae, positions=positions),
        pv.Edit(feature=5, op="set", strength=6.0, sae=tiny_sae, positions=positions),
    ]


def written(found) -> list[str]:
    """Texts of what a pipeline returns for one prompt, or for several."""
    if isinstance(found[0], list):
        return [text for one in found for text in written(one)]
    return [one["generated_text"] for one in found]


def alone(model, prompts, **options) -> list[str]:
    """``generate`` prompt by prompt."""
    return [text for prompt in prompts for text in model.generate([prompt], **options)]


def test_prompts_lists_batches_and_chats(tiny_model, pipe, prompts, edits):
    plain = alone(tiny_model, prompts, **GREEDY)
    with tiny_model.edit(edits):
        expected = alone(tiny_model, prompts, **GREEDY)
        options = {**GREEDY, "return_full_text": False}
        assert written(pipe(prompts[0], **options)) == expected[:1]
        assert written(pipe(prompts, **options)) == expected
        assert written(pipe(prompts, batch_size=3, **options)) == expected
        assert written(pipe(prompts, batch_size=2, **options)) == expected
        assert written(pipe(CHATS[1], **options)) == expected[1:2]
        assert written(pipe(CHATS, batch_size=3, **options)) == expected
        whole = written(pipe(prompts[0], **GREEDY))[0]
    assert whole.startswith(prompts[0]) and len(whole) > len(prompts[0])
    assert expected != plain
    assert written(pipe(prompts, batch_size=3, **options)) == plain


@pytest.mark.parametrize(
    "options",
    [
        {"num_beams": 3, "do_sample": False},
        {"num_beams": 4, "num_return_sequences": 2, "do_sample": False},
        {"do_sample": True, "temperature": 0.7, "top_p": 0.9},
        {"do_sample": True, "temperature": 1.0, "num_return_sequences": 3},  # pipelines have a temperature of their own
        {"do_sample": False, "repetition_penalty": 1.3},
        {"do_sample": False, "prompt_lookup_num_tokens": 3},
        {"do_sample": False, "use_cache": False},
    ],
    ids=lambda options: "-".join(options),
)
def test_ways_of_decoding(tiny_model, pipe, prompts, edits, options):
    options = {"max_new_tokens": 8, **options}
    with tiny_model.edit(edits):
        torch.manual_seed(0)
        expected = tiny_model.generate([prompts[1]], **options)
        torch.manual_seed(0)
        assert written(pipe(prompts[1], return_full_text=False, **options)) == expected


def test_a_smaller_model_may_draft(tiny_model, pipe, prompts, edits):
    """Drafts are those of a model without edits; what counts is decided by the edited one."""
    draft = copy.deepcopy(tiny_model.network)
    with tiny_model.edit(edits):
        expected = alone(tiny_model, prompts[:1], **GREEDY)
        assert written(pipe(prompts[0], assistant_model=draft, return_full_text=False, **GREEDY)) == expected
        with pytest.raises(ModelError, match="self-speculation"):
            pipe(prompts[0], assistant_model=tiny_model.network, **GREEDY)
        assert written(pipe(prompts[0], return_full_text=False, **GREEDY)) == expected  # also after the refusal


def test_every_row_of_a_batch_its_own_edits(tiny_model, pipe, prompts, tiny_sae):
    push = pv.Edit(feature=3, strength=9.0, sae=tiny_sae)
    rows = [[push], [], [push, pv.Edit(feature=5, op="set", strength=6.0, sae=tiny_sae)]]
    options = {**GREEDY, "return_full_text": False}
    expected = []
    for row, prompt in zip(rows, prompts, strict=True):
        with tiny_model.edit(row):
            expected += tiny_model.generate([prompt], **GREEDY)
    with tiny_model.edit(rows):
        assert written(pipe(prompts, batch_size=3, **options)) == expected
    for batch_size in (1, 2):
        with pytest.raises(ValueError, match="edits has 3 rows"), tiny_model.edit(rows):
            pipe(prompts, batch_size=batch_size, **options)


@pytest.mark.filterwarnings("ignore:the edits acted on no token")
def test_features_are_the_edited_hidden_states(tiny_model, prompts, edits):
    """``feature-extraction`` gives the first output of the model that it is given: logits, or hidden states."""
    ids = tiny_model.tokenizer(prompts[0], add_special_tokens=False, return_tensors="pt")
    network = tiny_model.network
    for part in (network, network.model):
        pipe = transformers.pipeline("feature-extraction", model=part, tokenizer=tiny_model.tokenizer, device="cpu")
        plain = part(**ids)[0]
        with tiny_model.edit(edits):
            expected = part(**ids)[0]
            found = torch.tensor(pipe(prompts[0]))
            torch.testing.assert_close(found, expected)
            batch = torch.tensor(pipe([prompts[0], prompts[0]], batch_size=2)[1])
            torch.testing.assert_close(batch, expected, rtol=1e-4, atol=1e-4)
        assert torch.equal(found, plain) == (edits[0].positions == "generated")
        torch.testing.assert_close(torch.tensor(pipe(prompts[0])), plain)


def test_a_classifier_that_shares_the_layers_is_edited_too(tiny_model, prompts, tiny_sae):
    config = copy.deepcopy(tiny_model.network.config)
    config.pad_token_id = tiny_model.tokenizer.pad_token_id
    torch.manual_seed(1)
    classifier = transformers.AutoModelForSequenceClassification.from_config(config).eval()
    classifier.model = tiny_model.network.model
    pipe = transformers.pipeline("text-classification", model=classifier, tokenizer=tiny_model.tokenizer, device="cpu")

    def expected() -> list[float]:
        ids = tiny_model.tokenizer(prompts[0], return_tensors="pt")
        last = tiny_model.network.model(**ids).last_hidden_state[0, -1]
        return torch.softmax(classifier.score(last), dim=-1).tolist()

    def found(texts, **options) -> list[float]:
        scores = pipe(texts, top_k=None, **options)
        scores = scores[0] if isinstance(scores[0], list) else scores
        return [score["score"] for score in sorted(scores, key=lambda score: score["label"])]

    plain = found(prompts[0])
    with tiny_model.edit([pv.Edit(feature=3, strength=9.0, sae=tiny_sae)]):
        edited = found(prompts[0])
        assert edited == pytest.approx(expected(), abs=1e-5)
        assert found(prompts, batch_size=3) == pytest.approx(edited, abs=1e-4)
    assert edited != pytest.approx(plain, abs=1e-3)
    assert found(prompts[0]) == pytest.approx(plain, abs=1e-6)


def test_another_thread_is_refused(tiny_model, pipe, prompts, edits):
    faults: list[BaseException] = []

    def other() -> None:
        try:
            pipe(prompts[0], **GREEDY)
        except ModelError as fault:
            faults.append(fault)

    with tiny_model.edit(edits):
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
        tiny_model.generate([prompts[0]], **GREEDY)
    assert [str(fault) for fault in faults] and "one thread at a time" in str(faults[0])


def test_an_sae_of_sae_lens_goes_the_same_way(tiny_model, pipe, prompts):
    """From an object that sae-lens holds, by ``load_sae``, to a pipeline that is steered with it."""
    sae_lens = pytest.importorskip("sae_lens", reason="sae-lens is not installed: pip install 'pyvalue[sae]'")
    metadata = sae_lens.saes.sae.SAEMetadata(hook_name="blocks.1.hook_resid_post", model_name="tiny")
    torch.manual_seed(2)
    theirs = sae_lens.StandardSAE(sae_lens.StandardSAEConfig(d_in=64, d_sae=32, metadata=metadata))
    ours = pv.load_sae(theirs)
    hidden = torch.randn(5, 64)
    torch.testing.assert_close(ours.encode(hidden), theirs.encode(hidden))
    step = theirs.W_dec[7].detach() * 9.0

    def add(_module, _inputs, output):
        return (output[0] + step, *output[1:]) if isinstance(output, tuple) else output + step

    # A special token of the prompt is left alone by an edit, so the prompt has none.
    text = "Should I help a neighbour who asks for it?"
    handle = tiny_model.network.model.layers[1].register_forward_hook(add)
    expected = written(pipe(text, return_full_text=False, **GREEDY))
    handle.remove()
    with tiny_model.edit([pv.Edit(feature=7, strength=9.0, sae=ours)]):
        assert written(pipe(text, return_full_text=False, **GREEDY)) == expected
    assert written(pipe(text, return_full_text=False, **GREEDY)) != expected
