"""What edits did beside what they were to do: one row an edit, next to random pushes of the same size.

Works from answers or a table of scores; asks no model. What texts cost is in ``side_effects_comparison``.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pyvalue.atomic_files import write_json
from pyvalue.edge_frequencies import wilson_interval
from pyvalue.effects.change_moments import MIN_PAIRS, Moments
from pyvalue.effects.leakage import Leakage, leakage
from pyvalue.evaluation.side_effects_gate import RATES, WorkingEdits, working_edits
from pyvalue.plotted import Plotted
from pyvalue.responses import Score
from pyvalue.wide_scores import edit_labels

#: how ``pyvalue.steering.controls`` calls the controls of an edit
_CONTROL = re.compile(r"control \d+ of (?P<edit>.*) \([^()]*\)")
#: of the table, beside one column a group
COLUMNS = (
    "edit", "personas", "asked", "gain", "gain_low", "gain_high", "leakage", "leakage_low", "leakage_high", "plain",
    "side_change", "wrong", "wrong_low", "wrong_high", "unchanged", *RATES, "controls", "control_gain", "control_side",
    "control_wrong", "p_gain", "p_leakage", "p_side", "p_wrong", "note",
)  # fmt: skip
#: of an edit and of its controls, for their comparison
_COMPARED = ("gain", "plain", "side_change", "wrong")


@dataclass(frozen=True)
class SideEffects(Plotted):
    """Target and side effects of edits.

    Attributes:
        table: one row an edit that works. ``personas``, who have a change of the target, of the ``asked`` ones who have
            a row under the edit; ``gain`` (in the wanted direction) with its interval; ``leakage`` with its interval
            and one column a group (``expected``, ``unexpected``, ``opposed``, ...), see
            ``pyvalue.effects.leakage``; ``plain``, leakage with its noise; ``side_change``, the root mean square change
            of all other values in units of the score, noise taken out; ``wrong``, the share of personas whose target
            moved the wrong way, with its Wilson interval, and ``unchanged``; ``valid, invalid, refused, degenerate``
            shares of answers and ``perplexity_ratio``; how many ``controls`` there are, their means ``control_gain,
            control_side, control_wrong``, and the rank of the edit among them: ``p_gain`` (as much gain), ``p_leakage``
            (as little ``plain`` leakage), ``p_side`` (as little side change), ``p_wrong`` (as few the wrong way), each
            (1 + controls that are as good) / (1 + controls); ``note``, what cannot be said and why.
        leakages: label -> all of its leakage.
        controls: one row a control: ``edit, control_of, gain, plain, side_change, wrong``.
        broken: label -> why the edit broke the model; such edits and controls are in no table.
        target: value -> +1 or -1.
        facts: ``score``, ``confidence``.
    """

    table: pd.DataFrame = field(repr=False)
    leakages: Mapping[str, Leakage] = field(repr=False)
    controls: pd.DataFrame = field(repr=False)
    broken: Mapping[str, str]
    target: Mapping[str, int]
    facts: dict[str, Any] = field(default_factory=dict, repr=False)

    def to_dict(self) -> dict[str, Any]:
        """JSON-able; missing numbers are null."""
        tables = {name: _records(getattr(self, name)) for name in ("table", "controls")}
        leaked = {label: found.to_dict() for label, found in self.leakages.items()}
        return {
            "target": dict(self.target),
            **tables,
            "leakages": leaked,
            "broken": dict(self.broken),
            "facts": self.facts,
        }

    def save(self, path: str | Path) -> Path:
        """Write JSON, whole or not at all."""
        write_json(path, self.to_dict())
        return Path(path)

    def __str__(self) -> str:
        named = ", ".join(("raise " if sign > 0 else "lower ") + value for value, sign in self.target.items())
        lines = [f"Side effects ({named}), {self.facts.get('confidence', 0.95):.0%} intervals over personas"]
        lines += [_sentence(row, self.leakages[row["edit"]]) for row in self.table.to_dict("records")]
        lines += [f"broken, left out: {label}: {reason}" for label, reason in self.broken.items()]
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"SideEffects({len(self.table)} edits, {len(self.controls)} controls, {len(self.broken)} broken)"


def side_effects(
    source: Any,
    target: Mapping[str, int],
    *,
    edit: str | int | Sequence[str | int] | None = None,
    controls: Mapping[str, Sequence[str]] | Sequence[str] | None = None,
    groups: Mapping[str, Iterable[str]] | None = None,
    score: Score = "corrected",
    confidence: float = 0.95,
) -> SideEffects:
    """Gain, leakage, wrong ways and breakdowns of every edit, ranked among its controls.

    Half of the personas move the wrong way where an edit does nothing, so ``wrong`` is to be read beside that of the
    controls. p cannot fall below 1 / (1 + controls): 19 controls are needed for .05. It says how often a random push of
    the same size does as well, and treats controls as exchangeable with the edit.

    Args:
        source: ``Responses``, or what ``pyvalue.wide_scores.score_rows`` takes, with unedited rows.
        target: value -> +1 (was to rise) or -1 (to fall).
        edit: label, or several, or numbers of features; default all that are no controls.
        controls: label -> labels of its controls, or labels of controls of every edit; default those whose labels say
            it (``"control 1 of <label> (...)"``).
        groups: name -> values, for leakage; such as ``prediction_groups(plan.predicted)``.
        score: of ``Responses``.
        confidence: of the intervals, in (0, 1).

    Raises:
        ValueError: no unedited rows, a label or target that is not there, or what ``leakage`` refuses.
        TypeError: ``target`` is no mapping, or ``controls`` a single text.
    """
    if not isinstance(target, Mapping):
        raise TypeError(f'target: expected a mapping of values to +1 or -1, such as {{"Power": 1}}, got {target!r}')
    everyone = working_edits(source, score)
    changes = everyone.changes
    known = [*(changes.edits if changes else ()), *everyone.broken]
    control_of = _control_of(controls, known)
    several = edit if edit is None or (isinstance(edit, Iterable) and not isinstance(edit, str)) else [edit]
    wanted = None if several is None else list(edit_labels(several, "edit") or ())
    if wanted and (missing := [label for label in wanted if label not in known]):
        raise ValueError(
            f"edit: {', '.join(map(repr, missing))} not in the source; it has {', '.join(map(repr, known))}"
        )
    if wanted is None:
        wanted = [label for label in known if label not in control_of]
    working = [label for label in known if label not in everyone.broken]
    judged = [label for label in wanted if label in working]
    needed = [label for label in working if label in judged or set(control_of.get(label, ())) & {*judged, ""}]
    leaks, compared = {}, {}
    for label in needed:
        assert changes is not None
        own = changes.of(label)
        compared[label] = _compared(own, target)
        if label in judged:
            leaks[label] = leakage(own, target, groups=groups, confidence=confidence)
    pool = {label: [c for c in needed if c != label and set(control_of.get(c, ())) & {label, ""}] for label in judged}
    rows = [_row(label, leaks[label], compared, pool[label], everyone, confidence) for label in judged]
    control_rows = [
        {"edit": c, "control_of": label, **{name: compared[c][name] for name in _COMPARED}}
        for label in judged
        for c in pool[label]
    ]
    return SideEffects(
        pd.DataFrame(rows, columns=None if rows else list(COLUMNS)),
        leaks,
        pd.DataFrame(control_rows, columns=["edit", "control_of", *_COMPARED]),
        everyone.broken,
        dict(target),
        {"score": score, "confidence": confidence},
    )


def _compared(change: pd.DataFrame, target: Mapping[str, int]) -> dict[str, Any]:
    """What an edit shares with its controls, and the counts behind it."""
    moved = change.to_numpy(dtype=float)
    sign = np.array([float(target.get(value, 0)) for value in change.columns])
    other = (sign == 0).astype(float)
    moments = Moments.of(moved)
    gain, square = moments.gain(sign)[0], float(moments.average(moments.square, other)[0])
    means = moments.mean[0][moments.counted(other)]
    known = np.isfinite(moved) & (sign != 0)
    having = known.any(axis=1)
    gains = np.where(known, moved * sign, 0.0)[having].sum(axis=1)  # of these the sign alone is used
    n = int(having.sum())
    return {
        "gain": gain,
        "plain": float(np.abs(means).mean() / abs(gain)) if len(means) and gain else math.nan,
        "side_change": math.copysign(math.sqrt(abs(square)), square),
        "wrong": float((gains < 0).mean()) if n else math.nan,
        "wrong_count": int((gains < 0).sum()),
        "unchanged": float((gains == 0).mean()) if n else math.nan,
        "personas": n,
        "gaps": int((~np.isfinite(moved[having][:, sign == 0])).any(axis=1).sum()),
        "still": bool(np.isfinite(moved).any() and not np.nan_to_num(moved).any()),
    }


def _row(
    label: str,
    leaked: Leakage,
    compared: Mapping[str, Mapping[str, Any]],
    pool: Sequence[str],
    known: WorkingEdits,
    confidence: float,
) -> dict[str, Any]:
    own, others = compared[label], pd.DataFrame([compared[c] for c in pool], columns=list(_COMPARED))
    low, high = _wilson(own["wrong_count"], own["personas"], confidence)
    row: dict[str, Any] = {"edit": label, "personas": own["personas"], "asked": known.asked[label], "gain": leaked.gain}
    row |= {"gain_low": leaked.low, "gain_high": leaked.high}
    row |= dict(zip(("leakage", "leakage_low", "leakage_high"), leaked.estimate(), strict=True))
    row |= {group: leaked.estimate(group)[0] for group in leaked.groups if group != "all"}
    row |= {"plain": own["plain"], "side_change": own["side_change"]}
    row |= {"wrong": own["wrong"], "wrong_low": low, "wrong_high": high, "unchanged": own["unchanged"]}
    row |= {name: float(known.rates.loc[label, name]) if label in known.rates.index else math.nan for name in RATES}
    row["controls"] = len(pool)
    means = others.mean() if len(pool) else dict.fromkeys(_COMPARED, math.nan)
    row |= {"control_gain": means["gain"], "control_side": means["side_change"], "control_wrong": means["wrong"]}
    row["p_gain"] = _rank(own["gain"], others["gain"], least=False)
    # Leakage without a gain is no little leakage: a control that did not move the target as wanted is not as good.
    plain = others["plain"].where(others["gain"] > 0, math.inf)
    row["p_leakage"] = _rank(own["plain"] if own["gain"] > 0 else math.inf, plain, least=True)
    row["p_side"] = _rank(own["side_change"], others["side_change"], least=True)
    row["p_wrong"] = _rank(own["wrong"], others["wrong"], least=True)
    row["note"] = "; ".join(_notes(own, leaked, known.asked[label]))
    return row


def _notes(own: Mapping[str, Any], leaked: Leakage, asked: int) -> list[str]:
    """What cannot be said and why, the most important first."""
    people = own["personas"]
    told = []
    if own["still"]:
        told.append("changed no score at all")
    elif people < MIN_PAIRS:
        told.append(f"intervals need {MIN_PAIRS} personas with a change of the target; there {_are(people)}")
    elif leaked.reason:
        told.append(leaked.reason)
    if people < asked:
        told.append(f"{asked - people} of {asked} personas lack a score of the target without or under the edit")
    few = [value for value in leaked.facts.get("too_few", ()) if value not in leaked.target]
    if few and people >= MIN_PAIRS:
        told.append(f"not counted, with fewer than {MIN_PAIRS} personas: {', '.join(few)}")
    if own["gaps"]:
        told.append(f"{own['gaps']} of {people} personas lack a change of some other value")
    return told


def _are(count: int) -> str:
    return "is 1" if count == 1 else f"are {count}"


def _wilson(count: int, n: int, confidence: float) -> tuple[float, float]:
    from scipy.special import ndtri

    low, high = wilson_interval(np.array([float(count)]), np.array([float(n)]), float(ndtri((1 + confidence) / 2)))
    return float(low[0]), float(high[0])


def _rank(own: float, others: pd.Series, least: bool) -> float:
    """(1 + controls that are as good) / (1 + controls); NaN where there are none, or no number of the edit's own."""
    found = others.dropna().to_numpy(dtype=float)
    if not len(found) or math.isnan(own):
        return math.nan
    as_good = found <= own if least else found >= own
    return float((1 + as_good.sum()) / (1 + len(found)))


def _control_of(
    controls: Mapping[str, Sequence[str]] | Sequence[str] | None, known: Sequence[str]
) -> dict[str, tuple[str, ...]]:
    """Control -> edits that it controls for; ``""`` stands for all of them."""
    if controls is None:
        named = {label: match["edit"] for label in known if (match := _CONTROL.fullmatch(label))}
        return {label: (edit,) for label, edit in named.items() if edit in known}
    if isinstance(controls, str):
        raise TypeError(f"controls: expected labels, got the string {controls!r}; write [{controls!r}]")
    if not isinstance(controls, Mapping):
        controls = {"": controls}
    found: dict[str, tuple[str, ...]] = {}
    for edit, labels in controls.items():
        for label in edit_labels(labels, f"controls[{edit!r}]" if edit else "controls") or ():
            if label not in known or edit not in ("", *known):
                raise ValueError(
                    f"controls: {(label if label not in known else edit)!r} not in the source; it has "
                    f"{', '.join(map(repr, known))}"
                )
            found[label] = (*found.get(label, ()), edit)
    return found


def _sentence(row: Mapping[str, Any], leaked: Leakage) -> str:
    parts = [f"{row['personas']} persona{'s' * (row['personas'] != 1)}"]
    if row["personas"]:
        parts.append("gain " + _with_ends(row, "gain", "+z.3f"))
        if math.isnan(row["leakage"]):
            parts.append("leakage undefined")
        else:
            found = {group: leaked.estimate(group)[0] for group in leaked.groups if group != "all"}
            groups = [f"{group} {size:z.2f}" for group, size in found.items() if not math.isnan(size)]
            parts.append(
                "leakage " + _with_ends(row, "leakage", "z.2f") + (f" ({', '.join(groups)})" if groups else "")
            )
        parts.append("wrong way " + _with_ends(row, "wrong", ".0%"))
    if row["controls"]:
        parts[-1] += f", controls {row['control_wrong']:.0%}"
        ranks = [
            f"{name} {row[p]:.2f}" for name, p in (("gain", "p_gain"), ("side change", "p_side")) if row[p] == row[p]
        ]
        parts += [f"p among {row['controls']} controls: {', '.join(ranks)}"] if ranks else []
    if not math.isnan(row["valid"]):
        parts.append(f"{row['valid']:.0%} valid")
    return f"{row['edit']}: " + "; ".join(parts) + (f" ({row['note']})" if row["note"] else "")


def _with_ends(row: Mapping[str, Any], name: str, form: str) -> str:
    """The number with its interval, or without one where there is none."""
    low, high = row[f"{name}_low"], row[f"{name}_high"]
    ends = "" if math.isnan(low) or math.isnan(high) else f" [{low:{form}}, {high:{form}}]"
    return f"{row[name]:{form}}{ends}"


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(table.to_json(orient="records", double_precision=15))
    return found
