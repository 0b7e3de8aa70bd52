"""Edits as interventions on simulated studies: edges directed rightly, and direct hits found and false.

Every figure is a mean over ``STUDIES`` studies (see ``intervention_cases``), 50 unless the environment says otherwise;
± is its standard error. Observation alone is given as many rows as all conditions have together, each of a persona of
its own.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from functools import cache, lru_cache
from typing import Any

import numpy as np
import pytest
from intervention_cases import Study, study

from pyvalue.discovery import discover
from pyvalue.effects.contexts import discover_with_contexts
from pyvalue.effects.direct_hits import direct_hits
from pyvalue.graph import DiscoverySettings, ValueGraph

STUDIES = int(os.environ.get("STUDIES", "50"))
ALPHA = 0.05
MEASURED: dict[str, dict[str, Any]] = {
    "exact": {},
    "noise-.7": {"noise": 0.7},
    "noise-1-shift-1": {"noise": 1.0, "shift": 1.0},
    "3-answers": {"items": 3, "shift": 1.0},
}
#: what breaks the one or the other kind of slopes
SHARED: dict[str, dict[str, Any]] = {
    "shared-factor-.5": {"factor": 0.5, "shift": 1.0},
    "shared-factor-1": {"factor": 1.0, "shift": 1.0},
    "item-error-.7": {"item_error": 0.7, "shift": 1.0},
    "factor-.5-noise-.7": {"factor": 0.5, "noise": 0.7, "shift": 1.0},
}

Search = Callable[[int, str], ValueGraph]


@lru_cache(maxsize=2 * STUDIES)
def case(seed: int, measured: str) -> Study:
    """One study."""
    return study(seed, **(MEASURED | SHARED)[measured])


@cache
def contexts(seed: int, measured: str, scheme: Any) -> tuple[ValueGraph, dict[str, tuple[str, ...]]]:
    """The graph between values and the targets of edits; several benches read them."""
    found = discover_with_contexts(case(seed, measured).rows, scheme=scheme, threads=1)
    return found.combined, dict(found.targets)


def observed(seed: int, measured: str, rule: str = "majority") -> ValueGraph:
    """From as many rows as all conditions have together, without edits."""
    return discover(case(seed, measured).more, test="fisherz", uc_rule=rule, uc_priority=4, threads=1)


def pooled(seed: int, measured: str) -> ValueGraph:
    """From the rows of all conditions, which edit being unknown."""
    return discover(
        case(seed, measured).rows, test="fisherz", uc_rule="majority", uc_priority=4, cluster="persona", threads=1
    )


SEARCHES: dict[str, Search] = {
    "observed": observed,
    "observed-sepset": lambda seed, measured: observed(seed, measured, "sepset"),
    "pooled-no-contexts": pooled,
    "pairs": lambda seed, measured: contexts(seed, measured, "pairs")[0],
    "joint": lambda seed, measured: contexts(seed, measured, "joint")[0],
    "regime": lambda seed, measured: contexts(seed, measured, "regime")[0],
}


def directions(marks: np.ndarray, dag: np.ndarray) -> dict[str, float]:
    """Shares of the true edges found, directed rightly and wrongly; false edges; and the SHD to the DAG.

    ``right_of_found``: of the true edges that were found, NaN where there are none.
    """
    arrows, joined, true = (marks == -1) & (marks.T == 1), marks != 0, dag | dag.T
    exact = np.where(true, -1, 0)
    exact[dag.T] = 1
    edges = max(int(dag.sum()), 1)
    found = int(np.triu(joined & true).sum())
    return {
        "found": found / edges,
        "right": float((arrows & dag).sum() / edges),
        "right_of_found": float((arrows & dag).sum()) / found if found else np.nan,
        "wrong": float((arrows & dag.T).sum() / edges),
        "false_edges": float(np.triu(joined & ~true).sum()),
        "shd": float(np.triu((marks != exact) | (marks.T != exact.T), 1).sum()),
    }


def true_graph(one: Study) -> ValueGraph:
    """The DAG as a graph."""
    marks = np.where(one.dag | one.dag.T, -1, 0).astype(np.int8)
    marks[one.dag.T] = 1
    return ValueGraph(tuple(one.rows.columns), marks, DiscoverySettings(alpha=ALPHA, n=len(one.rows)))


def found_and_false(hit: np.ndarray, one: Study) -> dict[str, float]:
    """Precision and recall of direct hits; and how many values that only follow are called hit, NaN without any."""
    follow = (one.hits.astype(int) @ one.dag > 0) & ~one.hits
    return {
        "precision": float(one.hits[hit].mean()) if hit.any() else np.nan,
        "recall": float(hit[one.hits].mean()),
        "false_among_children": float(hit[follow].mean()) if follow.any() else np.nan,
        "false": float(hit[~one.hits].mean()),
    }


def means(benchmark: Any, figures: Callable[[int], dict[str, float]]) -> dict[str, float]:
    """Mean of every figure over the studies, noted with its standard error."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        each = benchmark.pedantic(lambda: [figures(seed) for seed in range(STUDIES)], rounds=1, iterations=1)
    found = {}
    for name in each[0]:
        values = np.array([one[name] for one in each])
        values = values[np.isfinite(values)]
        found[name] = float(values.mean())
        benchmark.extra_info[name] = f"{values.mean():.3f} ± {values.std(ddof=1) / np.sqrt(len(values)):.3f}"
    return found


RIGHT: dict[tuple[str, str], dict[str, float]] = {}


@pytest.mark.benchmark(group=f"directions: {STUDIES} studies of 100 personas x 8 edits, 8 values")
@pytest.mark.parametrize("measured", ["exact", "noise-.7"])
@pytest.mark.parametrize("search", list(SEARCHES))
def test_directions(benchmark: Any, search: str, measured: str) -> None:
    def figures(seed: int) -> dict[str, float]:
        return directions(SEARCHES[search](seed, measured).marks, case(seed, measured).dag)

    found = RIGHT[search, measured] = means(benchmark, figures)
    if ("observed", measured) not in RIGHT:
        return
    observed = RIGHT["observed", measured]
    if search in ("pairs", "joint"):
        assert found["right_of_found"] > observed["right_of_found"]
    if search == "joint":
        assert found["right"] > observed["right"]


def table_of(result: Any, one: Study, column: str) -> np.ndarray:
    """(e, d) of a column of the table of direct hits."""
    wide = result.table.pivot(index="edit", columns="value", values=column)
    return wide.reindex(index=[f"e{i}" for i in range(len(one.hits))], columns=one.rows.columns).to_numpy()


@pytest.mark.benchmark(group=f"direct hits by the true graph: {STUDIES} studies")
@pytest.mark.parametrize("measured", [*MEASURED, *SHARED])
@pytest.mark.parametrize("slopes", ["paired", "unedited", "repeated"])
def test_hits_by_the_true_graph(benchmark: Any, slopes: Any, measured: str) -> None:
    def figures(seed: int) -> dict[str, float]:
        one = case(seed, measured)
        result = direct_hits(one.rows, true_graph(one), slopes=slopes, alpha=ALPHA)
        # The false ones of single tests at 5%, before any correction for how many there are.
        raw = found_and_false(table_of(result, one, "p").astype(float) < ALPHA, one)
        corrected = found_and_false(table_of(result, one, "hit").astype(bool), one)
        robust = found_and_false(table_of(result, one, "robust").astype(bool), one)
        return (
            {"precision": corrected["precision"], "recall": corrected["recall"]}
            | {f"robust_{name}": robust[name] for name in ("precision", "recall", "false_among_children")}
            | {f"p_below_5%_{name}": raw[name] for name in ("false", "false_among_children")}
        )

    found = means(benchmark, figures)
    if measured in MEASURED and (slopes == "repeated" or measured == "exact"):
        assert found["p_below_5%_false"] < 0.06


@pytest.mark.benchmark(group=f"direct hits by found graphs: {STUDIES} studies")
@pytest.mark.parametrize("measured", ["exact", "noise-.7"])
@pytest.mark.parametrize("way", ["targets-pairs", "targets-joint", "test-by-joint-graph", "test-by-observed-graph"])
def test_hits_by_found_graphs(benchmark: Any, way: str, measured: str) -> None:
    def figures(seed: int) -> dict[str, float]:
        one = case(seed, measured)
        if way.startswith("targets"):
            scheme: Any = way.removeprefix("targets-")
            targets = contexts(seed, measured, scheme)[1]
            hit = np.array([[v in targets[f"e{i}"] for v in one.rows.columns] for i in range(len(one.hits))])
            return found_and_false(hit, one)
        graph = SEARCHES["joint" if "joint" in way else "observed"](seed, measured)
        return found_and_false(table_of(direct_hits(one.rows, graph, alpha=ALPHA), one, "hit").astype(bool), one)

    means(benchmark, figures)
