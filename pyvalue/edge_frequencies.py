"""How often bootstrap replicates gave each pair of values each kind of edge. Knows counts, not how they were made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

Counts = NDArray[np.uint32]

_MATRICES = ("directed", "undirected", "bidirected", "absent", "untestable")


@dataclass(frozen=True, eq=False)
class EdgeFrequencies:
    """Counts over the replicates of a bootstrap, all arrays (d, d) and read-only.

    Of a pair (i, j), ``directed[i, j] + directed[j, i] + undirected[i, j] + bidirected[i, j] + absent[i, j] +
    untestable[i, j] == replicates``.

    Attributes:
        replicates: number of replicates.
        directed: replicates with i → j.
        undirected: with i — j; symmetric, as are the rest.
        bidirected: with i ↔ j.
        absent: without an edge.
        untestable: in which i or j was constant; the diagonal counts each value's own.
        singular_tests: tests that met a singular matrix, summed over the replicates; such a test removes no edge.
    """

    replicates: int
    directed: Counts
    undirected: Counts
    bidirected: Counts
    absent: Counts
    untestable: Counts
    singular_tests: int = 0

    def __post_init__(self) -> None:
        shape = np.shape(self.directed)
        for name in _MATRICES:
            counts = np.array(getattr(self, name), dtype=np.uint32)
            if counts.ndim != 2 or counts.shape != (shape[0], shape[0]):
                raise ValueError(
                    f"{name} must be a ({shape[0]}, {shape[0]}) matrix of counts, got shape {counts.shape}"
                )
            counts.setflags(write=False)
            object.__setattr__(self, name, counts)
        pairs = ~np.eye(shape[0], dtype=bool)
        total = self.directed + self.directed.T + self.undirected + self.bidirected + self.absent + self.untestable
        if not (total[pairs] == self.replicates).all():
            raise ValueError(f"the counts of every pair must add up to replicates = {self.replicates}")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, EdgeFrequencies):
            return NotImplemented
        return (self.replicates, self.singular_tests) == (other.replicates, other.singular_tests) and all(
            np.array_equal(getattr(self, name), getattr(other, name)) for name in _MATRICES
        )

    def __hash__(self) -> int:
        return hash((self.replicates, self.directed.tobytes(), self.undirected.tobytes()))

    def strengths(self, names: tuple[str, ...], marks: NDArray[np.int8]) -> pd.DataFrame:
        """The table of :meth:`pyvalue.graph.ValueGraph.strengths`, for a graph with these names and marks."""
        import pandas as pd

        i, j = np.triu_indices(len(names), k=1)
        into_i = (marks[i, j] == 1) & (marks[j, i] == -1)
        into_j = (marks[i, j] == -1) & (marks[j, i] == 1)
        flip = into_i | (~into_j & (self.directed[j, i] > self.directed[i, j]))
        source, target = np.where(flip, j, i), np.where(flip, i, j)

        tested = self.replicates - self.untestable[source, target].astype(np.float64)
        present = tested - self.absent[source, target].astype(np.float64)
        forward, backward = self.directed[source, target], self.directed[target, source]
        low, high = wilson_interval(present, tested)
        forward_low, forward_high = wilson_interval(forward.astype(np.float64), tested)
        backward_low, backward_high = wilson_interval(backward.astype(np.float64), tested)
        label = np.asarray(names, dtype=object)
        table = pd.DataFrame(
            {
                "source": label[source],
                "target": label[target],
                "strength": _ratio(present, tested),
                "strength_low": low,
                "strength_high": high,
                "direction": _ratio(forward, present),
                "forward": _ratio(forward, tested),
                "forward_low": forward_low,
                "forward_high": forward_high,
                "backward": _ratio(backward, tested),
                "backward_low": backward_low,
                "backward_high": backward_high,
                "undirected": _ratio(self.undirected[source, target], tested),
                "bidirected": _ratio(self.bidirected[source, target], tested),
                "absent": _ratio(self.absent[source, target], tested),
                "tested": tested.astype(int),
                "in_graph": marks[source, target] != 0,
            }
        )
        return table.sort_values("strength", ascending=False, kind="stable", ignore_index=True)

    def to_dict(self) -> dict[str, Any]:
        """Plain lists and numbers, for JSON."""
        return {
            "replicates": self.replicates,
            "singular_tests": self.singular_tests,
            **{name: getattr(self, name).tolist() for name in _MATRICES},
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> EdgeFrequencies:
        """The inverse of :meth:`to_dict`.

        Raises:
            ValueError: an entry is missing, or the counts of a pair do not add up.
        """
        if not isinstance(data, Mapping):
            raise ValueError(f"bootstrap must be an object, got {type(data).__name__}")
        if missing := [name for name in ("replicates", *_MATRICES) if name not in data]:
            raise ValueError(f"bootstrap lacks {', '.join(missing)}")
        try:
            counts = {name: np.array(data[name], dtype=np.uint32) for name in _MATRICES}
            return cls(replicates=int(data["replicates"]), singular_tests=int(data.get("singular_tests", 0)), **counts)
        except OverflowError as fault:
            raise ValueError(f"bootstrap must have counts from 0 to 2^32 - 1: {fault}") from fault


def wilson_interval(
    successes: NDArray[np.float64], trials: NDArray[np.float64], z: float = 1.959963984540054
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Wilson (1927) score interval of a proportion, NaN where there was no trial. 95% by default."""
    with np.errstate(invalid="ignore", divide="ignore"):
        share = successes / trials
        middle = (share + z**2 / (2 * trials)) / (1 + z**2 / trials)
        half = z / (1 + z**2 / trials) * np.sqrt(share * (1 - share) / trials + z**2 / (4 * trials**2))
    return np.clip(middle - half, 0.0, 1.0), np.clip(middle + half, 0.0, 1.0)


def _ratio(part: NDArray[Any], whole: NDArray[np.float64]) -> NDArray[np.float64]:
    result: NDArray[np.float64] = np.full(len(whole), np.nan)
    np.divide(part, whole, out=result, where=whole > 0)
    return result
