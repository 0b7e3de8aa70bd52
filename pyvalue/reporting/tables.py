"""The report's tables: a caption, a header and rows of text. Escaping is the template's business."""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from pandas import NA

from pyvalue.evaluation.prediction import Evaluation
from pyvalue.evaluation.prediction_text import SHARES
from pyvalue.graph import ValueGraph
from pyvalue.reporting.effects_plot import effects_in_order, profile
from pyvalue.reporting.graph_summary import replicates, was_averaged
from pyvalue.reporting.respondents import asked_and_rated, only_people
from pyvalue.reporting.theme import RELATION_NAMES, schwartz_order
from pyvalue.reporting.wording import interval, level, signed, span_text
from pyvalue.responses import VALID, Responses
from pyvalue.steering.plan import SteeringPlan
from pyvalue.steering.plan_leakage import ExpectedLeakage
from pyvalue.steering.plan_text import leakage_text

#: rows of a table on the page; the files of the run hold all
MAX_ROWS = 200
_SIGNS = {"directed": "→", "undirected": "—", "bidirected": "↔"}
_PACKAGES = ("pyvalue", "numpy", "pandas", "torch", "transformers", "triton", "sae-lens", "causal-learn")
_HEADERS = {
    "plain_leakage": "noise and all",
    "perplexity_ratio": "perplexity ×",
    "gain_p": "p × tried",
    "observed": "as answered",
}
_LEFT_OUT = ["activation", "plain_leakage", "reason"]
_QUANTITIES = {
    "target gain": "mean change of the target, in the wanted direction",
    "expected change": "root mean square change of the values predicted to move, noise taken out",
    "unexpected change": "root mean square change of the values predicted to stay, noise taken out",
    "contrast": "signed root of the difference of the two mean squares",
    "leakage": "root mean square change of all other values, noise taken out, per unit of target change; undefined "
    "where the interval of the gain holds zero",
    "coverage": "share of values whose predicted interval agrees with what was measured",
    "coverage of no change": "the same if no change had been predicted of any value; where it is as high, intervals "
    "say little",
    "sign accuracy": "share with the predicted sign, of the values whose predicted and measured intervals leave out "
    "zero; undefined where the interval of the gain holds zero",
}


@dataclass(frozen=True)
class Table:
    """Rows of text.

    Attributes:
        caption: what the table shows.
        header: names of the columns.
        rows: of text, one entry a column.
        numbers: columns that are set flush right.
        marks: relation of every row to the target, for its colour; empty for none.
    """

    caption: str
    header: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    numbers: tuple[int, ...] = ()
    marks: Sequence[str] = ()

    @property
    def shown(self) -> Sequence[tuple[str, ...]]:
        """The first ``MAX_ROWS`` rows."""
        return self.rows[:MAX_ROWS]

    @property
    def left_out(self) -> int:
        """Number of rows that are not shown."""
        return len(self.rows) - len(self.shown)


def edge_table(graph: ValueGraph) -> Table:
    """Every edge, the most stable first, with its share of replicates."""
    kinds = {frozenset((a, b)): (a, kind, b) for a, b, kind in graph.edges()}
    if graph.bootstrap is None:
        plain = [(a, _SIGNS[kind], b) for a, kind, b in kinds.values()]
        return Table("Edges of the value graph", ("from", "edge", "to"), plain)
    rows: list[tuple[str, ...]] = []
    strengths = graph.strengths()
    for row in strengths[strengths["in_graph"]].to_dict("records"):
        a, kind, b = kinds[frozenset((row["source"], row["target"]))]
        forward, backward = row["forward"], row["backward"]
        if row["source"] != a:
            forward, backward = backward, forward
        stable = f"{percent(row['strength'])} [{percent(row['strength_low'])}, {percent(row['strength_high'])}]"
        rows.append((a, _SIGNS[kind], b, stable, percent(forward), percent(backward), percent(row["undirected"])))
    return Table(
        f"Edges of the value graph{'' if was_averaged(graph) else ' of all rows'}; beside each, the share of "
        f"{replicates(graph, graph.bootstrap.replicates)} that found it [95% Monte-Carlo interval], and the shares "
        "in which it points to the right (→), to the left (←) or neither way (—)",
        ("from", "edge", "to", "found", "→", "←", "—"),
        rows,
        numbers=(3, 4, 5, 6),
    )


def profile_table(sets: Sequence[Responses]) -> Table:
    """Mean score of every value, one column a series of ``profile``."""
    table = profile(sets)
    names, series = list(dict.fromkeys(table["value"])), tuple(dict.fromkeys(table["series"]))
    cells = {(r["value"], r["series"]): interval(r["mean"], r["low"], r["high"]) for r in table.to_dict("records")}
    rows = [(name, *(cells.get((name, one), "–") for one in series)) for name in schwartz_order(names) or names]
    caption = f"Mean score of every value [95%] over {'people' if only_people(sets) else 'personas'}{_corrected(sets)}"
    return Table(caption, ("value", *series), rows, tuple(range(1, len(series) + 1)))


def _corrected(sets: Sequence[Responses]) -> str:
    """Whether the bias towards yes was taken off: only where content-free items were asked."""
    sets, _ = asked_and_rated(sets)  # of ratings there is nothing to correct
    free = [bool((one.table["keying"] == 0).any()) for one in sets]
    if not any(free):
        return ", not corrected for a bias towards yes: no content-free items were asked" if free else ""
    return ", corrected for the bias towards yes" + ("" if all(free) else " where content-free items were asked")


def edits_table(plan: SteeringPlan) -> Table:
    """What the plan changes in the residual stream; edits read from a file are shown by what it says of them."""
    rows = [_edit_row(edit) for edit in plan.edits]
    return Table("Edits", ("edit", "feature", "operation", "strength", "positions", "autoencoder"), rows, (1, 3))


def _edit_row(edit: Any) -> tuple[str, ...]:
    known: Mapping[str, Any] = edit.facts if isinstance(getattr(edit, "facts", None), Mapping) else vars(edit)
    sae = known.get("sae")
    name = sae.get("name") if isinstance(sae, Mapping) else getattr(sae, "name", None)
    feature, strength = known.get("feature"), known.get("strength")
    size = f"{strength:g} {known.get('unit', '')}".strip() if isinstance(strength, int | float) else "–"
    cells = (edit.label, "–" if feature is None else feature, known.get("op", "–"), size, known.get("positions", "–"))
    return (*map(str, cells), str(name or "–"))


def pilot_table(pilot: pd.DataFrame, caption: str, most: int = 50) -> Table:
    """Candidates of a pilot, feature and strength in one column, and why one is not usable in another.

    What the choice did not turn on (the activation, and leakage with its noise) is in the run's files.
    """
    table = pilot.copy()
    if {"feature", "strength"} <= set(table.columns):
        named = [f"{f} {s:+g}".replace("-", "−") for f, s in zip(table["feature"], table["strength"], strict=True)]
        table = table.drop(columns=["feature", "strength"])
        table.insert(0, "candidate", named)
    if {"usable", "reason"} <= set(table.columns):
        usable = zip(table["usable"], table["reason"], strict=True)
        table["usable"] = ["yes" if fine else f"no: {why}" if why else "no" for fine, why in usable]
    return frame_table(table.drop(columns=_LEFT_OUT, errors="ignore"), caption, most)


def frame_table(frame: Any, caption: str, most: int = MAX_ROWS) -> Table:
    """The first rows of a DataFrame; columns ``x, x_low, x_high`` are shown as one with an interval."""
    names = [str(name) for name in frame.columns]
    ends = {name: (f"{name}_low", f"{name}_high") for name in names if {f"{name}_low", f"{name}_high"} <= set(names)}
    columns = tuple(name for name in names if not any(name in pair for pair in ends.values()))
    texts: dict[str, Callable[[Any], str]] = {
        "feature": str,
        "strength": lambda x: f"{x:+g}".replace("-", "−"),
        "activation": two_digits,
        "gain_p": p_text,
        "reliability": two_digits,
        "plain_leakage": two_digits,
        "perplexity_ratio": two_digits,
        "valid": "{:.1%}".format,
        "usable": lambda x: x if isinstance(x, str) else "yes" if x else "no",
    }

    def cell(row: Mapping[str, Any], name: str) -> str:
        if name == "leakage":
            spread = [two_digits(row[end]) for end in ends.get(name, ())]
            return two_digits(row[name]) + (f" [{', '.join(spread)}]" if spread and "–" not in spread else "")
        if name in ends:
            return interval(row[name], *(row[end] for end in ends[name]))
        return texts.get(name, _cell)(row[name])

    found = [dict(zip(names, row, strict=True)) for row in frame.head(most).itertuples(index=False, name=None)]
    rows = [tuple(cell(row, name) for name in columns) for row in found]
    kinds = dict(zip(names, frame.dtypes, strict=True))
    numbers = tuple(i for i, name in enumerate(columns) if kinds[name].kind in "iuf")
    return Table(caption, tuple(_HEADERS.get(name, name) for name in columns), rows, numbers)


def two_digits(x: float) -> str:
    """``−0.12``; a dash where there is no number."""
    return f"{x:z.2f}".replace("-", "−") if np.isfinite(x) else "–"


def p_text(p: float | None) -> str:
    """Two digits that count: ``0.23``, ``0.031``; ``< 0.01``; a dash where there is none."""
    if p is None or not np.isfinite(p):
        return "–"
    if p < 0.01:
        return "< 0.01"
    return f"{p:.3f}" if p < 0.1 else f"{p:.2f}"


def effects_table(evaluation: Evaluation) -> Table:
    """What changed, value by value."""
    table = effects_in_order(evaluation)
    if "covered" in table and table["covered"].notna().any():
        return _predicted_table(evaluation, table)
    rows = [
        (
            e["value"],
            RELATION_NAMES[e["predicted"]],
            interval(e["change"], e["low"], e["high"]),
            "yes" if e["changed"] else "no",
            signed(e["base"]),
            signed(e["steered"]),
        )
        for e in table.to_dict("records")
    ]
    header = ("value", "by the graph", f"change [{_level(evaluation)}]", "changed?", "unedited", "steered")
    return Table(_changes_caption(evaluation), header, rows, (2, 4, 5), list(table["predicted"]))


def _predicted_table(evaluation: Evaluation, table: Any) -> Table:
    """Predicted intervals beside measured ones; the scores themselves are in the profile."""
    rows = [
        (
            e["value"],
            RELATION_NAMES[e["predicted"]],
            span_text(e["predicted_low"], e["predicted_high"]),
            interval(e["change"], e["low"], e["high"]),
            "yes" if e["changed"] else "no",
            _agreement(e["covered"]),
        )
        for e in table.to_dict("records")
    ]
    level = _level(evaluation)
    header = ("value", "by the graph", f"predicted [{level}]", f"measured [{level}]", "changed?", "agrees?")
    caption = (
        f"{_changes_caption(evaluation)}. Predicted for the change that the target was measured to make. Agrees: some "
        "change in the predicted interval fits what was measured, by a test that knows the noise of both"
    )
    return Table(caption, header, rows, (2, 3), list(table["predicted"]))


def _changes_caption(evaluation: Evaluation) -> str:
    return f"Change of every value over {evaluation.personas:,} personas (changed: the interval leaves out zero)"


def _level(evaluation: Evaluation) -> str:
    return level(evaluation.facts)


def _agreement(covered: Any) -> str:
    if covered is None or covered != covered or covered is NA:
        return "–"
    return "yes" if covered else "no"


def quantities_table(evaluation: Evaluation) -> Table:
    """The summary quantities."""
    expected = evaluation.facts.get("expected", {})
    rows = [
        (
            r["quantity"],
            _quantity(r),
            *((expected_text(expected.get(r["quantity"])),) if expected else ()),
            _QUANTITIES.get(r["quantity"], ""),
        )
        for r in evaluation.summary.to_dict("records")
    ]
    if not expected:
        return Table("Summary quantities", ("quantity", "estimate [interval]", "meaning"), rows, (1,))
    header = ("quantity", "estimate [interval]", "expected", "meaning")
    return Table("Summary quantities, and what they should be if the graph is right", header, rows, (1, 2))


def _quantity(row: Mapping[Any, Any]) -> str:
    if not np.isfinite(row["estimate"]):
        return "undefined"
    if row["quantity"] in SHARES:
        return percent(row["estimate"])
    return interval(row["estimate"], row["low"], row["high"])


def expected_text(expected: Any) -> str:
    """A range, a share, or a dash where nothing was expected."""
    if expected is None:
        return "–"
    return leakage_text(ExpectedLeakage(**expected)) if isinstance(expected, dict) else percent(expected)


def answers_table(sets: Sequence[Responses]) -> Table:
    """How many answers there are, and how many are valid."""
    rows: list[tuple[str, ...]] = []
    for responses in sets:
        for (model, edit), table in responses.table.groupby(["model", "edit"], sort=False):
            valid = float(table["status"].isin(VALID).mean())
            sizes = (table["persona"].nunique(), table["item"].nunique(), len(table))
            rows.append((model, edit or "none", *(f"{size:,}" for size in sizes), f"{valid:.1%}"))
    header: tuple[str, ...] = ("model", "edit", "personas", "questions", "answers", "valid")
    if only_people(sets):
        rows = [(row[0], *row[2:]) for row in rows]
        return Table("Answers", ("of", "people", "items", "ratings", "given"), rows, (1, 2, 3, 4))
    return Table("Answers", header, rows, (2, 3, 4, 5))


def facts_tables(sets: Sequence[Responses]) -> list[Table]:
    """What the studies recorded of themselves, one table a set of answers that recorded anything."""
    tables = []
    for responses in sets:
        rows = list(_flat(responses.facts.get("study", responses.facts)))
        if rows:
            label = ", ".join(edit or "no edit" for edit in responses.edits[:4])
            label += f" and {len(responses.edits) - 4} more" if len(responses.edits) > 4 else ""
            where = "" if only_people([responses]) else f" under {label}"
            tables.append(Table(f"Recorded with the answers{where}", ("fact", "recorded"), rows))
    return tables


def settings_table(graph: ValueGraph) -> Table:
    """What the graph was made with."""
    return Table("Settings of the search", ("setting", "value"), list(_flat(vars(graph.settings))))


def versions_table() -> Table:
    """Versions of the packages that matter, where they are installed."""
    rows = [("Python", platform.python_version())]
    for package in _PACKAGES:
        try:
            rows.append((package, importlib.metadata.version(package)))
        except importlib.metadata.PackageNotFoundError:
            rows.append((package, "not installed"))
    return Table("Versions that wrote this report", ("package", "version"), rows)


def percent(share: float) -> str:
    """``98%``; a dash where there is no number."""
    return f"{share:.0%}" if np.isfinite(share) else "–"


def _cell(value: object) -> str:
    return signed(value) if isinstance(value, float) else str(value)


def _flat(facts: Any, path: str = "") -> Any:
    """(dotted name, text) of every leaf of nested mappings and sequences."""
    items: Any = ()
    if isinstance(facts, Mapping):
        items = facts.items()
    elif isinstance(facts, list | tuple):
        items = enumerate(facts, start=1)
    else:
        text = str(facts)
        yield path, (text if len(text) <= 300 else f"{text[:300]}…")
    for key, value in items:
        yield from _flat(value, f"{path} › {key}" if path else str(key))
