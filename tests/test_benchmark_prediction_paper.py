"""The prediction benchmark on the public files of Kang et al. (2025), arXiv 2501.00581."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from pyvalue.discovery import discover
from pyvalue.evaluation.benchmark import benchmark_predictions
from pyvalue.evaluation.benchmark_result import PredictionBenchmark
from pyvalue.evaluation.predictors import Predictor
from pyvalue.evaluation.predictors_graph import GraphReach
from pyvalue.evaluation.predictors_items import ItemRate, ScoreLevels, UneditedDisagreement
from pyvalue.evaluation.predictors_known import MarginalRate
from pyvalue.wide_scores import score_rows

PAPER = Path(__file__).resolve().parents[1].parent / "shared" / "data" / "paper"
KEPT = ["14351", "1025", "2965", "10096", "1341", "1975", "10605", "14049", "1312", "4752"]

pytestmark = [
    pytest.mark.skipif(not PAPER.is_dir(), reason="the paper's files lie beside the checkout, not in it"),
    pytest.mark.filterwarnings("ignore::pyvalue.discovery.degenerate.DegenerateDataWarning"),
]


def kept_rows(part: str) -> pd.DataFrame:
    rows = score_rows(PAPER / f"ans_gemma_{part}_formal.csv")
    return rows[rows.index.get_level_values("edit").isin(["", *KEPT])]


def run(**options: object) -> PredictionBenchmark:
    train, test = kept_rows("train"), kept_rows("test")
    chosen: list[Predictor] = [
        MarginalRate(), GraphReach("possible"), ItemRate(), ScoreLevels(), UneditedDisagreement()
    ]  # fmt: skip
    return benchmark_predictions(
        train, discover(train), test=test, predictors=chosen, permutations=199, resamples=200, **options
    )  # type: ignore[arg-type]


def test_pooled_rows_have_the_known_areas() -> None:
    """.51 by the graph and .55 by the marginal rate, where the rates have seen the tested edits on other personas."""
    found = run(leave_edit_out=False)
    assert round(found.estimate("graph, possible descendants", "pooled AUROC").estimate, 2) == 0.51
    assert round(found.estimate("marginal rate", "pooled AUROC").estimate, 2) == 0.55
    assert found.estimate("marginal rate", "pooled AUROC").cells == 30064


def test_nothing_beats_the_marginal_rate_that_knows_as_much() -> None:
    """Disagreement on the tested items is above the rate of other items, but not above that of the same ones."""
    found = run()
    assert found.facts["held_out"] == {"edit": True, "persona": True, "item": None}
    graph = found.estimate("graph, possible descendants")
    assert graph.compared_with == "marginal rate" and graph.difference < 0 and graph.p > 0.05
    areas = {
        "marginal rate": 0.55, "marginal rate, tested items": 0.66, "score levels, tested items": 0.65,
        "unedited disagreement": 0.64,
    }  # fmt: skip
    assert {name: round(found.estimate(name).estimate, 2) for name in areas} == areas
    unsettled = found.estimate("unedited disagreement")
    assert unsettled.compared_with == "marginal rate, tested items"
    assert unsettled.difference < 0 < unsettled.difference_wide_high
    assert found.verdict.count("nothing is better than the marginal rate (") == 2
    assert found.verdict.count("nothing is better than the marginal rate, tested items (") == 2
    assert " better than" not in found.verdict.replace("nothing is better than", "")
