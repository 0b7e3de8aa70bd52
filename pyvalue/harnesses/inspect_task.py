"""An Inspect AI task that administers an inventory: persona x question, read by our own rules.

``inspect eval pyvalue/value_inventory --model openai/gpt-4o-mini -T personas=20`` runs it, or
``inspect_ai.eval(value_inventory(...), model=...)``. ``responses_from_inspect`` takes its logs back.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pyvalue.extras import how_to_install
from pyvalue.harnesses.questions import Question, Questions, read_inventory, read_personas
from pyvalue.measurement.design import Design
from pyvalue.measurement.generate_asking import check_design
from pyvalue.measurement.inventory import Inventory
from pyvalue.measurement.personas import Persona
from pyvalue.measurement.prompts import THOUGHT_ANSWER, YES_NO, PromptStyle
from pyvalue.measurement.remote_asking import AS_IT_IS, TOP_LOGPROBS

try:
    from inspect_ai import Epochs, Task, task
    from inspect_ai.dataset import MemoryDataset, Sample
    from inspect_ai.model import ChatMessage, ChatMessageSystem, ChatMessageUser, GenerateConfig
    from inspect_ai.solver import generate
except ImportError as fault:
    raise ImportError(
        f"the Inspect AI task needs inspect-ai ({fault.name} is missing); run: {how_to_install('harness')}"
    ) from fault

from pyvalue.harnesses.inspect_scorer import value_score

Mode = Literal["generate", "score"]
#: most tokens of a written answer, as of remote models in ``measure``: some reason before they answer
MAX_TOKENS = 256
_STYLES: dict[str, PromptStyle] = {"generate": THOUGHT_ANSWER, "score": YES_NO}


@task
def value_inventory(
    inventory: Inventory | str | Path = "portrait",
    personas: int | str | Path | Sequence[Persona] = 20,
    mode: Mode = "generate",
    values: str | Sequence[str] | None = None,
    per_value: int | None = None,
    content_free: int | None = None,
    wordings: int = 1,
    orders: str | Sequence[str] = "yes-no",
    repeats: int = 1,
    fraction: float = 1.0,
    temperature: float | None = 0.0,
    max_tokens: int = MAX_TOKENS,
    min_mass: float = 0.01,
    seed: int = 0,
) -> Task:
    """Ask every item of every persona.

    Args:
        inventory: a bundled name, the path of a CSV or TOML file, or an ``Inventory``.
        personas: a number n for ``make_personas(n, seed)``, which puts "no persona" in front; the path of a JSON file;
            or ``Persona`` objects.
        mode: ``"generate"`` lets the model write a thought and an answer, which our rules read; ``"score"`` reads
            p(yes) against p(no) from the first token's likeliest 20, where the provider offers them.
        values: ask of these only, beside the items without a value; default all.
        per_value: ask so many items of each value, drawn by ``Inventory.subset``; default all.
        content_free: so many content-free and nonsense items with ``per_value``; default all.
        wordings: asked of every item: 1 is the question itself.
        orders: of the options, of ``"yes-no"`` and ``"no-yes"``.
        repeats: times that each question is asked (Inspect's epochs); above 1 only where answers are sampled.
        fraction: share asked of all cells of the design; see ``Design``.
        temperature: of written answers; None leaves it to the provider.
        max_tokens: most tokens of a written answer, reasoning included.
        min_mass: in mode score, an answer whose P(yes) + P(no) is below it is missing.
        seed: of personas, subset, fraction, and of sampling where the provider takes one.

    Returns:
        One sample a persona and question. The scorer reports the mean score of every value, in [-1, 1], with standard
        errors clustered by persona; answers that are no answer count as unscored, never as 0.

    Raises:
        ValueError: an unknown mode, a setting out of its range, or repeats without sampling.
        TypeError: ``personas`` is something else.
    """
    if mode not in _STYLES:
        raise ValueError(f"mode: expected 'generate' or 'score', got {mode!r}")
    if mode == "score" and repeats > 1:
        raise ValueError(f"repeats: expected 1 in mode 'score', which reads probabilities, got {repeats}")
    items = read_inventory(inventory, values)
    if per_value is not None:
        items = items.subset(per_value, content_free, seed)
    several = (orders,) if isinstance(orders, str) else tuple(orders)
    design = Design(wordings, several, repeats, fraction, seed)
    if mode == "generate":
        check_design(design, THOUGHT_ANSWER, 1.0 if temperature is None else temperature)
    asked = Questions(items, read_personas(personas, seed), design, _STYLES[mode], mode)
    name = f"value_inventory_{asked.inventory.name}"
    return Task(
        dataset=MemoryDataset([_sample(question) for question in asked.all()], name=name),
        solver=generate(),
        scorer=value_score(mode, min_mass),
        config=_config(mode, temperature, max_tokens, seed),
        epochs=Epochs(repeats, "mean") if repeats > 1 else None,
        metadata={"pyvalue": asked.facts(), "min_mass": min_mass},
    )


def _config(mode: Mode, temperature: float | None, max_tokens: int, seed: int) -> GenerateConfig:
    if mode == "score":
        return GenerateConfig(temperature=AS_IT_IS, max_tokens=1, logprobs=True, top_logprobs=TOP_LOGPROBS)
    return GenerateConfig(temperature=temperature, max_tokens=max_tokens, seed=seed if temperature else None)


def _sample(question: Question) -> Sample:
    record = question.record
    messages: list[ChatMessage] = [
        (ChatMessageSystem if message["role"] == "system" else ChatMessageUser)(content=message["content"])
        for message in question.messages
    ]
    name = " | ".join(str(record[key]) for key in ("persona", "item", "wording", "order"))
    return Sample(input=messages, id=name, metadata=record)
