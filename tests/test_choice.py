"""Which test a table gets, and that every test runs from ``discover`` to strengths."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import pyvalue as pv
from pyvalue.discovery import DegenerateDataWarning, discover
from pyvalue.errors import NumericsError

RNG = np.random.default_rng(0)
N = 1500
A, B = RNG.standard_normal((2, N))
C = A + B + 0.7 * RNG.standard_normal(N)
D = C + RNG.standard_normal(N)
CONTINUOUS = pd.DataFrame({"a": A, "b": B, "c": C, "d": D})
LIKERT = CONTINUOUS.apply(lambda column: np.digitize(column, np.quantile(column, [0.1, 0.3, 0.6, 0.85])))
TEXT = LIKERT.apply(lambda column: column.map(lambda level: "vwxyz"[level]))
GROUP = RNG.integers(0, 2, N)
SUM = A + 1.5 * GROUP + 0.7 * RNG.standard_normal(N)
MIXED = pd.DataFrame({"a": A, "b": np.array(["one", "two"])[GROUP], "c": SUM, "d": SUM + RNG.standard_normal(N)})

def _codes() -> pd.DataFrame:
    a, b = RNG.integers(0, 3, (2, N))
    c = np.where(RNG.random(N) < 0.5, (a + b) // 2, RNG.integers(0, 3, N))
    d = np.where(RNG.random(N) < 0.5, c, RNG.integers(0, 3, N))
    return pd.DataFrame({"a": a, "b": b, "c": c, "d": d})


CODES = _codes()
TRUE_SKELETON = {frozenset("ac"), frozenset("bc"), frozenset("cd")}


def skeleton(graph: pv.ValueGraph) -> set[frozenset[str]]:
    return {frozenset(edge[:2]) for edge in graph.edges()}


@pytest.mark.parametrize(
    ("table", "expected", "why"),
    [
        (CONTINUOUS, "fisherz", "numbers"),
        (LIKERT, "polychoric", "all columns have at most 7 different values"),
        (CONTINUOUS.assign(a=LIKERT["a"], b=LIKERT["b"]), "spearman", "2 of 4 columns have at most 7"),
        (CONTINUOUS.assign(a=LIKERT["a"]), "fisherz", "numbers"),
        (TEXT, "chisq", "all columns are categorical"),
        (MIXED, "degenerate_gaussian", "1 of 4 columns are categorical"),
    ],
)
def test_automatic_choice(table: pd.DataFrame, expected: str, why: str) -> None:
    graph = discover(table)
    assert graph.settings.test == expected
    assert graph.settings.test_reason.startswith(why)
    assert expected in repr(graph)


def test_few_levels_that_come_late_are_seen() -> None:
    late = np.repeat(np.arange(40), 50)
    assert discover(np.column_stack([late, late[::-1] % 9, np.arange(2000) % 11])).settings.test == "fisherz"


@pytest.mark.parametrize(
    ("table", "test"),
    [
        (CONTINUOUS, "fisherz"),
        (CONTINUOUS, "spearman"),
        (CONTINUOUS, "degenerate_gaussian"),
        (LIKERT, "polychoric"),
        (CODES, "chisq"),
        (CODES.map(lambda code: "xyz"[code]), "gsq"),
        (MIXED, "degenerate_gaussian"),
    ],
)
def test_every_test_finds_the_skeleton(table: pd.DataFrame, test: str) -> None:
    """a → c ← b, c → d."""
    graph = discover(table, test=test, alpha=0.01, bootstrap=20)
    assert skeleton(graph) == TRUE_SKELETON
    strengths = graph.strengths()
    assert (strengths.strength[strengths.in_graph] > 0.8).all()
    assert {("a", "c"), ("b", "c")} <= set(graph.directed_edges())


def test_rcot_finds_what_is_not_linear() -> None:
    rng = np.random.default_rng(3)
    x = rng.standard_normal(400)
    y = x**2 + 0.5 * rng.standard_normal(400)
    table = np.column_stack([x, y, rng.standard_normal(400)])
    assert not discover(table, names=["x", "y", "z"]).has_edge("x", "y")
    graph = discover(table, names=["x", "y", "z"], test="rcot", bootstrap=4)
    assert graph.has_edge("x", "y") and not graph.has_edge("x", "z")
    assert graph.settings.scheme == "subsample"


def test_polychoric_says_what_it_repaired() -> None:
    rng = np.random.default_rng(1)
    base = rng.standard_normal(25)
    few = np.column_stack([(base + 0.6 * rng.standard_normal(25) > 0) for _ in range(7)]).astype(int)
    with pytest.warns(DegenerateDataWarning, match="matrices of polychoric correlations were not positive definite"):
        graph = discover(few, test="polychoric", bootstrap=30)
    assert any("nearest correlation matrix" in note for note in graph.notes)


def test_monotone_changes_do_not_move_spearman() -> None:
    expected = discover(CONTINUOUS, test="spearman", bootstrap=30)
    moved = discover(CONTINUOUS.assign(a=np.exp(A), c=C**3), test="spearman", bootstrap=30)
    np.testing.assert_array_equal(moved.marks, expected.marks)
    assert moved.bootstrap == expected.bootstrap


def test_ordered_categories_are_numbers() -> None:
    dtype = pd.CategoricalDtype(list("vwxyz"), ordered=True)
    ordered = discover(TEXT.astype(dtype))
    assert ordered.settings.test == "polychoric"
    np.testing.assert_array_equal(ordered.marks, discover(LIKERT).marks)


def test_too_many_levels_are_refused() -> None:
    for test in ("chisq", "gsq", "polychoric"):
        with pytest.raises(ValueError, match=f"'a' has 1500 different values in 1500 rows, too many for test='{test}'"):
            discover(CONTINUOUS, test=test)


def test_texts_that_name_rows_are_left_out() -> None:
    with pytest.warns(DegenerateDataWarning, match="a text that differs in every row"):
        graph = discover(CONTINUOUS.assign(name=[f"p{i}" for i in range(N)]))
    assert "name" in graph.excluded and graph.settings.test == "fisherz"


def test_a_handful_of_rows_is_not_few_levels() -> None:
    assert discover(CONTINUOUS.iloc[:7]).settings.test == "fisherz"


def test_replicates_are_graphs() -> None:
    graph = discover(CONTINUOUS, bootstrap=20, keep_replicates=True)
    share = sum("d" in one.definite_descendants("a") for one in graph.replicates()) / 20
    assert 0.0 <= share <= 1.0
    assert sum(one.has_edge("a", "c") for one in graph.replicates()) == 20
    with pytest.raises(pv.PyvalueError, match="keep_replicates=True"):
        next(iter(discover(CONTINUOUS, bootstrap=5).replicates()))


def test_labels_of_categories_do_not_matter() -> None:
    renamed = TEXT.replace({letter: f"level {index}" for index, letter in enumerate("zxvwy")})
    np.testing.assert_array_equal(discover(renamed).marks, discover(TEXT).marks)


def test_test_wise_deletion() -> None:
    holes = CONTINUOUS.mask(np.random.default_rng(2).random(CONTINUOUS.shape) < 0.1)
    graph = discover(holes, missing="test-wise", bootstrap=30)
    assert graph.settings.test == "fisherz" and graph.settings.n == N
    assert skeleton(graph) == TRUE_SKELETON
    assert any(note.startswith("tests leave out rows") for note in graph.notes)
    assert discover(holes, missing="drop").settings.n < 0.75 * N


def test_your_own_test() -> None:
    @pv.ci_test
    def correlation(x, y, z):
        """Fisher's z, given at most one variable, written out."""
        n = x.shape[0]
        xc, yc = x - x.mean(), y - y.mean()
        for column in range(z.shape[1]):
            zc = z[:, column] - z[:, column].mean()
            xc = xc - zc * (xc @ zc) / (zc @ zc)
            yc = yc - zc * (yc @ zc) / (zc @ zc)
        r = (xc @ yc) / np.sqrt((xc @ xc) * (yc @ yc))
        z_score = 0.5 * np.log((1 + r) / (1 - r)) * np.sqrt(n - z.shape[1] - 3.0)
        return 1.0 - np.tanh(abs(z_score)) if abs(z_score) < 1.959963984540054 else 0.01

    compiled = discover(CONTINUOUS, test=correlation, max_depth=1)
    np.testing.assert_array_equal(compiled.marks, discover(CONTINUOUS, test="fisherz", max_depth=1).marks)
    plain = discover(CONTINUOUS, test=correlation.function, max_depth=1)
    np.testing.assert_array_equal(plain.marks, compiled.marks)
    assert compiled.settings.test == "correlation"
    assert discover(CONTINUOUS, test=correlation, max_depth=1, threads=2) == compiled


def test_a_test_that_fails_is_named() -> None:
    @pv.ci_test
    def moody(x, y, z):
        return np.nan if z.shape[1] > 0 else 0.0

    with pytest.raises(NumericsError, match=r"test 'moody' returned NaN.*given"):
        discover(CONTINUOUS, test=moody)
    with pytest.raises(NumericsError, match=r"test '<lambda>' returned 1\.5, outside \[0, 1\], on 'a' and 'b'"):
        discover(CONTINUOUS, test=lambda x, y, z: 1.5)

    @pv.ci_test
    def beside(x, y, z):
        return z[0, 5] * 0 + 0.5

    with pytest.raises(NumericsError, match="test 'beside' raised IndexError"):
        discover(CONTINUOUS, test=beside)

    def slips(x, y, z):
        raise RuntimeError("boom")

    with pytest.raises(NumericsError, match="test 'slips' raised RuntimeError: boom, on 'a' and 'b' given nothing"):
        discover(CONTINUOUS, test=slips)
    with pytest.raises(TypeError, match="column 'a' must hold numbers for test='slips'"):
        discover(TEXT, test=slips)

    @pv.ci_test
    def broken(x, y, z):
        if len(x) > 10:
            raise ValueError("no luck")
        return 0.5

    with pytest.raises(NumericsError, match="raised ValueError: no luck") as caught:
        discover(CONTINUOUS, test=broken)
    assert isinstance(caught.value.__cause__, ValueError)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"test": "kci"}, ValueError, "test must be one of 'auto', 'fisherz'"),
        ({"test": 5}, TypeError, "test"),
        ({"scheme": "subsample"}, ValueError, "scheme='subsample' is about replicates; pass bootstrap=1000 as well"),
        ({"keep_replicates": True}, ValueError, "keep_replicates=True is about replicates"),
        ({"progress": "yes", "bootstrap": 3}, TypeError, "progress must be True, False, None or a callback"),
        ({"test": lambda x, y: 0.5}, TypeError, "three"),
        ({"test": "rcot", "bootstrap": 5, "scheme": "bootstrap"}, ValueError, "this test only sees rows"),
        ({"test": "spearman", "backend": "causal-learn"}, ValueError, "'fisherz', 'chisq' and 'gsq' of that library"),
    ],
)
def test_bad_tests(options: dict[str, object], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        discover(CONTINUOUS, **options)


def test_missing_entries_of_other_tests() -> None:
    holes = LIKERT.astype(float)
    holes.iloc[3, 1] = np.nan
    with pytest.raises(ValueError, match="is for test='fisherz', got test='spearman'; pass missing='drop'"):
        discover(holes, test="spearman", missing="test-wise")
    with pytest.raises(ValueError, match="is for numbers and test='fisherz', got 'chisq' and missing entries in b;"):
        discover(TEXT.mask(holes.isna()), missing="test-wise")
    apart = CONTINUOUS.copy()
    apart.iloc[:700, 0] = apart.iloc[700:, 2] = np.nan
    with pytest.raises(ValueError, match="columns 'a' and 'c' have, in common, 0 entries in 1500 rows"):
        discover(apart, missing="test-wise")
    with pytest.raises(ValueError, match="responses have 1 missing entries in 1 of 1500 rows, in columns b"):
        discover(TEXT.mask(holes.isna()))
    assert discover(TEXT.mask(holes.isna()), missing="drop").settings.n == N - 1


def test_categorical_columns_that_say_nothing() -> None:
    with pytest.warns(DegenerateDataWarning) as caught:
        graph = discover(TEXT.assign(one="same", twin=TEXT["a"].map(lambda letter: letter * 2)))
    assert dict(graph.excluded) == {"one": "constant: every row is 'same'", "twin": "same as 'a' in every row"}
    assert len(caught) == 2


def test_chisq_graphs_are_causal_learns() -> None:
    pytest.importorskip("causallearn")
    rng = np.random.default_rng(5)
    for _ in range(20):
        codes = rng.integers(0, 3, (200, 5))
        for column in range(1, 5):
            follows = rng.random(200) < 0.4
            codes[follows, column] = codes[follows, rng.integers(column)]
        for test in ("chisq", "gsq"):
            ours, theirs = discover(codes, test=test), discover(codes, test=test, backend="causal-learn")
            np.testing.assert_array_equal(ours.marks, theirs.marks)
            assert ours.separating_sets == theirs.separating_sets


@pytest.mark.parametrize(
    ("table", "test"),
    [
        (CONTINUOUS, "spearman"),
        (LIKERT, "polychoric"),
        (CODES, "chisq"),
        (CODES, "gsq"),
        (MIXED, "degenerate_gaussian"),
    ],
)
def test_order_of_rows_and_columns_keeps_the_skeleton(table: pd.DataFrame, test: str) -> None:
    expected = discover(table, test=test)
    rng = np.random.default_rng(11)
    for _ in range(3):
        rows = table.iloc[rng.permutation(len(table))]
        moved = discover(rows.reset_index(drop=True), test=test)
        np.testing.assert_array_equal(moved.marks, expected.marks)
        assert moved.separating_sets == expected.separating_sets
        columns = discover(rows[list(rng.permutation(table.columns))], test=test)
        assert skeleton(columns) == skeleton(expected)


@pytest.mark.parametrize("test", ["spearman", "polychoric", "chisq", "degenerate_gaussian"])
def test_threads_change_no_bit(test: str) -> None:
    table = LIKERT.iloc[:300]
    one = discover(table, test=test, bootstrap=60, threads=1)
    for threads in (2, 7):
        assert discover(table, test=test, bootstrap=60, threads=threads) == one
