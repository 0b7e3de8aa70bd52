"""Schemes and clusters: what a replicate is worth, against simulation of independent data."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from pyvalue.discovery import DegenerateDataWarning, discover
from pyvalue.discovery.bootstrap import effective_sample_size
from pyvalue.discovery.effective_n import DesignEffect, design_effect


def false_edge_share(make, samples: int, **options: object) -> float:
    """Mean share of pairs of independent columns that replicates join."""
    shares = []
    for seed in range(samples):
        data, cluster = make(np.random.default_rng(seed))
        graph = discover(data, cluster=cluster, bootstrap=40, max_depth=0, seed=seed, **options)
        shares.append(graph.strengths().strength.mean())
    return float(np.mean(shares))


def rows(rng: np.random.Generator) -> tuple[np.ndarray, None]:
    return rng.standard_normal((200, 8)), None


@pytest.mark.parametrize(
    ("scheme", "size", "expected"),
    [
        ("bootstrap", None, 0.05),
        ("m-of-n", 80, 0.05),
        ("subsample", None, 0.05),
        ("subsample", 60, 0.05),
        ("complementary-pairs", None, 0.05),
        ("naive", None, 0.166),
    ],
)
def test_false_edges(scheme: str, size: int | None, expected: float) -> None:
    """60 samples of 28 pairs: the standard error of the share is about 0.004."""
    found = false_edge_share(rows, 60, scheme=scheme, replicate_size=size)
    assert found == pytest.approx(expected, abs=0.015)


def clustered(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """40 personas of 10 rows, columns independent of each other, intraclass correlation .5."""
    persona = np.repeat(np.arange(40), 10)
    return rng.standard_normal((40, 8))[persona] + rng.standard_normal((400, 8)), persona


def crossed(rng: np.random.Generator) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]:
    """30 personas x 20 edits, each with an effect of its own on every column."""
    persona, edit = np.divmod(np.arange(600), 20)
    x = rng.standard_normal((30, 8))[persona] + rng.standard_normal((20, 8))[edit] + rng.standard_normal((600, 8))
    return x, (persona, edit)


@pytest.mark.parametrize("make", [clustered, crossed])
def test_false_edges_of_clustered_rows(make) -> None:
    assert false_edge_share(make, 60) == pytest.approx(0.05, abs=0.02)


def test_without_clusters_the_tests_believe_too_much() -> None:
    def ignored(rng: np.random.Generator) -> tuple[np.ndarray, None]:
        return clustered(rng)[0], None

    assert false_edge_share(ignored, 30) > 0.15


@pytest.mark.parametrize("make", [clustered, crossed])
def test_graph_over_all_rows_takes_the_effective_n(make) -> None:
    shares = []
    for seed in range(150):
        data, cluster = make(np.random.default_rng(seed))
        graph = discover(data, cluster=cluster, max_depth=0)
        shares.append((graph.marks != 0).sum() / 56)
    assert np.mean(shares) == pytest.approx(0.05, abs=0.02)
    assert graph.settings.effective_n < 0.6 * len(data)


def test_design_effect_is_the_cluster_robust_variance() -> None:
    """Of a regression of one standardised column on the other, by statsmodels, where the slope is the correlation."""
    rng = np.random.default_rng(0)
    x, persona = clustered(rng)
    a, b = ((column - column.mean()) / column.std() for column in (x[:, 0], x[:, 1]))
    r = float(np.mean(a * b))
    # The influence of a row on r, by numerical differentiation of the weighted correlation.
    step = 1e-5
    influence = []
    for row in range(len(a)):
        w = np.ones(len(a))
        w[row] += step
        ma, mb = np.average(a, weights=w), np.average(b, weights=w)
        cov = np.average((a - ma) * (b - mb), weights=w)
        var = np.average((a - ma) ** 2, weights=w), np.average((b - mb) ** 2, weights=w)
        influence.append((cov / np.sqrt(var[0] * var[1]) - r) / step)
    influence = np.array(influence)
    totals = np.bincount(persona, weights=influence)
    expected = (totals @ totals) / (influence @ influence) * 40 / 39
    assert design_effect([x[:, 0], x[:, 1]], [None, None], [persona]).sample[0, 1] == pytest.approx(expected, rel=1e-3)
    # And of the same size as the robust variance of the slope, which takes the spread of a as given.
    fit = sm.OLS(b, a)
    robust = fit.fit(cov_type="cluster", cov_kwds={"groups": persona}).bse[0] ** 2 / fit.fit(cov_type="HC0").bse[0] ** 2
    assert expected == pytest.approx(robust, rel=0.15)


def test_repeated_rows_are_worth_one() -> None:
    rng = np.random.default_rng(1)
    once = rng.standard_normal((60, 5))
    effect = design_effect(list(np.repeat(once, 7, axis=0).T), [None] * 5, [np.repeat(np.arange(60), 7)])
    np.testing.assert_allclose(420 / effect.sample, 60, rtol=0.05)


def test_effective_sample_sizes() -> None:
    assert effective_sample_size("bootstrap", 1000).n == 500
    assert effective_sample_size("m-of-n", 1000, drawn=250).n == pytest.approx(250 / 1.25)
    assert effective_sample_size("subsample", 1001).n == 500
    assert effective_sample_size("subsample", 1000, drawn=300).n == pytest.approx(300)
    assert effective_sample_size("naive", 1000).n == 1000
    effect = DesignEffect(4.0, 4.0)
    assert effective_sample_size("bootstrap", 1000, units=100, effect=effect).n == 125
    assert effective_sample_size("subsample", 1000, units=100, effect=effect).n == 125


def unequal(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """60 personas of 2 to 40 rows."""
    persona = np.repeat(np.arange(60), np.linspace(2, 40, 60).astype(int))
    return rng.standard_normal((60, 8))[persona] + rng.standard_normal((len(persona), 8)), persona


def test_clusters_of_unequal_sizes() -> None:
    assert false_edge_share(unequal, 60) == pytest.approx(0.05, abs=0.025)


def test_columns_that_do_not_vary_within_a_cluster() -> None:
    """Two columns of the person beside six of the row: their pair is worth 60 rows, and is not joined for 1,200."""
    joined = np.zeros((8, 8))
    for seed in range(120):
        rng = np.random.default_rng(seed)
        person = np.repeat(np.arange(60), 20)
        x = np.column_stack([rng.standard_normal((60, 2))[person], rng.standard_normal((1200, 6))])
        graph = discover(x, cluster=person, max_depth=0)
        joined += graph.marks != 0
    share = joined / 120
    assert share[0, 1] < 0.15
    assert share[2:, 2:][np.triu_indices(6, 1)].mean() == pytest.approx(0.05, abs=0.02)


def test_names_of_categories_do_not_matter() -> None:
    """A cluster holds the middle level alone, or the two others: only that counts, not how levels are called."""
    rng = np.random.default_rng(2)
    cluster = np.repeat(np.arange(60), 10)
    def column() -> np.ndarray:
        middle = np.repeat(rng.random(60) < 0.5, 10)
        return np.where(middle, 1, 2 * rng.integers(0, 2, 600))
    codes = np.column_stack([column(), column()])
    worth = []
    for names in ("abc", "azc"):
        frame = pd.DataFrame(np.array(list(names))[codes], columns=["x", "y"])
        worth.append(discover(frame, cluster=cluster).settings.effective_n)
    assert worth[0] == pytest.approx(worth[1]) and worth[0] < 200


def test_few_large_clusters_are_refused() -> None:
    rng = np.random.default_rng(3)
    cluster = np.repeat(np.arange(51), [500] + [10] * 50)
    with pytest.raises(ValueError, match=r"51 clusters of such unequal sizes .* worth 3\.9 equal ones"):
        discover(rng.standard_normal((1000, 3)), cluster=cluster)


def test_a_test_that_only_sees_rows_takes_no_clusters() -> None:
    x, persona = clustered(np.random.default_rng(4))
    with pytest.raises(ValueError, match=r"cluster needs a test that can be told .* 'rcot' only sees rows"):
        discover(x, cluster=persona, test="rcot")


def test_cluster_by_column_by_index_and_by_labels_agree() -> None:
    x, persona = clustered(np.random.default_rng(3))
    frame = pd.DataFrame(x, columns=list("abcdefgh"))
    by_labels = discover(frame, cluster=persona, bootstrap=30)
    by_column = discover(frame.assign(persona=persona), cluster="persona", bootstrap=30)
    by_index = discover(frame.set_index(pd.Index(persona, name="persona")), cluster="persona", bootstrap=30)
    assert by_labels.bootstrap == by_column.bootstrap == by_index.bootstrap
    assert by_column.names == tuple("abcdefgh") and by_column.settings.cluster == ("persona",)


def test_shared_personas_are_said() -> None:
    x, persona = clustered(np.random.default_rng(9))
    index = pd.MultiIndex.from_arrays([np.tile(list("abcdefghij"), 40), persona], names=["edit", "persona"])
    frame = pd.DataFrame(x, columns=list("stuvwxyz"), index=index)
    with pytest.warns(DegenerateDataWarning, match="400 rows share 40 personas and were taken for independent"):
        discover(frame)
    both = discover(frame, cluster=("persona", "edit"))
    assert both.settings.cluster == ("persona", "edit") and both.notes == ()
    one_edit = frame.xs("a", level="edit", drop_level=False)
    assert discover(one_edit).notes == ()


def test_clusters_do_not_depend_on_threads_or_labels() -> None:
    x, persona = clustered(np.random.default_rng(4))
    one = discover(x, cluster=persona, bootstrap=60, threads=1)
    assert discover(x, cluster=[f"p{i}" for i in persona], bootstrap=60, threads=7).bootstrap == one.bootstrap


def test_kept_replicates_are_the_counted_ones() -> None:
    x = np.random.default_rng(5).standard_normal((100, 5)) @ np.random.default_rng(6).uniform(-1, 1, (5, 5))
    graph = discover(x, bootstrap=80, keep_replicates=True)
    assert graph.replicate_graphs is not None and graph.bootstrap is not None
    directed = sum((marks == -1) & (marks.T == 1) for marks in graph.replicate_graphs)
    np.testing.assert_array_equal(directed, graph.bootstrap.directed)
    assert discover(x, bootstrap=80).replicate_graphs is None


def test_order_of_columns_is_part_of_a_replicate() -> None:
    x = np.random.default_rng(7).standard_normal((60, 7)) @ np.random.default_rng(8).uniform(-1, 1, (7, 7))
    shuffled, fixed = (discover(x, bootstrap=200, alpha=0.2, shuffle_columns=flag) for flag in (True, False))
    assert shuffled.bootstrap is not None and fixed.bootstrap is not None
    np.testing.assert_array_equal(shuffled.bootstrap.absent, fixed.bootstrap.absent)  # the skeleton knows no order
    assert (shuffled.bootstrap.directed != fixed.bootstrap.directed).any()


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"scheme": "m-of-n"}, ValueError, "needs replicate_size"),
        ({"scheme": "m-of-n", "replicate_size": 51}, ValueError, "at most the 50 rows, or clusters, that there are"),
        ({"replicate_size": 20}, ValueError, "replicate_size is for scheme='m-of-n' and 'subsample', got scheme=None"),
        ({"scheme": "m-of-n", "replicate_size": 2}, ValueError, "replicate_size must be at least 4"),
        ({"scheme": "subsample", "replicate_size": 4.0}, TypeError, "replicate_size must be an integer"),
        ({"shuffle_columns": 1}, TypeError, "shuffle_columns must be True or False"),
        ({"cluster": [1] * 25 + [2] * 25}, ValueError, "2 clusters"),
        ({"cluster": list(range(49))}, ValueError, "49"),
        (
            {"cluster": (np.arange(50) // 5, np.arange(50) % 10), "scheme": "subsample"},
            ValueError,
            "two-way clusters are drawn with replacement",
        ),
    ],
)
def test_bad_options(options: dict[str, object], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        discover(np.random.default_rng(0).standard_normal((50, 3)), bootstrap=5, **options)


def test_memory_that_would_not_fit_is_said_before() -> None:
    from pyvalue.discovery.memory import available_bytes, check_memory, estimated_bytes

    assert available_bytes() is None or available_bytes() > 1e6
    assert estimated_bytes(1000, 17, 2, 1000, False) < 5e6
    with pytest.raises(ValueError, match=r"need about .* GB of memory .* are free; take fewer columns, fewer threads"):
        check_memory(1000, 500_000, 2, 100, False)
