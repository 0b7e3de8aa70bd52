"""What Kang et al. (2025) state in the paper and in its public repository, to compare with. Nothing is computed here.

Source: "Are the Values of LLMs Structurally Aligned with Humans? A Causal Perspective", Findings of ACL 2025,
arXiv 2501.00581, and the repository bigai-nlco/ValueCausalGraph (MIT) that it names. Published tables that come as
files are not repeated here; they are read from the folder.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

#: values that the printed Table 1 leaves out, for both models; similarity and noise are over the others
LEFT_OUT_OF_TABLE_1 = (
    "Anxiety Disorder",
    "Achievement",
    "Empathy",
    "Organization",
    "Political",
    "Economic",
    "Social Complexity",
)
#: the graph of ``graphs.json`` that Table 2 calls the reference: drawn by hand
HUMAN_GRAPH = "human1"
#: the one persona whose answers the SAE half of Table 2 is computed from
SAE_PERSONA = "Mary Holt"

Shares = tuple[float, float, float]  # percent of people raised, unchanged, lowered


@dataclass(frozen=True)
class Published:
    """Figures of one model; empty or None where none are stated.

    Attributes:
        similarity: mean of Table 1's similarities, to 3 digits.
        noise: mean of Table 1's noise ratios, to 3 digits.
        similarities: feature -> mean similarity, to 2 digits, the last column of the printed Table 1.
        noises: value -> noise ratio, to 2 digits, its last row.
        directed: number of directed edges that PC of causal-learn finds in the training answers.
        undirected: the undirected ones.
        chosen: "positive" or "negative" -> value -> the SAE feature that the authors picked by hand to move it.
        pies: (direction, "SAE" or "hard prompt") -> shares of people in percent, to 1 digit.
    """

    similarity: float | None = None
    noise: float | None = None
    similarities: Mapping[str, float] | None = None
    noises: Mapping[str, float] | None = None
    directed: int | None = None
    undirected: frozenset[frozenset[str]] = frozenset()
    chosen: Mapping[str, Mapping[str, str]] | None = None
    pies: Mapping[tuple[str, str], Shares] | None = None


def published(model: str) -> Published:
    """What is stated of a model, by its name in the file names; nothing for one that the paper does not know."""
    return _STATED.get(model, Published())


# The choices stand in value_causal_graph_analysis.ipynb; the paper gives no rule for them.
_GEMMA_POSITIVE = {
    "Positive coping": "1975",
    "Theoretical": "10096",
    "Uncertainty Avoidance": "1312",
    "Aesthetic": "1312",
    "Breadth of Interest": "10096",
    "Religious": "1312",
    "Social": "14049",
    "Understanding": "4752",
    "Resilience": "1341",
    "Social Cynicism": "14049",
}
_GEMMA_NEGATIVE = {
    "Aesthetic": "10605",
    "Resilience": "4752",
    "Social Cynicism": "4752",
    "Positive coping": "10096",
    "Religious": "1341",
    "Breadth of Interest": "14049",
    "Understanding": "1975",
    "Theoretical": "1975",
    "Uncertainty Avoidance": "4752",
    "Social": "1975",
}
_LLAMA_POSITIVE = {
    "Positive coping": "9332",
    "Theoretical": "9332",
    "Uncertainty Avoidance": "7754",
    "Aesthetic": "49202",
    "Breadth of Interest": "58305",
    "Religious": "9332",
    "Social": "54606",
    "Understanding": "47207",
    "Resilience": "9332",
    "Social Cynicism": "7754",
}
_LLAMA_NEGATIVE = {
    "Aesthetic": "58305",
    "Resilience": "7754",
    "Social Cynicism": "47207",
    "Positive coping": "7754",
    "Religious": "47207",
    "Breadth of Interest": "7754",
    "Understanding": "7754",
    "Theoretical": "7754",
    "Uncertainty Avoidance": "12477",
    "Social": "7754",
}
_STATED = {
    "gemma": Published(
        similarity=0.853,
        noise=0.078,
        similarities={
            "1025": 0.94,
            "1312": 0.66,
            "1341": 0.90,
            "1975": 0.89,
            "2965": 0.92,
            "4752": 0.90,
            "10096": 0.79,
            "10605": 0.86,
            "14049": 0.84,
            "14351": 0.84,
        },
        noises={
            "Aesthetic": 0.11,
            "Breadth of Interest": 0.06,
            "Positive coping": 0.07,
            "Religious": 0.12,
            "Resilience": 0.10,
            "Social": 0.07,
            "Social Cynicism": 0.02,
            "Theoretical": 0.05,
            "Uncertainty Avoidance": 0.13,
            "Understanding": 0.06,
        },
        directed=41,
        undirected=frozenset(
            {
                frozenset({"Organization", "Positive coping"}),
                frozenset({"Positive coping", "Religious"}),
                frozenset({"Social", "Uncertainty Avoidance"}),
            }
        ),
        chosen={"positive": _GEMMA_POSITIVE, "negative": _GEMMA_NEGATIVE},
        pies={
            ("positive", "SAE"): (31.5, 56.9, 11.5),
            ("negative", "SAE"): (6.2, 50.4, 43.5),
            ("positive", "hard prompt"): (22.3, 50.8, 26.9),
            ("negative", "hard prompt"): (8.1, 25.4, 66.5),
        },
    ),
    "llama": Published(chosen={"positive": _LLAMA_POSITIVE, "negative": _LLAMA_NEGATIVE}),
}
