"""How often the compiled search gives causal-learn's graph: ``python bench/parity.py 5200``.

Random data of four kinds (sparse, dense, small n, near-collinear) and five levels, under every rule and priority that
causal-learn has; equal means every end mark and every separating set. Not a benchmark: it prints counts.
"""

from __future__ import annotations

import sys
import warnings
from collections import Counter

import numpy as np

from pyvalue.discovery import discover
from pyvalue.errors import NumericsError

SETTINGS = [(rule, priority) for rule in range(3) for priority in range(5) if rule < 2 or priority >= 2]
KINDS = ("sparse", "dense", "small n", "near-collinear", "five levels")


def sample(kind: str, rng: np.random.Generator) -> np.ndarray:
    d = int(rng.integers(4, 10))
    density = {"sparse": 0.2, "dense": 0.7}.get(kind, 0.4)
    n = int(rng.integers(8, 30)) if kind == "small n" else int(rng.choice([50, 200, 1000]))
    weights = np.tril(rng.random((d, d)) < density, -1) * rng.uniform(0.2, 1.0, (d, d)) * rng.choice([-1, 1], (d, d))
    x = rng.standard_normal((n, d)) @ np.linalg.inv(np.eye(d) - weights).T
    if kind == "near-collinear":
        x[:, d // 2] = x[:, 0] - x[:, 1] + 10.0 ** -rng.integers(1, 5) * x[:, d // 2]
    if kind == "five levels":
        x = np.clip(np.round(x), -2, 2)
    return x[:, rng.permutation(d)]


def main(graphs: int) -> None:
    warnings.simplefilter("ignore")
    equal: Counter[str] = Counter()
    total: Counter[str] = Counter()
    for index in range(graphs):
        kind, (rule, priority) = KINDS[index % len(KINDS)], SETTINGS[index % len(SETTINGS)]
        rng = np.random.default_rng([7, index])
        options = {
            "test": "fisherz",
            "uc_rule": rule,
            "uc_priority": priority,
            "alpha": float(rng.choice([0.001, 0.05, 0.2, 0.5])),
        }
        x = sample(kind, rng)
        try:
            ours, theirs = discover(x, **options), discover(x, **options, backend="causal-learn")
        except (ValueError, NumericsError):  # ours refuses data that admit no test; see docs/discovery.md
            total["refused"] += 1
            continue
        same = np.array_equal(ours.marks, theirs.marks) and ours.separating_sets == theirs.separating_sets
        for key in (kind, f"rule {rule}, priority {priority}", "all"):
            total[key] += 1
            equal[key] += same
        if not same:
            print(f"differs: graph {index}, {kind}, {options}", flush=True)
    for key, count in total.items():
        print(f"{key:22} {equal[key]:6} of {count}" if key != "refused" else f"{key:22} {count:6}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5200)
