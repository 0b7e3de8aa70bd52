"""Which associations between values differ between two models, two checkpoints, or a model and people.

Compares the groups' data edge by edge; ``graph_distance`` compares two graphs as they are.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pyvalue.atomic_files import write_json
from pyvalue.evaluation.circumplex_moments import PersonaMoments, correlation_of
from pyvalue.evaluation.circumplex_options import check_numbers, check_share
from pyvalue.evaluation.edge_difference_errors import difference_errors
from pyvalue.evaluation.edge_difference_groups import TwoGroups, partial_of, two_groups
from pyvalue.plotted import Plotted
from pyvalue.responses import Score

Floats = NDArray[np.float64]
Measure = Literal["partial", "correlation"]
_BLOCK = 2_000_000
#: a correlation of 1 has no Fisher z
_MOST = 1.0 - 1e-9


@dataclass(frozen=True)
class EdgeDifferences(Plotted):
    """Differences of two groups, one of them a pair of values.

    Attributes:
        table: one row a pair of values: ``source, target, one, other, difference, low, high, p, q, p_max``. ``one`` and
            ``other`` are the association in either group, ``difference`` that of the other less that of one, with its
            percentile interval over resamples of personas. ``p``: two-sided permutation p of the difference of Fisher's
            z over its standard error; ``q``: after Benjamini & Hochberg (1995) over the pairs; ``p_max``: against the
            largest of all pairs, which holds the chance of any false finding (Westfall & Young 1993).
        max_statistic, max_p: largest difference of z over its standard error, and p that no pair differs.
        sum_statistic, sum_p: sum of the squares of all, and p that no pair differs: many small differences.
        alpha: level of ``different`` and of the intervals.
        left_out: column -> why it was not used.
        facts: measure, personas, how many are in both groups, permutations, resamples and the like.
    """

    table: pd.DataFrame = field(repr=False)
    max_statistic: float
    max_p: float
    sum_statistic: float
    sum_p: float
    alpha: float
    left_out: Mapping[str, str]
    facts: Mapping[str, Any] = field(repr=False)

    def different(self) -> pd.DataFrame:
        """The pairs with q at most alpha: a share alpha of them, on average, is there by chance."""
        return self.table[self.table["q"] <= self.alpha].reset_index(drop=True)

    def to_dict(self) -> dict[str, Any]:
        """JSON-able; missing numbers are null."""
        rows = self.table.astype(object).where(self.table.notna(), None).to_dict("records")
        numbers = {key: value for key, value in vars(self).items() if isinstance(value, float)}
        return {**numbers, "table": rows, "left_out": dict(self.left_out), "facts": dict(self.facts)}

    def save(self, path: str | Path) -> Path:
        """Write JSON, whole or not at all."""
        write_json(path, self.to_dict())
        return Path(path)

    def __repr__(self) -> str:
        return (
            f"EdgeDifferences({len(self.different())} of {len(self.table)} pairs differ at q <= {self.alpha:g}; "
            f"any: p={self.max_p:.3g} (largest), {self.sum_p:.3g} (sum))"
        )


def edge_differences(
    one: Any,
    other: Any,
    *,
    measure: Measure = "partial",
    score: Score = "corrected",
    edit: str | None = "",
    paired: bool = True,
    resamples: int = 1000,
    permutations: int = 1999,
    alpha: float = 0.05,
    seed: int = 0,
) -> EdgeDifferences:
    """Compare associations between the values that two groups have in common.

    The cluster is the persona: all its rows are drawn, and change group, together. Personas in both groups (matched by
    label) are drawn as pairs and swap groups as pairs, each by the toss of a coin; the others are dealt out to the
    groups anew, whose numbers of personas stay. Before that, scores get mean 0 and variance 1 within their group, so
    that groups that differ in level or spread alone do not count as different. Differences are divided by their
    standard errors, so that groups with other tails, but the same associations, do not either; see
    ``edge_difference_errors``. The test is exact (but for the scaling) where the groups are alike in everything, and
    holds its level approximately where only their associations are: with normal rows of 6 independent values in one
    group of 300 personas, and in the other 30 rows whose size varies as t with 4 degrees of freedom, 5% of pairs had
    p <= .05, and 10% of studies some pair at p_max <= .05.

    Args:
        one, other: each ``Responses``, rows of scores (see ``score_rows``) or what ``load_ess`` gives.
        measure: "partial", the partial correlation of two values given all others in common, which is what an edge of
            an undirected Gaussian graph is; or "correlation". Scores about each row's own mean ("ipsatised") sum to 0
            and have no partial correlations.
        score: of ``Responses``.
        edit: label of the edit whose rows are taken; "" for unsteered ones, None for all.
        paired: whether the same label in both groups is the same persona. Say False where labels are mere numbers, as
            those of respondents of two surveys are.
        resamples: of personas, for the intervals.
        permutations: of groups; p = (1 + #) / (1 + permutations).
        alpha: of the intervals (1 - alpha) and of ``different``.
        seed: of resamples and permutations.

    Raises:
        ValueError: fewer than 2 values in common, too few personas, linearly dependent values under "partial", or an
            argument out of range.
    """
    if measure not in ("partial", "correlation"):
        raise ValueError(f"measure: expected 'partial' or 'correlation', got {measure!r}")
    check_share("alpha", alpha)
    check_numbers(resamples=(resamples, 0), permutations=(permutations, 1), seed=(seed, 0))
    groups = two_groups(one, other, score, edit, paired)
    moments = groups.standardised()
    own = [
        _associations(m, m, np.ones((1, groups.personas)), np.zeros((1, groups.personas)), measure)[0] for m in moments
    ]
    _check(own, groups, measure)
    rng = np.random.default_rng(seed)
    observed = own[1] - own[0]
    everyone, nobody = groups.present[:, None].astype(float), np.zeros((1, groups.personas))
    errors = difference_errors(moments, (everyone[0], nobody, nobody, everyone[1]), measure == "partial")[0]
    shift = (_z(own[1]) - _z(own[0])) / errors
    permuted = _permuted(groups, moments, measure, permutations, rng)
    drawn = _resampled(groups, moments, measure, resamples, rng)
    as_far = np.abs(permuted) >= np.abs(shift) - 1e-9
    largest, total = np.abs(permuted).max(axis=1), (permuted**2).sum(axis=1)
    p = (1 + as_far.sum(axis=0)) / (1 + len(permuted))
    from scipy.stats import false_discovery_control

    row, column = np.triu_indices(len(groups.names), 1)
    low, high = _interval(drawn, alpha)
    columns = {
        "source": [groups.names[i] for i in row],
        "target": [groups.names[j] for j in column],
        "one": own[0],
        "other": own[1],
        "difference": observed,
        "low": low,
        "high": high,
        "p": p,
        "q": false_discovery_control(p),
        "p_max": (1 + (largest[:, None] >= np.abs(shift) - 1e-9).sum(axis=0)) / (1 + len(permuted)),
    }
    top, squares = float(np.abs(shift).max()), float((shift**2).sum())
    facts = {
        "measure": measure, "score": score, "edit": edit, "personas_one": int(groups.present[0].sum()),
        "personas_other": int(groups.present[1].sum()), "personas_in_both": groups.paired,
        "rows_one": len(groups.rows[0]), "rows_other": len(groups.rows[1]), "permutations": len(permuted),
        "resamples": int(np.isfinite(drawn).all(axis=1).sum()), "seed": seed,
    }  # fmt: skip
    return EdgeDifferences(
        table=pd.DataFrame(columns),
        max_statistic=top,
        max_p=float((1 + (largest >= top - 1e-9).sum()) / (1 + len(permuted))),
        sum_statistic=squares,
        sum_p=float((1 + (total >= squares - 1e-9).sum()) / (1 + len(permuted))),
        alpha=alpha,
        left_out=groups.left_out,
        facts=facts,
    )


def _associations(first: PersonaMoments, second: PersonaMoments, a: Floats, b: Floats, measure: Measure) -> Floats:
    """(B, pairs) associations of mixtures: personas counted a (B, P) times from the first and b from the second."""
    d = first.total.shape[1]
    weight = (a @ first.weight + b @ second.weight)[:, None]
    mean = (a @ first.total + b @ second.total) / weight
    flat = [m.product.reshape(len(m.product), d * d) for m in (first, second)]
    product = (a @ flat[0] + b @ flat[1]) / weight
    r = correlation_of(product.reshape(-1, d, d) - mean[:, :, None] * mean[:, None, :])
    row, column = np.triu_indices(d, 1)
    return np.asarray((partial_of(r) if measure == "partial" else r)[:, row, column])


def _z(r: Floats) -> Floats:
    return np.asarray(np.arctanh(np.clip(r, -_MOST, _MOST)))


def _permuted(
    groups: TwoGroups,
    moments: tuple[PersonaMoments, PersonaMoments],
    measure: Measure,
    number: int,
    rng: np.random.Generator,
) -> Floats:
    """(R, pairs) differences of z over their errors after personas changed groups, where there is an answer."""
    both = groups.present.all(axis=0)
    alone = np.flatnonzero(~both)
    at_one = int(groups.present[0, alone].sum())
    parts = []
    for size in _blocks(number, groups.personas):
        # swap[k, p]: whether persona p, if in both, changes sides; to_one[k, p]: whether one that is alone goes to one
        swap = (rng.random((size, groups.personas)) < 0.5) & both
        to_one = np.zeros((size, groups.personas), dtype=bool)
        dealt = rng.permuted(np.tile(np.arange(len(alone)) < at_one, (size, 1)), axis=1)
        to_one[:, alone] = dealt
        first_in_one = np.where(both, ~swap, to_one & groups.present[0]).astype(float)
        second_in_one = np.where(both, swap, to_one & groups.present[1]).astype(float)
        first_in_other = groups.present[0] - first_in_one
        second_in_other = groups.present[1] - second_in_one
        counts = (first_in_one, second_in_one, first_in_other, second_in_other)
        new_one = _associations(*moments, counts[0], counts[1], measure)
        new_other = _associations(*moments, counts[2], counts[3], measure)
        parts.append((_z(new_other) - _z(new_one)) / difference_errors(moments, counts, measure == "partial"))
    found = np.concatenate(parts)
    return found[np.isfinite(found).all(axis=1)]


def _resampled(
    groups: TwoGroups,
    moments: tuple[PersonaMoments, PersonaMoments],
    measure: Measure,
    number: int,
    rng: np.random.Generator,
) -> Floats:
    """(R, pairs) differences of resamples: personas in both groups are drawn together, others within their group."""
    kinds = [groups.present.all(axis=0), groups.present[0] & ~groups.present[1], groups.present[1] & ~groups.present[0]]
    parts = [np.full((1, len(groups.names) * (len(groups.names) - 1) // 2), np.nan)]
    for size in _blocks(number, groups.personas):
        counts = np.zeros((size, groups.personas))
        for kind in kinds:
            members = np.flatnonzero(kind)
            if len(members):
                counts[:, members] = rng.multinomial(len(members), np.full(len(members), 1 / len(members)), size=size)
        none = np.zeros_like(counts)
        one = _associations(*moments, counts * groups.present[0], none, measure)
        other = _associations(*moments, none, counts * groups.present[1], measure)
        parts.append(other - one)
    return np.concatenate(parts)


def _blocks(number: int, personas: int) -> list[int]:
    block = max(1, _BLOCK // personas)
    return [min(block, number - start) for start in range(0, number, block)]


def _interval(drawn: Floats, alpha: float) -> tuple[Floats, Floats]:
    usable = drawn[np.isfinite(drawn).all(axis=1)]
    if len(usable) < 2:
        return np.full(drawn.shape[1], math.nan), np.full(drawn.shape[1], math.nan)
    low, high = np.quantile(usable, [alpha / 2, 1 - alpha / 2], axis=0)
    return low, high


def _check(own: list[Floats], groups: TwoGroups, measure: Measure) -> None:
    if measure != "partial":
        return
    for argument, found, persona in zip(("one", "other"), own, groups.persona, strict=True):
        d, personas = len(groups.names), len(set(persona.tolist()))
        if not np.isfinite(found).all():
            raise ValueError(
                f"{argument}: its {d} values are linearly dependent, as scores about each row's own mean are, or with "
                f"fewer rows than values ({personas} personas), so there are no partial correlations; use "
                f"measure='correlation', another score, or fewer values"
            )
        if personas < d + 3:
            raise ValueError(
                f"{argument}: expected at least {d + 3} personas for partial correlations of {d} values, got "
                f"{personas}; use measure='correlation' or fewer values"
            )
