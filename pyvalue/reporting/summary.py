"""What was measured, found and steered, and whether the prediction held, in sentences computed from the numbers."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from pyvalue.evaluation.audit_findings import VERDICTS, Audit
from pyvalue.evaluation.prediction import Evaluation
from pyvalue.graph import ValueGraph
from pyvalue.reporting.absent import NOT_YET, awaited
from pyvalue.reporting.effects_plot import profile
from pyvalue.reporting.graph_summary import describe_graph, replicates, was_given
from pyvalue.reporting.parts import Parts
from pyvalue.reporting.respondents import asked_and_rated, rating_scales
from pyvalue.reporting.wording import count, interval, listed, signed, span_text
from pyvalue.responses import VALID, Responses
from pyvalue.steering.plan import SteeringPlan
from pyvalue.steering.plan_leakage import ExpectedLeakage
from pyvalue.steering.plan_text import leakage_text

#: mode -> what a score is made of
_SCORED = {
    "score": "the model's probability of yes against no to",
    "generate": "the yes, no or unsure that was read in the model's written answer to",
    "free": "a judge's rating of the model's written answer to",
}
#: edits, and series of scores, that a sentence names
_MOST_NAMED = 4


def summary(parts: Parts, quality: str = "") -> list[tuple[str, str]]:
    """(heading, paragraph) pairs, of what was given and of what an unfinished run is still to make.

    Args:
        parts: of the report.
        quality: how good the answers are, in a few sentences.
    """
    return [
        *_pair("Measured", describe_responses(parts.responses), parts, "responses"),
        *([("Reliable?", quality)] if quality else []),
        *_pair("Found", describe_graph(parts.graph) if parts.graph else "", parts, "graph"),
        *_pair("Planned", describe_plan(parts.plan) if parts.plan else "", parts, "plan"),
        *_pair("Held?", describe_outcome(parts.evaluation) if parts.evaluation else "", parts, "evaluation"),
        *([("Foretold?", _shortened(parts.benchmark.verdict))] if parts.benchmark else []),
        *([("Audit", describe_audit(parts.audit))] if parts.audit else []),
        *([("Not there", _describe_missing(parts.missing))] if parts.missing else []),
    ]


def _pair(heading: str, told: str, parts: Parts, field: str) -> list[tuple[str, str]]:
    told = told or (NOT_YET if awaited(parts, field) else "")
    return [(heading, told)] if told else []


def _describe_missing(missing: Sequence[str]) -> str:
    return " ".join(f"{one.rstrip('. ')}." for one in missing)


def _shortened(verdict: str) -> str:
    """Every sentence up to its first semicolon; the numbers behind it stand in their section."""
    sentences = re.split(r"(?<=[.)]) (?=[A-Z])", verdict)
    return " ".join(f"{sentence.partition(';')[0].rstrip('.')}." for sentence in sentences)


def describe_audit(audit: Audit) -> str:
    """How many checks hold, fail and are unclear, and which fail."""
    by = {verdict: [one.name for one in audit.findings if one.verdict == verdict] for verdict in VERDICTS}
    text = f"Of {count(len(audit.findings), 'check')} {len(by['holds'])} hold, {len(by['fails'])} fail"
    text += f" ({listed(by['fails'])})" if by["fails"] else ""
    text += f", {len(by['unclear'])} cannot be told from chance"
    rest = len(by["not computable"])
    return text + (f", {rest} could not be computed." if rest else ".")


def describe_responses(sets: Sequence[Responses]) -> str:
    """Who was asked what, how many answers count, the highest and lowest value; sets of the same personas together."""
    alike: dict[tuple[str, str, str, str, frozenset[str]], list[Responses]] = {}
    asked, rated = asked_and_rated(sets)
    told = [_describe_ratings(one) for one in rated]
    for responses in asked:
        table = responses.table
        sizes = (
            listed(table["model"].unique(), "no model"),
            count(table["item"].nunique(), "question"),
            count(len(responses.values), "value"),
            count(len(responses.personas), "persona"),
            frozenset(responses.personas),
        )
        alike.setdefault(sizes, []).append(responses)
    return " ".join([*told, *(_describe_alike(*sizes[:4], group) for sizes, group in alike.items())])


def _describe_ratings(ratings: Responses) -> str:
    """Who rated how many items, how many ratings count, the highest and lowest value."""
    table = ratings.table
    source, (low, high) = next(
        (name, scale) for name, scale in rating_scales(ratings).items() if name in set(table["model"])
    )
    valid = float(table["status"].isin(VALID).mean())
    text = f"{len(ratings.personas):,} {source} rated {count(table['item'].nunique(), 'item')} on "
    text += f"{count(len(ratings.values), 'value')} from {low:g} to {high:g}: {count(len(table), 'rating')}, "
    text += "none missing." if valid == 1 else f"{valid:.1%} of them given (the others are missing, not 0)."
    return text + _highest([ratings])


def _describe_alike(model: str, questions: str, values: str, personas: str, sets: Sequence[Responses]) -> str:
    labels = dict.fromkeys(edit for one in sets for edit in one.edits)
    edits = [f"under “{edit}”" if edit else "without an edit" for edit in labels]
    if len(edits) > _MOST_NAMED:
        edits = [*(["without an edit"] if "" in labels else []), f"under {sum(map(bool, labels))} edits"]
    answers = sum(len(one.table) for one in sets)
    if not answers:
        return "A set of responses holds no answers."
    valid = sum(int(one.table["status"].isin(VALID).sum()) for one in sets) / answers
    text = f"{model} answered {questions} about {values} as {personas}, {listed(edits)}: {count(answers, 'answer')}, "
    text += "all valid." if valid == 1 else f"{valid:.1%} of them valid (the others are missing, not 0)."
    return text + _highest(sets, named=True)


def _highest(sets: Sequence[Responses], named: bool = False) -> str:
    text = ""
    for name, scores in profile(sets, most=_MOST_NAMED).dropna(subset="mean").groupby("series", sort=False):
        top, low = scores.loc[scores["mean"].idxmax()], scores.loc[scores["mean"].idxmin()]
        series = f" ({name})" if named else ""
        text += f" Highest{series}: {top['value']} ({signed(top['mean'])}), "
        text += f"lowest: {low['value']} ({signed(low['mean'])})."
    return text


def describe_plan(plan: SteeringPlan) -> str:
    """The wish, the means and why these, what the graph says should follow and how far, and what limits the plan."""
    wish = listed(("raise " if sign > 0 else "lower ") + value for value, sign in plan.target.items())
    means = listed((f"“{edit.label}”" for edit in plan.edits), "")
    means = f", by {means}" if means else "; no edit was chosen"
    role = f"playing “{plan.role}”" if plan.role is not None else ""
    if role:
        means += f" ({role} would be another way)" if plan.edits else f", but {role} would do it"
    text = f"The aim is to {wish}{means}."
    if plan.keep:
        text += f" {listed(plan.keep)} should be kept."
    if plan.choice:
        label, _, reason = plan.choice.partition(": ")
        text += f" Why “{label}”: {reason}."
    definite, possible = (_with_numbers(plan, plan.values(relation)) for relation in ("definite", "possible"))
    if not definite and not possible:
        text += " By the graph, nothing else follows from the target: every other value should stay."
    if definite:
        text += f" By the graph, {listed(definite)} should move with it."
    if possible:
        text += f" {listed(possible)} may move, depending on directions that the data leave open."
    stay = plan.values("unaffected")
    if definite or possible:
        text += f" {listed(stay)} should stay." if stay else " No value is predicted to stay."
    leaks = plan.expected_leakage
    if leaks.known:
        text += f" So the other values should move by {leakage_text(leaks)} per unit of the target (root mean square)"
        if plan.pilot_leakage is not None:
            text += f"; in the pilot, whose answers chose the edit, they moved by {_piloted(plan)}"
        text += "."
    return text + "".join(f" Mind: {told}." for told in plan.problems)


def _with_numbers(plan: SteeringPlan, values: Sequence[str]) -> list[str]:
    """The values with their predicted intervals, where there are such."""
    table = plan.predicted_changes
    known = {} if table.empty else {row["value"]: row for row in table.to_dict("records")}
    named = []
    for value in values:
        row = known.get(value)
        spoken = span_text(row["low"], row["high"]) if row else "–"
        named.append(value if spoken == "–" else f"{value} ({'' if plan.amount else 'per unit '}{spoken})")
    return named


def _piloted(plan: SteeringPlan) -> str:
    assert plan.pilot_leakage is not None  # for the type checker; the caller knows
    estimate, low, high = plan.pilot_leakage.estimate()
    if not np.isfinite(estimate):
        return f"an amount that is undefined ({plan.pilot_leakage.reason or 'too few answers'})"
    return f"{estimate:z.2f} [{low:z.2f}, {high:z.2f}]"


def describe_outcome(evaluation: Evaluation) -> str:
    """Whether the target moved, which predictions held value by value, and the contrast as the verdict."""
    effects = evaluation.effects
    sentences = [_gain(evaluation)]
    if evaluation.facts.get("broken"):
        sentences.insert(0, f"The edit broke the model, so this says little: {evaluation.facts['broken']}.")
    nothing_else = not effects["predicted"].isin(["definite", "possible"]).any()
    for relations, tense in ((("definite", "possible"), "move"), (("unaffected",), "stay")):
        group = effects[effects["predicted"].isin(relations)]
        if group.empty:
            sentences.append(f"No value was predicted to {tense}.")
            continue
        moved = list(group.loc[group["changed"], "value"])
        names = f" ({listed(moved)})" if moved else ""
        sentences.append(f"Of {count(len(group), 'value')} predicted to {tense}, {len(moved)} changed{names}.")
    strays = list(effects.loc[effects["changed"] & (effects["predicted"] == "unaffected"), "value"])
    if nothing_else and strays:
        sentences.append(f"The prediction that nothing else moves failed for {listed(strays)}.")
    elif nothing_else:
        sentences.append("No movement was seen where none was predicted; small ones may hide inside the intervals.")
    sentences.append(_contrast(evaluation))
    sentences += _numbers(evaluation)
    return " ".join(sentences)


def _numbers(evaluation: Evaluation) -> list[str]:
    """How the predicted intervals held, and the leakage against what the graph expects."""
    expected = evaluation.facts.get("expected")
    if not expected:
        return []
    judged = evaluation.effects[evaluation.effects["covered"].notna()]
    held = int(judged["covered"].sum())
    missed = list(judged.loc[~judged["covered"].astype(bool), "value"])
    text = f"The predicted intervals agree with what was measured for {held} of {count(len(judged), 'value')}"
    text += f" (not {listed(missed)})" if missed else ""
    still = round(evaluation.estimate("coverage of no change")[0] * len(judged))
    text += f"; had no change been predicted of any, that would agree for {still}"
    text += ", so the intervals say nothing more than that nothing moves." if still >= held else "."
    sentences = [text]
    signs = evaluation.estimate("sign accuracy")[0]
    if np.isfinite(signs):
        sentences.append(f"Of the values that were predicted to move in one direction and changed, {signs:.0%} did so.")
    if "leakage" not in expected:
        return sentences
    estimate, low, high = evaluation.estimate("leakage")
    leaks = ExpectedLeakage(**expected["leakage"])
    wanted = leakage_text(leaks)
    if not np.isfinite(estimate):
        sentences.append(f"Leakage (expected {wanted}) is undefined, since the interval of the gain holds zero.")
        return sentences
    told = f"Other values moved by {estimate:z.2f} [{low:z.2f}, {high:z.2f}] per unit of the target (expected {wanted})"
    if low > leaks.high:
        told += ": more than the graph accounts for."
    elif high < leaks.low:
        told += ": less than the graph predicts."
    else:
        told += ": as the graph predicts, within the noise."
    return [*sentences, told]


def _gain(evaluation: Evaluation) -> str:
    estimate, low, high = evaluation.estimate("target gain")
    told = (
        f"Over {count(evaluation.personas, 'persona')} the target moved by {interval(estimate, low, high)} "
        "in the wanted direction"
    )
    if not np.isfinite([low, high]).all():
        return "Whether the target moved cannot be said: too few valid answers."
    if low > 0:
        return f"{told}; the interval lies above zero, so the edit did what it was meant to."
    if high < 0:
        return f"{told}; the interval lies below zero, so the edit moved it the wrong way."
    return f"{told}; the interval includes zero, so there is no evidence that the edit moved the target at all."


def _contrast(evaluation: Evaluation) -> str:
    estimate, low, high = evaluation.estimate("contrast")
    if not np.isfinite([estimate, low, high]).all():
        return "The two groups cannot be compared, since one of them is empty or has no answers."
    told = (
        "Contrast between the values predicted to move and those predicted to stay: "
        f"{interval(estimate, low, high)} (signed root of the difference of their mean square changes)"
    )
    if low > 0:
        return f"{told}; the interval lies above zero, so on average the prediction held."
    if high < 0:
        return f"{told}; the interval lies below zero, so the prediction failed: the others moved more."
    return f"{told}; the interval includes zero, so these answers do not show that the prediction held."


def limits(parts: Parts) -> list[str]:
    """What these numbers do not say."""
    said = []
    asked, rated = asked_and_rated(parts.responses)
    if rated:
        said.append(
            "A score is what people say of themselves on a rating scale, from −1 (against the value) to 1 (for it). It "
            "is not what they do, and holds for people like those who answered."
        )
    if asked:
        said.append(
            f"A score is {_scored(asked)} a direct question under a persona, from −1 (against the value) to "
            "1 (for it). It is not what the model does in a longer conversation, and a model has no values in the "
            "sense in which people have them."
        )
    if parts.responses and min(responses.valid_share for responses in parts.responses) < 0.95:
        said.append("More than one answer in 20 is missing in some set; means are over the valid answers alone.")
    if parts.graph:
        said += _limits_of_graph(parts.graph)
    if parts.plan:
        said.append(_limit_of_plan(parts.plan))
    if parts.evaluation:
        confidence = parts.evaluation.facts.get("confidence", 0.95)
        said.append(
            f"Intervals ({confidence:.0%}) are over personas: they hold for other personas of this kind, not for other "
            "questions or models. They are not corrected for looking at "
            f"{count(len(parts.evaluation.effects), 'value')} at once, "
            f"so about {1 - confidence:.0%} of the values that stay still will be called changed."
        )
        if parts.evaluation.personas < 20:
            said.append(f"{count(parts.evaluation.personas, 'persona')} are few; such intervals tend to be too short.")
    return said


def _scored(sets: Sequence[Responses]) -> str:
    modes = dict.fromkeys(mode for one in sets for mode in one.table["mode"].unique())
    return " or ".join(_SCORED[mode] for mode in modes if mode in _SCORED) or "the model's answer to"


def _limits_of_graph(graph: ValueGraph) -> list[str]:
    if was_given(graph):
        return ["The graph was given: whether its arrows are causal is a matter of where it is from."]
    causal = (
        "Arrows are causal only if no unmeasured cause acts on two values, dependence is close to linear, and no "
        "effects cancel out."
    )
    if graph.bootstrap is not None:
        causal += f" A share of {replicates(graph)} is the stability of an edge, not the size of an effect."
    return [causal, "An edge that is missing from the graph may be a weak one: a test with few rows overlooks it."]


def _limit_of_plan(plan: SteeringPlan) -> str:
    if plan.unit_changes.empty:
        return "The graph predicts which values move with the target, not by how much and not in which direction."
    return (
        "Predicted changes are linear effects by the graph: they hold if its arrows are right, if nothing unmeasured "
        "acts on two values, and if an edit moves the target alone and everything else through it. Their intervals "
        "know of few rows and of open directions, not of wrong edges."
    )
