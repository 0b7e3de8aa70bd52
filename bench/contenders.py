"""The implementations of PC that are timed: how to run each, and how to read its end marks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from cases import ALPHA, Marks
from numpy.typing import NDArray

from pyvalue import _core
from pyvalue.discovery import discover


@dataclass(frozen=True)
class Contender:
    """One implementation.

    same_marks is False for one that resolves conflicting colliders by another rule: then the skeleton is compared.
    """

    name: str
    fit: Callable[[NDArray[np.float64]], Any]
    marks: Callable[[Any], Marks]
    needs: str = "pyvalue"
    same_marks: bool = True


def _core_fit(x: NDArray[np.float64], threads: int) -> Any:
    test = _core.fisher_z(_core.correlation(_core.Table(x), threads), float(len(x)), ALPHA)
    return _core.pc(test, threads=threads)


def _causal_learn(x: NDArray[np.float64], test: str = "fisherz") -> Any:
    from causallearn.search.ConstraintBased.PC import pc

    return pc(x, ALPHA, test, True, 0, 2, show_progress=False)


def _andrey(x: NDArray[np.float64]) -> Any:
    import andrey

    return andrey.pc(x, alpha=ALPHA, collider_order="column")


def _bnlearn(x: NDArray[np.float64]) -> Any:
    import pandas as pd
    import pybnlearn

    return pybnlearn.pc_stable(pd.DataFrame(x, columns=[f"X{i}" for i in range(x.shape[1])]), test="zf", alpha=ALPHA)


def _bnlearn_marks(found: Any) -> Marks:
    import pybnlearn

    arcs = np.asarray(pybnlearn.amat(found), dtype=bool)
    marks = np.where(arcs | arcs.T, -1, 0).astype(np.int8)
    marks[(arcs & ~arcs.T).T] = 1
    return marks


def _causal_learn_marks(found: Any) -> Marks:
    return found.G.graph.astype(np.int8)


CORE = Contender("pyvalue core", lambda x: _core_fit(x, 1), lambda found: found[0])
CORE_2 = Contender("pyvalue core, 2 threads", lambda x: _core_fit(x, 2), lambda found: found[0])
DISCOVER = Contender("pyvalue.discover", lambda x: discover(x, test="fisherz", threads=1), lambda graph: graph.marks)
ANDREY = Contender(
    "andrey-core",
    _andrey,
    lambda found: np.array([0, -1, 1], dtype=np.int8)[found.structure.adjacency],
    "andrey",
    same_marks=False,
)
BNLEARN = Contender("bnlearn-port", _bnlearn, _bnlearn_marks, "pybnlearn", same_marks=False)
CAUSAL_LEARN = Contender("causal-learn", _causal_learn, _causal_learn_marks, "causallearn")
DISCOVER_CHISQ = Contender(
    "pyvalue.discover", lambda x: discover(x.astype(np.int8), test="chisq", threads=1), lambda graph: graph.marks
)
CAUSAL_LEARN_CHISQ = Contender("causal-learn", lambda x: _causal_learn(x, "chisq"), _causal_learn_marks, "causallearn")


def check(contender: Contender, marks: Marks, expected: Marks) -> None:
    """Fail where the answer is wrong: a wrong graph has no speed."""
    np.testing.assert_array_equal(marks != 0, expected != 0)
    if contender.same_marks:
        np.testing.assert_array_equal(marks, expected)


def require(contender: Contender) -> None:
    """Skip where the implementation is not installed."""
    pytest.importorskip(contender.needs)
