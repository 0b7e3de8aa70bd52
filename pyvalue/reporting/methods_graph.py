"""Sentences of the methods paragraph on how the graph was learnt, compared and turned into effects."""

from __future__ import annotations

import re

from pyvalue.effects.value_effects import Effects
from pyvalue.evaluation.graph_distance import GraphDistance
from pyvalue.graph import ValueGraph
from pyvalue.reporting.graph_summary import was_averaged, was_given
from pyvalue.reporting.methods_answers import Sentence
from pyvalue.reporting.wording import count, listed

#: name of a test -> what it is, and works that it is from
_TESTS: dict[str, tuple[str, tuple[str, ...]]] = {
    "fisherz": ("Fisher’s z of partial correlations", ()),
    "spearman": ("Fisher’s z of partial correlations from Spearman’s ρ", ()),
    "polychoric": ("Fisher’s z of partial correlations from polychoric ones", ()),
    "chisq": ("Pearson’s χ² test", ()),
    "gsq": ("the G² test", ()),
    "degenerate_gaussian": ("the degenerate Gaussian likelihood ratio", ("degenerate",)),
    "rcot": ("the randomized conditional correlation test RCoT", ("rcot",)),
}
_DROPPED = re.compile(r"dropped (\d+) of (\d+) rows with missing")
_COLLIDERS = {
    "sepset": ("by the separating sets that were found", ()),
    "maxp": ("by the largest p-value", ()),
    "definite-maxp": ("by the largest p-value where it is definite", ()),
    "conservative": ("by the conservative rule", ("conservative",)),
    "majority": ("by the majority rule", ("stable",)),
}
_SCHEMES = {
    "bootstrap": ("bootstrap replicates, drawn with replacement", ("bootstrap",)),
    "m-of-n": ("m-out-of-n bootstrap replicates", ("bootstrap",)),
    "subsample": ("subsamples without replacement", ("subsample",)),
    "complementary-pairs": ("complementary halves", ("pairs",)),
    "naive": ("bootstrap replicates whose tests were told of all rows, which finds false edges too often",
              ("bootstrap",)),
}  # fmt: skip


def graph_sentences(graph: ValueGraph | None) -> list[Sentence]:
    """The search, its tests, its replicates; of a graph that was given, that it was."""
    if graph is None:
        return []
    settings = graph.settings
    values = count(len(graph.names), "value")
    if was_given(graph):
        return [(f"The value graph over {values} was given and not learnt ({settings.test_reason}).", ())]
    test, works = _TESTS.get(settings.test, (f"a test of the user’s own, {settings.test}", ()))
    reference = settings.backend == "causal-learn"
    engine = " in its implementation by causal-learn" if reference else ""
    own = ("causal-learn",) if reference else ()
    text = (
        f"The value graph over {values} was learnt from {count(settings.n, 'row')} by the PC-stable algorithm{engine}"
    )
    text += f", testing conditional independence by {test} at α = {settings.alpha:g}"
    if settings.max_depth is not None:
        text += f" given at most {count(settings.max_depth, 'other value')}"
    rule, rule_works = _COLLIDERS.get(settings.uc_rule, (f"by the rule {settings.uc_rule}", ()))
    said: list[Sentence] = [
        (f"{text}.", ("pc", "stable", *works, *own)),
        (f"Colliders were told {rule} (where two disagree, priority {settings.uc_priority} of causal-learn), other "
         "directions by Meek’s rules.", (*rule_works, "meek")),
    ]  # fmt: skip
    said += _missing_data(graph)
    if settings.cluster and settings.effective_n is not None:
        shared = " or ".join(map(_with_article, settings.cluster))
        text = f"Rows that share {shared} are not independent: the tests were told of {settings.effective_n:.0f} "
        works = ("clusters",) if len(settings.cluster) == 1 else ("clusters", "two-way")
        said.append((f"{text}effective rows.", works))
    if settings.knowledge:
        said.append(("Background knowledge of edges was given to the search.", ()))
    if settings.replicates:
        scheme, works = _SCHEMES.get(settings.scheme or "", (f"replicates ({settings.scheme})", ()))
        size = f" of {count(settings.replicate_size, 'row')}" if settings.replicate_size else ""
        worth = ""
        if settings.replicate_effective_n is not None and settings.scheme != "naive":
            worth = f"; tests in a replicate were told of {settings.replicate_effective_n:.0f} rows"
        said.append((f"The strength of an edge is its share of {settings.replicates:,} {scheme}{size} (seed "
                     f"{settings.seed}){worth}.", works))  # fmt: skip
        if graph.bootstrap is not None and graph.edges():
            said.append((f"Edges in more than {graph.strength_threshold():.1%} of them count as significant.",
                         ("threshold",)))  # fmt: skip
        if was_averaged(graph):
            ensemble = any(note.startswith("ensemble of ") for note in graph.notes)
            said.append(("Its edges and directions are those that replicates agree on, by the rule in the notes." if
                         ensemble else "The graph is averaged over these replicates: it has the significant edges, in "
                         "the directions that most of them give, turned into a graph without cycles.", ()))  # fmt: skip
    else:
        said.append(("The stability of its edges was not assessed by resampling.", ()))
    return said


def _missing_data(graph: ValueGraph) -> list[Sentence]:
    """The rule for empty cells, where there were such."""
    dropped = [match for note in graph.notes if (match := _DROPPED.match(note))]
    if dropped:
        left, rows = dropped[0].groups()
        return [(f"{left} of {rows} rows had missing entries and were left out.", ())]
    if any(note.startswith("tests leave out rows in which one of their values is missing") for note in graph.notes):
        return [("Rows with missing entries were left out of those tests that need the missing entry (test-wise "
                 "deletion).", ())]  # fmt: skip
    return []


def _with_article(name: str) -> str:
    return f"{'an' if name[:1].lower() in tuple('aeiou') else 'a'} {name}"


def distance_sentences(distance: GraphDistance | None) -> list[Sentence]:
    """How two graphs were compared."""
    if distance is None:
        return []
    measures = ["the structural Hamming distance", "precision, recall and F1 of joined pairs and of arrows"]
    works: tuple[str, ...] = ()
    if distance.parent_aid is not None:
        measures.append("adjustment identification distances")
        works = ("aid",)
    return [(f"Two graphs were compared over {count(len(distance.names), 'value')} by {listed(measures)}.", works)]


def effect_sentences(effects: Effects | None, several_targets: bool = False) -> list[Sentence]:
    """How total effects were estimated.

    Args:
        effects: by the graph.
        several_targets: whether several values are steered at once.
    """
    if effects is None:
        return []
    facts = effects.facts
    text = "Total effects by the graph were estimated by IDA: for every set of parents that the graph allows, the "
    text += f"regression coefficient given these, from {count(facts['rows'], 'row')}"
    if facts.get("means", 1) > 1:
        text += f", within {facts['means']} edits"
    works = ("ida", "joint") if several_targets else ("ida",)
    return [
        (f"{text}.", works),
        (f"Their {facts['confidence']:.0%} intervals are Student’s t with the larger of the standard errors by "
         f"{facts['resamples']:,} bootstrap resamples and by a jackknife over {facts['clusters']:,} clusters (seed "
         f"{facts['seed']}), outermost over these sets; the graph was held fixed.", ()),
    ]  # fmt: skip
