"""The statistics of a study on the paper's files: reproduction, audit, permutations, prediction benchmark.

Permuted names are timed beside a loop over permutations, whose p-value is checked to be the same. The others have no
peer; their floor is to read the file and to learn the graph once, which is timed beside them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pyvalue.discovery import discover
from pyvalue.edit_changes import paired_changes
from pyvalue.evaluation.audit import audit
from pyvalue.evaluation.benchmark import benchmark_predictions
from pyvalue.evaluation.change_rates import conditional_change_rates
from pyvalue.evaluation.label_permutation import label_orders, label_permutation
from pyvalue.evaluation.paper import reproduce_paper
from pyvalue.wide_scores import score_rows

PAPER = Path(__file__).resolve().parents[1].parent / "shared" / "data" / "paper"
TRAIN, TEST = PAPER / "ans_gemma_train_formal.csv", PAPER / "ans_gemma_test_formal.csv"
PERMUTATIONS = 1000
STUDY = "the paper's study, 2,525 rows of 17 values"

pytestmark = pytest.mark.skipif(not PAPER.is_dir(), reason="the paper's files lie beside the checkout, not in it")


def once(benchmark: Any, run: Any, rounds: int = 1) -> Any:
    return benchmark.pedantic(run, rounds=rounds, iterations=1)


@pytest.mark.benchmark(group=STUDY)
def test_floor_of_reading_and_one_graph(benchmark: Any) -> None:
    graph = once(benchmark, lambda: discover(score_rows(TRAIN).reset_index(drop=True)), rounds=3)
    assert len(graph.names) == 17


@pytest.mark.benchmark(group=STUDY)
def test_reproduction_pyvalue(benchmark: Any) -> None:
    found = once(benchmark, lambda: reproduce_paper(PAPER))
    assert found.matches


@pytest.mark.benchmark(group=STUDY)
def test_audit_pyvalue(benchmark: Any) -> None:
    found = once(benchmark, lambda: audit(TRAIN))
    benchmark.extra_info["findings"] = len(found.findings)
    assert found["variation"].verdict == "holds"


@pytest.mark.benchmark(group=STUDY)
def test_prediction_benchmark_pyvalue(benchmark: Any) -> None:
    found = once(benchmark, lambda: benchmark_predictions(TRAIN, test=TEST))
    benchmark.extra_info["predictors"] = int(found.table["predictor"].nunique())
    assert not found.table.empty


def _rates_and_reach() -> tuple[np.ndarray, np.ndarray]:
    graph = discover(score_rows(TRAIN).reset_index(drop=True))
    rates = conditional_change_rates(paired_changes(TEST).change)
    reach = np.array([[other in graph.possible_descendants(name) for other in graph.names] for name in graph.names])
    return rates, reach


def _by_loop(rates: np.ndarray, reach: np.ndarray, orders: np.ndarray) -> float:
    def contrast(order: np.ndarray) -> float:
        groups: tuple[list[float], list[float]] = ([], [])
        for i in range(len(rates)):
            own: tuple[list[float], list[float]] = ([], [])
            for j in range(len(rates)):
                if i != j:
                    own[0 if reach[order[i], order[j]] else 1].append(rates[i, j])
            for group, found in zip(groups, own, strict=True):
                if found:
                    group.append(float(np.mean(found)))
        return float(np.mean(groups[0]) - np.mean(groups[1]))

    observed = contrast(np.arange(len(rates)))
    return (1 + sum(contrast(order) >= observed - 1e-12 for order in orders)) / (1 + len(orders))


@pytest.mark.benchmark(group=f"{PERMUTATIONS} permutations of 17 names")
@pytest.mark.parametrize("name", ["a loop", "pyvalue"])
def test_permutations(benchmark: Any, name: str) -> None:
    rates, reach = _rates_and_reach()
    orders, _ = label_orders(len(rates), PERMUTATIONS, 0)
    run = {
        "a loop": lambda: _by_loop(rates, reach, orders),
        "pyvalue": lambda: label_permutation(rates, reach, permutations=PERMUTATIONS, seed=0).p,
    }
    p = once(benchmark, run[name], rounds=1 if name == "a loop" else 20)
    benchmark.extra_info["p"] = p
    assert p == pytest.approx(_by_loop(rates, reach, orders), abs=2 / PERMUTATIONS)
