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
    responses: Annotated[Path, typer.Argument(help="CSV file: one row an observation, one column a value.")],
    alpha: Annotated[float, typer.Option(help="Significance level of the independence tests.")] = 0.05,
    bootstrap: Annotated[int, typer.Option(help="Bootstrap replicates, for edge strengths.")] = 0,
    backend: Annotated[str, typer.Option(help="fast or causal-learn.")] = "fast",
    seed: Annotated[int, typer.Option(help="Of the bootstrap.")] = 0,
    missing: Annotated[str, typer.Option(help="Rows with empty cells: raise (refuse) or drop.")] = "raise",
    output: Annotated[Path | None, typer.Option(help="Write the graph here as JSON.")] = None,
) -> None:
    """Discover the causal graph (CPDAG) between the numeric columns of a CSV file."""
    import pandas as pd

    import pyvalue as pv

    if not responses.is_file():
        raise ValueError(f"responses: no such file: {responses}")
    if output is not None and not output.parent.is_dir():
        raise ValueError(f"output: no such folder: {output.parent}")
    try:
        table = pd.read_csv(responses)
    except (UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as fault:
        raise ValueError(f"responses {responses}: not a comma-separated file in UTF-8 ({fault})") from fault
    graph = pv.discover(table, backend=backend, alpha=alpha, bootstrap=bootstrap, seed=seed, missing=missing)
    typer.echo(repr(graph))
    arrows = {"directed": "->", "undirected": "--", "bidirected": "<->"}
    strengths = graph.strengths() if bootstrap else pd.DataFrame(columns=["source", "target", "strength"])
    rows = strengths[["source", "target", "strength"]].itertuples(index=False)
    found = {frozenset((one, other)): f"  {share:.0%}" for one, other, share in rows}
    for source, target, kind in graph.edges():
        typer.echo(f"  {source} {arrows[kind]} {target}{found.get(frozenset((source, target)), '')}")
    for note in graph.notes:
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
