"""Edits that break the model, found in tables of scores."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pyvalue.broken_scores import broken_rows
from pyvalue.wide_scores import score_rows

PAPER = Path(__file__).resolve().parents[1].parent / "shared" / "data" / "paper"
with_paper = pytest.mark.skipif(not PAPER.is_dir(), reason="the paper's files lie beside the checkout, not in it")
# Answers behind a score of Kang et al.: 6 of most values.
ANSWERS = 6


def study(unread: float, personas: int = 40, answers: int = ANSWERS, seed: int = 0) -> pd.DataFrame:
    """Means of answers in {-1, 0, 1}: unedited, under a harmless edit, and under one that leaves a share unread."""
    rng = np.random.default_rng(seed)
    lean = rng.uniform(0.1, 0.9, (personas, 8, 1))
    tables = {}
    for edit, share in (("", 0.0), ("harmless", 0.0), ("breaks", unread)):
        said = np.where(rng.random((personas, 8, answers)) < lean, 1.0, -1.0)
        tables[edit] = pd.DataFrame((said * (rng.random(said.shape) >= share)).mean(axis=2))
    table = pd.concat(tables, names=["edit", "persona"])
    return table.rename(columns=str).rename(index=str, level="persona")


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("answers", [3, 6, 9])
def test_finds_the_edit_that_leaves_answers_unread(seed: int, answers: int) -> None:
    found = broken_rows(study(0.93, answers=answers, seed=seed))
    assert list(found) == ["breaks"]
    assert "exactly 0" in found["breaks"]
    assert broken_rows(study(0.0, answers=answers, seed=seed)) == {}
    assert broken_rows(study(0.2, answers=answers, seed=seed)) == {}


@with_paper
@pytest.mark.parametrize("part", ["train", "test"])
def test_none_of_the_papers_edits_is_broken(part: str) -> None:
    rows = score_rows(PAPER / f"ans_gemma_{part}_formal.csv")
    assert rows.index.get_level_values("edit").nunique() == 25
    assert broken_rows(rows) == {}


@with_paper
@pytest.mark.parametrize(("part", "n_items"), [("train", 6), ("test", 7)])
def test_finds_a_break_of_the_papers_unsteered_rows(part: str, n_items: int) -> None:
    """Every answer behind an unsteered score is set to 0 with probability .93, as where 93% cannot be read."""
    rows = score_rows(PAPER / f"ans_gemma_{part}_formal.csv")
    plain = rows[rows.index.get_level_values("edit") == ""]
    rng = np.random.default_rng(7)
    # A mean of k/n comes from k answers of its sign and, at the most, (n - k) // 2 pairs of yes and no.
    k = np.rint(plain.abs().to_numpy() * n_items).astype(int)
    pairs = (n_items - k) // 2
    kept = (rng.binomial(k + pairs, 0.07) - rng.binomial(pairs, 0.07)) / n_items
    broken = (np.sign(plain) * kept).rename(index={"": "7754"}, level="edit")
    assert list(broken_rows(pd.concat([rows, broken]))) == ["7754"]
    one = pd.concat([rows, broken.iloc[[3]]])
    assert list(broken_rows(one)) == ["7754"]


def test_less_sure_but_readable_is_not_broken() -> None:
    rows = study(0.0)
    rows.loc["breaks"] = rows.loc["breaks"].to_numpy() * 0.3 + 1e-3
    assert broken_rows(rows) == {}


def test_missing_scores_break() -> None:
    rows = study(0.0)
    rows.loc["breaks", rows.columns[:6]] = np.nan
    assert list(broken_rows(rows)) == ["breaks"] and "75% of its scores are missing" in broken_rows(rows)["breaks"]


def test_other_personas_and_no_unedited_rows() -> None:
    rows = study(0.93)
    others = rows.rename(index=lambda name: f"p{name}", level="persona")
    kept = others.index.get_level_values("edit") != ""
    mixed = pd.concat([rows.loc[[""]], others[kept]])
    assert list(broken_rows(mixed)) == ["breaks"]
    assert broken_rows(rows.loc[["harmless", "breaks"]]) == {}


def test_index_is_checked() -> None:
    with pytest.raises(ValueError, match="rows: expected index levels edit and persona"):
        broken_rows(pd.DataFrame({"a": [1.0]}))
