"""``pyvalue sae train``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pyvalue.cli import completion, options
from pyvalue.cli.printing import say, say_json


def sae_train(
    folder: Annotated[Path, typer.Argument(help="Where the SAE goes, in sae-lens' native format; new or empty.")],
    model: Annotated[
        str,
        typer.Option(
            help="Bundled name, local folder, or Hugging Face id; a GPU is used where there is one.",
            autocompletion=completion.among(completion.MODELS[:1]),
        ),
    ] = "smollm2-135m-instruct",
    layer: Annotated[int, typer.Option(help="Decoder layer whose output is encoded, from 0.")] = 15,
    texts: Annotated[int, typer.Option(help="Texts that the model writes for training, at least 100.")] = 4096,
    texts_from: Annotated[
        Path | None, typer.Option(help="Train on this file instead: one text a line, or JSONL with a text in each.")
    ] = None,
    features: Annotated[int, typer.Option(help="Dictionary size.")] = 4096,
    active: Annotated[int, typer.Option(help="Mean number of active features a token.")] = 32,
    tokens: Annotated[int, typer.Option(help="Token activations seen, repeats included.")] = 4_000_000,
    batch: Annotated[int, typer.Option(help="Tokens a training step.")] = 1024,
    seed: Annotated[int, typer.Option(help="Of text, split, initialisation and shuffling.")] = 0,
    work: Annotated[
        Path | None,
        typer.Option(help="Texts are kept here as they are written; FOLDER.work by default, removed on success only."),
    ] = None,
    json: options.Json = False,
) -> None:
    """Train a sparse autoencoder on text that the model writes about our questions and about everyday things.

    A run that was stopped goes on when it is repeated with the same arguments: the texts written so far are in the
    work folder (FOLDER.work, or --work), which is removed only once the SAE is written. FOLDER appears whole, or not
    at all. Prints the quality on held-out text: variance explained, L0, dead features, share of the loss recovered.
    """
    from dataclasses import asdict

    import pyvalue as pv
    from pyvalue.errors import ModelError
    from pyvalue.extras import how_to_install

    try:
        from pyvalue.steering.sae_run import train_sae_on_file, train_sae_on_own_texts
        from pyvalue.steering.sae_training import SAETraining
    except ImportError as fault:
        how = how_to_install("lm,sae")
        raise ModelError(f"training an SAE needs torch and sae-lens ({fault.name} is missing); run: {how}") from fault

    settings = SAETraining(layer=layer, features=features, active=active, tokens=tokens, batch=batch, seed=seed)
    speaker = pv.load_model(model)
    if texts_from is not None:
        quality = train_sae_on_file(speaker, texts_from, folder, settings)
    else:
        personas = pv.make_personas(1000, seed=seed + 1)
        inventory = pv.load_inventory()
        quality = train_sae_on_own_texts(speaker, inventory, personas, folder, settings, count=texts, work=work)
    if json:
        say_json({"folder": str(folder), **asdict(quality)})
        return
    for name, figure in asdict(quality).items():
        say(f"{name:20} {figure:.4f}" if isinstance(figure, float) else f"{name:20} {figure}")
