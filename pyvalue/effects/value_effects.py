"""Total effects of values on each other, and what they say of a planned change. Nothing is estimated here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pyvalue.effects.effect_bootstrap import reach
from pyvalue.effects.joint_ida import joint_effects
from pyvalue.effects.valid_parents import ParentSets, determined_sets, joint_parent_sets
from pyvalue.graph import ValueGraph

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class Effects:
    """Total effects of d values on each other; row = cause, column = effect, 1 on the diagonal.

    An effect is what is added to one value when one unit is added to another. It is exactly 0 where the graph has no
    possibly directed path, and NaN where it cannot be computed; ``notes`` says why.

    Attributes:
        minimum: (d, d) least effect over the valid sets of parents of the cause.
        maximum: (d, d) largest; the same where there is a single set.
        low: (d, d) least lower end of the intervals of the effects over these sets.
        high: (d, d) largest upper end.
        graph: that the effects are by.
        covariance: (d, d) of the rows; NaN at values that they lack.
        replicates: (R, d, d) of resampled rows.
        left_out: (C, d, d) without one cluster each; none with many clusters.
        facts: what the effects were estimated from and how.
        notes: what could not be computed and what was left out.
    """

    minimum: Floats
    maximum: Floats
    low: Floats
    high: Floats
    graph: ValueGraph
    covariance: Floats
    replicates: Floats
    left_out: Floats
    facts: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The d values, those of the graph."""
        return self.graph.names

    @property
    def covariances(self) -> tuple[Floats, Floats, Floats]:
        """Of all rows (d, d), of resamples, and without one cluster each."""
        return self.covariance, self.replicates, self.left_out

    def table(self) -> pd.DataFrame:
        """One row an ordered pair: ``source, target, relation, minimum, maximum, low, high, sets``.

        ``relation`` is "definite" where a directed path leads from source to target, "possible" where only a possibly
        directed one does, "none" otherwise. ``sets`` counts the valid sets of parents of the source; 0 where none
        could be listed.
        """
        import pandas as pd

        relation = self.relations()
        sets = self.facts["sets"]
        rows = [
            {
                "source": a,
                "target": b,
                "relation": str(relation[i, j]),
                **{name: float(getattr(self, name)[i, j]) for name in ("minimum", "maximum", "low", "high")},
                "sets": sets[a],
            }
            for i, a in enumerate(self.names)
            for j, b in enumerate(self.names)
            if i != j
        ]
        columns = ["source", "target", "relation", "minimum", "maximum", "low", "high", "sets"]
        return pd.DataFrame(rows, columns=columns)

    def relations(self) -> NDArray[np.str_]:
        """(d, d) "definite", "possible" or "none" by the graph; "self" on the diagonal."""
        found = np.full((len(self.names), len(self.names)), "none", dtype="<U8")
        for i, name in enumerate(self.names):
            possible, definite = self.graph.possible_descendants(name), self.graph.definite_descendants(name)
            found[i, [b in possible for b in self.names]] = "possible"
            found[i, [b in definite for b in self.names]] = "definite"
            found[i, i] = "self"
        return found

    def predict(self, change: Mapping[str, float]) -> pd.DataFrame:
        """What happens to every value when some are changed by these amounts, and held there.

        Several values at once by joint IDA: paths from one of them through another do not count twice, because the
        other is held.

        Args:
            change: value to the amount added, in the units of the effects.

        Returns:
            One row a value in the order of ``names``: ``value, minimum, maximum, low, high``, the range over valid sets
            of parents and the same widened by the bootstrap. The changed values have the given amounts.

        Raises:
            ValueError: no value, an unknown one, or an amount that is not finite.
            TooManySetsError: the values have too many sets of parents together; change fewer.
        """
        import pandas as pd

        causes, amounts = _checked_change(change, self.names)
        sets = listed_sets(self.graph, causes, self.facts["determined"])
        ranges = np.full((4, len(self.names)), np.nan)
        if sets:
            stacks = (tuple(amounts @ joint_effects(c, causes, one) for c in self.covariances) for one in sets)
            ranges = effect_ranges(stacks, self.facts["worth"], self.facts["confidence"])
        ranges[:, causes] = amounts
        return pd.DataFrame(
            {"value": self.names, **dict(zip(("minimum", "maximum", "low", "high"), ranges, strict=True))}
        )

    def to_dict(self) -> dict[str, Any]:
        """JSON-able, and all that :meth:`from_dict` needs."""
        from pyvalue.effects.effects_json import to_dict

        return to_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Effects:
        """Effects from :meth:`to_dict`'s data. Raises ValueError where they do not describe some."""
        from pyvalue.effects.effects_json import from_dict

        return from_dict(data)

    def save(self, path: str | Path) -> Path:
        """Write JSON, whole or not at all."""
        from pyvalue.effects.effects_json import save

        return save(self, path)

    @classmethod
    def load(cls, path: str | Path) -> Effects:
        """Read what :meth:`save` wrote; StoreError where the file is something else."""
        from pyvalue.effects.effects_json import load

        return load(path)

    def __repr__(self) -> str:
        known = np.isfinite(self.minimum).all(axis=1)
        open_ = sum(self.facts["sets"][name] > 1 for name in self.names)
        return (
            f"Effects({len(self.names)} values, {int(known.sum())} with effects, {open_} with several sets of parents, "
            f"{self.facts['rows']} rows in {self.facts['clusters']} clusters, {len(self.replicates)} resamples)"
        )


def listed_sets(graph: ValueGraph, causes: list[int], determined: Sequence[str] | None) -> list[ParentSets]:
    """Sets of parents of the causes; none where the graph does not tell them.

    Args:
        graph: that some DAG agrees with, or not.
        causes: column numbers.
        determined: values with certain parents where no DAG agrees with the graph, else None.
    """
    if determined is None:
        return joint_parent_sets(graph.marks, causes)
    if not all(graph.names[i] in determined for i in causes):
        return []
    return [determined_sets(graph.marks, causes)]


def effect_ranges(stacks: Iterable[tuple[Floats, ...]], worth: float, confidence: float) -> Floats:
    """(4, d) minimum, maximum, low, high over sets of parents; NaN where one of them has no answer.

    Args:
        stacks: of each set, what ``reach`` takes: estimates over all rows, resamples, and without one cluster each. One
            is held at a time.
        worth: of the clusters.
        confidence: of the intervals.
    """
    ends = []
    for point, replicates, left_out in stacks:
        width = reach(point, replicates, left_out, worth, confidence)
        ends.append((point, point - width, point + width))
    points, lows, highs = np.array(ends).swapaxes(0, 1)
    return np.array([points.min(axis=0), points.max(axis=0), lows.min(axis=0), highs.max(axis=0)])


def _checked_change(change: Mapping[str, float], names: tuple[str, ...]) -> tuple[list[int], Floats]:
    if not change:
        raise ValueError("change: expected at least one value with the amount added, got none")
    unknown = [name for name in change if name not in names]
    if unknown:
        raise ValueError(f"change: expected values among {', '.join(names)}, got {', '.join(map(repr, unknown))}")
    amounts = np.array([float(amount) for amount in change.values()])
    if not np.isfinite(amounts).all():
        raise ValueError(f"change: expected finite amounts, got {dict(change)}")
    return [names.index(name) for name in change], amounts
