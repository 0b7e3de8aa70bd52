"""Rows of token ids, each under its own edits and with its own seed, continued in batches that fit into memory.

One ``generate`` call a batch. Renders no prompt, decides no seed, and keeps nothing.
"""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field

import torch

from pyvalue.models.edits import Edit
from pyvalue.models.hook import ResidualEdits
from pyvalue.models.loading import LanguageModel
from pyvalue.models.memory import automatic_batch, batches_that_fit
from pyvalue.models.one_thread import alone_with
from pyvalue.models.repetition import repetition


@dataclass(frozen=True)
class Sampling:
    """How a text is written: at most ``max_new_tokens``, greedily at temperature 0."""

    max_new_tokens: int
    temperature: float
    top_p: float


@dataclass(frozen=True)
class GenerationRow:
    """What is continued.

    Attributes:
        ids: token ids of the rendered prompt.
        edits: made together while this row is read and written.
        seed: of its noise; unused at temperature 0.
    """

    ids: tuple[int, ...] = field(repr=False)
    edits: tuple[Edit, ...] = ()
    seed: int = 0


@dataclass(frozen=True)
class Written:
    """A row's continuation.

    Attributes:
        text: without special tokens.
        n_tokens: of the continuation, the one that ends it included.
        finished: whether the model ended it.
        log_probability: mean over its tokens, at temperature 1 over all tokens.
        repetition: share of its 3-grams of tokens that occurred before.
    """

    text: str
    n_tokens: int
    finished: bool
    log_probability: float
    repetition: float


def write_rows(
    model: LanguageModel,
    rows: Sequence[GenerationRow],
    sampling: Sampling,
    batch_size: int | None = None,
    stacklevel: int = 2,
) -> Generator[tuple[list[int], list[Written]]]:
    """Continue the rows, longest prompts first, and yield every batch as it is done.

    A row's text depends on its ids, edits and seed only, never on the batch it falls in, up to the arithmetic of the
    model itself: another batch adds in another order, which changes a logit's last bits. Other threads that ask the
    model wait until all rows are done; close the generator to stop early.

    Args:
        model: to ask.
        rows: in any order; those of like length run together, whatever their edits.
        sampling: how texts are written.
        batch_size: most rows at a time; default by the memory that is free.
        stacklevel: of the warning that memory ran out, counted from here.

    Yields:
        (numbers of the rows, what was written).

    Raises:
        ModelError: memory runs out with one row, an edit does not fit the model, or the model is in training mode.
        ValueError: ``batch_size`` < 1, or the positions of an edit are not in a prompt.

    Warns:
        UserWarning: memory ran out, and batches are smaller from there on.
    """
    if batch_size is not None and batch_size < 1:
        raise ValueError(f"batch_size: expected at least 1, got {batch_size}")
    if not rows:
        return
    every = list(dict.fromkeys(edit for row in rows for edit in row.edits))
    order = sorted(range(len(rows)), key=lambda i: -len(rows[i].ids))  # stable: the rows of one prompt stay together
    longest = len(rows[order[0]].ids)
    size = batch_size or automatic_batch(model, longest + sampling.max_new_tokens)
    what = f"one prompt of up to {longest} tokens and {sampling.max_new_tokens} new ones"
    # Entered once: every batch chooses among the edits, and their rows of the SAE are copied once.
    with alone_with(model.network), model.edit(every) as steer:

        def write(numbers: Sequence[int]) -> list[Written]:
            return write_batch(model, [rows[i] for i in numbers], sampling, steer)

        for numbers, written in batches_that_fit(order, size, write, what, stacklevel + 1):
            yield list(numbers), written


def write_batch(
    model: LanguageModel, batch: Sequence[GenerationRow], sampling: Sampling, steer: ResidualEdits
) -> list[Written]:
    """Continue one batch, every row under its own edits, which ``steer`` was given at the start."""
    from pyvalue.models.row_seeds import RowSampler

    ends, pad = end_tokens(model), _pad_token(model)
    width = max(len(row.ids) for row in batch)
    ids = torch.full((len(batch), width), pad, dtype=torch.long)
    mask = torch.zeros(len(batch), width, dtype=torch.long)
    for i, row in enumerate(batch):
        ids[i, width - len(row.ids) :] = torch.tensor(row.ids)
        mask[i, width - len(row.ids) :] = 1
    sampler = RowSampler([row.seed for row in batch], width, sampling.temperature, sampling.top_p)
    steer.choose([row.edits for row in batch])
    with _plain_generation(model, ends, pad):
        written = model.network.generate(
            input_ids=ids.to(model.device),
            attention_mask=mask.to(model.device),
            max_new_tokens=sampling.max_new_tokens,
            do_sample=False,
            logits_processor=[sampler],
        )
    chances = sampler.log_probabilities.double().cpu()
    texts = [_until_end(row, ends) for row in written[:, width:].tolist()]
    decoded = model.tokenizer.batch_decode([tokens for tokens, _ in texts], skip_special_tokens=True)
    return [
        Written(str(text), len(tokens), finished, float(chances[i, : len(tokens)].mean()), repetition(tokens))
        for i, (text, (tokens, finished)) in enumerate(zip(decoded, texts, strict=True))
    ]


def end_tokens(model: LanguageModel) -> list[int]:
    """Ids of the tokens that end a text: what the model says, else what its tokenizer says."""
    ends = model.network.generation_config.eos_token_id
    ends = model.tokenizer.eos_token_id if ends is None else ends
    if ends is None:
        return []
    return [int(end) for end in ends] if isinstance(ends, list | tuple) else [int(ends)]


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


def _pad_token(model: LanguageModel) -> int:
    for found in (model.tokenizer.pad_token_id, *end_tokens(model)):
        if found is not None:
            return int(found)
    return 0  # masked everywhere, so any token does
