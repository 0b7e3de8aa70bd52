"""Inspect AI scorer of value questions: our answer parsing, means per value, errors clustered by persona."""

from __future__ import annotations

import math

from inspect_ai.model import ModelOutput
from inspect_ai.scorer import Score, Scorer, Target, grouped, mean, scorer, stderr
from inspect_ai.solver import TaskState

from pyvalue.errors import ModelError
from pyvalue.harnesses.answers import scored_answer, written_answer
from pyvalue.measurement.asking import Answer
from pyvalue.measurement.remote_asking import yes_and_no

#: Inspect's word for an answer that the provider withheld
_FILTERED = "content_filter"


@scorer(
    metrics=[
        grouped(mean(), "group", all=False),
        grouped(stderr(cluster="persona"), "group", all=False, name_template="{group_name} stderr"),
    ]
)
def value_score(mode: str = "generate", min_mass: float = 0.01) -> Scorer:
    """keying * (2 p_yes - 1) of every answer, in [-1, 1]; of items without a value 2 p_yes - 1, the leaning to yes.

    An answer that is not valid is unscored: Inspect leaves it out of every mean, and counts it.

    Args:
        mode: ``"generate"`` or ``"score"``.
        min_mass: in mode score, an answer whose P(yes) + P(no) is below it is not valid.
    """

    async def score(state: TaskState, target: Target) -> Score:
        answer = read_output(state.output, str(state.metadata["text"]), mode, min_mass)
        known: dict[str, str | float] = {"status": answer.status}
        if not math.isnan(answer.mass):
            known |= {"p_yes": answer.p_yes, "mass": answer.mass}
        if math.isnan(answer.p_yes):
            return Score.unscored(reason=answer.status, explanation=answer.text, metadata=known)
        value = (int(state.metadata["keying"]) or 1) * (2 * answer.p_yes - 1)
        return Score(value=value, answer=answer.status, explanation=answer.text, metadata=known)

    return score


def read_output(output: ModelOutput, question: str, mode: str, min_mass: float) -> Answer:
    """What a model's output says.

    Raises:
        ModelError: mode score, and the provider sent no probabilities.
    """
    if mode == "generate":
        return written_answer(output.completion, question, filtered=output.stop_reason == _FILTERED)
    if output.stop_reason == _FILTERED:
        return Answer("refused", math.nan)
    logprobs = output.choices[0].logprobs if output.choices else None
    if logprobs is None or not logprobs.content or not logprobs.content[0].top_logprobs:
        raise ModelError(
            f"model {output.model}: its provider sent no probabilities of the first token (logprobs); ask in "
            "mode='generate', which needs none"
        )
    # Added up, since two tokens may have one text, as "Yes" with its space and without.
    chances: dict[str, float] = {}
    for token in logprobs.content[0].top_logprobs:
        chances[token.token] = chances.get(token.token, 0.0) + math.exp(token.logprob)
    yes, no = yes_and_no({text: math.log(chance) for text, chance in chances.items() if chance > 0})
    return scored_answer(yes, no, min_mass)
