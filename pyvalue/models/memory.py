"""How many rows of a batch fit into memory, and smaller batches where they did not. Runs no model itself."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Generator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from pyvalue.errors import ModelError

if TYPE_CHECKING:
    from pyvalue.models.loading import LanguageModel

#: rows of a batch on a CPU, where more gain nothing
CPU_BATCH = 32
#: most rows of an automatic batch
LARGEST_BATCH = 512
#: share of the free memory that an automatic batch may fill
_SHARE = 0.7
# Copies of the next token's scores (float32 and float64, noise and its bits) that sampling holds at once.
_SCORE_BYTES = 40
Row = TypeVar("Row")
Result = TypeVar("Result")
_NO_MEMORY = ("out of memory", "not enough memory", "can't allocate memory", "cannot allocate memory")


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
    # What torch keeps for later is taken as far as the driver knows, but free for us.
    kept_back = torch.cuda.memory_reserved(model.device) - torch.cuda.memory_allocated(model.device)
    free = torch.cuda.mem_get_info(model.device)[0] + kept_back
    return max(1, min(LARGEST_BATCH, int(_SHARE * free / row)))


def batches_that_fit(
    rows: Sequence[Row], size: int, run: Callable[[Sequence[Row]], Result], what: str, stacklevel: int = 2
) -> Generator[tuple[Sequence[Row], Result]]:
    """Run rows in batches, and yield each batch with what came of it as it is done.

    Where memory runs out the batch is halved, which is said once, and later batches stay so small.

    Args:
        rows: in the order in which they run.
        size: most rows of a batch, at first.
        run: called with a batch.
        what: a row, in the words of an error: "one prompt of 90 tokens".
        stacklevel: of the warning, counted from here.

    Raises:
        ModelError: memory runs out with one row.

    Warns:
        UserWarning: memory ran out.
    """
    warned, start = False, 0
    while start < len(rows):
        batch = rows[start : start + size]
        done = _run_or_none(run, batch)
        if done is not None:
            start += len(batch)
            yield batch, done[0]
            continue
        if len(batch) == 1:
            raise ModelError(
                f"memory runs out with {what}; use a smaller model or dtype, shorter prompts, or fewer new tokens."
            )
        size = len(batch) // 2
        empty_cache()
        if not warned:
            warnings.warn(
                f"memory runs out with a batch of {len(batch)}; going on with {size}. Results do not depend on it; "
                "give batch_size= to begin there.",
                stacklevel=stacklevel,
            )
            warned = True


def _run_or_none(run: Callable[[Sequence[Row]], Result], batch: Sequence[Row]) -> tuple[Result] | None:
    """None where memory runs out; what the failed call held is let go on return."""
    try:
        return (run(batch),)
    except (MemoryError, RuntimeError) as fault:
        if not is_memory_fault(fault):
            raise
        return None


def is_memory_fault(fault: BaseException) -> bool:
    """Whether memory, of a GPU or of the machine, ran out."""
    import torch

    text = str(fault).lower()
    return isinstance(fault, MemoryError | torch.OutOfMemoryError) or any(words in text for words in _NO_MEMORY)


def empty_cache() -> None:
    """Give back what torch keeps of a GPU's memory for later."""
    import torch

    if torch.cuda.is_available():
        torch.cuda.empty_cache()
