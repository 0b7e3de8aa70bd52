"""Logs of the Inspect AI task as ``Responses``, so that everything after ``measure`` takes them."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyvalue.errors import ModelError, StoreError
from pyvalue.extras import how_to_install
from pyvalue.harnesses.answers import to_responses
from pyvalue.harnesses.questions import IDENTITY
from pyvalue.measurement.asking import Answer
from pyvalue.responses import Responses

if TYPE_CHECKING:
    from inspect_ai.log import EvalLog, EvalSample


def responses_from_inspect(
    log: str | Path | EvalLog | Sequence[EvalLog], *, model: str | None = None, edit: str = ""
) -> Responses:
    """Answers of a log of ``value_inventory``, as ``measure`` would have given them.

    Written answers are read again from their texts, by the rules of this version.

    Args:
        log: path of a log file (``.eval`` or ``.json``), an ``EvalLog``, or what ``inspect_ai.eval`` returned, if that
            is one log.
        model: the ``model`` column; default Inspect's name of the model.
        edit: the ``edit`` column, where the model was steered meanwhile; empty for none.

    Raises:
        StoreError: the log cannot be read, or holds no answers.
        ValueError: it is of another task, or several logs were given.
        ModelError: inspect-ai is not installed.

    Warns:
        UserWarning: some questions were not answered, because a sample failed or the run was stopped.
    """
    found = _read(log)
    known = (found.eval.metadata or {}).get("pyvalue")
    if not isinstance(known, dict):
        raise ValueError(
            f"log: expected one of the task value_inventory, got one of {found.eval.task!r}, which says nothing of "
            "values and personas"
        )
    mode, min_mass = str(known["mode"]), float((found.eval.metadata or {}).get("min_mass", 0.0))
    samples = [sample for sample in found.samples or [] if sample.error is None and sample.output.choices]
    if not samples:
        raise StoreError(f"log: holds no answers (status {found.status!r}); was it read without its samples?")
    asked = found.eval.dataset.samples
    expected = (asked or len(samples)) * (found.eval.config.epochs or 1)
    if len(samples) < expected:
        warnings.warn(
            f"log: {expected - len(samples)} of {expected} questions have no answer, because their samples failed or "
            "the run was stopped or limited; they are not in the table",
            stacklevel=2,
        )
    rows = [(_record(sample), _answer(sample, mode, min_mass)) for sample in samples]
    name = model or found.eval.model
    study = {**known, "model": {"name": name}, "harness": {"name": "inspect_ai", "packages": found.eval.packages}}
    return to_responses(rows, model=name, edit=edit, mode=mode, facts={"study": study})


def _read(log: str | Path | EvalLog | Sequence[EvalLog]) -> EvalLog:
    try:
        from inspect_ai.log import EvalLog, read_eval_log
    except ImportError as fault:
        raise ModelError(
            f"logs of Inspect AI need inspect-ai ({fault.name} is missing); run: {how_to_install('harness')}"
        ) from fault
    if isinstance(log, EvalLog):
        return log
    if not isinstance(log, str | Path):
        if len(log) != 1 or not isinstance(log[0], EvalLog):
            raise ValueError(f"log: expected one log, got {len(log)}; read each, and join them by Responses.concat")
        return log[0]
    try:
        return read_eval_log(str(log))
    except Exception as fault:  # whatever a missing, cut or foreign file raises there
        raise StoreError(f"log {log} cannot be read: {type(fault).__name__}: {fault!s:.300}") from fault


def _record(sample: EvalSample) -> Mapping[str, Any]:
    missing = [name for name in (*IDENTITY, "position") if name not in sample.metadata]
    if missing:
        raise ValueError(f"log: sample {sample.id!r} lacks {', '.join(missing)} in its metadata")
    return {**sample.metadata, "repeat": sample.epoch - 1}


def _answer(sample: EvalSample, mode: str, min_mass: float) -> Answer:
    from pyvalue.harnesses.inspect_scorer import read_output

    return read_output(sample.output, str(sample.metadata["text"]), mode, min_mass)
