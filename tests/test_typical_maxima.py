"""Typical maxima against hidden states as transformers returns them."""

from __future__ import annotations

from dataclasses import replace

import pytest

torch = pytest.importorskip("torch", reason="SAEs need torch")

from pyvalue.errors import ModelError  # noqa: E402
from pyvalue.models.edits import Edit  # noqa: E402
from pyvalue.models.sae import load_sae, save_max_activations  # noqa: E402
from pyvalue.steering.typical_maxima import max_activations  # noqa: E402

TEXTS = ["Should I help a neighbour who asks for it?", "<|im_start|>user\nYes or no<|im_end|>\n", "no rules"]


@pytest.mark.parametrize("hook", ["blocks.1.hook_resid_post", "blocks.2.hook_resid_pre"])
def test_the_maximum_over_ordinary_tokens(tiny_model, tiny_sae, hook):
    sae = replace(tiny_sae, config=replace(tiny_sae.config, hook_name=hook))
    wanted = torch.zeros(sae.config.d_sae)
    for text in TEXTS:
        ids = tiny_model.tokenizer(text, return_tensors="pt", add_special_tokens=False)["input_ids"]
        hidden = tiny_model.network(ids, output_hidden_states=True).hidden_states[2][0, 1:]
        ordinary = ~torch.isin(ids[0, 1:], torch.tensor(tiny_model.tokenizer.all_special_ids))
        wanted = torch.maximum(wanted, sae.encode(hidden[ordinary]).amax(dim=0))
    found = max_activations(tiny_model, sae, TEXTS)
    torch.testing.assert_close(found.max_activations, wanted, rtol=1e-2, atol=1e-2)  # kept in half precision
    assert Edit(feature=3, strength=0.5, unit="max_act", sae=found).label == "f3 add 0.5 max_act @all"


def test_what_does_not_fit_is_refused(tiny_model, tiny_sae):
    with pytest.raises(ValueError, match="texts must be a non-empty sequence"):
        max_activations(tiny_model, tiny_sae, "a text")
    with pytest.raises(ModelError, match=r"reads blocks\.1\.hook_resid_post of width 576"):
        demo = load_sae("demo")
        max_activations(tiny_model, replace(demo, config=replace(demo.config, hook_name="blocks.1.hook_resid_post"),
                                            max_activations=None), TEXTS)  # fmt: skip


def test_saved_beside_the_weights_they_are_found_again(tmp_path, tiny_model, tiny_sae):
    found = max_activations(tiny_model, tiny_sae, TEXTS)
    assert save_max_activations(tmp_path, found.max_activations).name == "max_activations.safetensors"
