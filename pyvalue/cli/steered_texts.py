"""Replies of a model to prompts, with edits and without, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyvalue.cli.printing import say, say_json

if TYPE_CHECKING:
    from pyvalue.models.edits import Edit


@dataclass(frozen=True)
class TextPair:
    """A prompt and what the model replied, without edits and under them."""

    prompt: str
    unsteered: str
    steered: str


def read_prompts(typed: Sequence[str] | None, file: Path | None) -> list[str]:
    """Those that were typed, then the lines of the file that are not empty.

    Raises:
        ValueError: a prompt is empty, or the file cannot be read as text or has no lines.
    """
    found = list(typed or ())
    if not all(one.strip() for one in found):
        raise ValueError("prompt: expected a text, got an empty one")
    if file is not None:
        try:
            lines = [line.strip() for line in file.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
        except UnicodeDecodeError as fault:
            raise ValueError(f"prompts: {file} is no text in UTF-8 ({fault})") from fault
        if not lines:
            raise ValueError(f"prompts: {file} is empty; expected one prompt a line")
        found += lines
    return found


def write_texts(
    model: Any, prompts: Sequence[str], edits: Sequence[Edit], max_new_tokens: int, temperature: float, seed: int
) -> list[TextPair]:
    """The model's replies in its chat format, in one batch that both kinds share.

    Args:
        model: a ``LanguageModel``.
        prompts: what a user says.
        edits: made together in the steered half.
        max_new_tokens: of each reply.
        temperature: 0 takes the likeliest token.
        seed: of sampling.
    """
    from pyvalue.errors import ModelError
    from pyvalue.models.loading import LanguageModel

    if not isinstance(model, LanguageModel):
        raise ModelError(f"model: {model.name} runs on a server, where its residual stream is out of reach")
    if model.tokenizer.chat_template is None:
        raise ModelError(f"model: {model.name} has no chat template, so it cannot be talked to")
    turns = [[{"role": "user", "content": prompt}] for prompt in prompts]
    asked = [model.tokenizer.apply_chat_template(one, tokenize=False, add_generation_prompt=True) for one in turns]
    sampling = {"do_sample": True, "temperature": temperature, "seed": seed} if temperature else {}
    none: list[Edit] = []
    rows = [none] * len(asked) + [list(edits)] * len(asked)
    replies = model.generate_batch(asked * 2, rows, max_new_tokens=max_new_tokens, **sampling)
    texts = [reply.text.strip() for reply in replies]
    return [TextPair(*three) for three in zip(prompts, texts, texts[len(asked) :], strict=False)]


def tell_texts(pairs: Sequence[TextPair], json: bool) -> None:
    """Print them, or one JSON list."""
    if json:
        say_json([asdict(pair) for pair in pairs])
        return
    for pair in pairs:
        say(f"prompt     {pair.prompt}\nunsteered  {_indented(pair.unsteered)}\nsteered    {_indented(pair.steered)}\n")


def _indented(text: str) -> str:
    return text.replace("\n", "\n" + " " * 11)
