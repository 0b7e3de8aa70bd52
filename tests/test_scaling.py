"""The map and its fit to the circle, compared with scikit-learn and SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import procrustes
from scipy.spatial.distance import pdist, squareform

from pyvalue.evaluation.scaling import _monotone, align, classical, procrustes_fit, scale, smacof
from pyvalue.schwartz_circle import CIRCLE, angle, position

THEORY = np.array([position(name) for name in CIRCLE])


def noisy(noise: float, n: int = 100, seed: int = 0) -> np.ndarray:
    """Correlations of rows about their means, with the ten values on the circle."""
    rng = np.random.default_rng(seed)
    turn = np.radians([angle(name) for name in CIRCLE])
    x = rng.normal(size=(n, 2)) @ np.array([np.cos(turn), np.sin(turn)]) + noise * rng.normal(size=(n, 10))
    return np.corrcoef((x - x.mean(axis=1, keepdims=True)).T)


def dissimilarities(seed: int, d: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return squareform(pdist(rng.normal(size=(d, 5))))


@given(st.integers(0, 1000), st.integers(4, 10))
@settings(max_examples=20, deadline=None)
def test_isotonic_regression_is_that_of_scikit_learn(seed: int, d: int) -> None:
    isotonic = pytest.importorskip("sklearn.isotonic")
    rng = np.random.default_rng(seed)
    wanted, pairs = rng.normal(size=(2, d * (d - 1) // 2))
    order = np.argsort(wanted)
    expected = isotonic.isotonic_regression(pairs[order])
    np.testing.assert_allclose(_monotone(wanted[None], pairs[None])[0][order], expected, atol=1e-12)


@pytest.mark.parametrize("seed", range(6))
def test_ordinal_map_is_as_good_as_that_of_scikit_learn(seed: int) -> None:
    manifold = pytest.importorskip("sklearn.manifold")
    apart = dissimilarities(seed, 9)
    start = classical(apart[None])[0]
    _, theirs = manifold.smacof(
        apart, metric=False, init=start, n_init=1, max_iter=3000, eps=1e-9, normalized_stress=True
    )
    _, ours = smacof(apart[None], start[None], "ordinal")
    assert theirs - 4e-3 < ours[0] < theirs + 5e-4


@pytest.mark.parametrize("level", ["ordinal", "interval"])
def test_distances_in_the_plane_are_found_again(level: str) -> None:
    truth = np.random.default_rng(1).normal(size=(8, 2))
    apart = squareform(pdist(truth))
    maps, stress = smacof(apart[None], classical(apart[None]), level)  # type: ignore[arg-type]
    assert stress[0] < 2e-3
    assert procrustes_fit(maps, truth[None])[0] > 0.999


def test_interval_level_takes_any_line_and_ordinal_any_order() -> None:
    apart = dissimilarities(3, 8)
    start = classical(apart[None])
    line = np.where(np.eye(8) == 1, 0, 0.3 + 2 * apart)
    once, again = (smacof(x[None], start, "interval")[1][0] for x in (apart, line))
    assert once == pytest.approx(again, abs=1e-6)
    once, again = (smacof(x[None], start, "ordinal")[1][0] for x in (apart, apart**3))
    assert once == pytest.approx(again, abs=1e-6)


def test_many_maps_at_once_are_the_same_as_one_by_one() -> None:
    apart = np.stack([dissimilarities(seed, 7) for seed in range(70)])
    start = np.random.default_rng(0).normal(size=(70, 7, 2))
    together, stress = smacof(apart, start)
    for k in (0, 31, 32, 69):
        alone, own = smacof(apart[k : k + 1], start[k : k + 1])
        np.testing.assert_allclose(together[k], alone[0], atol=1e-9)
        assert stress[k] == pytest.approx(own[0])


@given(st.integers(0, 10_000))
@settings(max_examples=30, deadline=None)
def test_procrustes_is_that_of_scipy(seed: int) -> None:
    rng = np.random.default_rng(seed)
    one, other = rng.normal(size=(2, 10, 2))
    standard, turned, disparity = procrustes(one, other)
    assert procrustes_fit(other[None], one[None])[0] == pytest.approx(np.sqrt(1 - disparity))
    aligned = align(other, one)
    centred = one - one.mean(axis=0)
    np.testing.assert_allclose((aligned - one.mean(axis=0)) / np.linalg.norm(centred), turned, atol=1e-9)
    np.testing.assert_allclose(centred / np.linalg.norm(centred), standard, atol=1e-9)


def test_a_circle_is_seen_and_noise_is_not() -> None:
    found = scale(noisy(1.0), CIRCLE, THEORY, permutations=99)
    assert found.fit > 0.97 and found.fit_p == found.stress_p == 0.01
    assert found.stress < 0.1 < found.random_stress
    assert np.corrcoef(found.coordinates.ravel(), THEORY.ravel())[0, 1] > 0.97
    rng = np.random.default_rng(0)
    nothing = scale(np.corrcoef(rng.normal(size=(10, 200))), CIRCLE, THEORY, permutations=99)
    assert nothing.fit > 0.5  # the start pulls the map to the theory, and only the permutations tell
    assert nothing.fit_p > 0.05


def test_the_test_of_the_map_has_its_size() -> None:
    rng = np.random.default_rng(2)
    names, theory = CIRCLE[::2], THEORY[::2]
    p = [
        scale(np.corrcoef(rng.normal(size=(5, 60))), names, theory, level="interval", permutations=19, seed=k).fit_p
        for k in range(100)
    ]
    assert np.mean(np.array(p) <= 0.05) < 0.11 and 0.4 < np.mean(p) < 0.65


@pytest.mark.parametrize(
    ("options", "message"),
    [({"level": "ratio"}, "level: expected 'ordinal' or 'interval'"), ({"names": CIRCLE[:3]}, "at least 4 values")],
)
def test_wrong_arguments(options: dict, message: str) -> None:
    names = options.pop("names", CIRCLE)
    d = len(names)
    with pytest.raises(ValueError, match=message):
        scale(noisy(1.0)[:d, :d], names, THEORY[:d], permutations=9, **options)
