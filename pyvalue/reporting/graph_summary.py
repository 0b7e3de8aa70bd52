"""What a value graph says, and how far to trust it, in sentences computed from its marks and settings."""

from __future__ import annotations

from pyvalue.effects.graph_soundness import graph_soundness
from pyvalue.effects.valid_parents import most_directed
from pyvalue.graph import ValueGraph
from pyvalue.reporting.wording import count

#: scheme -> what its replicates are called
_REPLICATES = {"subsample": "subsamples", "complementary-pairs": "complementary halves"}


def was_given(graph: ValueGraph) -> bool:
    """Whether no search found it: it was drawn by hand or is from another library."""
    return graph.settings.backend == "given" or not graph.settings.n


def was_averaged(graph: ValueGraph) -> bool:
    """Whether its edges are what replicates agree on, and not those of a search in all rows."""
    return any(note.startswith(("averaged over ", "ensemble of ")) for note in graph.notes)


def drawn_from(graph: ValueGraph) -> str:
    """`` in all rows``, `` by most replicates``: where an arrow of the picture was found."""
    if was_given(graph) or graph.bootstrap is None:
        return ""
    return " by most replicates that have the edge" if was_averaged(graph) else " in all rows"


def replicates(graph: ValueGraph, number: int | None = None) -> str:
    """``1,000 bootstrap replicates``, ``50 subsamples``: what the strengths of edges are shares of.

    Args:
        graph: with or without replicates.
        number: of them; default none is written.
    """
    many = _REPLICATES.get(graph.settings.scheme or "", "bootstrap replicates")
    return many if number is None else f"{number:,} {many}"


def describe_graph(graph: ValueGraph) -> str:
    """What the search found, and how far to trust it; of a graph that was given, what it holds."""
    return _describe_given(graph) if was_given(graph) else _describe_learnt(graph)


def _describe_given(graph: ValueGraph) -> str:
    arrows, lines, both = len(graph.directed_edges()), len(graph.undirected_edges()), len(graph.bidirected_edges())
    edges = [count(arrows, "arrow")]
    edges += [f"{count(lines, 'plain line')} (direction open)"] if lines else []
    edges += [f"{count(both, 'edge')} with two arrowheads (a common cause outside of the graph)"] if both else []
    origin = graph.settings.test_reason
    source = f" ({origin})" if origin not in ("", "given", "as asked") else ""
    text = (
        f"The graph was given{source} and not learnt from answers: {' and '.join(edges)} between "
        f"{count(len(graph.names), 'value')}."
    )
    if graph.bidirected_edges():
        return text
    sound = graph_soundness(graph)
    return text if sound.extendable else f"{text} {sound.reason[:1].upper()}{sound.reason[1:]}."


def _describe_learnt(graph: ValueGraph) -> str:
    arrows, lines, both = len(graph.directed_edges()), len(graph.undirected_edges()), len(graph.bidirected_edges())
    settings = graph.settings
    worth = ""
    if settings.cluster and settings.effective_n is not None:
        worth = f" (worth {settings.effective_n:.0f} independent ones, by {' and '.join(settings.cluster)})"
    text = (
        f"From {count(settings.n, 'row')}{worth} the search by {settings.test} at α = {settings.alpha:g} found "
        f"{count(arrows, 'arrow')} (a causal direction follows from the data) and {count(lines, 'plain line')} "
        f"(joined, direction not determined) between {count(len(graph.names), 'value')}."
    )
    if both:
        text += f" {count(both, 'edge')} got two arrowheads: the tests contradict each other there."
    if most_directed(graph.marks) is None:
        text += " No causal graph without hidden causes fits all the marks at once, so directions deserve little trust."
    elif not settings.knowledge and not graph.is_valid_cpdag():
        text += (
            " Some causal graph fits the marks, but not by the rules of the search, so directions deserve less trust."
        )
    if graph.bootstrap is None:
        return text + " It was made without a bootstrap, so nothing is known of how stable its edges are."
    table = graph.strengths()
    edges = table[table["in_graph"]]
    if len(edges):
        best, weak = edges.iloc[0], int((edges["strength"] < 0.5).sum())
        text += (
            f" The most stable edge joins {best['source']} and {best['target']}, in {best['strength']:.0%} of "
            f"{replicates(graph, graph.bootstrap.replicates)}."
        )
        if weak:
            verb = "was" if weak == 1 else "were"
            text += f" {count(weak, 'edge')} {verb} in fewer than half of them and may be chance."
    return text
