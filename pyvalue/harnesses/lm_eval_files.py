"""Write the lm-evaluation-harness tasks of an inventory into a folder, for ``lm_eval --include_path``."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pyvalue.atomic_files import replace_file
from pyvalue.errors import StoreError
from pyvalue.harnesses.lm_eval_task import ValueTask, task_documents
from pyvalue.measurement.design import Design
from pyvalue.measurement.inventory import Inventory
from pyvalue.measurement.personas import Persona
from pyvalue.measurement.prompts import YES_NO, PromptStyle

_YAML = "# made by pyvalue.harnesses.save_tasks\ntask: {name}\ntag: {tag}\nclass: !function {name}.task\n"
_PYTHON = '''"""Task {name}: its questions are in the file beside this one."""

from pathlib import Path

from pyvalue.harnesses.lm_eval_files import saved_task

task = saved_task(Path(__file__).with_suffix(".jsonl"))
'''


def save_tasks(
    folder: str | Path,
    inventory: Inventory | str | Path = "portrait",
    personas: int | str | Path | Sequence[Persona] = 20,
    *,
    values: str | Sequence[str] | None = None,
    design: Design | None = None,
    prompts: PromptStyle = YES_NO,
    tokenizer: Any = None,
    min_mass: float = 0.01,
    seed: int = 0,
) -> str:
    """Write three small files a task; the folder can be moved, and needs pyvalue where it is used.

    Then ``lm_eval run --include_path FOLDER --tasks pyvalue_portrait --apply_chat_template ...``; a single value is
    ``--tasks pyvalue_portrait_power``.

    Args:
        folder: made where it is missing.
        inventory, personas, values, design, prompts, tokenizer, min_mass, seed: as of ``value_tasks``.

    Returns:
        The name that stands for all of the tasks.

    Raises:
        StoreError: the folder cannot be written.
        ValueError, TypeError, ModelError: as ``value_tasks``.
    """
    tasks = task_documents(
        inventory, personas, values=values, design=design, prompts=prompts, tokenizer=tokenizer, min_mass=min_mass,
        seed=seed,
    )  # fmt: skip
    tag = next(iter(tasks.values()))[0]["tag"]
    place = Path(folder)
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as fault:
        raise StoreError(f"folder {place} cannot be made: {fault.strerror}") from fault
    for name, documents in tasks.items():
        lines = "".join(json.dumps(document, ensure_ascii=False) + "\n" for document in documents)
        _write(place / f"{name}.jsonl", lines)
        _write(place / f"{name}.py", _PYTHON.format(name=name))
        _write(place / f"{name}.yaml", _YAML.format(name=name, tag=tag))
    return str(tag)


def saved_task(path: Path) -> Callable[[], ValueTask]:
    """What makes a task out of the file of its questions, as the harness calls it; for the files of ``save_tasks``.

    Raises:
        StoreError: when it is called, if the file cannot be read.
    """

    def task() -> ValueTask:
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
            documents = [json.loads(line) for line in lines if line]
        except (OSError, ValueError) as fault:
            raise StoreError(f"questions {path} cannot be read: {fault}; write them again with save_tasks") from fault
        return ValueTask(path.stem, documents)

    return task


def _write(path: Path, text: str) -> None:
    replace_file(path, lambda scratch: scratch.write_text(text, encoding="utf-8"))
