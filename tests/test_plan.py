"""Relations on graphs drawn by hand, the roles, and how edits are found and chosen."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from pyvalue.effects.total_effects import estimate_effects
from pyvalue.errors import ModelError
from pyvalue.graph import DiscoverySettings, ValueGraph
from pyvalue.responses import Responses, make_table
from pyvalue.steering.plan import SteeringPlan, plan, predict
from pyvalue.steering.plan_leakage import expected_leakage
from pyvalue.steering.roles import rank_roles

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
        ({"raise_values": ["A"], "keep": ["B", "A"]}, "keep: A cannot be steered and kept"),
        ({"raise_values": ["A"], "keep": ["Q"]}, "keep: Q not among the values, which are A, B"),
        ({"raise_values": ["A"], "amount": -0.1}, "amount: expected a change of the score above 0"),
        ({"raise_values": ["A"], "reach": float("nan")}, "reach: expected a change of the score above 0"),
        ({"raise_values": ["A"], "finalists": 0}, "finalists: expected a whole number of at least 1, got 0"),
        ({"raise_values": ["A"], "side_items": True}, "side_items: expected a whole number"),
        ({"raise_values": ["A"], "candidates": 0}, "candidates: expected a whole number of at least 1, got 0"),
        ({"raise_values": ["A"], "seed": -1}, "seed: expected a whole number of at least 0, got -1"),
        ({"raise_values": ["A"], "strengths": (0.5, 0.0)}, "strengths: expected at least one finite number"),
        ({"raise_values": ["A"], "strengths": ()}, "strengths: expected at least one finite number"),
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
    with pytest.raises(TypeError, match="keep: expected a sequence"):
        plan(GRAPH, raise_values=["A"], keep="B")
    with pytest.raises(TypeError, match="amount: expected a number or None, got 'a'"):
        plan(GRAPH, raise_values=["A"], amount="a")
    with pytest.raises(TypeError, match=r"strengths: expected a sequence of numbers, got 0\.8"):
        plan(GRAPH, raise_values=["A"], strengths=0.8)
    for other in (None, np.eye(3)):
        with pytest.raises(TypeError, match="graph: expected a ValueGraph, a graph of networkx"):
            plan(other, raise_values=["A"])


def test_a_networkx_graph_is_a_graph():
    import networkx as nx

    made = plan(nx.DiGraph([("A", "B"), ("C", "D"), ("D", "C"), ("B", "C")]), ["A"])
    assert made.predicted == plan(drawn(tuple("ABCD"), (("A", "B"), ("B", "C")), (("C", "D"),)), ["A"]).predicted


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


#    A -> C <- B,  C -> D: a CPDAG whose arrows are all compelled;  E — F beside it
COMPELLED = drawn(tuple("ABCDEF"), (("A", "C"), ("B", "C"), ("C", "D")), (("E", "F"),))


def rows_of(seed: int, people: int = 300, hold: dict[str, float] | None = None) -> pd.DataFrame:
    """Scores by a linear model with the edges of ``COMPELLED``; ``hold`` adds to values whatever their causes do."""
    random, hold = np.random.default_rng(seed), hold or {}
    noise = dict(zip("ABCDEF", random.normal(0, 0.2, (6, people)), strict=True))
    at = {name: noise[name] + hold.get(name, 0.0) for name in "ABE"}
    at["C"] = 0.7 * at["A"] - 0.5 * at["B"] + noise["C"] + hold.get("C", 0.0)
    at["D"] = 0.6 * at["C"] + noise["D"]
    at["F"] = 0.8 * at["E"] + noise["F"]
    index = pd.MultiIndex.from_product([[""], [f"p{i}" for i in range(people)]], names=["edit", "persona"])
    return pd.DataFrame({name: at[name] for name in "ABCDEF"}, index=index)


@pytest.mark.parametrize(
    ("up", "down", "amount"), [(["A"], [], 0.3), ([], ["A"], 0.3), (["C"], [], 0.5), (["A"], ["B"], 0.2)]
)
def test_predicted_changes_are_those_of_the_model_that_made_the_answers(up, down, amount):
    """Compared with what happens when the same people are made again, with the target set otherwise."""
    truth = rows_of(1, hold={**dict.fromkeys(up, amount), **dict.fromkeys(down, -amount)}) - rows_of(1)
    runs, covered = 20, 0
    for seed in range(2, 2 + runs):
        made = plan(COMPELLED, up, down, base=rows_of(seed), amount=amount)
        found = made.predicted_changes.set_index("value").loc[list("ABCD")]
        np.testing.assert_allclose(found["minimum"], found["maximum"])
        assert (found["relation"] == [made.predicted[v] for v in "ABCD"]).all()
        mean = truth.mean()[list("ABCD")]
        moved = mean.abs() > 1e-9
        # What the graph says should stay is predicted to do so exactly.
        np.testing.assert_array_equal(found.loc[~moved, ["low", "high"]], 0.0)
        covered += int(((found["low"] <= mean + 1e-9) & (mean <= found["high"] + 1e-9))["D"])
    assert covered >= stats.binom.ppf(0.001, runs, 0.95)


def test_an_open_direction_makes_a_range_and_a_bound_of_leakage():
    made = plan(COMPELLED, ["E"], base=rows_of(3))
    row = made.unit_changes.set_index("value").loc["F"]
    data = rows_of(3)
    slope = stats.linregress(data["E"], data["F"]).slope
    assert made.amount == made.roles["gain"][list(made.roles["persona"]).index(made.role)]
    assert row["relation"] == "possible"
    assert (row["minimum"], row["maximum"]) == pytest.approx((0.0, slope))
    # In one of the two graphs F follows E, in the other nothing does; A to D never do.
    leaks, on = made.expected_leakage, made.expected_leakage_on(["F"])
    noise = resampled_slopes(data["E"], data["F"]).var(ddof=1) * 300 / 299
    assert on[:2] == pytest.approx((0.0, np.sqrt(slope**2 - noise)), rel=2e-3)
    assert np.array(leaks) == pytest.approx(np.array(on) / np.sqrt(5))
    assert on.low == 0 and on.high > slope
    assert made.expected_leakage_on(["A", "B"]) == (0.0, 0.0, 0.0, 0.0)


def resampled_slopes(x, y, resamples: int = 4000) -> np.ndarray:
    random, x, y = np.random.default_rng(0), np.asarray(x), np.asarray(y)
    drawn_ = random.integers(len(x), size=(resamples, len(x)))
    a, b = (v[drawn_] - v[drawn_].mean(axis=1, keepdims=True) for v in (x, y))
    return (a * b).sum(axis=1) / (a**2).sum(axis=1)


@pytest.mark.parametrize("true", [0.0, 0.1, 0.3])
def test_expected_leakage_is_free_of_noise_and_its_interval_covers(true):
    """One cause, seven effects of the same size, 44 personas: squares average to the square of the truth."""
    names = tuple(f"v{i}" for i in range(8))
    graph = drawn(names, tuple((names[0], name) for name in names[1:]))
    runs, random = 20, np.random.default_rng(1)
    index = pd.MultiIndex.from_product([[""], range(44)], names=["edit", "persona"])
    found = []
    for seed in range(runs):
        x = random.normal(0, 0.2, (44, 8))
        x[:, 1:] += true * x[:, :1]
        effects = estimate_effects(graph, pd.DataFrame(x, index, names), resamples=300, seed=seed)
        found.append(expected_leakage(effects, {"v0": 1}))
    estimates, _, low, high = np.array(found).T
    # The noise of an effect has a standard deviation of .15: left in, the estimate would be above .15 at a truth of 0.
    assert np.mean(estimates) < np.hypot(true, 0.07) and np.mean(estimates) > true - 0.05
    assert ((low <= true) & (true <= high)).sum() >= stats.binom.ppf(0.001, runs, 0.92)


def test_expected_leakage_is_a_range_over_the_graphs_of_the_class():
    """A — B — C with B the target: its parents are none, A or C, so both others follow, or one."""
    chain = drawn(tuple("ABC"), (), (("A", "B"), ("B", "C")))
    random = np.random.default_rng(2)
    b = random.normal(0, 1, 4000)
    data = pd.DataFrame(
        {"A": 0.9 * b + random.normal(0, 0.1, 4000), "B": b, "C": 0.4 * b + random.normal(0, 0.1, 4000)}
    )
    found = expected_leakage(estimate_effects(chain, data, resamples=200), {"B": -1})
    assert found[:2] == pytest.approx((np.sqrt(0.4**2 / 2), np.sqrt((0.9**2 + 0.4**2) / 2)), rel=0.01)
    assert found.low < found.minimum < found.maximum < found.high


def test_a_negative_change_turns_the_ends_around():
    made = plan(COMPELLED, ["E"], base=rows_of(3), amount=0.5)
    up, down = made.changes(0.5).set_index("value"), made.changes(-0.5).set_index("value")
    pd.testing.assert_frame_equal(up, made.predicted_changes.set_index("value"))
    for one, other in (("minimum", "maximum"), ("low", "high")):
        np.testing.assert_allclose(down[one], -up[other])
    assert (down["low"] <= down["high"]).all()
    with pytest.raises(ValueError, match="amount: expected a finite change"):
        made.changes(float("nan"))


def test_without_answers_there_are_relations_alone():
    made = plan(COMPELLED, ["A"], keep=["D", "E"])
    assert made.unit_changes.empty and made.predicted_changes.empty and made.amount is None and made.role is None
    assert np.isnan(made.expected_leakage).all() and not made.expected_leakage.known
    text = str(made)
    for said in ("none chosen", "C, D", "D (should move)", "E (should stay)"):
        assert said in text
    assert "nan" not in text.lower()


def test_roles_are_judged_by_what_is_kept():
    """q and r both score higher on A; r does so while off on B, q while off on C."""
    scores = {"p": (0.0, 0.0, 0.0), "q": (0.6, 0.0, 0.5), "r": (0.7, 0.5, 0.0), "s": (-0.5, 0.1, 0.1)}
    index = pd.MultiIndex.from_product([[""], list(scores)], names=["edit", "persona"])
    base = pd.DataFrame(list(scores.values()), index=index, columns=list("ABC"))
    for keep, best in ((("B",), "q"), (("C",), "r")):
        roles = rank_roles(base, {"A": 1}, keep).set_index("persona")
        off = base.droplevel("edit") - base.mean().to_numpy()
        for persona in ("q", "r"):
            gain = off.loc[persona, "A"]
            expected = np.sqrt(np.mean([off.loc[persona, k] ** 2 for k in keep])) / gain
            assert roles.loc[persona, "leakage"] == pytest.approx(expected)
        assert np.isnan(roles.loc["s", "leakage"])
        graph = drawn(tuple("ABC"), directed=(), undirected=())
        made = plan(graph, ["A"], base=base, keep=keep)
        assert made.role == best and f"{best}: of 2 candidates" in made.choice
        assert made.amount == pytest.approx(roles.loc[best, "gain"])


def test_no_persona_counts_in_the_means_but_is_no_role():
    base = answers({"none": {"A": 0.9}, "p": {"A": 0.0}, "q": {"A": -0.3}, "": {"A": 0.8}})
    with pytest.warns(UserWarning, match="base: no persona answers as wanted more than the mean does"):
        made = plan(drawn(tuple("AB"), (("A", "B"),)), ["A"], base=base)
    assert list(made.roles["persona"]) == ["p", "q"] and made.role is None and "none chosen: give model" in str(made)
    assert made.roles["observed"].tolist() == pytest.approx([0.0 - 0.35, -0.3 - 0.35])
    with pytest.warns(UserWarning, match="base: has no persona, so there are no roles"):
        plan(drawn(tuple("AB")), ["A"], base=answers({"none": {"A": 0.9}}))


def asked(lasting: np.ndarray, noise: float, items: int, seed: int) -> Responses:
    """Personas with lasting differences on values A, B, ..., asked so many items each, half of them turned."""
    random = np.random.default_rng(seed)
    people, values = lasting.shape
    score = np.clip(lasting[:, :, None] + random.normal(0, noise, (people, values, items)), -1, 1)
    place, value, number = (axis.ravel() for axis in np.indices(score.shape))
    sign, name = np.where(number % 2, -1, 1), np.array(list("ABCDEF"))[value]
    columns = ("m", "", [f"p{i}" for i in place], [f"{v}{k}" for v, k in zip(name, number, strict=True)], name, sign, 0,
               "?", "yes", (sign * score.ravel() + 1) / 2, 1.0, score.ravel())  # fmt: skip
    return Responses(make_table(dict(zip(COLUMNS, columns, strict=True))))


def test_gains_of_roles_are_those_of_other_questions():
    """60 personas, 4 noisy items a value: the best gain as answered is too large, the one that is stated is not."""
    said, answered, fresh, stray, fresh_stray, share = [], [], [], [], [], []
    for seed in range(25):
        lasting = np.random.default_rng(100 + seed).normal(0, 0.15, (60, 4))
        made = plan(drawn(tuple("ABCD")), ["A"], base=asked(lasting, 0.3, 4, seed))
        again = asked(lasting, 0.3, 4, 1000 + seed).matrix().droplevel("edit")
        off = (lasting - lasting.mean(axis=0))[int(made.role[1:])]
        row = made.roles.set_index("persona").loc[made.role]
        assert made.amount == row["gain"] and f"reliability of {row['reliability']:.2f}" in str(made)
        said.append(row["gain"])
        answered.append(row["observed"])
        fresh.append((again - again.mean()).loc[made.role, "A"])
        stray.append((row["gain"] * row["leakage"]) ** 2)
        fresh_stray.append((off[1:] ** 2).mean())
        share.append(row["reliability"])
    assert np.mean(share) == pytest.approx(0.15**2 / (0.15**2 + 0.3**2 / 4), abs=0.08)
    off_by = np.subtract(said, fresh)
    assert abs(off_by.mean()) < 3 * stats.sem(off_by) < 0.15
    too_much = np.subtract(answered, fresh)
    assert too_much.mean() > 5 * stats.sem(too_much)
    assert np.mean(stray) == pytest.approx(np.mean(fresh_stray), rel=0.3)


def test_noise_alone_makes_no_role():
    with pytest.warns(UserWarning, match="ranks the personas otherwise than the other half does"):
        made = plan(drawn(tuple("AB")), ["A"], base=asked(np.zeros((40, 2)), 0.3, 4, 3))
    assert made.role is None and (made.roles["gain"] == 0).all() and made.roles["observed"].max() > 0.1


def test_rows_under_edits_say_nothing_of_effects():
    base = rows_of(4)
    edited = rows_of(5).rename(index={"": "up"}, level="edit") * 7
    alone, both = (plan(COMPELLED, ["A"], base=b).unit_changes for b in (base, pd.concat([base, edited])))
    pd.testing.assert_frame_equal(alone, both)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda rows: rows.drop(columns="F"), "the data lack F"),
        (lambda rows: rows.iloc[:2], "expected at least 3 clusters"),
        (lambda rows: rows.assign(F=0.5), "constant in the rows"),
        (lambda rows: rows.iloc[:1], "one persona, so there are no roles"),
        (lambda rows: rows.mask(np.eye(len(rows), 6, dtype=bool)), "rows have missing scores and were left out"),
    ],
)
def test_what_answers_lack_is_said_and_the_rest_is_computed(change, said):
    with pytest.warns(UserWarning, match=said):
        made = plan(COMPELLED, ["A"], base=change(rows_of(6)))
    assert any(said in problem for problem in made.problems) and said in str(made)
    assert made.values("definite") == ("C", "D")
    if len(made.unit_changes):
        found = made.unit_changes.set_index("value")
        assert found.loc["D", "low"] < 0.42 < found.loc["D", "high"]
        assert "nan" not in str(made).lower()


def test_a_graph_with_a_cycle_still_predicts_where_parents_are_certain():
    cycle = drawn(tuple("ABCDEF"), (("A", "C"), ("C", "D"), ("E", "F"), ("F", "B"), ("B", "E")))
    with pytest.warns(UserWarning, match="directed cycle B → E → F → B"):
        made = plan(cycle, ["A"], base=rows_of(7))
    found = made.unit_changes.set_index("value")
    assert found.loc["D", "low"] < 0.42 < found.loc["D", "high"]
    told = "how far B, F would move cannot be predicted in numbers; that A, C, D should stay is read off the arrows"
    with pytest.warns(UserWarning, match=told):
        made = plan(cycle, ["E"], base=rows_of(7))
    assert made.values("definite") == ("B", "F") and np.isnan(made.expected_leakage).all()


def test_a_plan_with_numbers_prints_and_saves_them(tmp_path):
    made = plan(COMPELLED, ["A"], base=rows_of(8), keep=["D", "F"], amount=0.25)
    text = str(made)
    row = made.predicted_changes.set_index("value").loc["D"]
    leaks = made.expected_leakage
    leaked = f"{leaks.minimum:.2f} [{leaks.low:.2f}, {leaks.high:.2f}]"
    for said in (
        "raise A by +0.250", f"D {row['minimum']:+.3f} [{row['low']:+.3f}, {row['high']:+.3f}]", "F (should stay)",
        f"expected leakage  {leaked} per unit of target change", f"role              {made.role}",
        "as it answered, against the mean of 300 personas; the best of many",
    ):  # fmt: skip
        assert said in text
    assert leaks.minimum == leaks.maximum and f"expected leakage {leaked}" in repr(made)
    saved = json.loads(made.save(tmp_path / "plan.json").read_text(encoding="utf-8"))
    assert saved["expected_leakage"] == leaks._asdict() and saved["keep"] == ["D", "F"] and saved["amount"] == 0.25
    assert [row["value"] for row in saved["unit_changes"]] == list("ABCDEF")


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
