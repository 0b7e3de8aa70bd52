"""Row-level AUROC from counts: against scikit-learn on the rows written out, and studies made to pass and to fail."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from pyvalue.evaluation.audit_contrast_findings import Reach
from pyvalue.evaluation.audit_contrasts import counts_of_edits
from pyvalue.evaluation.audit_options import AuditOptions
from pyvalue.evaluation.audit_rows import row_finding, weighted_auroc
from pyvalue.evaluation.auroc import auroc

D = 5
OPTIONS = AuditOptions(resamples=200)


def study(seed: int, personas: int = 20, follow: float = 0.0) -> pd.DataFrame:
    """Values that change at rates of their own; value 0 takes 1 and 2 along with a probability."""
    rng = np.random.default_rng(seed)
    moved = rng.random((personas * 6, D)) < np.linspace(0.2, 0.8, D)
    moved[:, 1:3] |= moved[:, :1] & (rng.random((len(moved), 1)) < follow)
    index = pd.MultiIndex.from_product(
        [[f"p{i:02d}" for i in range(personas)], list("abcdef")], names=["persona", "edit"]
    )
    return pd.DataFrame(moved.astype(float), index=index).mask(rng.random(moved.shape) < 0.05)


def reach(*pairs: tuple[int, int]) -> Reach:
    flags = np.zeros((D, D), dtype=bool)
    for i, j in pairs:
        flags[i, j] = True
    return Reach(flags, flags)


def written_out(change: pd.DataFrame) -> pd.DataFrame:
    """One row a persona, edit and ordered pair of which the first changed and the second is known."""
    rows = []
    for (persona, _), own in zip(change.index, change.to_numpy(), strict=True):
        rows += [
            (persona, i, j, own[j] != 0)
            for i in range(D)
            for j in range(D)
            if i != j and np.isfinite(own[[i, j]]).all() and own[i] != 0
        ]
    return pd.DataFrame(rows, columns=["persona", "i", "j", "changed"])


def test_equal_to_sklearn_on_the_rows_themselves() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    change, learnt = study(0, follow=0.5), study(1)
    graph = reach((0, 1), (0, 2), (3, 4))
    rows = written_out(change)
    by_graph = graph.possible[rows["i"], rows["j"]].astype(float)
    held_out = row_finding(counts_of_edits(change), graph, change, learnt, OPTIONS).figures
    rate = learnt.abs().gt(0).sum() / learnt.notna().sum()
    assert held_out["rows"] == len(rows)
    assert held_out["changed"] == pytest.approx(rows["changed"].mean())
    assert held_out["graph"] == pytest.approx(metrics.roc_auc_score(rows["changed"], by_graph))
    assert held_out["marginal"] == pytest.approx(metrics.roc_auc_score(rows["changed"], rate[rows["j"]]))
    own = row_finding(counts_of_edits(change), graph, change, None, OPTIONS).figures
    others = {
        p: change.drop(index=p, level="persona").pipe(lambda t: t.abs().gt(0).sum() / t.notna().sum())
        for p in set(rows["persona"])
    }
    areas, graphs, pairs = [], [], []
    for persona, part in rows.assign(graph=by_graph).groupby("persona"):
        areas.append(metrics.roc_auc_score(part["changed"], others[persona][part["j"]]))
        graphs.append(metrics.roc_auc_score(part["changed"], part["graph"]))
        pairs.append(part["changed"].sum() * (~part["changed"]).sum())
    assert own["marginal"] == pytest.approx(np.average(areas, weights=pairs))
    assert own["graph"] == pytest.approx(np.average(graphs, weights=pairs))


def test_no_graph_is_better_than_rates_of_others_where_nothing_is_to_be_known() -> None:
    rng = np.random.default_rng(6)
    index = pd.MultiIndex.from_product([[f"p{i:02d}" for i in range(12)], list("abcd")], names=["persona", "edit"])
    found = []
    for _ in range(60):
        lively = rng.uniform(0.2, 0.9, (12, 1, 1))  # some personas change more, and no value does
        change = pd.DataFrame((rng.random((12, 4, D)) < lively).reshape(-1, D) * 1.0, index=index)
        found.append(row_finding(counts_of_edits(change), reach((0, 1), (2, 3)), change, None, OPTIONS))
    for name in ("graph", "marginal"):
        areas = np.array([one.figures[name] for one in found])
        assert abs(areas.mean() - 0.5) < 3 * areas.std() / np.sqrt(len(areas))
    assert sum(one.verdict == "holds" for one in found) <= 4


def test_weighted_auroc_counts_rows() -> None:
    rng = np.random.default_rng(2)
    score = rng.integers(0, 3, 8).astype(float)
    hit, miss = rng.integers(0, 4, (2, 3, 8)).astype(float)
    for k in range(3):
        scores = np.repeat(np.tile(score, 2), np.concatenate([hit[k], miss[k]]).astype(int))
        labels = np.repeat([True, False], [int(hit[k].sum()), int(miss[k].sum())])
        assert weighted_auroc(score, hit, miss)[k] == pytest.approx(auroc(scores, labels))
    assert np.isnan(weighted_auroc(score, hit, miss * 0)).all()


def test_within_values_equal_to_sklearn() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    change, graph = study(7, follow=0.5), reach((0, 1), (0, 2), (3, 4), (4, 2), (1, 3))
    found = row_finding(counts_of_edits(change), graph, change, None, OPTIONS)
    rows = written_out(change)
    areas, pairs = [], []
    for _, part in rows.assign(graph=graph.possible[rows["i"], rows["j"]] * 1.0).groupby("j"):
        areas.append(metrics.roc_auc_score(part["changed"], part["graph"]))
        pairs.append(part["changed"].sum() * (~part["changed"]).sum())
    assert found.figures["within_values"] == pytest.approx(np.average(areas, weights=pairs))


def test_verdicts() -> None:
    true, own = study(3, personas=40, follow=0.8), reach((0, 1), (0, 2))
    found = row_finding(counts_of_edits(true), own, true, study(4, follow=0.8), OPTIONS)
    assert found.verdict == "holds" and found.figures["within_low"] > 0.5 and found.figures["within_p"] < 0.05
    # Over all rows the marginal rate ranks better all the same.
    assert found.figures["difference_high"] < 0
    wrong = row_finding(counts_of_edits(true), reach(*[(i, j) for i in (3, 4) for j in (1, 2)]), true, None, OPTIONS)
    assert wrong.verdict != "holds" and wrong.figures["within_high"] < 0.5
    # A graph that is told of all and only the values that change often says nothing more than the marginal rate.
    rates_alone = study(3, personas=40)
    often = reach(*[(i, j) for i in range(D) for j in (3, 4) if i != j])
    told = row_finding(counts_of_edits(rates_alone), often, rates_alone, None, OPTIONS)
    assert told.verdict != "holds" and told.figures["graph"] > 0.55
    still = rates_alone * 0
    assert row_finding(counts_of_edits(still), often, still, None, OPTIONS).verdict == "not computable"
    always = study(3, personas=40, follow=1.0)
    # One true pair of 20: over personas it is clear, and permuted names put it there once in 20 times.
    one = row_finding(counts_of_edits(always), reach((0, 1)), always, None, OPTIONS)
    assert one.verdict == "unclear" and one.figures["within_low"] > 0.5 and one.figures["within_p"] == 0.05
    few = always.iloc[:24]
    found = row_finding(counts_of_edits(few), own, few, study(4), OPTIONS)
    assert found.figures["within_p"] < 0.05
    assert found.verdict == "unclear" and "at least 5 personas, got 4" in found.sentence
