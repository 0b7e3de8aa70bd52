"""One whole run of ``pyvalue sae train``: texts, written or given, then the training. Resumes where it was stopped."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from pyvalue.measurement.inventory import Inventory
from pyvalue.measurement.personas import Persona
from pyvalue.measurement.progress import progress_bar
from pyvalue.models.loading import LanguageModel
from pyvalue.steering.sae_quality import SAEQuality
from pyvalue.steering.sae_training import SAETraining, check_training, train_sae
from pyvalue.steering.self_written import write_texts
from pyvalue.steering.text_files import keep_texts, read_texts


def train_sae_on_own_texts(
    model: LanguageModel,
    inventory: Inventory,
    personas: Sequence[Persona],
    folder: str | Path,
    settings: SAETraining,
    *,
    count: int = 4096,
    work: str | Path | None = None,
    batch_size: int = 64,
    max_new_tokens: int = 160,
    show: bool | None = None,
) -> SAEQuality:
    """Let the model write texts, then train on them.

    Every batch of texts is in ``work/texts.jsonl`` before the next is begun. A run that was stopped goes on from there
    when it is called again with the same arguments. The texts are removed once the SAE is written, and only then; so is
    the work folder, unless it holds something else.

    Args:
        model: that writes, and whose residual stream is encoded.
        inventory: its questions are asked.
        personas: that answer.
        folder: for the SAE; must not exist, or be empty.
        settings: of the training; its seed is that of the texts, too.
        count: texts to be written, at least 100.
        work: folder for the texts; default ``folder`` with ``.work`` added to its name.
        batch_size: texts written at once; what a kill can lose.
        max_new_tokens: longest answer.
        show: progress bars with the time left; by default only on a terminal.

    Returns:
        Quality on held-out texts.

    Raises:
        ModelError: sae-lens is not installed, or the activations do not fit half precision.
        ValueError: a bad argument (named), or ``work`` was begun with other arguments.
    """
    folder = Path(folder)
    check_training(model, folder, settings)
    if count < 100:
        raise ValueError(f"texts: expected at least 100, got {count}")
    work = Path(work) if work is not None else folder.with_name(f"{folder.name}.work")
    work.mkdir(parents=True, exist_ok=True)

    def write(start: int) -> Iterator[list[str]]:
        return write_texts(
            model,
            inventory,
            personas,
            seed=settings.seed,
            start=start,
            batch_size=batch_size,
            max_new_tokens=max_new_tokens,
        )

    origin = {
        "model": model.name,
        "questions": _digest([item.question for item in inventory.items]),
        "personas": _digest([persona.text for persona in personas]),
        "seed": settings.seed,
        "max_new_tokens": max_new_tokens,
    }
    with progress_bar("writing texts", count, show) as advance:
        texts = keep_texts(work / "texts.jsonl", count, batch_size, write, origin, advance)
    quality = train_sae(model, texts, folder, settings, show=show)
    for name in ("texts.jsonl", "texts.json"):
        (work / name).unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # somebody keeps other files there
        work.rmdir()
    return quality


def train_sae_on_file(
    model: LanguageModel, file: str | Path, folder: str | Path, settings: SAETraining, *, show: bool | None = None
) -> SAEQuality:
    """Train on a user's texts: plain text, one a line, or JSONL with ``"text"``.

    Texts are taken as they are, template and all; where the model begins every text with a token of its own (BOS), a
    text that lacks it gets it.

    Raises:
        ModelError, ValueError: as ``read_texts`` and ``train_sae``.
    """
    check_training(model, Path(folder), settings)
    begin = _beginning(model)
    texts = [text if text.startswith(begin) else begin + text for text in read_texts(file)]
    return train_sae(model, texts, folder, settings, show=show)


def _digest(texts: Sequence[str]) -> str:
    """Tells one list of texts from another."""
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()[:12]


def _beginning(model: LanguageModel) -> str:
    """What the tokenizer itself puts in front of a text, as a string; empty where it puts nothing there."""
    first = model.tokenizer("a")["input_ids"][:1]
    return str(model.tokenizer.bos_token) if first == [model.tokenizer.bos_token_id] else ""
