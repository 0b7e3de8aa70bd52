"""Relations on graphs drawn by hand, the roles, and how edits are found and chosen."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from pyvalue.errors import ModelError
from pyvalue.graph import DiscoverySettings, ValueGraph
from pyvalue.responses import Responses, make_table
from pyvalue.steering.plan import SteeringPlan, plan, predict

#: the columns that this file fills; the others take their defaults
COLUMNS = ("model", "edit", "persona", "item", "value", "keying", "repeat", "text", "status", "p_yes", "mass", "score")


def drawn(names, directed=(), undirected=(), bidirected=(), excluded=None) -> ValueGraph:
    """A graph by its edges: ``directed`` (a, b) is a -> b; ``undirected`` may be either."""
    marks = np.zeros((len(names), len(names)), dtype=np.int8)
    for pairs, at_a, at_b in ((directed, -1, 1), (undirected, -1, -1), (bidirected, 1, 1)):
        for a, b in pairs:
            i, j = names.index(a), names.index(b)
            marks[i, j], marks[j, i] = at_a, at_b
    return ValueGraph(tuple(names), marks, DiscoverySettings(0.05, 100), excluded=excluded or {})


#    A -> B -> C,  A - D,  E -> A,  F alone
GRAPH = drawn(tuple("ABCDEF"), (("A", "B"), ("B", "C"), ("E", "A")), (("A", "D"),))


def answers(scores: dict[str, dict[str, float]], edit: str = "") -> Responses:
    rows = [
        ("m", edit, persona, value, value, 1, 0, f"{value}?", "yes", (s + 1) / 2, 1.0, s)
        for persona, of_value in scores.items()
        for value, s in of_value.items()
    ]
    return Responses(make_table(dict(zip(COLUMNS, map(list, zip(*rows, strict=True)), strict=True))))


def test_contradictory_edges_may_carry_an_effect_either_way():
    graph = drawn(tuple("ABCD"), directed=(("B", "C"),), bidirected=(("A", "B"),))
    assert predict(graph, ("A",)) == {"A": "target", "B": "possible", "C": "possible", "D": "unaffected"}


def test_a_value_left_out_of_the_graph_has_no_prediction():
    graph = drawn(tuple("AB"), directed=(("A", "B"),), excluded={"Z": "constant"})
    assert predict(graph, ("A",)) == {"A": "target", "B": "definite", "Z": "unknown"}


def test_a_graph_that_no_dag_fits_is_called_out():
    with pytest.warns(UserWarning, match="no DAG agrees with it: directed cycle A → B → C → A"):
        plan(drawn(tuple("ABC"), directed=(("A", "B"), ("B", "C"), ("C", "A"))), ["A"])


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("A", "A target, B definite, C definite, D possible, E unaffected, F unaffected"),
        ("E", "A definite, B definite, C definite, D possible, E target, F unaffected"),
        ("C", "A unaffected, B unaffected, C target, D unaffected, E unaffected, F unaffected"),
        ("BF", "A unaffected, B target, C definite, D unaffected, E unaffected, F target"),
        ("AE", "A target, B definite, C definite, D possible, E target, F unaffected"),
        ("D", "A possible, B possible, C possible, D target, E unaffected, F unaffected"),
    ],
)
def test_relations_of_a_drawn_graph(target, expected):
    found = predict(GRAPH, tuple(target))
    assert ", ".join(f"{value} {relation}" for value, relation in found.items()) == expected


def test_the_plan_keeps_signs_and_saves_as_json(tmp_path):
    made = plan(GRAPH, raise_values=["A"], lower_values=["F"])
    assert made.target == {"A": 1, "F": -1}
    assert made.values("definite", "possible") == ("B", "C", "D")
    made.save(tmp_path / "plan.json")
    assert json.loads((tmp_path / "plan.json").read_text())["predicted"] == dict(made.predicted)


def test_missing_numbers_are_null_in_json(tmp_path):
    made = SteeringPlan({"A": 1}, {"A": "target"}, roles=pd.DataFrame({"persona": ["p"], "gain": [np.nan]}))
    made.save(tmp_path / "plan.json")
    assert "NaN" not in (tmp_path / "plan.json").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "at least one value"),
        ({"raise_values": ["A"], "lower_values": ["A"]}, "A cannot be raised and lowered"),
        ({"raise_values": ["Z"]}, "Z not in the graph; it has A, B"),
    ],
)
def test_bad_targets_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        plan(GRAPH, **arguments)
    with pytest.raises(TypeError, match="write"):
        plan(GRAPH, raise_values="A")


def test_roles_are_ranked_by_the_wanted_direction():
    base = answers({"p": {"A": 0.5, "F": 0.5}, "q": {"A": 0.2, "F": -0.9}, "r": {"A": -0.1, "F": 0.4}})
    roles = plan(GRAPH, ["A"], ["F"], base=base).roles
    assert list(roles["persona"]) == ["q", "p", "r"]
    assert roles["gain"].sum() == pytest.approx(0, abs=1e-12)
    assert roles["gain"].iloc[0] == pytest.approx(((0.2 - 0.2) - (-0.9 - 0.0)) / 2)


def test_roles_need_unedited_answers_on_the_target():
    with pytest.raises(ValueError, match="no unedited answers on A"):
        plan(GRAPH, ["A"], base=answers({"p": {"B": 0.1}}))
    with pytest.raises(ValueError, match="no unedited answers"):
        plan(GRAPH, ["A"], base=answers({"p": {"A": 0.1}}, edit="up"))


def sae_at(layer: int, point: str = "resid_post", width: int = 64):
    import torch

    from pyvalue.models.sae import SAE
    from pyvalue.models.sae_config import SAEConfig

    random = torch.Generator().manual_seed(layer)
    weights = [torch.randn(*shape, generator=random) for shape in [(width, 16), (16,), (16, width), (width,)]]
    return SAE(SAEConfig("standard", width, 16, f"blocks.{layer}.hook_{point}"), *weights)


@pytest.mark.parametrize(("layer", "point"), [(0, "resid_pre"), (1, "resid_post"), (2, "resid_pre"), (3, "resid_post")])
def test_features_are_those_of_the_plain_residual(tiny_model, small_inventory, layer, point):
    import torch

    from pyvalue.measurement.personas import NO_PERSONA
    from pyvalue.measurement.prompts import render_prompt
    from pyvalue.steering.features import find_features

    sae = sae_at(layer, point)
    found = find_features(tiny_model, sae, small_inventory, count=16)
    prompt = render_prompt(tiny_model.tokenizer, NO_PERSONA, small_inventory.items[0].question)
    encoded = tiny_model.tokenizer(prompt, return_offsets_mapping=True, add_special_tokens=False)
    at = prompt.index("your values")
    wanted = [i for i, (a, b) in enumerate(encoded.offset_mapping) if a < at + len("your values") and b > at]
    seen = {}
    module = tiny_model.network.model.layers[layer]
    handle = (
        module.register_forward_pre_hook(lambda m, a: seen.update(x=a[0]))
        if point == "resid_pre"
        else module.register_forward_hook(lambda m, a, o: seen.update(x=o[0] if isinstance(o, tuple) else o))
    )
    tiny_model.network(torch.tensor([encoded.input_ids]))
    handle.remove()
    x = seen["x"].reshape(-1, 64)[wanted]
    mean = torch.relu((x - sae.b_dec) @ sae.W_enc + sae.b_enc).mean(dim=0)
    order = [i for i in mean.argsort(descending=True).tolist() if mean[i] > 0]
    assert found["feature"].tolist() == order
    np.testing.assert_allclose(found["activation"], mean[order], rtol=1e-4)


@pytest.mark.parametrize("sae", [(9, "resid_post"), (1, "resid_post", 32)])
def test_an_sae_that_does_not_fit_is_a_model_error(tiny_model, small_inventory, sae):
    from pyvalue.steering.features import find_features

    with pytest.raises(ModelError, match="4 layers of width 64"):
        find_features(tiny_model, sae_at(*sae), small_inventory)


def test_a_pilot_on_values_that_are_not_asked_is_refused(tiny_model, tiny_sae, small_inventory):
    from pyvalue.measurement.personas import make_personas

    with pytest.raises(ValueError, match="inventory: has no items on A"):
        plan(GRAPH, ["A"], model=tiny_model, sae=tiny_sae, inventory=small_inventory, personas=make_personas(1))
    with pytest.raises(ValueError, match="the pilot"):
        plan(GRAPH, ["A"], model=tiny_model, sae=tiny_sae)
