"""The strength found is the root that scipy finds; where there is none to be found, the search says so and ends."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="edits need torch")
pytest.importorskip("transformers", reason="edits need transformers")

from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from scipy.optimize import brentq  # noqa: E402

from pyvalue.errors import ModelError  # noqa: E402
from pyvalue.measurement.api import measure  # noqa: E402
from pyvalue.measurement.personas import make_personas  # noqa: E402
from pyvalue.measurement.prompts import render_prompt  # noqa: E402
from pyvalue.measurement.scoring import score_prompts  # noqa: E402
from pyvalue.models.edits import Direction, Edit  # noqa: E402
from pyvalue.steering.effects_of_edits import value_effect, yes_effect  # noqa: E402
from pyvalue.steering.strength_search import find_strength  # noqa: E402

EDIT = Edit(op="direction", strength=7.0, direction=Direction(torch.ones(3), "blocks.0.hook_resid_post"), name="mine")


def search(effect, wanted, low, high, tolerance=1e-3, max_steps=12, edit=EDIT):
    return find_strength(
        None, edit, effect, wanted, low=low, high=high, tolerance=tolerance, max_steps=max_steps, progress=False
    )


@given(
    slope=st.floats(0.1, 5.0),
    cube=st.floats(0.0, 2.0),
    sign=st.sampled_from([-1, 1]),
    low=st.floats(-10, 9),
    width=st.floats(0.5, 20),
    share=st.floats(0.01, 0.99),
)
@settings(max_examples=150, deadline=None)
def test_a_monotone_effect_is_reached_where_its_root_is(slope, cube, sign, low, width, share):
    def curve(x):
        return sign * (slope * x + cube * x**3)

    high = low + width
    wanted = curve(low + share * width)
    tolerance = 1e-6 * slope * width
    found = search(lambda edit: curve(edit.strength), wanted, low, high, tolerance, max_steps=40)
    assert found.converged and found.reason == "reached"
    assert abs(curve(found.strength) - wanted) <= tolerance
    root = brentq(lambda x: curve(x) - wanted, low, high, xtol=1e-12)
    assert abs(found.strength - root) <= 1e-5 * width
    assert found.edit.strength == found.strength and found.edit.name == "mine"
    assert found.effect == found.trials["effect"].iloc[-1] == curve(found.edit.strength)
    assert found.trials["strength"].tolist()[:2] == [low, high][: len(found.trials)]


@given(st.integers(1, 20))
@settings(max_examples=20, deadline=None)
def test_no_more_trials_than_allowed_and_each_one_once(steps):
    asked = []

    def effect(edit):
        asked.append(edit.strength)
        return edit.strength

    found = search(effect, math.pi, 0, 10, 1e-15, steps)
    assert not found.converged and found.reason.startswith(f"not reached within {steps} steps")
    assert found.trials["strength"].tolist() == asked and len(asked) == steps + 2 == len(set(asked))
    assert abs(found.strength - math.pi) <= 10 / 2**steps


def test_an_end_that_is_near_enough_ends_it():
    assert len(search(lambda e: e.strength, 0.0, 0, 1).trials) == 1
    found = search(lambda e: e.strength, 1.0, 0, 1)
    assert found.converged and found.strength == 1 and len(found.trials) == 2


def test_an_effect_that_is_not_between_the_ends_says_so():
    found = search(lambda e: math.sin(e.strength), 0.5, 0, math.pi)
    assert not found.converged and len(found.trials) == 2
    assert "both on one side of 0.5" in found.reason and "a lower high" in found.reason


def test_an_effect_that_is_not_monotone_says_where():
    found = search(lambda e: e.strength if e.strength < 6 else 0.4 - 0.01 * e.strength, 0.2, 0, 10)
    assert not found.converged and len(found.trials) == 3
    assert found.reason.startswith("not monotone: the effect is 0 at strength 0, 5 at 5 and 0.3 at 10")
    assert "not converged" in repr(found) and "not monotone" in repr(found)


def test_a_little_noise_is_not_called_a_bend():
    random = np.random.default_rng(0)
    found = search(lambda e: e.strength + random.uniform(-0.01, 0.01), 0.3, 0, 1, tolerance=0.02)
    assert found.converged and abs(found.strength - 0.3) < 0.04


def test_a_jump_ends_after_the_steps_allowed():
    found = search(lambda e: float(e.strength > 0.3), 0.5, 0, 1, 0.1, 200)
    assert not found.converged and "the effect jumps from 0 to 1 at strength 0.3" in found.reason
    assert len(found.trials) < 70  # floating point numbers run out first
    assert found.strength == pytest.approx(0.3, abs=0.31)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize("at", [0, 10, 5])
def test_an_effect_that_is_no_number_ends_it(bad, at):
    found = search(lambda e: bad if e.strength == at else e.strength, 3.0, 0, 10)
    assert not found.converged and f"the effect is {bad} at strength {at}" in found.reason
    assert math.isfinite(found.effect) or len(found.trials) == 1


def test_a_number_of_numpy_or_torch_free_code_is_taken():
    assert search(lambda e: np.float32(e.strength), 0.5, 0, 1).converged


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"edit": [EDIT]}, TypeError, "edit must be an Edit, got list"),
        ({"effect": 3}, TypeError, "effect must be a function"),
        ({"effect": lambda e: "much"}, TypeError, "effect must give a number, got str at strength 0"),
        ({"low": 1.0}, ValueError, r"low must be below high, got 1\.0 and 1\.0"),
        ({"high": math.inf}, ValueError, "high must be finite, got inf"),
        ({"wanted": math.nan}, ValueError, "wanted must be finite"),
        ({"wanted": "much"}, TypeError, "wanted must be a number"),
        ({"tolerance": 0}, ValueError, "tolerance must be above 0, got 0"),
        ({"max_steps": 0}, ValueError, "max_steps must be at least 1"),
        ({"max_steps": 2.0}, TypeError, "max_steps must be an integer"),
    ],
)
def test_bad_input(changes, error, message):
    good = {"edit": EDIT, "effect": lambda e: e.strength, "wanted": 0.5, "low": 0.0, "high": 1.0, "tolerance": 0.1}
    arguments = good | changes
    with pytest.raises(error, match=message):
        find_strength(None, arguments.pop("edit"), arguments.pop("effect"), arguments.pop("wanted"), **arguments)


def test_edits_without_a_strength_to_search(tiny_model, tiny_sae):
    never = {"low": 0.0, "high": 1.0, "tolerance": 0.1}
    with pytest.raises(ValueError, match="'ablate' has no strength"):
        find_strength(None, Edit(feature=1, op="ablate", sae=tiny_sae), lambda e: pytest.fail("ran"), 0.5, **never)
    with pytest.raises(ValueError, match="'splice' must be above 0"):
        find_strength(None, Edit(op="splice", sae=tiny_sae), lambda e: pytest.fail("ran"), 0.5, **never)
    with pytest.raises(ModelError, match="is 3 wide, but the model's"):
        find_strength(tiny_model, EDIT, lambda e: pytest.fail("ran"), 0.5, **never)


@pytest.fixture(scope="module")
def prompts(tiny_model, small_inventory):
    person = make_personas(1, seed=2)[0]
    return [render_prompt(tiny_model.tokenizer, person, item.question) for item in small_inventory.items[:4]]


@pytest.fixture(scope="module")
def towards_yes(tiny_model):
    """Added to the last layer's output: the difference of the two words' rows of the head."""
    words = [tiny_model.tokenizer(word).input_ids[0] for word in ("Yes", " no")]
    rows = tiny_model.network.lm_head.weight[words]
    return Edit(op="direction", strength=0.0, direction=Direction(rows[0] - rows[1], "blocks.3.hook_resid_post"))


def test_a_strength_for_a_wanted_change_of_p_yes(tiny_model, prompts, towards_yes):
    effect = yes_effect(tiny_model, prompts)
    assert effect(replace(towards_yes, strength=0.0)) == pytest.approx(0, abs=1e-6)
    top = effect(replace(towards_yes, strength=3.0))
    found = find_strength(tiny_model, towards_yes, effect, top / 2, low=0, high=3, tolerance=0.002, progress=False)
    assert top > 0.05 and found.converged

    def p_yes(edits):
        rows = [score_prompts(tiny_model, [prompt], edits) for prompt in prompts]
        return np.mean([float(row.yes[0] / (row.yes[0] + row.no[0])) for row in rows])

    assert p_yes([found.edit]) - p_yes([]) == pytest.approx(top / 2, abs=0.0025)


@pytest.mark.parametrize("score", ["raw", "corrected", "centred", "ipsatised"])
def test_the_change_of_a_value(tiny_model, small_inventory, towards_yes, score):
    people = make_personas(2, seed=1)
    edit = replace(towards_yes, strength=1.0)
    effect = value_effect(tiny_model, small_inventory, "Power", people, score=score, min_mass=0.0)
    whole = [measure(tiny_model, small_inventory, people, e, min_mass=0.0, progress=False) for e in ([], [edit])]
    before, after = (r.matrix(score)["Power"].to_numpy() for r in whole)
    assert effect(edit) == pytest.approx((after - before).mean(), abs=1e-5)
    assert abs(effect(edit)) > 1e-3


def test_bad_effects(tiny_model, small_inventory):
    with pytest.raises(ValueError, match="prompts must be a non-empty sequence"):
        yes_effect(tiny_model, [])
    with pytest.raises(ValueError, match="prompts must be a non-empty sequence"):
        yes_effect(tiny_model, "one")
    with pytest.raises(ValueError, match="value must be one of Security, Power, Tradition, Hedonism, got 'Fun'"):
        value_effect(tiny_model, small_inventory, "Fun")
