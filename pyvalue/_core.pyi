"""Types of the compiled module. Arrays are float64 unless said otherwise; no argument is converted."""

from collections.abc import Callable
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

Table = NDArray[np.float64]  # (n, d), any strides
Correlation = NDArray[np.float64]  # (d, d)
Marks = NDArray[np.int8]  # (d, d)
Counts = NDArray[np.uint32]  # (d, d)
RowCounts = NDArray[np.uint16]  # (n,)

class BootstrapCounts(TypedDict):
    directed: Counts
    undirected: Counts
    bidirected: Counts
    absent: Counts
    untestable: Counts
    singular_tests: int

def summarise_columns(
    x: Table,
) -> tuple[NDArray[np.uint64], NDArray[np.uint64], NDArray[np.float64], NDArray[np.float64]]: ...
def correlation(x: Table, threads: int = 1) -> Correlation: ...
def find_dependencies(correlation: Correlation, tolerance: float) -> list[tuple[int, list[tuple[int, float]]]]: ...
def pc(
    correlation: Correlation,
    n: float,
    alpha: float = 0.05,
    max_depth: int | None = None,
    threads: int = 1,
) -> tuple[Marks, dict[tuple[int, int], tuple[int, ...]], int, int, int]: ...
def bootstrap(
    x: Table,
    replicates: int,
    seed: int,
    alpha: float,
    effective_n: float,
    max_depth: int | None = None,
    threads: int = 1,
    first_replicate: int = 0,
    progress: Callable[[int], object] | None = None,
) -> BootstrapCounts: ...
def resample_counts(n: int, seed: int, replicate: int) -> RowCounts: ...
