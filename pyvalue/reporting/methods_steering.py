"""Sentences of the methods paragraph on steering and on how claims about it were tested."""

from __future__ import annotations

from collections.abc import Sequence

from pyvalue.edit_changes import PairedChanges
from pyvalue.reporting.methods_answers import Sentence
from pyvalue.reporting.parts import Parts
from pyvalue.reporting.wording import count, listed, pushes
from pyvalue.steering.plan import SteeringPlan


def plan_sentences(plan: SteeringPlan | None) -> list[Sentence]:
    """What was to be steered, by what, and how it was chosen."""
    if plan is None:
        return []
    wish = listed(("raise " if sign > 0 else "lower ") + value for value, sign in plan.target.items())
    text = f"The aim was to {wish}"
    if plan.edits:
        text += f", by {listed(edit.label for edit in plan.edits)}"
        if len(plan.pilot):
            text += f", chosen among {count(len(plan.pilot), 'candidate')} in a pilot"
    elif plan.role is not None:
        text += f", by the role “{plan.role}”"
    return [(f"{text}.", ())]


def outcome_sentences(given: Parts, changes: Sequence[PairedChanges]) -> list[Sentence]:
    """How changes, doses and side effects were estimated."""
    said: list[Sentence] = []
    evaluation = given.evaluation
    if evaluation is not None:
        level = f"{evaluation.facts.get('confidence', 0.95):.0%}"
        said.append((
            f"Changes are each persona’s scores under the edit less its own without one, over the questions answered "
            f"both times by {count(evaluation.personas, 'persona')}; their {level} intervals are Student’s t, those of "
            "the summary a jackknife over personas.", (),
        ))  # fmt: skip
    if changes:
        edits = listed(count(len(one.edits), "edit") for one in changes)
        said.append((
            f"The heat map shows mean paired changes under {edits} with 95% Student’s t intervals over personas, not "
            "corrected for their number.", (),
        ))  # fmt: skip
    for dose in given.dose_responses[:1]:
        facts = dose.facts
        said.append((
            f"Dose–response curves are isotonic regressions from zero at no edit; intervals are from "
            f"{facts['resamples']:,} resamples of {facts['unit']} (seed {facts['seed']}), falls were tested with "
            "Bonferroni’s correction.", (),
        ))  # fmt: skip
    leaks = given.leakage is not None or given.side_effects is not None
    if leaks or (evaluation is not None and "leakage" in set(evaluation.summary["quantity"])):
        said.append((
            "Leakage is the root mean square change of all other values, sampling variance taken out, per unit of the "
            "target’s change" + (", with intervals by the method of variance estimates recovery." if leaks else "."),
            ("mover",) if leaks else (),
        ))  # fmt: skip
    if given.side_effects is not None:
        text = "Shares of personas whose target moved the wrong way have Wilson’s intervals"
        if len(given.side_effects.controls):
            text += f"; edits were ranked among {pushes(len(given.side_effects.controls))} of their size"
        said.append((f"{text}.", ("wilson",)))
    return said


def test_sentences(given: Parts) -> list[Sentence]:
    """How claims were tested."""
    said: list[Sentence] = []
    audit, benchmark, differences = given.audit, given.benchmark, given.differences
    if audit is not None:
        facts = audit.facts
        text = "The claim that values which follow in the graph change more often than others"
        text += " was tested against graphs with permuted names"
        if "permutations" in facts:
            text += f" ({facts['permutations']:,} at most), with intervals from {facts['resamples']:,} resamples of "
            text += f"personas (seed {facts['seed']})"
            if facts.get("orders"):
                text += f"; the search was repeated over {count(facts['orders'], 'order')} of the columns"
        said.append((f"{text}.", ("kang",)))
    if benchmark is not None:
        facts = benchmark.facts
        said.append((
            f"Predictors of side effects were compared by AUROC on held-out cells; intervals are from "
            f"{facts['resamples']:,} resamples of personas and edits, p from {facts['permutations']:,} permutations of "
            f"the values’ names (seed {facts['seed']}), with Holm’s correction.", ("holm",),
        ))  # fmt: skip
    if differences is not None:
        facts = differences.facts
        text = f"Associations ({facts.get('measure', 'partial')}) of two groups were compared by"
        text += (
            f" {facts.get('permutations', 0):,} permutations of personas between the groups, with the false discovery"
        )
        text += f" rate held at {differences.alpha:g} and the largest difference tested over all pairs"
        said.append((f"{text}.", ("fdr", "maxt")))
    return said
