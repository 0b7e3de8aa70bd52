"""Splits of a study in which the tested edits, personas and items are none of those that predictors are fitted on.

Fitted on other edits, other personas and (of ``Responses``) other items. Nothing is fitted here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from pyvalue.evaluation.benchmark_scores import StudyScores, source_notes, study_scores, without_broken
from pyvalue.responses import Responses, Score
from pyvalue.wide_scores import edit_labels, read_source, score_rows

Floats = npt.NDArray[np.float64]

#: features left out one at a time up to this number, in as many groups beyond
MOST_EDIT_FOLDS = 30
_NO_ITEMS = "items: not split, since a table of scores does not say which items were asked"


@dataclass(frozen=True)
class ItemAnswers:
    """What other personas answered to the tested items under other edits.

    Attributes:
        personas: places, among the tested personas of the fold, of those that these answers are not of.
        study: the scores.
    """

    personas: tuple[int, ...]
    study: StudyScores = field(repr=False)


@dataclass(frozen=True)
class Fold:
    """One split.

    Attributes:
        train: other edits, personas and items.
        test: tested edits, personas and items.
        known: (tested edits, V) mean change of the tested edits on the training personas and items: what the target
            is chosen by, and how far it is said to have moved. Of the test personas where no others had the edit.
        items: other personas on the tested items, for all tested personas at once or for one part of them after the
            other. Empty where the items of training are the tested ones, or nobody else answered them.
    """

    train: StudyScores = field(repr=False)
    test: StudyScores = field(repr=False)
    known: Floats = field(repr=False)
    items: tuple[ItemAnswers, ...] = field(default=(), repr=False)


@dataclass(frozen=True)
class HeldOut:
    """All splits, what they hold out, and what a reader should know.

    Attributes:
        folds: the splits.
        held_out: ``edit``, ``persona``, ``item`` -> whether it is held out; ``item`` is None where the source does
            not say which items were asked.
        notes: sentences.
        edits: all edits of the source and of the test, also those that were left out.
        same_items: whether all predictors know the tested items, since they are those of training.
    """

    folds: tuple[Fold, ...] = field(repr=False)
    held_out: dict[str, bool | None]
    notes: tuple[str, ...]
    edits: tuple[str, ...] = ()
    same_items: bool = False


def hold_out(
    source: Any,
    test: Any,
    score: Score,
    *,
    folds: int = 2,
    features: Mapping[str, str] | None = None,
    leave_edit_out: bool = True,
    seed: int = 0,
) -> HeldOut:
    """Split a study, or pair a training study with a test study.

    Args:
        source: see ``pyvalue.wide_scores.score_rows``.
        test: another source with other personas, or None to split ``source``.
        score: of ``Responses``.
        folds: parts that the personas are split into, each tested in turn; no more than there are personas.
        features: edit -> feature, where several edits are of one (say at several strengths): they are left out
            together. An edit that it lacks is its own feature.
        leave_edit_out: whether the tested edits are left out of training.
        seed: of the splits.

    Raises:
        ValueError: the sources cannot be paired or have fewer than two values in common, or ``features`` names an edit
            that is in neither.
    """
    source, notes, labels = _read(source, score)
    if test is not None:
        test, told, more_labels = _read(test, score)
        notes += [f"test: {one}" for one in told]
        labels = tuple(dict.fromkeys((*labels, *more_labels)))
    features = by_edit(features, labels, "features")
    pairs, item, more = _item_pairs(source, test, score, seed)
    notes += more
    found: list[Fold] = []
    person = True
    for train, tested in pairs:
        rng = np.random.default_rng([seed, 1])  # the same parts of personas for every split of items
        if test is None:
            parts = _parts(train.personas, folds, rng)
        else:
            parts = [list(range(len(tested.personas)))]
        shares = _parts(tested.personas, max(folds, 2), np.random.default_rng([seed, 4]))
        for part in parts:
            names = {tested.personas[i] for i in part}
            others = [i for i, name in enumerate(train.personas) if name not in names]
            if not others or np.isnan(train.change[:, others]).all():
                person = False
                others = list(range(len(train.personas)))
            if test is not None:
                items = _each_from_the_others(tested, shares)
            elif item and person:  # the training personas, on the other half of the items
                items = [ItemAnswers(tuple(range(len(part))), tested.only(personas=others))]
            else:
                items = []
            one = (train.only(personas=others), tested.only(personas=part))
            found += _edit_folds(*one, items, features, leave_edit_out, rng)
    first = pairs[0][0]
    edit = leave_edit_out and len({_feature(e, features) for e in first.edits}) > 1
    if leave_edit_out and not edit:
        notes.append(f"edits: none is left out, since all rows are under one feature, {first.edits[0]!r}")
    if not person:
        notes.append("personas: not held out, since there are no others to fit on")
    held = {"edit": edit, "persona": person, "item": item}
    return HeldOut(tuple(found), held, tuple(notes), labels, same_items=test is None and not item)


def by_edit(given: Any, edits: Sequence[str], argument: str) -> dict[str, str] | None:
    """A mapping whose keys are labels as they stand in rows, of labels or numbers of features.

    Raises:
        ValueError: an edit that there is not, or the same one twice.
        TypeError: no mapping.
    """
    if given is None:
        return None
    if not isinstance(given, Mapping):
        raise TypeError(f"{argument}: expected a dictionary with edits as keys, got {type(given).__name__}")
    labels = edit_labels(given, argument) or ()
    if absent := [label for label in labels if label not in edits]:
        raise ValueError(f"{argument}: no edit {', '.join(map(repr, absent))}; the edits are {', '.join(edits)}")
    if len(set(labels)) < len(labels):
        raise ValueError(f"{argument}: expected every edit once, got {', '.join(labels)}")
    return {label: str(one) for label, one in zip(labels, given.values(), strict=True)}


def _read(source: Any, score: Score) -> tuple[Any, list[str], tuple[str, ...]]:
    """The source without broken edits, notes on what it lacks, and all its edits."""
    source = read_source(source)
    edits = score_rows(source, score).index.get_level_values("edit")
    kept, broken = without_broken(source, score)
    return kept, [*broken, *source_notes(kept, score)], tuple(dict.fromkeys(e for e in edits if e))


def _each_from_the_others(tested: StudyScores, shares: list[list[int]]) -> list[ItemAnswers]:
    everybody = set(range(len(tested.personas)))
    found = [ItemAnswers(tuple(share), tested.only(personas=sorted(everybody - set(share)))) for share in shares]
    return found if all(len(one.study.personas) for one in found) else []


def _item_pairs(
    source: Any, test: Any, score: Score, seed: int
) -> tuple[list[tuple[StudyScores, StudyScores]], bool | None, list[str]]:
    """(training scores, test scores) for every split of items; whether items are held out; notes."""
    if test is not None:
        train, tested = study_scores(source, score), study_scores(test, score)
        values = [value for value in train.values if value in tested.values]
        if len(values) < 2:
            raise ValueError(f"source, test: expected at least 2 values in common, got {len(values)}")
        if not set(train.edits) & set(tested.edits):
            note = ["edits: source and test share none, so targets are chosen by the tested personas themselves"]
        else:
            note = []
        dropped = sorted(set(train.values) ^ set(tested.values))
        if dropped:
            note.append(f"values in only one of source and test were left out: {', '.join(dropped)}")
        held, told = _shared_items(source, test)
        return [(train.of_values(values), tested.of_values(values))], held, note + told
    if not isinstance(source, Responses):
        whole = _two_values(study_scores(source, score))
        return [(whole, whole)], None, [_NO_ITEMS]
    halves = _halves(source, seed)
    if halves is None:
        whole = _two_values(study_scores(source, score))
        return [(whole, whole)], False, ["items: not split, since a value needs two items to be split"]
    both = [study_scores(half, score) for half in halves]
    values = [value for value in both[0].values if value in both[1].values]
    dropped = sorted(set(both[0].values) ^ set(both[1].values))
    told = [f"values with a single item were left out of the split of items: {', '.join(dropped)}"] if dropped else []
    if len(values) < 2:
        raise ValueError(f"source: expected at least 2 values with two items, got {len(values)}")
    both = _same_rows(*(half.of_values(values) for half in both))
    return [(both[0], both[1]), (both[1], both[0])], True, told


def _shared_items(source: Any, test: Any) -> tuple[bool | None, list[str]]:
    if not (isinstance(source, Responses) and isinstance(test, Responses)):
        return None, [_NO_ITEMS.replace("not split", "held out only if test asked others")]
    asked = [set(r.table.loc[r.table["keying"] != 0, "item"]) for r in (source, test)]
    if asked[0] & asked[1]:
        return False, [f"items: {len(asked[0] & asked[1])} of the test's are among those of the source"]
    return True, []


def _two_values(scores: StudyScores) -> StudyScores:
    if len(scores.values) < 2:
        raise ValueError(f"source: expected at least 2 values, got {len(scores.values)}; a side effect needs another")
    return scores


def _same_rows(one: StudyScores, other: StudyScores) -> list[StudyScores]:
    """Both with the edits and personas that they share: somebody may have been asked items of one half only."""
    edits, personas = (
        [name for name in getattr(one, names) if name in getattr(other, names)] for names in ("edits", "personas")
    )
    if not edits or not personas:
        raise ValueError("source: nobody was asked items of both halves under an edit; ask every persona more items")
    return [
        half.only([half.edits.index(e) for e in edits], [half.personas.index(p) for p in personas])
        for half in (one, other)
    ]


def _halves(responses: Responses, seed: int) -> list[Responses] | None:
    """Two halves of the items, every value's split evenly within its signs; content-free items are in both.

    None where fewer than two values can be split.
    """
    table = responses.table
    items = table.loc[table["keying"] != 0, ["item", "value", "keying"]].drop_duplicates()
    items = items.sort_values(["value", "keying", "item"])
    rng = np.random.default_rng([seed, 0])
    first: set[Any] = set()
    split = 0
    for _, of_value in items.groupby("value"):
        # One alternation through both signs: halves differ by at most one item, and by one of each sign.
        shuffled = np.concatenate([rng.permutation(part["item"]) for _, part in of_value.groupby("keying")])
        first |= set(shuffled[::2])
        split += len(shuffled) > 1
    if split < 2:
        return None
    free = (table["keying"] == 0).to_numpy()
    chosen = table["item"].isin(first).to_numpy()
    return [Responses(table[free | keep].reset_index(drop=True), responses.facts) for keep in (chosen, ~chosen)]


def _parts(personas: tuple[str, ...], folds: int, rng: np.random.Generator) -> list[list[int]]:
    order = rng.permutation(len(personas))
    return [sorted(part.tolist()) for part in np.array_split(order, min(folds, len(personas))) if len(part)]


def _feature(edit: str, features: Mapping[str, str] | None) -> str:
    return edit if features is None else features.get(edit, edit)


def _edit_folds(
    train: StudyScores, test: StudyScores, items: Sequence[ItemAnswers], features: Mapping[str, str] | None,
    leave_out: bool, rng: np.random.Generator,
) -> list[Fold]:  # fmt: skip
    known = _known(train, test)
    names = sorted({_feature(edit, features) for edit in test.edits})
    groups = [names]
    if leave_out:
        shuffled = rng.permutation(np.array(names, dtype=object)) if len(names) > MOST_EDIT_FOLDS else names
        groups = [
            list(part) for part in np.array_split(np.array(shuffled, dtype=object), min(len(names), MOST_EDIT_FOLDS))
        ]
    found = []
    for group in groups:
        tested = [i for i, edit in enumerate(test.edits) if _feature(edit, features) in group]
        left = group if leave_out else []
        seen = tuple(ItemAnswers(one.personas, _without(one.study, left, features)) for one in items)
        found.append(Fold(_without(train, left, features), test.only(edits=tested), known[tested], seen))
    return found


def _without(study: StudyScores, group: Sequence[str], features: Mapping[str, str] | None) -> StudyScores:
    """The study without the edits of some features; with them where it has no others."""
    others = [i for i, edit in enumerate(study.edits) if _feature(edit, features) not in group]
    return study.only(edits=others or range(len(study.edits)))


def _known(train: StudyScores, test: StudyScores) -> Floats:
    found = np.full((len(test.edits), len(test.values)), np.nan)
    for i, edit in enumerate(test.edits):
        change = train.change[train.edits.index(edit)] if edit in train.edits else test.change[i]
        if np.isnan(change).all():
            change = test.change[i]
        seen = np.isfinite(change)
        count = seen.sum(axis=0)
        found[i] = np.where(count > 0, np.where(seen, change, 0).sum(axis=0) / np.maximum(count, 1), np.nan)
    return found
