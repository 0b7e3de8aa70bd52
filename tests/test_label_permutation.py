"""The null of permuted names: against all permutations by hand, the rates themselves, and studies with known truth."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import networkx as nx
import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from pyvalue.evaluation.change_rates import conditional_change_rates, expected_and_unexpected
from pyvalue.evaluation.label_permutation import contrasts, label_orders, label_permutation, relabelled
from pyvalue.wide_scores import score_rows

PAPER = Path(__file__).resolve().parents[1].parent / "shared" / "data" / "paper"
KEPT = ["14351", "1025", "2965", "10096", "1341", "1975", "10605", "14049", "1312", "4752"]


def chain(d: int) -> npt.NDArray[np.bool_]:
    """Reachability of a path over the first half of d values; the others stand alone."""
    dag = nx.DiGraph()
    dag.add_nodes_from(range(d))
    nx.add_path(dag, range(d // 2))
    return np.array([[b in nx.descendants(dag, a) for b in range(d)] for a in range(d)])


def changes(rng: np.random.Generator, rows: int, d: int, follow: float, reach: npt.NDArray[np.bool_]) -> npt.NDArray:
    """Changes of 0 and 1: each value changes now and then, its descendants follow with a probability."""
    changed = rng.random((rows, d)) < rng.uniform(0.2, 0.6, d)
    passed = (changed.astype(float) @ reach) * rng.random((rows, d)) > 1 - follow
    return (changed | passed).astype(float)


def test_contrasts_are_those_of_change_rates() -> None:
    rng = np.random.default_rng(0)
    many = rng.random((20, 6, 6)) < 0.4
    rates = conditional_change_rates((rng.random((9, 6)) < 0.4) * 1.0)
    rates[2] = np.nan
    for reach, found in zip(many, contrasts(rates, many), strict=True):
        expected, unexpected = expected_and_unexpected(rates, reach)
        assert found == pytest.approx(np.nanmean(expected) - np.nanmean(unexpected), abs=1e-12)


def test_all_permutations_where_there_are_few() -> None:
    rng = np.random.default_rng(1)
    rates, reach = rng.random((5, 5)), chain(5)
    found = label_permutation(rates, reach)
    by_hand = []
    for order in itertools.permutations(range(5)):
        moved = np.zeros_like(reach)
        for i, j in np.argwhere(reach):
            moved[order[i], order[j]] = True
        by_hand.append(float(contrasts(rates, moved)))
    assert found.exact and len(found.null) == 120
    np.testing.assert_allclose(np.sort(found.null), np.sort(by_hand), atol=1e-12)
    assert found.p == np.mean(np.array(by_hand) >= found.observed - 1e-12)


def test_random_permutations_come_near_all() -> None:
    rng = np.random.default_rng(2)
    rates, reach = rng.random((7, 7)), chain(7)
    whole = label_permutation(rates, reach, permutations=5040)
    some = label_permutation(rates, reach, permutations=4000, seed=3)
    assert whole.exact and not some.exact
    assert some.p == pytest.approx(whole.p, abs=4 * np.sqrt(whole.p * (1 - whole.p) / 4000) + 1e-3)
    again = label_permutation(rates, reach, permutations=4000, seed=3)
    assert again.p == some.p


def test_relabelling_is_an_isomorphism() -> None:
    orders, _ = label_orders(6, 5, seed=0)
    for moved in relabelled(chain(6), orders):
        assert nx.is_isomorphic(nx.DiGraph(moved), nx.DiGraph(chain(6)))


def test_p_is_uniform_where_the_graph_tells_nothing_and_small_where_it_does() -> None:
    stats = pytest.importorskip("scipy.stats")
    rng = np.random.default_rng(4)
    reach = chain(10)
    nulls, effects = [], []
    for seed in range(200):
        # The changes follow some other labelling of the same graph: dependence, and no match with this one.
        other = relabelled(reach, rng.permutation(10)[None])[0]
        nulls.append(
            label_permutation(
                conditional_change_rates(changes(rng, 40, 10, 0.5, other)), reach, permutations=199, seed=seed
            ).p
        )
        if seed < 40:
            effects.append(
                label_permutation(
                    conditional_change_rates(changes(rng, 60, 10, 0.7, reach)), reach, permutations=199, seed=seed
                ).p
            )
    assert stats.kstest(nulls, "uniform").pvalue > 0.01
    assert np.mean(np.array(effects) < 0.05) > 0.8


def test_what_is_not_defined_is_nan() -> None:
    nothing = label_permutation(np.full((4, 4), np.nan), chain(4))
    assert np.isnan(nothing.p) and not len(nothing.null)
    no_edges = label_permutation(np.ones((4, 4)), np.zeros((4, 4), dtype=bool))
    assert np.isnan(no_edges.observed) and np.isnan(no_edges.p)
    with pytest.raises(ValueError, match=r"rates, reach: expected square"):
        label_permutation(np.ones((4, 3)), chain(4))
    with pytest.raises(ValueError, match="permutations: expected at least 1"):
        label_permutation(np.ones((4, 4)), chain(4), permutations=0)


@pytest.mark.skipif(not PAPER.is_dir(), reason="the paper's files lie beside the checkout, not in it")
@pytest.mark.parametrize(("kind", "contrast", "p"), [("prompt", 0.130, 0.190), ("sae", 0.063, 0.310)])
def test_the_papers_contrasts(kind: str, contrast: float, p: float) -> None:
    rows = score_rows(PAPER / "ans_gemma_test_formal.csv")
    unsteered = rows.xs("", level="edit")
    if kind == "prompt":
        change = unsteered.drop("none") - unsteered.loc["Erika Jones"]
    else:
        one: pd.DataFrame = rows.xs("Mary Holt", level="persona")
        change = one.loc[KEPT] - one.loc[""]
    names = list(rows.columns)
    dag = nx.DiGraph(edge[:2] for edge in json.loads((PAPER / "graphs.json").read_text())["edges"]["gemma"])
    reach = np.array([[b in nx.descendants(dag, a) and a != b for b in names] for a in names])
    found = label_permutation(conditional_change_rates(change.to_numpy()), reach, permutations=10_000)
    assert found.observed == pytest.approx(contrast, abs=5e-4)
    assert found.p == pytest.approx(p, abs=0.012)  # 3 standard errors of 10,000 permutations
