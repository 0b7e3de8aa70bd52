"""Every rule and priority against causal-learn; all rules against a d-separation oracle."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from d_separation import oracle, random_dag

from pyvalue import _core
from pyvalue.cpdag import cpdag_of_dag
from pyvalue.discovery import discover
from pyvalue.discovery.options import COLLIDER_PRIORITIES, COLLIDER_RULES

SHARED = Path(__file__).resolve().parents[1].parent / "shared" / "data" / "causal_learn"
SETTINGS = [(rule, priority) for rule in range(3) for priority in range(5) if rule < 2 or priority >= 2]

pytestmark = pytest.mark.filterwarnings("ignore:The number of features:UserWarning")


def linear_sample(rng: np.random.Generator, n: int, d: int, density: float) -> np.ndarray:
    weights = np.tril(rng.random((d, d)) < density, -1) * rng.uniform(0.2, 1.0, (d, d)) * rng.choice([-1, 1], (d, d))
    sample = rng.standard_normal((n, d)) @ np.linalg.inv(np.eye(d) - weights).T
    return sample[:, rng.permutation(d)]


@pytest.mark.parametrize(("rule", "priority"), SETTINGS)
def test_causal_learns_graphs(rule: int, priority: int) -> None:
    pytest.importorskip("causallearn")
    rng = np.random.default_rng([rule, priority])
    arrows = 0
    for _ in range(12):
        x = linear_sample(rng, int(rng.choice([30, 200, 1000])), int(rng.integers(4, 9)), float(rng.choice([0.3, 0.5])))
        options = {"uc_rule": rule, "uc_priority": priority, "alpha": float(rng.choice([0.01, 0.1, 0.3]))}
        ours, theirs = discover(x, **options), discover(x, **options, backend="causal-learn")
        np.testing.assert_array_equal(ours.marks, theirs.marks)
        assert ours.separating_sets == theirs.separating_sets
        arrows += int((ours.marks == 1).sum())
    assert arrows > 0


def test_priorities_differ() -> None:
    """On samples with contradicting colliders no two priorities are the same rule."""
    rng = np.random.default_rng(0)
    seen: dict[int, list[bytes]] = {priority: [] for priority in range(5)}
    for _ in range(40):
        x = linear_sample(rng, 60, 8, 0.4)
        for priority, graphs in seen.items():
            graphs.append(discover(x, alpha=0.2, uc_priority=priority).marks.tobytes())
    assert len({tuple(graphs) for graphs in seen.values()}) == 5


def test_only_priority_1_gives_bidirected_edges() -> None:
    rng = np.random.default_rng(1)
    found = dict.fromkeys(range(5), 0)
    for _ in range(40):
        x = linear_sample(rng, 60, 8, 0.4)
        for priority in found:
            found[priority] += len(discover(x, alpha=0.2, uc_priority=priority).bidirected_edges())
    assert found[1] > 0 and found == {0: 0, 1: found[1], 2: 0, 3: 0, 4: 0}


def test_names_and_numbers_of_rules() -> None:
    x = linear_sample(np.random.default_rng(2), 100, 6, 0.5)
    for number, name in enumerate(("sepset", "maxp", "definite-maxp")):
        one, two = discover(x, uc_rule=number), discover(x, uc_rule=name)
        assert one == two and one.settings.uc_rule == name
    assert discover(x, uc_priority=-1).settings.uc_priority == 3
    assert discover(x, uc_rule=2, uc_priority=-1).settings.uc_priority == 4


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"uc_rule": 3}, "uc_rule must be 0, 1, 2 or one of 'sepset'"),
        ({"uc_rule": "first"}, "uc_rule must be 0, 1, 2 or one of"),
        ({"uc_rule": True}, "uc_rule must be"),
        ({"uc_priority": 5}, "uc_priority must be at most 4, got 5"),
        ({"uc_priority": -2}, "uc_priority must be at least -1"),
        ({"uc_rule": 2, "uc_priority": 1}, "uc_priority must be 2, 3 or 4 with uc_rule='definite-maxp'"),
        ({"uc_rule": "majority", "backend": "causal-learn"}, "backend='causal-learn' has uc_rule sepset, maxp"),
    ],
)
def test_bad_rules(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        discover(np.random.default_rng(0).standard_normal((50, 3)), **options)


@pytest.mark.skipif(not SHARED.is_dir(), reason="the reference data lie beside the checkout, not in it")
@pytest.mark.parametrize("result", ["0_0", "0_1", "0_2", "0_3", "0_4", "1_-1", "2_-1"])
def test_published_results(result: str) -> None:
    """The graphs of causal-learn's own test suite on its linear data."""
    data = np.loadtxt(SHARED / "data_linear_10.txt", skiprows=1)
    expected = np.loadtxt(SHARED / f"linear_10_pc_fisherz_0.05_stable_{result}.txt")
    rule, priority = map(int, result.split("_"))
    np.testing.assert_array_equal(discover(data, uc_rule=rule, uc_priority=priority).marks, expected)


@pytest.mark.parametrize("rule", list(COLLIDER_RULES))
def test_d_separation_gives_the_true_cpdag(rule: str) -> None:
    rng = np.random.default_rng(3)
    for _ in range(25):
        dag = random_dag(rng, int(rng.integers(3, 8)), 0.4)
        for priority in COLLIDER_PRIORITIES[2:] if rule == "definite-maxp" else COLLIDER_PRIORITIES:
            marks, *_ = _core.pc(oracle(dag), rule=COLLIDER_RULES[rule], priority=priority)
            np.testing.assert_array_equal(marks, cpdag_of_dag(dag))


def test_conservative_leaves_ambiguous_triples_alone() -> None:
    """On finite samples it directs no more than the plain rule finds colliders for, and in some fewer."""
    rng = np.random.default_rng(4)
    fewer = 0
    for _ in range(30):
        x = linear_sample(rng, 80, 7, 0.4)
        plain, conservative = (discover(x, uc_rule=rule) for rule in ("sepset", "conservative"))
        np.testing.assert_array_equal(plain.marks != 0, conservative.marks != 0)
        fewer += len(conservative.directed_edges()) < len(plain.directed_edges())
    assert fewer > 5
