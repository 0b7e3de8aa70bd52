"""Batches of rows, each row under its own edits: written by one ``generate`` call, halved where memory runs out."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from pyvalue.errors import ModelError
from pyvalue.models.hook import ResidualEdits
from pyvalue.models.loading import LanguageModel
from pyvalue.steering.sweep_rows import Row
from pyvalue.steering.sweep_table import NUMBER

#: rows of a batch on a CPU, where more gain nothing
CPU_BATCH = 32
#: most rows of an automatic batch
LARGEST_BATCH = 512
#: share of the free memory that an automatic batch may fill
_SHARE = 0.7
# Copies of the next token's scores (float32 and float64, noise and its bits) that sampling holds at once.
_SCORE_BYTES = 40
_NO_MEMORY = ("out of memory", "not enough memory", "can't allocate memory", "cannot allocate memory")


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
    size = batch_size or (automatic_batch(model, len(todo[0].prompt.ids) + sampling.max_new_tokens) if todo else 1)
    warned = False
    while todo:
        batch = todo[:size]
        table = _write_or_none(model, batch, sampling, steer)
        if table is not None:
            todo = todo[len(batch) :]
            yield table
            continue
        if len(batch) == 1:
            raise ModelError(
                f"memory runs out with one prompt of {len(batch[0].prompt.ids)} tokens and {sampling.max_new_tokens} "
                "new ones; use a smaller model or dtype, shorter prompts, or a lower max_new_tokens."
            )
        size = len(batch) // 2
        _empty_cache()
        if not warned:
            warnings.warn(
                f"memory runs out with a batch of {len(batch)}; going on with {size}. Texts do not depend on it; give "
                "batch_size= to begin there.",
                stacklevel=4,
            )
            warned = True


def automatic_batch(model: LanguageModel, tokens: int) -> int:
    """Rows of ``tokens`` tokens that are likely to fit: 32 on a CPU, by keys, values and scores on a GPU."""
    import torch

    if model.device.type != "cuda":
        return CPU_BATCH
    config: Any = model.network.config.get_text_config()
    heads = config.num_attention_heads
    width = getattr(config, "head_dim", None) or config.hidden_size // heads
    kept = 2 * config.num_hidden_layers * (getattr(config, "num_key_value_heads", None) or heads) * width
    # While the prompt runs, a layer also holds its inputs, outputs and the wide middle of its MLP.
    passing = 4 * config.hidden_size + 3 * (getattr(config, "intermediate_size", None) or 4 * config.hidden_size)
    row = tokens * (kept + passing) * model.dtype.itemsize + config.vocab_size * _SCORE_BYTES
    free = torch.cuda.mem_get_info(model.device)[0]
    return max(1, min(LARGEST_BATCH, int(_SHARE * free / row)))


def _write_or_none(
    model: LanguageModel, batch: Sequence[Row], sampling: Sampling, steer: ResidualEdits
) -> pd.DataFrame | None:
    """The batch's table, or None where memory runs out; what the failed call held is let go on return."""
    try:
        return write_batch(model, batch, sampling, steer)
    except (MemoryError, RuntimeError) as fault:
        if not _is_memory(fault):
            raise
        return None


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


def _is_memory(fault: BaseException) -> bool:
    import torch

    text = str(fault).lower()
    return isinstance(fault, MemoryError | torch.OutOfMemoryError) or any(words in text for words in _NO_MEMORY)


def _empty_cache() -> None:
    import torch

    if torch.cuda.is_available():
        torch.cuda.empty_cache()
