"""Whether a value moved by more than its parents' movement explains: the paired invariance test.

Where value j = β · parents + (what else moves j), and an edit leaves that equation alone, each persona's change obeys
Δj = β · Δparents + noise. So the mean of Δj - β · Δparents, the intercept, is 0 unless the edit acts on j directly
(relative to the values that were measured). Arrays in, one intercept out; graphs and tables are
:mod:`pyvalue.effects.direct_hits`.

Where the slopes β come from decides what errors of measurement do. A persona's score is a mean of few answers. Errors
in the parents draw slopes towards 0 (regression dilution), and what the slopes then fail to explain looks like a direct
hit on every child of a value that was hit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Slopes = Literal["repeated", "unedited", "paired"]
SLOPES = ("repeated", "unedited", "paired")

#: slopes are not told apart where the scaled matrix of their equations is worse conditioned
_WORST_CONDITION = 1e8


@dataclass(frozen=True)
class Intercept:
    """What an edit added to a value beyond what came through its parents.

    Attributes:
        estimate: in units of the scores.
        error: its standard error, by a jackknife over personas.
        freedom: degrees of freedom of Student's t.
        p: of no direct effect, two-sided.
        strength: Cragg & Donald's F of the instruments; NaN without instruments. Below 10 they are weak.
        slopes: (k,) of the parents.
    """

    estimate: float
    error: float
    freedom: int
    p: float
    strength: float
    slopes: Floats

    def interval(self, confidence: float) -> tuple[float, float]:
        """Both ends of the interval by Student's t."""
        from scipy.special import stdtrit

        reach = float(stdtrit(self.freedom, (1 + confidence) / 2)) * self.error
        return self.estimate - reach, self.estimate + reach


def direct_effect(
    change: Floats, parent_change: Floats, value: Floats, parents: Floats, slopes: Slopes = "repeated"
) -> Intercept:
    """The mean of Δj - β · Δparents over personas, with everything that is uncertain in β.

    Its standard error is the jackknife that leaves out one persona at a time, slopes and all; with slopes "paired" it
    is that of HC3 (MacKinnon & White 1985, J. Econometrics 29). Changes need neither equal variances nor normality.

    Args:
        change: (n,) change of the value under one edit; NaN where a persona has none.
        parent_change: (n, k) changes of its parents.
        value: (g, n) scores of the value in g conditions, the first of them unedited; NaN where missing.
        parents: (g, n, k) scores of the parents.
        slopes: "repeated": from how personas differ, with a persona's scores in all other conditions as instruments
            for those in one: errors of measurement that are independent between conditions cancel (repeated measures
            as instruments: Griliches & Hausman 1986, J. Econometrics 31). It needs personas that differ reliably.
            "unedited": from how personas differ without an edit, by least squares. "paired": from the changes
            themselves, by least squares. The last two are diluted by errors of measurement. The first two are
            misled by what personas share that no value causes, such as a trait that acts on several values or an
            answer always given to an item; changes are free of it.

    Raises:
        ValueError: too few personas, changes without variance, or slopes that the data do not determine; in words
            that follow the name of the value.
    """
    k = parent_change.shape[1]
    known = np.isfinite(change) & np.isfinite(parent_change).all(axis=1)
    n = int(known.sum())
    if n < k + 3:
        raise ValueError(f"{n} personas have the changes of it and its {k} parents, at least {k + 3} are needed")
    if slopes == "paired":
        keep = (parent_change[known] != 0).any(axis=0)  # what never changes explains no change
        moved = np.flatnonzero(keep)
        value, parents = change[None], parent_change[None][:, :, moved]
        parent_change = parent_change[:, moved]
    elif slopes == "unedited":
        value, parents = value[:1], parents[:1]
    cross = _Cross.of(value, parents, repeated=slopes == "repeated")
    strength = cross.strength() if slopes == "repeated" and k else np.nan
    weight = known.astype(float)
    y, x = np.where(known, change, 0.0), np.where(known[:, None], parent_change, 0.0)
    whole, beta = _intercepts(cross.total, cross.with_value, y.sum() / n, x.sum(axis=0) / n)
    left = n - weight
    without, _ = _intercepts(
        cross.total - cross.own,
        cross.with_value - cross.own_value,
        (y.sum() - y) / left,
        (x.sum(0) - x) / left[:, None],
    )
    error = float(np.sqrt(((without - whole) ** 2).sum()))
    if not error > 1e-12 * max(1.0, float(np.abs(y).max())):
        raise ValueError("its change does not vary between personas beyond what its parents' change explains")
    return _tested(float(whole), error, n - 1 - k, strength, beta)


def _tested(estimate: float, error: float, freedom: int, strength: float, slopes: Floats) -> Intercept:
    from scipy.special import stdtr

    p = float(2.0 * stdtr(freedom, -abs(estimate / error)))
    return Intercept(estimate, error, freedom, p, strength, slopes)


@dataclass(frozen=True)
class _Cross:
    """Sums of products of scores, centred within conditions, and what each persona adds to them.

    Attributes:
        total: (k, k) instruments by parents.
        with_value: (k,) instruments by the value.
        own: (n, k, k) what the sums lose without each persona, means and all. Exact where no score is missing.
        own_value: (n, k).
        parents: (g, n, k) centred scores of the parents.
        persons: number of personas with all scores in some condition.
    """

    total: Floats
    with_value: Floats
    own: Floats
    own_value: Floats
    parents: Floats
    persons: int

    @classmethod
    def of(cls, value: Floats, parents: Floats, repeated: bool) -> _Cross:
        """From (g, n) and (g, n, k); a persona counts in the conditions in which it has all scores."""
        known = np.isfinite(value) & np.isfinite(parents).all(axis=2)
        y, x = _centred(value, known), _centred(parents, known)
        persons = int(known.any(axis=0).sum())
        if repeated:
            # Over all pairs of different conditions: (sum over conditions)² less the squares.
            sums, sum_y = x.sum(axis=0), y.sum(axis=0)
            own = sums[:, :, None] * sums[:, None, :] - np.einsum("gni,gnj->nij", x, x)
            own_value = sums * sum_y[:, None] - np.einsum("gni,gn->ni", x, y)
            if not (known.sum(axis=0) > 1).any() and parents.shape[2]:
                raise ValueError("no persona has its scores in two conditions, which slopes='repeated' needs")
        else:
            own = np.einsum("gni,gnj->nij", x, x)
            own_value = np.einsum("gni,gn->ni", x, y)
        total, with_value = own.sum(axis=0), own_value.sum(axis=0)
        _check_determined(total)
        # Without a persona the means move, too: n / (n - 1) times its own products are gone.
        more = persons / max(persons - 1, 1)
        return cls(total, with_value, more * own, more * own_value, x, persons)

    def strength(self) -> float:
        """Smallest F of the parents in one condition on their mean in the others (Cragg & Donald 1993).

        Averaged over conditions: each alone must be strong enough to be told from the noise.
        """
        g, _, k = self.parents.shape
        sums = self.parents.sum(axis=0)
        smallest = []
        for x in self.parents:
            z = (sums - x) / max(g - 1, 1)
            qx, qz = (np.linalg.qr(part)[0] for part in (x, z))
            r = float(np.linalg.svd(qz.T @ qx, compute_uv=False).min())
            smallest.append((self.persons - 1 - k) / k * r**2 / max(1 - r**2, 1e-300))
        return float(np.mean(smallest))


def _centred(scores: Floats, known: NDArray[np.bool_]) -> Floats:
    """Scores less their mean in the condition; 0 where unknown."""
    mask = known if scores.ndim == 2 else known[:, :, None]
    filled = np.where(mask, scores, 0.0)
    count = np.maximum(known.sum(axis=1), 1).reshape((-1,) + (1,) * (scores.ndim - 1))
    result: Floats = np.where(mask, filled - filled.sum(axis=1, keepdims=True) / count, 0.0)
    return result


def _check_determined(total: Floats) -> None:
    if not len(total):
        return
    scale = np.sqrt(np.abs(np.diagonal(total)))
    if not scale.all() or np.linalg.cond(total / np.outer(scale, scale)) > _WORST_CONDITION:
        raise ValueError("its parents do not vary enough between personas, apart from each other, to tell their slopes")


def _intercepts(total: Floats, with_value: Floats, change: Floats, parent_change: Floats) -> tuple[Floats, Floats]:
    """Mean change less what the parents explain, for one or for n sets of sums; and the slopes."""
    if not with_value.shape[-1]:
        return np.asarray(change, dtype=np.float64), with_value
    try:
        beta = np.asarray(np.linalg.solve(total, with_value[..., None])[..., 0], dtype=np.float64)
    except np.linalg.LinAlgError:
        raise ValueError("its parents' slopes rest on one persona alone") from None
    explained = (beta * parent_change).sum(axis=-1)
    return np.asarray(change - explained, dtype=np.float64), beta
