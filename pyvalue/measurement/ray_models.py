"""How a worker on another machine gets the model that this process has: by name. Weights and keys do not travel."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pyvalue.errors import ModelError
from pyvalue.measurement.judge import Judge, JudgePrompt
from pyvalue.models.bundled import BUNDLED
from pyvalue.models.fingerprint import fingerprints
from pyvalue.models.loading import LanguageModel, load_model
from pyvalue.models.remote import RemoteModel, load_remote
from pyvalue.models.remote_endpoint import Endpoint

_ADVICE = (
    "save it with model.network.save_pretrained(folder) and model.tokenizer.save_pretrained(folder), and load that"
)


@dataclass(frozen=True)
class LocalRecipe:
    """A local model.

    Attributes:
        name: of the model, for its answers.
        source: that ``load_model`` is given; a folder by its full path.
        dtype: of the weights.
        device: ``"cuda"`` or ``"cpu"``.
        known: fingerprints that it must have.
    """

    name: str
    source: str
    dtype: str
    device: str
    known: dict[str, str]

    def build(self) -> LanguageModel:
        """The model.

        Raises:
            ModelError: it cannot be loaded here, or is not the one that it was made of.
        """
        model = replace(load_model(self.source, dtype=self.dtype, device=self.device), name=self.name)
        found = fingerprints(model)
        if differs := sorted(what for what, digest in self.known.items() if found[what] != digest):
            raise ModelError(
                f"model {self.name!r}, as a worker loads it, is another than yours (in its {', '.join(differs)}); "
                f"{_ADVICE}"
            )
        return model


@dataclass(frozen=True)
class RemoteRecipe:
    """A remote model; each worker takes the key from its own environment."""

    name: str
    options: dict[str, Any]

    def build(self) -> RemoteModel:
        """The model.

        Raises:
            ModelError: no key here.
        """
        return load_remote(self.name, **self.options)


@dataclass(frozen=True)
class JudgeRecipe:
    """A judge."""

    model: LocalRecipe | RemoteRecipe
    prompt: JudgePrompt
    batch_size: int | None
    max_tokens: int

    def build(self) -> Judge:
        """The judge; see the recipes of models."""
        return Judge(self.model.build(), self.prompt, batch_size=self.batch_size, max_tokens=self.max_tokens)


def model_recipe(model: LanguageModel | RemoteModel, device: str, workers: int) -> LocalRecipe | RemoteRecipe:
    """How to get a model elsewhere.

    Args:
        model: that is here.
        device: kind of device that it is to run on there.
        workers: that share the requests a minute of a remote model; each has its ``concurrency`` for itself.

    Raises:
        ModelError: its name says nothing to another machine, or its key was not taken from the environment.
    """
    if isinstance(model, RemoteModel):
        return _remote_recipe(model, workers)
    folders = [Path(name) for name in (model.name, str(getattr(model.network, "name_or_path", ""))) if name]
    if model.name.lower() in BUNDLED:
        source = model.name
    elif folder := next((folder for folder in folders if folder.is_dir()), None):  # a study names it relative to itself
        source = str(folder.resolve())
    elif model.name.count("/") == 1:
        source = model.name
    else:
        raise ModelError(
            f"engine='ray': workers load a model by its name, and {model.name!r} is neither bundled, nor a folder, nor "
            f"a hub id; {_ADVICE}"
        )
    return LocalRecipe(model.name, source, str(model.dtype).removeprefix("torch."), device, fingerprints(model))


def judge_recipe(judge: Judge | LanguageModel | RemoteModel | None, device: str, workers: int) -> JudgeRecipe | None:
    """How to get a judge elsewhere; see ``model_recipe``."""
    if judge is None:
        return None
    if not isinstance(judge, Judge):
        judge = Judge(judge)
    return JudgeRecipe(model_recipe(judge.model, device, workers), judge.prompt, judge.batch_size, judge.max_tokens)


def _remote_recipe(model: RemoteModel, workers: int) -> RemoteRecipe:
    calls = model.calls
    try:
        found = Endpoint(model.base_url, None)
        same = (found.key, found.query, found.headers) == (
            calls.endpoint.key,
            calls.endpoint.query,
            calls.endpoint.headers,
        )
    except ModelError:
        same = False
    if not same:
        raise ModelError(
            f"engine='ray': keys do not travel; set OPENAI_API_KEY on every machine instead of passing api_key= (or a "
            f"user, password or query in base_url) for {model.name}"
        )
    options = {
        "base_url": model.base_url,
        "concurrency": calls.concurrency,
        "timeout": calls.timeout,
        "max_retries": calls.max_retries,
        "price": model.price,
        "requests_per_minute": calls.pace.per_minute and calls.pace.per_minute / workers,
        "extra_body": dict(calls.extra_body),
    }
    return RemoteRecipe(model.name, options)
