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
    personas: Annotated[int, typer.Option(help="Personas measured; the first 30 again under the edit.")] = 50,
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


@sae_app.command("train")
@one_line_faults
def sae_train(
    folder: Annotated[Path, typer.Argument(help="Where the SAE goes, in sae-lens' native format.")],
    model: Annotated[
        str, typer.Option(help="Bundled name, local folder, or Hugging Face id.")
    ] = "smollm2-135m-instruct",
    layer: Annotated[int, typer.Option(help="Decoder layer whose output is encoded.")] = 15,
    texts: Annotated[int, typer.Option(help="Texts the model writes for training.")] = 4096,
    features: Annotated[int, typer.Option(help="Dictionary size.")] = 4096,
    tokens: Annotated[int, typer.Option(help="Token activations seen, repeats included.")] = 2_000_000,
    seed: Annotated[int, typer.Option(help="Of text, initialisation and shuffling.")] = 0,
) -> None:
    """Train a sparse autoencoder on text that the model writes about our questions under our personas."""
    import pyvalue as pv
    from pyvalue.measurement.progress import progress_bar
    from pyvalue.steering.sae_training import SAETraining, train_sae
    from pyvalue.steering.self_written import write_texts

    speaker = pv.load_model(model)
    batches = write_texts(speaker, pv.load_inventory(), pv.make_personas(400, seed=seed + 1), seed=seed)
    written: list[str] = []
    with progress_bar("writing texts", texts) as advance:
        while len(written) < texts:
            for text in next(batches)[: texts - len(written)]:
                written.append(text)
                advance()
    settings = SAETraining(layer=layer, features=features, tokens=tokens, seed=seed)
    for name, figure in train_sae(speaker, written, folder, settings).items():
        typer.echo(f"{name:20} {figure}")
