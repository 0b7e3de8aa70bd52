"""Which values can be the parents of a value, by a graph that leaves some edges undirected.

Every DAG of the class that a graph stands for gives a value a set of parents; here the sets that occur are listed
without listing the DAGs. Marks are those of :class:`pyvalue.graph.ValueGraph`. Nothing is estimated here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from math import factorial, prod

import numpy as np
from numpy.typing import NDArray

from pyvalue.cpdag import Marks, consistent_extension, cpdag_of_dag, is_cpdag
from pyvalue.effects.causal_relations import reached_over
from pyvalue.errors import PyvalueError

Mask = NDArray[np.bool_]

#: sets of one value, or of several jointly, above which they are not listed
MAX_SETS = 4096


class TooManySetsError(PyvalueError):
    """A value, or several jointly, can have more sets of parents than are listed."""


@dataclass(frozen=True, eq=False)
class ParentSets:
    """Parents of one or more values in some DAGs of the class.

    Attributes:
        parents: of each of the k values, in ascending order.
        reached: (k, d) values that each can have an effect on where it has these parents; all others it has none on.
            The value itself is among them.
        past_others: (k, d) the same while the other values are held: over paths that none of them lies on.
    """

    parents: tuple[tuple[int, ...], ...]
    reached: Mask = field(repr=False)
    past_others: Mask = field(repr=False)


def most_directed(marks: Marks) -> Marks | None:
    """The graph with every direction that its arrows and colliders compel, or None where no DAG agrees with it.

    A CPDAG comes back as it is; a graph with background knowledge is completed by Meek's (1995) four rules.
    """
    if ((marks == 1) & (marks.T == 1)).any():
        return None
    dag = consistent_extension(marks)
    return None if dag is None else cpdag_of_dag(dag, known=(marks == -1) & (marks.T == 1))


def valid_parent_sets(marks: Marks, node: int, *, limit: int = MAX_SETS) -> list[ParentSets]:
    """Every set of parents that the value has in some DAG of the class, each once.

    A set is the directed parents and a subset of the undirected neighbours. In a CPDAG it occurs if it makes no new
    unshielded collider at the value (Maathuis, Kalisch & Bühlmann 2009, lemma 3.1); in a graph with background
    knowledge if, besides, the directions that it gives to the edges at the value extend to a DAG (Perković, Kalisch &
    Maathuis 2017, semi-local IDA).

    Such a subset is a clique of the neighbours, so that only cliques are listed: a star of 20 neighbours has 21.

    Args:
        marks: (d, d) marks of a graph that extends to a DAG; see ``most_directed``.
        node: column number of the value.
        limit: of the number of sets.

    Raises:
        ValueError: no DAG agrees with the graph.
        TooManySetsError: there are more than ``limit`` sets.
    """
    found = _class(marks)
    return [_alone(found, node, parents) for parents in _sets(found.marks, node, found.local, limit)]


def joint_parent_sets(marks: Marks, nodes: Sequence[int], *, limit: int = MAX_SETS) -> list[ParentSets]:
    """Every combination of sets of parents that several values have together in some DAG of the class, each once.

    One value after the other is given its sets, and Meek's rules carry the directions on to the next (the combinations
    of Nandy, Maathuis & Richardson 2017; found as in Perković et al. 2017).

    Args:
        marks: as in ``valid_parent_sets``.
        nodes: column numbers of k distinct values.
        limit: of the number of combinations.

    Raises:
        ValueError: no DAG agrees with the graph, or a value comes twice.
        TooManySetsError: there are more than ``limit`` combinations. Where the values are in a large clique, that is
            said before any is listed.
    """
    if len(set(nodes)) != len(nodes):
        raise ValueError(f"nodes: expected distinct values, got {list(nodes)}")
    if len(nodes) == 1:
        return valid_parent_sets(marks, nodes[0], limit=limit)
    told = f"{len(nodes)} values have more than {limit} combinations of sets of parents"
    class_ = _class(marks)
    if class_.local and _least_combinations(class_.marks, nodes) > limit:
        raise TooManySetsError(told)
    found: list[ParentSets] = []
    for graph in _oriented(class_.marks, list(nodes)):
        found.append(_sets_by_steps(graph, nodes, _arrows(graph)))
        if len(found) > limit:
            raise TooManySetsError(told)
    return found


def determined_sets(marks: Marks, nodes: Sequence[int]) -> ParentSets:
    """The sets of values that have no undirected edge, in a graph that no DAG need agree with: directed parents."""
    return _sets_by_steps(marks, nodes, (marks == -1) & (marks.T != 0))


def _sets_by_steps(marks: Marks, nodes: Sequence[int], step: Mask) -> ParentSets:
    """Directed parents, and what steps lead to. In a graph with all that it compels, arrows are enough: what follows
    from a value without undirected edges in some DAG does so over arrows (see ``reached_over``)."""
    parents = tuple(tuple(np.flatnonzero(_arrows(marks)[:, node]).tolist()) for node in nodes)
    reached = [_reached(step, node) for node in nodes]
    past = []
    for node in nodes:
        others = [other for other in nodes if other != node]
        left = step.copy()
        left[others, :] = left[:, others] = False
        past.append(_reached(left, node))
    return ParentSets(parents, np.array(reached), np.array(past))


@dataclass(frozen=True, eq=False)
class _Class:
    """The graph with all that it compels, whether it is a CPDAG, whose sets neighbours tell, and ``reached_over``."""

    marks: Marks
    local: bool
    over: Mask


def _class(marks: Marks) -> _Class:
    known = _known_class(np.ascontiguousarray(marks, dtype=np.int8).tobytes(), len(marks))
    if known is None:
        raise ValueError("marks: expected a graph that extends to a DAG; see graph_soundness")
    return known


@lru_cache(maxsize=8)  # the values of a graph ask for it one after another
def _known_class(entries: bytes, d: int) -> _Class | None:
    marks = np.frombuffer(entries, dtype=np.int8).reshape(d, d)
    closed = most_directed(marks)
    return None if closed is None else _Class(closed, is_cpdag(marks), reached_over(closed))


def _sets(closed: Marks, node: int, local: bool, limit: int) -> list[tuple[int, ...]]:
    sure = np.flatnonzero(_arrows(closed)[:, node]).tolist()
    found = []
    for chosen in _candidates(closed, node):
        if not local and consistent_extension(_orient(closed, node, chosen)) is None:
            continue
        found.append(tuple(sorted([*sure, *chosen])))
        if len(found) > limit:
            open_ = int(((closed[node] == -1) & (closed[:, node] == -1)).sum())
            raise TooManySetsError(f"a value with {open_} undirected neighbours has more than {limit} sets of parents")
    return found


def _candidates(closed: Marks, node: int) -> Iterator[tuple[int, ...]]:
    """Undirected neighbours that can be parents together without a new unshielded collider."""
    adjacent = closed != 0
    sure = np.flatnonzero(_arrows(closed)[:, node])
    undirected = np.flatnonzero((closed[node] == -1) & (closed[:, node] == -1)).tolist()
    return _cliques(adjacent, [k for k in undirected if adjacent[k, sure].all()])


def _least_combinations(closed: Marks, nodes: Sequence[int]) -> int:
    """A number that the combinations of a CPDAG are at least.

    Undirected components are turned independently. In one, a clique can be put in any order, so that k of the values
    in a clique of m have at least k! (k + 1)^(m - k) combinations: the order of the k, and of every other between
    which of them it comes.
    """
    import networkx as nx

    loose = nx.from_numpy_array(np.triu((closed == -1) & (closed.T == -1)))
    counts = []
    for part in nx.connected_components(loose):
        inside = part & set(nodes)
        if inside:
            cliques = [set(clique) for clique in nx.find_cliques(loose.subgraph(part))]
            counts.append(max(_orders(len(clique & inside), len(clique)) for clique in cliques))
    return prod(counts)


def _orders(k: int, m: int) -> int:
    return factorial(k) * int((k + 1) ** (m - k))


def _cliques(adjacent: Mask, nodes: list[int], inside: tuple[int, ...] = ()) -> Iterator[tuple[int, ...]]:
    """Every set of nodes that are all adjacent, the empty one first."""
    yield inside
    for place, node in enumerate(nodes):
        yield from _cliques(adjacent, [k for k in nodes[place + 1 :] if adjacent[node, k]], (*inside, node))


def _orient(marks: Marks, node: int, parents: Sequence[int]) -> Marks:
    """The graph with the undirected edges at the node turned: from ``parents`` into it, and out of it to the rest."""
    turned = marks.copy()
    for other in np.flatnonzero((marks[node] == -1) & (marks[:, node] == -1)).tolist():
        end = (node, other) if other in parents else (other, node)
        turned[end] = 1
    return turned


def _oriented(marks: Marks, nodes: list[int]) -> Iterator[Marks]:
    """The graphs, closed under Meek's rules, in which the edges at all nodes are directed."""
    if not nodes:
        yield marks
        return
    for chosen in _candidates(marks, nodes[0]):
        closed = most_directed(_orient(marks, nodes[0], chosen))
        if closed is not None:
            yield from _oriented(closed, nodes[1:])


def _alone(found: _Class, node: int, parents: tuple[int, ...]) -> ParentSets:
    out = (found.marks[node] == -1) & ~np.isin(np.arange(len(found.marks)), parents)
    reached = found.over[node, out].any(axis=0)[None]
    reached[0, node] = True
    return ParentSets((parents,), reached, reached)


def _arrows(marks: Marks) -> Mask:
    arrows: Mask = (marks == -1) & (marks.T == 1)
    return arrows


def _reached(step: Mask, node: int) -> Mask:
    """(d,) whether steps lead from the node to each, itself included."""
    seen = np.zeros(len(step), dtype=bool)
    seen[node] = True
    ahead = seen
    while ahead.any():
        ahead = step[ahead].any(axis=0) & ~seen
        seen = seen | ahead
    return seen
