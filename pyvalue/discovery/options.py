"""What a search is asked for, checked before anything starts."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pyvalue import _core
from pyvalue.knowledge import Knowledge

if TYPE_CHECKING:
    from pyvalue.discovery.custom_test import CITest

BACKENDS = ("fast", "causal-learn")
TESTS = ("auto", "fisherz", "spearman", "polychoric", "chisq", "gsq", "degenerate_gaussian", "rcot")
SCHEMES = ("bootstrap", "m-of-n", "subsample", "complementary-pairs", "naive")
MISSING = ("raise", "drop", "test-wise")

#: causal-learn's numbers come first, in its order.
COLLIDER_RULES = {
    "sepset": _core.ColliderRule.sepset,
    "maxp": _core.ColliderRule.maxp,
    "definite-maxp": _core.ColliderRule.definite_maxp,
    "conservative": _core.ColliderRule.conservative,
    "majority": _core.ColliderRule.majority,
}
COLLIDER_PRIORITIES = (
    _core.ColliderPriority.overwrite,
    _core.ColliderPriority.bidirect,
    _core.ColliderPriority.existing,
    _core.ColliderPriority.stronger,
    _core.ColliderPriority.stronger_without,
)


@dataclass(frozen=True)
class SearchOptions:
    """Checked options of one search; see :func:`pyvalue.discover` for their meaning."""

    test: str | CITest
    alpha: float
    backend: str
    max_depth: int | None
    uc_rule: str
    uc_priority: int
    knowledge: Knowledge | None
    missing: str
    on_degenerate: str
    threads: int


@dataclass(frozen=True)
class BootstrapOptions:
    """Checked options of the replicates; ``scheme`` None: the best that the test allows."""

    replicates: int
    scheme: str | None
    replicate_size: int | None
    shuffle_columns: bool
    keep_replicates: bool
    seed: int


def search_options(
    test: Any,
    alpha: Any,
    backend: Any,
    max_depth: Any,
    uc_rule: Any,
    uc_priority: Any,
    knowledge: Any,
    missing: Any,
    on_degenerate: Any,
    threads: Any,
) -> SearchOptions:
    """Raise ValueError or TypeError for the first option that is not one, else return them."""
    _check_choice("backend", backend, BACKENDS)
    _check_choice("missing", missing, MISSING)
    _check_choice("on_degenerate", on_degenerate, ("exclude", "raise"))
    if isinstance(alpha, bool) or not isinstance(alpha, int | float | np.floating):
        raise TypeError(f"alpha must be a number between 0 and 1, got {alpha!r}")
    if not 0.0 < alpha < 1.0:
        raise ValueError(f"alpha must be between 0 and 1, both excluded, got {alpha}")
    if max_depth is not None:
        _check_integer("max_depth", max_depth, 0, "or None for no limit")
    if knowledge is not None and not isinstance(knowledge, Knowledge):
        raise TypeError(f"knowledge must be a pyvalue.Knowledge or None, got {knowledge!r}")
    rule = _rule(uc_rule)
    chosen = _test(test)
    if missing == "test-wise" and chosen not in ("auto", "fisherz"):
        name = chosen if isinstance(chosen, str) else chosen.name
        raise ValueError(f"missing='test-wise' is for test='fisherz', got test={name!r}; pass missing='drop' with it")
    return SearchOptions(
        test=chosen,
        alpha=float(alpha),
        backend=backend,
        max_depth=max_depth,
        uc_rule=rule,
        uc_priority=_priority(uc_priority, rule),
        knowledge=knowledge or None,
        missing=missing,
        on_degenerate=on_degenerate,
        threads=_thread_count(threads),
    )


def bootstrap_options(
    replicates: Any, scheme: Any, replicate_size: Any, shuffle_columns: Any, keep_replicates: Any, seed: Any
) -> BootstrapOptions:
    """Raise ValueError or TypeError for the first option that is not one, else return them."""
    _check_integer("bootstrap", replicates, 0, "the number of replicates")
    _check_integer("seed", seed, 0, "below 2^64")
    if seed >= 2**64:
        raise ValueError(f"seed must be below 2^64, got {seed}")
    if scheme is not None:
        _check_choice("scheme", scheme, SCHEMES)
    if replicate_size is not None:
        _check_integer("replicate_size", replicate_size, 4, "rows, or clusters, that a replicate draws")
    if not replicates and (scheme is not None or keep_replicates is True):
        given = "keep_replicates=True" if scheme is None else f"scheme={scheme!r}"
        raise ValueError(f"{given} is about replicates; pass bootstrap=1000 as well")
    if scheme == "m-of-n" and replicate_size is None:
        raise ValueError("scheme='m-of-n' needs replicate_size, the number m of rows, or clusters, that are drawn")
    if replicate_size is not None and scheme not in ("m-of-n", "subsample"):
        raise ValueError(f"replicate_size is for scheme='m-of-n' and 'subsample', got scheme={scheme!r}")
    for name, value in (("shuffle_columns", shuffle_columns), ("keep_replicates", keep_replicates)):
        if not isinstance(value, bool):
            raise TypeError(f"{name} must be True or False, got {value!r}")
    return BootstrapOptions(int(replicates), scheme, replicate_size, shuffle_columns, keep_replicates, int(seed))


def _test(test: Any) -> str | CITest:
    if isinstance(test, str):
        _check_choice("test", test, TESTS)
        return test
    from pyvalue.discovery.custom_test import as_ci_test

    return as_ci_test(test)


def _rule(uc_rule: Any) -> str:
    names = tuple(COLLIDER_RULES)
    if isinstance(uc_rule, int | np.integer) and not isinstance(uc_rule, bool) and 0 <= uc_rule <= 2:
        return names[uc_rule]
    if not isinstance(uc_rule, str) or uc_rule not in names:
        raise ValueError(f"uc_rule must be 0, 1, 2 or one of {', '.join(map(repr, names))}, got {uc_rule!r}")
    return str(uc_rule)


def _priority(uc_priority: Any, rule: str) -> int:
    _check_integer("uc_priority", uc_priority, -1, "-1 for the rule's own, as in causal-learn")
    if uc_priority > 4:
        raise ValueError(f"uc_priority must be at most 4, got {uc_priority}")
    if uc_priority == -1:
        return 4 if rule == "definite-maxp" else 3
    if rule == "definite-maxp" and uc_priority < 2:
        raise ValueError(f"uc_priority must be 2, 3 or 4 with uc_rule='definite-maxp', got {uc_priority}")
    return int(uc_priority)


def _check_choice(argument: str, value: Any, choices: Sequence[str]) -> None:
    if value not in choices:
        raise ValueError(f"{argument} must be one of {', '.join(map(repr, choices))}, got {value!r}")


def _check_integer(argument: str, value: Any, least: int, hint: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise TypeError(f"{argument} must be an integer ({hint}), got {value!r}")
    if value < least:
        raise ValueError(f"{argument} must be at least {least} ({hint}), got {value}")


def _thread_count(threads: Any) -> int:
    if threads is not None:
        _check_integer("threads", threads, 1, "or None for all processors")
        return int(threads)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
