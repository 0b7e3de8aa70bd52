"""The graph of Kang et al. (2025), arXiv 2501.00581, from the paper's public responses."""

from __future__ import annotations

import json
from pathlib import Path

import networkx as nx
import numpy as np
import pandas as pd
import pytest

from pyvalue.discovery import discover

PAPER = Path(__file__).resolve().parents[1].parent / "shared" / "data" / "paper"
KEPT_FEATURES = (14351, 1025, 2965, 10096, 1341, 1975, 10605, 14049, 1312, 4752)

pytestmark = pytest.mark.skipif(not PAPER.is_dir(), reason="the paper's files lie beside the checkout, not in it")


@pytest.fixture(scope="module")
def responses() -> pd.DataFrame:
    table = pd.read_csv(PAPER / "ans_gemma_train_formal.csv")
    values = [name for name in table.columns[2:] if ":" not in name and name not in ("stds", "scstds")]
    return table.loc[table.steer_dim.isna() | table.steer_dim.isin(KEPT_FEATURES), values]


def test_edges(responses: pd.DataFrame) -> None:
    assert responses.shape == (1111, 17)
    graph = discover(responses)
    assert len(graph.directed_edges()) == 41
    assert graph.undirected_edges() == [
        ("Organization", "Positive coping"),
        ("Positive coping", "Religious"),
        ("Social", "Uncertainty Avoidance"),
    ]
    assert repr(graph) == "ValueGraph(17 values, 41 directed, 3 undirected, fisherz, alpha=0.05, n=1111)"


def test_equal_to_causal_learn(responses: pd.DataFrame) -> None:
    pytest.importorskip("causallearn")
    ours, theirs = discover(responses), discover(responses, backend="causal-learn")
    np.testing.assert_array_equal(ours.marks, theirs.marks)
    assert ours.separating_sets == theirs.separating_sets


def test_reachability_is_the_published_one(responses: pd.DataFrame) -> None:
    """The paper draws a graph with the same reachability, every undirected edge as two arrows."""
    graph = discover(responses)
    published = nx.DiGraph(edge[:2] for edge in json.loads((PAPER / "graphs.json").read_text())["edges"]["gemma"])
    expected = {(source, target) for source in published for target in nx.descendants(published, source)}
    ours = {(source, target) for source in graph.names for target in graph.possible_descendants(source)}
    assert len(expected) == 84
    assert ours == expected
