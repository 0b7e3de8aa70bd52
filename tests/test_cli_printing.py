"""What is printed acts on no terminal, and JSON stays JSON."""

from __future__ import annotations

import io
import json
import math
import sys
import unicodedata

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyvalue.cli import printing

ANY_TEXT = st.text(st.characters())


@given(ANY_TEXT)
def test_visible_text_has_nothing_that_acts(text: str) -> None:
    shown = printing.visible(text)
    assert not any(unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp") for c in shown if c not in "\u200c\u200d")
    assert len(shown.splitlines()) <= 1


@given(st.text(st.characters(categories=["L", "N", "P", "S"])))
def test_plain_text_is_left_as_it_is(text: str) -> None:
    assert printing.visible(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [("\x1b]0;x\x07", "\\x1b]0;x\\x07"), ("a\r\nb", "a\\r\\nb"), ("\u202eevil", "\\u202eevil"), ("\x9b31m", "\\x9b31m"),
     ("\U000e0041", "\\U000e0041"), ("👩\u200d🔬", "👩\u200d🔬")],
)  # fmt: skip
def test_what_acts_is_spelt_out(text: str, shown: str) -> None:
    assert printing.visible(text) == shown


def test_line_breaks_stay_where_a_text_is_laid_out() -> None:
    assert printing.visible("a\n\tb\x1b", lines=True) == "a\n\tb\\x1b"


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
                    | st.text(st.characters()), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
                    max_leaves=8))  # fmt: skip
def test_json_is_read_back_as_it_was_and_acts_on_no_terminal(content: object) -> None:
    out, kept = io.StringIO(), sys.stdout
    sys.stdout = out
    try:
        printing.say_json(content)
    finally:
        sys.stdout = kept
    assert json.loads(out.getvalue()) == content
    assert not any(unicodedata.category(c) in ("Cc", "Cf", "Cs") for c in out.getvalue() if c not in "\n\u200c\u200d")


def test_numbers_of_other_libraries_are_numbers_and_missing_ones_null() -> None:
    content = {
        "a": np.float64(1.5),
        "b": np.int64(2),
        "c": math.nan,
        "d": math.inf,
        "e": pd.NA,
        "f": (1, np.nan),
        3: True,
    }
    assert printing.plain(content) == {"a": 1.5, "b": 2, "c": None, "d": None, "e": None, "f": [1, None], "3": True}


def test_a_stream_without_the_characters_gets_them_spelt_out(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    printing.say("α — β")
    printing.say_json({"α": 1})
    first, rest = raw.getvalue().split(b"\n", 1)
    assert first == b"\\u03b1 \\u2014 \\u03b2"
    assert json.loads(rest) == {"α": 1}
