"""The strengths of one edit and what each changed, from answers, tables of scores, or a sweep of texts."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from pyvalue.evaluation.side_effects_gate import working_edits
from pyvalue.responses import Responses, Score
from pyvalue.wide_scores import edit_label, read_source

if TYPE_CHECKING:
    from pyvalue.steering.sweep_table import SweepResult

TextScores: TypeAlias = Mapping[str, Callable[[str], float]]

#: share of degenerate texts from which on an edit counts as broken
MOST_DEGENERATE = 0.5


@dataclass(frozen=True)
class Doses:
    """Changes at every working strength.

    Attributes:
        strengths: (s,) growing, from 0 (no edit).
        change: (s, personas, values), 0 at no edit; NaN where missing.
        values: names of the last axis.
        broken: strength -> reason; these are in no array.
        unit: what the second axis is: personas or prompts.
        sign: of the strengths as they were given.
    """

    strengths: npt.NDArray[np.float64]
    change: npt.NDArray[np.float64] = field(repr=False)
    values: tuple[str, ...]
    broken: Mapping[float, str]
    unit: str
    sign: int


def read_doses(
    source: Any, strengths: Mapping[str, float] | None, text_scores: TextScores | None, score: Score
) -> Doses:
    """Line up the strengths of one edit.

    Raises:
        ValueError: see ``dose_response``.
        TypeError: a sweep without ``text_scores``, or ``text_scores`` without a sweep.
    """
    if _is_sweep(source):
        if not text_scores:
            raise TypeError("text_scores: a sweep holds texts; pass a mapping from a name to a function of a text")
        return _of_sweep(source, strengths, text_scores)
    if text_scores:
        raise TypeError("text_scores: only a sweep holds texts; answers and tables have values")
    source = read_source(source)
    known = strengths_of(source) if strengths is None else {edit_label(label): s for label, s in strengths.items()}
    if isinstance(source, Responses):
        kept = source.table["edit"].isin(["", *known])
        source = Responses(source.table[kept].reset_index(drop=True), source.facts)
    found = working_edits(source, score)
    labels = [*(found.changes.edits if found.changes else ()), *found.broken]
    sizes, sign = _checked(known, labels)
    broken = {sizes[label]: reason for label, reason in found.broken.items() if label in sizes}
    left = [label for label in sizes if label not in found.broken]
    if found.changes is None or not left:
        raise ValueError(f"source: the model is broken at every strength: {'; '.join(broken.values())}")
    chosen = found.changes.only(edits=left)
    cube = chosen.cube()[[chosen.edits.index(label) for label in left]]
    return _doses([sizes[label] for label in left], cube, chosen.values, broken, "personas", sign)


def strengths_of(source: Any) -> dict[str, float]:
    """Label -> strength of what was measured or swept under one edit of a strength; from the facts of the study.

    Raises:
        ValueError: the facts name no strengths, or those of different features.
    """
    facts = getattr(source, "facts", {})
    studies = [part.get("study", {}) for part in [facts, *facts.get("parts", [])] if isinstance(part, dict)]
    found: dict[str, float] = {}
    kinds = set()
    for study in studies:
        configurations = study.get("configurations", [])
        if isinstance(configurations, Mapping):
            configurations = [{"label": label, "edits": edits} for label, edits in configurations.items()]
        for one in configurations:
            edits = one["edits"]
            if len(edits) != 1 or edits[0].get("strength") is None or str(one["label"]).startswith("control "):
                continue
            edit = edits[0]
            found[one["label"]] = float(edit["strength"])
            direction = (edit.get("direction") or {}).get("sha256")
            kinds.add((edit["feature"], edit["op"], edit["unit"], str(edit["positions"]), direction))
    if not found:
        raise ValueError("strengths: the source does not say the strengths of its edits; pass {label: strength}")
    if len(kinds) > 1:
        raise ValueError(
            f"strengths: the source has edits of {len(kinds)} kinds (feature, operation, unit or positions); pass "
            "{label: strength} for one of them"
        )
    return found


def _is_sweep(source: Any) -> bool:
    return type(source).__name__ == "SweepResult"  # importing it takes SciPy's statistics along


def _of_sweep(sweep: SweepResult, strengths: Mapping[str, float] | None, scores: TextScores) -> Doses:
    from pyvalue.measurement.degenerate_text import is_degenerate

    known = strengths_of(sweep) if strengths is None else dict(strengths)
    sizes, sign = _checked(known, sweep.edits)
    table = sweep.table[sweep.table["edit"].isin(["", *sizes])]
    asked = {str(name): text for name, text in sweep.facts.get("study", {}).get("prompts", {}).items()}
    gone = [is_degenerate(str(t), asked.get(p, "")) for p, t in zip(table["prompt"], table["text"], strict=True)]
    share = table.assign(gone=gone).groupby("edit")["gone"].mean()
    broken = {
        sizes[label]: f"{share[label]:.0%} of its texts go in circles or left the language"
        for label in sizes
        if share[label] >= MOST_DEGENERATE
    }
    left = [label for label in sizes if sizes[label] not in broken]
    if not left:
        raise ValueError(f"source: the model is broken at every strength: {'; '.join(broken.values())}")
    names = list(scores)
    marked = table.assign(**{name: [float(scores[name](str(text))) for text in table["text"]] for name in names})
    means = marked.groupby(["edit", "prompt"], sort=False)[names].mean()
    prompts = list(sweep.prompts)
    cube = np.stack([(means.loc[label].reindex(prompts) - means.loc[""].reindex(prompts)).to_numpy() for label in left])
    return _doses([sizes[label] for label in left], cube, tuple(names), broken, "prompts", sign)


def _doses(
    sizes: list[float],
    cube: npt.NDArray[np.float64],
    values: tuple[str, ...],
    broken: Mapping[float, str],
    unit: str,
    sign: int,
) -> Doses:
    order = np.argsort(sizes)
    change = np.concatenate([np.zeros((1, *cube.shape[1:])), cube[order]])
    # Who has no change at all of a value has no curve that begins at 0.
    change[0][~np.isfinite(cube).any(axis=0)] = np.nan
    return Doses(np.array([0.0, *np.array(sizes)[order]]), change, values, dict(sorted(broken.items())), unit, sign)


def _checked(strengths: Mapping[str, float], labels: Any) -> tuple[dict[str, float], int]:
    """Label -> size of its strength, and their sign."""
    if missing := [label for label in strengths if label not in labels]:
        raise ValueError(
            f"strengths: {', '.join(map(repr, missing))} not in the source; it has {', '.join(map(repr, labels))}"
        )
    numbers = {label: float(strength) for label, strength in strengths.items() if label}
    if any(not math.isfinite(number) or number == 0 for number in numbers.values()):
        raise ValueError(f"strengths: expected finite numbers other than 0, got {numbers}")
    if len(numbers) < 2:
        raise ValueError(f"strengths: expected one edit at 2 strengths or more, got {len(numbers)}")
    signs = {int(math.copysign(1, number)) for number in numbers.values()}
    if len(signs) > 1:
        raise ValueError("strengths: expected all of one sign, got both; take the two directions one after the other")
    if len(set(numbers.values())) < len(numbers):
        raise ValueError(f"strengths: expected different ones, got {sorted(numbers.values())}")
    return {label: abs(number) for label, number in numbers.items()}, signs.pop()
