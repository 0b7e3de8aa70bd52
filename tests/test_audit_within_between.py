"""Correlations pooled and within groups: against pandas, a bootstrap by hand, and a study made to disagree."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pyvalue.evaluation.audit_contrasts import widened_percentiles
from pyvalue.evaluation.audit_information import pairs_finding
from pyvalue.evaluation.audit_options import AuditOptions
from pyvalue.evaluation.audit_study import Part
from pyvalue.evaluation.within_between import within_between
from pyvalue.wide_scores import score_rows

PAPER = Path(__file__).resolve().parents[1].parent / "shared" / "data" / "paper"
KEPT = ["14351", "1025", "2965", "10096", "1341", "1975", "10605", "14049", "1312", "4752"]


def study(seed: int, between: float, within: float, personas: int = 40, edits: int = 8, d: int = 3) -> pd.DataFrame:
    """Values that go together among edits by ``between`` and among personas under one edit by ``within``."""
    rng = np.random.default_rng(seed)

    def drawn(shape: tuple[int, ...], r: float) -> np.ndarray:
        common, signs = rng.normal(size=(*shape, 1)), np.array([1.0, np.sign(r)] + [1.0] * (d - 2))
        return np.sqrt(abs(r)) * common * signs + np.sqrt(1 - abs(r)) * rng.normal(size=(*shape, d))

    scores = 2.0 * drawn((edits, 1), between) + drawn((edits, personas), within)
    names = pd.MultiIndex.from_product([["", *map(chr, range(97, 96 + edits))], [f"p{i}" for i in range(personas)]])
    return pd.DataFrame(scores.reshape(-1, d), index=names.set_names(["edit", "persona"]), columns=list("XYZ")[:d])


def by_pandas(rows: pd.DataFrame) -> pd.DataFrame:
    kinds = {
        "pooled": rows,
        "within_edits": rows - rows.groupby(level="edit").transform("mean"),
        "within_personas": rows - rows.groupby(level="persona").transform("mean"),
    }
    above = np.triu_indices(rows.shape[1], 1)
    return pd.DataFrame({name: table.corr().to_numpy()[above] for name, table in kinds.items()})


def test_equal_to_pandas_also_with_rows_missing() -> None:
    rows = study(0, 0.7, -0.6).sample(frac=0.8, random_state=1)
    rows.iloc[3, 1] = np.nan
    found = within_between(rows, resamples=100)
    expected = by_pandas(rows.dropna())
    assert (found.rows, found.left_out) == (len(rows) - 1, 1)
    np.testing.assert_allclose(found.pairs[expected.columns], expected, atol=1e-12)


def test_intervals_are_those_of_a_bootstrap_by_hand() -> None:
    rows = study(2, 0.6, 0.3, personas=12)
    found = within_between(rows, resamples=100, seed=5)
    edits, personas = (sorted(set(rows.index.get_level_values(name))) for name in ("edit", "persona"))
    rng, tables = np.random.default_rng(5), []
    for _ in range(100):
        drawn = [rng.multinomial(len(names), np.full(len(names), 1 / len(names))) for names in (edits, personas)]
        counts = [dict(zip(names, counts, strict=True)) for names, counts in zip((edits, personas), drawn, strict=True)]
        copies = [counts[0][edit] * counts[1][persona] for edit, persona in rows.index]
        tables.append(by_pandas(rows.iloc[np.repeat(np.arange(len(rows)), copies)]).to_numpy())
    whole = np.array(tables)
    for place, name in enumerate(("pooled", "within_edits", "within_personas")):
        ends = [widened_percentiles(whole[:, pair, place], 8, 0.95) for pair in range(whole.shape[1])]
        np.testing.assert_allclose(found.pairs[[f"{name}_low", f"{name}_high"]].to_numpy(), ends)


def test_edits_that_agree_by_chance_alone_are_not_clear() -> None:
    """Few edits move values by amounts of their own: other edits would do so in another way."""
    clear = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        plain = 2.0 * rng.normal(size=(1, 40, 5))
        scores = (
            plain + np.concatenate([np.zeros((1, 1, 5)), rng.normal(size=(9, 1, 5))]) + rng.normal(size=(10, 40, 5))
        )
        index = pd.MultiIndex.from_product(
            [["", *"abcdefghi"], [f"p{i}" for i in range(40)]], names=["edit", "persona"]
        )
        found = within_between(pd.DataFrame(scores.reshape(-1, 5), index=index, columns=list("VWXYZ")), resamples=200)
        clear.append(found.disagreements("within personas")["within_clear"])
    assert np.mean(clear) / 10 < 0.15


def test_a_clear_disagreement_is_found_and_noise_is_not() -> None:
    clear = within_between(study(3, 0.9, -0.8, edits=40))
    assert clear.disagreements()["clear"] >= 1
    assert clear.disagreements()["differ"] >= clear.disagreements()["clear"]
    noise = [within_between(study(seed, 0.0, 0.0), resamples=300).disagreements() for seed in range(20)]
    assert sum(one["differ"] for one in noise) > 10
    # 60 pairs whose edits agree by chance alone; personas drawn anew do not know of that.
    assert sum(one["clear"] for one in noise) <= 3


def test_verdicts() -> None:
    options = AuditOptions(resamples=200)

    def verdict(rows: pd.DataFrame) -> str:
        return pairs_finding(Part(rows, None), options)[0].verdict

    assert verdict(study(3, 0.9, -0.8, edits=40)) == "fails"
    assert verdict(study(3, 0.9, 0.9)) == "holds"
    assert verdict(study(3, 0.9, 0.9, edits=4)) == "unclear"  # no intervals
    assert verdict(study(3, 0.0, 0.0, d=2)) in ("unclear", "holds")
    assert verdict(study(3, 0.0, 0.0).loc[[""]]) == "not computable"


def test_order_of_rows_does_not_matter() -> None:
    rows = study(4, 0.5, 0.5)
    one, other = (within_between(r, resamples=100).pairs for r in (rows, rows.sample(frac=1, random_state=2)))
    np.testing.assert_allclose(one.iloc[:, 2:], other.iloc[:, 2:], atol=1e-12)


def test_constant_values_one_persona_and_bad_input() -> None:
    rows = study(6, 0.5, 0.5).assign(W=1.0)
    assert within_between(rows, resamples=100).constant == ("W",)
    one = within_between(rows[rows.index.get_level_values("persona") == "p0"], resamples=100)
    few = within_between(rows.loc[["", "a", "b", "c"]], resamples=100)
    assert few.pairs["pooled_low"].isna().all() and few.why_no_interval.endswith("got 40 and 4")
    assert one.pairs["within_edits"].isna().all() and one.pairs["pooled_low"].isna().all()
    with pytest.raises(ValueError, match="at least 3 without a missing score, got 0"):
        within_between(rows * np.nan)
    with pytest.raises(ValueError, match="at least 2 values that vary, got 1"):
        within_between(rows[["X", "W"]])
    with pytest.raises(ValueError, match="kind: expected one of within edits, within personas"):
        one.disagreements("pooled")
    with pytest.raises(ValueError, match="confidence: expected"):
        within_between(rows, confidence=95)
    with pytest.raises(ValueError, match="resamples: expected"):
        within_between(rows, resamples=0)


@pytest.mark.skipif(not PAPER.is_dir(), reason="the paper's files lie beside the checkout, not in it")
def test_the_papers_steered_rows() -> None:
    rows = score_rows(PAPER / "ans_gemma_train_formal.csv")
    steered = rows[rows.index.get_level_values("edit").isin(KEPT)]
    found = within_between(steered)
    assert found.rows == 1010
    assert found.disagreements("within personas")["differ"] == 49
    assert found.disagreements("within edits")["differ"] == 13
    assert found.disagreements("within personas")["clear"] == 0
