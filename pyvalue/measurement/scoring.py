"""p(yes) and p(no) of one persona's questions from forward passes. For what they share see ``shared_passes``."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from pyvalue.measurement.answer_logits import AnswerLogits
from pyvalue.measurement.shared_configurations import run_configurations
from pyvalue.measurement.shared_tokens import SharedTokens, tokenise
from pyvalue.measurement.sharing import take_apart
from pyvalue.models.edits import Edit
from pyvalue.models.loading import LanguageModel

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class YesNo:
    """Probabilities of the next token, one entry a prompt, float64 of shape (n,).

    Attributes:
        yes: summed over the surface forms of "yes".
        no: summed over the surface forms of "no".
    """

    yes: npt.NDArray[np.float64]
    no: npt.NDArray[np.float64]


def score_prompts(
    model: LanguageModel, prompts: Sequence[str], edits: Sequence[Edit] = (), batch_size: int | None = None
) -> YesNo:
    """Probability that the model answers each prompt with yes, and with no.

    Args:
        model: to ask.
        prompts: rendered prompts; fastest when they share a long prefix.
        edits: of the residual stream, applied to every prompt.
        batch_size: most prompts in one forward pass; default what fits into memory.

    Raises:
        ModelError: the tokenizer has no single-token form of "yes" or "no", the model is in training mode, inside of
            an edit block or has no positions for a prompt, or memory runs out with one prompt.
        ValueError: no prompts, ``batch_size`` < 1, or an edit's text span is not in a prompt.
    """
    return score_configurations(model, prompts, [edits], batch_size)[0]


def score_configurations(
    model: LanguageModel,
    prompts: Sequence[str],
    configurations: Sequence[Sequence[Edit]],
    batch_size: int | None = None,
    idle: set[tuple[Edit, ...]] | None = None,
) -> list[YesNo]:
    """``score_prompts`` under several configurations of edits, which share the layers below their edits.

    A form of a word that the tokenizer writes in more than one token is not counted. The logits of the counted forms
    are computed in float64 from the model's last hidden state, whatever the model's own format.

    Args:
        model: to ask.
        prompts: rendered prompts; fastest when they share a long prefix.
        configurations: edits made together, an empty one for the unedited model.
        batch_size: most prompts in one forward pass; default what fits into memory.
        idle: takes up configurations whose edits act on no token; nothing more is said once it holds one.

    Returns:
        One for every configuration, equal to what it gives alone up to rounding.

    Raises:
        ModelError: the tokenizer has no single-token form of "yes" or "no", the model is in training mode, inside of
            an edit block or has no positions for a prompt, or memory runs out with one prompt.
        ValueError: no prompts, no configurations, ``batch_size`` < 1, or an edit's text span is not in a prompt.

    Warns:
        UserWarning: the edits of a configuration act on no token; or the model shares no computed beginnings.
    """
    if not prompts:
        raise ValueError("prompts: expected at least one, got none")
    if not configurations:
        raise ValueError("configurations: expected at least one, got none; () is the unedited model")
    edits = tuple(dict.fromkeys(edit for together in configurations for edit in together))
    answers = AnswerLogits(model)
    rows = tokenise(model.tokenizer, prompts, edits)
    shared = take_apart(model, rows)
    _tell_idle(shared, edits, configurations, set() if idle is None else idle)
    both = np.empty((len(configurations), len(prompts), 2))

    def read(configuration: int, numbers: Sequence[int], logits: torch.Tensor) -> None:
        both[configuration, list(numbers)] = answers.read(logits[:, -1]).numpy()

    with answers.listening():
        run_configurations(model, shared, edits, configurations, read, batch_size)
    return [YesNo(yes=found[:, 0], no=found[:, 1]) for found in both]


def _tell_idle(
    shared: SharedTokens,
    edits: Sequence[Edit],
    configurations: Sequence[Sequence[Edit]],
    known: set[tuple[Edit, ...]],
) -> None:
    found = [
        tuple(together)
        for together in configurations
        if together and not shared.hit_by([edits.index(edit) for edit in together])
    ]
    if found and not known:
        labels = ", ".join(" + ".join(edit.label for edit in together) for together in found)
        warnings.warn(
            f"the edits acted on no token: no prompt has their positions ({labels:.200}); answers are those of the "
            "unedited model",
            stacklevel=3,
        )
    known.update(found)
