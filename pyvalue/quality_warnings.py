"""What a psychometrician would object to, in sentences. Computes nothing but comparisons with the limits below."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    from pyvalue.quality import Quality

#: α below it is too low to compare groups with: Nunnally & Bernstein (1994), "Psychometric theory", p. 265
LOW_ALPHA = 0.7
# Rules of thumb of ours, for when a sentence is worth a reader's time.
FEW_PERSONAS = 50
MUCH_SATURATION = 0.2
LOW_VALID = 0.95
LOW_ICC = 0.05
LOW_WORDING = 0.5
LOW_RETEST = 0.7
BIG_ORDER_EFFECT = 0.05
ONE_ANSWER = 0.9
LOW_MASS = 0.5
BIG_FACTOR = 0.3
CLEARLY_MORE = 0.1
_LISTED = 6


def warnings_of(quality: Quality) -> tuple[str, ...]:
    """Sentences, the gravest kinds first; empty where there is nothing to object to."""
    found = [
        *_broken(quality),
        *_people(quality),
        *_habit(quality),
        *_validity(quality),
        *_missing(quality),
        *_correction(quality),
        *_factor(quality),
        *_scales(quality),
        *_wordings(quality),
        *_convergent(quality),
        *_keys(quality),
    ]
    return tuple(found)


def _broken(quality: Quality) -> Iterator[str]:
    for row in quality.edits[quality.edits["broken"]].to_dict("records"):
        yield f"The edit “{row['edit']}” broke the model ({row['mode']}): {row['reason']}. Its answers say nothing."


def _people(quality: Quality) -> Iterator[str]:
    n = quality.facts["personas"]
    if n >= FEW_PERSONAS:
        return
    who = "1 persona was" if n == 1 else f"Only {n} personas were"
    if n < 4:
        yield f"{who} asked: nothing can be said of how values go together over personas."
    else:
        yield (
            f"{who} asked: a correlation over personas is uncertain by about ±{min(1.96 / math.sqrt(n - 3), 1):.2f}, "
            "and so is every figure here that comes from correlations."
        )


def _habit(quality: Quality) -> Iterator[str]:
    """A model that says the same whatever is asked, or hardly says yes or no at all."""
    for row in quality.edits[quality.edits["edit"] == quality.facts["edit"]].to_dict("records"):
        inside, valid = _in(quality, row["mode"]), row["yes"] + row["no"] + row["unsure"]
        most = max(("yes", "no", "unsure"), key=lambda answer: row[answer])
        bias = quality.bias[(quality.bias["edit"] == row["edit"]) & (quality.bias["mode"] == row["mode"])]
        if valid and row[most] / valid >= ONE_ANSWER:
            free = float(bias["content_free"].iloc[0]) if len(bias) else math.nan
            also = f", and p(yes) is {free:.2f} where nothing is asked about a value" if math.isfinite(free) else ""
            yield (
                f"“{most.capitalize()}” is {row[most] / valid:.0%} of the valid answers{inside}{also}: what persons "
                "differ in may be this habit of answering more than what they value."
            )
        if row["mass"] < LOW_MASS:
            yield (
                f"Yes and no together have {row['mass']:.2f} of the probability{inside}: mostly the model would say "
                "something else."
            )
        if row["mode"] == "score" and valid and math.isnan(row["mass"]):
            yield (
                "The server of this model offers no probabilities: its scores come from a written yes or no, and are "
                "as coarse as that."
            )


def _validity(quality: Quality) -> Iterator[str]:
    for mode, table in _modes(quality.values):
        rows = quality.edits
        own = rows[(rows["edit"] == quality.facts["edit"]) & (rows["mode"] == mode)]
        for row in own[own["valid"] < LOW_VALID].to_dict("records"):
            bad = {name: row[name] for name in ("invalid", "refused", "degenerate") if row[name]}
            told = ", ".join(f"{count} {name}" for name, count in bad.items())
            yield (
                f"{row['valid']:.1%} of the answers{_in(quality, mode)} are valid ({told}); "
                "the others may not be missing by chance."
            )
        left = table[table["items_left_out"] > 0]
        if len(left):
            yield (
                "Items on which fewer than half of the personas have a score were left out of reliability"
                f"{_in(quality, mode)}: {_named(left, 'items_left_out', '{}')}."
            )
        full = table[table["saturated"] > MUCH_SATURATION]
        written = own["mass"].isna().all()  # 0, 0.5 and 1 are all there is
        if len(full) and not written:
            yield (
                "Probabilities at the very end of their range tell personas apart badly; their share is "
                f"{_named(full, 'saturated', '{:.0%}')}."
            )


def _missing(quality: Quality) -> Iterator[str]:
    for mode, table in _modes(quality.values):
        inside = _in(quality, mode)
        scores = len(table) * quality.facts["personas"]
        some, few = int(table["incomplete"].sum()), int(table["too_few"].sum())
        if some or few:
            yield (
                f"{some} of {scores} scores{inside} rest on some of their questions alone, corrected for which were "
                f"answered, and {few} are missing since less than half was answered."
            )
        thin = table[table["alpha"].notna() & (table["icc_personas"] < table["personas"] / 2)]
        if len(thin):
            yield (
                "The ICC comes from those personas alone who answered every item, which are less than half"
                f"{inside}: {_named(thin, 'icc_personas', '{}')}."
            )
    for mode, table in _modes(quality.factor):
        own = table[(table["score"] == quality.facts["score"]) & (table["values"] > 1)]
        rows = int(own["rows"].min()) if len(own) else quality.facts["personas"]
        if rows < quality.facts["personas"] / 2:
            yield (
                f"Some correlations between values{_in(quality, mode)} come from {rows} of "
                f"{quality.facts['personas']} personas, the others lacking one of both scores."
            )


def _correction(quality: Quality) -> Iterator[str]:
    """What is wrong with corrected scores; silent where others were asked for."""
    if quality.facts["score"] not in ("corrected", "ipsatised"):
        return
    for mode, lost in quality.facts["uncorrected"].items():
        for reason, count in lost.items():
            yield (
                f"{count:,} valid answers{_in(quality, mode)} have no corrected score, since {reason}; "
                "raw and centred scores need no content-free items."
            )
    for mode, items in quality.facts["saturated_items"].items():
        yield (
            f"Most personas answer the content-free {_noun(items)} {_list(items)} with a probability at the very end "
            f"of its range{_in(quality, mode)}: its log odds, taken off every answer, drive corrected scores to −1 or "
            "1. Take raw or centred scores, or other content-free items."
        )
    for mode, table in _modes(quality.factor):
        rows = table.set_index("score")
        r = rows["mean_correlation"]
        others = r.reindex(["raw", "centred"]).dropna()
        if others.empty or not r.get("corrected", math.nan) > others.min():
            continue
        # Small samples differ by chance.
        limit = max(CLEARLY_MORE, 1 / math.sqrt(max(int(rows.loc["corrected", "rows"]), 1)))
        if r["corrected"] - others.min() > limit:
            yield (
                f"Corrected value scores{_in(quality, mode)} go together more (mean correlation {r['corrected']:.2f}) "
                f"than {others.idxmin()} ones ({others.min():.2f}): the noise of the content-free answers, of which "
                "there are few or which are written, is then in every value, and edges may come from it alone. Ask "
                "more content-free items or, where each value has as many items for it as against it, take raw or "
                "centred scores."
            ).replace("(-", "(−")


def _noun(items: Sequence[str]) -> str:
    return "item" if len(items) == 1 else "items"


def _factor(quality: Quality) -> Iterator[str]:
    for mode, table in _modes(quality.factor):
        of = {row["score"]: row for row in table.to_dict("records")}
        r = {score: row["mean_correlation"] for score, row in of.items()}
        if not r["raw"] > BIG_FACTOR:
            continue
        share = {score: of[score]["first_component"] for score in of}
        text = (
            f"One factor runs through all raw value scores{_in(quality, mode)}: their mean correlation is "
            f"{r['raw']:.2f} and the first principal component has {share['raw']:.0%} of their variance; "
            f"corrected {r['corrected']:.2f} and {share['corrected']:.0%}, "
            f"ipsatised {r['ipsatised']:.2f} and {share['ipsatised']:.0%}."
        ).replace(" -", " −")
        if r["corrected"] > BIG_FACTOR:
            text += " The correction leaves most of it: edges between corrected scores may be this factor."
        yield text
    for mode in quality.facts["without_content_free"]:
        yield (
            f"No content-free items were asked{_in(quality, mode)}: the bias towards yes is unknown, and corrected "
            "scores equal raw ones."
        )


def _scales(quality: Quality) -> Iterator[str]:
    for mode, table in _modes(quality.values):
        inside = _in(quality, mode)
        low = table[table["alpha"] < LOW_ALPHA]
        if len(low):
            yield (
                f"The items of {len(low)} of {len(table)} values{inside} hang together less than α = {LOW_ALPHA:.2f}: "
                f"{_named(low.sort_values('alpha'), 'alpha')}. "
                "Correlations of such scores are drawn towards 0."
            )
        if (table["alpha_high"] < 0).any():
            yield (
                f"α is below 0 with its whole interval{inside} for {_named(table[table['alpha_high'] < 0], 'alpha')}: "
                "items of one value go against each other, as they do where personas differ in saying yes more than in "
                "the value."
            )
        unknown = table[table["alpha"].isna()]
        if len(unknown):
            by_reason = [f"{_named(rows)} ({why})" for why, rows in unknown.groupby("reason", sort=False)]
            yield f"The reliability of some values{inside} cannot be had: {'; '.join(by_reason)}."
        alike = table[table["icc"] < LOW_ICC]
        if len(alike):
            yield (
                f"Personas hardly differ{inside}: under {LOW_ICC:.0%} of the variance of an item's score lies between "
                f"them for {_named(alike)}. Correlations over personas live on that alone."
            )


def _wordings(quality: Quality) -> Iterator[str]:
    for mode, table in _modes(quality.values):
        inside = _in(quality, mode)
        for column, limit, what in (
            ("wording", LOW_WORDING, "Other wordings of the same items rank the personas differently"),
            ("retest", LOW_RETEST, "Asking again ranks the personas differently"),
        ):
            low = table[table[column] < limit]
            if len(low):
                yield f"{what}{inside} (agreement below {limit:.2f}): {_named(low, column)}."
        bias = quality.bias[(quality.bias["edit"] == quality.facts["edit"]) & (quality.bias["mode"] == mode)]
        for row in bias.to_dict("records"):
            if abs(row["order_effect"]) > BIG_ORDER_EFFECT and row["order_low"] * row["order_high"] > 0:
                first = "“yes or no”" if row["order_effect"] > 0 else "“no or yes”"
                size = abs(row["order_effect"])
                yield f"The order of the options matters{inside}: p(yes) is {size:.2f} higher after {first}."


def _convergent(quality: Quality) -> Iterator[str]:
    table = quality.convergent
    if table.empty:
        return
    for (a, b), pair in table.groupby(["mode_a", "mode_b"], sort=False):
        unknown = pair[pair["low"].isna()]
        if len(unknown):
            yield f"Whether {a} and {b} agree cannot be said of {_named(unknown)}: too few personas have both."
        unsure = pair[pair["low"] <= 0]
        if len(unsure):
            yield (
                f"{len(unsure)} of {len(pair)} values do not demonstrably agree between {a} and {b} (the interval of "
                f"the correlation includes 0): {_named(unsure)}."
            )
        mixed = pair[pair["above_other_modes"] < 1]
        if len(mixed):
            yield (
                f"{len(mixed)} of {len(pair)} values asked in mode {a} go with some other value asked in mode {b}, "
                f"or the reverse, at least as well as with themselves: {_named(mixed)}."
            )


def _keys(quality: Quality) -> Iterator[str]:
    one = quality.facts["one_signed"]
    if one:
        named = _list([str(value) for value in one])
        yield f"All items of {named} are keyed the same way, so a bias towards yes cannot be told from the value."
    if quality.facts["score"] == "ipsatised":
        yield (
            "Ipsatised scores correlate negatively because they sum to 0; α and correlations of them are not those of "
            "the values."
        )


def _modes(table: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    for mode, rows in table.groupby("mode", sort=False):
        yield str(mode), rows


def _in(quality: Quality, mode: str) -> str:
    return f" in mode {mode}" if len(quality.facts["modes"]) > 1 else ""


def _named(rows: pd.DataFrame, column: str = "", form: str = "{:.2f}") -> str:
    """The values, each followed by what stands in a column."""
    records = rows.to_dict("records")
    written = [str(row["value"]) + (f" {form.format(row[column])}" if column else "") for row in records]
    return _list([text.replace(" -", " −") for text in written])


def _list(words: Sequence[str]) -> str:
    more = [f"{len(words) - _LISTED} more"] if len(words) > _LISTED + 1 else []
    shown = [*(words[:_LISTED] if more else words), *more]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"
