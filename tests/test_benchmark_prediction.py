"""The prediction benchmark against scikit-learn, brute force, and studies whose effects are known."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from benchmark_studies import answered, graph_of, linear_study, pairs_dag
from hypothesis import given, settings
from hypothesis import strategies as st

from pyvalue.edit_changes import paired_changes
from pyvalue.evaluation.benchmark import benchmark_predictions
from pyvalue.evaluation.benchmark_ranking import areas, wins
from pyvalue.evaluation.benchmark_verdict import holm
from pyvalue.evaluation.held_out import hold_out
from pyvalue.evaluation.predictors import Prediction, Training, to_rows
from pyvalue.evaluation.predictors_graph import GraphReach
from pyvalue.evaluation.predictors_items import ItemRate
from pyvalue.evaluation.predictors_known import MarginalRate
from pyvalue.evaluation.predictors_learnt import ChangeRegression, ConditionalRate, LowRank

QUICK: dict[str, Any] = {"permutations": 99, "resamples": 50}


@dataclass(frozen=True)
class Fixed:
    """Says the same whatever it is fitted on, and remembers what that was."""

    name: str
    score: np.ndarray
    slope: np.ndarray | None = None
    seen: list[Training] = field(default_factory=list)

    def fit(self, train: Training) -> Prediction:
        self.seen.append(train)
        return Prediction(train.study.values, self.score, slope=self.slope)


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    return linear_study(pairs_dag(6), 12, 30, seed=2)


# -- areas -------------------------------------------------------------------------------------------------------------


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 12))
def test_areas_of_counts_are_those_of_scikit_learn_with_weights(seed: int, cells: int) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(seed)
    score = rng.integers(0, 4, size=cells) / 3
    hits, misses = rng.integers(0, 5, size=(2, 1, cells)).astype(float)
    hits[0, 0] += 1
    misses[0, -1] += 1
    label, weight = np.repeat([1, 0], cells), np.concatenate([hits[0], misses[0]])
    area = areas(score, hits, misses)
    twice = np.tile(score, 2)
    assert area.won[0] / area.pairs[0] == pytest.approx(metrics.roc_auc_score(label, twice, sample_weight=weight))
    expected = metrics.average_precision_score(label, twice, sample_weight=weight)
    assert area.precision[0] / area.hits[0] == pytest.approx(expected)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000))
def test_wins_of_rows_add_up_to_the_area_of_any_sample(seed: int) -> None:
    rng = np.random.default_rng(seed)
    score = rng.integers(0, 5, size=12) / 4
    hits, misses = rng.integers(0, 2, size=(2, 6, 12)).astype(float)
    weights = rng.multinomial(6, np.full(6, 1 / 6), size=4).astype(float)
    made = areas(score, weights @ hits, weights @ misses)
    found = ((weights @ wins(score, hits, misses)) * weights).sum(axis=1)
    np.testing.assert_allclose(found, made.won, atol=1e-9)


def test_holm_is_that_of_statsmodels() -> None:
    multitest = pytest.importorskip("statsmodels.stats.multitest")
    p = np.array([0.04, 0.001, 0.03, 0.2, 0.01])
    np.testing.assert_allclose(holm(p), multitest.multipletests(p, method="holm")[1])
    assert np.isnan(holm([0.1, np.nan])[1]) and holm([0.1, np.nan])[0] == 0.1


# -- against brute force -----------------------------------------------------------------------------------------------


def test_row_level_is_what_loops_over_rows_find(rows: pd.DataFrame) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    score = np.random.default_rng(0).normal(size=(6, 6)).round(1)
    slope = np.random.default_rng(1).normal(size=(6, 6))
    fixed = Fixed("fixed", score, slope)
    found = benchmark_predictions(rows, predictors=[MarginalRate(), fixed], threshold=0.5, folds=1, **QUICK)
    cube = paired_changes(rows).cube()
    won = pairs = right = told = 0.0
    labels, scores = [], []
    for of_edit in cube:
        label, given_score = [], []
        for row in of_edit:
            for i in range(6):
                for j in range(6):
                    if i != j and abs(row[i]) > 0.5:
                        label.append(abs(row[j]) > 0.5)
                        given_score.append(score[i, j])
                        if label[-1]:
                            told += 1
                            right += np.sign(slope[i, j] * row[i]) == np.sign(row[j])
        weight = sum(label) * (len(label) - sum(label))
        won, pairs = won + weight * metrics.roc_auc_score(label, given_score), pairs + weight
        labels, scores = labels + label, scores + given_score
    assert found.estimate("fixed").estimate == pytest.approx(won / pairs)
    assert found.estimate("fixed").cells == len(labels)
    assert found.estimate("fixed", "sign accuracy").estimate == pytest.approx(right / told)
    assert found.estimate("fixed", "pooled AUROC").estimate == pytest.approx(metrics.roc_auc_score(labels, scores))


def test_samples_of_personas_are_those_of_repeated_rows(rows: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    """The area of every bootstrap sample, as scikit-learn has it with rows weighted by how often they were drawn."""
    metrics = pytest.importorskip("sklearn.metrics")
    import pyvalue.evaluation.benchmark as module

    kept: dict[str, Any] = {}

    def spied(*given: Any) -> Any:
        kept["strata"], _, kept["draws"] = given
        kept["made"] = row_level(*given)
        return kept["made"]

    row_level = module.row_level
    monkeypatch.setattr(module, "row_level", spied)
    score = np.random.default_rng(8).normal(size=(6, 6)).round(1)
    benchmark_predictions(rows, predictors=[Fixed("fixed", score)], threshold=0.5, folds=1, **QUICK)
    for draw in (0, 1, 7):
        won = pairs = 0.0
        for stratum in kept["strata"]:
            weights = kept["draws"].personas[draw][stratum.personas]
            did = np.abs(stratum.change) > 0.5
            cells = [(did[p, j], score[i, j], weights[p]) for p, i, j in np.ndindex(30, 6, 6) if did[p, i] and i != j]
            label, given_score, often = (np.array(column) for column in zip(*cells, strict=True))
            weight = often[label].sum() * often[~label].sum()
            won += weight * metrics.roc_auc_score(label, given_score, sample_weight=often)
            pairs += weight
        assert kept["made"][0]["AUROC"].plain[draw] == pytest.approx(won / pairs)


def test_rows_of_those_told_by_the_others_are_ranked_together(rows: pd.DataFrame) -> None:
    """Of personas that are tested at once each part is told by the rest: the rate of every row is that of its part."""
    metrics = pytest.importorskip("sklearn.metrics")
    test = linear_study(pairs_dag(6), 12, 9, seed=9)
    test.index = test.index.set_levels([f"q{name}" for name in test.index.levels[1]], level="persona")
    chosen = [MarginalRate(), ItemRate()]
    found = benchmark_predictions(rows, test=test, predictors=chosen, threshold=0.5, folds=3, **QUICK)
    split = hold_out(rows, test, "corrected", folds=3)
    won = pairs = 0.0
    for fold in split.folds:
        assert len(fold.items) == 3
        assert sorted(p for part in fold.items for p in part.personas) == list(range(9))
        label, given_score = [], []
        for part in fold.items:
            own = [fold.test.personas[p] for p in part.personas]
            assert sorted([*part.study.personas, *own]) == sorted(fold.test.personas)
            assert not set(part.study.edits) & set(fold.test.edits) and len(part.study.edits) == 11
            rate = (np.abs(part.study.change) > 0.5).mean(axis=(0, 1))
            for row in fold.test.change[0][list(part.personas)]:
                for i in np.flatnonzero(np.abs(row) > 0.5):
                    others = np.arange(6) != i
                    label += (np.abs(row) > 0.5)[others].tolist()
                    given_score += rate[others].tolist()
        weight = sum(label) * (len(label) - sum(label))
        won, pairs = won + weight * metrics.roc_auc_score(label, given_score), pairs + weight
    row = found.estimate("marginal rate, tested items")
    assert row.estimate == pytest.approx(won / pairs)
    assert row.cells == found.estimate("marginal rate").cells
    assert 0 < row.p <= 1 and row.low < row.estimate < row.high


def test_halved_items_are_known_from_training_personas(rows: pd.DataFrame) -> None:
    responses = answered(rows.loc[["", "e00", "e01", "e02"]], items=4, seed=0)
    for fold in hold_out(responses, None, "raw").folds:
        (part,) = fold.items
        assert part.study.personas == fold.train.personas and part.study.edits == fold.train.edits
        assert not np.allclose(part.study.change, fold.train.change)
        assert not set(part.study.personas) & set(fold.test.personas)


def test_edit_level_is_what_t_tests_find(rows: pd.DataFrame) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    from scipy import stats

    score = np.random.default_rng(3).normal(size=(6, 6))
    found = benchmark_predictions(rows, predictors=[MarginalRate(), Fixed("fixed", score)], folds=1, **QUICK)
    won = pairs = 0.0
    for of_edit in paired_changes(rows).cube():
        target = np.abs(of_edit.mean(axis=0)).argmax()
        others = [j for j in range(6) if j != target]
        label = stats.ttest_1samp(of_edit[:, others], 0).pvalue < 0.05 / 5
        if 0 < label.sum() < 5:
            weight = label.sum() * (5 - label.sum())
            won, pairs = won + weight * metrics.roc_auc_score(label, score[target, others]), pairs + weight
    assert found.estimate("fixed", level="edit").estimate == pytest.approx(won / pairs)


# -- known truth -------------------------------------------------------------------------------------------------------


def test_the_true_graph_beats_the_marginal_rate(rows: pd.DataFrame) -> None:
    graph = graph_of(pairs_dag(6), list(rows.columns))
    reach = GraphReach("definite")
    found = benchmark_predictions(rows, graph, predictors=[MarginalRate(), reach, ChangeRegression()], **QUICK)
    row = found.estimate(reach.name, level="edit")
    assert row.estimate > 0.9 and row.difference_wide_low > 0 and row.p <= 0.05
    assert found.estimate(reach.name).difference_wide_low > 0
    sign = found.estimate("change regression", "sign accuracy", "edit")
    assert sign.estimate > 0.95 and sign.difference > 0.2
    assert "better than the marginal rate" in found.verdict and reach.name in found.verdict


def test_a_constant_is_never_called_better(rows: pd.DataFrame) -> None:
    """Edits take turns here, so that the rates of what the left-out one moves are the lowest: worse than chance."""
    found = benchmark_predictions(rows, predictors=[MarginalRate(), Fixed("constant", np.ones((6, 6)))], **QUICK)
    assert found.estimate("marginal rate", level="edit").estimate < 0.4
    assert found.estimate("constant", level="edit").difference_wide_low > 0
    assert found.verdict.count("nothing is better") == 2


def test_the_graph_is_found_where_none_is_given(rows: pd.DataFrame) -> None:
    reach = GraphReach("possible")
    found = benchmark_predictions(rows, predictors=[MarginalRate(), reach], **QUICK)
    assert found.facts["graph"].startswith("found in the training rows")
    assert found.estimate(reach.name, level="edit").estimate > 0.75


def test_shuffled_outcomes_are_predicted_by_nothing(rows: pd.DataFrame) -> None:
    """Values of every tested row swap their changes: what is left to find is chance, whatever was fitted."""
    rng = np.random.default_rng(4)
    test = linear_study(pairs_dag(6), 12, 40, seed=5)
    test.index = test.index.set_levels([f"other {name}" for name in test.index.levels[1]], level="persona")
    before = test.loc[""]
    for edit in test.index.get_level_values("edit").unique()[1:]:
        change = test.loc[edit].to_numpy() - before.to_numpy()
        test.loc[edit] = before.to_numpy() + rng.permuted(change, axis=1)
    graph = graph_of(pairs_dag(6), list(rows.columns))
    found = benchmark_predictions(rows, graph, test=test, **QUICK)
    table = found.table[(found.table["metric"] == "AUROC") & (found.table["level"] == "row")]
    assert len(table) >= 12
    assert (table["estimate"] - 0.5).abs().max() < 0.05


def test_labels_that_say_nothing_have_uniform_p(rows: pd.DataFrame) -> None:
    """A score drawn at random is exchangeable under permuted names, so its p must not be small too often."""
    rows = rows.loc[["", "e00", "e01", "e02", "e03"]]
    p = []
    for seed in range(40):
        rng = np.random.default_rng(100 + seed)
        chance = [Fixed(str(k), rng.normal(size=(6, 6))) for k in range(5)]
        found = benchmark_predictions(rows, predictors=chance, permutations=59, resamples=2, folds=1, seed=seed)
        p += [found.estimate(str(k)).p for k in range(5)]
    assert 0.02 < np.mean(np.array(p) <= 0.1) < 0.19
    assert 0.4 < np.mean(np.array(p) <= 0.5) < 0.6


def test_few_values_are_permuted_in_every_way() -> None:
    small = linear_study(pairs_dag(4), 6, 12, seed=3)
    reach = GraphReach("definite")
    graph = graph_of(pairs_dag(4), list(small.columns))
    found = benchmark_predictions(small, graph, predictors=[MarginalRate(), reach], **QUICK)
    assert found.facts["exact"] and found.facts["permutations"] == 24
    p = found.estimate(reach.name, level="edit").p  # swapping the two pairs as wholes changes nothing
    assert p * 24 == pytest.approx(2)


def test_intervals_of_a_normal_model_hold_as_often_as_they_say() -> None:
    rng = np.random.default_rng(6)
    edits, personas, values = 60, 25, 5
    means = rng.normal(size=(edits, 2)) @ rng.normal(size=(2, values)) + 0.3 * rng.normal(size=(edits, values))
    before = rng.normal(size=(personas, values))
    after = before + means[:, None] + 0.5 * rng.normal(size=(edits, personas, values))
    index = pd.MultiIndex.from_product(
        [["", *(f"e{i:02d}" for i in range(edits))], [f"p{i:02d}" for i in range(personas)]], names=["edit", "persona"]
    )
    rows = pd.DataFrame(
        np.concatenate([before[None], after]).reshape(-1, values), index=index, columns=[f"v{i}" for i in range(values)]
    )
    chosen = [MarginalRate(), ChangeRegression(), LowRank()]
    # Always the same target: one chosen for being the largest change says that all others are smaller.
    targets = {f"e{i:02d}": "v0" for i in range(edits)}
    found = benchmark_predictions(rows, predictors=chosen, targets=targets, resamples=20, permutations=20)
    for one in chosen:
        assert 0.9 < found.estimate(one.name, "coverage", "edit").estimate < 0.995
    widths = [found.estimate(one.name, "width", "edit").estimate for one in chosen]
    assert widths[2] < 0.8 * widths[0]  # knowing the target narrows the interval


# -- what is held out --------------------------------------------------------------------------------------------------


def test_predictors_see_no_tested_edit_and_no_tested_persona(rows: pd.DataFrame) -> None:
    features = {"e00": "one", "e01": "one"}
    split = hold_out(rows, None, "corrected", folds=3, features=features)
    assert len(split.folds) == 3 * 11
    tested = set()
    for fold in split.folds:
        assert not set(fold.train.edits) & set(fold.test.edits)
        assert not set(fold.train.personas) & set(fold.test.personas)
        assert len(fold.train.edits) + len(fold.test.edits) == 12
        assert ("e00" in fold.test.edits) == ("e01" in fold.test.edits)
        tested |= {(edit, persona) for edit in fold.test.edits for persona in fold.test.personas}
    assert len(tested) == 12 * 30
    assert split.held_out == {"edit": True, "persona": True, "item": None}


def test_tested_rows_and_items_change_nothing_that_was_fitted(rows: pd.DataFrame) -> None:
    """Other answers to the tested items by the tested personas under the tested edit: the same training data."""
    responses = answered(rows.loc[["", "e00", "e01", "e02"]], items=4, seed=0)
    split = hold_out(responses, None, "raw")
    assert split.held_out == {"edit": True, "persona": True, "item": True}
    assert len(split.folds) == 2 * 2 * 3
    spy = Fixed("spy", np.zeros((6, 6)))
    benchmark_predictions(responses, predictors=[spy], score="raw", **QUICK)
    table = responses.table.copy()
    one = split.folds[0]
    for fold in split.folds:
        same = responses.only(personas=list(fold.test.personas)).table
        for edit in fold.test.edits:
            part = same[same["edit"] == edit]
            assert len(part) == len(fold.test.personas) * 24
    # Answers of the first half of the items are what folds of the second half are fitted on, and the reverse.
    other = next(f for f in split.folds[6:] if (f.test.edits, f.test.personas) == (one.test.edits, one.test.personas))
    assert not np.allclose(one.train.rest, other.train.rest)
    assert not np.allclose(one.test.rest, other.test.rest)
    touched = table["persona"].isin(one.test.personas) & (table["edit"] == one.test.edits[0])
    table.loc[touched, ["p_yes", "score"]] = 0.5, 0.0
    again = hold_out(type(responses)(table), None, "raw").folds[0]
    np.testing.assert_array_equal(again.train.change, one.train.change)
    np.testing.assert_array_equal(again.train.rest, one.train.rest)
    np.testing.assert_array_equal(again.known, one.known)
    assert not np.allclose(again.test.change, one.test.change)


def test_halves_of_items_share_none_and_balance_signs(rows: pd.DataFrame) -> None:
    from pyvalue.evaluation.held_out import _halves

    responses = answered(rows.loc[["", "e00"]].iloc[:60], items=6, seed=0)
    one, other = _halves(responses, 0) or (None, None)
    assert not set(one.table["item"]) & set(other.table["item"])
    for half in (one, other):
        items = half.table.drop_duplicates("item")
        assert (items.groupby("value").size() == 3).all()
        assert items.groupby("value")["keying"].sum().abs().max() == 1


def test_result_is_the_same_for_any_order_of_rows(rows: pd.DataFrame) -> None:
    chosen = [MarginalRate(), ConditionalRate()]
    one = benchmark_predictions(rows, predictors=chosen, **QUICK)
    other = benchmark_predictions(rows.sample(frac=1, random_state=0), predictors=chosen, **QUICK)
    pd.testing.assert_frame_equal(one.table, other.table)
    third = benchmark_predictions(rows, predictors=chosen, seed=1, **QUICK)
    assert not one.table.equals(third.table)


def test_personas_in_both_sources_are_not_fitted_on(rows: pd.DataFrame) -> None:
    people = rows.index.get_level_values("persona")
    spy = Fixed("spy", np.zeros((6, 6)))
    test = rows[people >= "p020"]
    found = benchmark_predictions(rows, test=test, predictors=[spy], **QUICK)
    assert {train.study.personas for train in spy.seen} == {tuple(f"p{i:03d}" for i in range(20))}
    assert found.facts["personas"] == 10


# -- what cannot be had ------------------------------------------------------------------------------------------------


def test_one_edit_is_split_by_personas_alone(rows: pd.DataFrame) -> None:
    found = benchmark_predictions(rows.loc[["", "e00"]], predictors=[MarginalRate()], **QUICK)
    assert found.facts["held_out"] == {"edit": False, "persona": True, "item": None}
    assert any("none is left out" in note for note in found.notes)
    assert np.isnan(found.estimate("marginal rate").wide_low) and found.estimate("marginal rate").low > 0


def test_one_persona_has_rows_but_no_mean_changes(rows: pd.DataFrame) -> None:
    alone = rows[rows.index.get_level_values("persona") == "p003"]
    found = benchmark_predictions(alone, **QUICK)
    assert found.facts["held_out"]["persona"] is False
    assert any("one tested persona" in note for note in found.notes)
    row = found.estimate("marginal rate")
    assert np.isfinite(row.estimate) and np.isnan(row.low)
    assert np.isnan(found.estimate("marginal rate", level="edit").estimate)
    assert "Mean changes: no cells to rank." in str(found)


def test_an_edit_without_variance_and_missing_scores(rows: pd.DataFrame) -> None:
    holed = rows.copy()
    holed.loc["e03"] = holed.loc[""].to_numpy()
    holed.iloc[35:50, 1] = np.nan
    holed.iloc[:30, 2] = np.nan  # no unedited scores: no change of v2 is known
    found = benchmark_predictions(holed, graph_of(pairs_dag(6), list(rows.columns)), **QUICK)
    assert any("moved no value" in note and "e03" in note for note in found.notes)
    assert np.isfinite(found.estimate("marginal rate").estimate)
    assert found.per_edit.loc[found.per_edit["edit"] == "e03", "AUROC"].isna().all()


def test_a_broken_edit_is_left_out_and_named(rows: pd.DataFrame) -> None:
    broken = rows.copy()
    broken.loc["e05"] = 0.0
    found = benchmark_predictions(broken, predictors=[MarginalRate()], **QUICK)
    assert found.facts["edits"] == 11
    assert any("'e05' was left out" in note for note in found.notes)


def test_a_cyclic_graph_and_foreign_values_are_named(rows: pd.DataFrame) -> None:
    dag = pairs_dag(6)
    marks = np.zeros((6, 6), dtype=np.int8)
    for a, b in ((0, 1), (1, 2), (2, 0)):
        marks[a, b], marks[b, a] = -1, 1
    cyclic = type(graph_of(dag, list("abcdef")))(
        ("v0", "v1", "v2", "v3", "v4", "elsewhere"), marks, graph_of(dag, list("abcdef")).settings
    )
    found = benchmark_predictions(rows, cyclic, **QUICK)
    told = " ".join(found.notes)
    assert "no DAG has exactly this graph" in told and "elsewhere" in told and "lacks v5" in told
    assert np.isfinite(found.estimate("graph, possible descendants").estimate)


def test_no_unedited_rows(rows: pd.DataFrame) -> None:
    with pytest.raises(ValueError, match="expected rows without an edit"):
        benchmark_predictions(rows.drop(index="", level="edit"))


@pytest.mark.parametrize(
    ("options", "fault", "message"),
    [
        ({"graph": "a -> b"}, TypeError, "graph: expected a ValueGraph"),
        ({"folds": 0}, ValueError, "folds: expected at least 1, got 0"),
        ({"permutations": 1.5}, TypeError, "permutations: expected a whole number"),
        ({"confidence": 95}, ValueError, "confidence: expected a number between 0 and 1, got 95"),
        ({"threshold": -1.0}, ValueError, "threshold"),
        ({"predictors": []}, ValueError, "predictors: expected at least one"),
        ({"predictors": ["graph"]}, TypeError, "predictors: expected objects with a name and fit"),
        ({"predictors": [MarginalRate(), MarginalRate()]}, ValueError, "different names"),
        ({"similarity": np.eye(6)}, TypeError, "similarity: expected a DataFrame"),
        ({"similarity": pd.DataFrame(np.eye(2), ["v0", "v1"], ["v0", "v1"])}, ValueError, "v2, v3, v4, v5 is missing"),
        ({"targets": {"e00": "nobody"}}, ValueError, "targets: 'nobody' of edit 'e00' is no value"),
        ({"targets": {"zz": "v0"}}, ValueError, "targets: no edit 'zz'; the edits are e00, e01"),
        ({"targets": "v0"}, TypeError, "targets: expected a dictionary with edits as keys, got str"),
        ({"features": {1: "f"}}, ValueError, "features: no edit '1'; the edits are e00"),
        ({"score": "zz"}, ValueError, "score: expected one of"),
        ({"threshold": "a"}, TypeError, "threshold: expected a number, got 'a'"),
        ({"confidence": "x"}, TypeError, "confidence: expected a number, got 'x'"),
        ({"confidence": None}, ValueError, "confidence: expected a number between 0 and 1, got None"),
        ({"resamples": "many"}, TypeError, "resamples: expected a whole number, got 'many'"),
        ({"seed": -1}, ValueError, "seed: expected at least 0, got -1"),
        ({"seed": "x"}, TypeError, "seed: expected a whole number"),
        ({"graph": graph_of(pairs_dag(2), ["a", "b"])}, ValueError, "graph: it has none of the values of the source"),
    ],
)
def test_bad_arguments_are_named(rows: pd.DataFrame, options: Any, fault: type[Exception], message: str) -> None:
    with pytest.raises(fault, match=message):
        benchmark_predictions(rows, **options)


def test_edits_may_be_numbers_texts_or_both(rows: pd.DataFrame) -> None:
    few = rows.loc[["", "e00", "e01", "e02"]]
    labels = {"": "", "e00": 14351, "e01": "14352", "e02": "x"}
    index = [(labels[edit], persona) for edit, persona in few.index]
    mixed = few.set_axis(pd.MultiIndex.from_tuples(index, names=["edit", "persona"])).set_axis(range(6), axis=1)
    options: dict[str, Any] = {"predictors": [MarginalRate(), ConditionalRate()], **QUICK}
    found = benchmark_predictions(mixed, features={14351: "f", 14352.0: "f"}, targets={"14351": 3}, **options)
    assert found.facts["splits"] == 2 * 2
    own = found.per_edit[found.per_edit["edit"] == "14351"]
    assert set(own["target"]) == {"3"}
    assert found.facts["targets"] == "given for 1 of 3 edits, else the value moved most in training personas"
    with pytest.raises(ValueError, match="targets: expected every edit once, got 14351, 14351"):
        benchmark_predictions(mixed, targets={14351: "0", "14351": "1"}, **options)


def test_targets_of_a_broken_edit_are_passed_over(rows: pd.DataFrame) -> None:
    broken = rows.copy()
    broken.loc["e05"] = 0.0
    found = benchmark_predictions(broken, predictors=[MarginalRate()], targets={"e05": "v0", "e00": "v0"}, **QUICK)
    assert found.facts["targets"].startswith("given for 1 of 11 edits")


def test_what_a_source_lacks_is_counted(rows: pd.DataFrame) -> None:
    holed = rows.drop(index=[("", "p000"), ("", "p001"), ("e00", "p001")])
    holed = holed.drop(index=[key for key in holed.index if key[1] == "p005" and key[0]])
    holed.iloc[[0, 40, 41], 1] = np.nan
    found = benchmark_predictions(holed, predictors=[MarginalRate()], **QUICK)
    told = "; ".join(found.notes)
    assert "23 rows under edits, of 2 personas without an unedited row, left out" in told
    assert "1 persona without a row under any edit" in told
    assert f"3 scores of {holed.size} missing (in v1), 1 of them unedited" in told
    assert not any("missing" in note or "without a" in note for note in benchmark_predictions(
        rows, predictors=[MarginalRate()], **QUICK
    ).notes)  # fmt: skip


# -- the result --------------------------------------------------------------------------------------------------------


def test_result_is_saved_and_printed(rows: pd.DataFrame, tmp_path: Path) -> None:
    rows = rows.loc[["", "e00", "e01", "e02", "e03"]]
    similarity = pd.DataFrame(np.eye(6), rows.columns, rows.columns)
    found = benchmark_predictions(rows, similarity=similarity, targets={"e00": "v0"}, **QUICK)
    data = json.loads(found.save(tmp_path / "benchmark.json").read_text())
    assert data["verdict"] == found.verdict and len(data["table"]) == len(found.table)
    assert {row["predictor"] for row in data["per_edit"]} >= {"marginal rate", "name similarity", "stacked"}
    text = str(found)
    for name in found.table["predictor"].unique():
        assert name in text
    with pytest.raises(ValueError, match="no row 'nobody'"):
        found.estimate("nobody")
    own = found.per_edit[(found.per_edit["edit"] == "e00") & (found.per_edit["level"] == "edit")]
    assert set(own["target"]) == {"v0"}


def test_the_picture_has_a_mark_for_every_predictor_and_level(rows: pd.DataFrame) -> None:
    from pyvalue.reporting.benchmark_plot import draw_benchmark

    found = benchmark_predictions(rows.loc[["", "e00", "e01"]], predictors=[MarginalRate(), ConditionalRate()], **QUICK)
    axes = draw_benchmark(found).axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["marginal rate *", "conditional rate"]
    drawn = {round(float(line.get_xdata()[0]), 9) for line in axes.lines if len(line.get_xdata()) == 1}
    areas_ = found.table[found.table["metric"] == "AUROC"]
    assert drawn == set(areas_["estimate"].round(9))
    with pytest.raises(ValueError, match="metric: expected one of AUROC"):
        draw_benchmark(found, metric="F1")


def test_the_legend_shows_marks_as_they_are_drawn(rows: pd.DataFrame) -> None:
    from pyvalue.reporting.benchmark_plot import draw_benchmark
    from pyvalue.reporting.theme import SURFACE

    test = linear_study(pairs_dag(6), 3, 12, seed=7)
    test.index = test.index.set_levels([f"q{name}" for name in test.index.levels[1]], level="persona")
    chosen = [ItemRate(), MarginalRate(), ConditionalRate()]
    found = benchmark_predictions(rows.loc[["", "e00", "e01", "e02"]], test=test, predictors=chosen, **QUICK)
    figure = draw_benchmark(found)
    axes, legend = figure.axes[0], figure.legends[0]
    handles = dict(zip([text.get_text() for text in legend.get_texts()], legend.legend_handles, strict=True))
    assert list(handles)[-2:] == ["interval over personas and edits", "over personas alone"]
    drawn = {line.get_linewidth() for line in axes.lines if len(line.get_xdata()) == 2 and line.get_marker() == "None"}
    assert {handles[name].get_linewidth() for name in list(handles)[-2:]} <= drawn
    marks = [line for line in axes.lines if len(line.get_xdata()) == 1]
    for name in ("mean change of an edit", "a persona's change"):
        alike = [m for m in marks if (m.get_color(), m.get_marker()) == (
            handles[name].get_color(), handles[name].get_marker()
        )]  # fmt: skip
        assert len(alike) == 3
        assert handles[name].get_markerfacecolor() == SURFACE
    assert [label.get_text() for label in axes.get_yticklabels()] == [
        "marginal rate *", "conditional rate", "marginal rate, tested items",
    ]  # fmt: skip
    assert {text.get_text() for text in axes.texts} == {"told by\nother items", "knows the\ntested items"}


def test_responses_and_their_matrix_agree_where_items_are_not_split(rows: pd.DataFrame) -> None:
    responses = answered(rows.loc[["", "e00", "e01", "e02"]], items=1, seed=0)
    chosen = [MarginalRate(), Fixed("fixed", to_rows(np.arange(6.0)))]
    one = benchmark_predictions(responses, predictors=chosen, score="raw", **QUICK)
    other = benchmark_predictions(responses.matrix("raw"), predictors=chosen, **QUICK)
    assert one.facts["held_out"]["item"] is False
    pd.testing.assert_frame_equal(one.table, other.table)
