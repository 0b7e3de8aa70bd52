"""``pyvalue discover``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pyvalue.cli import completion, options
from pyvalue.cli.inputs import json_output, read_responses
from pyvalue.cli.printing import note, say, say_json, visible

if TYPE_CHECKING:
    from pyvalue.graph import ValueGraph

_ARROWS = {"directed": "->", "undirected": "--", "bidirected": "<->"}


def discover(
    responses: Annotated[
        Path,
        typer.Argument(
            help="CSV or Parquet file: one row an observation, one column a value; or a folder that measure made."
        ),
    ],
    test: Annotated[
        str,
        typer.Option(
            help="auto, fisherz, spearman, polychoric, chisq, ...", autocompletion=completion.among(completion.TESTS)
        ),
    ] = "auto",
    alpha: Annotated[float, typer.Option(help="Significance level of the independence tests.")] = 0.05,
    bootstrap: Annotated[int, typer.Option(help="Replicates, for edge strengths.")] = 0,
    scheme: Annotated[
        str | None,
        typer.Option(
            help="bootstrap, m-of-n, subsample, complementary-pairs or naive.",
            autocompletion=completion.among(completion.SCHEMES),
        ),
    ] = None,
    cluster: Annotated[
        list[str] | None,
        typer.Option(metavar="<column>", help="Column that names what rows share, such as a persona; twice for two."),
    ] = None,
    drop: Annotated[
        list[str] | None, typer.Option(metavar="<column>", help="Column to leave out; may be repeated.")
    ] = None,
    backend: Annotated[
        str, typer.Option(help="fast or causal-learn.", autocompletion=completion.among(completion.BACKENDS))
    ] = "fast",
    replicate_size: Annotated[int | None, typer.Option(help="Rows, or clusters, a replicate draws.")] = None,
    max_depth: Annotated[int | None, typer.Option(help="Largest conditioning set.")] = None,
    uc_rule: Annotated[
        str,
        typer.Option(
            help="sepset, maxp, definite-maxp, conservative or majority.",
            autocompletion=completion.among(completion.COLLIDER_RULES),
        ),
    ] = "sepset",
    uc_priority: Annotated[int, typer.Option(help="Where colliders disagree: 0 to 4, as in causal-learn.")] = 2,
    context: Annotated[
        list[str] | None,
        typer.Option(metavar="<column>", help="Column set from outside, that nothing causes; may be repeated."),
    ] = None,
    threads: Annotated[int | None, typer.Option(help="All processors by default.")] = None,
    seed: Annotated[int, typer.Option(help="Of the replicates.")] = 0,
    missing: Annotated[
        str,
        typer.Option(
            help="Rows with empty cells: raise (refuse), drop, or test-wise.",
            autocompletion=completion.among(completion.MISSING),
        ),
    ] = "raise",
    averaged: Annotated[bool, typer.Option("--averaged", help="Print and save the averaged graph.")] = False,
    output: Annotated[Path | None, typer.Option(help="Write the graph here as JSON.")] = None,
    json: options.Json = False,
) -> None:
    """Discover the causal graph (CPDAG) between the columns of a file, or between the values that were measured."""
    import warnings

    import pyvalue as pv
    from pyvalue.discovery import DegenerateDataWarning

    json_output(output)
    if averaged and not bootstrap:
        raise ValueError("averaged needs replicates; pass --bootstrap 1000 as well")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DegenerateDataWarning)  # the notes below say the same
        graph = pv.discover(
            _data(responses),
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
    if output is not None:
        graph.save(output)
    if json:
        say_json(graph.to_dict())
    else:
        _tell(graph, bool(bootstrap))
    _notes(graph)


def _data(path: Path) -> Any:
    """A table is read by ``discover`` itself; answers, which have a row an answer, are read as such."""
    if path.is_dir() or _holds_single_answers(path):
        return read_responses("responses", path)
    return path


def _holds_single_answers(path: Path) -> bool:
    if path.suffix != ".parquet" or not path.is_file():
        return False
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return {"model", "edit", "persona", "item", "keying", "status"} <= set(pq.read_schema(path).names)
    except (OSError, pa.ArrowInvalid):
        return False  # discover says what is wrong with it


def _tell(graph: ValueGraph, with_shares: bool) -> None:
    say(visible(repr(graph)))
    shares = {}
    if with_shares:
        rows = graph.strengths()[["source", "target", "strength"]].itertuples(index=False)
        shares = {frozenset((one, other)): f"  {share:.0%}" for one, other, share in rows}
    for source, target, kind in graph.edges():
        share = shares.get(frozenset((source, target)), "")
        say(f"  {visible(source)} {_ARROWS[kind]} {visible(target)}{share}")


def _notes(graph: ValueGraph) -> None:
    settings = graph.settings
    note(f"test {settings.test} ({settings.test_reason})")
    if settings.cluster:
        note(f"{settings.n} rows are worth {settings.effective_n:.0f} independent ones")
    for told in (*(f"left out {name} ({why})" for name, why in graph.excluded.items()), *graph.notes):
        note(told)
