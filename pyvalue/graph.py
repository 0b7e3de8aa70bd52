"""The causal graph between values: a CPDAG, what it says about descendants, and how sure the bootstrap is of it.

It holds what a search found and converts it; it does not search (:mod:`pyvalue.discovery`) and estimates no effects.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pyvalue.edge_frequencies import EdgeFrequencies
from pyvalue.errors import PyvalueError
from pyvalue.knowledge import Knowledge
from pyvalue.plotted import Plotted
from pyvalue.replicate_graphs import ReplicateGraphs
from pyvalue.separating_sets import SeparatingSets

if TYPE_CHECKING:
    import networkx as nx
    import pandas as pd

    from pyvalue.graph_averaging import AveragingRule, EnsembleRule

TAIL, ARROW = -1, 1


@dataclass(frozen=True)
class DiscoverySettings:
    """What a graph was made with.

    Attributes:
        alpha: level of the tests; an edge goes when a test's p-value is above it.
        n: rows used.
        test: conditional-independence test.
        test_reason: why this one.
        backend: ``"fast"`` (compiled) or ``"causal-learn"`` (the reference library).
        max_depth: largest conditioning set, None for no limit.
        uc_rule: what made an unshielded triple a collider.
        uc_priority: causal-learn's number of what was done where two colliders disagree.
        effective_n: independent rows that the rows are worth, and that the tests were told of.
        cluster: what rows share, by name: none, one or two.
        knowledge: of edges, that the search was given.
        replicates: bootstrap replicates, 0 for none.
        scheme: how replicates were drawn and tested; this and the rest None without replicates.
        replicate_size: rows or clusters that a replicate drew, where the user set them.
        replicate_effective_n: rows that the tests inside a replicate were told of.
        shuffle_columns: whether every replicate saw the columns in an order of its own.
        seed: of the replicates.
        threads: used; not part of equality, because they never change the result.
    """

    alpha: float
    n: int
    test: str = "fisherz"
    test_reason: str = "as asked"
    backend: str = "fast"
    max_depth: int | None = None
    uc_rule: str = "sepset"
    uc_priority: int = 2
    effective_n: float | None = None
    cluster: tuple[str, ...] = ()
    knowledge: Knowledge | None = None
    replicates: int = 0
    scheme: str | None = None
    replicate_size: int | None = None
    replicate_effective_n: float | None = None
    shuffle_columns: bool | None = None
    seed: int | None = None
    threads: int = field(default=1, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "cluster", tuple(self.cluster))


@dataclass(frozen=True, eq=False, repr=False)
class ValueGraph(Plotted):
    """An immutable CPDAG over named values.

    Attributes:
        names: the d values.
        marks: (d, d) end marks, int8, read-only. ``marks[i, j]`` is the mark at i's end of the edge between i and j:
            0 no edge, -1 tail, 1 arrowhead; i → j has ``marks[i, j] == -1`` and ``marks[j, i] == 1``. The same
            convention as causal-learn's ``GeneralGraph.graph``.
        settings: what made the graph.
        separating_sets: for pairs without an edge, in column order, the union of all sets that separated them in the
            round that removed the edge (collider orientation reads this union; it need not separate by itself).
            Pairs that the empty set separated are not listed.
        bootstrap: counts of every kind of edge over bootstrap replicates, or None.
        excluded: columns of the data that are not in the graph, with the reason.
        notes: what else a reader of the graph should know, for example dropped rows.
        replicate_graphs: the graphs of the bootstrap replicates, or None where they were not kept.
    """

    names: tuple[str, ...]
    marks: NDArray[np.int8]
    settings: DiscoverySettings
    separating_sets: Mapping[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)
    bootstrap: EdgeFrequencies | None = None
    excluded: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    replicate_graphs: ReplicateGraphs | None = None

    def __post_init__(self) -> None:
        names = tuple(self.names)
        if len(set(names)) != len(names) or not all(isinstance(name, str) for name in names):
            raise ValueError(f"names must be distinct strings, got {names}")
        set_ = object.__setattr__
        set_(self, "names", names)
        set_(self, "marks", _checked_marks(self.marks, len(names)))
        if not isinstance(self.separating_sets, SeparatingSets):
            set_(self, "separating_sets", MappingProxyType(dict(self.separating_sets)))
        set_(self, "excluded", MappingProxyType(dict(self.excluded)))
        set_(self, "notes", tuple(self.notes))
        if self.bootstrap is not None and self.bootstrap.directed.shape != self.marks.shape:
            raise ValueError(f"bootstrap is over {len(self.bootstrap.directed)} values, names has {len(names)}")
        self._check_replicate_graphs()

    # -- edges ---------------------------------------------------------------------------------------------------

    def directed_edges(self) -> list[tuple[str, str]]:
        """All (source, target) with source → target, in column order."""
        return self._pairs((self.marks == TAIL) & (self.marks.T == ARROW))

    def undirected_edges(self) -> list[tuple[str, str]]:
        """All pairs joined by —, each once: the data do not tell which way the edge points."""
        return self._pairs(np.triu((self.marks == TAIL) & (self.marks.T == TAIL)))

    def bidirected_edges(self) -> list[tuple[str, str]]:
        """All pairs joined by ↔, each once."""
        return self._pairs(np.triu((self.marks == ARROW) & (self.marks.T == ARROW)))

    def has_edge(self, a: str, b: str) -> bool:
        """Whether a and b are adjacent, whatever the marks."""
        return bool(self.marks[self._index(a), self._index(b)] != 0)

    def separating_set(self, a: str, b: str) -> tuple[str, ...] | None:
        """The entry of ``separating_sets`` for the pair in either order; None where a and b are adjacent."""
        i, j = sorted((self._index(a), self._index(b)))
        if self.marks[i, j] != 0:
            return None
        return self.separating_sets.get((self.names[i], self.names[j]), ())

    def strengths(self) -> pd.DataFrame:
        """How often each pair was adjacent over the bootstrap, and which way the edge pointed; one row a pair.

        Pairs are named in the direction of the graph's arrow, else in the more frequent direction, and sorted by
        strength.

        Returns:
            A DataFrame with columns ``source, target``; ``strength`` (share of replicates with an edge) with its 95%
            Wilson interval ``strength_low, strength_high`` (the Monte-Carlo error of a finite number of replicates,
            not sampling error); ``direction`` (share of those with source → target, NaN if there are none); the
            shares ``forward, backward, undirected, bidirected, absent``, which add up to 1; the 95% Wilson intervals
            ``forward_low, forward_high, backward_low, backward_high`` of the first two, as of the strength;
            ``tested`` (replicates in which neither value was constant; all shares are of these); ``in_graph``.

        Raises:
            PyvalueError: the graph was made without a bootstrap.
        """
        if self.bootstrap is None:
            raise PyvalueError("the graph has no edge strengths: make it with discover(..., bootstrap=1000)")
        return self.bootstrap.strengths(self.names, self.marks)

    def strength_threshold(self) -> float:
        """The strength that an edge must exceed to be significant; see
        :func:`pyvalue.graph_averaging.strength_threshold`."""
        from pyvalue.graph_averaging import strength_threshold

        return strength_threshold(self)

    def replicates(self) -> Iterator[ValueGraph]:
        """The graphs of the bootstrap replicates, one after the other, without their separating sets.

        Example:
            >>> graph = discover(answers, bootstrap=1000, keep_replicates=True)
            >>> sum("Power" in one.definite_descendants("age") for one in graph.replicates()) / 1000

        Raises:
            PyvalueError: they were not kept.
        """
        if self.replicate_graphs is None:
            raise PyvalueError("the replicates were not kept: discover(..., bootstrap=1000, keep_replicates=True)")
        for marks in self.replicate_graphs:
            yield ValueGraph(self.names, marks, self.settings, excluded=self.excluded)

    def averaged(self, threshold: float | None = None, rule: AveragingRule = "plurality") -> ValueGraph:
        """The averaged CPDAG of the bootstrap; see :func:`pyvalue.graph_averaging.averaged`."""
        from pyvalue.graph_averaging import averaged

        return averaged(self, threshold, rule)

    def ensemble(self, rule: EnsembleRule) -> ValueGraph:
        """Of every pair the edge that replicates agree on; see :func:`pyvalue.graph_averaging.ensemble`."""
        from pyvalue.graph_averaging import ensemble

        return ensemble(self, rule)

    # -- descendants ---------------------------------------------------------------------------------------------

    def definite_descendants(self, value: str) -> frozenset[str]:
        """Values at the end of a fully directed path from ``value``, without the value itself.

        More can be definite, where every DAG has a path but not the same one: see ``pv.Effects.relations``.
        """
        return self._reachable(value, (self.marks == TAIL) & (self.marks.T == ARROW))

    def possible_descendants(self, value: str) -> frozenset[str]:
        """Values reached from ``value`` over edges that are → or —; the definite descendants are among them."""
        return self._reachable(value, (self.marks == TAIL) & (self.marks.T != 0))

    def is_valid_cpdag(self) -> bool:
        """Whether some DAG has exactly this CPDAG.

        Finite samples can give a graph for which there is none; knowledge directs more than a CPDAG does.
        """
        from pyvalue.cpdag import is_cpdag

        return is_cpdag(self.marks)

    # -- conversions ---------------------------------------------------------------------------------------------

    def to_frame(self) -> pd.DataFrame:
        """One row an edge: ``source, target, edge`` with edge "directed", "undirected" or "bidirected"."""
        import pandas as pd

        return pd.DataFrame(self.edges(), columns=["source", "target", "edge"])

    def edges(self) -> list[tuple[str, str, str]]:
        """All edges as (source, target, kind), kind as in :meth:`to_frame`; directed ones first, in column order."""
        kinds: tuple[tuple[str, Callable[[], list[tuple[str, str]]]], ...] = (
            ("directed", self.directed_edges),
            ("undirected", self.undirected_edges),
            ("bidirected", self.bidirected_edges),
        )
        return [(source, target, kind) for kind, pairs in kinds for source, target in pairs()]

    def to_networkx(self, directed_only: bool = False) -> nx.Graph | nx.DiGraph:
        """A networkx graph; see :func:`pyvalue.graph_networkx.to_networkx`."""
        from pyvalue.graph_networkx import to_networkx

        return to_networkx(self, directed_only)

    @classmethod
    def from_networkx(cls, graph: Any, *, names: str | None = None) -> ValueGraph:
        """The graph of a networkx Graph or DiGraph; see :func:`pyvalue.graph_networkx.from_networkx`."""
        from pyvalue.graph_networkx import from_networkx

        return from_networkx(graph, names=names)

    def to_causallearn(self) -> Any:
        """A causal-learn ``GeneralGraph``; see :func:`pyvalue.graph_causallearn.to_causallearn`."""
        from pyvalue.graph_causallearn import to_causallearn

        return to_causallearn(self)

    @classmethod
    def from_causallearn(cls, graph: Any) -> ValueGraph:
        """The graph of a causal-learn graph; see :func:`pyvalue.graph_causallearn.from_causallearn`."""
        from pyvalue.graph_causallearn import from_causallearn

        return from_causallearn(graph)

    def to_pgmpy(self) -> Any:
        """A ``PDAG`` of pgmpy; see :func:`pyvalue.graph_pgmpy.to_pgmpy`."""
        from pyvalue.graph_pgmpy import to_pgmpy

        return to_pgmpy(self)

    @classmethod
    def from_pgmpy(cls, graph: Any) -> ValueGraph:
        """The graph of a DAG or PDAG of pgmpy; see :func:`pyvalue.graph_pgmpy.from_pgmpy`."""
        from pyvalue.graph_pgmpy import from_pgmpy

        return from_pgmpy(graph)

    def to_dot(self) -> str:
        """Graphviz source; see :func:`pyvalue.graph_dot.to_dot`."""
        from pyvalue.graph_dot import to_dot

        return to_dot(self)

    @classmethod
    def from_dot(cls, source: str | Path, *, names: str | None = None) -> ValueGraph:
        """The graph of Graphviz source, or of a file of it; see :func:`pyvalue.graph_dot.from_dot`."""
        from pyvalue.graph_dot import from_dot

        return from_dot(source, names=names)

    def to_graphml(self, path: str | Path) -> Path:
        """Write GraphML, from which nothing is lost; see :func:`pyvalue.graph_graphml.to_graphml`."""
        from pyvalue.graph_graphml import to_graphml

        return to_graphml(self, path)

    @classmethod
    def from_graphml(cls, path: str | Path, *, names: str | None = None) -> ValueGraph:
        """The graph of a GraphML file of ours or of another tool; see :func:`pyvalue.graph_graphml.from_graphml`."""
        from pyvalue.graph_graphml import from_graphml

        return from_graphml(path, names=names)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON; :meth:`from_dict` is its inverse."""
        from pyvalue.graph_json import to_dict

        return to_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> ValueGraph:
        """A graph from :meth:`to_dict`'s data. Raises ValueError where they do not describe one."""
        from pyvalue.graph_json import from_dict

        return from_dict(data)

    def save(self, path: str | Path) -> Path:
        """Write the graph as JSON: beside the target first, then renamed, so that no half-written file is left."""
        from pyvalue.graph_json import save

        return save(self, path)

    @classmethod
    def load(cls, path: str | Path) -> ValueGraph:
        """Read a graph that :meth:`save` wrote.

        Raises:
            FileNotFoundError: there is no such file.
            StoreError: the file is not a graph, or of a newer schema.
        """
        from pyvalue.graph_json import load

        return load(path)

    # -- identity ------------------------------------------------------------------------------------------------

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ValueGraph):
            return NotImplemented
        return (
            self.names == other.names
            and np.array_equal(self.marks, other.marks)
            and self.settings == other.settings
            and self.separating_sets == other.separating_sets
            and self.bootstrap == other.bootstrap
            and self.excluded == other.excluded
            and self.notes == other.notes
            and self.replicate_graphs == other.replicate_graphs
        )

    def __hash__(self) -> int:
        return hash((self.names, self.marks.tobytes(), self.settings))

    def __reduce__(self) -> tuple[Callable[[Mapping[str, Any]], ValueGraph], tuple[dict[str, Any]]]:
        return ValueGraph.from_dict, (self.to_dict(),)

    def __repr__(self) -> str:
        parts = [f"{len(self.names)} values", f"{len(self.directed_edges())} directed"]
        parts.append(f"{len(self.undirected_edges())} undirected")
        if bidirected := len(self.bidirected_edges()):
            parts.append(f"{bidirected} bidirected")
        parts += [self.settings.test, f"alpha={self.settings.alpha:g}", f"n={self.settings.n}"]
        if self.bootstrap is not None:
            parts.append(f"{self.bootstrap.replicates} replicates")
        return f"ValueGraph({', '.join(parts)})"

    # -- internals -----------------------------------------------------------------------------------------------

    def _check_replicate_graphs(self) -> None:
        if self.replicate_graphs is None:
            return
        pairs, size = self.replicate_graphs.codes.shape[1], len(self.names)
        if pairs != size * (size - 1) // 2:
            raise ValueError(f"replicate_graphs is over {self.replicate_graphs.n_values} values, names has {size}")
        if self.bootstrap is not None and self.bootstrap.replicates != len(self.replicate_graphs):
            raise ValueError(
                f"replicate_graphs has {len(self.replicate_graphs)} replicates, bootstrap has "
                f"{self.bootstrap.replicates}; both must be of the same bootstrap"
            )

    def _index(self, value: str) -> int:
        try:
            return self.names.index(value)
        except ValueError:
            raise ValueError(f"{value!r} is not in the graph; it has {', '.join(self.names)}") from None

    def _pairs(self, mask: NDArray[np.bool_]) -> list[tuple[str, str]]:
        return [(self.names[i], self.names[j]) for i, j in np.argwhere(mask)]

    def _reachable(self, value: str, step: NDArray[np.bool_]) -> frozenset[str]:
        start = self._index(value)
        seen = {start}
        ahead = [start]
        while ahead:
            for node in np.flatnonzero(step[ahead.pop()]).tolist():
                if node not in seen:
                    seen.add(node)
                    ahead.append(node)
        return frozenset(self.names[node] for node in seen - {start})


def _checked_marks(marks: ArrayLike, size: int) -> NDArray[np.int8]:
    given = np.asarray(marks)
    if given.shape != (size, size):
        raise ValueError(f"marks must have shape ({size}, {size}), one row and column a name, got {given.shape}")
    checked = given.astype(np.int8)
    if not np.array_equal(checked, given) or np.abs(checked).max(initial=0) > 1:
        raise ValueError("marks must be 0 (no edge), -1 (tail) or 1 (arrowhead)")
    if np.diagonal(checked).any() or ((checked == 0) != (checked.T == 0)).any():
        raise ValueError("marks must be 0 on the diagonal, and at both ends of a pair or at none")
    checked.setflags(write=False)
    return checked
