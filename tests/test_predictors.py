"""Predictors of side effects against pandas, SciPy, scikit-learn, statsmodels and networkx."""

from __future__ import annotations

from dataclasses import dataclass, field

import networkx as nx
import numpy as np
import pandas as pd
import pytest
from benchmark_studies import graph_of, linear_study, pairs_dag
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from pyvalue.evaluation.benchmark_scores import StudyScores, study_scores
from pyvalue.evaluation.detectable_change import detectable_change, moved
from pyvalue.evaluation.predictors import Prediction, Predictor, Training, default_predictors, pair_regression
from pyvalue.evaluation.predictors_graph import GraphEffects, GraphReach, RandomGraphs, reachable, rewired
from pyvalue.evaluation.predictors_items import ItemRate, ScoreLevels, UneditedDisagreement
from pyvalue.evaluation.predictors_known import (
    Correlation,
    MarginalRate,
    OneFactor,
    WithinEditCorrelation,
)
from pyvalue.evaluation.predictors_learnt import ChangeRegression, ConditionalRate, LowRank, RateTimesGraph
from pyvalue.evaluation.predictors_stacked import Stacked, logistic


@pytest.fixture(scope="module")
def study() -> StudyScores:
    rows = linear_study(pairs_dag(6), 12, 30, seed=1)
    rows.iloc[40, 2] = np.nan
    return study_scores(rows, "corrected")


@pytest.fixture(scope="module")
def train(study: StudyScores) -> Training:
    graph = graph_of(pairs_dag(6), list(study.values))
    return Training(study, threshold=0.4, tested=20, find_graph=lambda _: graph)


def changes(study: StudyScores) -> pd.DataFrame:
    return pd.DataFrame(study.change.reshape(-1, len(study.values)), columns=list(study.values))


# -- the minimal detectable effect -----------------------------------------------------------------------------------


def test_above_the_detectable_change_is_significant_by_a_t_test() -> None:
    rng = np.random.default_rng(0)
    table = rng.normal(0.3, 1, size=(25, 40))
    table[3, 5] = np.nan
    p = np.array([stats.ttest_1samp(column[np.isfinite(column)], 0).pvalue for column in table.T])
    above = np.abs(np.nanmean(table, axis=0)) > detectable_change(table, comparisons=8)
    assert above.any() and not above.all()
    np.testing.assert_array_equal(above, p < 0.05 / 8)


def test_detectable_change_with_power_is_close_to_that_of_statsmodels() -> None:
    power = pytest.importorskip("statsmodels.stats.power")
    table = np.random.default_rng(1).normal(size=(40, 3))
    wanted = power.tt_solve_power(nobs=40, alpha=0.05 / 3, power=0.8) * table.std(axis=0, ddof=1)
    np.testing.assert_allclose(detectable_change(table, power=0.8), wanted, rtol=0.01)


def test_repeated_personas_count_as_often_as_they_were_drawn() -> None:
    rng = np.random.default_rng(2)
    table = rng.normal(0.2, 1, size=(12, 5))
    table[2, 1] = np.nan
    drawn = rng.multinomial(12, np.full(12, 1 / 12), size=6)
    above, mean = moved(table, drawn.astype(float), 0.9, 2)
    for weights, row, means in zip(drawn, above, mean, strict=True):
        repeated = np.repeat(table, weights, axis=0)
        np.testing.assert_allclose(means, np.nanmean(repeated, axis=0))
        np.testing.assert_array_equal(row, np.abs(np.nanmean(repeated, axis=0)) > detectable_change(
            repeated, confidence=0.9, comparisons=2
        ))  # fmt: skip


def test_changes_that_are_all_alike_are_detected_and_single_ones_are_not() -> None:
    same = np.tile([0.0, 0.5], (4, 1))
    np.testing.assert_array_equal(moved(same, np.ones((1, 4)), 0.95, 1)[0], [[0, 1]])
    assert np.isnan(moved(same[:1], np.ones((1, 1)), 0.95, 1)[0]).all()
    assert np.isnan(detectable_change(same[:1])).all()


@pytest.mark.parametrize("options", [{"confidence": 1.0}, {"power": 0.3}, {"comparisons": 0}])
def test_detectable_change_refuses(options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        detectable_change(np.zeros((3, 2)), **options)
    with pytest.raises(TypeError, match="confidence: expected a number, got '95'"):
        detectable_change(np.zeros((3, 2)), confidence="95")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"change: expected shape \(personas, values\), got \(3,\)"):
        detectable_change(np.zeros(3))


# -- what is known without other edits ---------------------------------------------------------------------------------


def test_pair_regression_is_that_of_pandas_and_scipy() -> None:
    rng = np.random.default_rng(3)
    x = rng.normal(size=(30, 4)) @ rng.normal(size=(4, 4))
    x[rng.random(x.shape) < 0.1] = np.nan
    r, slope, n = pair_regression(x)
    np.testing.assert_allclose(r, pd.DataFrame(x).corr(), atol=1e-12)
    for i in range(4):
        for j in range(4):
            both = np.isfinite(x[:, [i, j]]).all(axis=1)
            assert n[i, j] == both.sum()
            assert slope[i, j] == pytest.approx(stats.linregress(x[both, i], x[both, j]).slope)


def test_correlation_interval_is_the_one_of_the_slope(train: Training, study: StudyScores) -> None:
    made = Correlation().fit(train)
    assert made is not None and made.slope_low is not None and made.slope is not None
    fit = stats.linregress(study.rest[:, 0], study.rest[:, 1])
    assert made.score[0, 1] == pytest.approx(abs(fit.rvalue))
    half = stats.t.ppf(0.975, len(study.rest) - 2) * fit.stderr
    assert made.slope_low[0, 1] == pytest.approx(fit.slope - half)
    table = made.predict("v0", -2.0).set_index("value")
    assert list(table.index) == ["v1", "v2", "v3", "v4", "v5"]
    assert table.loc["v1", "expected"] == pytest.approx(-2 * fit.slope)
    assert table.loc["v1", "low"] == pytest.approx(-2 * (fit.slope + half))


def test_within_edit_correlation_takes_means_of_edits_off(train: Training, study: StudyScores) -> None:
    rows = study.rows()
    within = rows - rows.groupby(level="edit").transform("mean")
    made = WithinEditCorrelation().fit(train)
    assert made is not None
    np.testing.assert_allclose(made.score, within.corr().abs(), atol=1e-12)


def test_one_factor_is_the_first_principal_component(train: Training, study: StudyScores) -> None:
    decomposition = pytest.importorskip("sklearn.decomposition")
    z = stats.zscore(study.rest, axis=0)
    pca = decomposition.PCA(1).fit(z)
    loading = pca.components_[0] * np.sqrt(pca.explained_variance_[0] * (len(z) - 1) / len(z))
    made = OneFactor().fit(train)
    assert made is not None
    np.testing.assert_allclose(made.score, np.minimum(np.abs(np.outer(loading, loading)), 1), atol=1e-10)


def test_marginal_and_conditional_rates_are_counts(train: Training, study: StudyScores) -> None:
    change = changes(study)
    did = change.abs() > 0.4
    rate = did.where(change.notna()).astype(float).mean()
    np.testing.assert_allclose(MarginalRate().fit(train).score, np.tile(rate, (6, 1)))
    made = ConditionalRate(prior=50).fit(train).score
    for i, a in enumerate(study.values):
        for j, b in enumerate(study.values):
            given = did.loc[did[a] & change[b].notna(), b]
            assert made[i, j] == pytest.approx((given.sum() + 50 * rate[b]) / (len(given) + 50))


def test_marginal_interval_is_that_of_one_more_edit(train: Training) -> None:
    means = train.means[:, 0]
    made = MarginalRate().fit(train)
    low, high = made.interval(1.0) or (None, None)
    half = stats.t.ppf(0.975, len(means) - 1) * means.std(ddof=1) * np.sqrt(1 + 1 / len(means))
    np.testing.assert_allclose(high[:, 0], means.mean() + half)
    np.testing.assert_allclose(low[:, 0], means.mean() - half)


def test_what_knows_the_tested_items_looks_at_them_alone(study: StudyScores) -> None:
    """Items of training say one thing, those tested another: only the second is heard."""
    other = StudyScores(
        study.edits, study.personas, study.values, study.rest[:, ::-1], study.after[..., ::-1], study.change[..., ::-1]
    )
    before = np.round(other.rest, 1)
    other = StudyScores(other.edits, other.personas, other.values, before, other.after, other.change)
    train = Training(study, threshold=0.4, before=before, items=other)
    for one, of in (
        (ItemRate(), MarginalRate().fit(Training(other, threshold=0.4)).score[0]),
        (ScoreLevels(), [len(set(column)) for column in before.T]),
        (UneditedDisagreement(), UneditedDisagreement().fit(Training(other, threshold=0.4)).score[0]),
    ):
        made = one.fit(train)
        assert made is not None and one.knows_items
        np.testing.assert_allclose(made.score[0], of)
        without = one.fit(Training(study, threshold=0.4))
        assert without is None or not np.allclose(without.score[0], of)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(-3, 3), min_size=2, max_size=12), st.sampled_from([0.0, 1.0, 1.5]))
def test_disagreement_counts_pairs(scores: list[int], threshold: float) -> None:
    table = np.array(scores, dtype=float)[:, None] * [1.0, 0.0]
    study = StudyScores(("e",), tuple(map(str, scores)), ("a", "b"), table, table[None], table[None])
    made = UneditedDisagreement().fit(Training(study, threshold=threshold))
    pairs = [abs(x - y) > threshold for k, x in enumerate(scores) for y in scores[:k]]
    assert made is not None
    np.testing.assert_allclose(made.score[0], [np.mean(pairs), 0.0], atol=1e-12)


# -- graphs ------------------------------------------------------------------------------------------------------------


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 9), st.integers(0, 10_000))
def test_reachable_is_that_of_networkx(size: int, seed: int) -> None:
    step = np.random.default_rng(seed).random((size, size)) < 0.25
    np.fill_diagonal(step, False)
    paths = nx.DiGraph(step)
    expected = np.array([[j in nx.descendants(paths, i) for j in range(size)] for i in range(size)])
    np.testing.assert_array_equal(reachable(step), expected)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000))
def test_rewired_graphs_keep_every_degree(seed: int) -> None:
    rng = np.random.default_rng(seed)
    pairs = [[i, j] for j in range(8) for i in range(j)]
    chosen = rng.permutation(len(pairs))[:14]
    directed, undirected = ([pairs[k] for k in part] for part in (chosen[:9], chosen[9:]))
    arrows, lines = rewired(directed, undirected, rng)
    for before, after in ((directed, arrows),):
        for end in (0, 1):
            assert sorted(e[end] for e in before) == sorted(e[end] for e in after)
    assert sorted(end for edge in undirected for end in edge) == sorted(end for edge in lines for end in edge)
    edges = [frozenset(edge) for edge in (*arrows, *lines)]
    assert len(set(edges)) == 14 and all(len(edge) == 2 for edge in edges)


def test_rewiring_changes_the_graph() -> None:
    rng = np.random.default_rng(0)
    edges = [[i, i + 5] for i in range(5)]
    assert any(rewired(edges, [], rng)[0] != edges for _ in range(3))


def test_reach_and_effects_of_a_known_graph(train: Training) -> None:
    reach = GraphReach("definite").fit(train)
    assert reach is not None
    np.testing.assert_array_equal(reach.score > 0, pairs_dag(6))
    effects = GraphEffects().fit(train)
    assert effects is not None and effects.slope is not None
    np.testing.assert_array_equal(np.abs(effects.slope - np.eye(6)) > 0, pairs_dag(6))
    rows = train.study.rows().dropna()
    rows = rows - rows.groupby(level="edit").transform(
        "mean"
    )  # what an edit moves together is no effect of one on another
    for cause in (0, 2, 4):  # without parents: the plain regression
        fit = stats.linregress(rows[f"v{cause}"], rows[f"v{cause + 1}"])
        assert effects.slope[cause, cause + 1] == pytest.approx(fit.slope)


def test_random_graphs_spread_what_the_graph_puts_in_one_place(train: Training) -> None:
    made = RandomGraphs(200).fit(train)
    assert made is not None
    causes, effects = np.arange(0, 6, 2), np.arange(1, 6, 2)
    # Each of three causes keeps one arrow and each of three effects receives one: by symmetry 1/3 everywhere.
    np.testing.assert_allclose(made.score[np.ix_(causes, effects)], 1 / 3, atol=0.12)
    assert made.score[effects].sum() == 0


def test_values_that_the_graph_lacks_are_nobodys_descendants(study: StudyScores) -> None:
    small = graph_of(pairs_dag(4), ["v3", "v2", "v1", "x"])
    made = GraphReach("possible").fit(Training(study, find_graph=lambda _: small))
    assert made is not None
    assert [(study.values[i], study.values[j]) for i, j in np.argwhere(made.score > 0)] == [("v3", "v2")]


# -- learnt from other edits -------------------------------------------------------------------------------------------


def test_change_regression_is_ridge_through_the_origin(train: Training) -> None:
    linear = pytest.importorskip("sklearn.linear_model")
    made = ChangeRegression(penalty=2.0).fit(train)
    assert made is not None and made.slope is not None
    x, y = train.means[:, [0]], train.means[:, 1]
    ridge = linear.Ridge(alpha=2.0 * float((x**2).mean()), fit_intercept=False).fit(x, y)
    assert made.slope[0, 1] == pytest.approx(ridge.coef_[0])


def test_low_rank_is_probabilistic_pca(study: StudyScores) -> None:
    decomposition = pytest.importorskip("sklearn.decomposition")
    both = np.concatenate([study.change, -study.change])  # without a mean, since scikit-learn takes it off
    mirrored = StudyScores(tuple(map(str, range(24))), study.personas, study.values, study.rest, both, both)
    train = Training(mirrored, threshold=0.4)
    made = LowRank(rank=2).fit(train)
    assert made is not None and made.slope is not None
    covariance = decomposition.PCA(2).fit(train.means / train.noise).get_covariance()
    covariance = covariance * np.outer(train.noise, train.noise)
    np.testing.assert_allclose(made.slope, covariance / np.diagonal(covariance)[:, None], rtol=1e-8, atol=1e-10)


def test_gaussian_scores_are_chances_to_be_detected(train: Training) -> None:
    made = LowRank().fit(train)
    assert made is not None and made.edit_score is not None and made.slope is not None and made.spread is not None
    spread = made.spread[0, 1] / stats.t.ppf(0.975, 11)
    chance = 1 - np.diff(stats.norm.cdf([-train.detectable[1], train.detectable[1]], made.slope[0, 1] * 0.8, spread))
    assert made.scores(0.8)[0, 1] == pytest.approx(chance[0])


def test_rate_times_graph_lifts_what_the_graph_connects(train: Training) -> None:
    made, rate = RateTimesGraph().fit(train), MarginalRate().fit(train)
    assert made is not None
    factor = made.score / rate.score
    connected = pairs_dag(6)
    assert np.ptp(factor[connected]) < 1e-12 and np.ptp(factor[~connected & ~np.eye(6, dtype=bool)]) < 1e-12
    assert factor[connected][0] > 1 > factor[0, 2]


def test_logistic_is_that_of_scikit_learn() -> None:
    linear = pytest.importorskip("sklearn.linear_model")
    rng = np.random.default_rng(5)
    x = rng.normal(size=(60, 3))
    n = rng.integers(1, 9, size=60)
    yes = rng.binomial(n, 1 / (1 + np.exp(-x @ [1.0, 0.5, 0.8]))).astype(float)
    no = n - yes
    ours = logistic(x, yes, no, penalty=2.0)
    model = linear.LogisticRegression(C=0.5, tol=1e-10, max_iter=1000)
    model.fit(np.concatenate([x, x]), np.repeat([1, 0], 60), sample_weight=np.concatenate([yes, no]))
    np.testing.assert_allclose(ours, [*model.intercept_, *model.coef_[0]], atol=1e-6)


def test_logistic_has_no_negative_weights_and_nothing_better() -> None:
    """The conditions of Karush, Kuhn and Tucker: no slope where a weight is free, none downhill where it is 0."""
    rng = np.random.default_rng(6)
    x = rng.normal(size=(80, 4))
    n = rng.integers(1, 9, size=80).astype(float)
    yes = rng.binomial(n.astype(int), 1 / (1 + np.exp(-x @ [1.0, -1.0, 0.5, -0.2]))).astype(float)
    weights = logistic(x, yes, n - yes, penalty=1.0)
    wide = np.column_stack([np.ones(80), x])
    slope = wide.T @ (n / (1 + np.exp(-wide @ weights)) - yes) + np.array([0, 1, 1, 1, 1]) * weights
    free = np.array([True, True, False, True, False])
    np.testing.assert_array_equal(weights[1:] > 0, free[1:])
    np.testing.assert_allclose(slope[free], 0, atol=1e-4)
    assert (slope[~free] > 1).all()


@dataclass(frozen=True)
class Remembers:
    """What happened under the edits that it was fitted on, and nothing else: worthless under any other."""

    name: str = "remembers"
    seen: list[tuple[str, ...]] = field(default_factory=list)

    def fit(self, train: Training) -> Prediction:
        self.seen.append(train.study.edits)
        return ConditionalRate(prior=0.01).fit(train)


def test_stacked_weights_are_learnt_on_edits_that_no_base_has_seen() -> None:
    """Each edit moves two values of its own: what was seen says nothing of the next edit, but all of those seen."""
    values, edits, personas = 16, 8, 12
    change = np.zeros((edits, personas, values))
    for e in range(edits):
        change[e, :, [2 * e, 2 * e + 1]] = 1.0
    names = tuple(f"v{k}" for k in range(values))
    study = StudyScores(
        tuple(f"e{k}" for k in range(edits)), tuple(f"p{k}" for k in range(personas)), names,
        np.zeros((personas, values)), change, change,
    )  # fmt: skip
    base = Remembers()
    made = Stacked((base,), parts=4).fit(Training(study, threshold=0.5))
    assert made is not None
    whole, *nested = base.seen
    assert whole == study.edits and len(nested) == 4
    for part in nested:
        assert len(part) == 6
    assert sorted(edit for part in nested for edit in set(study.edits) - set(part)) == list(study.edits)
    assert np.ptp(made.score) < 0.1  # a weight learnt on the same edits would be large


def test_stacked_finds_the_predictor_that_knows(train: Training) -> None:
    made = Stacked().fit(train)
    assert made is not None
    score = made.scores()
    paired = pairs_dag(6) | pairs_dag(6).T  # where one of them changed, so did most often the other
    assert score[paired].min() > score[~paired & ~np.eye(6, dtype=bool)].max() - 0.2
    assert score[paired].mean() > score[~paired & ~np.eye(6, dtype=bool)].mean() + 1


# -- predictions -------------------------------------------------------------------------------------------------------


def test_default_predictors_have_names_and_fit(train: Training) -> None:
    made = default_predictors()
    assert made[0].name == "marginal rate"
    assert len({one.name for one in made}) == len(made)
    for one in made:
        assert isinstance(one, Predictor)
        found = one.fit(train)
        assert (found is None) == (one.name in ("name similarity", "marginal rate, tested items"))
        if found is not None:
            assert np.isfinite(found.scores()).all() and np.isfinite(found.scores(0.5)).all()


def test_pairs_without_a_score_get_the_mean() -> None:
    score = np.array([[9.0, 1.0, np.nan], [3.0, 9.0, np.nan], [np.nan, np.nan, 9.0]])
    made = Prediction(("a", "b", "c"), score)
    assert made.scores()[0, 2] == 2.0
    assert made.expected(1.0) is None and made.interval(1.0) is None
    assert made.predict("a", 1.0)["low"].isna().all()


def test_prediction_refuses() -> None:
    with pytest.raises(ValueError, match=r"slope: expected shape \(2, 2\)"):
        Prediction(("a", "b"), np.zeros((2, 2)), slope=np.zeros((3, 2)))
    with pytest.raises(ValueError, match="target: expected one of a, b, got 'c'"):
        Prediction(("a", "b"), np.zeros((2, 2))).predict("c", 1.0)


def test_predictors_without_enough_data_say_none(study: StudyScores) -> None:
    alone = study.only(edits=[0], personas=[0])
    train = Training(alone, threshold=0.4)
    fitted = {one.name: one.fit(train) for one in default_predictors()}
    assert [name for name, made in fitted.items() if made is not None] == [
        "marginal rate",
        "marginal size",
        "conditional rate",
    ]
