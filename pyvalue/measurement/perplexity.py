"""How well a model still reads a question: the perplexity of the question's own tokens. Asks for no answer.

An edit that breaks a model raises it; one that moves its values leaves it about where it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from pyvalue.measurement.shared_configurations import run_configurations
from pyvalue.measurement.shared_tokens import Segment, tokenise
from pyvalue.measurement.sharing import take_apart
from pyvalue.models.edits import Edit
from pyvalue.models.loading import LanguageModel

if TYPE_CHECKING:
    import torch

# Most bytes of logits of one pass, in float32.
_LOGITS_BYTES = 64 * 2**20


def question_perplexity(
    model: LanguageModel,
    prompts: Sequence[str],
    questions: Sequence[tuple[int, int]],
    edits: Sequence[Edit] = (),
    batch_size: int | None = None,
) -> npt.NDArray[np.float64]:
    """Perplexity of every question's own tokens, given all that stands before them in its prompt.

    exp of the mean of -log p(token | what stands before it), over the tokens that lie in the question.

    Args:
        model: to ask.
        prompts: rendered prompts.
        questions: first and one-past-last character of the question in each prompt.
        edits: of the residual stream, applied to every prompt.
        batch_size: most prompts in one forward pass; default what fits into memory.

    Returns:
        (n,) float64.

    Raises:
        ValueError: no prompts, another number of questions, a question that covers no token after the first of its
            prompt, ``batch_size`` < 1, or an edit's text span that is not in a prompt.
        ModelError: memory runs out with one prompt.
    """
    found: npt.NDArray[np.float64] = perplexities(model, prompts, questions, [edits], batch_size)[0]
    return found


def perplexities(
    model: LanguageModel,
    prompts: Sequence[str],
    questions: Sequence[tuple[int, int]],
    configurations: Sequence[Sequence[Edit]],
    batch_size: int | None = None,
) -> npt.NDArray[np.float64]:
    """``question_perplexity`` (configurations, n) under several configurations of edits, which share what they can."""
    if not prompts or len(questions) != len(prompts):
        raise ValueError(
            f"questions: expected one for each of one or more prompts, got {len(questions)} for {len(prompts)} prompts"
        )
    edits = tuple(dict.fromkeys(edit for together in configurations for edit in together))
    rows, counts = [], []
    for row, prompt, question in zip(tokenise(model.tokenizer, prompts, edits), prompts, questions, strict=True):
        start, end = _tokens_of(model, prompt, question)
        rows.append(row[:end])
        counts.append(end - start)
    # The token before a question predicts its first one, and runs in the same pass.
    first = min(len(row) - count for row, count in zip(rows, counts, strict=True)) - 1
    shared = take_apart(model, rows, most=first, stems=False)
    columns = max(counts) + 1
    found = np.empty((len(configurations), len(rows)))

    def read(configuration: int, numbers: Sequence[int], logits: torch.Tensor) -> None:
        for number, row in zip(numbers, logits, strict=True):
            found[configuration, number] = _perplexity(row, rows[number], counts[number])

    vocabulary = int(model.network.config.get_text_config().vocab_size)
    size = max(1, _LOGITS_BYTES // (4 * vocabulary * columns))
    size = size if batch_size is None else min(size, batch_size)
    run_configurations(model, shared, edits, configurations, read, size, columns)
    return found


def _tokens_of(model: LanguageModel, prompt: str, question: tuple[int, int]) -> tuple[int, int]:
    """First and one-past-last token that lies in the question at least in part."""
    offsets = model.tokenizer(prompt, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
    start, end = question
    inside = [i for i, (first, last) in enumerate(offsets) if first < end and last > start and first < last and i > 0]
    if not inside:
        raise ValueError(f"questions: expected characters of a text with tokens, got {question} of {prompt!r:.200}")
    return inside[0], inside[-1] + 1


def _perplexity(logits: torch.Tensor, row: Segment, count: int) -> float:
    """Of the last ``count`` tokens of a row, from the logits (columns, vocabulary) of its last tokens."""
    import torch

    told = torch.log_softmax(logits[-count - 1 : -1].float(), dim=-1)
    tokens = torch.from_numpy(row.ids[-count:]).to(told.device)
    return float(told.gather(1, tokens.unsqueeze(1)).double().mean().neg().exp())
