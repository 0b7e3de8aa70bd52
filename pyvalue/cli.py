"""The command line. Every command is a thin call of the public API; faults end in one line, not in a traceback."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, ParamSpec

import typer

from pyvalue.errors import PyvalueError

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="What a language model values, and what moves together.",
)
sae_app = typer.Typer(no_args_is_help=True, help="Sparse autoencoders.")
app.add_typer(sae_app, name="sae")

P = ParamSpec("P")


def one_line_faults(command: Callable[P, None]) -> Callable[P, None]:
    """End a command that fails, or that Ctrl-C stops, with one line on standard error and a non-zero exit code."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            command(*args, **kwargs)
        except KeyboardInterrupt:
            typer.echo("\npyvalue: interrupted; a run folder keeps what is finished, run again to go on", err=True)
            raise typer.Exit(130) from None
        except (PyvalueError, ValueError, TypeError, OSError, ImportError) as fault:
            typer.echo(f"pyvalue: {' '.join(str(fault).split())}", err=True)
            raise typer.Exit(1) from None

    return run


@app.command()
@one_line_faults
def demo(
    folder: Annotated[Path, typer.Option(help="Run folder; the same command on it resumes.")] = Path("demo-run"),
    personas: Annotated[int, typer.Option(help="Personas measured; the first 26 again under the edit.")] = 44,
    seed: Annotated[int, typer.Option(help="Of personas, bootstrap and intervals.")] = 0,
) -> None:
    """Measure the bundled model, discover its value graph, steer it, check the prediction, write a report."""
    from pyvalue.demo import run_demo

    run_demo(folder, personas, seed)


@app.command()
@one_line_faults
def discover(
    responses: Annotated[Path, typer.Argument(help="CSV or Parquet file: one row an observation, one column a value.")],
    test: Annotated[str, typer.Option(help="auto, fisherz, spearman, polychoric, chisq, ...")] = "auto",
    alpha: Annotated[float, typer.Option(help="Significance level of the independence tests.")] = 0.05,
    bootstrap: Annotated[int, typer.Option(help="Replicates, for edge strengths.")] = 0,
    scheme: Annotated[
        str | None, typer.Option(help="bootstrap, m-of-n, subsample, complementary-pairs or naive.")
    ] = None,
    cluster: Annotated[
        list[str] | None, typer.Option(help="Column that names what rows share, such as a persona; twice for two.")
    ] = None,
    drop: Annotated[list[str] | None, typer.Option(help="Column to leave out; may be repeated.")] = None,
    backend: Annotated[str, typer.Option(help="fast or causal-learn.")] = "fast",
    replicate_size: Annotated[int | None, typer.Option(help="Rows, or clusters, a replicate draws.")] = None,
    max_depth: Annotated[int | None, typer.Option(help="Largest conditioning set.")] = None,
    uc_rule: Annotated[str, typer.Option(help="sepset, maxp, definite-maxp, conservative or majority.")] = "sepset",
    uc_priority: Annotated[int, typer.Option(help="Where colliders disagree: 0 to 4, as in causal-learn.")] = 2,
    context: Annotated[
        list[str] | None, typer.Option(help="Column set from outside, that nothing causes; may be repeated.")
    ] = None,
    threads: Annotated[int | None, typer.Option(help="All processors by default.")] = None,
    seed: Annotated[int, typer.Option(help="Of the replicates.")] = 0,
    missing: Annotated[str, typer.Option(help="Rows with empty cells: raise (refuse), drop, or test-wise.")] = "raise",
    averaged: Annotated[bool, typer.Option("--averaged", help="Print and save the averaged graph.")] = False,
    output: Annotated[Path | None, typer.Option(help="Write the graph here as JSON.")] = None,
) -> None:
    """Discover the causal graph (CPDAG) between the columns of a file."""
    import warnings

    import pyvalue as pv
    from pyvalue.discovery import DegenerateDataWarning

    if output is not None and not output.parent.is_dir():
        raise ValueError(f"output: no such folder: {output.parent}")
    if output is not None and output.suffix != ".json":
        raise ValueError(f"output must end in .json, got {output}; it is the graph that is written there")
    if averaged and not bootstrap:
        raise ValueError("averaged needs replicates; pass --bootstrap 1000 as well")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DegenerateDataWarning)  # the notes below say the same
        graph = pv.discover(
            responses,
            drop=drop or (),
            test=test,
            backend=backend,
            alpha=alpha,
            bootstrap=bootstrap,
            scheme=scheme,
            cluster=tuple(cluster) if cluster else None,
            seed=seed,
            missing=missing,
            replicate_size=replicate_size,
            max_depth=max_depth,
            uc_rule=uc_rule,
            uc_priority=uc_priority,
            knowledge=pv.Knowledge(context=context) if context else None,
            threads=threads,
        )
    if averaged:
        graph = graph.averaged()
    typer.echo(repr(graph))
    arrows = {"directed": "->", "undirected": "--", "bidirected": "<->"}
    shares = {}
    if bootstrap:
        rows = graph.strengths()[["source", "target", "strength"]].itertuples(index=False)
        shares = {frozenset((one, other)): f"  {share:.0%}" for one, other, share in rows}
    for source, target, kind in graph.edges():
        typer.echo(f"  {source} {arrows[kind]} {target}{shares.get(frozenset((source, target)), '')}")
    settings = graph.settings
    typer.echo(f"note: test {settings.test} ({settings.test_reason})", err=True)
    if settings.cluster:
        typer.echo(f"note: {settings.n} rows are worth {settings.effective_n:.0f} independent ones", err=True)
    for note in (*(f"left out {name} ({why})" for name, why in graph.excluded.items()), *graph.notes):
        typer.echo(f"note: {note}", err=True)
    if output is not None:
        graph.save(output)


@app.command()
@one_line_faults
def paper(
    folder: Annotated[Path, typer.Argument(help="Folder of the public files of Kang et al. (2025).")],
    model: Annotated[
        str | None, typer.Option(help="Name in the file names, such as gemma; needed where there are several.")
    ] = None,
    features: Annotated[
        str | None,
        typer.Option(help="Kept SAE features, such as 1025,1312; those of the published Table 1 by default."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="Write tables (CSV), the graph (JSON) and pictures into this folder.")
    ] = None,
    pictures: Annotated[str, typer.Option(help="png or svg.")] = "png",
) -> None:
    """Compute the paper's tables and figures from its public answers, and compare each with what is published.

    The exit code is 1 where a figure differs.
    """
    from pyvalue.evaluation.paper import reproduce_paper

    if pictures not in ("png", "svg"):
        raise ValueError(f"pictures must be png or svg, got {pictures!r}")
    kept = _names(features)
    found = reproduce_paper(folder, model, features=kept)
    typer.echo(str(found))
    if output is not None:
        from pyvalue.reporting.paper_folder import write_paper

        written = write_paper(found, output, "svg" if pictures == "svg" else "png")
        typer.echo(f"note: {len(written)} files in {output}", err=True)
    if not found.matches:
        raise typer.Exit(1)


@app.command()
@one_line_faults
def audit(
    responses: Annotated[Path, typer.Argument(help="CSV or Parquet: columns edit and persona, and one a value.")],
    graph: Annotated[
        Path | None, typer.Option(help="Graph that discover wrote, as JSON; learnt from the responses by default.")
    ] = None,
    test: Annotated[Path | None, typer.Option(help="Held-out rows of the same kind, to judge the graph on.")] = None,
    edits: Annotated[str | None, typer.Option(help="Edits to look at, such as 1025,1312; all by default.")] = None,
    focus: Annotated[str | None, typer.Option(help="Persona whose changes the study reports, if it is one.")] = None,
    baseline: Annotated[str | None, typer.Option(help="Persona that others are compared with.")] = None,
    threshold: Annotated[
        float | None, typer.Option(help="A value changed where its score did by more than this; chosen by default.")
    ] = None,
    permutations: Annotated[int, typer.Option(help="Of the names of values.")] = 10_000,
    seed: Annotated[int, typer.Option(help="Of permutations and bootstraps.")] = 0,
    output: Annotated[Path | None, typer.Option(help="Write findings and tables here as JSON.")] = None,
) -> None:
    """Check a study and its causal graph: nulls, personas, broken edits, cycles, correlations, effective n."""
    import pyvalue as pv

    if output is not None and (output.suffix != ".json" or not output.parent.is_dir()):
        raise ValueError(f"output must be a .json file in a folder that exists, got {output}")
    found = pv.audit(
        responses,
        None if graph is None else pv.ValueGraph.load(graph),
        test=test,
        edits=_names(edits),
        focus=focus,
        baseline=baseline,
        threshold=threshold,
        permutations=permutations,
        seed=seed,
    )
    typer.echo(str(found))
    if output is not None:
        found.save(output)


def _names(listed: str | None) -> list[str] | None:
    """``a, b`` as it is typed; None where nothing was."""
    return None if listed is None else [name.strip() for name in listed.split(",") if name.strip()]


@sae_app.command("train")
@one_line_faults
def sae_train(
    folder: Annotated[Path, typer.Argument(help="Where the SAE goes, in sae-lens' native format; new or empty.")],
    model: Annotated[
        str, typer.Option(help="Bundled name, local folder, or Hugging Face id; a GPU is used where there is one.")
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
) -> None:
    """Train a sparse autoencoder on text that the model writes about our questions and about everyday things.

    A run that was stopped goes on when it is repeated with the same arguments: the texts written so far are in the
    work folder (FOLDER.work, or --work), which is removed only once the SAE is written. FOLDER appears whole, or not
    at all. Prints the quality on held-out text: variance explained, L0, dead features, share of the loss recovered.
    """
    from dataclasses import asdict

    import pyvalue as pv
    from pyvalue.steering.sae_run import train_sae_on_file, train_sae_on_own_texts
    from pyvalue.steering.sae_training import SAETraining

    settings = SAETraining(layer=layer, features=features, active=active, tokens=tokens, batch=batch, seed=seed)
    speaker = pv.load_model(model)
    if texts_from is not None:
        quality = train_sae_on_file(speaker, texts_from, folder, settings)
    else:
        personas = pv.make_personas(1000, seed=seed + 1)
        inventory = pv.load_inventory()
        quality = train_sae_on_own_texts(speaker, inventory, personas, folder, settings, count=texts, work=work)
    for name, figure in asdict(quality).items():
        typer.echo(f"{name:20} {figure:.4f}" if isinstance(figure, float) else f"{name:20} {figure}")
