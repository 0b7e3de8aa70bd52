"""What choices cost in accuracy: collider rules on random graphs, and tests on columns that were cut at few levels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from cases import accuracy, linear

from pyvalue.discovery import discover

GRAPHS, SAMPLES = 10, 400
RULES = [
    ("sepset", 2),
    ("sepset", 3),
    ("maxp", 2),
    ("maxp", 3),
    ("definite-maxp", 2),
    ("conservative", 2),
    ("majority", 2),
]
CUTS = {
    "even": [-0.84, -0.25, 0.25, 0.84],
    "skewed": [0.31, 0.81, 1.28, 1.88],  # shares .62, .17, .11, .07, .03
}


@pytest.mark.benchmark(group=f"rules: mean over {GRAPHS} graphs of 10,000 x 30, mean degree 4")
@pytest.mark.parametrize(("rule", "priority"), RULES, ids=[f"{rule}-priority-{priority}" for rule, priority in RULES])
def test_rules(benchmark: Any, rule: str, priority: int) -> None:
    samples = [linear(10_000, 30, 4.0, seed) for seed in range(GRAPHS)]

    def figures() -> list[dict[str, float]]:
        options = {"uc_rule": rule, "uc_priority": priority, "test": "fisherz"}
        return [accuracy(discover(sample.x, **options).marks, sample.truth) for sample in samples]

    found = benchmark.pedantic(figures, rounds=1, iterations=1, warmup_rounds=1)
    for figure in ("adjacency_f1", "shd"):
        benchmark.extra_info[figure] = float(np.mean([one[figure] for one in found]))
    assert benchmark.extra_info["adjacency_f1"] > 0.85


@pytest.mark.benchmark(group=f"cut columns: x <- z -> y at loading .6, 1,000 rows, {SAMPLES} samples, alpha = 0.05")
@pytest.mark.parametrize("test", ["fisherz", "spearman", "polychoric"])
@pytest.mark.parametrize("cut", list(CUTS))
def test_cut_columns(benchmark: Any, test: str, cut: str) -> None:
    def share() -> float:
        joined = 0
        for seed in range(SAMPLES):
            rng = np.random.default_rng(seed)
            z, x, y = rng.standard_normal((3, 1000))
            x, y = 0.6 * z + 0.8 * x, 0.6 * z + 0.8 * y
            levels = np.digitize(np.column_stack([z, x, y]), CUTS[cut])
            joined += discover(levels, names=["z", "x", "y"], test=test).has_edge("x", "y")
        return joined / SAMPLES

    benchmark.extra_info["x_and_y_joined"] = benchmark.pedantic(share, rounds=1, iterations=1)
    if test == "polychoric":
        assert benchmark.extra_info["x_and_y_joined"] < 0.12
