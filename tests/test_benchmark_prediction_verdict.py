"""What a benchmark calls better: tests against SciPy, and studies in which nothing can be told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pytest
from benchmark_studies import balanced_null, linear_study, pairs_dag
from scipy import stats

from pyvalue.evaluation.benchmark import benchmark_predictions
from pyvalue.evaluation.benchmark_compared import compared
from pyvalue.evaluation.benchmark_verdict import judged, verdict_of
from pyvalue.evaluation.predictors import Prediction, Training
from pyvalue.evaluation.predictors_items import ItemRate, ScoreLevels, UneditedDisagreement
from pyvalue.evaluation.predictors_known import Correlation, MarginalRate, MarginalSize
from pyvalue.evaluation.predictors_learnt import ConditionalRate
from pyvalue.evaluation.predictors_stacked import Stacked

QUICK: dict[str, Any] = {"permutations": 99, "resamples": 50}


@dataclass(frozen=True)
class Said:
    """Says the same whatever it is fitted on."""

    name: str
    score: np.ndarray
    knows_items: bool = False

    def fit(self, train: Training) -> Prediction:
        return Prediction(train.study.values, self.score)


def table(*rows: tuple[str, float, float, float, float], knows: tuple[bool, ...] = ()) -> pd.DataFrame:
    """AUROC of rows: (name, estimate, difference, difference_p, p), the first the baseline."""
    made = pd.DataFrame(rows, columns=["predictor", "estimate", "difference", "difference_p", "p"])
    made["level"], made["metric"] = "row", "AUROC"
    made["knows_items"] = list(knows) or [False] * len(rows)
    made["is_baseline"] = made["difference"].isna()
    made["compared_with"] = np.where(made["is_baseline"], "", rows[0][0])
    made["difference_wide_low"] = made["difference_wide_high"] = made["difference"]
    return made


BASE = ("rate", 0.5, np.nan, np.nan, 0.5)


# -- the verdict -------------------------------------------------------------------------------------------------------


def test_better_after_holm_alone() -> None:
    """.03 is enough for one predictor, not for three."""
    alone = table(BASE, ("a", 0.7, 0.2, 0.03, 0.001))
    three = table(BASE, ("a", 0.7, 0.2, 0.03, 0.001), ("b", 0.6, 0.1, 0.04, 0.5), ("c", 0.6, 0.1, 0.9, 0.5))
    assert "permuted names, after Holm's correction: a. The best" in verdict_of(alone, "row", {"confidence": 0.95})
    assert "nothing is better" in verdict_of(three, "row", {"confidence": 0.95})
    np.testing.assert_allclose(judged(three, "row")["adjusted"], [0.09, 1, 1])


def test_p_of_permuted_names_is_corrected_too() -> None:
    """Of many predictors one has a small p by chance, and beats a baseline that is worse than chance."""
    many = table(BASE, ("a", 0.7, 0.2, 0.001, 0.03), *[(str(k), 0.6, 0.1, 0.001, 0.5) for k in range(3)])
    assert "nothing is better" in verdict_of(many, "row", {"confidence": 0.95})


def test_what_is_surely_worse_is_not_better() -> None:
    worse = table(BASE, ("a", 0.4, -0.1, 0.001, 0.001))
    assert "nothing is better" in verdict_of(worse, "row", {"confidence": 0.95})


def test_predictors_are_compared_with_their_like() -> None:
    kinds = compared([False, False, True, True], [True, True, True, False], same_items=False)
    assert kinds.rivals([0.5, 0.6, 0.7, 0.8]) == [1, None, None, 2]
    assert kinds.signed_rivals() == [None, 0, None, 2]
    whole = compared([False, False, True, True], [True, True, True, False], same_items=True)
    assert whole.rivals([0.5, 0.6, 0.7, 0.8]) == [2, 2, None, 2]
    first = compared([True, False, False], [False, False, False], same_items=False)
    assert first.rivals([0.5, 0.6, 0.7]) == [None, None, 1]  # nobody to compare the first with


def test_who_knows_the_items_is_not_compared_with_who_does_not() -> None:
    """Items of the test file are others: disagreement on them needs a baseline that knows them as well."""
    train, test = linear_study(pairs_dag(6), 8, 20, seed=1), linear_study(pairs_dag(6), 8, 12, seed=2)
    test.index = test.index.set_levels([f"q{name}" for name in test.index.levels[1]], level="persona")
    chosen = [MarginalRate(), Correlation(), UneditedDisagreement()]
    alone = benchmark_predictions(train, test=test, predictors=chosen, **QUICK)
    assert np.isnan(alone.estimate("unedited disagreement").difference)
    assert any("unedited disagreement: compared with nothing" in note for note in alone.notes)
    assert "Persona rows, knowing the tested items: no baseline" in alone.verdict
    both = benchmark_predictions(train, test=test, predictors=[*chosen, ItemRate(), ScoreLevels()], **QUICK)
    row = both.estimate("unedited disagreement")
    best = max(("marginal rate, tested items", "score levels, tested items"), key=lambda n: both.estimate(n).estimate)
    assert row.compared_with == best and row.knows_items
    assert row.difference == pytest.approx(row.estimate - both.estimate(best).estimate)
    assert both.estimate("correlation").compared_with == "marginal rate"
    assert both.verdict.count("without knowing the tested items") == 2
    text = str(both)
    assert text.index("does not know the tested items; baseline: marginal rate") < text.index("-- knows the tested")


def test_where_the_items_are_the_same_all_know_them() -> None:
    rows = linear_study(pairs_dag(6), 6, 20, seed=1)
    found = benchmark_predictions(rows, predictors=[MarginalRate(), ItemRate(), UneditedDisagreement()], **QUICK)
    assert found.table["knows_items"].all()
    assert found.estimate("unedited disagreement").compared_with == "marginal rate"
    assert any("marginal rate, tested items: left out, since the tested items" in note for note in found.notes)


# -- intervals over edits ----------------------------------------------------------------------------------------------


def test_wide_intervals_and_p_are_of_edits() -> None:
    """All personas alike: which of them are drawn changes nothing, which edits are drawn does."""
    rng = np.random.default_rng(0)
    shifts = rng.integers(-1, 2, size=(10, 6)).astype(float)
    before = np.zeros((8, 6))
    index = pd.MultiIndex.from_product(
        [["", *(f"e{k}" for k in range(10))], [f"p{k}" for k in range(8)]], names=["edit", "persona"]
    )
    rows = pd.DataFrame(
        np.concatenate([before, *(before + s for s in shifts)]), index=index, columns=[f"v{k}" for k in range(6)]
    )
    chosen = [MarginalRate(), Said("said", rng.normal(size=(6, 6)))]
    found = benchmark_predictions(rows, predictors=chosen, permutations=20, resamples=400)
    row = found.estimate("said")
    assert row.low == pytest.approx(row.high) and row.difference_low == pytest.approx(row.difference_high)
    error = (row.difference_wide_high - row.difference) / stats.t.ppf(0.975, 7)  # 8 personas are fewer than 10 edits
    assert error > 0.01
    assert row.difference_p == pytest.approx(2 * stats.t.sf(abs(row.difference) / error, 7))
    # Resampling edits by hand, from what each edit adds to the ratio: hits and misses are the same in all personas.
    changed = np.abs(shifts) > 0
    apart = ~np.eye(6, dtype=bool)
    won, pairs = [], []
    for c in changed:
        hit, miss = (chosen[1].score[(c[:, None] & other) & apart] for other in (c[None, :], ~c[None, :]))
        won.append((hit[:, None] > miss).sum())
        pairs.append(len(hit) * len(miss))
    drawn = rng.integers(10, size=(4000, 10))
    spread = (np.array(won)[drawn].sum(axis=1) / np.array(pairs)[drawn].sum(axis=1)).std() * np.sqrt(8 / 7)
    half = stats.t.ppf(0.975, 7) * spread
    assert row.wide_high - row.estimate == pytest.approx(min(half, 1 - row.estimate), rel=0.15)


# -- studies in which nothing can be told ------------------------------------------------------------------------------


def test_a_balanced_design_is_no_knowledge_of_side_effects() -> None:
    """Stacking must not learn that a value which moved under the other edits does not move under this one."""
    bases = (MarginalRate(), MarginalSize(), ConditionalRate(), Correlation())
    chosen = [MarginalRate(), Correlation(), ConditionalRate(), Stacked(bases, parts=3)]
    said, rates = 0, []
    for seed in range(20):
        found = benchmark_predictions(balanced_null(8, 12, seed), predictors=chosen, seed=seed, **QUICK)
        rates.append(found.estimate("marginal rate", level="edit").estimate)
        said += found.verdict.count("nothing is better") + found.verdict.count("no cells to rank")
    assert np.mean(rates) < 0.4  # worse than chance
    assert said >= 0.95 * 40


def test_too_few_permutations_are_pointed_out() -> None:
    rows = linear_study(pairs_dag(4), 5, 12, seed=3)
    chosen = [MarginalRate(), *(Said(str(k), np.random.default_rng(k).normal(size=(4, 4))) for k in range(3))]
    found = benchmark_predictions(rows, predictors=chosen, permutations=19, resamples=20)
    assert any("19 permutations of names are too few" in note for note in found.notes)
