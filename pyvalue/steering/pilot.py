"""A small trial of candidate edits: which one moves the target and little else.

First every candidate on the items of the target alone, then the best few on the other values too. It chooses an edit;
how the choice is made stands in ``plan_choice``, and what the candidates did in ``pilot_figures``.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from pyvalue.effects.leakage import Leakage
from pyvalue.errors import ModelError
from pyvalue.measurement.api import measure
from pyvalue.measurement.inventory import Inventory
from pyvalue.measurement.items import Item
from pyvalue.measurement.personas import Persona
from pyvalue.models.edits import Edit, Span, span
from pyvalue.models.loading import LanguageModel
from pyvalue.models.sae import SAE
from pyvalue.responses import Responses
from pyvalue.steering.features import find_features
from pyvalue.steering.pilot_figures import edit_figures
from pyvalue.steering.plan_choice import least_leaky, why

#: ``gain_p`` up to which the pilot counts as evidence that the chosen edit moves the target
MAX_P = 0.05


@dataclass(frozen=True)
class Pilot:
    """What the trial found.

    Attributes:
        edit: the chosen one.
        table: one row a candidate, see ``run_pilot``.
        leakage: of the chosen edit on the pilot's personas.
        choice: why this one, in a sentence.
        questions: answered in all.
        seconds: that the trial took.
        problems: what limits it.
    """

    edit: Edit
    table: pd.DataFrame = field(repr=False)
    leakage: Leakage
    choice: str
    questions: int
    seconds: float
    problems: tuple[str, ...] = ()


def run_pilot(
    model: LanguageModel,
    sae: SAE,
    inventory: Inventory,
    personas: Sequence[Persona],
    target: Mapping[str, int],
    *,
    keep: Sequence[str] = (),
    candidates: int = 6,
    strengths: Sequence[float] = (0.8, -0.8),
    positions: Any = None,
    finalists: int = 3,
    side_items: int = 4,
    reach: float | None = None,
    progress: bool | None = None,
) -> Pilot:
    """Try every feature at every strength, and the best few on other values too; choose the least leaky that reaches.

    The table has the columns ``feature, strength, stage, gain, gain_low, gain_high, gain_p, leakage, leakage_low,
    leakage_high, plain_leakage, valid, perplexity_ratio, usable, activation``; the chosen edit first, then the other
    finalists, then the rest, each by gain. ``gain`` is the mean over personas and target values of
    sign * (steered - unedited), on corrected scores of the questions that were answered both times; its interval needs
    3 personas. The interval knows nothing of the choice among many; ``gain_p`` does: the p-value of a t test that the
    gain is 0, two-sided, times the number of candidates that were screened (Bonferroni). The pilot has evidence for the
    chosen edit where this is at most ``MAX_P``.
    Leakage is that of ``pyvalue.effects.leakage`` on the kept values, or on all others. An edit is usable where it does
    not break the model (``pyvalue.broken_edits``). ``stage`` is "chosen", "finalist" or "screened".

    The gain of the best of several looks larger than it is; the personas of the outcome should be others.
    """
    start = time.perf_counter()
    aimed = Inventory(inventory.name, tuple(i for i in inventory.items if i.value in target or not i.keying))
    if unasked := [value for value in target if value not in aimed.values]:
        raise ValueError(f"inventory: has no items on {', '.join(unasked)}; it asks {', '.join(inventory.values)}")
    edits, found = _candidates(model, sae, inventory, personas, candidates, strengths, positions)
    by_label = {edit.label: edit for edit in edits}
    # Asked together: the layers below the SAE run once for all of them.
    screened = measure(model, aimed, personas, {"": [], **_alone(edits)}, progress=progress)
    settings = pd.DataFrame(found, index=list(by_label))
    first, leaks = edit_figures(screened, list(by_label), target, keep, len(edits))
    left = first[first["usable"]].sort_values("gain", ascending=False, kind="stable")
    if left.empty:
        raise ModelError(f"every candidate edit breaks the model ({first['reason'].iloc[-1]}); try smaller strengths")
    side = side_inventory(inventory, target, keep, side_items)
    answers, figures = screened, first.copy()
    stage = pd.Series("screened", index=first.index)
    while not (ready := figures[(stage == "finalist") & figures["usable"]]).shape[0]:
        labels = [label for label in left.index if stage[label] == "screened"][:finalists]
        if not labels:
            raise ModelError("every candidate edit breaks the model on the other values; try smaller strengths")
        stage[labels] = "finalist"
        answers = _with_side(model, side, personas, answers, [by_label[label] for label in labels], progress)
        figures.loc[labels], more = edit_figures(answers, labels, target, keep, len(edits))
        leaks |= more
    numbered = ready.assign(label=ready.index).reset_index(drop=True)
    place = least_leaky(numbered, reach)
    assert place is not None  # usable edits have a gain
    best = str(numbered["label"][place])
    stage[best] = "chosen"
    table = _in_order(settings.join(figures.drop(columns="reason")).assign(stage=stage))
    choice = why(numbered, place, reach, "the kept values" if keep else "all other values")
    problems = _problems(numbered, place, target, keep, inventory, len(personas), len(edits), reach)
    seconds = time.perf_counter() - start
    return Pilot(by_label[best], table, leaks[best], choice, len(answers.table), seconds, tuple(problems))


def side_inventory(inventory: Inventory, target: Mapping[str, int], keep: Sequence[str], per_value: int) -> Inventory:
    """The items of the other values: all of the kept ones, ``per_value`` of each of the rest, of both signs."""
    items: list[Item] = []
    for value in inventory.values:
        own = Inventory(inventory.name, tuple(i for i in inventory.items if i.value == value))
        if value not in target:
            items += own.items if value in keep else own.subset(min(per_value, len(own.items))).items
    return Inventory(inventory.name, tuple(items))


def _candidates(
    model: LanguageModel,
    sae: SAE,
    inventory: Inventory,
    personas: Sequence[Persona],
    candidates: int,
    strengths: Sequence[float],
    positions: Any,
) -> tuple[list[Edit], list[dict[str, Any]]]:
    """Edits with what is known of them before they are tried."""
    place: Span | str = span("your values") if positions is None else positions
    text = place.text if isinstance(place, Span) else "your values"
    found = find_features(model, sae, inventory, personas, text=text, count=candidates)
    if found.empty:
        raise ModelError(f"no feature of the SAE is active on the tokens {text!r}; use another SAE or other positions")
    edits, known = [], []
    for (feature, activation), strength in itertools.product(
        zip(found["feature"], found["activation"], strict=True), dict.fromkeys(strengths)
    ):
        edit = Edit(feature=int(feature), op="add", strength=strength, unit="relative", positions=place, sae=sae)  # type: ignore[arg-type]
        edits.append(edit)
        known.append({"feature": int(feature), "strength": float(strength), "activation": float(activation)})
    return edits, known


def _alone(edits: Sequence[Edit]) -> dict[str, list[Edit]]:
    return {edit.label: [edit] for edit in edits}


def _with_side(
    model: LanguageModel,
    side: Inventory,
    personas: Sequence[Persona],
    answers: Responses,
    edits: Sequence[Edit],
    progress: bool | None,
) -> Responses:
    """The answers and those on other values, unedited ones too where they are not there yet."""
    if not side.items:
        return answers
    plain = answers.table.loc[answers.table["edit"] == "", "value"]
    known = set(plain[plain != ""]) & set(side.values)
    more = measure(model, side, personas, {**({} if known else {"": []}), **_alone(edits)}, progress=progress)
    return Responses.concat([answers, more])


def _in_order(table: pd.DataFrame) -> pd.DataFrame:
    rank = table["stage"].map({"chosen": 0, "finalist": 1, "screened": 2})
    # A finalist that broke on the other values stands behind those that did not.
    ordered = table.assign(rank=rank).sort_values(
        ["rank", "usable", "gain"], ascending=[True, False, False], kind="stable", ignore_index=True
    )
    first = ["feature", "strength", "stage"]
    return ordered[[*first, *(name for name in table.columns if name not in (*first, "activation")), "activation"]]


def _problems(
    ready: pd.DataFrame,
    chosen: int,
    target: Mapping[str, int],
    keep: Sequence[str],
    inventory: Inventory,
    personas: int,
    screened: int,
    reach: float | None,
) -> list[str]:
    """What limits the choice of one of the usable finalists, in sentences."""
    named, told = ", ".join(target), []
    row = ready.loc[chosen]
    advice = "try more candidates, larger strengths or more personas"
    if not row["gain"] > 0:
        told.append(f"no candidate edit moves {named} as wanted in the pilot (best gain {row['gain']:+.3f}); {advice}")
    elif personas < 3:
        told.append(
            f"the pilot has {personas} persona{'s' * (personas > 1)}, and intervals need 3: whether any candidate "
            "reaches the target is not known"
        )
    elif not row["gain_p"] <= MAX_P:
        shown = ready[(ready["gain"] > 0) & (ready["gain_p"] <= MAX_P)]
        others = f"; there is for {', '.join(shown['label'])}, whose gain is smaller than wanted" if len(shown) else ""
        told.append(
            f"there is no evidence that the chosen edit moves {named}: the best of {screened} candidates may have such "
            f"a gain by chance (p times candidates is {row['gain_p']:.2f}){others}; {advice}"
        )
    if reach is not None and 0 < row["gain"] < reach:
        told.append(f"no finalist has the wanted gain of {reach:+.3f} (best {row['gain']:+.3f}); {advice}")
    if unasked := [value for value in keep if value not in inventory.values]:
        told.append(f"inventory: has no items on the kept {', '.join(unasked)}, so the pilot knows nothing of them")
    return told
