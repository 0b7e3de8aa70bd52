"""Rows of a sweep in batches, and the table of every batch. How rows are continued stands in ``row_generation``."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Sequence

import pandas as pd

from pyvalue.models.loading import LanguageModel
from pyvalue.models.row_generation import GenerationRow, Sampling, Written, write_rows
from pyvalue.steering.sweep_rows import Row
from pyvalue.steering.sweep_table import NUMBER


def batches(
    model: LanguageModel, rows: Sequence[Row], sampling: Sampling, batch_size: int | None
) -> Generator[pd.DataFrame]:
    """Write the rows, longest prompts first, and yield the table of every batch as it is done.

    Where memory runs out the batch is halved, which is said once, and later batches stay so small.

    Raises:
        ModelError: memory runs out with one row.
    """
    asked = [GenerationRow(row.prompt.ids, row.configuration.edits, row.seed) for row in rows]
    # Closed here: where a caller stops early, the edits must leave the model at once.
    with contextlib.closing(write_rows(model, asked, sampling, batch_size, stacklevel=4)) as done:
        for numbers, written in done:
            yield _table([rows[i] for i in numbers], written)


def _table(batch: Sequence[Row], written: Sequence[Written]) -> pd.DataFrame:
    """The columns that ``sweep_table.COLUMNS`` lists, and the rows' numbers."""
    return pd.DataFrame(
        {
            NUMBER: [row.number for row in batch],
            "prompt": [row.prompt.id for row in batch],
            "edit": [row.configuration.label for row in batch],
            "control": [row.configuration.control for row in batch],
            "control_of": [row.configuration.control_of for row in batch],
            "repeat": [row.repeat for row in batch],
            "seed": [row.seed for row in batch],
            "text": [one.text for one in written],
            "n_tokens": [one.n_tokens for one in written],
            "finished": [one.finished for one in written],
            "log_probability": [one.log_probability for one in written],
            "repetition": [one.repetition for one in written],
        }
    )
