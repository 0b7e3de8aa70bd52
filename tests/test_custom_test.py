"""A user's own test: decorator, machine code, and what happens when it gives no p-value."""

from __future__ import annotations

import ctypes
import functools
import math
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import scipy.stats

import pyvalue as pv
from pyvalue.discovery.custom_test import CITest, as_ci_test, explain_failure

DOUBLES = ctypes.POINTER(ctypes.c_double)
SIGNATURE = ctypes.CFUNCTYPE(ctypes.c_double, DOUBLES, DOUBLES, DOUBLES, ctypes.c_int64, ctypes.c_int64)


def call(test, x, y, z):
    """The machine code, as the search calls it: z as k rows, no GIL."""
    columns = [np.ascontiguousarray(values, dtype=np.float64) for values in (x, y, z.T)]
    return SIGNATURE(test.address)(*(column.ctypes.data_as(DOUBLES) for column in columns), *z.shape)


@pv.ci_test
def fisher_z(x, y, z):
    n, k = z.shape
    columns = np.empty((k + 2, n))
    columns[:k] = z.T
    columns[k] = x
    columns[k + 1] = y
    for a in range(k + 2):
        columns[a] -= columns[a].mean()
    for a in range(k):
        for b in range(a + 1, k + 2):
            columns[b] -= (columns[a] * columns[b]).sum() / (columns[a] ** 2).sum() * columns[a]
    x, y = columns[k], columns[k + 1]
    r = (x * y).sum() / math.sqrt((x * x).sum() * (y * y).sum())
    return math.erfc(abs(math.atanh(r)) * math.sqrt((n - k - 3) / 2))


@pv.ci_test
def raises_on_many(x, y, z):
    if len(x) > 3:
        raise ValueError("more than three rows")
    return 0.5


@pv.ci_test
def gives_nan(x, y, z):
    return x[0] * math.nan


@pv.ci_test
def gives_two(x, y, z):
    return 2


@pv.ci_test
def divides_by_zero(x, y, z):
    return 0.5 + 1.0 / (1.0 / (x[0] - x[0]))


@pytest.fixture
def data():
    rng = np.random.default_rng(3)
    z = rng.normal(size=(200, 3))
    return z.sum(axis=1) + rng.normal(size=200), z[:, 0] + rng.normal(size=200), z


@pytest.mark.parametrize("k", [0, 1, 3])
def test_compiled_fisher_z_gives_scipys_p(data, k):
    x, y, z = data
    z = z[:, :k]
    design = np.column_stack([np.ones(len(x)), z])
    rx, ry = (v - design @ np.linalg.lstsq(design, v)[0] for v in (x, y))
    r = scipy.stats.pearsonr(rx, ry).statistic
    expected = 2 * scipy.stats.norm.sf(math.sqrt(len(x) - k - 3) * abs(math.atanh(r)))
    assert call(fisher_z, x, y, z) == pytest.approx(expected, rel=1e-9)
    assert fisher_z(x, y, z) == pytest.approx(expected, rel=1e-9)


def test_the_decorator_makes_an_immutable_object():
    assert isinstance(fisher_z, CITest)
    assert (fisher_z.name, fisher_z.compiled) == ("fisher_z", True)
    assert fisher_z.address == fisher_z.address
    with pytest.raises(AttributeError):
        fisher_z.compiled = False

    @pv.ci_test(compile=False)
    def plain(x, y, z):
        return 0.25

    assert (plain.name, plain.compiled, plain.address) == ("plain", False, None)
    assert plain([1, 2], [3, 4], np.empty((2, 0))) == 0.25


def test_options_of_njit_are_kept():
    numba = pytest.importorskip("numba")
    inner = numba.njit(error_model="numpy")(divides_by_zero.function)
    test = pv.ci_test(inner)
    assert test.name == "divides_by_zero"
    assert call(test, np.ones(4), np.ones(4), np.empty((4, 0))) == 0.5


def test_machine_code_returns_no_p_where_the_function_raises(data):
    x, y, z = data
    assert call(raises_on_many, x, y, z) == -1.0
    assert call(raises_on_many, x[:3], y[:3], z[:3]) == 0.5
    assert call(divides_by_zero, x, y, z) == -1.0
    assert math.isnan(call(gives_nan, x, y, z))
    assert call(gives_two, x, y, z) == 2.0


def test_threads_may_raise_at_once(data):
    tests = [raises_on_many, fisher_z] * 4
    expected = [call(test, *data) for test in tests]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(100):
            assert list(pool.map(lambda test: call(test, *data), tests)) == expected


def test_threads_share_one_compilation(data):
    test = pv.ci_test(gives_two.function)
    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(lambda _: test.address, range(4)))) == 1


def test_explain_a_function_that_raises(data):
    error = explain_failure(raises_on_many, *data, ["a", "b", "c", "d", "e"])
    assert isinstance(error, pv.NumericsError)
    assert isinstance(error.__cause__, ValueError)
    for part in ("'raises_on_many' raised ValueError: more than three", "'a' and 'b' given 'c', 'd', 'e'", "200 rows"):
        assert part in str(error)


def test_explain_values_that_are_no_p(data):
    x, y, z = data
    assert "returned NaN on 'a' and 'b' given nothing" in str(explain_failure(gives_nan, x, y, z[:, :0], ["a", "b"]))
    assert "returned 2.0, outside [0, 1]," in str(explain_failure(gives_two, x, y, z[:, :1], ["a", "b", "c"]))
    silent = as_ci_test(lambda x, y, z: None)
    assert "returned None, which is no number" in str(explain_failure(silent, x, y, z[:, :0], ["a", "b"]))


def test_explain_where_plain_python_goes_on(data):
    with np.errstate(divide="ignore"):
        error = explain_failure(divides_by_zero, *data, list("abcde"))
    assert "failed as machine code" in str(error)
    assert "plain Python returns 0.5" in str(error)


def test_calling_checks_arrays_and_p(data):
    x, y, z = data
    with pytest.raises(ValueError, match=r"z must have shape \(n, k\)"):
        fisher_z(x, y, z[:, 0])
    with pytest.raises(ValueError, match=r"Length of y \(199\) must match length of x \(200\)"):
        fisher_z(x, y[1:], z)
    with pytest.raises(TypeError, match="x must hold numbers"):
        fisher_z(list("ab"), [1, 2], np.empty((2, 0)))
    with pytest.raises(pv.NumericsError, match=r"'gives_two' returned 2.0, outside"):
        gives_two(x, y, z)
    with pytest.raises(ValueError, match="more than three rows"):
        raises_on_many(x, y, z)
    before = x.copy()
    with pytest.raises(ValueError, match="read-only"):
        pv.ci_test(changes_its_data)(x, y, z)
    assert (x == before).all() and x.flags.writeable


def changes_its_data(x, y, z):
    x -= x.mean()
    return 0.5


def assigns_to_its_data(x, y, z):
    x[0] = 0.0
    return 0.5


def calls_plain_python(x, y, z):
    return call(x, y, z)


def opens_a_file(x, y, z):
    with open("f"):
        return 0.5


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (changes_its_data, ""),
        (assigns_to_its_data, "function setitem"),
        (calls_plain_python, "Untyped global name 'call'"),
        (opens_a_file, "context manager"),
        (lambda x, y, z: "p", "No conversion from"),
    ],
)
def test_what_numba_cannot_compile(function, reason):
    test = pv.ci_test(function)  # not compiled yet
    with pytest.raises(TypeError, match=r"pass @pv.ci_test\(compile=False\)") as caught:
        _ = test.address
    message = str(caught.value)
    assert message.startswith(f"numba cannot compile test '{test.name}': ")
    assert reason in message
    assert "\n" not in message and "Failed in" not in message
    assert caught.value.__cause__ is not None


def test_the_signature_must_take_three():
    for bad in (lambda x, y: 0.5, lambda x, y, z, w=1: 0.5, lambda *arrays: 0.5, lambda x, y, *, z: 0.5, None, 0.5):
        with pytest.raises(TypeError, match="exactly three positional arguments"):
            as_ci_test(bad)
    with pytest.raises(TypeError, match=r"got \(x, y\)"):

        @pv.ci_test
        def two(x, y):
            return 0.5

    with pytest.raises(TypeError, match="numba compiles functions, got partial"):
        pv.ci_test(functools.partial(lambda w, x, y, z: w, 0.5))


def test_callables_become_plain_tests():
    assert as_ci_test(fisher_z) is fisher_z
    test = as_ci_test(functools.partial(lambda w, x, y, z: w, 0.5))
    assert (test.name, test.compiled) == ("partial", False)
    assert test([1.0], [2.0], np.empty((1, 0))) == 0.5


def test_missing_numba_names_the_command(monkeypatch):
    monkeypatch.setitem(sys.modules, "numba", None)
    with pytest.raises(ModuleNotFoundError, match="pip install numba"):
        _ = pv.ci_test(fisher_z.function).address


def test_numba_is_imported_by_need_alone():
    code = (
        "import sys, pyvalue as pv, numpy as np; import pyvalue.discovery.rcot; pv.ci_test(lambda x, y, z: 1.0); "
        "pv.discover(np.random.default_rng(0).normal(size=(50, 3))); assert 'numba' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
