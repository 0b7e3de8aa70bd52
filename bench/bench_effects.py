"""Intervals of effects: how often they hold the true effect, and what they cost beside a loop over resampled rows.

Coverage is over 1,000 random linear models each, with the true CPDAG given; then with the graph learnt from the same
rows, where intervals that take it for granted do not hold what they promise.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from linear_sems import LinearModel, coverage, coverage_of_learnt_graphs, joint_coverage, random_model

from pyvalue.effects.total_effects import Effects, estimate_effects
from pyvalue.effects.valid_parents import valid_parent_sets

SIMULATIONS = 1000
#: rows, values, personas
CASES = [
    (200, 5, None), (200, 8, None), (1000, 5, None), (1000, 8, None), (1000, 6, 100), (400, 6, 40), (240, 6, 24),
    (120, 6, 12),
]  # fmt: skip


@pytest.mark.benchmark(group=f"coverage of 95% intervals, true CPDAG, {SIMULATIONS} simulations")
@pytest.mark.parametrize(("n", "d", "personas"), CASES)
def test_coverage(benchmark: Any, n: int, d: int, personas: int | None) -> None:
    found = benchmark.pedantic(lambda: coverage(SIMULATIONS, n, d, personas, seed=7), rounds=1, iterations=1)
    benchmark.extra_info.update(found)
    assert abs(found["identified"] - 0.95) < 0.02
    assert found["several"] > 0.95


@pytest.mark.benchmark(group=f"coverage of 95% intervals, 60 personas under 8 edits, {SIMULATIONS} simulations")
@pytest.mark.parametrize("hits", [2, 4])
@pytest.mark.parametrize("edits", ["within", "unedited", "pooled"])
def test_coverage_under_edits(benchmark: Any, hits: int, edits: str) -> None:
    found = benchmark.pedantic(
        lambda: coverage(SIMULATIONS, 0, 6, 60, seed=7, edited=(8, hits, 1.0), edits=edits), rounds=1, iterations=1
    )
    benchmark.extra_info.update(found)
    assert found["identified"] < 0.93 if edits == "pooled" else abs(found["identified"] - 0.95) < 0.02


@pytest.mark.benchmark(group=f"coverage of 95% intervals of two values changed together, {SIMULATIONS} simulations")
@pytest.mark.parametrize(("n", "known"), [(200, True), (1000, True), (200, False)])
def test_joint_coverage(benchmark: Any, n: int, known: bool) -> None:
    found = benchmark.pedantic(lambda: joint_coverage(SIMULATIONS, n, 6, known, seed=7), rounds=1, iterations=1)
    benchmark.extra_info.update(found)
    assert abs(found["coverage"] - 0.95) < 0.02 if known else found["coverage"] > 0.95


@pytest.mark.benchmark(group="coverage of true effects other than 0, graph learnt by PC, 100 simulations")
@pytest.mark.parametrize("n", [200, 1000])
def test_coverage_of_learnt_graphs(benchmark: Any, n: int) -> None:
    found = benchmark.pedantic(lambda: coverage_of_learnt_graphs(100, n, 6), rounds=1, iterations=1)
    benchmark.extra_info.update(found)
    assert found["learnt again"] > found["fixed"]


def by_loop(model: LinearModel, rows: Any, resamples: int) -> np.ndarray:
    """Replicates (R, d, d) of the least effects: rows put together and fitted anew each time, as a script would."""
    x, persona = rows.to_numpy(), rows.index.to_numpy()
    members = [np.flatnonzero(persona == one) for one in np.unique(persona)]
    marks = model.graph().marks
    sets = [[one.parents[0] for one in valid_parent_sets(marks, i)] for i in range(x.shape[1])]
    rng = np.random.default_rng(0)
    found = np.empty((resamples, *marks.shape))
    for number in range(resamples):
        drawn = np.concatenate([members[k] for k in rng.integers(len(members), size=len(members))])
        centred = x[drawn] - x[drawn].mean(axis=0)
        for i, of_value in enumerate(sets):
            effects = []
            for parents in of_value:
                fit = np.linalg.lstsq(centred[:, [i, *parents]], centred, rcond=None)[0][0]
                fit[list(parents)] = 0.0
                effects.append(fit)
            found[number, i] = np.min(effects, axis=0)
    return found


@pytest.mark.benchmark(group="intervals of 17 values, 1,111 rows of 101 personas, 1,000 resamples")
@pytest.mark.parametrize("way", ["pyvalue", "loop"])
def test_time(benchmark: Any, way: str) -> None:
    model = random_model(np.random.default_rng(0), 17, degree=5)
    rows = model.rows(np.random.default_rng(1), 1111, personas=101)
    graph = model.graph()

    def ours() -> Effects:
        return estimate_effects(graph, rows, resamples=1000)

    if way == "pyvalue":
        effects = benchmark.pedantic(ours, rounds=5, iterations=1, warmup_rounds=1)
        replicates = by_loop(model, rows, 20)
        single = [i for i, name in enumerate(effects.names) if effects.facts["sets"][name] == 1]
        width = (effects.high - effects.low)[single]
        spread = 2 * 1.98 * replicates.std(axis=0, ddof=1)[single]
        reached = np.isin(effects.relations()[single], ["definite", "possible"])
        assert 0.8 < np.median(width[reached] / spread[reached]) < 1.25
    else:
        benchmark.pedantic(lambda: by_loop(model, rows, 1000), rounds=1, iterations=1)
