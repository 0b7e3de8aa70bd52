"""lm-evaluation-harness tasks that administer an inventory: yes against no of every item under every persona.

``lm_eval.simple_evaluate(model, tasks=value_tasks("portrait", 20), apply_chat_template=True)`` runs them. Their data
are made here; nothing is downloaded. ``save_tasks`` writes them for ``lm_eval --tasks``, and ``responses_from_lm_eval``
reads what they logged.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pyvalue.extras import how_to_install
from pyvalue.harnesses.answers import score
from pyvalue.harnesses.cluster_errors import clustered_error
from pyvalue.harnesses.questions import Question, Questions, read_inventory, read_personas
from pyvalue.harnesses.read_likelihoods import read_results
from pyvalue.measurement.design import Design
from pyvalue.measurement.inventory import Inventory
from pyvalue.measurement.personas import Persona
from pyvalue.measurement.prompts import YES_NO, PromptStyle, render_prompt

try:
    from datasets import Dataset
    from lm_eval.api.instance import Instance
    from lm_eval.api.task import ConfigurableTask
except ImportError as fault:
    raise ImportError(
        f"the lm-evaluation-harness tasks need lm-eval ({fault.name} is missing); run: {how_to_install('harness')}"
    ) from fault

#: how a model may begin to write yes, and no; their probabilities are added up, as ``measure`` does
YES = ("Yes", "yes", "YES", " Yes", " yes", " YES")
NO = ("No", "no", "NO", " No", " no", " NO")


def value_tasks(
    inventory: Inventory | str | Path = "portrait",
    personas: int | str | Path | Sequence[Persona] = 20,
    *,
    values: str | Sequence[str] | None = None,
    design: Design | None = None,
    prompts: PromptStyle = YES_NO,
    tokenizer: Any = None,
    min_mass: float = 0.01,
    seed: int = 0,
) -> list[ConfigurableTask]:
    """One task a value, and one for the items without a value.

    Args:
        inventory: a bundled name, the path of a CSV or TOML file, or an ``Inventory``.
        personas: a number n for ``make_personas(n, seed)``, which puts "no persona" in front; the path of a JSON file;
            or ``Persona`` objects.
        values: ask of these only, beside the items without a value; default all.
        design: wordings and option orders; default every question once, as it stands.
        prompts: wording.
        tokenizer: of the model that will be asked. With it the prompts are rendered here, exactly as ``measure``
            renders them, and only forms of yes and no that are one token count, as there: leave ``apply_chat_template``
            off. Without it the harness renders system and user message; give ``apply_chat_template=True``.
        min_mass: an answer whose P(yes) + P(no) is below it is missing.
        seed: of the personas.

    Returns:
        Tasks named ``pyvalue_INVENTORY_VALUE``, with the metrics ``score`` (mean of keying * (2 p_yes - 1), in [-1, 1];
        of the items without a value the leaning to yes), ``p_yes`` and ``mass`` (means), and ``valid`` (share). The
        standard error of ``score`` is clustered by persona. An answer that is not valid is missing, not 0.

    Raises:
        ValueError: a design with repeats, personas of the same name, or an unknown value.
        TypeError: ``personas`` is something else.
        ModelError: ``tokenizer`` has no chat template, or no single token for yes, or for no.
    """
    return [ValueTask(name, documents) for name, documents in task_documents(
        inventory, personas, values=values, design=design, prompts=prompts, tokenizer=tokenizer, min_mass=min_mass,
        seed=seed,
    ).items()]  # fmt: skip


def task_documents(
    inventory: Inventory | str | Path,
    personas: int | str | Path | Sequence[Persona],
    *,
    values: str | Sequence[str] | None,
    design: Design | None,
    prompts: PromptStyle,
    tokenizer: Any,
    min_mass: float,
    seed: int,
) -> dict[str, list[dict[str, Any]]]:
    """Task name -> one document a persona and question, JSON-able; arguments as of ``value_tasks``."""
    design = design or Design()
    if design.repeats > 1:
        raise ValueError(
            f"design: expected one repeat, since probabilities are the same every time, got {design.repeats}"
        )
    items = read_inventory(inventory, values)
    asked = Questions(items, read_personas(personas, seed), design, prompts, "score")
    facts = {**asked.facts(), "min_mass": min_mass, "rendered": "by pyvalue" if tokenizer is not None else "by lm_eval"}
    forms = [list(YES), list(NO)] if tokenizer is None else [_one_token(tokenizer, words) for words in (YES, NO)]
    tag = f"pyvalue_{_word(items.name)}"
    groups: dict[str, list[dict[str, Any]]] = {}
    for question in asked.all():
        document = {**_document(question, forms, tokenizer), "min_mass": min_mass, "tag": tag, "facts": facts}
        groups.setdefault(question.cell.item.value or "no value", []).append(document)
    names = [f"{tag}_{_word(group)}" for group in groups]
    if len(set(names)) < len(names):
        raise ValueError(f"inventory: two values have one task name: {', '.join(names)}; rename one")
    return dict(zip(names, groups.values(), strict=True))


def _document(question: Question, forms: Sequence[Sequence[str]], tokenizer: Any) -> dict[str, Any]:
    messages = question.messages
    style, cell = question.style, question.cell
    prompt = "" if tokenizer is None else render_prompt(tokenizer, question.persona, cell.question, style, cell.order)
    return {
        **question.record,
        "system": messages[0]["content"] if len(messages) > 1 else "",
        "user": messages[-1]["content"],
        "prompt": prompt,
        "forms": [*forms[0], *forms[1]],
        "yes_forms": len(forms[0]),
    }


class ValueTask(ConfigurableTask):  # type: ignore[misc]  # the harness has no types
    """A task over documents of ``task_documents``.

    Args:
        name: of the task.
        documents: what it asks.
    """

    VERSION = 1

    def __init__(self, name: str, documents: Sequence[Mapping[str, Any]]) -> None:
        self._rows = Dataset.from_list([dict(document) for document in documents])
        super().__init__(
            config={
                "task": name,
                "test_split": "test",
                "output_type": "multiple_choice",
                "description": "system",
                "doc_to_text": "user",
                "doc_to_choice": "forms",
                "doc_to_target": 0,
                "target_delimiter": "",
                "num_fewshot": 0,
                "metric_list": [
                    {"metric": metric, "aggregation": aggregate, "higher_is_better": True}
                    for metric, aggregate in _AGGREGATES.items()
                ],
                "process_results": process_results,
                "metadata": {"version": self.VERSION},
            }
        )

    def download(self, dataset_kwargs: Mapping[str, Any] | None = None, **kwargs: Any) -> None:
        """Nothing is downloaded: the documents are here."""
        self.dataset = {"test": self._rows}

    def fewshot_context(self, doc: Mapping[str, Any], *args: Any, **kwargs: Any) -> str:
        """The prompt; in it the persona, also where the chat template knows no system role."""
        if doc["prompt"]:
            if kwargs.get("apply_chat_template"):
                raise ValueError(
                    "apply_chat_template: expected False, since the prompts of value_tasks(tokenizer=...) are rendered "
                    "already; leave it off, or leave tokenizer out"
                )
            return str(doc["prompt"])
        text = str(super().fewshot_context(doc, *args, **kwargs))
        system, render = doc["system"], kwargs.get("chat_template")
        if system and system not in text and kwargs.get("apply_chat_template") and render is not None:
            text = str(render([{"role": "user", "content": f"{system}\n\n{doc['user']}"}]))
        return text

    def construct_requests(self, doc: Mapping[str, Any], ctx: str, **kwargs: Any) -> list[Instance]:
        """One request a form of yes and no."""
        found = list(super().construct_requests(doc, ctx, **kwargs))
        # The harness counts spaces that end a context to what follows it; their probability is no answer's.
        if (bare := ctx.rstrip()) != ctx and found:
            arguments = {key: kwargs[key] for key in ("metadata",) if key in kwargs}
            spaces = Instance("loglikelihood", doc, (bare, ctx[len(bare) :]), len(found), **arguments)
            found.append(spaces)
        return found


def process_results(doc: Mapping[str, Any], results: Sequence[Any]) -> dict[str, Any]:
    """Metrics of one answer."""
    answer = read_results(doc, results)
    found: dict[str, Any] = {"mass": answer.mass, "valid": float(not math.isnan(answer.p_yes))}
    if not math.isnan(answer.p_yes):
        number = score(doc["keying"] or 1, answer)
        pair = (number, doc["persona"])
        found |= {"score": pair, "score_stderr": pair, "p_yes": answer.p_yes}
    return found


def _mean_of_pairs(pairs: Sequence[tuple[float, str]]) -> float:
    return sum(number for number, _ in pairs) / len(pairs)


def _error_of_pairs(pairs: Sequence[tuple[float, str]]) -> float:
    return clustered_error([number for number, _ in pairs], [persona for _, persona in pairs])


def _mean(numbers: Sequence[float]) -> float:
    return sum(numbers) / len(numbers)


# The harness has a standard error for few aggregates and writes "N/A" for others under the name METRIC_stderr, before
# it comes to the next metric. One of that name takes its place, so that the column Stderr is clustered by persona.
_AGGREGATES: dict[str, Callable[[Any], float]] = {
    "score": _mean_of_pairs,
    "score_stderr": _error_of_pairs,
    "p_yes": _mean,
    "mass": _mean,
    "valid": _mean,
}


def _one_token(tokenizer: Any, words: Sequence[str]) -> list[str]:
    """The forms that are one token, of which none comes twice."""
    from pyvalue.measurement.answer_logits import form_ids

    form_ids(tokenizer, [word for word in words if not word.startswith(" ")])  # raises where there is none
    found: dict[int, str] = {}
    for word in words:
        ids = tokenizer.encode(word, add_special_tokens=False)
        if len(ids) == 1:
            found.setdefault(ids[0], word)
    return list(found.values())


def _word(text: str) -> str:
    return re.sub(r"\W+", "_", text.lower()).strip("_")
