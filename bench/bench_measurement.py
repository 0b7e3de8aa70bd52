"""Score mode on the bundled model: plain batches of transformers against shared beginnings and shared lower layers.

Plain batches are timed before every round of the other contenders, so that a drift of the machine cancels in the ratio.
Answers are checked before anything is timed: in float32 against the plain path, in the model's own format by their
distance to float32. The floor is the time that the tokens which must run take at the plain path's speed.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="measurement needs torch; run: pip install 'pyvalue[lm]'")

from measurement_cases import (  # noqa: E402
    QUESTIONS,
    Answers,
    bundled,
    configurations,
    counted,
    fewest_tokens,
    ours,
    plain,
    prompts,
)

from pyvalue.models.edits import Edit  # noqa: E402

ORDERS = ("yes-no", "no-yes")
CONTENDERS: dict[str, Callable[..., Answers]] = {"plain by length": partial(plain, by_length=True), "pyvalue": ours}


@pytest.mark.parametrize("name", CONTENDERS)
def test_one_persona(benchmark: Any, name: str) -> None:
    benchmark.group = f"one persona, {QUESTIONS} questions"
    _compare(benchmark, CONTENDERS[name], prompts(), [()], rounds=3)


def test_five_configurations_pyvalue(benchmark: Any) -> None:
    benchmark.group = f"one persona, {QUESTIONS // 2} questions, the unedited model and 4 edits"
    _compare(benchmark, ours, prompts()[: QUESTIONS // 2], configurations(), rounds=2)


def test_orders_and_wordings_pyvalue(benchmark: Any) -> None:
    benchmark.group = f"one persona, {2 * QUESTIONS} prompts: 46 questions, 2 wordings x 2 orders of the options"
    _compare(benchmark, ours, prompts(ORDERS, 2, 2 * QUESTIONS), [()], rounds=2)


def _compare(
    benchmark: Any,
    contender: Callable[..., Answers],
    texts: Sequence[str],
    edits: Sequence[Sequence[Edit]],
    rounds: int,
) -> None:
    """Time a contender against plain batches, and note tokens, speed, errors and the floor."""
    model = bundled()
    truth = _truth(texts, edits)
    plain(model, texts[:8], edits[:1])  # so that nobody pays for the first pass
    with counted(model) as tokens:
        found = contender(model, texts, edits)
    with counted(model) as plain_tokens:
        expected = plain(model, texts, edits)
    error, plain_error = (float(np.abs(answers - truth).max()) for answers in (found, expected))
    assert error <= max(1e-5, 1.2 * plain_error)
    seconds: list[float] = []

    def plain_first() -> None:
        start = time.perf_counter()
        plain(model, texts, edits)
        seconds.append(time.perf_counter() - start)

    benchmark.pedantic(contender, args=(model, texts, edits), setup=plain_first, rounds=rounds, iterations=1)
    timed = benchmark.stats.stats.data
    ratios = [base / mine for base, mine in zip(seconds, timed, strict=True)]
    speed = plain_tokens[0] / min(seconds)
    floor = fewest_tokens(texts, edits) / speed
    benchmark.extra_info |= {
        "dtype": str(model.dtype).removeprefix("torch."),
        "times faster than plain": statistics.median(ratios),
        "spread": f"{min(ratios):.2f} to {max(ratios):.2f}",
        "times fewer tokens": plain_tokens[0] / tokens[0],
        "tokens": round(tokens[0]),
        "plain tokens": round(plain_tokens[0]),
        "plain s": min(seconds),
        "tokens/s": round(tokens[0] / min(timed)),
        "plain tokens/s": round(speed),
        "over the floor": min(timed) / floor,
        "error": error,
        "plain error": plain_error,
        "difference": float(np.abs(found - expected).max()),
    }


def _truth(texts: Sequence[str], edits: Sequence[Sequence[Edit]]) -> Answers:
    """Answers in float32, after a check of some of them against the plain path in float32."""
    exact = bundled("float32")
    found = ours(exact, texts, edits)
    some = range(0, len(texts), max(1, len(texts) // 12))
    np.testing.assert_allclose(found[:, some], plain(exact, [texts[i] for i in some], edits), rtol=0, atol=1e-5)
    return found
