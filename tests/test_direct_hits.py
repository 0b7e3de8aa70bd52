"""Direct hits over a graph: known truth, correction for many tests, open directions, and what is odd."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from bench_contexts import found_and_false, table_of, true_graph
from intervention_cases import study
from scipy import stats

from pyvalue.edit_changes import paired_changes
from pyvalue.effects.direct_hits import direct_hits
from pyvalue.effects.invariance import direct_effect
from pyvalue.graph import DiscoverySettings, ValueGraph
from pyvalue.responses import Responses, make_table

PAPER = Path(__file__).resolve().parents[1].parent / "shared" / "data" / "paper"
KEPT = ["14351", "1025", "2965", "10096", "1341", "1975", "10605", "14049", "1312", "4752"]
NAMES = ("Power", "Wealth", "Status")


def graph_of(*edges: str, names: tuple[str, ...] = NAMES) -> ValueGraph:
    """Edges such as "Power>Wealth", "Power-Wealth" and "Power=Wealth" (two arrowheads)."""
    marks = np.zeros((len(names), len(names)), dtype=np.int8)
    for edge in edges:
        kind = next(sign for sign in ">-=" if sign in edge)
        i, j = (names.index(name) for name in edge.split(kind))
        marks[i, j], marks[j, i] = {">": (-1, 1), "-": (-1, -1), "=": (1, 1)}[kind]
    return ValueGraph(names, marks, DiscoverySettings(alpha=0.05, n=10))


def chain(n: int = 100, shift: float = 1.5, seed: int = 0) -> pd.DataFrame:
    """Power → Wealth → Status; edit e0 shifts Power, e1 Wealth, e2 nothing."""
    rng = np.random.default_rng(seed)
    persona = rng.standard_normal((n, 3))
    tables = {}
    for edit in ("", "e0", "e1", "e2"):
        own = persona + rng.standard_normal((n, 3))
        if edit in ("e0", "e1"):
            own[:, int(edit[1])] += shift
        power = own[:, 0]
        wealth = 0.8 * power + own[:, 1]
        tables[edit] = pd.DataFrame(
            np.column_stack([power, wealth, 0.8 * wealth + own[:, 2]]), columns=NAMES, index=[f"p{i}" for i in range(n)]
        )
    return pd.concat(tables, names=["edit", "persona"])


TRUE = graph_of("Power>Wealth", "Wealth>Status")


@pytest.mark.parametrize("slopes", ["repeated", "unedited", "paired"])
def test_followers_are_no_hits(slopes: str) -> None:
    rows = chain(seed=1)
    found = direct_hits(rows, TRUE, slopes=slopes)
    assert found.hits() == {"e0": ("Power",), "e1": ("Wealth",), "e2": ()}
    table = found.table.set_index(["edit", "value"])
    assert table.loc[("e0", "Wealth"), "change"] > 0.8  # it moved, and its parent explains that
    row = table.loc[("e1", "Wealth")]
    assert row["low"] < 1.5 < row["high"] and row["parents"] == "Power" and row["sets"] == 1
    assert table.loc[("e1", "Status"), "parents"] == "Wealth"
    # Without edges every value that moved is a hit.
    assert set(direct_hits(rows, graph_of()).hits()["e0"]) == set(NAMES)


def test_rows_are_the_single_tests_and_q_is_scipys() -> None:
    rows = chain(40)
    found = direct_hits(rows, TRUE, slopes="paired", alpha=0.1).table
    changes = paired_changes(rows)
    change = changes.of("e1").to_numpy()
    alone = direct_effect(change[:, 2], change[:, [1]], change[None, :, 2], change[None, :, [1]], "paired")
    row = found.set_index(["edit", "value"]).loc[("e1", "Status")]
    assert row["p"] == pytest.approx(alone.p) and (row["low"], row["high"]) == pytest.approx(alone.interval(0.95))
    np.testing.assert_allclose(found["q"], stats.false_discovery_control(found["p"]))
    assert (found["hit"] == (found["q"] <= 0.1)).all()
    assert list(found["edit"]) == ["e0"] * 3 + ["e1"] * 3 + ["e2"] * 3


def test_precision_and_recall_where_the_truth_is_known() -> None:
    """Among answers of three questions: "repeated" keeps to its rate, "paired" calls followers hit."""
    each = {"repeated": [], "paired": []}
    for seed in range(3000, 3015):
        one = study(seed, noise=1.0, shift=1.0)
        for slopes in each:
            found = direct_hits(one.rows, true_graph(one), slopes=slopes)
            each[slopes].append(found_and_false(table_of(found, one, "hit").astype(bool), one))
    mean = {slopes: pd.DataFrame(rows).mean() for slopes, rows in each.items()}
    assert mean["repeated"]["precision"] > 0.92 and mean["repeated"]["recall"] > 0.75
    assert mean["repeated"]["false_among_children"] < 0.08
    assert mean["paired"]["false_among_children"] > 2 * mean["repeated"]["false_among_children"]
    assert mean["paired"]["precision"] < mean["repeated"]["precision"]


@pytest.mark.parametrize(
    ("shared", "wrong", "right"),
    [
        ({"factor": 1.0}, "hit", "other_q"),
        ({"item_error": 0.7}, "hit", "other_q"),
        ({"noise": 1.0}, "other_q", "hit"),
    ],
)
def test_robust_hits_stand_what_misleads_one_kind_of_slopes(shared: dict, wrong: str, right: str) -> None:
    """Traits that personas share, answers always given to an item, errors: one of both slopes calls followers hit."""
    each = []
    for seed in range(12):
        one = study(seed, shift=1.0, **shared)
        result = direct_hits(one.rows, true_graph(one))
        said = {
            "robust": table_of(result, one, "robust").astype(bool),
            "hit": table_of(result, one, "hit").astype(bool),
        }
        said["other_q"] = table_of(result, one, "other_q").astype(float) <= 0.05
        found = {name: found_and_false(hit, one) for name, hit in said.items()}
        each.append(
            {name: figures["false_among_children"] for name, figures in found.items()}
            | {"recall": found["robust"]["recall"], "precision": found["robust"]["precision"]}
        )
    mean = pd.DataFrame(each).mean()
    assert mean[wrong] > 0.15 and mean[right] < 0.05
    assert mean["robust"] < 0.03 and mean["precision"] > 0.93 and mean["recall"] > 0.85


def test_a_robust_hit_is_one_by_both_slopes_with_one_sign() -> None:
    rows = chain(60)
    both = {slopes: direct_hits(rows, TRUE, slopes=slopes) for slopes in ("repeated", "paired")}
    table, other = both["repeated"].table, both["paired"].table
    for name in ("intercept", "p", "q"):
        np.testing.assert_allclose(table[f"other_{name}"], other[name])
        np.testing.assert_allclose(other[f"other_{name}"], table[name])
    same = np.sign(table["intercept"]) == np.sign(other["intercept"])
    assert (table["robust"] == (table["hit"] & other["hit"] & same)).all()
    assert both["repeated"].other_slopes == "paired" and both["paired"].other_slopes == "repeated"
    assert direct_hits(rows, TRUE, slopes="unedited").other_slopes == "paired"
    factor = study(0, factor=1.0, shift=1.0)
    found = direct_hits(factor.rows, true_graph(factor))
    alone, robust = found.hits(robust=False), found.hits()
    assert sum(map(len, alone.values())) == found.table["hit"].sum() > sum(map(len, robust.values()))


def test_labels_may_be_numbers() -> None:
    rows = chain(40).rename(index={"e0": 0, "e1": 14351}, level="edit")
    assert direct_hits(rows, TRUE).hits() == {"0": ("Power",), "14351": ("Wealth",), "e2": ()}
    assert list(direct_hits(rows, TRUE, edits=[0, 14351]).hits()) == ["0", "14351"]


def test_it_prints_its_hits_with_few_columns() -> None:
    lines = str(direct_hits(chain(60), TRUE)).splitlines()
    assert lines[0].startswith("DirectHits(2 robust hits and 0 others of 9 tested pairs") and "60 personas" in lines[0]
    assert lines[1].split() == ["edit", "value", "change", "intercept", "low", "high", "q", "other_q", "robust"]
    assert len(lines) == 4 and max(map(len, lines[1:])) < 100
    assert "\n" not in str(direct_hits(chain(60), TRUE, edits=["e2"]))


def test_an_open_edge_gives_the_least_significant_and_the_widest() -> None:
    rows = chain()
    open_ = direct_hits(rows, graph_of("Power-Wealth", "Wealth-Status")).table.set_index(["edit", "value"])
    alone = direct_hits(rows, graph_of()).table.set_index(["edit", "value"])
    known = direct_hits(rows, TRUE).table.set_index(["edit", "value"])
    back = direct_hits(rows, graph_of("Status>Wealth", "Wealth>Power")).table.set_index(["edit", "value"])
    for edit in ("e0", "e1"):
        three = [table.loc[(edit, "Wealth")] for table in (alone, known, back)]
        row = open_.loc[(edit, "Wealth")]
        # None, Power or Status, and not both: that would be a new collider.
        assert row["sets"] == 3 and row["p"] == pytest.approx(max(one["p"] for one in three))
        assert row["low"] == pytest.approx(min(one["low"] for one in three))
        assert row["high"] == pytest.approx(max(one["high"] for one in three))


def test_a_cycle_is_named_and_the_rest_is_tested() -> None:
    names = (*NAMES, "Calm")
    rows = chain()
    rows["Calm"] = rows["Power"] + np.random.default_rng(0).standard_normal(len(rows))
    graph = graph_of("Power>Wealth", "Wealth>Status", "Status>Power", "Power>Calm", names=names)
    found = direct_hits(rows, graph)
    table = found.table.set_index(["edit", "value"])
    assert table["p"].xs("Calm", level="value").notna().all()
    assert table["p"].drop("Calm", level="value").isna().all() and not table["hit"].drop("Calm", level="value").any()
    assert table.loc[("e0", "Power"), "reason"].startswith("it lies on a directed cycle")
    assert "on a directed cycle of the graph, not tested: Power, Wealth, Status" in found.notes


def test_values_of_one_side_only_are_named() -> None:
    graph = graph_of("Power>Wealth", "Calm>Status", names=(*NAMES, "Calm"))
    found = direct_hits(chain().rename(columns={"Power": "Might"}), graph)
    reasons = found.table.set_index(["edit", "value"])["reason"].loc["e0"]
    assert reasons["Wealth"] == "the data lack its possible parents Power"
    assert reasons["Status"] == "the data lack its possible parents Calm"
    assert "values of the graph that the data lack, not tested: Power, Calm" in found.notes
    assert "values of the data that the graph lacks, not tested: Might" in found.notes
    with pytest.raises(ValueError, match="none of its values is in the data"):
        direct_hits(chain(), graph_of(names=("x", "y", "z")))


def test_broken_idle_and_small_edits_are_named() -> None:
    rows = chain(60)
    more = {"broken": rows.xs("e0") * 0, "idle": rows.xs(""), "small": rows.xs("e0").iloc[:3]}
    rows = pd.concat([rows, pd.concat(more, names=["edit", "persona"])])
    found = direct_hits(rows, TRUE)
    assert set(found.left_out) == {"broken"} and "broke the model" in found.left_out["broken"]
    table = found.table.set_index(["edit", "value"])
    assert "edit 'idle' changed no score" in found.notes
    assert table.loc[("idle", "Power"), "reason"].endswith("explains") and not table.loc["idle", "hit"].any()
    assert "3 personas have the changes" in table.loc[("small", "Wealth"), "reason"]
    assert table.loc["e0", "p"].notna().all()


def test_answers_of_a_broken_edit_are_left_out() -> None:
    rng = np.random.default_rng(0)
    keys = [(e, f"p{i}", f"{v}/{k}") for e in ("", "ok", "bad") for i in range(12) for v in NAMES for k in range(4)]
    p = np.where([e == "bad" for e, *_ in keys], np.nan, rng.uniform(0.1, 0.9, len(keys)))
    table = {
        "model": "m", "edit": [e for e, *_ in keys], "persona": [k[1] for k in keys], "item": [k[2] for k in keys],
        "value": [k[2].split("/")[0] for k in keys], "keying": 1, "kind": "keyed", "text": [k[2] for k in keys],
        "status": np.where(np.isnan(p), "invalid", "yes"), "p_yes": p, "mass": 1.0, "score": 2 * p - 1,
    }  # fmt: skip
    found = direct_hits(Responses(make_table(table)), TRUE)
    assert set(found.table["edit"]) == {"ok"} and "answers are valid" in found.left_out["bad"]
    assert found.table["p"].notna().all()


def test_both_arrowheads_and_weak_instruments_are_named() -> None:
    rng = np.random.default_rng(1)
    rows = chain(60)
    same = rows + rng.standard_normal(rows.shape) * 30  # nothing of the personas is left
    found = direct_hits(same, graph_of("Power>Wealth", "Wealth=Status"))
    assert any(note == "joined by ↔ and not taken for parents: Wealth ↔ Status" for note in found.notes)
    assert any("F below 10" in note and note.endswith(": Wealth") for note in found.notes)
    assert found.table.loc[found.table["value"] == "Power", "strength"].isna().all()


def test_changes_and_the_order_of_rows_give_the_same() -> None:
    rows = chain(50)
    one = direct_hits(rows, TRUE).table
    of_changes = direct_hits(paired_changes(rows), TRUE).table
    pd.testing.assert_frame_equal(one, of_changes)
    mixed = rows.iloc[np.random.default_rng(0).permutation(len(rows))]
    other = direct_hits(mixed, TRUE).table
    keys = ["edit", "value"]
    pd.testing.assert_frame_equal(
        one.sort_values(keys, ignore_index=True), other.sort_values(keys, ignore_index=True), rtol=1e-9
    )
    some = direct_hits(rows, TRUE, edits=["e1"]).table
    assert set(some["edit"]) == {"e1"}
    np.testing.assert_allclose(some["p"], one.loc[one["edit"] == "e1", "p"])


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"alpha": 0.0}, ValueError, "alpha: expected a number between 0 and 1, got 0"),
        ({"confidence": 95}, ValueError, "confidence: expected a number between 0 and 1, got 95"),
        ({"slopes": "ols"}, ValueError, "slopes: expected one of repeated, unedited, paired, got 'ols'"),
        ({"edits": ["e7"]}, ValueError, "no rows under e7"),
        ({"graph": "Power"}, TypeError, "graph: expected a ValueGraph, got str"),
    ],
)
def test_bad_arguments(change: dict, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        direct_hits(**{"data": chain(20), "graph": TRUE} | change)


def test_no_unedited_rows() -> None:
    with pytest.raises(ValueError, match="expected rows without an edit"):
        direct_hits(chain(20).drop("", level="edit"), TRUE)


def test_it_can_be_saved(tmp_path: Path) -> None:
    found = direct_hits(chain(20), TRUE)
    kept = json.loads(found.save(tmp_path / "hits.json").read_text(encoding="utf-8"))
    assert len(kept["table"]) == 9 and kept["table"][0]["strength"] is None and kept["slopes"] == "repeated"
    assert "9 tested pairs of 3 edits and 3 values" in repr(found)


def test_the_papers_data() -> None:
    """By a graph without edges a hit is a change: the paired t tests, which SciPy does as well."""
    if not PAPER.is_dir():
        pytest.skip("the paper's files lie beside the checkout, not in it")
    changes = paired_changes(PAPER / "ans_gemma_train_formal.csv").only(edits=KEPT)
    names = changes.values
    found = direct_hits(changes, ValueGraph(names, np.zeros((17, 17)), DiscoverySettings(alpha=0.05, n=101)))
    p = [stats.ttest_1samp(changes.of(e)[v], 0).pvalue for e in changes.edits for v in names]
    assert found.table["p"].to_numpy() == pytest.approx(p, rel=0.05, abs=1e-3)
    assert abs(int(found.table["hit"].sum()) - int((stats.false_discovery_control(p) <= 0.05).sum())) <= 2
