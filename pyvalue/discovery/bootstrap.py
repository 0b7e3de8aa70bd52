"""Edge strengths from bootstrap replicates, with the sample size that a replicate is really worth."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pyvalue import _core
from pyvalue.discovery.progress import ProgressOption, bootstrap_progress
from pyvalue.edge_frequencies import EdgeFrequencies

SCHEMES = ("bootstrap", "naive")


def effective_sample_size(scheme: str, n: int) -> float:
    """Rows to tell the tests inside a replicate of n rows drawn with replacement from n.

    A correlation over m such rows has variance 1/n from the sample and 1/m more from the draw, as much as one over
    m / (1 + m/n) independent rows. With m = n that is n/2. A test that is told of n rows instead rejects true
    independence in about 16.6% of replicates at alpha = 0.05 (2·Φ(-1.96/√2)).

    Args:
        scheme: "bootstrap" for n/2, "naive" for n, which is what most tools do.
        n: rows of the sample.
    """
    return n / 2.0 if scheme == "bootstrap" else float(n)


def run_bootstrap(
    x: NDArray[np.float64],
    *,
    backend: str,
    replicates: int,
    scheme: str,
    seed: int,
    alpha: float,
    max_depth: int | None,
    threads: int,
    progress: ProgressOption,
) -> EdgeFrequencies:
    """Count the kinds of edges over replicates of (n, d) data.

    Replicate r draws from its own random stream (seed, r): the counts are the same for any number of threads and for
    both backends.

    Raises:
        ValueError: too few rows for the scheme.
    """
    effective_n = effective_sample_size(scheme, len(x))
    if effective_n <= 3:
        raise ValueError(
            f"bootstrap needs more than 6 rows with scheme='bootstrap', where a replicate of n rows is worth n/2, "
            f"got {len(x)}; collect more rows"
        )
    with bootstrap_progress(progress, replicates) as report:
        if backend == "causal-learn":
            from pyvalue.discovery import reference

            return reference.bootstrap(x, replicates, seed, alpha, effective_n, max_depth, report)
        counts = _core.bootstrap(x, replicates, seed, alpha, effective_n, max_depth, threads, progress=report)
        return EdgeFrequencies(replicates=replicates, **counts)
