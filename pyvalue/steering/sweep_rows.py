"""What a sweep asks, checked and spelled out: prompts, configurations of edits, and one row a text. Runs nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from pyvalue.errors import ModelError
from pyvalue.models.edits import Edit
from pyvalue.models.loading import LanguageModel
from pyvalue.models.positions import Indices, Span, special_tokens, token_positions
from pyvalue.models.row_seed import row_seed
from pyvalue.steering.controls import control_configurations

Chat: TypeAlias = Sequence[Mapping[str, Any]]
Prompts: TypeAlias = Sequence[str | Chat] | Mapping[str, str | Chat]
Configurations: TypeAlias = Sequence[Edit | Sequence[Edit]] | Mapping[str, Edit | Sequence[Edit]]


@dataclass(frozen=True)
class Prompt:
    """A prompt as the model reads it.

    Attributes:
        id: its name in the table.
        text: rendered, with special tokens written out.
        ids: token ids.
    """

    id: str
    text: str = field(repr=False)
    ids: tuple[int, ...] = field(repr=False)


@dataclass(frozen=True)
class Configuration:
    """Edits that are made together.

    Attributes:
        label: its name in the table; empty for no edit.
        edits: none for no edit.
        control_of: label of the configuration that it controls for, else empty.
    """

    label: str
    edits: tuple[Edit, ...] = ()
    control_of: str = ""

    @property
    def control(self) -> bool:
        """Whether it is there for comparison: no edit, or a random feature."""
        return not self.edits or bool(self.control_of)


@dataclass(frozen=True)
class Row:
    """One text to be written; ``number`` is its place in the table."""

    number: int
    prompt: Prompt
    configuration: Configuration
    repeat: int
    seed: int


def read_prompts(model: LanguageModel, prompts: Prompts) -> list[Prompt]:
    """Render and tokenise prompts. In a sequence every prompt's rendered text is its id.

    Raises:
        TypeError: neither a sequence nor a mapping, or one of them neither a text nor a chat.
        ValueError: none, one without tokens, or ids that are not unique.
        ModelError: a chat for a tokenizer without chat template.
    """
    if isinstance(prompts, str) or not isinstance(prompts, Sequence | Mapping):
        raise TypeError(
            "prompts must be a sequence of texts, or a mapping from ids to texts or chats, got "
            f"{type(prompts).__name__}; write [text]."
        )
    if not prompts:
        raise ValueError("prompts must hold at least one prompt, got none.")
    entries = list(prompts.items()) if isinstance(prompts, Mapping) else list(enumerate(prompts))
    found: dict[str, Prompt] = {}
    for key, entry in entries:
        if isinstance(prompts, Mapping) and not isinstance(key, str):
            raise TypeError(f"prompts must have texts as ids, got {type(key).__name__} {key!r}; write {str(key)!r}.")
        text = _render(model, key, entry)
        name = key if isinstance(key, str) else text
        if name in found:
            raise ValueError(
                f"prompts must differ, but entry {key} is {_short(text)} once more; use repeats= for more texts of one "
                "prompt, or a mapping that names them."
            )
        ids = model.tokenizer(text, add_special_tokens=False)["input_ids"]
        if not ids:
            raise ValueError(f"prompts must have at least one token each, but {key!r} has none; add some text.")
        found[name] = Prompt(name, text, tuple(ids))
    return list(found.values())


def read_configurations(edits: Configurations, controls: int, seed: int) -> list[Configuration]:
    """No edit first, then every configuration as given, each followed by its random controls.

    Raises:
        TypeError: not edits, or not in sequences.
        ValueError: two configurations of the same label, one without edits, or too few features for the controls.
    """
    if isinstance(edits, Edit):
        raise TypeError("edits must be a sequence of configurations, got one Edit; write [edit].")
    if isinstance(edits, str) or not isinstance(edits, Sequence | Mapping):
        raise TypeError(
            "edits must be a sequence of edits (or of sequences of edits made together), or a mapping from names to "
            f"those, got {type(edits).__name__}."
        )
    named = isinstance(edits, Mapping)
    entries = list(edits.items()) if isinstance(edits, Mapping) else list(enumerate(edits))
    found = [Configuration("")]
    for key, entry in entries:
        made = (entry,) if isinstance(entry, Edit) else entry
        if not isinstance(made, Sequence) or not all(isinstance(edit, Edit) for edit in made):
            raise TypeError(f"edits must hold edits or sequences of edits, but entry {key!r} is {entry!r:.80}.")
        if not made:
            raise ValueError(f"edits: entry {key!r} holds no edit; leave it out, no edit is always run.")
        if named and (not isinstance(key, str) or not key):
            raise ValueError(f"edits must have non-empty texts as names (the empty one is no edit), got {key!r}.")
        label = str(key) if named else " + ".join(edit.label for edit in made)
        found.append(Configuration(label, tuple(made)))
        if controls:
            found += _controls(found[-1], controls, seed)
    labels = [configuration.label for configuration in found]
    for i, label in enumerate(labels):
        if label in labels[:i]:
            raise ValueError(
                f"edits must have different labels, but {label!r} occurs twice; drop one, or name them: "
                'Edit(..., name="...") or a mapping {name: edit}.'
            )
    return found


def make_rows(prompts: Sequence[Prompt], configurations: Sequence[Configuration], repeats: int, seed: int) -> list[Row]:
    """One row a text: by configuration, then prompt, then repeat."""
    asked = ((c, p, repeat) for c in configurations for p in prompts for repeat in range(repeats))
    return [Row(i, p, c, repeat, row_seed(seed, p.id, c.label, repeat)) for i, (c, p, repeat) in enumerate(asked)]


def check_fit(
    model: LanguageModel, prompts: Sequence[Prompt], configurations: Sequence[Configuration], new_tokens: int
) -> None:
    """Make sure, before anything is run, that the edits fit the model and their positions the prompts.

    Raises:
        ModelError: an SAE or direction is not of this model, or cannot do what the edit asks.
        ValueError: a span or index that is not in a prompt, a prompt that is too long, or edits of generated tokens
            where none is read.
    """
    from pyvalue.models.hook import ResidualEdits

    edits = {edit: None for configuration in configurations for edit in configuration.edits}
    # What can go wrong is a matter of SAE and operation: one edit of each kind, not a table of thousands.
    kinds = {(edit.sae or edit.direction, edit.op): edit for edit in edits}
    ResidualEdits(model.network, list(kinds.values()), model.tokenizer)
    if new_tokens == 1 and (idle := [edit.label for edit in edits if edit.positions == "generated"]):
        raise ValueError(
            f"max_new_tokens is 1, but the model never reads the last token that it writes, so that {idle[0]!r} "
            "changes nothing; ask for at least 2."
        )
    placed = {edit.positions: edit for edit in edits if not isinstance(edit.positions, str)}
    room = getattr(model.network.config.get_text_config(), "max_position_embeddings", None)
    for prompt in prompts:
        if room and len(prompt.ids) + new_tokens > room:
            raise ValueError(
                f"prompts: {_short(prompt.id)} has {len(prompt.ids)} tokens, which leaves no room for {new_tokens} "
                f"more in the model's {room}; shorten it, or lower max_new_tokens."
            )
        _check_places(model.tokenizer, prompt, placed)


def _controls(configuration: Configuration, controls: int, seed: int) -> Iterator[Configuration]:
    try:
        drawn = control_configurations(configuration.edits, controls, seed)
    except ValueError as error:
        raise ValueError(f"controls={controls} is not possible for {configuration.label!r}: {error}") from None
    for number, made in enumerate(drawn, start=1):
        new = [edit for edit, own in zip(made, configuration.edits, strict=True) if edit is not own]
        what = dict.fromkeys("random direction" if e.feature is None else f"f{e.feature}" for e in new)
        label = f"control {number} of {configuration.label} ({', '.join(what)})"
        yield Configuration(label, made, configuration.label)


def _render(model: LanguageModel, key: Any, entry: Any) -> str:
    if isinstance(entry, str):
        return entry
    if not isinstance(entry, Sequence) or not entry or not all(isinstance(m, Mapping) for m in entry):
        raise TypeError(
            f"prompts must be texts or chats (lists of messages such as {{'role': 'user', 'content': '...'}}), but "
            f"entry {key!r} is {type(entry).__name__} {entry!r:.80}."
        )
    if not getattr(model.tokenizer, "chat_template", None):
        raise ModelError(
            f"prompts: entry {key!r} is a chat, but the model's tokenizer has no chat template; give rendered texts."
        )
    from jinja2 import TemplateError

    try:
        return str(model.tokenizer.apply_chat_template(list(entry), tokenize=False, add_generation_prompt=True))
    except (TemplateError, KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"prompts: the chat template does not take entry {key!r} ({error}); give a rendered text instead."
        ) from error


def _check_places(tokenizer: Any, prompt: Prompt, placed: Mapping[Span | Indices, Edit]) -> None:
    if not placed:
        return
    import torch

    encoded = tokenizer(prompt.text, add_special_tokens=False, return_offsets_mapping=True)
    special = special_tokens(torch.tensor(encoded["input_ids"]), tokenizer)
    for positions, edit in placed.items():
        try:
            token_positions(prompt.text, encoded["offset_mapping"], special, positions)
        except ValueError as error:
            raise ValueError(f"edits: {edit.label!r} does not fit the prompt {_short(prompt.id)}: {error}") from None


def _short(text: str) -> str:
    return repr(text if len(text) <= 60 else f"{text[:57]}...")
