"""Spearman's and polychoric correlations under Fisher's z: against SciPy, against statsmodels, and on null data."""

from __future__ import annotations

import itertools
import warnings

import numpy as np
import pytest
from scipy import integrate, optimize, stats

from pyvalue import _core

SHAPES = {
    "balanced": [0.2] * 5,
    "skewed": [0.62, 0.2, 0.1, 0.05, 0.03],
    "binary": [0.5, 0.5],
    "uneven binary": [0.7, 0.3],
}


def spearman_source(x: np.ndarray) -> _core.SpearmanSource:
    return _core.SpearmanSource(_core.Table(x))


def polychoric_source(codes: np.ndarray, levels: list[int] | None = None) -> _core.PolychoricSource:
    if levels is None:
        levels = [int(column.max()) + 1 for column in codes.T]
    return _core.PolychoricSource(_core.Table(codes), levels)


def ordinal_sample(n: int, d: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Normal columns in a chain, (n, d), and their codes: 2 to 6 levels at random thresholds."""
    normal = rng.standard_normal((n, d))
    for column in range(1, d):
        normal[:, column] = 0.6 * normal[:, column - 1] + 0.8 * normal[:, column]
    thresholds = [np.sort(rng.uniform(-1.5, 1.5, rng.integers(1, 6))) for _ in range(d)]
    codes = [np.searchsorted(t, column) for t, column in zip(thresholds, normal.T, strict=True)]
    return normal, np.column_stack(codes).astype(np.uint8)


def correlation_of_ranks(x: np.ndarray) -> np.ndarray:
    return 2 * np.sin(np.pi / 6 * stats.spearmanr(x).statistic)


# --- Spearman ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["no ties", "ties", "few levels", "mixed"])
def test_spearman_is_scipys(kind: str) -> None:
    rng = np.random.default_rng(1)
    x = rng.standard_normal((400, 6)) @ rng.uniform(-1, 1, (6, 6))
    factor = {"no ties": None, "ties": 20, "few levels": 1, "mixed": np.array([1, 1, 5, 5, 1e6, 1e6])}[kind]
    if factor is not None:
        x = np.round(x * factor)
    source = spearman_source(x)
    np.testing.assert_allclose(source.correlation(), correlation_of_ranks(x), rtol=0, atol=1e-12)
    assert source.repairs == 0
    np.testing.assert_allclose(source.information, 3 / np.pi)


def test_spearman_knows_no_type_and_no_scale() -> None:
    x = np.random.default_rng(2).integers(-100, 100, (300, 4))
    expected = spearman_source(x).correlation()
    for same in (x.astype(np.int16), np.asfortranarray(x), np.exp(x / 50.0), x.astype(np.float32) * 7 - 3):
        np.testing.assert_array_equal(spearman_source(same).correlation(), expected)


def test_spearman_of_more_levels_than_a_byte_or_two_hold() -> None:
    rng = np.random.default_rng(3)
    x = np.column_stack([rng.standard_normal(70_000), rng.integers(0, 2000, 70_000), rng.integers(0, 256, 70_000)])
    x[:, 2] += x[:, 0]
    np.testing.assert_allclose(spearman_source(x).correlation(), correlation_of_ranks(x), rtol=0, atol=1e-12)


def test_spearman_of_a_replicate_is_that_of_its_rows() -> None:
    rng = np.random.default_rng(4)
    x = np.round(rng.standard_normal((500, 5)) @ rng.uniform(-1, 1, (5, 5)) * 3)
    resampling = _core.Resampling(500, seed=9)
    for replicate in range(5):
        counts = resampling.draw(replicate)
        expected = correlation_of_ranks(np.repeat(x, counts, axis=0))
        np.testing.assert_allclose(spearman_source(x).correlation(counts), expected, rtol=0, atol=1e-12)


def test_constant_columns_have_no_correlation() -> None:
    codes = np.random.default_rng(5).integers(0, 3, (50, 3)).astype(np.uint8)
    codes[:, 1] = 2
    for source in (spearman_source(codes), polychoric_source(codes)):
        np.testing.assert_array_equal(np.isnan(source.correlation()), np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]]) == 1)
        counts = _core.bootstrap(source, _core.Resampling(50), 10, 25.0)
        assert counts["untestable"][1, 1] == 10
        assert counts["untestable"][0, 0] == 0


def test_bad_values_are_refused() -> None:
    with pytest.raises(ValueError, match="column 1 holds NaN"):
        spearman_source(np.array([[0.0, np.nan], [1.0, 2.0]]))
    with pytest.raises(ValueError, match="column 0, row 1"):
        polychoric_source(np.array([[0, 1], [3, 1]]), [3, 2])
    with pytest.raises(ValueError, match="one entry a column"):
        polychoric_source(np.array([[0, 1], [2, 1]]), [3])
    with pytest.raises(ValueError, match="one entry a row"):
        spearman_source(np.ones((3, 2))).correlation(np.ones(2, np.uint16))


# --- replicates of both -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["spearman", "polychoric"])
def test_replicates_are_pc_on_the_drawn_rows_for_any_number_of_threads(kind: str) -> None:
    _, codes = ordinal_sample(300, 7, np.random.default_rng(6))
    levels = [int(column.max()) + 1 for column in codes.T]

    def make(x: np.ndarray):
        return spearman_source(x) if kind == "spearman" else polychoric_source(x, levels)

    source, resampling = make(codes), _core.Resampling(300, seed=3)
    for replicate in range(3):
        rows = np.repeat(codes, resampling.draw(replicate), axis=0)
        shares = np.outer(source.information, source.information)
        marks, *_ = _core.pc(_core.fisher_z(make(rows).correlation(), 150.0, 0.05, shares))
        part = _core.bootstrap(source, resampling, 1, 150.0, first_replicate=replicate, shuffle_columns=False)
        np.testing.assert_array_equal(part["directed"], (marks == -1) & (marks.T == 1))
        np.testing.assert_array_equal(part["undirected"], (marks == -1) & (marks.T == -1))
    one, more = (_core.bootstrap(source, resampling, 100, 150.0, threads=threads, keep=True) for threads in (1, 3))
    np.testing.assert_array_equal(one["kinds"], more["kinds"])


def test_the_test_is_told_of_fewer_rows() -> None:
    _, codes = ordinal_sample(200, 3, np.random.default_rng(7))
    for source in (spearman_source(codes), polychoric_source(codes)):
        r = source.correlation()[0, 2]
        z = np.sqrt(200 * source.information[0] * source.information[2] - 3) * np.arctanh(abs(r))
        assert source.test(200.0).p_value(0, 2) == pytest.approx(2 * stats.norm.sf(z))


# --- bivariate normal distribution ------------------------------------------------------------------------------------


def test_bivariate_normal_is_scipys() -> None:
    rng = np.random.default_rng(8)
    near_one = np.sign(rng.uniform(-1, 1, 300)) * (1 - 10.0 ** rng.uniform(-8, -1, 300))
    for r in np.concatenate([rng.uniform(-1, 1, 300), near_one]):
        h, k = rng.normal(0, 2, 2)
        expected = stats.multivariate_normal.cdf([h, k], cov=[[1, r], [r, 1]])
        assert _core.bivariate_normal_cdf(h, k, r) == pytest.approx(expected, abs=1e-14)


def test_bivariate_normal_by_numerical_integration() -> None:
    for h, k, r in itertools.product((-2.5, -0.4, 1.0), (-1.5, 0.3, 2.0), (-0.99, -0.8, 0.2, 0.6, 0.93, 0.999)):

        def density_of_x_and_small_y(x: float, k: float = k, r: float = r) -> float:
            return stats.norm.pdf(x) * stats.norm.cdf((k - r * x) / np.sqrt(1 - r * r))

        ends = sorted({-12.0, min(max(k / r, -12.0), h), h})  # it is steepest around k / r
        parts = [integrate.quad(density_of_x_and_small_y, *part, epsabs=1e-13, limit=200)[0] for part in
                 itertools.pairwise(ends)]  # fmt: skip
        assert _core.bivariate_normal_cdf(h, k, r) == pytest.approx(sum(parts), abs=1e-11)


def test_bivariate_normal_in_closed_form() -> None:
    cdf = _core.bivariate_normal_cdf
    for r in np.concatenate([np.linspace(-1, 1, 41), [-0.9999999, 0.9999999]]):
        assert cdf(0, 0, r) == pytest.approx(0.25 + np.arcsin(r) / (2 * np.pi), abs=1e-15)
    for h, k in itertools.product((-3.0, -0.5, 0.0, 1.5, np.inf), repeat=2):
        assert cdf(h, k, 0.0) == pytest.approx(stats.norm.cdf(h) * stats.norm.cdf(k), abs=1e-15)
        assert cdf(h, k, 1.0) == pytest.approx(stats.norm.cdf(min(h, k)), abs=1e-15)
        assert cdf(h, k, -1.0) == pytest.approx(max(0, stats.norm.cdf(h) + stats.norm.cdf(k) - 1), abs=1e-15)
        assert cdf(h, k, 0.7) == cdf(k, h, 0.7)
        assert cdf(-np.inf, k, 0.7) == 0


# --- polychoric -------------------------------------------------------------------------------------------------------


def log_likelihood(x: np.ndarray, y: np.ndarray):
    """Of the correlation, with the thresholds at the marginal quantiles; by SciPy alone."""
    table = stats.contingency.crosstab(x, y).count
    ends = [np.r_[-9, stats.norm.ppf(np.cumsum(table.sum(axis))[:-1] / table.sum()), 9] for axis in (1, 0)]
    points = np.array(list(itertools.product(*ends)))

    def value(r: float) -> float:
        cdf = stats.multivariate_normal.cdf(points, cov=[[1, r], [r, 1]]).reshape(len(ends[0]), len(ends[1]))
        cells = np.diff(np.diff(cdf, axis=0), axis=1)
        return float((table * np.log(np.maximum(cells, 1e-300)))[table > 0].sum())

    return value


def test_polychoric_maximises_the_likelihood() -> None:
    rng = np.random.default_rng(10)
    for n in (60, 400, 1500):
        for r in (-0.9, -0.3, 0.0, 0.5, 0.97):
            normal = rng.multivariate_normal([0, 0], [[1, r], [r, 1]], n)
            thresholds = [[-0.8, 0.1, 0.9], [-0.3, 0.2, 0.6, 1.4]]
            codes = np.column_stack([np.searchsorted(t, z) for t, z in zip(thresholds, normal.T, strict=True)])
            found = polychoric_source(codes, [4, 5]).correlation()[0, 1]
            value = log_likelihood(*codes.T)
            around = (found - 0.05, min(found + 0.05, 0.9999))
            best = optimize.minimize_scalar(
                lambda r, value=value: -value(r), bounds=around, method="bounded", options={"xatol": 1e-10}
            )
            assert found == pytest.approx(best.x, abs=1e-6)
            assert value(found) >= -best.fun - 1e-9
            # Nowhere else is a higher maximum.
            assert value(found) >= max(map(value, np.linspace(-0.99, 0.99, 23)))


def test_sparse_tables_reach_the_highest_likelihood() -> None:
    rng = np.random.default_rng(11)
    for _ in range(60):
        codes = np.column_stack([rng.binomial(4, 0.3, 12), rng.integers(0, 3, 12)])
        codes[:, 1] += codes[:, 0] // 2
        value = log_likelihood(*codes.T)
        found = polychoric_source(codes).correlation()[0, 1]
        assert value(found) >= max(map(value, np.tanh(np.linspace(-5, 5, 41)))) - 1e-9


def test_polychoric_recovers_the_correlation_of_the_normal_variables() -> None:
    normal, codes = ordinal_sample(200_000, 5, np.random.default_rng(12))
    truth = 0.6 ** np.abs(np.subtract.outer(np.arange(5), np.arange(5)))
    np.testing.assert_allclose(polychoric_source(codes).correlation(), truth, atol=0.02)
    assert np.abs(np.corrcoef(codes.T) - truth).max() > 0.1  # what the test is for
    assert np.abs(np.corrcoef(normal.T) - truth).max() < 0.01


def test_tetrachoric_of_median_splits() -> None:
    for agreeing in (1, 10, 25, 40, 49):
        x = np.repeat([0, 0, 1, 1], [agreeing, 50 - agreeing, 50 - agreeing, agreeing])
        y = np.repeat([0, 1, 0, 1], [agreeing, 50 - agreeing, 50 - agreeing, agreeing])
        found = polychoric_source(np.column_stack([x, y])).correlation()[0, 1]
        assert found == pytest.approx(np.sin(np.pi / 2 * (2 * agreeing / 50 - 1)), abs=1e-10)


def test_an_empty_cell_of_four_counts_half() -> None:
    x, y = np.repeat([0, 0, 1], [5, 5, 10]), np.repeat([0, 1, 0], [5, 5, 10])
    found = polychoric_source(np.column_stack([x, y])).correlation()[0, 1]
    h, k = stats.norm.ppf([0.5, 0.75])
    # 10 of 20 rows in x = 0, 15 in y = 0; 9.5 would be in y = 0 and x = 1, hence 5.5 in both.
    assert _core.bivariate_normal_cdf(h, k, found) == pytest.approx(5.5 / 20, abs=1e-12)


def test_polychoric_of_a_replicate_is_that_of_its_rows() -> None:
    _, codes = ordinal_sample(40, 5, np.random.default_rng(13))  # few rows: some levels are not drawn
    source, resampling = polychoric_source(codes), _core.Resampling(40, seed=1)
    for replicate in range(20):
        counts = resampling.draw(replicate)
        rows = np.repeat(codes, counts, axis=0)
        closed_up = np.column_stack([np.unique(column, return_inverse=True)[1] for column in rows.T])
        np.testing.assert_allclose(source.correlation(counts), polychoric_source(closed_up).correlation(), atol=1e-12)


def test_information_is_what_the_levels_keep() -> None:
    _, codes = ordinal_sample(500, 6, np.random.default_rng(14))
    kept = []
    for column in codes.T:
        share = np.unique(column, return_counts=True)[1] / len(column)
        density = np.r_[0, stats.norm.pdf(stats.norm.ppf(np.cumsum(share)[:-1])), 0]
        kept.append((np.diff(density) ** 2 / share).sum())
    np.testing.assert_allclose(polychoric_source(codes).information, kept, rtol=1e-12)


def test_every_pair_of_unequal_columns_is_calibrated() -> None:
    """Balanced five-level columns beside 90/10 binary ones: each kind of pair rejects about 5%."""
    rng = np.random.default_rng(15)
    rejected = np.zeros((6, 6))
    trials = 400
    for _ in range(trials):
        x = rng.standard_normal((1000, 6))
        levels = np.digitize(x[:, :3], [-0.84, -0.25, 0.25, 0.84])
        codes = np.column_stack([levels, x[:, 3:] > 1.28]).astype(np.int32)
        source = polychoric_source(codes, [5, 5, 5, 2, 2, 2])
        marks, *_ = _core.pc(source.test(1000.0), max_depth=0)
        rejected += marks != 0
    share = rejected / trials
    for kind in (share[:3, :3][np.triu_indices(3, 1)], share[:3, 3:].ravel(), share[3:, 3:][np.triu_indices(3, 1)]):
        assert kind.mean() == pytest.approx(0.05, abs=0.025)


def test_sweeps_and_single_tests_agree_where_variables_keep_different_shares() -> None:
    """A graph by sweeps against PC spelled out in p-values of the same test."""
    rng = np.random.default_rng(16)
    for _ in range(20):
        x = rng.standard_normal((300, 6)) @ rng.uniform(-1, 1, (6, 6))
        information = rng.uniform(0.2, 1.0, 6)
        test = _core.fisher_z(np.corrcoef(x.T), 300.0, 0.05, np.outer(information, information))
        marks, *_ = _core.pc(test, max_depth=1)
        adjacent = ~np.eye(6, dtype=bool)
        for order in (0, 1):
            start = adjacent.copy()
            for i, j in itertools.permutations(range(6), 2):
                others = [k for k in range(6) if start[i, k] and k != j]
                for given in itertools.combinations(others, order):
                    if start[i, j] and test.p_value(i, j, given) > 0.05:
                        adjacent[i, j] = adjacent[j, i] = False
        np.testing.assert_array_equal(marks != 0, adjacent)


# --- matrices of no data ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [3, 8, 20])
def test_nearest_correlation_is_as_near_as_statsmodels(size: int) -> None:
    corr_nearest = pytest.importorskip("statsmodels.stats.correlation_tools").corr_nearest
    rng = np.random.default_rng(size)
    for noise in (0.1, 0.4):
        matrix = np.corrcoef(rng.standard_normal((size // 2 + 1, size)).T) + rng.normal(0, noise, (size, size))
        matrix = np.clip((matrix + matrix.T) / 2, -1, 1)
        np.fill_diagonal(matrix, 1)
        nearest = _core.nearest_correlation(matrix)
        np.testing.assert_array_equal(np.diag(nearest), 1)
        np.testing.assert_array_equal(nearest, nearest.T)
        assert np.linalg.eigvalsh(nearest)[0] > -1e-12
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # statsmodels' limit of steps
            theirs = corr_nearest(matrix, threshold=1e-14, n_fact=100)
        assert np.linalg.norm(nearest - matrix) <= np.linalg.norm(theirs - matrix) + 1e-8
        assert np.linalg.eigvalsh(_core.nearest_correlation(matrix, 1e-3))[0] > 0.999e-3


def test_a_correlation_matrix_is_its_own_nearest() -> None:
    matrix = np.corrcoef(np.random.default_rng(15).standard_normal((6, 50)))
    np.testing.assert_allclose(_core.nearest_correlation(matrix), matrix, atol=1e-14)
    with pytest.raises(ValueError, match="finite"):
        _core.nearest_correlation(np.full((2, 2), np.nan))


def test_matrices_of_no_data_are_replaced_and_counted() -> None:
    rng = np.random.default_rng(16)
    normal = rng.standard_normal((30, 1)) + 0.3 * rng.standard_normal((30, 8))
    codes = np.searchsorted([-0.5, 0.6], normal).astype(np.uint8)
    source = polychoric_source(codes, [3] * 8)
    pairwise = np.eye(8)
    for i, j in itertools.combinations(range(8), 2):
        pairwise[i, j] = pairwise[j, i] = polychoric_source(codes[:, [i, j]], [3, 3]).correlation()[0, 1]
    assert np.linalg.eigvalsh(pairwise)[0] < -1e-3
    found = source.correlation()
    np.testing.assert_allclose(found, _core.nearest_correlation(pairwise, 1e-8), atol=1e-12)
    assert np.linalg.eigvalsh(found)[0] > 0.9e-8
    assert source.repairs == 0
    source.test(30.0)
    assert source.repairs == 1
    _core.bootstrap(source, _core.Resampling(30), 50, 15.0, threads=2)
    assert 1 < source.repairs <= 51


# --- calibration ------------------------------------------------------------------------------------------------------


def rejection_rates(kind: str, shape: str, n: int) -> tuple[float, float]:
    """Share of independent pairs that are called dependent: on all rows, and in bootstrap replicates told of n / 2."""
    columns, sets, replicates = 20, 120, 5
    rng = np.random.default_rng(17)
    pairs = np.triu_indices(columns, 1)
    full, drawn = [], []
    for index in range(sets):
        x = rng.choice(len(SHAPES[shape]), (n, columns), p=SHAPES[shape]).astype(np.uint8)
        source = spearman_source(x) if kind == "spearman" else polychoric_source(x, [len(SHAPES[shape])] * columns)
        marks, *_ = _core.pc(source.test(n), max_depth=0)
        full.append((marks[pairs] != 0).mean())
        counts = _core.bootstrap(source, _core.Resampling(n, seed=index), replicates, n / 2, max_depth=0)
        assert not counts["untestable"].any()
        drawn.append(1 - counts["absent"][pairs].mean() / replicates)
    return float(np.mean(full)), float(np.mean(drawn))


@pytest.mark.parametrize("n", [200, 1000])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("kind", "tolerance"), [("spearman", 0.01), ("polychoric", 0.015)])
def test_independent_pairs_are_rejected_as_often_as_alpha_says(kind: str, tolerance: float, shape: str, n: int) -> None:
    full, drawn = rejection_rates(kind, shape, n)
    assert full == pytest.approx(0.05, abs=tolerance)
    assert drawn == pytest.approx(0.05, abs=tolerance)


def test_polychoric_holds_its_level_where_pearson_does_not() -> None:
    # x and y are independent given z, all of them known in five levels only.
    rng = np.random.default_rng(18)
    rejected = {"pearson": [], "polychoric": []}
    for _ in range(100):
        z = rng.standard_normal((1000, 1))
        normal = np.hstack([z, 0.6 * z + 0.8 * rng.standard_normal((1000, 8))])
        codes = np.searchsorted([-0.84, -0.25, 0.25, 0.84], normal).astype(np.uint8)
        tests = {
            "pearson": _core.PearsonSource(_core.Table(codes)).test(1000.0),
            "polychoric": polychoric_source(codes, [5] * 9).test(1000.0),
        }
        for name, test in tests.items():
            rejected[name] += [test.p_value(i, j, [0]) <= 0.05 for i, j in itertools.combinations(range(1, 9), 2)]
    assert np.mean(rejected["polychoric"]) < 0.1  # 0.075: conditioning leaves less information than the margins say
    assert np.mean(rejected["pearson"]) > 0.15
