"""What is known about edges before the data speak: tiers, forbidden and required directions, context variables."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import Any

import numpy as np
from numpy.typing import NDArray

Flags = NDArray[np.uint8]


@dataclass(frozen=True)
class Knowledge:
    """Known directions between values. A search with it tests no pair whose edge is known to be there or not to be.

    A pair that knowledge keeps apart was never separated by a test, so it says nothing of the values between: it makes
    no collider. Values in later tiers, forbidden parents and required children are left out of the sets that are to
    separate a value, because they cannot be its parents.

    Attributes:
        tiers: groups of values in time; nothing in a later tier causes anything in an earlier one. Values in no tier
            are free.
        forbidden: pairs (a, b): not a → b. With (b, a) as well there is no edge.
        required: pairs (a, b): a → b, whatever the tests say.
        context: variables set from outside, such as an edit or a language: nothing causes them, and there is no edge
            and no test between two of them (assumptions 1-3 of Joint Causal Inference, Mooij, Magliacane & Claassen
            2020, JMLR 21).

    Example:
        >>> Knowledge(tiers=[["age"], ["Security", "Power"]], required=[("Security", "Power")])
        Knowledge(tiers=(('age',), ('Security', 'Power')), forbidden=(), required=(('Security', 'Power'),), context=())
    """

    tiers: Sequence[Sequence[str]] = ()
    forbidden: Sequence[tuple[str, str]] = ()
    required: Sequence[tuple[str, str]] = ()
    context: Sequence[str] = ()

    def __post_init__(self) -> None:
        set_ = object.__setattr__
        set_(self, "tiers", tuple(_names("tiers", tier) for tier in _sequence("tiers", self.tiers)))
        set_(self, "forbidden", tuple(_pair("forbidden", pair) for pair in _sequence("forbidden", self.forbidden)))
        set_(self, "required", tuple(_pair("required", pair) for pair in _sequence("required", self.required)))
        set_(self, "context", _names("context", self.context))
        seen: set[str] = set()
        for name in (name for tier in self.tiers for name in tier):
            if name in seen:
                raise ValueError(f"tiers must have every value once, got {name!r} twice")
            seen.add(name)

    def __bool__(self) -> bool:
        return bool(self.tiers or self.forbidden or self.required or self.context)

    def matrices(self, names: Sequence[str], excluded: Collection[str] = ()) -> tuple[Flags, Flags]:
        """Forbidden and required directions as flags (d, d): [i, j] speaks of names[i] → names[j].

        Args:
            names: the d values of the search.
            excluded: values that were left out of it; what is known of them is passed over.

        Raises:
            ValueError: a name is unknown, a direction is both required and forbidden, or the required ones make a
                cycle.
        """
        at = {name: index for index, name in enumerate(names)}
        for name in self._mentioned():
            if name not in at and name not in excluded:
                raise ValueError(f"knowledge names {name!r}, which is no column; the columns are {', '.join(names)}")
        forbidden, required = np.zeros((2, len(names), len(names)), dtype=np.uint8)
        tier_of = {at[name]: level for level, tier in enumerate(self.tiers) for name in tier if name in at}
        for i, level in tier_of.items():
            for j, other in tier_of.items():
                forbidden[i, j] |= level > other
        context = [at[name] for name in self.context if name in at]
        forbidden[:, context] = 1
        np.fill_diagonal(forbidden, 0)
        for flags, pairs in ((forbidden, self.forbidden), (required, self.required)):
            for a, b in pairs:
                if a in at and b in at:
                    flags[at[a], at[b]] = 1
        self._check(forbidden, required, names)
        return forbidden, required

    def _mentioned(self) -> list[str]:
        groups = (*self.tiers, *self.forbidden, *self.required, self.context)
        return [name for group in groups for name in group]

    def _check(self, forbidden: Flags, required: Flags, names: Sequence[str]) -> None:
        for i, j in np.argwhere(required & forbidden):
            raise ValueError(
                f"knowledge requires {names[i]!r} → {names[j]!r}, which its tiers, forbidden pairs or context forbid; "
                "drop one of the two"
            )
        ways = {int(j): set(np.flatnonzero(required[:, j]).tolist()) for j in range(len(names))}
        try:
            TopologicalSorter(ways).prepare()
        except CycleError as error:
            cycle = " → ".join(repr(names[index]) for index in error.args[1])
            raise ValueError(f"knowledge requires a cycle: {cycle}; drop one of these directions") from None


_PAIRS = '[("age", "Power")]'


def _sequence(argument: str, value: Any) -> Sequence[Any]:
    if isinstance(value, str) or not isinstance(value, Sequence):
        examples = {"tiers": '[["age"], ["Power"]]', "context": '["age"]'}
        raise TypeError(f"{argument} must be a list such as {examples.get(argument, _PAIRS)}, got {value!r}")
    return value


def _names(argument: str, value: Any) -> tuple[str, ...]:
    names = tuple(_sequence(argument, value))
    if not all(isinstance(name, str) for name in names):
        raise TypeError(f"{argument} must name values by strings, got {value!r}")
    return names


def _pair(argument: str, value: Any) -> tuple[str, str]:
    names = _names(argument, value)
    if len(names) != 2 or names[0] == names[1]:
        raise ValueError(f"{argument} must hold pairs (cause, effect) of two values, got {value!r}")
    return names[0], names[1]
