"""Ways to steer one value side by side: side effects of each, and what each costs in texts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from pyvalue.evaluation.side_effects import SideEffects, side_effects
from pyvalue.measurement.inventory import Inventory
from pyvalue.measurement.personas import Persona
from pyvalue.measurement.prompts import FREE, PromptStyle, render_prompt
from pyvalue.measurement.steered_text import text_costs
from pyvalue.models.edits import Edit
from pyvalue.models.loading import LanguageModel
from pyvalue.responses import Responses, Score
from pyvalue.steering.baselines import Methods, measure_steering

#: columns of ``text_costs`` that a comparison shows, and what they are called there
TEXT_COLUMNS = {
    "perplexity_ratio": "text_perplexity_ratio",
    "kl": "kl",
    "repetition": "repetition",
    "degenerate": "text_degenerate",
    "refused": "text_refused",
    "broken": "text_broken",
}


def compare_steering(
    model: LanguageModel,
    inventory: Inventory,
    personas: Sequence[Persona],
    target: Mapping[str, int],
    methods: Methods,
    *,
    responses: Responses | None = None,
    folder: str | Path | None = None,
    groups: Mapping[str, Iterable[str]] | None = None,
    score: Score = "corrected",
    confidence: float = 0.95,
    text_personas: int = 4,
    text_items: int = 3,
    style: PromptStyle = FREE,
    max_new_tokens: int = 48,
    seed: int = 0,
    **options: Any,
) -> SideEffects:
    """Measure every method, and put gain, leakage, answers and texts of each into one table.

    Args:
        model: to steer.
        inventory: what to ask.
        personas: of whom to ask it.
        target: value -> +1 or -1.
        methods: of ``steering_baselines``; controls among them (``"control 1 of <label> (...)"``) get no row but are
            what their edit is compared with.
        responses: answers of ``measure_steering`` to the same methods, where there are any; default they are asked.
        folder: run folder of these answers.
        groups: as in ``side_effects``.
        score: as in ``side_effects``.
        confidence: as in ``side_effects``.
        text_personas: first personas who write texts; 0 for no texts.
        text_items: first items that they write on, each at the head of a value.
        style: wording of what is written.
        max_new_tokens: of a text.
        seed: of sampling.
        options: of ``measure``.

    Returns:
        Side effects whose table has ``text_perplexity_ratio, kl, repetition, text_degenerate, text_refused,
        text_broken`` too (see ``text_costs``), one row a method.

    Raises:
        ValueError: the responses and the methods have other labels; see also ``measure_steering``, ``side_effects`` and
            ``text_costs``.
    """
    if responses is None:
        responses = measure_steering(model, inventory, personas, methods, folder=folder, **options)
    _check_labels(responses, methods)
    found = side_effects(responses, target, groups=groups, score=score, confidence=confidence)
    if not text_personas or not text_items:
        return found
    people = personas[:text_personas]
    heads = {item.value: item for item in reversed(inventory.items) if item.keying}
    questions = [heads[value].question for value in inventory.values if value in heads][:text_items]
    edits, words = {}, {}
    for label in found.table["edit"]:
        method = methods.get(label, ())
        if method and isinstance(method[0], Persona):
            told = [one for one in method[: len(people)] if isinstance(one, Persona)]
            words[label] = _prompts(model, told, questions, style)
        else:
            edits[label] = [one for one in method if isinstance(one, Edit)]
    prompts = _prompts(model, people, questions, style)
    costs = text_costs(model, prompts, edits, other_prompts=words, max_new_tokens=max_new_tokens, seed=seed)
    shown = costs[list(TEXT_COLUMNS)].rename(columns=TEXT_COLUMNS)
    table = found.table.merge(shown, left_on="edit", right_index=True, how="left")
    plain = {name: float(costs.loc["", name]) for name in ("perplexity", "repetition", "degenerate", "refused")}
    return replace(found, table=table, facts=found.facts | {"texts": len(prompts), "plain_texts": plain})


def _check_labels(responses: Responses, methods: Methods) -> None:
    """Answers under a label without a method would be compared by texts that nothing steered."""
    asked = [label for label in responses.edits if label]
    if strange := [label for label in asked if label not in methods]:
        raise ValueError(
            f"responses: have answers under {', '.join(map(repr, strange))}, which the methods lack; they have "
            f"{', '.join(map(repr, methods))}. Add the methods, or leave these answers out"
        )
    if unasked := [label for label in methods if label not in asked]:
        raise ValueError(
            f"responses: have no answers under {', '.join(map(repr, unasked))} of the methods; measure these, too, or "
            "leave the methods out"
        )


def comparison_table(found: SideEffects) -> pd.DataFrame:
    """The columns that most readers want, one row a method, the largest gain first."""
    wanted = [
        "edit", "gain", "gain_low", "gain_high", "leakage", "side_change", "wrong", "control_wrong", "p_gain", "valid",
        "perplexity_ratio", *TEXT_COLUMNS.values(),
    ]  # fmt: skip
    columns = [name for name in wanted if name in found.table.columns]
    return found.table[columns].sort_values("gain", ascending=False, kind="stable", ignore_index=True)


def _prompts(
    model: LanguageModel, people: Sequence[Persona], questions: Sequence[str], style: PromptStyle
) -> list[str]:
    return [render_prompt(model.tokenizer, person, question, style) for person in people for question in questions]
