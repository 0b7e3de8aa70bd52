"""The public files of Kang et al. (2025), of one model: found by their names, read, and held against each other.

It reads and checks; it computes nothing. A file that is not there is no fault: what needs it says so.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from pyvalue.evaluation.paper_published import HUMAN_GRAPH
from pyvalue.file_faults import file_faults
from pyvalue.json_files import read_json
from pyvalue.wide_files import read_wide_file
from pyvalue.wide_scores import KEYS, score_rows

#: rows of Table 2: of role prompts and of the SAE, by the model's own graph and the human one
TABLE_2_ROWS = tuple(
    f"mean_scorechange__{steering}_{graph}_{group}"
    for steering in ("prompt", "sae")
    for graph in ("ours", "refs")
    for group in ("expected", "unexpected")
)
#: numbers in a cell of Table 1
COUNTS = ("train up", "train down", "train same", "test up", "test down", "test same")
_NAMES = (
    re.compile(r"ans_(?P<model>.+)_(?:train|test)_formal\.csv"),
    re.compile(r"ans_(?P<model>.+)_test_compare_(?:positive|negative)(?:_s1)?\.csv"),
    re.compile(r"table1_(?P<model>.+?)(?:_newest)?\.csv"),
    re.compile(r"table2_(?P<model>.+)\.csv"),
)
_CELL = re.compile(r"\d+(/\d+){5}")
T = TypeVar("T")


@dataclass(frozen=True)
class PaperFiles:
    """What the folder holds of one model; None for a file that is not there.

    Attributes:
        folder: where the files are.
        model: the name in the file names.
        train: answers (edit, persona) by values that the graph is found from.
        test: answers of other personas.
        hard: "positive", "negative" -> answers of the test personas who were told outright to hold a value or not.
        table1: published counts: features by values, each cell six integers, as ``COUNTS``.
        table2: published rates: ``TABLE_2_ROWS`` by values.
        graphs: name -> edges (cause, effect).
        names: "train", "test", ... -> name of the file, also of one that is not there.
    """

    folder: Path
    model: str
    train: pd.DataFrame | None
    test: pd.DataFrame | None
    hard: Mapping[str, pd.DataFrame]
    table1: pd.DataFrame | None
    table2: pd.DataFrame | None
    graphs: Mapping[str, tuple[tuple[str, str], ...]] | None
    names: Mapping[str, str]

    def lack(self, *kinds: str) -> str | None:
        """Why something cannot be computed: the files of these kinds that are not there; None where all are."""
        gone = [self.names[kind] for kind in kinds if not (self.folder / self.names[kind]).is_file()]
        return f"no file {' and no file '.join(gone)} in {self.folder}" if gone else None


def models_in(folder: Path) -> list[str]:
    """Names of the models that the folder has files of."""
    found = set()
    for path in folder.iterdir():
        hit = next((hit for pattern in _NAMES if (hit := pattern.fullmatch(path.name))), None)
        if hit:
            found.add(hit["model"])
    return sorted(found)


@file_faults("folder")
def read_paper_files(folder: str | Path, model: str | None = None) -> PaperFiles:
    """Read the files of a model.

    Args:
        folder: with ``ans_MODEL_train_formal.csv``, ``ans_MODEL_test_formal.csv``,
            ``ans_MODEL_test_compare_positive[_s1].csv``, ``..._negative[_s1].csv``, ``table1_MODEL[_newest].csv``,
            ``table2_MODEL.csv`` and ``graphs.json``, or some of them.
        model: the name in the file names; None where the folder has files of one model only.

    Raises:
        FileNotFoundError: there is no such folder, or it has no files of the model.
        ValueError: there are files of several models and none was named, a file cannot be read as what it is, or two
            files are not of the same values.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"folder: no such folder: {folder}")
    model = _the_model(folder, model)
    names = {
        "train": f"ans_{model}_train_formal.csv",
        "test": f"ans_{model}_test_formal.csv",
        "positive": _first(folder, *(f"ans_{model}_test_compare_positive{end}.csv" for end in ("_s1", ""))),
        "negative": _first(folder, *(f"ans_{model}_test_compare_negative{end}.csv" for end in ("_s1", ""))),
        "table1": _first(folder, f"table1_{model}_newest.csv", f"table1_{model}.csv"),
        "table2": f"table2_{model}.csv",
        "graphs": "graphs.json",
    }
    hard = {sign: _read(folder, names[sign], _answers) for sign in ("positive", "negative")}
    files = PaperFiles(
        folder,
        model,
        _read(folder, names["train"], _answers),
        _read(folder, names["test"], _answers),
        {sign: table for sign, table in hard.items() if table is not None},
        _read(folder, names["table1"], _table_1),
        _read(folder, names["table2"], _table_2),
        _read(folder, names["graphs"], _graphs),
        names,
    )
    _check_same_values(files)
    return files


def _the_model(folder: Path, model: str | None) -> str:
    models = models_in(folder)
    if model is None and len(models) > 1:
        raise ValueError(f"model: {folder} has files of {', '.join(models)}; name one of them")
    if not models or (model is not None and model not in models):
        wanted = "ans_MODEL_train_formal.csv or the like" if model is None else f"ans_{model}_train_formal.csv"
        have = f"; it has files of {', '.join(models)}" if models else ""
        raise FileNotFoundError(f"folder: expected {wanted} in {folder}, got none{have}")
    return model or models[0]


def _first(folder: Path, *names: str) -> str:
    return next((name for name in names if (folder / name).is_file()), names[0])


def _read(folder: Path, name: str, reader: Callable[[Path], T]) -> T | None:
    path = folder / name
    if not path.is_file():
        return None
    try:
        return reader(path)
    except (ValueError, OSError) as fault:  # a ParserError of pandas and a JSONDecodeError are ValueErrors
        raise ValueError(f"{name}: {fault}") from fault


def _answers(path: Path) -> pd.DataFrame:
    columns = list(read_wide_file(path).columns)
    if not any(set(pair) <= set(columns) for pair in KEYS):
        wanted = " or ".join(" and ".join(pair) for pair in KEYS)
        raise ValueError(f"expected columns {wanted}, got {', '.join(map(str, columns))}")
    rows = score_rows(path)
    beyond = rows.columns[(rows.abs() > 1).any()]
    if len(beyond):
        raise ValueError(f"scores must be between -1 and 1, got others in {', '.join(beyond)}")
    if "" not in rows.index.get_level_values("edit"):
        raise ValueError("expected rows without an edit (an empty steer_dim), got none")
    return rows


def _table_1(path: Path) -> pd.DataFrame:
    table = pd.read_csv(path, index_col=0, dtype=str)
    table.index = pd.Index([_feature(label) for label in table.index], name="feature")
    _check_distinct(table)
    for feature, row in table.iterrows():
        for value, cell in row.items():
            if not (isinstance(cell, str) and _CELL.fullmatch(cell.strip())):
                raise ValueError(
                    f"feature {feature}, value {value!r}: expected six whole numbers such as 4/25/72/3/1/22, "
                    f"got {cell!r}"
                )
    return table.map(str.strip)


def _feature(label: Any) -> str:
    try:
        number = float(label)
    except ValueError:
        number = np.nan
    if not (np.isfinite(number) and number == int(number)):
        raise ValueError(f"expected the number of a feature in the first column, got {label!r}")
    return str(int(number))


def _table_2(path: Path) -> pd.DataFrame:
    table = pd.read_csv(path, index_col=0)
    _check_distinct(table)
    if set(table.index) != set(TABLE_2_ROWS):
        raise ValueError(f"expected the rows {', '.join(TABLE_2_ROWS)}; got {', '.join(map(str, table.index))}")
    wrong = [name for name in table.columns if not pd.api.types.is_numeric_dtype(table[name])]
    if wrong:
        raise ValueError(f"expected rates or empty cells, got something else in column {', '.join(map(repr, wrong))}")
    if ((table < 0) | (table > 1)).any(axis=None):
        raise ValueError("rates must be between 0 and 1")
    return table.loc[list(TABLE_2_ROWS)].astype(float)


def _check_distinct(table: pd.DataFrame) -> None:
    for labels, kind in ((table.index, "row"), (table.columns, "column")):
        again = labels[labels.duplicated()]
        if len(again):
            raise ValueError(f"the {kind} {again[0]!r} comes twice")
    if not table.size:
        raise ValueError(f"expected a table of at least one row and value, got shape {table.shape}")


def _graphs(path: Path) -> dict[str, tuple[tuple[str, str], ...]]:
    content = read_json(path)
    edges = content.get("edges") if isinstance(content, dict) else None
    if not isinstance(edges, dict):
        raise ValueError('expected {"edges": {"NAME": [[cause, effect, ...], ...]}}')
    graphs = {}
    for name, listed in edges.items():
        if not isinstance(listed, list):
            raise ValueError(f"graph {name!r}: expected a list of edges, got {listed!r:.80}")
        graphs[name] = tuple(_edge(name, edge) for edge in listed)
    return graphs


def _edge(graph: str, edge: Any) -> tuple[str, str]:
    if not (isinstance(edge, list) and len(edge) >= 2 and all(isinstance(end, str) for end in edge[:2])):
        raise ValueError(f"graph {graph!r}: every edge must be a list that starts with two values, got {edge!r:.80}")
    return edge[0], edge[1]


def _check_same_values(files: PaperFiles) -> None:
    tables = {"train": files.train, "test": files.test, **files.hard, "table1": files.table1, "table2": files.table2}
    given = {files.names[kind]: set(table.columns) for kind, table in tables.items() if table is not None}
    if not given:
        return
    first, values = next(iter(given.items()))
    for name, others in given.items():
        differ = sorted(map(str, values ^ others))
        if differ:
            raise ValueError(f"{first} and {name} must hold the same values, but differ in {', '.join(differ)}")
    for graph, edges in (files.graphs or {}).items():
        unknown = sorted({end for edge in edges for end in edge} - values)
        if unknown and graph in (files.model, HUMAN_GRAPH):
            raise ValueError(
                f"{files.names['graphs']}: graph {graph!r} has values that {first} lacks: {', '.join(unknown)}"
            )
