"""Text that a model writes itself, of which its sparse autoencoder is trained. Trains nothing and keeps no files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from pyvalue.measurement.inventory import Inventory
from pyvalue.measurement.personas import Persona
from pyvalue.measurement.prompts import render_prompt
from pyvalue.models.loading import LanguageModel
from pyvalue.steering.writing_tasks import EVERYDAY_SUBJECTS, WRITING_TASKS, WritingTask


def write_texts(
    model: LanguageModel,
    inventory: Inventory,
    personas: Sequence[Persona],
    *,
    seed: int = 0,
    start: int = 0,
    batch_size: int = 64,
    max_new_tokens: int = 160,
    temperature: float = 0.8,
) -> Iterator[list[str]]:
    """Sample answers without end, one batch of texts (prompt and answer, template included) a step.

    Every batch has a seed of its own, so that a later call can go on where an earlier one stopped.

    Args:
        model: that writes.
        inventory: its questions are drawn uniformly for the tasks that ask one.
        personas: drawn uniformly.
        seed: of the draws and of the sampling.
        start: number of the first batch; those before it were written earlier.
        batch_size: texts a step.
        max_new_tokens: longest answer, in tokens; tasks that call for short answers stop earlier.
        temperature: of the sampling (top-p 0.95).

    Yields:
        ``batch_size`` texts of one task; prompts and answers decoded, special tokens of the answer and padding removed.
    """
    import torch

    turns = _turns()
    number = start
    while True:
        # One task a batch: answers of like length leave no row waiting for another.
        task = turns[number % len(turns)]
        random = np.random.default_rng([seed, number])
        prompts = [_prompt(model, inventory, personas, task, random) for _ in range(batch_size)]
        encoded = model.tokenizer(
            prompts, return_tensors="pt", padding=True, padding_side="left", add_special_tokens=False
        ).to(model.device)
        torch.manual_seed(int(random.integers(2**62)))
        with torch.inference_mode():
            written = model.network.generate(
                **encoded,
                max_new_tokens=min(max_new_tokens, task.length),
                do_sample=True,
                temperature=temperature,
                top_p=0.95,
                top_k=0,
            )
        answers = model.tokenizer.batch_decode(written[:, encoded["input_ids"].shape[1] :], skip_special_tokens=True)
        yield [prompt + answer for prompt, answer in zip(prompts, answers, strict=True)]
        number += 1


def _turns() -> tuple[WritingTask, ...]:
    """The order of tasks: spread out, so that a short run sees all of them early."""
    longest = max(task.share for task in WRITING_TASKS)
    return tuple(task for turn in range(longest) for task in WRITING_TASKS if task.share > turn)


def _prompt(
    model: LanguageModel,
    inventory: Inventory,
    personas: Sequence[Persona],
    task: WritingTask,
    random: np.random.Generator,
) -> str:
    persona = personas[int(random.integers(len(personas)))]
    subjects = EVERYDAY_SUBJECTS if task.everyday else [item.question for item in inventory.items]
    return render_prompt(model.tokenizer, persona, subjects[int(random.integers(len(subjects)))], task.style)
