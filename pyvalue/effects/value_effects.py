"""Total effects of values on each other, and what they say of a planned change. Nothing is estimated here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pyvalue.effects.causal_relations import relations, relations_by_paths
from pyvalue.effects.effect_ranges import Ranges, listed_sets
from pyvalue.effects.ida import coefficients
from pyvalue.effects.joint_ida import past_each_other
from pyvalue.effects.valid_parents import most_directed
from pyvalue.graph import ValueGraph
from pyvalue.plotted import Plotted

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]

# Doubles that total effects kept for a prediction may take, a quarter of a gibibyte.
_MOST_KEPT = 1 << 25


@dataclass(frozen=True, eq=False, repr=False)
class Effects(Plotted):
    """Total effects of d values on each other; row = cause, column = effect, 1 on the diagonal.

    An effect is what is added to one value when one unit is added to another. It is exactly 0 where the one follows
    from the other in no DAG of the graph's class, and NaN where it cannot be computed; ``notes`` says why.

    Attributes:
        minimum: (d, d) least effect over the valid sets of parents of the cause.
        maximum: (d, d) largest; the same where there is a single set.
        low: (d, d) least lower end of the intervals of the effects over these sets.
        high: (d, d) largest upper end.
        graph: that the effects are by.
        covariance: (d, d) of the rows, within edits unless they were pooled; NaN at values that they lack.
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

    def table(self) -> pd.DataFrame:
        """One row an ordered pair: ``source, target, relation, minimum, maximum, low, high, sets``.

        ``relation`` is "definite" where the target follows from the source in every DAG of the graph's class,
        "possible" where it does in some, "none" where it does in none. Of a graph that no DAG agrees with it goes by
        paths: all arrows, or some edges undirected. ``sets`` counts the valid sets of parents of the source; 0 where
        none could be listed.
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
        """(d, d) "definite", "possible" or "none" as in ``table``; "self" on the diagonal.

        More is definite than ``ValueGraph.definite_descendants`` has: a value can follow in every DAG without one path
        that is in all (see ``pyvalue.effects.causal_relations``).
        """
        closed = most_directed(self.graph.marks)
        return relations_by_paths(self.graph.marks) if closed is None else relations(closed)

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
            TypeError: ``change`` is no mapping, or an amount no number.
            TooManySetsError: the values have too many sets of parents together; change fewer.
        """
        import pandas as pd

        causes, amounts = _checked_change(change, self.names)
        ranges = self._ranges_of_one(causes[0], amounts[0]) if len(causes) == 1 else self._ranges(causes, amounts)
        ranges[:, causes] = amounts
        return pd.DataFrame(
            {"value": self.names, **dict(zip(("minimum", "maximum", "low", "high"), ranges, strict=True))}
        )

    def _ranges_of_one(self, cause: int, amount: float) -> Floats:
        rows = (self.minimum, self.maximum, self.low, self.high)
        turned = rows if amount >= 0 else (self.maximum, self.minimum, self.high, self.low)
        return amount * np.array([row[cause] for row in turned])

    def _ranges(self, causes: list[int], amounts: Floats) -> Floats:
        stack = np.concatenate([self.covariance[None], self.replicates, self.left_out])

        @lru_cache(maxsize=max(len(causes), _MOST_KEPT // (len(stack) * len(self.names))))
        def total(cause: int, parents: tuple[int, ...]) -> Floats:
            return coefficients(stack, cause, parents)

        found = Ranges(self.facts["worth"], self.facts["confidence"], (len(self.names),))
        for one in listed_sets(self.graph, causes, self.facts["determined"]):
            totals = np.stack([total(cause, of) for cause, of in zip(causes, one.parents, strict=True)], axis=-2)
            totals = np.where(one.reached | ~np.isfinite(totals), totals, 0.0)
            found.add(amounts @ past_each_other(totals, causes, one), len(self.replicates))
        return found.ends

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
        relation = self.relations()
        definite, possible = (int((relation == kind).sum()) for kind in ("definite", "possible"))
        parts = [f"{len(self.names)} values", f"{definite} definite and {possible} possible effects"]
        lacking = int((~np.isfinite(self.minimum).any(axis=1)).sum())
        if lacking:
            parts.append(f"those of {lacking} values not computed")
        several = sum(self.facts["sets"][name] > 1 for name in self.names)
        if several:
            parts.append(f"{several} values with several sets of parents")
        parts.append(f"{self.facts['rows']} rows in {self.facts['clusters']} clusters")
        if self.facts.get("means", 1) > 1:
            parts.append(f"within {self.facts['means']} edits")
        return f"Effects({', '.join([*parts, f'{len(self.replicates)} resamples'])})"


def _checked_change(change: Any, names: tuple[str, ...]) -> tuple[list[int], Floats]:
    if not isinstance(change, Mapping):
        raise TypeError(f'change must be a mapping of values to amounts, such as {{"{names[0]}": 1.0}}, got {change!r}')
    if not change:
        raise ValueError("change: expected at least one value with the amount added, got none")
    unknown = [name for name in change if name not in names]
    if unknown:
        raise ValueError(f"change: expected values among {', '.join(names)}, got {', '.join(map(repr, unknown))}")
    for name, amount in change.items():
        if not isinstance(amount, int | float | np.number) or isinstance(amount, bool):
            raise TypeError(f"change: expected a number for {name}, the amount added, got {amount!r}")
    amounts = np.array([float(amount) for amount in change.values()])
    if not np.isfinite(amounts).all():
        raise ValueError(f"change: expected finite amounts, got {dict(change)}")
    return [names.index(name) for name in change], amounts
