"""Similarity of names by a model's own states."""

from __future__ import annotations

import numpy as np
import pytest

from pyvalue.measurement.name_similarity import name_similarity

NAMES = ["Security", "Power", "Hedonism", "Tradition"]


def test_similarity_is_the_correlation_like_cosine_of_transformers_states(tiny_model) -> None:
    torch = pytest.importorskip("torch")
    found = name_similarity(tiny_model, NAMES, layer=2)
    means = []
    for name in NAMES:
        text = "One of the values that people have is "
        whole = tiny_model.tokenizer(text + name, return_offsets_mapping=True)
        own = [i for i, (_, end) in enumerate(whole["offset_mapping"]) if end > len(text)]
        with torch.no_grad():
            out = tiny_model.network(torch.tensor([whole["input_ids"]]), output_hidden_states=True)
        means.append(out.hidden_states[2][0, own].double().mean(0))
    states = torch.stack(means) - torch.stack(means).mean(0)
    expected = torch.nn.functional.cosine_similarity(states[:, None], states[None], dim=-1)
    np.testing.assert_allclose(found.to_numpy(), expected.numpy(), atol=1e-6)
    assert list(found.index) == list(found.columns) == NAMES


def test_similarity_does_not_depend_on_the_order_of_names(tiny_model) -> None:
    one, other = name_similarity(tiny_model, NAMES), name_similarity(tiny_model, NAMES[::-1])
    np.testing.assert_allclose(one, other.loc[NAMES, NAMES], atol=1e-6)


def test_refused(tiny_model) -> None:
    with pytest.raises(TypeError, match="values: expected a list of names"):
        name_similarity(tiny_model, "Power")
    with pytest.raises(ValueError, match="values: expected at least 3 different names"):
        name_similarity(tiny_model, ["Power", "Power", "Hedonism"])
    with pytest.raises(ValueError, match="layer: expected 0 to 4, got 5"):
        name_similarity(tiny_model, NAMES, layer=5)
    with pytest.raises(TypeError, match="model: expected a LanguageModel"):
        name_similarity("smollm2", NAMES)  # type: ignore[arg-type]


@pytest.mark.model
def test_related_names_are_more_alike(smol) -> None:
    related = [("Religious", "Tradition"), ("Political", "Economic"), ("Empathy", "Understanding")]
    found = name_similarity(smol, [name for pair in related for name in pair])
    inside = np.mean([found.loc[a, b] for a, b in related])
    apart = ~np.eye(6, dtype=bool)
    for k in range(0, 6, 2):
        apart[k, k + 1] = apart[k + 1, k] = False
    assert inside > found.to_numpy()[apart].mean() + 0.1
