"""Contrasts for each persona, and their intervals: against the rates themselves, by hand, and their coverage."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from pyvalue.evaluation.audit_contrasts import (
    ChangeCounts,
    bootstrap_interval,
    counts_of_baselines,
    counts_of_edits,
    counts_of_personas,
    jackknife_interval,
    widened_percentiles,
)
from pyvalue.evaluation.change_rates import conditional_change_rates
from pyvalue.evaluation.label_permutation import contrasts

D = 6
DAG = np.triu(np.random.default_rng(9).random((D, D)) < 0.4, 1)
REACH = np.linalg.matrix_power(np.eye(D) + DAG, D) - np.eye(D) > 0


def changes(rng: np.random.Generator, personas: int, edits: int = 5) -> pd.DataFrame:
    """Changes that run along the graph, more of them for some personas and values than for others."""
    lively = rng.normal(0, 0.7, (personas, 1, 1)) + 0.6 * rng.normal(size=(personas, 1, D)) + np.linspace(-1, 1, D)
    moved = np.abs(lively + rng.normal(size=(personas, edits, D)) @ (np.eye(D) + 0.8 * DAG)) > 1.2
    names = [[f"p{i:05d}" for i in range(personas)], [f"e{k}" for k in range(edits)]]
    index = pd.MultiIndex.from_product(names, names=["persona", "edit"])
    return pd.DataFrame(moved.reshape(-1, D).astype(float), index=index)


def persons(rng: np.random.Generator, personas: int) -> pd.DataFrame:
    scores = rng.normal(size=(personas, D)) @ (np.eye(D) + 0.8 * DAG)
    return pd.DataFrame(np.round(np.clip(scores, -1.2, 1.2)), index=[f"p{i:05d}" for i in range(personas)])


def holed(table: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    return table.mask(rng.random(table.shape) < 0.1)


def test_counts_of_edits_give_the_rates_of_any_personas() -> None:
    rng = np.random.default_rng(0)
    change = holed(changes(rng, 7), rng).sample(frac=0.9, random_state=1)
    counts = counts_of_edits(change)
    np.testing.assert_allclose(counts.rates(), conditional_change_rates(change.to_numpy()))
    for persona, rates in zip(counts.personas, counts.rates(np.eye(7)), strict=True):
        np.testing.assert_allclose(rates, conditional_change_rates(change.xs(persona, level="persona").to_numpy()))
    doubled = pd.concat([change, change.xs("p00003", level="persona", drop_level=False)])
    weights = np.where(np.array(counts.personas) == "p00003", 2.0, 1.0)
    np.testing.assert_allclose(counts.rates(weights), conditional_change_rates(doubled.to_numpy()))


def test_threshold() -> None:
    change = changes(np.random.default_rng(1), 5) * 0.3
    assert not counts_of_edits(change, 0.3).known.any()
    np.testing.assert_array_equal(counts_of_edits(change, 0.2).both, counts_of_edits(change).both)


def test_counts_of_baselines_are_those_of_each() -> None:
    rng = np.random.default_rng(2)
    rows = holed(persons(rng, 6), rng)
    pairs = counts_of_baselines(rows)
    for place, baseline in enumerate(pairs.personas):
        one = counts_of_personas(rows, baseline)
        np.testing.assert_array_equal(pairs.both[place], one.both.sum(axis=0))
        np.testing.assert_array_equal(pairs.known[place], one.known.sum(axis=0))
    np.testing.assert_allclose(
        counts_of_personas(rows, "p00002").rates(),
        conditional_change_rates((rows.drop(index="p00002") - rows.loc["p00002"]).to_numpy()),
    )


def test_jackknife_leaves_a_persona_out_of_all_pairs() -> None:
    rows = persons(np.random.default_rng(3), 9)
    low, high = jackknife_interval(counts_of_baselines(rows), REACH, confidence=0.95)
    without = [float(contrasts(counts_of_baselines(rows.drop(index=name)).rates(), REACH)) for name in rows.index]
    error = np.sqrt(8 / 9 * np.sum((np.array(without) - np.mean(without)) ** 2))
    scipy_stats = pytest.importorskip("scipy.stats")
    middle = float(contrasts(counts_of_baselines(rows).rates(), REACH))
    assert (low, high) == pytest.approx(scipy_stats.t.interval(0.95, 8, loc=middle, scale=error), abs=1e-9)


@pytest.mark.parametrize("personas", [10, 25])
def test_coverage_of_the_bootstrap(personas: int) -> None:
    rng = np.random.default_rng(4)
    truth = float(contrasts(counts_of_edits(changes(rng, 8000)).rates(), REACH))
    held = 0
    for seed in range(200):
        counts = counts_of_edits(changes(rng, personas))
        low, high = bootstrap_interval(counts, REACH, resamples=300, confidence=0.9, seed=seed)
        held += low <= truth <= high
    assert 0.84 <= held / 200 <= 0.96  # 90% within 2.8 standard errors


def test_coverage_of_the_jackknife_is_not_too_low() -> None:
    rng = np.random.default_rng(5)
    truth = float(contrasts(counts_of_baselines(persons(rng, 800)).rates(), REACH))
    ends = [jackknife_interval(counts_of_baselines(persons(rng, 20)), REACH, confidence=0.9) for _ in range(150)]
    assert np.mean([low <= truth <= high for low, high in ends]) > 0.84


def test_few_personas_have_no_interval_and_order_does_not_matter() -> None:
    change = changes(np.random.default_rng(6), 8)
    few: ChangeCounts = counts_of_edits(change.loc[["p00000", "p00001", "p00002", "p00003"]])
    ends: tuple[float, float] = bootstrap_interval(few, REACH, resamples=50, confidence=0.9, seed=0)
    assert np.isnan(ends).all()
    assert np.isnan(jackknife_interval(few, REACH, confidence=0.9)).all()
    nothing: npt.NDArray[np.bool_] = np.zeros((D, D), dtype=bool)
    assert np.isnan(bootstrap_interval(counts_of_edits(change), nothing, resamples=50, confidence=0.9, seed=0)).all()
    one, other = (
        bootstrap_interval(counts_of_edits(table), REACH, resamples=50, confidence=0.9, seed=0)
        for table in (change, change.sample(frac=1, random_state=3))
    )
    assert one == other


def test_lift_is_what_is_left_of_the_marginal_rate() -> None:
    rng = np.random.default_rng(7)
    change = holed(changes(rng, 7), rng)
    table = change.to_numpy()
    marginal = (np.abs(table) > 0).sum(axis=0) / np.isfinite(table).sum(axis=0)
    counts = counts_of_edits(change)
    np.testing.assert_allclose(counts.marginal(), marginal)
    np.testing.assert_allclose(counts.lift(), conditional_change_rates(table) - marginal[None, :])
    one = change.xs("p00003", level="persona").to_numpy()
    rate = (np.abs(one) > 0).sum(axis=0) / np.isfinite(one).sum(axis=0)
    np.testing.assert_allclose(counts.only("p00003").lift(), conditional_change_rates(one) - rate)
    whole = float(contrasts(counts.rates(), REACH))
    values = np.where(np.isnan(counts.rates()), np.nan, counts.marginal()[None, :])
    assert whole == pytest.approx(float(contrasts(counts.lift(), REACH)) + float(contrasts(values, REACH)))


def test_lift_of_all_pairs_leaves_a_persona_out_of_all_of_them() -> None:
    rng = np.random.default_rng(8)
    rows = holed(persons(rng, 7), rng)
    left = counts_of_baselines(rows).without_each()
    for place, name in enumerate(rows.index):
        others = counts_of_baselines(rows.drop(index=name))
        np.testing.assert_allclose(left.lift(np.eye(7))[place], others.lift())
    each = contrasts(left.lift(np.eye(7)), REACH)
    half = 2.446912 * np.sqrt(6 / 7 * np.sum((each - each.mean()) ** 2))  # t with 6 degrees of freedom
    middle = float(contrasts(counts_of_baselines(rows).lift(), REACH))
    found = jackknife_interval(counts_of_baselines(rows), REACH, confidence=0.95, lift=True)
    assert found == pytest.approx((middle - half, middle + half), abs=1e-6)


def test_the_bootstrap_of_the_lift_is_that_of_its_replicates() -> None:
    counts = counts_of_edits(changes(np.random.default_rng(9), 8))
    drawn = np.random.default_rng(3).multinomial(8, np.full(8, 1 / 8), size=100).astype(float)
    expected = widened_percentiles(contrasts(counts.lift(drawn), REACH), 8, 0.9)
    found = bootstrap_interval(counts, REACH, resamples=100, confidence=0.9, seed=3, lift=True)
    assert found == pytest.approx(expected)
    assert found != bootstrap_interval(counts, REACH, resamples=100, confidence=0.9, seed=3)


def test_percentiles_are_set_wider_for_few_clusters() -> None:
    stats = pytest.importorskip("scipy.stats")
    replicates = stats.norm.ppf((np.arange(20_000) + 0.5) / 20_000)
    for clusters in (5, 12):
        reach = stats.t.ppf(0.975, clusters - 1) * np.sqrt(clusters / (clusters - 1))
        assert widened_percentiles(replicates, clusters, 0.95) == pytest.approx((-reach, reach), abs=0.01)
    assert np.isnan(widened_percentiles(replicates * np.nan, 5, 0.95)).all()
