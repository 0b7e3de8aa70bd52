"""What goes into a backend and what comes out of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyvalue.discovery.bootstrap import Replication
from pyvalue.discovery.degenerate import UsableData
from pyvalue.discovery.effective_n import EffectiveRows
from pyvalue.edge_frequencies import EdgeFrequencies
from pyvalue.replicate_graphs import ReplicateGraphs


@dataclass(frozen=True)
class Study:
    """Data, a test that fits them, and what rows and replicates are worth.

    Attributes:
        data: checked columns.
        test: name of a built-in test, or a CITest.
        why: this one.
        rows: independent rows that the rows are worth.
        flags: forbidden and required directions (d, d), or None.
        replication: of the bootstrap, or None.
    """

    data: UsableData
    test: Any
    why: str
    rows: EffectiveRows
    flags: tuple[NDArray[np.uint8], NDArray[np.uint8]] | None
    replication: Replication | None


@dataclass(frozen=True)
class Found:
    """What a backend finds: end marks (d, d), separating sets, and the replicates' counts."""

    marks: NDArray[np.int8]
    sets: Mapping[tuple[str, str], tuple[str, ...]]
    frequencies: EdgeFrequencies | None = None
    replicate_graphs: ReplicateGraphs | None = None
    notes: tuple[str, ...] = ()
