"""The pilot on answers whose effects are known: it takes the least leaky edit, and its figures are the answers'."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from pyvalue.effects.leakage import leakage
from pyvalue.errors import ModelError
from pyvalue.graph import DiscoverySettings, ValueGraph
from pyvalue.measurement.personas import make_personas
from pyvalue.responses import Responses, make_table
from pyvalue.steering.pilot import MAX_P, _problems, side_inventory
from pyvalue.steering.pilot_figures import p_value
from pyvalue.steering.plan import plan
from pyvalue.steering.plan_choice import least_leaky, why

pytest.importorskip("torch", reason="edits need torch")

#: what an edit adds to the log odds of agreeing with each value; features 1, 2, 3 in this order of gain
EFFECTS = {
    1: {"Power": 2.0, "Security": 1.6, "Tradition": -1.6},
    2: {"Power": 1.6, "Security": 0.8},
    3: {"Power": 1.4, "Tradition": 0.4},
    4: {"Power": 0.2},
    5: {"Power": -1.0},
}


class Asked:
    """Stands in for ``measure``: answers follow ``EFFECTS``, and it is kept what was asked."""

    def __init__(self, broken=(), noise=0.05, effects=EFFECTS, sway=0.0):
        self.calls, self.broken, self.noise, self.effects, self.sway = [], set(broken), noise, effects, sway

    def __call__(self, model, inventory, personas, edits, progress=None):
        self.calls.append((inventory, tuple(edits)))
        rows = []
        for label, together in edits.items():
            feature = together[0].feature if together else 0
            for place, persona in enumerate(personas):
                for item in inventory.items:
                    # The same question to the same persona has the same noise in every call.
                    seed = [feature, place, sum(map(ord, item.id))]
                    odds = 0.3 * place / len(personas) + self.noise * np.random.default_rng(seed).normal()
                    odds += self.sway * (-1) ** place if feature else 0.0
                    odds = item.keying * (odds + self.effects.get(feature, {}).get(item.value, 0.0))
                    yes = 1 / (1 + np.exp(-odds))
                    lost = (feature, item.value) in self.broken
                    rows.append(
                        {
                            "model": "m", "edit": label, "persona": persona.name, "item": item.id, "value": item.value,
                            "keying": item.keying, "text": item.question, "status": "invalid" if lost else "yes",
                            "p_yes": np.nan if lost else yes, "mass": 0.9, "perplexity": 10.0,
                            "score": np.nan if lost or not item.keying else item.keying * (2 * yes - 1),
                        }
                    )  # fmt: skip
        return Responses(make_table(pd.DataFrame(rows).to_dict("list")))


@pytest.fixture
def trial(monkeypatch, tiny_model, tiny_sae, small_inventory):
    """``trial(asked, personas, **arguments)`` plans with a stand-in for the model's answers."""
    import pyvalue.steering.pilot as pilot

    names = small_inventory.values
    graph = ValueGraph(names, np.zeros((len(names), len(names)), dtype=np.int8), DiscoverySettings(0.05, 100))
    found = pd.DataFrame({"feature": [1, 2, 3, 4, 5], "activation": [5.0, 4.0, 3.0, 2.0, 1.0]})
    monkeypatch.setattr(pilot, "find_features", lambda *a, **k: found)

    def run(asked, personas=6, target=("Power",), **arguments):
        monkeypatch.setattr(pilot, "measure", asked)
        return plan(
            graph, list(target), model=tiny_model, sae=tiny_sae, inventory=small_inventory,
            personas=make_personas(personas - 1), strengths=(0.5,), **arguments,
        )  # fmt: skip

    return run


def test_the_least_leaky_finalist_that_reaches_is_taken(trial):
    made = trial(Asked())
    assert made.edits[0].feature == 3
    table = made.pilot.set_index("feature")
    assert list(made.pilot["stage"]) == ["chosen", "finalist", "finalist", "screened", "screened"]
    assert table["gain"].rank(ascending=False).to_dict() == {1: 1, 2: 2, 3: 3, 4: 4, 5: 5}
    assert table.loc[[3, 2, 1], "leakage_high"].is_monotonic_increasing
    assert table.loc[[4, 5], "leakage"].isna().all()
    assert "this one leaks least on all other values" in made.choice and made.choice.startswith(made.edits[0].label)
    assert made.amount == pytest.approx(table.loc[3, "gain"]) and made.problems == ()


@pytest.mark.parametrize(
    ("arguments", "feature"),
    [
        ({"keep": ["Tradition"]}, 2),  # 3 moves Tradition, 2 does not
        ({"keep": ["Security"]}, 3),  # the other way round
        ({"reach": 0.7}, 1),  # 1 alone moves the target so far
        ({"finalists": 1}, 1),
        ({"finalists": 2}, 2),
    ],
)
def test_what_is_kept_and_what_is_to_be_reached_decide(trial, arguments, feature):
    assert trial(Asked(), **arguments).edits[0].feature == feature


def test_gains_and_intervals_are_scipys_of_the_paired_changes(trial):
    asked = Asked()
    made = trial(asked, personas=5)
    plain, edited = (
        asked(None, asked.calls[0][0], make_personas(4), {label: edits}).matrix().droplevel("edit")["Power"]
        for label, edits in (("", []), (made.edits[0].label, [made.edits[0]]))
    )
    theirs = stats.ttest_rel(edited, plain)
    interval = theirs.confidence_interval(0.95)
    row = made.pilot.iloc[0]
    got = row[["gain", "gain_low", "gain_high"]].astype(float)
    np.testing.assert_allclose(got, [(edited - plain).mean(), interval.low, interval.high], atol=1e-12)


def test_only_finalists_are_asked_about_other_values_and_all_items_of_the_kept(trial, small_inventory):
    asked = Asked()
    made = trial(asked, keep=["Security"], side_items=1, finalists=2)
    (first, all_edits), (second, some) = asked.calls
    assert {i.value for i in first.items} == {"Power", ""} and len(all_edits) == 6
    assert {v: sum(i.value == v for i in second.items) for v in second.values} == {
        "Security": 2, "Tradition": 1, "Hedonism": 1,
    }  # fmt: skip
    assert len(some) == 3 and "" in some
    questions = 6 * (6 * len(first.items) + 3 * len(second.items))
    assert made.cost.pilot_questions == questions
    assert made.cost.questions == len(small_inventory.items) and made.cost.exact
    assert made.cost.steering(10)["questions"] == 10 * len(small_inventory.items)


def test_side_items_are_of_both_signs(small_inventory):
    side = side_inventory(small_inventory, {"Power": 1}, (), 2)
    assert {v: sorted(i.keying for i in side.items if i.value == v) for v in side.values} == {
        v: [-1, 1] for v in ("Security", "Tradition", "Hedonism")
    }
    assert side_inventory(small_inventory, dict.fromkeys(small_inventory.values, 1), (), 2).items == ()


def test_an_edit_that_breaks_on_other_values_is_no_choice(trial):
    lost = {(3, v) for v in ("Security", "Tradition", "Hedonism")}
    made = trial(Asked(broken=lost))
    assert made.edits[0].feature == 2
    broken = made.pilot.set_index("feature").loc[3]
    assert not broken["usable"] and broken["stage"] == "finalist"


def test_where_all_finalists_break_the_next_are_tried(trial):
    others = ("Security", "Tradition", "Hedonism")
    asked = Asked(broken={(f, v) for f in (1, 2) for v in others})
    made = trial(asked, finalists=2)
    assert made.edits[0].feature == 3 and [len(edits) for _, edits in asked.calls] == [6, 3, 2]
    with pytest.raises(ModelError, match="breaks the model on the other values"):
        trial(Asked(broken={(f, v) for f in EFFECTS for v in others}))
    with pytest.raises(ModelError, match="every candidate edit breaks the model"):
        trial(Asked(broken={(f, "Power") for f in EFFECTS} | {(f, "") for f in EFFECTS}))


def test_no_evidence_is_said(trial):
    with pytest.warns(UserWarning, match="no evidence that the chosen edit moves Power: the best of 5 candidates"):
        made = trial(Asked(effects={f: {"Power": 0.1 * f} for f in EFFECTS}, sway=2.0), personas=4)
    assert made.pilot.loc[made.pilot["stage"] != "screened", "leakage"].isna().all()
    assert made.pilot_leakage.reason == "the interval of the gain has 0"
    with pytest.warns(UserWarning, match="no candidate edit moves Power as wanted in the pilot"):
        made = trial(Asked(noise=0.0, effects={f: {"Power": -1.0} for f in EFFECTS}))
    assert made.amount is None and "largest gain" in made.choice
    with pytest.warns(UserWarning, match=r"no finalist has the wanted gain of \+0.900"):
        assert trial(Asked(), reach=0.9).edits[0].feature == 1


def test_evidence_is_asked_of_the_chosen_edit_at_a_level_for_all_that_were_tried(trial):
    """p is SciPy's, times the candidates: an interval of one edit that leaves out 0 may not be evidence."""
    asked = Asked(effects={f: {"Power": 0.3 + 0.05 * f} for f in EFFECTS}, noise=0.25)
    made = trial(asked, personas=4)
    plain, edited = (
        asked(None, asked.calls[0][0], make_personas(3), {label: edits}).matrix().droplevel("edit")["Power"]
        for label, edits in (("", []), (made.edits[0].label, [made.edits[0]]))
    )
    row = made.pilot.iloc[0]
    assert row["gain_p"] == pytest.approx(min(1, 5 * stats.ttest_rel(edited, plain).pvalue))
    assert row["gain_low"] > 0 and bool(made.problems) == (row["gain_p"] > 0.05)


@pytest.mark.parametrize(
    ("p", "told"), [((0.6, 0.01), "; there is for sure, whose gain is smaller"), ((0.01, 0.6), None), ((0.6, 0.6), "1")]
)
def test_another_edit_is_no_evidence_for_the_chosen_one(p, told, small_inventory):
    ready = pd.DataFrame({"label": ["noisy", "sure"], "gain": [0.3, 0.1], "gain_low": [0.01, 0.05], "gain_p": p})
    found = _problems(ready, 0, {"Power": 1}, (), small_inventory, 4, 12, None)
    assert len(found) == (told is not None)
    if told:
        assert "the best of 12 candidates" in found[0] and ("there is for" in found[0]) == (told != "1")


def test_twelve_edits_that_do_nothing_are_no_evidence():
    """Of 12 null edits on 4 personas each, how often does the largest gain count as evidence?"""
    random, runs, found = np.random.default_rng(0), 300, 0
    index = pd.Index([f"p{i}" for i in range(4)], name="persona")
    for _ in range(runs):
        changes = [pd.DataFrame({"A": random.normal(0, 1, 4)}, index) for _ in range(12)]
        best = max(changes, key=lambda change: change["A"].mean())
        found += 12 * p_value(best, {"A": 1}) <= MAX_P
    assert found <= stats.binom.ppf(0.999, runs, 0.05)


def test_a_noisy_edit_is_not_favoured():
    """One leaks .2 for sure, one .35 with ten times the noise: estimates alone would take the noisy one often."""
    random, by_limit, by_estimate, runs = np.random.default_rng(0), 0, 0, 0
    names = ["T", *(f"v{i}" for i in range(9))]
    for _ in range(120):
        rows = []
        for label, spread, leaks in (("quiet", 0.02, 0.2), ("noisy", 0.4, 0.35)):
            x = random.normal(0, spread, (4, 10))
            x[:, 1:] += leaks * 0.5 * random.choice([-1, 1], 9)
            x[:, 0] = 0.5 + random.normal(0, 0.05, 4)
            estimate, _, high = leakage(pd.DataFrame(x, columns=names), {"T": 1}).estimate()
            rows.append({"label": label, "gain": x[:, 0].mean(), "leakage": estimate, "leakage_high": high})
        table = pd.DataFrame(rows)
        runs += 1
        by_limit += least_leaky(table, None) == 1
        by_estimate += table["leakage"].idxmin() == 1
    assert by_estimate > 0.15 * runs and by_limit < 0.05 * runs


def test_leakages_below_noise_are_equal():
    """A negative leakage of a small gain is further below 0 than that of a large one; neither leaks."""
    table = pd.DataFrame({"label": ["large", "small"], "gain": [1.0, 0.6], "leakage": [-0.1, -0.1 / 0.6]})
    assert least_leaky(table, None) == 0
    table["leakage_high"] = [0.3, 0.4]
    assert least_leaky(table, None) == 0 and "at most 0.30 by its interval, -0.10 by the estimate" in why(
        table, 0, None, "x"
    )


@pytest.mark.parametrize(
    ("leaks", "said"),
    [
        ([np.nan, np.nan, 3.0], "C: the only candidate whose gain is surely above 0, so that its leakage is known "
         "(nothing is known of the leakage of 2 more with a gain of at least +0.500 (half of the best)); it leaks on"),
        ([2.0, np.nan, 3.0], "A: of 2 candidates whose leakage is known (nothing is known of the leakage of 1 more"),
        ([2.0, 2.5, 3.0], "A: of 3 candidates with a gain of at least +0.500 (half of the best), this one leaks least"),
    ],
)  # fmt: skip
def test_only_candidates_whose_leakage_is_known_are_counted(leaks, said):
    table = pd.DataFrame({"label": list("ABC"), "gain": [1.0, 0.9, 0.55], "leakage": leaks, "plain_leakage": 0.1})
    assert why(table, least_leaky(table, None), None, "x").startswith(said)


def test_one_persona_has_no_intervals_and_the_choice_is_by_plain_leakage(trial):
    with pytest.warns(UserWarning, match="the pilot has 1 persona, and intervals need 3"):
        made = trial(Asked(), personas=1)
    assert made.pilot[["gain_low", "gain_high", "leakage"]].isna().all(axis=None)
    assert made.edits[0].feature == 3 and "noise and all" in made.choice


def test_kept_values_that_cannot_be_asked_are_named(trial, small_inventory, monkeypatch, tiny_model, tiny_sae):
    names = (*small_inventory.values, "Wealth")
    graph = ValueGraph(names, np.zeros((5, 5), dtype=np.int8), DiscoverySettings(0.05, 100))
    import pyvalue.steering.pilot as pilot

    monkeypatch.setattr(pilot, "measure", Asked())
    with pytest.warns(UserWarning, match="no items on the kept Wealth"):
        made = plan(
            graph, ["Power"], keep=["Wealth"], model=tiny_model, sae=tiny_sae, inventory=small_inventory,
            personas=make_personas(3), strengths=(0.5,),
        )  # fmt: skip
    assert made.pilot_leakage.facts["not_asked"] == ["Wealth"] and made.pilot["gain"].notna().all()


def test_the_plan_prints_and_saves(trial, tmp_path):
    made = trial(Asked(), keep=["Security"])
    text = str(made)
    for said in (
        made.edits[0].label,
        "raise Power by +",
        "keep",
        "Security (should stay)",
        "pilot's leakage",
        "on the answers that the edit was chosen by",
        "prompts",
        "about 0.0 s",
    ):
        assert said in text
    assert "nan" not in text.lower()
    assert "NaN" not in made.save(tmp_path / "plan.json").read_text(encoding="utf-8")


def test_the_figures_are_those_of_the_model(tiny_model, tiny_sae, small_inventory, monkeypatch):
    """On a real network: what the table says is what measuring the chosen edit alone gives."""
    import pyvalue.steering.pilot as pilot

    real = pilot.measure
    monkeypatch.setattr(pilot, "measure", lambda *a, **k: real(*a, **k, min_mass=0.0))
    people = make_personas(3)
    names = small_inventory.values
    graph = ValueGraph(names, np.zeros((4, 4), dtype=np.int8), DiscoverySettings(0.05, 100))
    made = plan(
        graph, ["Power"], model=tiny_model, sae=tiny_sae, inventory=small_inventory, personas=people, candidates=3,
        finalists=2, side_items=2,
    )  # fmt: skip
    assert len(made.pilot) == 6
    best = made.pilot.iloc[0]
    assert (made.edits[0].feature, made.edits[0].strength) == (best["feature"], best["strength"])
    assert best["gain"] >= made.pilot.query("stage == 'finalist'")["gain"].max() / 2
    base, steered = (
        real(tiny_model, small_inventory, people, e, min_mass=0.0).matrix().droplevel("edit") for e in ((), made.edits)
    )
    change = (steered - base).mean()
    assert best["gain"] == pytest.approx(change["Power"], abs=1e-4)
    plain = change.drop("Power").abs().mean() / abs(change["Power"])
    assert best["plain_leakage"] == pytest.approx(plain, rel=1e-3)


numbers = st.one_of(st.floats(-2, 2, allow_subnormal=False), st.just(float("nan")))


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(numbers, numbers), min_size=1, max_size=8), st.one_of(st.none(), st.floats(0.1, 2)))
def test_no_other_candidate_that_reaches_leaks_less(rows, reach):
    table = pd.DataFrame(rows, columns=["gain", "leakage"]).assign(label="f")
    chosen = least_leaky(table, reach)
    if table["gain"].isna().all():
        assert chosen is None
        return
    wanted = reach if reach is not None else table["gain"].max() / 2
    reaching = table[(table["gain"] >= wanted) & (table["gain"] > 0)]
    if reaching.empty or reaching["leakage"].isna().all():
        assert table["gain"][chosen] == table["gain"].max()
    else:
        assert chosen in reaching.index
        leaks = reaching["leakage"].clip(lower=0)
        assert leaks[chosen] == leaks.min() and reaching["gain"][chosen] == reaching["gain"][leaks == leaks.min()].max()
    assert why(table.dropna(subset="gain"), chosen, reach, "all").startswith("f: ")
