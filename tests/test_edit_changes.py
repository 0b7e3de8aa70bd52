"""Changes under edits in one pass over all answers, against those taken edit by edit."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pyvalue as pv
from pyvalue.edit_changes import answered_both_times
from pyvalue.responses import make_table

VALUES = ("Wit", "Thrift", "Order")


def answers(seed, edits, people, free=2, gaps=(), orders=("yes-no", "no-yes")):
    random = np.random.default_rng(seed)
    found = []
    for edit in ("", *edits):
        for persona in range(people):
            asked = [(v, k) for v in range(len(VALUES)) for k in (1, -1)] + [(None, k) for k in range(free)]
            for v, k in asked:
                for order in orders:
                    yes = random.uniform(0.01, 0.99)
                    invalid = (edit, persona) in gaps and random.random() < 0.4
                    found.append({
                        "model": "tiny", "edit": edit, "persona": f"p{persona}", "item": f"{v}/{k}", "order": order,
                        "value": "" if v is None else VALUES[v], "keying": 0 if v is None else k, "repeat": 0,
                        "text": "Should I?", "status": "invalid" if invalid else "yes" if yes >= 0.5 else "no",
                        "p_yes": np.nan if invalid else yes, "mass": 0.9,
                        "score": np.nan if invalid or v is None else k * (2 * yes - 1),
                    })  # fmt: skip
    table = pd.DataFrame(found).sample(frac=1, random_state=seed)  # in no order
    return pv.Responses(make_table(table.to_dict("list")))


def edit_by_edit(responses, edit, score):
    both = answered_both_times(responses.only(edit=""), responses.only(edit=edit))
    before, after = (part.matrix(score).droplevel("edit") for part in both)
    return after - before


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 1000),
    people=st.integers(1, 4),
    free=st.integers(0, 2),
    score=st.sampled_from(["raw", "corrected", "centred", "ipsatised"]),
    gaps=st.sets(st.tuples(st.sampled_from(["", "a", "b", "c"]), st.integers(0, 3)), max_size=2),
)
def test_changes_are_those_of_each_edit_alone(seed, people, free, score, gaps):
    responses = answers(seed, ("a", "b", "c"), people, free, gaps)
    found = pv.paired_changes(responses, score)
    assert found.edits == tuple(edit for edit in responses.edits if edit)
    for edit in found.edits:
        wanted = edit_by_edit(responses, edit, score)
        own = found.of(edit)
        assert set(own.columns) == set(wanted.columns)
        pd.testing.assert_frame_equal(own, wanted.loc[own.index, own.columns], rtol=0, atol=1e-12, check_names=False)


@pytest.mark.parametrize("lacking", ["an item", "a persona"])
def test_what_was_not_asked_both_times_does_not_count(lacking):
    whole = answers(0, ("a", "b"), 4)
    table = whole.table
    here = table["edit"] == "a" if lacking == "an item" else table["edit"] == ""
    gone = here & ((table["item"] == "0/1") if lacking == "an item" else (table["persona"] == "p2"))
    responses = pv.Responses(table[~gone].reset_index(drop=True))
    found = pv.paired_changes(responses)
    for edit in ("a", "b"):
        wanted = edit_by_edit(responses, edit, "corrected")
        own = found.of(edit)
        assert ("p2" in own.index) == (lacking == "an item")
        pd.testing.assert_frame_equal(own, wanted.loc[own.index, own.columns], rtol=0, atol=1e-12, check_names=False)
