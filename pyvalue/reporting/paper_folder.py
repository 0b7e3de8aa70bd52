"""A reproduction of the paper as files: tables as CSV, the graph as JSON, pictures as PNG or SVG."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Literal

import pandas as pd
from matplotlib.figure import Figure

from pyvalue.atomic_files import replace_file
from pyvalue.errors import StoreError
from pyvalue.evaluation.paper import PaperReproduction
from pyvalue.evaluation.paper_table1 import as_published
from pyvalue.graph import ValueGraph
from pyvalue.reporting.graph_plot import draw_graph
from pyvalue.reporting.paper_bars import draw_paper_bars
from pyvalue.reporting.paper_heat_map import draw_paper_table_1
from pyvalue.reporting.paper_pies import draw_paper_pies
from pyvalue.reporting.svg import figure_bytes

Picture = Literal["png", "svg"]


def write_paper(paper: PaperReproduction, folder: str | Path, pictures: Picture = "png") -> list[Path]:
    """Write what could be computed; every file is whole or not there, and one of the same name is replaced.

    Args:
        paper: of ``reproduce_paper``.
        folder: where the files go; made if it is not there, in a folder that is.
        pictures: ``"png"`` or ``"svg"``.

    Returns:
        The files, in the order in which they were written: ``comparisons.csv``, a CSV for each table and
        ``edges.csv``, ``graph.json``, and the pictures ``table1``, ``bars``, ``pies`` and ``graph``.

    Raises:
        ValueError: the kind of picture is unknown.
        StoreError: the folder cannot be made or written.
    """
    if pictures not in ("png", "svg"):
        raise ValueError(f"pictures must be 'png' or 'svg', got {pictures!r}")
    folder = Path(folder)
    try:
        folder.mkdir(exist_ok=True)
    except OSError as fault:
        raise StoreError(f"cannot make the folder {folder}: {fault.strerror}") from fault
    contents = [*_tables(paper), *_pictures(paper, pictures)]  # all of them first: a fault here leaves no files
    for name, content in contents:
        replace_file(folder / name, partial(_put, content=content))
    return [folder / name for name, _ in contents]


def _put(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def _tables(paper: PaperReproduction) -> Iterator[tuple[str, bytes]]:
    yield "comparisons.csv", _csv(paper.table().set_index("what"))
    for name, table in paper.tables.items():
        if name == "table1":
            table = as_published(table)
        yield f"{name}.csv", _csv(table)
    if paper.graph is not None:
        yield "edges.csv", _csv(paper.graph.to_frame().set_index("source"))
        yield "graph.json", (json.dumps(paper.graph.to_dict(), indent=1, ensure_ascii=False) + "\n").encode("utf-8")


def _pictures(paper: PaperReproduction, kind: Picture) -> Iterator[tuple[str, bytes]]:
    drawn: dict[str, Callable[[PaperReproduction], Figure]] = {
        "table1": draw_paper_table_1,
        "bars": draw_paper_bars,
        "pies": draw_paper_pies,
    }
    for name, draw in drawn.items():
        if name in paper.tables:
            yield f"{name}.{kind}", figure_bytes(draw(paper), kind)
    if paper.graph is not None:
        yield f"graph.{kind}", figure_bytes(_graph(paper.graph), kind)


def _graph(graph: ValueGraph) -> Figure:
    figure = Figure(figsize=(10.6, 6.95))  # with room at the sides for the paper's long names
    return draw_graph(graph, ax=figure.add_axes((0.08, 0.07, 0.84, 0.93)))


def _csv(table: pd.DataFrame) -> bytes:
    text: str = table.to_csv()
    return text.encode("utf-8")
