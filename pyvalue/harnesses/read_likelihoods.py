"""What log-likelihoods of the forms of yes and of no say. Imports no harness."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from pyvalue.harnesses.answers import scored_answer
from pyvalue.measurement.asking import Answer


def read_results(doc: Mapping[str, Any], results: Sequence[Sequence[Any]]) -> Answer:
    """The answer to one question.

    Args:
        doc: a document of ``lm_eval_task.task_documents``.
        results: (log-likelihood, whether it is the likeliest) of every form, and then of the spaces before them, where
            the harness counts those in.
    """
    likelihoods = [float(result[0]) for result in results]
    forms, yes = len(doc["forms"]), int(doc["yes_forms"])
    if not forms <= len(likelihoods) <= forms + 1:
        raise ValueError(f"results: expected log-likelihoods of {forms} forms of yes and no, got {len(likelihoods)}")
    spaces = likelihoods[forms] if len(likelihoods) > forms else 0.0
    chances = [math.exp(likelihood - spaces) for likelihood in likelihoods[:forms]]
    return scored_answer(sum(chances[:yes]), sum(chances[yes:]), float(doc["min_mass"]))
