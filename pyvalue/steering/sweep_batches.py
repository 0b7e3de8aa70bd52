"""Batches of rows, each row under its own edits: written by one ``generate`` call, halved where memory runs out."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass

import pandas as pd

from pyvalue.models.hook import ResidualEdits
from pyvalue.models.loading import LanguageModel
from pyvalue.models.memory import automatic_batch, batches_that_fit
from pyvalue.steering.sweep_rows import Row
from pyvalue.steering.sweep_table import NUMBER


@dataclass(frozen=True)
class Sampling:
    """How a text is written: at most ``max_new_tokens``, greedily at temperature 0."""

    max_new_tokens: int
    temperature: float
    top_p: float


def batches(
    model: LanguageModel, rows: Sequence[Row], sampling: Sampling, batch_size: int | None
) -> Generator[pd.DataFrame]:
    """Write the rows, longest prompts first, and yield the table of every batch as it is done.

    Where memory runs out the batch is halved, which is said once, and later batches stay so small.

    Raises:
        ModelError: memory runs out with one row.
    """
    every = list(dict.fromkeys(edit for row in rows for edit in row.configuration.edits))
    # Entered once: every batch chooses among the edits, and their rows of the SAE are copied once.
    with model.edit(every) as steer:
        yield from _batches(model, rows, sampling, batch_size, steer)


def _batches(
    model: LanguageModel, rows: Sequence[Row], sampling: Sampling, batch_size: int | None, steer: ResidualEdits
) -> Generator[pd.DataFrame]:
    todo = sorted(rows, key=lambda row: -len(row.prompt.ids))  # stable: the rows of one prompt stay together
    if not todo:
        return
    longest = len(todo[0].prompt.ids)
    size = batch_size or automatic_batch(model, longest + sampling.max_new_tokens)
    what = f"one prompt of up to {longest} tokens and {sampling.max_new_tokens} new ones"

    def write(batch: Sequence[Row]) -> pd.DataFrame:
        return write_batch(model, batch, sampling, steer)

    for _, table in batches_that_fit(todo, size, write, what, stacklevel=5):
        yield table


def write_batch(
    model: LanguageModel, batch: Sequence[Row], sampling: Sampling, steer: ResidualEdits
) -> pd.DataFrame:
    """Continue the prompts of a batch, every row under its own edits, which ``steer`` was given at the start.

    Returns:
        The columns that ``sweep_table.COLUMNS`` lists, and the rows' numbers.
    """
    import torch

    from pyvalue.models.row_seeds import RowSampler

    ends, pad = end_tokens(model), _pad_token(model)
    width = max(len(row.prompt.ids) for row in batch)
    ids = torch.full((len(batch), width), pad, dtype=torch.long)
    mask = torch.zeros(len(batch), width, dtype=torch.long)
    for i, row in enumerate(batch):
        ids[i, width - len(row.prompt.ids) :] = torch.tensor(row.prompt.ids)
        mask[i, width - len(row.prompt.ids) :] = 1
    sampler = RowSampler([row.seed for row in batch], width, sampling.temperature, sampling.top_p)
    steer.choose([row.configuration.edits for row in batch])
    with _plain_generation(model, ends, pad):
        written = model.network.generate(
            input_ids=ids.to(model.device),
            attention_mask=mask.to(model.device),
            max_new_tokens=sampling.max_new_tokens,
            do_sample=False,
            logits_processor=[sampler],
        )
    tokens = written[:, width:].tolist()
    chances = sampler.log_probabilities.double().cpu()
    texts = [_until_end(row, ends) for row in tokens]
    decoded = model.tokenizer.batch_decode([text for text, _ in texts], skip_special_tokens=True)
    return pd.DataFrame(
        {
            NUMBER: [row.number for row in batch],
            "prompt": [row.prompt.id for row in batch],
            "edit": [row.configuration.label for row in batch],
            "control": [row.configuration.control for row in batch],
            "control_of": [row.configuration.control_of for row in batch],
            "repeat": [row.repeat for row in batch],
            "seed": [row.seed for row in batch],
            "text": [str(text) for text in decoded],
            "n_tokens": [len(text) for text, _ in texts],
            "finished": [finished for _, finished in texts],
            "log_probability": [float(chances[i, : len(text)].mean()) for i, (text, _) in enumerate(texts)],
            "repetition": [repetition(text) for text, _ in texts],
        }
    )


def repetition(tokens: Sequence[int]) -> float:
    """Share of the 3-grams of ``tokens`` that occurred before; 0 for fewer than three tokens."""
    grams = list(zip(tokens, tokens[1:], tokens[2:], strict=False))
    return 1 - len(set(grams)) / len(grams) if grams else 0.0


def _until_end(tokens: Sequence[int], ends: Sequence[int]) -> tuple[list[int], bool]:
    """(tokens up to the one that ends the text, whether there is one)."""
    for i, token in enumerate(tokens):
        if token in ends:
            return list(tokens[: i + 1]), True
    return list(tokens), False


@contextlib.contextmanager
def _plain_generation(model: LanguageModel, ends: Sequence[int], pad: int) -> Iterator[None]:
    """No settings that the model brings along, such as a repetition penalty: ``generate`` would mix them in."""
    from transformers import GenerationConfig

    before = model.network.generation_config
    model.network.generation_config = GenerationConfig(  # type: ignore[no-untyped-call]
        eos_token_id=list(ends) or None, pad_token_id=pad, bos_token_id=before.bos_token_id
    )
    try:
        yield
    finally:
        model.network.generation_config = before


def end_tokens(model: LanguageModel) -> list[int]:
    """Ids of the tokens that end a text: what the model says, else what its tokenizer says."""
    ends = model.network.generation_config.eos_token_id
    ends = model.tokenizer.eos_token_id if ends is None else ends
    if ends is None:
        return []
    return [int(end) for end in ends] if isinstance(ends, list | tuple) else [int(ends)]


def _pad_token(model: LanguageModel) -> int:
    for found in (model.tokenizer.pad_token_id, *end_tokens(model)):
        if found is not None:
            return int(found)
    return 0  # masked everywhere, so any token does
