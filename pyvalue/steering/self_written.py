"""Text that a model writes about our questions under our personas: what its sparse autoencoder is trained on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from pyvalue.measurement.inventory import Inventory
from pyvalue.measurement.personas import Persona
from pyvalue.measurement.prompts import YES_NO, PromptStyle, render_prompt
from pyvalue.models.loading import LanguageModel

#: Half of the prompts are the questionnaire's own, half ask for reasons, which makes longer and richer answers.
EXPLAIN = PromptStyle(
    name="explain-1",
    system=YES_NO.system,
    user="{question} Explain your answer in a few sentences.",
)


def write_texts(
    model: LanguageModel,
    inventory: Inventory,
    personas: Sequence[Persona],
    *,
    seed: int = 0,
    batch_size: int = 128,
    max_new_tokens: int = 80,
    temperature: float = 0.8,
) -> Iterator[list[str]]:
    """Sample answers without end, one batch of texts (prompt and answer, template included) a step.

    Args:
        model: that writes.
        inventory: its questions are drawn uniformly.
        personas: drawn uniformly.
        seed: of the draws and of the sampling.
        batch_size: texts a step.
        max_new_tokens: longest answer, in tokens.
        temperature: of the sampling (top-p 0.95).

    Yields:
        ``batch_size`` texts; prompts and answers decoded with special tokens, padding removed.
    """
    import torch

    random = np.random.default_rng(seed)
    torch.manual_seed(seed)
    while True:
        prompts = [
            render_prompt(
                model.tokenizer,
                personas[int(random.integers(len(personas)))],
                inventory.items[int(random.integers(len(inventory.items)))].question,
                (YES_NO, EXPLAIN)[int(random.integers(2))],
            )
            for _ in range(batch_size)
        ]
        encoded = model.tokenizer(
            prompts, return_tensors="pt", padding=True, padding_side="left", add_special_tokens=False
        ).to(model.device)
        with torch.inference_mode():
            written = model.network.generate(
                **encoded, max_new_tokens=max_new_tokens, do_sample=True, temperature=temperature, top_p=0.95, top_k=0
            )
        answers = model.tokenizer.batch_decode(
            written[:, encoded["input_ids"].shape[1] :], skip_special_tokens=True
        )
        yield [prompt + answer for prompt, answer in zip(prompts, answers, strict=True)]
