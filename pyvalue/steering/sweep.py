"""``sweep``: prompts x edits in full batches, seeded per row, resumable.

Checks what was asked and keeps the folder. Rows are spelled out in ``sweep_rows`` and written in ``sweep_batches``; the
table is ``sweep_table``.
"""

from __future__ import annotations

import contextlib
import math
import numbers
from pathlib import Path
from typing import Any

import pandas as pd

from pyvalue.measurement.progress import progress_bar
from pyvalue.measurement.store import RunFolder, write_table
from pyvalue.models.fingerprint import fingerprints
from pyvalue.models.loading import LanguageModel
from pyvalue.models.row_generation import Sampling, end_tokens
from pyvalue.steering.sweep_batches import batches
from pyvalue.steering.sweep_rows import (
    Configuration,
    Configurations,
    Prompt,
    Prompts,
    Row,
    check_fit,
    make_rows,
    read_configurations,
    read_prompts,
)
from pyvalue.steering.sweep_table import NUMBER, TEXTS, SweepResult, join_parts, read_table


def sweep(
    model: LanguageModel,
    prompts: Prompts,
    edits: Configurations,
    *,
    folder: str | Path | None = None,
    controls: int = 0,
    repeats: int = 1,
    seed: int = 0,
    max_new_tokens: int = 64,
    temperature: float = 0.0,
    top_p: float = 1.0,
    batch_size: int | None = None,
    progress: bool | None = None,
) -> SweepResult:
    """Continue every prompt under every configuration of edits, and without any.

    All (prompt, configuration, repeat) rows are mixed into full batches, prompts of like length together, every row
    under its own edits. A row's text depends on ``seed``, its prompt's id and text, its configuration and its number
    among the repeats only, never on the batch it falls in. That holds up to the arithmetic of the model itself: in
    another batch it adds in another order, which changes a logit's last bits, and a text where two tokens are as close
    as that; in float32 that is rare, in bfloat16 it happens now and then.

    The model's own generation settings (penalties, top-k) are left out, but for the tokens that end a text.

    Args:
        model: to ask.
        prompts: a sequence of texts, rendered as they are, each its own id; or a mapping from ids to texts. A list of
            messages (``{"role": ..., "content": ...}``) instead of a text goes through the model's chat template.
        edits: configurations: an edit, or a sequence of edits made together; a mapping names them, otherwise their
            labels do. No edit, labelled ``""``, always comes first.
        folder: where texts are kept, batch by batch. A kill loses at most the batch in flight; a later call with the
            same arguments (``batch_size`` aside) asks only what is missing. Default: nothing is kept.
        controls: random-feature controls of every configuration; see ``random_controls``.
        repeats: texts of every prompt under every configuration; above 1 only where ``temperature`` is.
        seed: of sampling and controls, at least 0.
        max_new_tokens: most tokens of a text.
        temperature: 0 takes the most likely token; above, tokens are sampled.
        top_p: sample among the most likely tokens that together have at least this probability.
        batch_size: most rows at a time; default by the memory that is free (32 on a CPU).
        progress: show a bar with the time left; default when the terminal is one.

    Returns:
        One text a row, by configuration, then prompt, then repeat.

    Raises:
        ValueError: an argument is out of range, prompts or labels are not unique, or an edit's positions are not in a
            prompt.
        TypeError: an argument has the wrong type.
        ModelError: an edit does not fit the model, or memory runs out with one row.
        StoreError: the folder belongs to another study, is in use, or cannot be written.

    Warns:
        UserWarning: memory ran out, and batches are smaller from there on.
    """
    if not isinstance(model, LanguageModel):
        raise TypeError(f"model must be a LanguageModel, such as load_model() returns, got {type(model).__name__}.")
    for name, value, least in (("controls", controls, 0), ("repeats", repeats, 1), ("seed", seed, 0)):
        _check_integer(name, value, least)
    _check_integer("max_new_tokens", max_new_tokens, 1)
    if batch_size is not None:
        _check_integer("batch_size", batch_size, 1)
    _check_number("temperature", temperature, "at least 0", lambda t: t >= 0)
    _check_number("top_p", top_p, "above 0 and at most 1", lambda p: 0 < p <= 1)
    if repeats > 1 and temperature == 0:
        raise ValueError(f"repeats must be 1 at temperature 0, where repeats are the same text, got {repeats}.")
    seed, controls, repeats = int(seed), int(controls), int(repeats)
    asked = read_prompts(model, prompts)
    configurations = read_configurations(edits, controls, seed)
    check_fit(model, asked, configurations, max_new_tokens)
    rows = make_rows(asked, configurations, repeats, seed)
    sampling = Sampling(int(max_new_tokens), float(temperature), float(top_p))
    study = _study(model, asked, configurations, sampling, repeats, seed)
    if folder is None:
        with progress_bar("sweeping", len(rows), progress) as advance:
            tables = []
            with contextlib.closing(batches(model, rows, sampling, batch_size)) as written:
                for table in written:
                    tables.append(table)
                    _advance(advance, table)
        return SweepResult(join_parts(tables), {"study": study})
    with RunFolder(folder, study, TEXTS) as run:
        missing = _missing(run, rows)
        with (
            progress_bar("sweeping", len(missing), progress) as advance,
            contextlib.closing(batches(model, missing, sampling, batch_size)) as written,
        ):
            for table in written:
                write_table(run.part(_next_part(run)), table)
                _advance(advance, table)
        return SweepResult(join_parts([read_table(part) for part in run.parts()]), {"study": run.study})


def _missing(run: RunFolder, rows: list[Row]) -> list[Row]:
    done: set[int] = set()
    for part in run.parts():
        done.update(read_table(part)[NUMBER].tolist())
    return [row for row in rows if row.number not in done]


def _next_part(run: RunFolder) -> int:
    """One more than the last: an interrupted run may have written batches of another size."""
    parts = run.parts()
    return int(parts[-1].stem.removeprefix("part-")) + 1 if parts else 0


def _advance(advance: Any, table: pd.DataFrame) -> None:
    for _ in range(len(table)):
        advance()


def _study(
    model: LanguageModel,
    prompts: list[Prompt],
    configurations: list[Configuration],
    sampling: Sampling,
    repeats: int,
    seed: int,
) -> dict[str, Any]:
    """What was asked, for the manifest. Prompts stand in it whole, in order: texts without them say little."""
    return {
        "kind": "sweep",
        "model": {**model.facts(), **fingerprints(model)},
        "prompts": {prompt.id: prompt.text for prompt in prompts},
        "prompt_order": [prompt.id for prompt in prompts],
        "configurations": {c.label: [edit.to_dict() for edit in c.edits] for c in configurations},
        "configuration_order": [c.label for c in configurations],
        "end_tokens": end_tokens(model),
        "repeats": int(repeats),
        "seed": int(seed),
        "max_new_tokens": sampling.max_new_tokens,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
    }


def _check_integer(name: str, value: object, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise TypeError(f"{name} must be an integer, got {type(value).__name__} {value!r}.")
    if int(value) < least:
        raise ValueError(f"{name} must be at least {least}, got {value}.")


def _check_number(name: str, value: object, expected: str, holds: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"{name} must be a number, got {type(value).__name__} {value!r}.")
    if not math.isfinite(float(value)) or not holds(float(value)):
        raise ValueError(f"{name} must be {expected}, got {value}.")
