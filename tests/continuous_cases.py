"""Prompts and edits for continuous batching, and the oracle: each prompt alone. Shared by its tests."""

from __future__ import annotations

import functools
import gc

import torch
import transformers

from pyvalue.models.edits import Edit, indices, span
from pyvalue.models.hook import ResidualEdits
from pyvalue.models.loading import LanguageModel
from pyvalue.models.sae import SAE
from pyvalue.models.sae_config import SAEConfig

# transformers collects garbage three times a call, over all that torch has ever made; this leaves that alone.
gc.collect()
gc.freeze()

D, NEW = 64, 11
LONG = "<|im_start|>user\nShould I always follow the rules, even when nobody is watching?<|im_end|>\n"
PROMPTS = (
    "<|im_start|>You are a woman from Norway",
    "Is it a mistake to spend an evening on pleasure alone?",
    LONG,
    "Yes",
    "<|im_start|>user\nShould I help a neighbour who asks for it?<|im_end|>\n<|im_start|>assistant\n",
    LONG + "Answer as honestly as you can",
)


def make_sae(hook: str = "blocks.1.hook_resid_post", seed: int = 3) -> SAE:
    g = torch.Generator().manual_seed(seed)
    weights = [torch.randn(*shape, generator=g) for shape in [(D, 63), (63,), (63, D), (D,)]]
    return SAE(SAEConfig("standard", D, 63, hook), *weights)


EARLY, LATE = make_sae(), make_sae("blocks.3.hook_resid_pre", seed=4)
ROWS = (
    [],
    [Edit(feature=3, op="set", strength=20, positions=span("mistake"), sae=EARLY)],
    [Edit(feature=5, strength=9, positions="prompt", sae=EARLY), Edit(feature=60, op="ablate", sae=LATE)],
    [Edit(feature=7, strength=0.7, unit="relative", sae=LATE, positions="generated")],
    [],
    [Edit(feature=9, op="scale", strength=3, positions=indices(-1, 4), sae=EARLY)],
)


def config(**options):
    found = transformers.ContinuousBatchingConfig(**{"num_blocks": 200, "max_batch_tokens": 64, **options})
    # Tokens of a block, under the names of transformers 5.23 and 5.17.
    setattr(found, "page_size" if hasattr(found, "page_size") else "block_size", 4)
    return found


def alone(model: LanguageModel, prompt: str, row, new: int = NEW, **options) -> list[int]:
    """The oracle: transformers' ``generate`` of one prompt, steered by its own edits or not at all."""
    encoded = model.tokenizer(prompt, return_tensors="pt", add_special_tokens=False)
    length = encoded["input_ids"].shape[1]

    def run():
        return model.network.generate(
            input_ids=encoded["input_ids"], attention_mask=encoded["attention_mask"], max_new_tokens=new,
            do_sample=False, **options,
        )[0, length:].tolist()  # fmt: skip

    if not row:
        return run()
    with ResidualEdits(model.network, [row], model.tokenizer):
        return run()


def place_of(model, prompt: str, word: str) -> tuple[int, int]:
    """(first token of a word, number of its tokens), from the tokenizer's offsets."""
    begin = prompt.index(word)
    offsets = model.tokenizer(prompt, return_offsets_mapping=True, add_special_tokens=False)["offset_mapping"]
    inside = [i for i, (start, end) in enumerate(offsets) if start < begin + len(word) and end > begin]
    return inside[0], len(inside)


def tokens(found) -> list[list[int]]:
    return [list(continuation.token_ids) for continuation in found]


_known: dict[tuple, list[int]] = {}


def expected(model, prompts=PROMPTS, rows=ROWS, new: int = NEW) -> list[list[int]]:
    """What each prompt gives alone, worked out once."""
    found = []
    for prompt, row in zip(prompts, rows, strict=True):
        key = (model.name, prompt, tuple(row), new)
        if key not in _known:
            _known[key] = alone(model, prompt, row, new)
        found.append(_known[key])
    return found


class Spy:
    """Counts what transformers does inside, without changing it."""

    def __init__(self, monkeypatch, owner, name: str) -> None:
        self.results: list = []
        inner = getattr(owner, name)

        @functools.wraps(inner)
        def spy(*args, **kwargs):
            self.results.append(inner(*args, **kwargs))
            return self.results[-1]

        monkeypatch.setattr(owner, name, spy)


OF_ALL = [Edit(feature=3, strength=20, positions="prompt", sae=EARLY)]
AT_END = [Edit(feature=3, strength=40, positions=span("watching"), sae=EARLY)]
