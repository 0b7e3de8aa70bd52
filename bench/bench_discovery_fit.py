"""One fit, from a table in memory to the oriented graph, against peers in the same run; each answer is checked.

Floor: the Gram matrix by BLAS on one thread (``x.T @ x``). Adjacency F1 and structural Hamming distance to the true
CPDAG stand beside each time where the truth is known.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from cases import Case, accuracy, categories, linear, paper
from contenders import (
    ANDREY,
    BNLEARN,
    CAUSAL_LEARN,
    CAUSAL_LEARN_CHISQ,
    CORE,
    CORE_2,
    DISCOVER,
    DISCOVER_CHISQ,
    Contender,
    check,
    require,
)

from pyvalue.discovery import discover

_OURS = (CORE, DISCOVER)

#: (name, data, implementations): the slow ones run once, ours often enough for a minimum.
FITS: list[tuple[str, Callable[[], Case], tuple[Contender, ...]]] = [
    ("paper", paper, (*_OURS, ANDREY, BNLEARN, CAUSAL_LEARN)),
    ("d50", lambda: linear(10_000, 50), (*_OURS, ANDREY, BNLEARN, CAUSAL_LEARN)),
    ("d100", lambda: linear(10_000, 100), (*_OURS, CORE_2, ANDREY, BNLEARN, CAUSAL_LEARN)),
    ("d450", lambda: linear(10_000, 450), (*_OURS, CORE_2, ANDREY)),
    ("chisq", categories, (DISCOVER_CHISQ, CAUSAL_LEARN_CHISQ)),
]


def _rounds(contender: Contender, d: int) -> int:
    if "pyvalue" in contender.name:
        return 200 if d <= 50 else 30 if d <= 100 else 5
    return {"andrey-core": 10 if d <= 100 else 2}.get(contender.name, 1)


@pytest.mark.parametrize(
    ("name", "case", "contender"),
    [
        pytest.param(name, case, contender, id=f"{name}-{contender.name}")
        for name, case, contenders in FITS
        for contender in contenders
    ],
)
def test_fit(benchmark: Any, name: str, case: Callable[[], Case], contender: Contender) -> None:
    require(contender)
    data = case()
    benchmark.group = f"fit: {data.name}"
    expected = discover(data.x, test="chisq" if name == "chisq" else "fisherz").marks
    if "pyvalue" in contender.name or contender is ANDREY:
        check(contender, contender.marks(contender.fit(data.x)), expected)  # also the warm-up
    rounds = _rounds(contender, data.x.shape[1])
    marks = contender.marks(benchmark.pedantic(contender.fit, (data.x,), rounds=rounds, iterations=1))
    check(contender, marks, expected)
    benchmark.extra_info.update(accuracy(marks, data.truth))
    benchmark.extra_info["edges"] = int(np.count_nonzero(np.triu(marks != 0)))


@pytest.mark.parametrize(("name", "case"), [fit[:2] for fit in FITS[:4]], ids=[fit[0] for fit in FITS[:4]])
def test_floor(benchmark: Any, name: str, case: Callable[[], Case], one_blas_thread: None) -> None:
    data = case()
    benchmark.group = f"fit: {data.name}"
    benchmark.pedantic(lambda: data.x.T @ data.x, rounds=20, iterations=1, warmup_rounds=1)
