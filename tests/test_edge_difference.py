"""Differences of associations between two groups, compared with pingouin, SciPy and statsmodels, and by simulation."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pyvalue.evaluation.edge_difference import edge_differences
from pyvalue.evaluation.edge_difference_errors import difference_errors
from pyvalue.evaluation.edge_difference_groups import partial_of, two_groups
from pyvalue.evaluation.ess import SurveyValues


def table(scores: np.ndarray, first: int = 0, edits: int = 1) -> pd.DataFrame:
    """Rows of personas p{first} ...; with several edits, that many rows a persona."""
    personas = [f"p{first + k}" for k in range(len(scores) // edits)]
    index = pd.MultiIndex.from_product([personas, ["", *map(str, range(1, edits))]], names=["persona", "edit"])
    return pd.DataFrame(scores, index.swaplevel(), [f"v{k}" for k in range(scores.shape[1])])


def normal(n: int, seed: int, r: float = 0.0, d: int = 4) -> np.ndarray:
    """Standard normal rows, the first two columns correlated."""
    x = np.random.default_rng(seed).normal(size=(n, d))
    x[:, 1] = r * x[:, 0] + np.sqrt(1 - r * r) * x[:, 1]
    return x


FAST = {"resamples": 100, "permutations": 199}


def test_partial_correlations_are_those_of_pingouin() -> None:
    pingouin = pytest.importorskip("pingouin")
    scores = normal(60, 0, 0.6, d=5) @ np.random.default_rng(1).normal(size=(5, 5))
    one = table(scores)
    found = edge_differences(one, table(normal(60, 3, d=5), 100), **FAST).table
    expected = pingouin.pcorr(pd.DataFrame(scores)).to_numpy()
    np.testing.assert_allclose(found["one"], expected[np.triu_indices(5, 1)], atol=1e-9)
    correlations = edge_differences(one, table(normal(60, 3, d=5), 100), measure="correlation", **FAST).table
    np.testing.assert_allclose(correlations["one"], np.corrcoef(scores.T)[np.triu_indices(5, 1)], atol=1e-9)
    np.testing.assert_allclose(found["difference"], found["other"] - found["one"])


def test_matrices_without_an_inverse_have_no_partial_correlations() -> None:
    singular = np.array([[1.0, 1, 0], [1, 1, 0], [0, 0, 1]])
    found = partial_of(np.stack([singular, np.eye(3), np.full((3, 3), np.nan)]))
    assert np.isnan(found[0]).all() and np.isnan(found[2]).all()
    np.testing.assert_allclose(found[1], np.eye(3), atol=1e-12)


def test_q_is_that_of_statsmodels() -> None:
    multitest = pytest.importorskip("statsmodels.stats.multitest")
    found = edge_differences(table(normal(80, 0, 0.7)), table(normal(80, 1), 100), **FAST).table
    np.testing.assert_allclose(found["q"], multitest.multipletests(found["p"], method="fdr_bh")[1])
    assert (found["p_max"] >= found["p"]).all()


def test_a_difference_is_found_where_it_is() -> None:
    found = edge_differences(table(normal(150, 0, 0.7)), table(normal(150, 1), 200), permutations=499, resamples=300)
    assert found.max_p == 0.002 and found.sum_p <= 0.01
    assert found.different().iloc[0][["source", "target"]].tolist() == ["v0", "v1"]
    row = found.table.iloc[0]
    assert row["low"] < row["difference"] < row["high"] < 0
    assert "1 of 6 pairs differ" in repr(found) or len(found.different()) > 1


def by_hand(x: np.ndarray) -> tuple[float, np.ndarray]:
    """Fisher's z of two columns, and what each row adds to it: its influence over 1 less its leverage."""
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    r = np.corrcoef(x.T)[0, 1]
    hat = np.diag(np.column_stack([np.ones(len(x)), x]) @ np.linalg.pinv(np.column_stack([np.ones(len(x)), x])))
    influence = x[:, 0] * x[:, 1] - r * (x**2).sum(axis=1) / 2
    return np.arctanh(r), influence / (len(x) * (1 - r * r) * (1 - np.minimum(hat, 0.7)))


def test_p_of_pairs_is_that_of_all_swaps() -> None:
    one, other = normal(7, 0, 0.9, d=2), normal(7, 5, d=2)

    def t(x: np.ndarray, y: np.ndarray) -> float:
        (z_x, part_x), (z_y, part_y) = by_hand(x), by_hand(y)
        return (z_y - z_x) / np.sqrt(((part_y - part_x) ** 2).sum())

    first, second = ((x - x.mean(axis=0)) / x.std(axis=0) for x in (one, other))
    every = []
    for swap in itertools.product([False, True], repeat=7):
        mask = np.array(swap)[:, None]
        every.append(t(np.where(mask, second, first), np.where(mask, first, second)))
    exact = np.mean(np.abs(every) >= abs(every[0]) - 1e-9)
    found = edge_differences(table(one), table(other), measure="correlation", permutations=3000, resamples=2)
    assert found.facts["personas_in_both"] == 7
    assert found.max_statistic == pytest.approx(abs(every[0]))
    assert found.table["p"][0] == pytest.approx(exact, abs=0.028)  # three Monte-Carlo errors


def test_p_of_strangers_is_that_of_all_splits() -> None:
    one, other = normal(5, 0, 0.9, d=2), normal(5, 5, d=2)
    pooled = np.concatenate([(x - x.mean(axis=0)) / x.std(axis=0) for x in (one, other)])

    def t(part: tuple[int, ...]) -> float:
        rest = [k for k in range(10) if k not in part]
        (z_x, part_x), (z_y, part_y) = by_hand(pooled[list(part)]), by_hand(pooled[rest])
        return (z_y - z_x) / np.sqrt((part_x**2).sum() + (part_y**2).sum())

    every = [t(part) for part in itertools.combinations(range(10), 5)]
    exact = np.mean(np.abs(every) >= abs(every[0]) - 1e-9)
    for options in ({"other": table(other, 100)}, {"other": table(other), "paired": False}):
        found = edge_differences(table(one), measure="correlation", permutations=3000, resamples=2, **options)
        assert found.facts["personas_in_both"] == 0
        assert found.table["p"][0] == pytest.approx(exact, abs=0.028)  # three Monte-Carlo errors


@pytest.mark.parametrize("partial", [True, False])
@pytest.mark.parametrize("edits", [1, 3])
def test_standard_errors_are_about_those_of_a_jackknife_of_personas(partial: bool, edits: int) -> None:
    scores = [normal(80 * edits, seed, 0.5) + np.repeat(normal(80, seed + 9, 0.5), edits, axis=0) for seed in (0, 1)]
    groups = two_groups(table(scores[0], 0, edits), table(scores[1], 500, edits), "corrected", None)
    there = groups.present[:, None].astype(float)
    none = np.zeros_like(there[0])
    found = difference_errors(groups.standardised(), (there[0], none, none, there[1]), partial)[0]
    row, column = np.triu_indices(4, 1)
    variance = 0.0
    for x in scores:
        left = np.stack([np.corrcoef(np.delete(x, range(k, k + edits), 0).T) for k in range(0, len(x), edits)])
        z = np.arctanh((partial_of(left) if partial else left)[:, row, column])
        variance = variance + 79 / 80 * ((z - z.mean(axis=0)) ** 2).sum(axis=0)
    np.testing.assert_allclose(found, np.sqrt(variance), rtol=0.1)


@pytest.mark.parametrize("measure", ["partial", "correlation"])
def test_size_with_heavy_tails_in_the_smaller_group(measure: str) -> None:
    pairs, largest = [], []
    for seed in range(50):
        rng = np.random.default_rng(seed)
        heavy = rng.normal(size=(30, 6)) * rng.standard_t(4, size=(30, 1))  # uncorrelated, as the others are
        one, other = table(heavy), table(rng.normal(size=(300, 6)), 500)
        found = edge_differences(one, other, measure=measure, permutations=59, resamples=0, seed=seed)  # type: ignore[arg-type]
        pairs.append((found.table["p"] <= 0.05).mean())
        largest.append(found.max_p <= 0.05)
    assert np.mean(pairs) < 0.08 and np.mean(largest) < 0.2  # .21 to .27 and .57 to .77 without standard errors


@pytest.mark.parametrize("paired", [True, False])
def test_size_with_groups_of_other_levels_and_spreads(paired: bool) -> None:
    p = []
    for seed in range(50):
        rng = np.random.default_rng(seed)
        shared = rng.normal(size=(30, 1, 3)) if paired else rng.normal(size=(60, 1, 3))
        rows = (shared + rng.normal(size=(len(shared), 2, 3))).reshape(-1, 3)  # two rows a persona go together
        again = (shared[:30] + rng.normal(size=(30, 2, 3))).reshape(-1, 3) if paired else rows[60:]
        one, two = table(rows[:60], edits=2), table(3 + 5 * again, 0 if paired else 500, edits=2)
        found = edge_differences(one, two, edit=None, permutations=59, resamples=2, seed=seed)
        p.append([found.max_p, found.sum_p, *found.table["p"]])
    # 3.7 and 4 standard errors of so few: a false alarm in 1 of 1,000
    assert (np.mean(np.array(p) <= 0.05, axis=0) < 0.165).all()
    assert (np.abs(np.mean(p, axis=0) - 0.5) < 0.165).all()


def test_size_with_many_rows_of_few_personas_against_one_row_of_many() -> None:
    def rows(personas: int, edits: int, first: int) -> pd.DataFrame:
        own = np.repeat(rng.normal(size=(personas, 6)), edits, axis=0)
        return table(own + 0.3 * rng.normal(size=own.shape), first, edits)

    p = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        found = edge_differences(rows(12, 10, 0), rows(120, 1, 500), edit=None, permutations=59, resamples=0, seed=seed)
        p.append(found.table["p"])
    assert np.mean(np.array(p) <= 0.05) < 0.1


def test_rows_of_a_persona_in_ten_copies_say_no_more() -> None:
    one, other = normal(25, 0), normal(25, 1, 0.5)
    once = edge_differences(table(one), table(other, 100), **FAST).table
    ten = [table(np.repeat(x, 10, axis=0), first, edits=10) for x, first in ((one, 0), (other, 100))]
    pd.testing.assert_frame_equal(edge_differences(*ten, edit=None, **FAST).table, once)


def test_intervals_hold_the_truth() -> None:
    held = []
    for seed in range(100):
        found = edge_differences(
            table(normal(60, seed, 0.5)), table(normal(60, seed + 1000), 100), permutations=1, resamples=150
        ).table
        truth = np.array([-0.5, 0, 0, 0, 0, 0])
        held.append((found["low"] <= truth) & (truth <= found["high"]))
    assert 0.89 < np.mean(held) < 0.98


def test_same_whatever_the_order_of_rows() -> None:
    rng = np.random.default_rng(0)
    one, other = table(normal(20, 0)), table(normal(24, 1), 10)
    found = edge_differences(one, other, **FAST)
    again = edge_differences(one.iloc[rng.permutation(20)], other.iloc[rng.permutation(24)], **FAST)
    assert found.facts["personas_in_both"] == 10
    pd.testing.assert_frame_equal(found.table, again.table)


def test_a_survey_against_a_model(tmp_path: Path) -> None:
    people = table(normal(50, 0))
    weights = pd.Series(np.random.default_rng(0).integers(1, 4, 50).astype(float), people.index)
    survey = SurveyValues(people, weights, {"file": "made-up.csv", "read": 50, "weights": "w"})
    found = edge_differences(table(normal(30, 1), 900), survey, measure="correlation", **FAST)
    expected = np.corrcoef(np.repeat(people.to_numpy(), weights.astype(int), axis=0).T)[np.triu_indices(4, 1)]
    np.testing.assert_allclose(found.table["other"], expected, atol=1e-9)
    assert json.loads(found.save(tmp_path / "e.json").read_text())["facts"]["personas_other"] == 50


def test_what_is_left_out_is_named() -> None:
    one, other = table(normal(30, 0)), table(normal(30, 1), 100)
    one, other = one.assign(a=1.0, flat=2.0), other.assign(flat=np.arange(30.0), b=0.5)
    one.iloc[4, 0] = np.nan
    found = edge_differences(one, other, **FAST)
    assert found.left_out == {
        "a": "is in one only",
        "b": "is in the other only",
        "flat": "does not vary in one",
        "rows of one": "1 of 30 lack a score",
    }
    assert len(found.table) == 6 and found.facts["rows_one"] == 29


@pytest.mark.parametrize(
    ("one", "options", "message"),
    [
        (table(normal(30, 0)[:, :1]), {}, "at least 2 values in common with one, got 1. v1 is in the other only"),
        (table(normal(2, 0)), {}, "one: expected complete rows of at least 3 personas, got 2"),
        (table(normal(6, 0)), {}, "one: expected at least 7 personas for partial correlations of 4 values, got 6"),
        (table(normal(30, 0)).sub(normal(30, 0).mean(axis=1), axis=0), {}, "one: its 4 values are linearly dependent"),
        (table(normal(30, 0)), {"measure": "mi"}, "measure: expected"),
        (table(normal(30, 0)), {"alpha": 0}, "alpha: expected"),
        (table(normal(30, 0)), {"permutations": 0}, "permutations: expected"),
        (table(normal(30, 0)), {"edit": "7"}, "one: no rows under the edit '7'"),
    ],
)
def test_what_is_wrong_is_named(one: pd.DataFrame, options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        edge_differences(one, table(normal(30, 1), 100), **options)
