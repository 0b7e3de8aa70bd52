"""Every reader of files, with whole files to damage and a way to damage them."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

from . import seeds
from .containers import of_npz, of_parquet, of_safetensors
from .mutations import of_bytes, of_csv, of_json

Mutate = Callable[[Random, bytes, Sequence[bytes]], bytes]


#: of readers that take a tenth of a millisecond or two, and of those that take several
_SHARES = {
    **dict.fromkeys(("inventory csv", "inventory toml", "texts", "personas", "manifest", "dot", "study toml"), 6),
    **dict.fromkeys(("graph json", "reference graphs", "evaluation", "sae settings", "graphml"), 2),
    "plan": 0.25,
    **dict.fromkeys(("responses file", "responses folder", "wide parquet", "columns parquet", "sweep"), 0.25),
    **dict.fromkeys(("paper answers", "paper table 1", "paper graphs", "columns csv", "ess", "wide csv"), 0.5),
}


@dataclass(frozen=True)
class Reader:
    """One reader.

    Attributes:
        name: for reports.
        file: name of the damaged file in its folder.
        whole: undamaged contents.
        mutate: from a random state, one content and all contents to a damaged one.
        read: called with the damaged file.
        beside: files that stand beside it, undamaged.
        share: inputs, as a multiple of what is asked for: more for readers that take less time.
    """

    name: str
    file: str
    whole: tuple[bytes, ...]
    mutate: Mutate
    read: Callable[[Path], object]
    beside: dict[str, bytes] | None = None
    share: float = 1


def readers() -> list[Reader]:
    """All readers whose libraries are installed; torch is not needed for most."""
    with tempfile.TemporaryDirectory() as scratch:
        found = [*_of_measurement(Path(scratch)), *_of_tables(Path(scratch)), *_of_graphs(Path(scratch)), *_of_saes()]
    return [replace(one, share=_SHARES.get(one.name, 1)) for one in found]


def damaged(reader: Reader, seed: int) -> Iterator[bytes]:
    """Damaged contents without end, the same for a seed."""
    random = Random(f"{reader.name} {seed}")
    while True:
        yield reader.mutate(random, random.choice(reader.whole), reader.whole)


def _of_measurement(scratch: Path) -> Iterator[Reader]:
    import pyvalue as pv
    from pyvalue.measurement.manifest import Manifest
    from pyvalue.responses import Responses
    from pyvalue.steering.sweep_table import load_sweep
    from pyvalue.steering.text_files import read_texts

    own = seeds.written(seeds.inventory, scratch / "own.csv")
    yield Reader("inventory csv", "own.csv", (own, seeds.VALUEBENCH), of_csv, pv.load_inventory)
    toml = seeds.written(seeds.inventory, scratch / "own.toml")
    yield Reader("inventory toml", "own.toml", (toml,), of_bytes, pv.load_inventory)
    people = tuple(text.encode() for text in seeds.PERSONAS)
    yield Reader("personas", "people.json", people, of_json, pv.load_personas)
    parquet = seeds.written(seeds.answers().save, scratch / "answers.parquet")
    yield Reader("responses file", "answers.parquet", (parquet,), of_parquet, _answers(Responses.load))
    manifest = seeds.manifest()
    yield Reader("manifest", "manifest.json", (manifest,), of_json, lambda path: Manifest.load(path.parent))
    yield Reader(
        "responses folder", "manifest.json", (manifest,), of_json,
        lambda path: Responses.load(path.parent), {"responses/part-000000.parquet": parquet},
    )  # fmt: skip
    yield Reader("texts", "texts.jsonl", (seeds.TEXTS,), of_bytes, read_texts)
    sweep = seeds.written(seeds.sweep, scratch / "sweep.parquet")
    yield Reader("sweep", "sweep.parquet", (sweep,), of_parquet, load_sweep)


def _answers(load: Callable[[Path], object]) -> Callable[[Path], object]:
    """Also used, so that a table that was let through is one that can be worked with."""

    def read(path: Path) -> None:
        found = load(path)
        repr(found)
        found.matrix()  # type: ignore[attr-defined]

    return read


def _of_tables(scratch: Path) -> Iterator[Reader]:
    from pyvalue.discovery.columns import read_columns  # noqa: F401 - what discover reads with
    from pyvalue.discovery.files import open_file
    from pyvalue.evaluation.ess import load_ess
    from pyvalue.evaluation.paper_files import read_paper_files
    from pyvalue.wide_scores import score_rows

    wide = (seeds.WIDE, seeds.PAPER, seeds.WIDE.replace(b",", b";").replace(b".", b","))
    yield Reader("wide csv", "rows.csv", wide, of_csv, score_rows)
    rows = score_rows(_placed(scratch / "rows.csv", seeds.WIDE)).reset_index()
    parquet = seeds.written(lambda path: rows.to_parquet(path, index=False), scratch / "rows.parquet")
    yield Reader("wide parquet", "rows.parquet", (parquet,), of_parquet, score_rows)
    tables = (seeds.COLUMNS_CSV, seeds.SEMICOLONS, seeds.long_answers())
    yield Reader("columns csv", "columns.csv", tables, of_csv, open_file)
    answers = seeds.written(seeds.answers().save, scratch / "answers.parquet")
    yield Reader("columns parquet", "columns.parquet", (parquet, answers), of_parquet, open_file)
    yield Reader("ess", "ess.csv", (seeds.survey(),), of_csv, lambda path: load_ess(path, weights="anweight"))
    paper = {"ans_m_train_formal.csv": seeds.PAPER.replace(b",Power:scstd,stds", b",Security,stds")}
    yield Reader("paper answers", "ans_m_train_formal.csv", tuple(paper.values()), of_csv, _folder(read_paper_files))
    yield Reader("paper table 1", "table1_m.csv", (seeds.TABLE_1,), of_csv, _folder(read_paper_files), paper)
    yield Reader("paper graphs", "graphs.json", (seeds.GRAPHS.encode(),), of_json, _folder(read_paper_files), paper)


def _of_graphs(scratch: Path) -> Iterator[Reader]:
    import pyvalue as pv
    from pyvalue.effects.value_effects import Effects
    from pyvalue.evaluation.prediction import Evaluation
    from pyvalue.evaluation.reference_graphs import load_reference_graphs
    from pyvalue.graph import ValueGraph
    from pyvalue.steering.plan import SteeringPlan
    from pyvalue.studies.study_file import load_study
    from pyvalue.studies.template import write_study

    graph, table = seeds.graph()
    drawn = pv.graph_from_edges(seeds.VALUES, [("Power", "Security")], [("Security", "Hedonism")])
    files = tuple(seeds.written(one.save, scratch / "graph.json") for one in (graph, drawn))
    yield Reader("graph json", "graph.json", files, of_json, _graph)
    effects = pv.estimate_effects(graph, table[list(seeds.VALUES)], resamples=100)
    file = seeds.written(effects.save, scratch / "effects.json")
    yield Reader("effects json", "effects.json", (file,), of_json, Effects.load)
    plans = tuple(seeds.written(seeds.plan(graph, one).save, scratch / "plan.json") for one in (effects, None))
    yield Reader("plan", "plan.json", plans, of_json, lambda path: str(SteeringPlan.load(path)))
    evaluation = seeds.written(seeds.evaluation().save, scratch / "evaluation.json")
    yield Reader("evaluation", "evaluation.json", (evaluation,), of_json, lambda path: repr(Evaluation.load(path)))
    dots = tuple(one.to_dot().encode() for one in (graph, drawn))
    yield Reader("dot", "graph.dot", (seeds.DOT, *dots), of_bytes, ValueGraph.from_dot)
    written = seeds.written(graph.to_graphml, scratch / "graph.graphml")
    graphml = (seeds.GRAPHML, written, seeds.ENTITIES)
    yield Reader("graphml", "graph.graphml", graphml, of_bytes, ValueGraph.from_graphml)
    study = seeds.written(lambda path: write_study(path, force=True), scratch / "study.toml")
    short = b"\n".join(line for line in study.splitlines() if line.strip() and not line.startswith(b"#")) + b"\n"
    yield Reader("study toml", "study.toml", (short,), of_bytes, load_study)
    yield Reader("reference graphs", "graphs.json", (seeds.GRAPHS.encode(),), of_json, load_reference_graphs)


def _graph(path: Path) -> None:
    from pyvalue.graph import ValueGraph

    graph = ValueGraph.load(path)
    repr(graph)
    graph.to_dot()
    json.dumps(graph.to_dict())
    graph.is_valid_cpdag()


def _of_saes() -> Iterator[Reader]:
    try:
        from pyvalue.models.sae import load_sae
    except ModuleNotFoundError:  # torch
        return
    files = seeds.sae_files()

    def beside(path: Path) -> object:
        return load_sae(path, hook="blocks.2.hook_resid_post")

    yield Reader("sae settings", "cfg.json", (files["cfg"], files["old"]), of_json, _folder(load_sae),
                 {"sae_weights.safetensors": files["safetensors"]})  # fmt: skip
    yield Reader("sae weights", "sae_weights.safetensors", (files["safetensors"],), of_safetensors, _folder(load_sae),
                 {"cfg.json": files["cfg"]})  # fmt: skip
    yield Reader("sae maxima", "max_activations.safetensors", (files["maxima"],), of_safetensors, _folder(load_sae),
                 {"cfg.json": files["cfg"], "sae_weights.safetensors": files["safetensors"]})  # fmt: skip
    yield Reader("gemma npz", "params.npz", (files["npz"], files["packed"]), of_npz, beside)
    yield Reader("gemma safetensors", "params.safetensors", (files["safetensors"],), of_safetensors, beside)


def _folder(read: Callable[[Path], object]) -> Callable[[Path], object]:
    return lambda path: read(path.parent)


def _placed(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path
