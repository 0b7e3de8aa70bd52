"""What steering costs in texts: how they read to the unsteered model, how far it is bent, and how they break down.

Texts are written under every edit, or brought along; ``text_cost`` reads them. Values are not asked about here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from pyvalue.errors import NumericsError
from pyvalue.measurement.degenerate_text import is_degenerate
from pyvalue.measurement.refusals import is_refusal
from pyvalue.measurement.text_cost import Condition, Floats, next_token_divergence, text_log_probabilities
from pyvalue.models.edits import Edit
from pyvalue.models.loading import LanguageModel
from pyvalue.models.repetition import repetition
from pyvalue.models.row_generation import GenerationRow, Sampling, write_rows

#: columns of ``text_costs``
COLUMNS = {
    "texts": "how many there are",
    "tokens": "mean number of tokens of a text",
    "perplexity": "of the unsteered model on the texts, given the plain prompts; over all tokens of all texts",
    "perplexity_ratio": "to that of the unsteered model's own texts",
    "kl": "mean over tokens of KL(steered ‖ unsteered) of the next token, in nats, along the unsteered model's texts",
    "repetition": "mean share of 3-grams of tokens that occurred before in the text",
    "distinct_2": "different pairs of tokens over all pairs of tokens, mean over texts (Li et al. 2016)",
    "degenerate": "share of texts that go in circles or left the language of the prompt",
    "refused": "share of texts that refuse to answer",
    "empty": "share of texts without a token",
    "broken": "no text has a token, or the network returns no numbers under the edit",
}


def text_costs(
    model: LanguageModel,
    prompts: Sequence[str],
    edits: Mapping[str, Sequence[Edit]],
    *,
    other_prompts: Mapping[str, Sequence[str]] | None = None,
    texts: Mapping[str, Sequence[str]] | None = None,
    max_new_tokens: int = 48,
    temperature: float = 0.0,
    top_p: float = 1.0,
    seed: int = 0,
    batch_size: int | None = None,
) -> pd.DataFrame:
    """Perplexity, divergence, repetition, refusals and breakdowns of texts under edits.

    The perplexity asks whether what the steered model wrote could have come from the unsteered one. Greedy texts of a
    model have a low perplexity to itself; the ratio compares with these. The divergence is taken along one set of
    texts, the unsteered model's own, so that edits are compared at the same places.

    Args:
        model: to write and to read with.
        prompts: rendered, with special tokens written out.
        edits: label -> edits made together; the unsteered model is always there, as ``""``.
        other_prompts: label -> prompts, one for each of ``prompts``, of a way to steer that changes what the model is
            told; its label may be among those of ``edits``.
        texts: label -> one text a prompt, with one for ``""``, where they were written already (such as
            ``{e: sweep.texts(e) for e in sweep.edits}``); default: they are written.
        max_new_tokens: of a text that is written.
        temperature: of writing; 0 takes the likeliest token.
        top_p: sample among the likeliest tokens that together have at least this probability.
        seed: of sampling; every prompt has the same noise under every edit.
        batch_size: most texts at a time; default what fits into memory.

    Returns:
        One row a label, ``""`` first; columns ``COLUMNS``. The perplexity is NaN where every text is empty, ``kl``
        where the network returns NaN under the edit; both are ``broken``.

    Raises:
        ValueError: no prompts, a label without prompts or texts for each prompt, or the label "" for an edit.
        TypeError: ``edits`` is no mapping.
        ModelError: an edit does not fit the model, or memory runs out with one text.
        NumericsError: the unsteered model returns NaN, so that there is nothing to compare with.
    """
    ways = _ways(prompts, edits, other_prompts)
    if texts is None:
        sampling = Sampling(max_new_tokens, temperature, top_p)
        texts = {label: _write(model, way, sampling, seed, batch_size) for label, way in ways.items()}
    _check_texts(texts, ways, len(prompts))
    plain = ways[""]
    rows = {}
    for label, way in ways.items():
        own = [str(text) for text in texts[label]]
        logs = _joined(text_log_probabilities(model, own, plain, batch_size))
        if label:
            bent = _joined(next_token_divergence(model, [str(t) for t in texts[""]], way, plain, batch_size))
        else:
            bent = np.zeros(1)
        if np.isnan(logs).any():
            raise NumericsError(
                f"the unsteered model gives texts of {label!r} no probability (NaN), so nothing can be compared with "
                "it; load it with dtype='float32'"
            )
        with np.errstate(over="ignore"):
            perplexity = float(np.exp(-logs.mean())) if len(logs) else math.nan
        rows[label] = {"perplexity": perplexity, "kl": float(bent.mean()) if len(bent) else math.nan}
        rows[label] |= _rates(model, own, prompts)
        rows[label]["broken"] = rows[label]["empty"] == 1 or bool(np.isnan(bent).any())
    table = pd.DataFrame.from_dict(rows, orient="index")
    table["perplexity_ratio"] = table["perplexity"] / table.loc["", "perplexity"]
    return table[list(COLUMNS)].astype({"broken": bool}).rename_axis("edit")


def distinct_share(tokens: Sequence[int], n: int) -> float:
    """Different n-grams over all n-grams of a text; 1 where it has none."""
    grams = list(zip(*(tokens[k:] for k in range(n)), strict=False))
    return len(set(grams)) / len(grams) if grams else 1.0


def _ways(
    prompts: Sequence[str], edits: Mapping[str, Sequence[Edit]], other: Mapping[str, Sequence[str]] | None
) -> dict[str, Condition]:
    if isinstance(prompts, str) or not len(prompts):
        raise ValueError(f"prompts: expected a non-empty sequence of texts, got {prompts!r:.80}")
    if not isinstance(edits, Mapping):
        raise TypeError(f"edits: expected a mapping from labels to edits, got {type(edits).__name__}")
    other = other or {}
    if edits.get("") or "" in other:
        raise ValueError('edits: the label "" is the unsteered model; name the edits otherwise')
    labels = dict.fromkeys([*edits, *other])
    found = {"": Condition(prompts)}
    for label in labels:
        made = edits.get(label, ())
        made = (made,) if isinstance(made, Edit) else tuple(made)
        if label:
            found[label] = Condition(other.get(label, prompts), made)
    for label, way in found.items():
        if len(way.prompts) != len(prompts):
            raise ValueError(
                f"other_prompts[{label!r}]: expected one for each of {len(prompts)} prompts, got {len(way.prompts)}"
            )
    return found


def _check_texts(texts: Mapping[str, Sequence[str]], ways: Mapping[str, Condition], count: int) -> None:
    for label in ways:
        if label not in texts:
            raise ValueError(f"texts: expected some of {label!r}; they have {', '.join(map(repr, texts))}")
        if isinstance(texts[label], str) or len(texts[label]) != count:
            raise ValueError(f"texts[{label!r}]: expected one for each of {count} prompts, got {len(texts[label])}")


def _write(model: LanguageModel, way: Condition, sampling: Sampling, seed: int, batch_size: int | None) -> list[str]:
    ids = [tuple(model.tokenizer(prompt, add_special_tokens=False)["input_ids"]) for prompt in way.prompts]
    rows = [GenerationRow(row, tuple(way.edits), seed + number) for number, row in enumerate(ids)]
    found = [""] * len(rows)
    for numbers, written in write_rows(model, rows, sampling, batch_size):
        for number, one in zip(numbers, written, strict=True):
            found[number] = one.text
    return found


def _rates(model: LanguageModel, texts: Sequence[str], prompts: Sequence[str]) -> dict[str, Any]:
    tokens = [list(model.tokenizer(text, add_special_tokens=False)["input_ids"]) for text in texts]
    pairs = zip(texts, prompts, strict=True)
    return {
        "texts": len(texts),
        "tokens": float(np.mean([len(row) for row in tokens])),
        "repetition": float(np.mean([repetition(row) for row in tokens])),
        "distinct_2": float(np.mean([distinct_share(row, 2) for row in tokens])),
        "degenerate": float(np.mean([is_degenerate(text, prompt) for text, prompt in pairs])),
        "refused": float(np.mean([is_refusal(text) for text in texts])),
        "empty": float(np.mean([not row for row in tokens])),
    }


def _joined(arrays: Sequence[Floats]) -> Floats:
    return np.concatenate([*arrays, np.zeros(0)])
