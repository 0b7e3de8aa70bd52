"""False edges on independent data: calibrated schemes must find alpha = 5% of them, within a point.

Every figure is over 2,500 replicates, of 100 samples. Beside them, and not held to it: the naive bootstrap, clusters
that are ignored, and the tests of categories, which depend on how full their tables are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from pyvalue.discovery import discover

SAMPLES, REPLICATES, D = 100, 25, 8

Make = Callable[[np.random.Generator], tuple[Any, Any]]


def normal(rng: np.random.Generator) -> tuple[Any, Any]:
    return rng.standard_normal((300, D)), None


def five_levels(rng: np.random.Generator) -> tuple[Any, Any]:
    return np.digitize(rng.standard_normal((300, D)), [-1.5, -0.5, 0.5, 1.5]), None


def personas(rng: np.random.Generator) -> tuple[Any, Any]:
    """60 personas of 10 rows, intraclass correlation .5."""
    persona = np.repeat(np.arange(60), 10)
    return rng.standard_normal((60, D))[persona] + rng.standard_normal((600, D)), persona


def unequal_personas(rng: np.random.Generator) -> tuple[Any, Any]:
    """60 personas of 2 to 40 rows."""
    persona = np.repeat(np.arange(60), np.linspace(2, 40, 60).astype(int))
    return rng.standard_normal((60, D))[persona] + rng.standard_normal((len(persona), D)), persona


def personas_and_edits(rng: np.random.Generator) -> tuple[Any, Any]:
    """40 personas x 25 edits, each with an effect of its own."""
    persona, edit = np.divmod(np.arange(1000), 25)
    x = rng.standard_normal((40, D))[persona] + rng.standard_normal((25, D))[edit] + rng.standard_normal((1000, D))
    return x, (persona, edit)


CASES: list[tuple[str, Make, dict[str, Any], float | None]] = [
    ("bootstrap", normal, {"scheme": "bootstrap"}, 0.05),
    ("m-of-n", normal, {"scheme": "m-of-n", "replicate_size": 150}, 0.05),
    ("subsample", normal, {"scheme": "subsample"}, 0.05),
    ("complementary-pairs", normal, {"scheme": "complementary-pairs"}, 0.05),
    ("cluster", personas, {}, 0.05),
    ("unequal-clusters", unequal_personas, {}, None),
    ("two-way-cluster", personas_and_edits, {}, 0.05),
    ("spearman", five_levels, {"test": "spearman"}, 0.05),
    ("polychoric", five_levels, {"test": "polychoric"}, 0.05),
    ("chisq", five_levels, {"test": "chisq"}, None),
    ("gsq", five_levels, {"test": "gsq"}, None),
    ("degenerate_gaussian", normal, {"test": "degenerate_gaussian"}, 0.05),
    ("naive", normal, {"scheme": "naive"}, 0.166),
    ("clusters-ignored", lambda rng: (personas(rng)[0], None), {}, None),
]


@pytest.mark.benchmark(group=f"false edges at alpha = 0.05, {SAMPLES} x {REPLICATES} replicates")
@pytest.mark.parametrize(("make", "options", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_false_edges(benchmark: Any, make: Make, options: dict[str, Any], expected: float | None) -> None:
    def shares() -> tuple[float, float]:
        fit, replicate = [], []
        for seed in range(SAMPLES):
            data, cluster = make(np.random.default_rng(seed))
            settings = {"test": "fisherz", "bootstrap": REPLICATES, "max_depth": 0} | options
            graph = discover(data, cluster=cluster, seed=seed, **settings)
            fit.append((graph.marks != 0).sum() / (D * (D - 1)))
            replicate.append(graph.strengths().strength.mean())
        return float(np.mean(fit)), float(np.mean(replicate))

    in_fit, in_replicates = benchmark.pedantic(shares, rounds=1, iterations=1)
    benchmark.extra_info.update(of_the_fit=in_fit, of_replicates=in_replicates)
    if expected is not None:
        assert abs(in_replicates - expected) < 0.01
