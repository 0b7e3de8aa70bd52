"""Kang et al. (2025), arXiv 2501.00581, computed again from the paper's public files and held against what it states.

It reproduces; it does not judge. What of the results holds is the business of an audit.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

import pandas as pd

from pyvalue.evaluation.paper_comparison import CAUSAL_LEARN, PUBLISHED, Comparison, Verdict
from pyvalue.evaluation.paper_files import PaperFiles, read_paper_files
from pyvalue.evaluation.paper_graph import compare_graph, graph_reachability, paper_graph, reachability
from pyvalue.evaluation.paper_pies import compare_pies, pie_counts
from pyvalue.evaluation.paper_published import HUMAN_GRAPH, SAE_PERSONA, Published, published
from pyvalue.evaluation.paper_table1 import compare_table_1, noise, similarity, table_1
from pyvalue.evaluation.paper_table2 import bars, compare_table_2, prompt_changes, sae_changes, table_2
from pyvalue.graph import ValueGraph
from pyvalue.plotted import Plotted
from pyvalue.wide_scores import NO_PERSONA


@dataclass(frozen=True)
class PaperReproduction(Plotted):
    """The paper's tables and figures, computed, and every published figure beside its own.

    Attributes:
        model: the name in the file names.
        features: kept SAE features, by number.
        comparisons: one a published figure or table.
        tables: name -> table, of what could be computed: ``table1`` (rows (feature, value), six counts),
            ``similarity`` and ``noise`` (features by values), ``reachability`` (cause by effect), ``table2``, ``bars``
            and ``pies`` (numbers of pairs of persona and value).
        graph: of the training answers, or None.
    """

    model: str
    features: tuple[str, ...]
    comparisons: tuple[Comparison, ...]
    tables: Mapping[str, pd.DataFrame] = field(repr=False)
    graph: ValueGraph | None = None

    @property
    def matches(self) -> bool:
        """Whether nothing that could be compared differs, from what is published or from what causal-learn finds."""
        return not any(row.match is False for row in self.comparisons)

    def counts(self) -> dict[str, int]:
        """Number of published figures and tables that are ``match``, ``MISMATCH`` and ``not given``."""
        found = Counter(row.verdict for row in self.comparisons if row.source == PUBLISHED)
        return {verdict: found[verdict] for verdict in get_args(Verdict)}

    def table(self) -> pd.DataFrame:
        """Columns ``what, published, computed, match, note, source``, one row a comparison."""
        return pd.DataFrame([vars(row) for row in self.comparisons])

    def lines(self) -> list[str]:
        """What ``pyvalue paper`` prints."""
        wide = max(len(row.what) for row in self.comparisons)
        lines = [f"{self.model}: {len(self.features)} features: {', '.join(self.features) or 'none known'}"]
        for row in self.comparisons:
            told = [f"{row.source} {row.published}" if row.published is not None else ""]
            told += [f"computed {row.computed}" if row.computed is not None else "", row.note]
            lines.append(f"{row.verdict:9}  {row.what:{wide}}  {'; '.join(part for part in told if part)}")
        counts = self.counts()
        others = [row for row in self.comparisons if row.source != PUBLISHED]
        own = f"; {sum(row.match is True for row in others)} of {len(others)} as {CAUSAL_LEARN}" if others else ""
        lines.append(", ".join(f"{number} {verdict}" for verdict, number in counts.items()) + own)
        return lines

    def __str__(self) -> str:
        return "\n".join(self.lines())


def reproduce_paper(
    folder: str | Path,
    model: str | None = None,
    *,
    features: Sequence[int | str] | None = None,
    persona: str = SAE_PERSONA,
    chosen: Mapping[str, Mapping[str, int | str]] | None = None,
) -> PaperReproduction:
    """Compute Table 1, similarity and noise, the graph, Table 2, bars and pies from the paper's public answers.

    A file that is not there is no fault: what needs it is said not to be computable. Files of another model in the
    same format are computed by the same rules, and compared where a published table lies beside them.

    Args:
        folder: of the files; see ``pyvalue.evaluation.paper_files.read_paper_files``.
        model: the name in the file names; None where the folder has files of one model.
        features: SAE features that are kept; None for those of the published Table 1.
        persona: whose answers the SAE half of Table 2 is of.
        chosen: "positive", "negative" -> value -> the feature that is to move it, for the pies; None for the authors'
            own choice, where they state one of the model.

    Raises:
        FileNotFoundError: there is no such folder, or it has no files of the model.
        ValueError: a file is not what it should be, two do not fit together, the answers lack a feature, or an argument
            names something that is not there. The message names the file.

    Example:
        >>> print(reproduce_paper("data/paper").counts())
        {'match': 16, 'MISMATCH': 0, 'not given': 0}
    """
    files = read_paper_files(folder, model)
    stated = published(files.model)
    kept = _kept(files, features)
    counts = _counts(files, kept)
    graph = paper_graph(files, kept) if kept else "no features are known: name them, or add the published table"
    changes, why = _changes(files, kept, persona)
    reach, lacking = _reach(files, graph)
    rates = table_2(changes, reach) if changes and reach else pd.DataFrame()
    pies, no_pies = pie_counts(files, _chosen(chosen, stated))
    comparisons = [
        *compare_table_1(files, counts, stated, kept),
        *compare_graph(files, graph, stated),
        *compare_table_2(files, rates, {**why, **lacking}),
        *compare_pies(pies, no_pies, stated),
    ]
    tables: dict[str, pd.DataFrame] = {}
    if counts is not None:
        tables |= {"table1": counts, "similarity": similarity(counts), "noise": noise(counts)}
    if "ours" in reach:
        tables["reachability"] = reach["ours"]
    if len(rates):
        tables |= {"table2": rates, "bars": bars(rates)}
    if len(pies):
        tables["pies"] = pies
    found = graph if isinstance(graph, ValueGraph) else None
    return PaperReproduction(files.model, kept, tuple(comparisons), tables, found)


def _kept(files: PaperFiles, features: Sequence[int | str] | None) -> tuple[str, ...]:
    """Numbers of the kept features, all of them in every file of answers that is there."""
    if isinstance(features, str):
        raise TypeError(f"features must be a list of numbers, got the string {features!r}")
    source = "features" if features is not None else files.names["table1"]
    if features is None:
        kept = () if files.table1 is None else tuple(files.table1.index)
    else:
        kept = tuple(dict.fromkeys(str(feature) for feature in features))
        if not kept:
            raise ValueError("features must name at least one feature, got none; leave it out for those of Table 1")
    table = () if files.table1 is None else tuple(files.table1.index)
    for kind, rows in (("train", files.train), ("test", files.test)):
        have = set() if rows is None else set(rows.index.get_level_values("edit"))
        for names, of in ((kept, source), (table, files.names["table1"])):
            gone = [feature for feature in names if rows is not None and feature not in have]
            if gone:
                raise ValueError(f"{of}: {files.names[kind]} has no rows of feature {', '.join(gone)}")
    return kept


def _counts(files: PaperFiles, kept: Sequence[str]) -> pd.DataFrame | None:
    listed = () if files.table1 is None else tuple(files.table1.index)
    wanted = tuple(dict.fromkeys((*listed, *kept)))
    if not wanted or files.train is None or files.test is None:
        return None
    return table_1(files.train, files.test, wanted)


def _changes(files: PaperFiles, kept: Sequence[str], persona: str) -> tuple[dict[str, pd.DataFrame], dict[str, str]]:
    """Changes by steering, and why one is not there."""
    if files.test is None:
        why = files.lack("test") or ""
        return {}, {"prompt": why, "sae": why}
    changes, reasons = {}, {}
    personas = files.test.xs("", level="edit").index
    if len(personas.drop(NO_PERSONA, errors="ignore")) > 1:
        changes["prompt"] = prompt_changes(files.test)
    else:
        reasons["prompt"] = "role prompts are compared with each other, and there are fewer than 2 personas"
    if not kept:
        reasons["sae"] = "no features are known: name them, or add the published table"
    elif persona not in personas:
        reasons["sae"] = f"the test answers lack the persona {persona!r}; name another"
    else:
        own = sae_changes(files.test, kept, persona)
        gone = [feature for feature in kept if feature not in own.index]
        if gone:
            reasons["sae"] = f"the test answers lack {persona} under feature {', '.join(gone)}"
        else:
            changes["sae"] = own
    return changes, reasons


def _reach(files: PaperFiles, graph: ValueGraph | str) -> tuple[dict[str, pd.DataFrame], dict[str, str]]:
    """Reachability of the model's own graph and the human one, and why one is not there."""
    if files.test is None:
        return {}, {}
    values = list(files.test.columns)
    reach, why = {}, {}
    given = files.graphs or {}
    if files.model in given:
        reach["ours"] = reachability(given[files.model], values)
    elif isinstance(graph, ValueGraph):
        reach["ours"] = graph_reachability(graph, values)
    else:
        why["ours"] = f"no graph of the model: {graph}"
    if HUMAN_GRAPH in given:
        reach["refs"] = reachability(given[HUMAN_GRAPH], values)
    else:
        why["refs"] = files.lack("graphs") or f"graphs.json has no graph {HUMAN_GRAPH!r}"
    return reach, why


def _chosen(chosen: Mapping[str, Mapping[str, Any]] | None, stated: Published) -> Mapping[str, Mapping[str, str]]:
    if chosen is None:
        return stated.chosen or {}
    unknown = sorted(set(chosen) - {"positive", "negative"})
    if unknown:
        raise ValueError(f"chosen must be by 'positive' and 'negative', got {', '.join(map(repr, unknown))}")
    return {way: {value: str(feature) for value, feature in picks.items()} for way, picks in chosen.items()}
