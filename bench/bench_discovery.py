"""Discovery against its peers, in the same run, each answer checked before it is timed.

Floors: a Gram matrix by BLAS on one thread (``x.T @ x``) for a single fit, as many as replicates for a bootstrap. All
times are of the data in memory to the graph: correlation, skeleton, orientation; imports are outside. Skeleton F1 and
structural Hamming distance to the true CPDAG stand in ``extra_info`` where the truth is known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pyvalue import _core
from pyvalue.cpdag import cpdag_of_dag
from pyvalue.discovery import discover

PAPER = Path(__file__).resolve().parents[1].parent / "shared" / "data" / "paper"
KEPT_FEATURES = (14351, 1025, 2965, 10096, 1341, 1975, 10605, 14049, 1312, 4752)
ALPHA = 0.05

Marks = NDArray[np.int8]
Fit = Callable[[NDArray[np.float64]], Any]


@dataclass(frozen=True)
class Contender:
    """One implementation: how to run it, how to read its end marks, how often it can be afforded.

    same_marks is False for one that resolves conflicting colliders by another rule: then the skeleton is compared.
    """

    name: str
    fit: Fit
    marks: Callable[[Any], Marks]
    rounds: int
    same_marks: bool = True


def contenders() -> list[Contender]:
    """The implementations, with their imports done. Peers that are not installed come as skips elsewhere."""

    def core(x: NDArray[np.float64]) -> Any:
        return _core.pc(_core.correlation(x), float(len(x)), ALPHA)

    def reference(x: NDArray[np.float64]) -> Any:
        from causallearn.search.ConstraintBased.PC import pc

        return pc(x, ALPHA, "fisherz", True, 0, 2, show_progress=False)

    def andrey(x: NDArray[np.float64]) -> Any:
        import andrey

        return andrey.pc(x, alpha=ALPHA, collider_order="column")

    def andrey_marks(result: Any) -> Marks:
        return np.array([0, -1, 1], dtype=np.int8)[result.structure.adjacency]

    return [
        Contender("pyvalue core", core, lambda result: result[0], 200),
        Contender("pyvalue discover", lambda x: discover(x, threads=1), lambda graph: graph.marks, 200),
        Contender("andrey-core", andrey, andrey_marks, 10, same_marks=False),
        Contender("causal-learn", reference, lambda found: found.G.graph.astype(np.int8), 2),
    ]


REQUIRED = {"andrey-core": "andrey", "causal-learn": "causallearn"}
CONTENDERS = pytest.mark.parametrize("contender", contenders(), ids=lambda contender: contender.name)


@pytest.fixture(scope="module")
def paper() -> NDArray[np.float64]:
    if not PAPER.is_dir():
        pytest.skip("the paper's files lie beside the checkout, not in it")
    import pandas as pd

    table = pd.read_csv(PAPER / "ans_gemma_train_formal.csv")
    values = [name for name in table.columns[2:] if ":" not in name and name not in ("stds", "scstds")]
    rows = table.steer_dim.isna() | table.steer_dim.isin(KEPT_FEATURES)
    return np.ascontiguousarray(table.loc[rows, values].to_numpy(dtype=float))


def simulate(n: int, d: int, degree: float, seed: int) -> tuple[NDArray[np.float64], Marks]:
    """Linear Gaussian data on a random DAG, weights ±U(.3, 1), unit noise; and its true CPDAG."""
    rng = np.random.default_rng(seed)
    parents = np.tril(rng.random((d, d)) < degree / (d - 1), -1)
    weights = parents * rng.uniform(0.3, 1.0, (d, d)) * rng.choice([-1, 1], (d, d))
    x = rng.standard_normal((n, d)) @ np.linalg.inv(np.eye(d) - weights).T
    return np.ascontiguousarray(x), cpdag_of_dag(parents.T)


@pytest.fixture(scope="module")
def sparse_50() -> tuple[NDArray[np.float64], Marks]:
    return simulate(10_000, 50, degree=4, seed=0)


@pytest.fixture
def one_blas_thread() -> Iterator[None]:
    threadpoolctl = pytest.importorskip("threadpoolctl")
    with threadpoolctl.threadpool_limits(1):
        yield


def accuracy(marks: Marks, truth: Marks) -> dict[str, float]:
    """Adjacency F1, and the number of pairs whose edge differs from the truth's."""
    upper = np.triu_indices(len(truth), 1)
    found, true = (marks != 0)[upper], (truth != 0)[upper]
    different = (marks != truth)[upper] | (marks.T != truth.T)[upper]
    return {"adjacency_f1": float(2 * (found & true).sum() / (found.sum() + true.sum())), "shd": int(different.sum())}


def run(benchmark: Any, contender: Contender, x: NDArray[np.float64], expected: Marks) -> Marks:
    if contender.name in REQUIRED:
        pytest.importorskip(REQUIRED[contender.name])
    marks = contender.marks(contender.fit(x))  # also the warm-up
    np.testing.assert_array_equal(marks != 0, expected != 0)
    if contender.same_marks:
        np.testing.assert_array_equal(marks, expected)
    benchmark.pedantic(contender.fit, (x,), rounds=contender.rounds, iterations=1)
    return marks


@pytest.mark.benchmark(group="fit: paper, 1,111 x 17")
@CONTENDERS
def test_fit_paper(benchmark: Any, contender: Contender, paper: NDArray[np.float64]) -> None:
    expected = discover(paper).marks
    assert ((expected == -1) & (expected.T == 1)).sum() == 41
    run(benchmark, contender, paper, expected)


@pytest.mark.benchmark(group="fit: paper, 1,111 x 17")
def test_floor_paper(benchmark: Any, paper: NDArray[np.float64], one_blas_thread: None) -> None:
    benchmark.pedantic(lambda: paper.T @ paper, rounds=200, iterations=1)


@pytest.mark.benchmark(group="fit: 10,000 x 50, mean degree 4")
@CONTENDERS
def test_fit_sparse_50(benchmark: Any, contender: Contender, sparse_50: tuple[NDArray[np.float64], Marks]) -> None:
    x, truth = sparse_50
    marks = run(benchmark, contender, x, discover(x).marks)
    benchmark.extra_info.update(accuracy(marks, truth))
    assert benchmark.extra_info["adjacency_f1"] > 0.9


@pytest.mark.benchmark(group="fit: 10,000 x 50, mean degree 4")
def test_floor_sparse_50(benchmark: Any, sparse_50: tuple[NDArray[np.float64], Marks], one_blas_thread: None) -> None:
    x, _ = sparse_50
    benchmark.pedantic(lambda: x.T @ x, rounds=50, iterations=1)


REPLICATES = 200


@pytest.fixture(scope="module")
def dense_17() -> NDArray[np.float64]:
    return simulate(1111, 17, degree=5, seed=1)[0]


@pytest.mark.benchmark(group=f"bootstrap: {REPLICATES} replicates of 1,111 x 17")
@pytest.mark.parametrize("threads", [1, 2])
def test_bootstrap(benchmark: Any, dense_17: NDArray[np.float64], threads: int) -> None:
    def strengths() -> Any:
        return _core.bootstrap(dense_17, REPLICATES, 0, ALPHA, len(dense_17) / 2, threads=threads)

    counts = _core.resample_counts(len(dense_17), 0, 5)
    alone, *_ = _core.pc(_core.correlation(np.repeat(dense_17, counts, axis=0)), len(dense_17) / 2)
    replicate = _core.bootstrap(dense_17, 1, 0, ALPHA, len(dense_17) / 2, first_replicate=5)
    np.testing.assert_array_equal(replicate["directed"], (alone == -1) & (alone.T == 1))
    benchmark.pedantic(strengths, rounds=20, iterations=1, warmup_rounds=1)
    benchmark.extra_info["microseconds_a_replicate"] = benchmark.stats.stats.min / REPLICATES * 1e6


@pytest.mark.benchmark(group=f"bootstrap: {REPLICATES} replicates of 1,111 x 17")
def test_bootstrap_floor(benchmark: Any, dense_17: NDArray[np.float64], one_blas_thread: None) -> None:
    def grams() -> None:
        for _ in range(REPLICATES):
            dense_17.T @ dense_17

    benchmark.pedantic(grams, rounds=20, iterations=1, warmup_rounds=1)
