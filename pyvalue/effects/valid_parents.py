"""Which values can be the parents of a value, by a graph that leaves some edges undirected.

Every DAG of the class that a graph stands for gives a value a set of parents; here the sets that occur are listed
without listing the DAGs. Marks are those of :class:`pyvalue.graph.ValueGraph`. Nothing is estimated here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from pyvalue.cpdag import Marks, consistent_extension, cpdag_of_dag, is_cpdag
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
    closed, local = _class(marks)
    return [_alone(closed, node, parents) for parents in _sets(closed, node, local, limit)]


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
        TooManySetsError: there are more than ``limit`` combinations.
    """
    if len(set(nodes)) != len(nodes):
        raise ValueError(f"nodes: expected distinct values, got {list(nodes)}")
    if len(nodes) == 1:
        return valid_parent_sets(marks, nodes[0], limit=limit)
    closed, local = _class(marks)
    found: list[ParentSets] = []
    for graph in _oriented(closed, list(nodes), local, limit):
        found.append(determined_sets(graph, nodes))
        if len(found) > limit:
            raise TooManySetsError(f"{len(nodes)} values have more than {limit} combinations of sets of parents")
    return found


def determined_sets(marks: Marks, nodes: Sequence[int]) -> ParentSets:
    """The sets of values that have no undirected edge: their directed parents."""
    parents = tuple(tuple(np.flatnonzero(_arrows(marks)[:, node]).tolist()) for node in nodes)
    reached = [_reached(marks, node) for node in nodes]
    past = [_reached(_without(marks, [other for other in nodes if other != node]), node) for node in nodes]
    return ParentSets(parents, np.array(reached), np.array(past))


def _class(marks: Marks) -> tuple[Marks, bool]:
    """The graph with all that it compels, and whether it is a CPDAG, so that sets can be told by their neighbours."""
    known = _known_class(np.ascontiguousarray(marks, dtype=np.int8).tobytes(), len(marks))
    if known is None:
        raise ValueError("marks: expected a graph that extends to a DAG; see graph_soundness")
    return known


@lru_cache(maxsize=8)  # the values of a graph ask for it one after another
def _known_class(entries: bytes, d: int) -> tuple[Marks, bool] | None:
    marks = np.frombuffer(entries, dtype=np.int8).reshape(d, d)
    closed = most_directed(marks)
    return None if closed is None else (closed, is_cpdag(marks))


def _sets(closed: Marks, node: int, local: bool, limit: int) -> list[tuple[int, ...]]:
    arrows, adjacent = _arrows(closed), closed != 0
    sure = np.flatnonzero(arrows[:, node])
    undirected = np.flatnonzero((closed[node] == -1) & (closed[:, node] == -1)).tolist()
    open_ = [k for k in undirected if adjacent[k, sure].all()]
    found = []
    for chosen in _cliques(adjacent, open_):
        if not local and consistent_extension(_orient(closed, node, chosen)) is None:
            continue
        found.append(tuple(sorted([*sure.tolist(), *chosen])))
        if len(found) > limit:
            raise TooManySetsError(
                f"a value with {len(open_)} undirected neighbours has more than {limit} sets of parents"
            )
    return found


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


def _oriented(marks: Marks, nodes: list[int], local: bool, limit: int) -> Iterator[Marks]:
    """The graphs, closed under Meek's rules, in which the edges at all nodes are directed."""
    if not nodes:
        yield marks
        return
    for parents in _sets(marks, nodes[0], local, limit):
        closed = most_directed(_orient(marks, nodes[0], parents))
        if closed is not None:
            yield from _oriented(closed, nodes[1:], False, limit)


def _alone(closed: Marks, node: int, parents: tuple[int, ...]) -> ParentSets:
    # No DAG has a path from a value to its parents, so that what lies behind them alone is out of reach.
    reached = _reached(_without(_orient(closed, node, parents), parents), node)[None]
    return ParentSets((parents,), reached, reached)


def _without(marks: Marks, nodes: Sequence[int]) -> Marks:
    """The graph without the edges at these nodes."""
    left = marks.copy()
    left[list(nodes), :] = left[:, list(nodes)] = 0
    return left


def _arrows(marks: Marks) -> Mask:
    arrows: Mask = (marks == -1) & (marks.T == 1)
    return arrows


def _reached(marks: Marks, node: int) -> Mask:
    """(d,) whether a possibly directed path leads from the node to each, itself included."""
    step = (marks == -1) & (marks.T != 0)
    seen = np.zeros(len(marks), dtype=bool)
    seen[node] = True
    ahead = seen
    while ahead.any():
        ahead = step[ahead].any(axis=0) & ~seen
        seen = seen | ahead
    return seen
