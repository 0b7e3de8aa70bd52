"""The degenerate Gaussian test of the compiled module: against its definition, its null distribution, its power."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats

from pyvalue import _core


def dg_test(x: np.ndarray, levels: list[int], n: float | None = None, alpha: float = 0.05) -> _core.CITest:
    return _core.DegenerateGaussianSource(_core.Table(x), levels).test(float(len(x)) if n is None else n, alpha)


def indicators(x: np.ndarray, levels: list[int], columns: list[int]) -> np.ndarray:
    blocks = [
        x[:, [column]] if levels[column] == 0 else (x[:, [column]] == np.arange(1, levels[column])).astype(float)
        for column in columns
    ]
    return np.hstack(blocks) if blocks else np.empty((len(x), 0))


def naive_p(x: np.ndarray, levels: list[int], a: int, b: int, given: list[int]) -> float:
    """Bartlett's form of Wilks' Lambda from numpy's determinants, where every level occurs."""

    def log_determinant(columns: list[int]) -> float:
        embedded = indicators(x, levels, columns)
        centred = embedded - embedded.mean(axis=0)
        return float(np.linalg.slogdet(centred.T @ centred)[1]) if columns else 0.0

    log_lambda = (
        log_determinant([a, b, *given])
        + log_determinant(given)
        - log_determinant([a, *given])
        - log_determinant([b, *given])
    )
    of_a, of_b, of_given = (indicators(x, levels, columns).shape[1] for columns in ([a], [b], given))
    statistic = -(len(x) - of_given - 1 - (of_a + of_b + 1) / 2) * log_lambda
    return float(stats.chi2.sf(statistic, of_a * of_b))


def mixed_dag(
    rng: np.random.Generator, n: int, levels: list[int], edges: list[tuple[int, int]], strength: float = 1.0
) -> np.ndarray:
    """Columns in causal order; a categorical one draws its level by a soft-max of scores linear in its parents."""
    x = np.zeros((n, len(levels)))
    for child, count in enumerate(levels):
        of_parents = np.zeros((n, max(count, 1)))
        for parent in (tail for tail, head in edges if head == child):
            features = indicators(x, levels, [parent])
            features = (features - features.mean(axis=0)) / features.std(axis=0)
            sizes = rng.choice([-1, 1], (features.shape[1], 1)) * rng.uniform(0.7, 1.3, (features.shape[1], 1))
            of_levels = rng.permutation(np.linspace(-1, 1, count)) if count else np.ones(1)
            of_parents += strength * features @ (sizes * of_levels)
        if count == 0:
            x[:, child] = of_parents[:, 0] + rng.standard_normal(n)
        else:
            x[:, child] = np.argmax(of_parents + rng.gumbel(size=of_parents.shape), axis=1)
    return x


def test_continuous_columns_agree_with_the_exact_test() -> None:
    """With one column a side the exact test of r is Student's t with n - |S| - 2 degrees of freedom. Decisions may
    differ from it, and from Fisher's z, only next to alpha: the p-values lie within 0.002 of the exact ones."""
    rng = np.random.default_rng(1)
    decisions = differing = 0
    for n in (30, 100, 1000):
        for _ in range(60):
            x = rng.standard_normal((n, 6)) @ (np.eye(6) + 0.15 * rng.standard_normal((6, 6)))
            correlation = np.corrcoef(x.T)
            test, fisher_z = dg_test(x, [0] * 6), _core.fisher_z(correlation, n)
            for size in range(4):
                given = list(range(2, 2 + size))
                inverse = np.linalg.inv(correlation[np.ix_([0, 1, *given], [0, 1, *given])])
                r = -inverse[0, 1] / np.sqrt(inverse[0, 0] * inverse[1, 1])
                freedom = n - size - 2
                exact = 2 * stats.t.sf(abs(r) * np.sqrt(freedom / (1 - r * r)), freedom)
                p = test.p_value(0, 1, given)
                assert abs(p - exact) < 0.002
                decisions += 1
                differing += (p > 0.05) != (fisher_z.p_value(0, 1, given) > 0.05)
    assert decisions == 720 and differing <= 4


def test_wilks_lambda_from_determinants() -> None:
    rng = np.random.default_rng(2)
    levels = [0, 3, 2, 0, 4, 0]
    edges = [(0, 1), (1, 2), (0, 3), (2, 4), (3, 4), (4, 5)]
    for _ in range(20):
        x = mixed_dag(rng, 400, levels, edges, 0.4)
        test = dg_test(x, levels)
        for a, b in itertools.combinations(range(6), 2):
            rest = [column for column in range(6) if column not in (a, b)]
            for given in ([], rest[:1], rest[1:3], rest):
                p = test.p_value(a, b, given)
                assert p == pytest.approx(naive_p(x, levels, a, b, given), abs=1e-7)  # numpy's rounding
                assert p == test.p_value(b, a, given)


def test_wilks_lambda_from_statsmodels() -> None:
    multivariate = pytest.importorskip("statsmodels.multivariate.manova")
    rng = np.random.default_rng(3)
    x = np.column_stack([rng.integers(0, 4, 300), rng.integers(0, 3, 300)]).astype(float)
    x[:100, 1] = x[:100, 0] % 3
    result = multivariate.MANOVA(
        indicators(x, [4, 3], [0]), np.column_stack([np.ones(300), indicators(x, [4, 3], [1])])
    ).mv_test([("x", np.eye(3)[1:])])
    wilks = float(result.results["x"]["stat"].loc["Wilks' lambda", "Value"])
    statistic = -(300 - 1 - (3 + 2 + 1) / 2) * np.log(wilks)
    assert dg_test(x, [4, 3]).p_value(0, 1) == pytest.approx(stats.chi2.sf(statistic, 6), abs=1e-12)


def test_a_binary_column_is_its_own_indicator() -> None:
    rng = np.random.default_rng(4)
    x = np.column_stack([rng.standard_normal((200, 2)), rng.random(200) < 0.4, rng.random(200) < 0.7]).astype(float)
    one, other = dg_test(x, [0, 0, 2, 2]), dg_test(x, [0] * 4)
    for a, b in itertools.combinations(range(4), 2):
        given = [column for column in range(4) if column not in (a, b)]
        assert one.p_value(a, b, given) == pytest.approx(other.p_value(a, b, given), abs=1e-12)


def independent_mixed(rng: np.random.Generator, n: int) -> tuple[np.ndarray, list[int]]:
    x = np.column_stack(
        [
            rng.standard_normal(n),
            rng.choice(3, n, p=[0.5, 0.3, 0.2]),
            rng.exponential(size=n),
            rng.random(n) < 0.3,
            rng.choice(4, n, p=[0.4, 0.3, 0.2, 0.1]),
        ]
    )
    return x.astype(float), [0, 3, 0, 2, 4]


@pytest.mark.parametrize("n", [100, 1000])
def test_calibration(n: int) -> None:
    """Rejections of independent columns at 5%: on all rows, and in replicates told of half of them."""
    rng = np.random.default_rng(n)
    rejected = {"all rows": 0, "replicates": 0}
    tests = 0
    for seed in range(1500):
        x, levels = independent_mixed(rng, n)
        drawn = np.repeat(x, _core.Resampling(n, seed=seed).draw(0), axis=0)
        for name, test in (("all rows", dg_test(x, levels)), ("replicates", dg_test(drawn, levels, n / 2))):
            for a, b in itertools.combinations(range(5), 2):
                given = [column for column in range(5) if column not in (a, b)][: (a + b) % 3]
                rejected[name] += test.p_value(a, b, given) <= 0.05
        tests += 10
    for count in rejected.values():
        assert abs(count / tests - 0.05) < 0.015


def test_replicate_edges_are_calibrated() -> None:
    """The same through the bootstrap itself: marginal edges among independent columns."""
    rng = np.random.default_rng(5)
    edges = pairs = 0
    for seed in range(60):
        x, levels = independent_mixed(rng, 300)
        source = _core.DegenerateGaussianSource(_core.Table(x), levels)
        counts = _core.bootstrap(source, _core.Resampling(300, seed=seed), 40, 150.0, max_depth=0)
        edges += int(400 - np.triu(counts["absent"], 1).sum())
        pairs += 400
    assert abs(edges / pairs - 0.05) < 0.02  # 600 pairs of columns: a standard error of about 0.5 points


def test_replicate_is_the_test_on_the_drawn_rows() -> None:
    rng = np.random.default_rng(6)
    levels = [0, 3, 2, 0, 4]
    x = mixed_dag(rng, 200, levels, [(0, 1), (1, 2), (0, 3), (3, 4)])
    source, resampling = _core.DegenerateGaussianSource(_core.Table(x), levels), _core.Resampling(200, seed=2)
    for replicate in range(10):
        drawn = np.repeat(x, resampling.draw(replicate), axis=0)
        marks, *_ = _core.pc(dg_test(drawn, levels, 100.0))
        counts = _core.bootstrap(source, resampling, 1, 100.0, first_replicate=replicate, shuffle_columns=False)
        np.testing.assert_array_equal(counts["directed"], (marks == -1) & (marks.T == 1))


def test_threads_and_memory_order_do_not_change_a_bit() -> None:
    rng = np.random.default_rng(7)
    levels = [0, 3, 2, 0, 4]
    x = mixed_dag(rng, 300, levels, [(0, 1), (1, 2), (0, 3), (3, 4)])
    resampling = _core.Resampling(300, seed=2)

    def kinds(table: object, threads: int) -> np.ndarray:
        source = _core.DegenerateGaussianSource(_core.Table(table), levels)
        return _core.bootstrap(source, resampling, 80, 150.0, threads=threads, keep=True)["kinds"]

    expected = kinds(x, 1)
    columns = [x[:, j].astype(np.uint8) if levels[j] else np.repeat(x[:, j], 2)[::2] for j in range(5)]
    for table, threads in ((x, 5), (np.asfortranarray(x), 1), (columns, 1)):
        np.testing.assert_array_equal(kinds(table, threads), expected)


def test_power_on_every_kind_of_edge() -> None:
    """Rejections of true edges at n = 300, given a further column that says nothing."""
    rng = np.random.default_rng(8)
    for tail, head in itertools.product((0, 2, 3), repeat=2):
        levels = [tail, head, 3]
        found = sum(
            dg_test(mixed_dag(rng, 300, levels, [(0, 1)], 0.6), levels).p_value(0, 1, [2]) <= 0.05 for _ in range(60)
        )
        assert found >= 54, (tail, head, found)


def true_marks(d: int, edges: list[tuple[int, int]]) -> np.ndarray:
    """The CPDAG, from the exact correlations of a linear model on the DAG."""
    weights = np.zeros((d, d))
    rng = np.random.default_rng(0)
    for tail, head in edges:
        weights[head, tail] = rng.uniform(0.5, 1.0)
    total = np.linalg.inv(np.eye(d) - weights)
    covariance = total @ total.T
    scale = np.sqrt(np.diag(covariance))
    return _core.pc(_core.fisher_z(covariance / np.outer(scale, scale), 1e7, 1e-3))[0]


def test_recovers_the_cpdag_of_mixed_dags() -> None:
    rng = np.random.default_rng(9)
    graphs = [
        [(0, 2), (1, 2), (2, 3)],
        [(0, 1), (1, 2), (2, 3)],
        [(0, 2), (1, 2), (2, 3), (2, 4)],
        [(0, 3), (1, 3), (2, 4), (3, 4)],
        [(0, 1), (0, 2), (3, 4)],
    ]
    same = runs = adjacent_same = 0
    for edges in graphs:
        for _ in range(12):
            levels = [int(count) for count in rng.choice([0, 2, 3], 5)]
            x = mixed_dag(rng, 5000, levels, edges)
            marks, *_ = _core.pc(dg_test(x, levels, alpha=0.001))
            expected = true_marks(5, edges)
            same += np.array_equal(marks, expected)
            adjacent_same += np.array_equal(marks != 0, expected != 0)
            runs += 1
    assert adjacent_same >= 0.9 * runs and same >= 0.8 * runs


def test_a_level_that_is_empty_or_determined() -> None:
    rng = np.random.default_rng(10)
    x, levels = independent_mixed(rng, 300)
    unused = dg_test(x, [0, 9, 0, 2, 5])
    assert unused.p_value(1, 4, [0]) == pytest.approx(dg_test(x, levels).p_value(1, 4, [0]), abs=1e-12)
    x[:, 3] = x[:, 4] >= 2
    x[:, 2] = 1.0
    test = dg_test(x, levels)
    assert test.p_value(0, 3, [4]) == 1.0  # 4 determines 3
    assert test.p_value(0, 2) == 1.0  # a constant
    assert test.p_value(3, 4) < 1e-30
    counts = _core.bootstrap(
        _core.DegenerateGaussianSource(_core.Table(x), levels), _core.Resampling(300, seed=1), 20, 150.0
    )
    assert counts["untestable"][2, 2] == 20 and counts["untestable"][1, 1] == 0
    assert counts["singular_tests"] == 0


@pytest.mark.parametrize(
    ("value", "levels", "message"),
    [
        (3.0, [0, 3], "column 1 holds 3.0.*no code of 3 levels"),
        (0.5, [0, 3], "no code"),
        (np.nan, [0, 3], "column 1 holds a value that is not finite"),
        (np.inf, [0, 0], "not finite"),
        (1.0, [0, 3, 0], "levels has 3 entries, but x has 2 columns"),
    ],
)
def test_bad_values_are_refused(value: float, levels: list[int], message: str) -> None:
    x = np.column_stack([np.arange(10.0), np.arange(10) % 3])
    x[4, 1] = value
    with pytest.raises(ValueError, match=message):
        _core.DegenerateGaussianSource(_core.Table(x), levels)
