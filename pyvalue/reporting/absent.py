"""What a report lacks: what an unfinished run is still to make, and what was neither given nor expected."""

from __future__ import annotations

from pyvalue.reporting.parts import Parts

#: field of ``Parts`` -> what it is called, and the word by which a sentence on an unfinished run is about it
_KINDS = {
    "responses": ("answers", "answered"),
    "graph": ("a value graph", "graph.json"),
    "plan": ("a steering plan", "plan.json"),
    "evaluation": ("an evaluation", "evaluation.json"),
}
#: said where the run is still to make it
NOT_YET = "This run has not made it yet."


def awaited(given: Parts, field: str) -> bool:
    """Whether an unfinished run is still to make a part."""
    return not getattr(given, field) and any(_KINDS[field][1] in sentence for sentence in given.missing)


def absent(given: Parts) -> list[str]:
    """Of answers, graph, plan and evaluation those that the report does not have and that nobody waits for."""
    return [name for field, (name, _) in _KINDS.items() if not getattr(given, field) and not awaited(given, field)]
