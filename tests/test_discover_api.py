"""Inputs, options and invariances of ``discover``."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyvalue.discovery import discover
from pyvalue.graph import ValueGraph

RNG = np.random.default_rng(0)
A, B, D = RNG.standard_normal((3, 400))
SAMPLE = np.column_stack([A, B, A + B + 0.5 * RNG.standard_normal(400), D])
NAMES = ("a", "b", "c", "d")


def sample(seed: int, d: int = 6, n: int = 120) -> np.ndarray:
    rng = np.random.default_rng(seed)
    weights = np.tril(rng.random((d, d)) < 0.5, -1) * rng.uniform(0.3, 1.0, (d, d))
    return rng.standard_normal((n, d)) @ np.linalg.inv(np.eye(d) - weights).T


def test_collider() -> None:
    graph = discover(SAMPLE, names=NAMES, alpha=0.01)
    assert graph.directed_edges() == [("a", "c"), ("b", "c")]
    assert graph.undirected_edges() == []
    assert graph.settings.n == 400 and graph.settings.alpha == 0.01


def test_inputs_agree() -> None:
    class HasMatrix:
        def matrix(self) -> pd.DataFrame:
            return frame

    frame = pd.DataFrame(SAMPLE, columns=list(NAMES))
    expected = discover(SAMPLE, names=NAMES)
    assert discover(frame) == expected
    assert discover(HasMatrix()) == expected
    assert discover(frame.astype("Float64")) == expected
    assert discover(SAMPLE.tolist(), names=NAMES) == expected
    assert discover(frame.rename(columns={"a": 1})).names == ("1", "b", "c", "d")
    assert discover(SAMPLE).names == ("X1", "X2", "X3", "X4")


def test_integers_and_booleans() -> None:
    levels = np.round(SAMPLE * 2).astype(int)
    assert discover(levels, names=NAMES) == discover(levels.astype(float), names=NAMES)
    frame = pd.DataFrame(levels, columns=list(NAMES)).assign(d=levels[:, 3] > 0)
    assert discover(frame) == discover(frame.astype(float))


def test_callers_data_stay_as_they_are() -> None:
    before = SAMPLE.copy()
    read_only = SAMPLE.copy()
    read_only.setflags(write=False)
    assert discover(read_only, bootstrap=5) == discover(SAMPLE, bootstrap=5)
    np.testing.assert_array_equal(SAMPLE, before)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.data())
def test_affine_rescaling_changes_nothing(seed: int, data: st.DataObject) -> None:
    x = sample(seed)
    scale = data.draw(st.lists(st.sampled_from([1e-6, 0.3, 2.0, 1e5]), min_size=6, max_size=6))
    shift = data.draw(st.lists(st.sampled_from([0.0, -3.0, 100.0]), min_size=6, max_size=6))
    moved = x * scale + np.array(shift) * scale
    np.testing.assert_array_equal(discover(moved).marks, discover(x).marks)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6))
def test_row_order_changes_nothing(seed: int) -> None:
    x = sample(seed)
    shuffled = np.random.default_rng(seed).permutation(x, axis=0)
    one, two = discover(x), discover(shuffled)
    np.testing.assert_array_equal(one.marks, two.marks)
    assert one.separating_sets == two.separating_sets


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6))
def test_column_order_keeps_the_skeleton(seed: int) -> None:
    x = sample(seed)
    order = np.random.default_rng(seed).permutation(6)
    expected = discover(x).marks != 0
    np.testing.assert_array_equal(discover(x[:, order]).marks != 0, expected[np.ix_(order, order)])


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6))
def test_sign_of_a_column_changes_nothing(seed: int) -> None:
    x = sample(seed)
    flipped = x * np.random.default_rng(seed).choice([-1.0, 1.0], 6)
    np.testing.assert_array_equal(discover(flipped).marks, discover(x).marks)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"alpha": 0.0}, ValueError, "alpha must be between 0 and 1, both excluded, got 0.0"),
        ({"alpha": 1.0}, ValueError, "alpha must be between 0 and 1"),
        ({"alpha": float("nan")}, ValueError, "alpha must be between 0 and 1"),
        ({"alpha": "0.05"}, TypeError, "alpha must be a number"),
        ({"backend": "pcalg"}, ValueError, "backend must be one of 'fast', 'causal-learn', got 'pcalg'"),
        ({"scheme": "jackknife"}, ValueError, "scheme must be one of"),
        ({"missing": "ignore"}, ValueError, "missing must be one of"),
        ({"on_degenerate": "keep"}, ValueError, "on_degenerate must be one of"),
        ({"bootstrap": -1}, ValueError, "bootstrap must be at least 0"),
        ({"bootstrap": True}, TypeError, "bootstrap must be an integer"),
        ({"bootstrap": 1.5}, TypeError, "bootstrap must be an integer"),
        ({"max_depth": -1}, ValueError, "max_depth must be at least 0"),
        ({"threads": 0}, ValueError, "threads must be at least 1"),
        ({"seed": -1}, ValueError, "seed must be at least 0"),
        ({"seed": 2**64}, ValueError, "seed must be below"),
        ({"names": ["a", "b"]}, ValueError, r"Length of names \(2\) must match number of columns in responses \(4\)"),
        ({"names": ["a", "b", "c", "a"]}, ValueError, "column names must be distinct, got more than one a"),
        ({"names": "abcd"}, TypeError, "names must be a sequence of strings"),
    ],
)
def test_bad_options(options: dict[str, object], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        discover(SAMPLE, **options)


def test_bad_inputs() -> None:
    with pytest.raises(ValueError, match=r"2 dimensions.*got 1"):
        discover(SAMPLE[0])
    with pytest.raises(TypeError, match="got list of <U1"):
        discover([["a", "b"], ["c", "d"]])
    with pytest.raises(TypeError, match="column 'who' must hold numbers for test='fisherz', got 2 categories such as"):
        discover(pd.DataFrame(SAMPLE).assign(who=["x", "y"] * 200), test="fisherz")
    with pytest.raises(ValueError, match="names is for arrays"):
        discover(pd.DataFrame(SAMPLE), names=NAMES)
    with pytest.raises(ValueError, match="distinct, got more than one a"):
        discover(pd.DataFrame(SAMPLE, columns=["a", "b", "c", "a"]))


def test_missing_reference_library_names_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "causallearn", None)
    monkeypatch.setitem(sys.modules, "causallearn.search.ConstraintBased.PC", None)
    with pytest.raises(ModuleNotFoundError, match="pip install causal-learn"):
        discover(SAMPLE, backend="causal-learn")


def test_reference_library_stays_silent(capfd: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("causallearn")
    graph = discover(SAMPLE, backend="causal-learn")
    assert isinstance(graph, ValueGraph) and graph.settings.backend == "causal-learn"
    assert capfd.readouterr() == ("", "")


def test_import_stays_light() -> None:
    code = (
        "import sys, pyvalue.discovery; "
        "heavy = {'torch', 'causallearn', 'matplotlib', 'scipy', 'pandas', 'networkx', 'rich'} & set(sys.modules); "
        "sys.exit(', '.join(sorted(heavy)) or 0)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
