"""How much memory a search takes, checked before it starts."""

from __future__ import annotations

import os

# What every machine has; to ask the system takes longer than a small search.
_SMALL = 2**28


def check_memory(n: int, d: int, threads: int, replicates: int, keep_replicates: bool) -> None:
    """Raise ValueError where the search would not fit into the memory that is free.

    Args:
        n: rows.
        d: columns.
        threads: that work on replicates.
        replicates: of the bootstrap, 0 for none.
        keep_replicates: whether their graphs are kept.
    """
    needed = estimated_bytes(n, d, threads, replicates, keep_replicates)
    available = available_bytes() if needed > _SMALL else None
    if available is not None and needed > available:
        raise ValueError(
            f"responses of {n} rows and {d} columns need about {needed / 1e9:.1f} GB of memory for the search, and "
            f"{available / 1e9:.1f} GB are free; take fewer columns"
            + (", fewer threads" if replicates and threads > 1 else "")
            + (", or keep_replicates=False" if keep_replicates else "")
        )


def estimated_bytes(n: int, d: int, threads: int, replicates: int, keep_replicates: bool) -> int:
    """Bytes beside the data: matrices (d, d) of one search, and of every thread's replicates."""
    search = d * d * 60  # correlations, marks, ancestors, separating sets
    if not replicates:
        return search
    batch = max(1, min(16, replicates // (4 * threads)))
    a_thread = search + batch * (2 * n + 8 * (d + 8) ** 2) + 24 * d * d
    kept = replicates * (d * (d - 1) // 2) if keep_replicates else 0
    return search + threads * a_thread + kept


def available_bytes() -> int | None:
    """Memory that can be had without swapping, or None where the system does not say."""
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            for line in file:
                if line.startswith("MemAvailable:"):
                    return int(line.split()[1]) * 1024
    except (OSError, ValueError):
        pass
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return None
