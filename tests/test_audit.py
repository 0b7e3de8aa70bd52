"""An audit from end to end: on studies with known truth, on what studies lack, and on the paper's files."""

from __future__ import annotations

import json
from pathlib import Path

import networkx as nx
import numpy as np
import pandas as pd
import pytest

from pyvalue.evaluation.audit import EDITS, PERSONAS, audit
from pyvalue.evaluation.audit_findings import Audit, Finding
from pyvalue.evaluation.label_permutation import relabelled
from pyvalue.graph import ValueGraph
from pyvalue.responses import Responses, make_table

PAPER = Path(__file__).resolve().parents[1].parent / "shared" / "data" / "paper"
with_paper = pytest.mark.skipif(not PAPER.is_dir(), reason="the paper's files lie beside the checkout, not in it")
KEPT = ["14351", "1025", "2965", "10096", "1341", "1975", "10605", "14049", "1312", "4752"]
NAMES = list("ABCDEFGH")
TREE = nx.DiGraph([("A", "B"), ("B", "C"), ("A", "D"), ("E", "F")])
TREE.add_nodes_from(NAMES)
QUICK = {"permutations": 400, "resamples": 200}


def study(seed: int, strength: float, personas: int = 15, edits: int = 6) -> pd.DataFrame:
    """Rows (edit, persona): an edit moves some values, and what follows them in the tree by ``strength``."""
    rng = np.random.default_rng(seed)
    weights = nx.to_numpy_array(TREE, nodelist=NAMES)
    unedited = np.round(rng.normal(size=(1, personas, len(NAMES))))
    hits = rng.random((edits, personas, len(NAMES))) < 0.25
    moved = hits.copy()
    for _ in range(2):
        moved |= (moved @ weights > 0) & (rng.random(moved.shape) < strength)
    rows = np.concatenate([unedited, unedited + moved])
    labels = [["", *[f"e{k}" for k in range(edits)]], [f"p{i:02d}" for i in range(personas)]]
    index = pd.MultiIndex.from_product(labels, names=["edit", "persona"])
    return pd.DataFrame(rows.reshape(-1, len(NAMES)), index=index, columns=NAMES)


def test_an_effect_along_the_graph_is_found() -> None:
    found = audit(study(0, 0.9), TREE, focus="p03", **QUICK)
    every = found[EDITS[1]]
    assert every.verdict == "holds" and every.figures["p"] < 0.05 and every.figures["low"] > 0
    assert found["row by row"].figures["graph_low"] > 0.5
    assert len(found.findings) == 12 and len({one.name for one in found.findings}) == 12
    assert list(found.tables["personas"]["persona"]) == [f"p{i:02d}" for i in range(15)]
    assert found[EDITS[2]].figures["chosen"] == "p03"
    assert found.nulls[EDITS[1]].null.shape == (400,)


def test_p_of_all_personas_is_uniform_where_the_graph_is_of_other_values() -> None:
    stats = pytest.importorskip("scipy.stats")
    rng = np.random.default_rng(1)
    arrows = nx.to_numpy_array(TREE, nodelist=NAMES) > 0
    ps = []
    for seed in range(40):
        shuffled = relabelled(arrows, rng.permutation(len(NAMES))[None])[0]
        graph = nx.relabel_nodes(nx.DiGraph(shuffled), dict(enumerate(NAMES)))
        ps.append(audit(study(seed, 0.9), graph, permutations=199, resamples=2, seed=seed)[EDITS[1]].figures["p"])
    assert stats.kstest(ps, "uniform").pvalue > 0.01


def test_same_whatever_the_order_of_rows() -> None:
    rows = study(2, 0.5)
    one, other = (audit(table, TREE, baseline="p00", **QUICK).to_dict() for table in (rows, rows[::-1]))
    one["facts"].pop("edits"), other["facts"].pop("edits")
    for a, b in zip(one["findings"], other["findings"], strict=True):
        assert a["sentence"] == b["sentence"]
    assert one["nulls"] == other["nulls"]


def test_an_edit_that_breaks_the_model_is_taken_out() -> None:
    rows = study(3, 0.5)
    broken = rows.xs("", level="edit", drop_level=False).rename(index={"": "7754"}, level="edit") * 0
    with_it, without = audit(pd.concat([rows, broken]), TREE, **QUICK), audit(rows, TREE, **QUICK)
    finding = with_it["broken edits"]
    assert finding.verdict == "fails" and list(finding.figures["broken"]) == ["7754"]
    assert finding.figures["contrast_after"] == without[EDITS[1]].figures["contrast"]
    assert finding.figures["contrast_before"] != finding.figures["contrast_after"]
    assert with_it[EDITS[1]] == without[EDITS[1]]
    assert without["broken edits"].verdict == "holds"


def test_responses_whose_answers_break_off() -> None:
    rng = np.random.default_rng(4)
    parts = []
    for edit in ("", "fine", "breaks"):
        for persona in range(12):
            for value in NAMES[:4]:
                for item in range(4):
                    p = float(rng.random() < 0.6)
                    invalid = edit == "breaks" and rng.random() < 0.93
                    parts.append(
                        {
                            "model": "m", "edit": edit, "persona": f"p{persona:02d}", "item": f"{value}{item}",
                            "value": value, "keying": 1, "kind": "keyed", "text": "?", "answer": "",
                            "status": "invalid" if invalid else "yes" if p else "no",
                            "p_yes": np.nan if invalid else p, "mass": np.nan,
                            "score": np.nan if invalid else 2 * p - 1, "mode": "generate",
                        }
                    )  # fmt: skip
    table = pd.DataFrame(parts)
    responses = Responses(make_table({name: table[name] for name in table.columns}))
    found = audit(responses, nx.DiGraph([("A", "B"), ("C", "D")]), score="raw", **QUICK)
    assert list(found["broken edits"].figures["broken"]) == ["breaks"]
    assert "1 edit" in found[EDITS[1]].sentence and found[EDITS[1]].verdict != "not computable"


def test_a_cycle_is_named_with_what_cautious_rules_find() -> None:
    rng = np.random.default_rng(5)
    rows = study(5, 0.5)
    graph = audit(rows, nx.DiGraph([("A", "B"), ("B", "C"), ("C", "A")]), **QUICK)["graph"]
    assert graph.verdict == "fails" and graph.figures["cycles"] == [("A", "B", "C")]
    assert "A → B → C → A" in graph.sentence and "the graph lacks D, E, F, G, H" in graph.sentence
    marks = np.zeros((3, 3), dtype=np.int8)
    for i, j in ((0, 1), (1, 2), (2, 0)):
        marks[i, j], marks[j, i] = -1, 1
    from pyvalue.discovery import discover

    settings = discover(rng.normal(size=(50, 3)), test="fisherz").settings
    learnt = audit(rows, ValueGraph(("A", "B", "C"), marks, settings), **QUICK)["graph"]
    assert learnt.verdict == "fails" and set(learnt.figures["cautious"]) == {"conservative", "majority"}
    assert audit(rows, TREE, **QUICK)["graph"].verdict == "holds"


def test_rows_of_personas_alone() -> None:
    rows = study(6, 0.5).loc[[""]]
    found = audit(rows, TREE, baseline="p02", **QUICK)
    for name in (*EDITS, "broken edits", "within and between", "row by row"):
        assert found[name].verdict == "not computable" and found[name].sentence and found[name].claim
    assert found[PERSONAS[0]].sentence.startswith("14 personas against p02")
    assert np.isfinite(found[PERSONAS[1]].figures["p"]) and found[PERSONAS[2]].figures["chosen"] == "p02"


def test_edits_without_unedited_rows() -> None:
    found = audit(study(7, 0.5).drop(index="", level="edit"), TREE, **QUICK)
    assert "expected rows without an edit" in found[EDITS[1]].sentence
    assert found[PERSONAS[0]].verdict == "not computable" and "got 0" in found[PERSONAS[0]].sentence
    assert found["broken edits"].verdict == "not computable"
    assert found["within and between"].verdict != "not computable"


def test_one_persona() -> None:
    rows = study(8, 0.9, personas=1)
    found = audit(rows, TREE, focus="p00", **QUICK)
    assert np.isfinite(found[EDITS[0]].figures["p"])
    assert "it needs at least 5 personas, got 1" in found[EDITS[1]].sentence
    assert found[EDITS[2]].verdict == "not computable" and found[PERSONAS[0]].verdict == "not computable"
    assert found["within and between"].verdict == "not computable"
    assert found["effective n"].verdict == "not computable"


def test_scores_that_say_nothing_are_named() -> None:
    rows = study(9, 0.5)
    rows.loc["e1"] = rows.loc[""].to_numpy()
    rows.loc["e2"] = 1.0
    rows["C"] = 0.0
    rows.iloc[20:25, 1] = np.nan
    found = audit(rows, TREE, **QUICK)["variation"]
    assert found.figures["constant"] == ["C"] and found.figures["no_change"] == ["e1"]
    assert found.figures["same_for_all"] == ["e2"] and found.figures["missing"] > 0
    drifting = study(9, 0.5) + np.random.default_rng(0).normal(0, 1e-3, rows.shape)
    assert "pass a threshold" in audit(drifting, TREE, **QUICK)["variation"].sentence
    cut = audit(drifting, TREE, threshold=0.5, **QUICK)
    assert cut["variation"].verdict == "holds"
    assert cut[EDITS[1]].figures["contrast"] == audit(study(9, 0.5), TREE, **QUICK)[EDITS[1]].figures["contrast"]
    still = audit(study(9, 0.5) * 0 + 1, TREE, **QUICK)
    assert "no value changed" in still[EDITS[1]].sentence


def test_values_that_one_side_lacks() -> None:
    wider = nx.DiGraph([*TREE.edges, ("C", "Z"), ("Z", "G")])
    found = audit(study(10, 0.5), wider, **QUICK)
    assert found["graph"].figures["lacking"] == ["Z"]
    assert "the responses lack Z" in found["graph"].sentence
    direct = audit(study(10, 0.5), nx.DiGraph([*TREE.edges, ("C", "G"), ("H", "H2")]), **QUICK)
    assert found[EDITS[1]].figures["contrast"] != audit(study(10, 0.5), TREE, **QUICK)[EDITS[1]].figures["contrast"]
    assert direct["graph"].figures["lacking"] == ["H2"]


def test_bad_arguments_are_named() -> None:
    rows = study(11, 0.5)
    with pytest.raises(TypeError, match="graph: expected a ValueGraph, a networkx DiGraph or None, got str"):
        audit(rows, "graph")
    with pytest.raises(ValueError, match="at least 3 of the values of the responses, got 0"):
        audit(rows, nx.DiGraph([("X", "Y"), ("Y", "Z")]))
    with pytest.raises(ValueError, match="edits: there are no rows under 'e99'"):
        audit(rows, TREE, edits=["e1", "e99"])
    with pytest.raises(ValueError, match="a value points to itself"):
        audit(rows, nx.DiGraph([("A", "A")]))
    with pytest.raises(ValueError, match="at least 3 values in both, got 0"):
        audit(rows, TREE, test=rows.rename(columns=str.lower))
    for name, value in (("permutations", 0), ("resamples", 0), ("confidence", 95), ("threshold", -1.0)):
        with pytest.raises(ValueError, match=f"{name}: expected"):
            audit(rows, TREE, **{name: value})
    found = audit(rows, TREE, focus="nobody", baseline="nobody", **QUICK)
    assert "nobody has no row" in found[EDITS[0]].sentence and "nobody has no row" in found[PERSONAS[0]].sentence
    with pytest.raises(KeyError, match="no finding 'p'"):
        found["p"]
    with pytest.raises(ValueError, match="verdict: expected"):
        Finding("name", "claim", "maybe")  # type: ignore[arg-type]


def test_saved_and_printed(tmp_path: Path) -> None:
    found = audit(study(12, 0.5), TREE, **QUICK)
    saved = json.loads(found.save(tmp_path / "audit.json").read_text())
    assert [one["name"] for one in saved["findings"]] == [one.name for one in found.findings]
    printed = " ".join(str(found).split())
    assert all(" ".join(one.sentence.split()) in printed for one in found.findings)
    assert max(map(len, str(found).splitlines()[1:])) <= 110
    assert "12 checks" in str(found) and "favours it" in str(found)
    assert list(found.to_frame()["verdict"]) == [one.verdict for one in found.findings]


@pytest.fixture(scope="module")
def paper() -> Audit:
    return audit(
        PAPER / "ans_gemma_train_formal.csv", test=PAPER / "ans_gemma_test_formal.csv", edits=KEPT,
        focus="Mary Holt", baseline="Erika Jones",
    )  # fmt: skip


@with_paper
def test_the_papers_figures(paper: Audit) -> None:
    sae, prompt = paper[EDITS[0]].figures, paper[PERSONAS[0]].figures
    assert (round(sae["expected"], 3), round(sae["unexpected"], 3)) == (0.568, 0.506)
    assert (round(prompt["expected"], 3), round(prompt["unexpected"], 3)) == (0.690, 0.560)
    assert sae["p"] == pytest.approx(0.31, abs=0.015) and prompt["p"] == pytest.approx(0.19, abs=0.015)
    rows = paper["row by row"].figures
    assert (round(rows["graph"], 2), round(rows["marginal"], 2)) == (0.51, 0.55)
    assert rows["difference_high"] < 0
    assert paper["graph"].verdict == "holds"
    assert paper["broken edits"].sentence == "none of 10 edits broke the model"
    assert paper["effective n"].figures["effective_n"] < 300


@with_paper
def test_the_graph_of_all_features_has_a_cycle() -> None:
    found = audit(PAPER / "ans_gemma_train_formal.csv", permutations=200, resamples=100)
    assert found["graph"].verdict == "fails" and found["graph"].figures["cycles"]
    assert found.facts["rows_learnt"] == 2525
