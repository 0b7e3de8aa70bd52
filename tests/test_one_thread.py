"""Threads that ask one model take turns: none reads what a pass of another left out."""

from __future__ import annotations

import threading

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="runs a model")
pytest.importorskip("transformers", reason="runs a model of transformers")

from test_shared_layers import push  # noqa: E402

from pyvalue.errors import ModelError  # noqa: E402
from pyvalue.measurement.scoring import score_configurations, score_prompts  # noqa: E402
from pyvalue.models.hook_points import decoder_layers  # noqa: E402
from pyvalue.models.next_token import next_token_chances  # noqa: E402
from pyvalue.models.one_thread import alone_with  # noqa: E402
from pyvalue.models.row_generation import GenerationRow, Sampling, write_rows  # noqa: E402
from pyvalue.models.shared_layers import kept, resumed  # noqa: E402

PROMPTS = ["Should I rest?", "Should I help a neighbour who asks for it?", "Is it a mistake to follow the rules?"]
EDITS = [(push("1.hook_resid_post", width=64),), (push("2.hook_resid_pre", width=64, seed=1),)]


def other_asks(model, how):
    """What a thread gets that begins to ask in the first pass of a run under edits, when upper layers are idle."""
    got: list = []
    thread = threading.Thread(target=lambda: got.append(how(model)))

    def begin(*_):
        if not thread.ident:
            thread.start()
            thread.join(0.3)

    score_configurations(model, PROMPTS, EDITS)  # what is tried once a model has been
    handle = decoder_layers(model.network)[0].mlp.register_forward_pre_hook(begin)
    try:
        found = score_configurations(model, PROMPTS, EDITS)
    finally:
        handle.remove()
    thread.join()
    return got[0], found


def written(model):
    rows = [GenerationRow(tuple(model.tokenizer(prompt).input_ids)) for prompt in PROMPTS]
    found = write_rows(model, rows, Sampling(4, 0.0, 1.0), batch_size=1)
    return np.array([one.log_probability for _, batch in found for one in batch])


@pytest.mark.parametrize(
    "how",
    [
        lambda model: score_prompts(model, PROMPTS).yes,
        lambda model: next_token_chances(model, PROMPTS, [[3], [4, 5]]),
        written,
    ],
    ids=["score", "next token", "write"],
)
def test_another_thread_waits_its_turn(tiny_model, how):
    expected, alone = how(tiny_model), score_configurations(tiny_model, PROMPTS, EDITS)
    got, found = other_asks(tiny_model, how)
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-7)
    for one, other in zip(found, alone, strict=True):
        np.testing.assert_array_equal(one.yes, other.yes)


def test_two_threads_get_what_one_gets(tiny_model):
    expected = score_prompts(tiny_model, PROMPTS).yes
    edited = [found.yes for found in score_configurations(tiny_model, PROMPTS, EDITS)]
    off: list = []

    def ask(configurations, of):
        for _ in range(15):
            found = score_configurations(tiny_model, PROMPTS, configurations)
            off.append(max(float(np.abs(one.yes - other).max()) for one, other in zip(found, of, strict=True)))

    threads = [threading.Thread(target=ask, args=args) for args in ((EDITS, edited), ([()], [expected]))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(off) == 30 and max(off) < 1e-6


def test_a_plain_pass_of_another_thread_meets_no_idle_layers(tiny_model):
    network, ids = tiny_model.network, torch.tensor([[3, 4, 5]])
    refused: list = []

    def run():
        try:
            network(ids)
        except ModelError as error:
            refused.append(str(error))

    with kept(network, [2], stop=True) as found:
        network(ids)
        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
    with resumed(network, 2, found[2]):
        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
    assert len(refused) == 2 and all("one thread at a time" in text for text in refused)


def test_blocks_of_one_thread_nest_and_training_is_refused(tiny_model):
    with alone_with(tiny_model.network), alone_with(tiny_model.network):
        pass
    tiny_model.network.train()
    try:
        for how in (written, lambda model: next_token_chances(model, PROMPTS, [[3]])):
            with pytest.raises(ModelError, match="training mode"):
                how(tiny_model)
    finally:
        tiny_model.network.eval()
    assert len(written(tiny_model)) == 3  # and nobody waits for ever


def test_bad_settings_are_refused(tiny_model):
    rows = [GenerationRow((3, 4))]
    for size in (0, -1):
        with pytest.raises(ValueError, match=f"batch_size: expected at least 1, got {size}"):
            list(write_rows(tiny_model, rows, Sampling(2, 0.0, 1.0), batch_size=size))
        with pytest.raises(ValueError, match=f"batch_size: expected at least 1, got {size}"):
            next_token_chances(tiny_model, PROMPTS, [[3]], batch_size=size)
    with pytest.raises(ValueError, match="half of a character"):
        next_token_chances(tiny_model, ["\ud83d"], [[3]])
    with pytest.raises(ModelError, match="positions for 1024"):
        next_token_chances(tiny_model, ["Should I? " * 1000], [[3]])
