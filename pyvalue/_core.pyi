"""Types of the compiled module. No argument is converted to another number type."""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, TypedDict

import numpy as np
from numpy.typing import NDArray

Correlation = NDArray[np.float64]  # (d, d)
Marks = NDArray[np.int8]  # (d, d)
Counts = NDArray[np.uint32]  # (d, d)
Flags = NDArray[np.uint8]  # (d, d)
RowCounts = NDArray[np.uint16]  # (n,)
Progress = Callable[[int], object]

class BootstrapCounts(TypedDict):
    directed: Counts
    undirected: Counts
    bidirected: Counts
    absent: Counts
    untestable: Counts
    singular_tests: int
    kinds: NDArray[np.uint8]  # (replicates or 0, d (d - 1) / 2)

class Table:
    def __init__(self, x: NDArray[Any] | Sequence[NDArray[Any]]) -> None: ...
    @property
    def rows(self) -> int: ...
    @property
    def cols(self) -> int: ...

class Scheme:
    with_replacement: ClassVar[Scheme]
    without_replacement: ClassVar[Scheme]
    complementary_pairs: ClassVar[Scheme]

class Resampling:
    def __init__(
        self,
        rows: int,
        scheme: Scheme = ...,
        seed: int = 0,
        draws: int | None = None,
        clusters: Sequence[NDArray[np.uint32]] = ...,
    ) -> None: ...
    def draw(self, replicate: int) -> RowCounts: ...

class CITest:
    def p_value(self, x: int, y: int, given: Sequence[int] = ...) -> float: ...

class TestSource:
    def test(self, n: float, alpha: float = 0.05, shares: Correlation | None = None) -> CITest: ...

class PearsonSource(TestSource):
    def __init__(self, x: Table) -> None: ...

class MissingSource(TestSource):
    def __init__(self, x: Table) -> None: ...

class CorrelationSource(TestSource):
    def correlation(self, counts: RowCounts | None = None) -> Correlation: ...
    @property
    def repairs(self) -> int: ...
    @property
    def information(self) -> list[float]: ...

class SpearmanSource(CorrelationSource):
    def __init__(self, x: Table) -> None: ...

class PolychoricSource(CorrelationSource):
    def __init__(self, x: Table, levels: Sequence[int]) -> None: ...

class DiscreteSource(TestSource):
    def __init__(self, x: Table, levels: Sequence[int], statistic: str) -> None: ...

class DegenerateGaussianSource(TestSource):
    def __init__(self, x: Table, levels: Sequence[int]) -> None: ...

class CallbackSource(TestSource):
    def __init__(self, x: Table, function: int | Callable[..., float]) -> None: ...

class TestFailure(Exception): ...

class ColliderRule:
    sepset: ClassVar[ColliderRule]
    maxp: ClassVar[ColliderRule]
    definite_maxp: ClassVar[ColliderRule]
    conservative: ClassVar[ColliderRule]
    majority: ClassVar[ColliderRule]

class ColliderPriority:
    overwrite: ClassVar[ColliderPriority]
    bidirect: ClassVar[ColliderPriority]
    existing: ClassVar[ColliderPriority]
    stronger: ClassVar[ColliderPriority]
    stronger_without: ClassVar[ColliderPriority]

def shuffle_columns(seed: int, replicate: int, columns: Sequence[int]) -> list[int]: ...
def summarise_columns(
    x: Table,
) -> tuple[NDArray[np.uint64], NDArray[np.uint64], NDArray[np.float64], NDArray[np.float64]]: ...
def correlation(x: Table, threads: int = 1) -> Correlation: ...
def find_dependencies(correlation: Correlation, tolerance: float) -> list[tuple[int, list[tuple[int, float]]]]: ...
def fisher_z(
    correlation: Correlation, n: float, alpha: float = 0.05, shares: Correlation | None = None
) -> CITest: ...
def nearest_correlation(matrix: Correlation, smallest_eigenvalue: float = 0.0) -> Correlation: ...
def bivariate_normal_cdf(h: float, k: float, r: float) -> float: ...
def chi_squared_upper_tail(statistic: float, degrees_of_freedom: float) -> float: ...
def pc(
    test: CITest,
    max_depth: int | None = None,
    rule: ColliderRule = ...,
    priority: ColliderPriority = ...,
    forbidden: Flags | None = None,
    required: Flags | None = None,
    threads: int = 1,
    progress: Progress | None = None,
) -> tuple[Marks, tuple[NDArray[np.uint32], NDArray[np.uint32], NDArray[np.uint32]], int, int, int]: ...
def bootstrap(
    source: TestSource,
    resampling: Resampling,
    replicates: int,
    n: float,
    alpha: float = 0.05,
    max_depth: int | None = None,
    rule: ColliderRule = ...,
    priority: ColliderPriority = ...,
    forbidden: Flags | None = None,
    required: Flags | None = None,
    shuffle_columns: bool = True,
    threads: int = 1,
    first_replicate: int = 0,
    keep: bool = False,
    shares: Correlation | None = None,
    progress: Progress | None = None,
) -> BootstrapCounts: ...
