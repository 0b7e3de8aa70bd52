"""Areas under curves, against scikit-learn and by counting pairs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyvalue.evaluation.auroc import auprc, auroc

scores_and_labels = st.lists(st.tuples(st.integers(-3, 3), st.booleans()), min_size=2, max_size=40)


@settings(max_examples=60, deadline=None)
@given(scores_and_labels)
def test_equal_to_sklearn_with_ties(rows: list[tuple[int, bool]]) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    score, label = np.array([s for s, _ in rows], dtype=float), np.array([y for _, y in rows])
    if label.all() or not label.any():
        assert np.isnan(auroc(score, label)) and np.isnan(auprc(score, label))
        return
    assert auroc(score, label) == pytest.approx(metrics.roc_auc_score(label, score), abs=1e-12)
    assert auprc(score, label) == pytest.approx(metrics.average_precision_score(label, score), abs=1e-12)


def test_is_the_share_of_pairs_in_order() -> None:
    rng = np.random.default_rng(1)
    score, label = rng.integers(0, 4, 30).astype(float), rng.random(30) < 0.4
    above = score[label][:, None] - score[~label][None, :]
    assert auroc(score, label) == pytest.approx(np.mean((above > 0) + 0.5 * (above == 0)), abs=1e-12)


def test_many_vectors_at_once() -> None:
    rng = np.random.default_rng(2)
    scores, label = rng.integers(0, 5, (3, 4, 25)).astype(float), rng.random(25) < 0.5
    for area in (auroc, auprc):
        together = area(scores, label)
        assert together.shape == (3, 4)
        assert together[2, 1] == pytest.approx(area(scores[2, 1], label), abs=1e-12)


def test_known_values() -> None:
    assert auroc([1, 2, 3, 4], [0, 0, 1, 1]) == 1.0
    assert auroc([4, 3, 2, 1], [0, 0, 1, 1]) == 0.0
    assert auroc([5, 5, 5], [0, 1, 1]) == 0.5
    assert auprc([5, 5, 5, 5], [0, 1, 0, 0]) == 0.25


@pytest.mark.parametrize("area", [auroc, auprc])
def test_bad_input_is_named(area: object) -> None:
    with pytest.raises(ValueError, match=r"expected shapes \(..., n\) and \(n,\), got \(3,\) and \(2,\)"):
        area([1, 2, 3], [0, 1])  # type: ignore[operator]
    with pytest.raises(ValueError, match="score: expected finite"):
        area([1, np.nan], [0, 1])  # type: ignore[operator]
    with pytest.raises(ValueError, match="label: expected booleans"):
        area([1, 2], [-1, 1])  # type: ignore[operator]
