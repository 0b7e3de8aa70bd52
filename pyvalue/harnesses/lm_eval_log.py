"""What lm-evaluation-harness logged of the tasks of an inventory, as ``Responses``. Imports no harness."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pyvalue.errors import StoreError
from pyvalue.harnesses.answers import to_responses
from pyvalue.harnesses.read_likelihoods import read_results
from pyvalue.responses import Responses


def responses_from_lm_eval(
    results: Mapping[str, Any] | str | Path, *, model: str | None = None, edit: str = ""
) -> Responses:
    """Answers of ``value_tasks``, as ``measure`` would have given them in mode score.

    Args:
        results: what ``lm_eval.simple_evaluate`` returned, with its samples; or one ``samples_*.jsonl`` that
            ``lm_eval run --log_samples`` wrote, or the folder with them.
        model: the ``model`` column; default what the results say of it, or the name of the samples' folder.
        edit: the ``edit`` column, where the model was steered meanwhile; empty for none.

    Raises:
        StoreError: no such file, or one that cannot be read.
        ValueError: no samples of ``value_tasks``, or several runs of one task in a folder.
    """
    if isinstance(results, str | Path):
        path = Path(results).absolute()
        samples = list(_read(path))
        named = (path if path.is_dir() else path.parent).name
    else:
        if not results.get("samples"):
            raise ValueError("results: hold no samples; run simple_evaluate(..., log_samples=True)")
        samples = [sample for name in results["samples"] for sample in results["samples"][name]]
        named = _model_name(results.get("config") or {})
    rows = []
    facts: dict[str, Any] = {}
    for sample in samples:
        doc = sample.get("doc")
        if not isinstance(doc, Mapping) or "yes_forms" not in doc:
            continue  # of another task that was run beside
        facts = dict(doc["facts"])
        rows.append(({**doc, "repeat": 0}, read_results(doc, [_pair(pair) for pair in sample["filtered_resps"]])))
    if not rows:
        raise ValueError("results: hold no samples of the tasks of value_tasks or save_tasks")
    name = model or named
    study = {**facts, "model": {"name": name}, "harness": {"name": "lm_eval"}}
    try:
        return to_responses(rows, model=name, edit=edit, mode="score", facts={"study": study})
    except ValueError as fault:
        raise ValueError(f"results: {fault}") from fault


def _model_name(config: Mapping[str, Any]) -> str:
    arguments = config.get("model_args")
    if isinstance(arguments, str):
        arguments = dict(part.split("=", 1) for part in arguments.split(",") if "=" in part)
    if isinstance(arguments, Mapping) and isinstance(arguments.get("pretrained"), str):
        return str(arguments["pretrained"])
    return str(config.get("model") or "lm_eval")


def _read(path: Path) -> Iterator[Mapping[str, Any]]:
    files = sorted(path.glob("samples_*.jsonl")) if path.is_dir() else [path]
    if not files:
        raise StoreError(f"{path}: no samples_*.jsonl; run lm_eval with --log_samples and --output_path")
    tasks: dict[str, Path] = {}
    for file in files:
        task = file.stem.rpartition("_")[0]
        if task in tasks:
            raise ValueError(f"results: {tasks[task].name} and {file.name} are of one task; give one run")
        tasks[task] = file
        try:
            for line in file.read_text(encoding="utf-8").splitlines():
                if line:
                    yield json.loads(line)
        except (OSError, ValueError) as fault:
            raise StoreError(f"{file} cannot be read: {fault}") from fault


def _pair(pair: Any) -> Sequence[Any]:
    """(log-likelihood, likeliest); the harness writes it as a list of texts, or as one text."""
    found = ast.literal_eval(pair) if isinstance(pair, str) else pair
    return list(found)
