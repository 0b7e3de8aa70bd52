"""Taking prompts apart and batching them, by properties that any plan must have."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pyvalue.measurement.batches import batches
from pyvalue.measurement.shared_tokens import Segment, share_tokens

ROWS = st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=12), min_size=1, max_size=14)


def segments(rows, hits=None) -> list[Segment]:
    hits = [np.zeros((0, len(row)), bool) for row in rows] if hits is None else hits
    return [Segment(np.array(row), hit) for row, hit in zip(rows, hits, strict=True)]


def tokens_of(shared) -> int:
    return len(shared.beginning) + sum(len(f.stem) + sum(map(len, f.tails)) for f in shared.families)


def put_together(shared) -> dict[int, list[int]]:
    return {
        number: [*shared.beginning.ids, *family.stem.ids, *tail.ids]
        for family in shared.families
        for number, tail in zip(family.numbers, family.tails, strict=True)
    }


@given(ROWS, st.booleans())
@settings(max_examples=150, deadline=None)
def test_a_plan_holds_every_prompt_once_and_each_has_a_tail(rows, stems):
    shared = share_tokens(segments(rows), stems=stems)
    assert put_together(shared) == dict(enumerate(rows))
    assert all(len(tail) for family in shared.families for tail in family.tails)
    assert tokens_of(shared) <= tokens_of(share_tokens(segments(rows), stems=False))
    if not stems:
        assert not any(len(family.stem) for family in shared.families)


def test_a_question_in_two_orders_of_its_options_is_a_stem():
    questions = [[1, 1, 2, 3], [1, 4], [1, 1, 5, 6, 7]]
    rows = [[0, 0, *question, *order] for question in questions for order in ([8, 9], [9, 8])]
    shared = share_tokens(segments(rows))
    assert list(shared.beginning.ids) == [0, 0, 1]
    assert sorted(family.stem.ids.tolist() for family in shared.families) == [[1, 2, 3], [1, 5, 6, 7], [4]]
    assert tokens_of(shared) == 3 + (3 + 1 + 4) + 6 * 2


def test_stems_that_save_little_are_not_worth_their_pass():
    rows = [[0, *range(10 * i, 10 * i + 10)] for i in range(1, 9)]
    rows[1][1] = rows[0][1]  # two of eight prompts share one token
    assert not any(len(family.stem) for family in share_tokens(segments(rows)).families)


@given(st.lists(st.integers(0, 2), min_size=2, max_size=12), st.integers(2, 30))
@settings(max_examples=50, deadline=None)
def test_equal_prompts_run_but_for_their_last_token_once(row, copies):
    shared = share_tokens(segments([row] * copies))
    assert tokens_of(shared) == len(row) - 1 + copies


def test_tokens_that_edits_hit_in_one_prompt_only_are_not_shared():
    hits = [np.array([[False, False, False, True]]), np.array([[False, True, False, False]])]
    rows = [[1, 2, 3, 4], [1, 2, 3, 5]]
    assert len(share_tokens(segments(rows)).beginning) == 3
    assert len(share_tokens(segments(rows, hits)).beginning) == 1
    assert len(share_tokens(segments(rows), most=2).beginning) == 2


@given(ROWS, st.integers(1, 6), st.booleans())
@settings(max_examples=150, deadline=None)
def test_batches_hold_every_family_once_and_little_padding(rows, most, padding):
    shared = share_tokens(segments(rows))
    found = batches(dataclasses.replace(shared, padding=padding), most)
    assert sorted(map(id, itertools.chain(*found))) == sorted(map(id, shared.families))
    for batch in found:
        assert len(batch) == 1 or sum(len(family.tails) for family in batch) <= most
        assert len({len(family.stem) > 0 for family in batch}) == 1
        if not padding:
            assert len({family.lengths for family in batch}) == 1


def test_a_few_longer_prompts_do_not_pad_the_many():
    rows = [[i, *[9] * 10] for i in range(50)] + [[50 + i, *[9] * 200] for i in range(3)]
    found = batches(share_tokens(segments(rows)), 64)
    assert sorted(map(len, found)) == [3, 50]
