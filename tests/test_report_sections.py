"""What the report says, section by section: computed from the parts, true of their settings, and never of others."""

from __future__ import annotations

import html
import io
import re
from dataclasses import replace
from types import SimpleNamespace

import networkx as nx
import numpy as np
import pandas as pd
import pytest
from scipy import stats

import pyvalue as pv
from pyvalue.evaluation.audit_findings import VERDICTS, Finding
from pyvalue.reporting.absent import absent
from pyvalue.reporting.audit_meanings import meaning
from pyvalue.reporting.citations import CITATIONS
from pyvalue.reporting.edit_studies import edit_studies
from pyvalue.reporting.methods import methods
from pyvalue.reporting.parts import sort_parts
from pyvalue.reporting.sections import sections
from pyvalue.reporting.sections_answers import MAX_SERIES, profile_section
from pyvalue.reporting.sections_checks import audit_section
from pyvalue.reporting.sections_circle import MIN_PERSONAS, circle_of, circle_sections
from pyvalue.reporting.sections_heat_map import STRONGEST
from pyvalue.reporting.summary import summary
from pyvalue.reporting.tables import edits_table, p_text, pilot_table
from pyvalue.responses import make_table
from pyvalue.schwartz_circle import CIRCLE
from pyvalue.steering.plan import SteeringPlan

NAMES = ("Thrift", "Wit", "Order")
EVIL = "<script>alert('x')</script>"
ALWAYS = ["value-graph", "methods", "run", "limits"]
#: of a study that has answers and a graph
ANSWERED = ["value-graph", "value-profile", "quality", "methods", "run", "limits"]


def answers(edits=("",), people=6, values=NAMES, free=0, mode="score", orders=("yes-no",), study=None, missing=False):
    random = np.random.default_rng(3)
    mind = random.normal(size=(people, len(values)))
    found = []
    for e, edit in enumerate(edits):
        for p in range(people):
            asked = [(v, k) for v in range(len(values)) for k in (1, -1)] + [(None, k) for k in range(free)]
            for v, k in asked:
                odds = 0.3 * random.normal() if v is None else k * (mind[p, v] + 0.5 * ((e + v) % 3 == 0) * bool(edit))
                yes = 1 / (1 + np.exp(-odds))
                for order in orders:
                    found.append({
                        "model": "tiny", "edit": edit, "persona": f"p{p}", "item": f"{v}/{k}", "mode": mode,
                        "value": "" if v is None else values[v], "keying": 0 if v is None else k, "repeat": 0,
                        "text": "Should I?", "status": "invalid" if missing else "yes" if yes >= 0.5 else "no",
                        "order": order, "p_yes": np.nan if missing else yes, "mass": 0.9,
                        "score": np.nan if missing or v is None else k * (2 * yes - 1),
                    })  # fmt: skip
    return pv.Responses(make_table(pd.DataFrame(found).to_dict("list")), {"study": study or {}})


def told(parts, **more):
    """name -> section"""
    return {section.name: section for section in sections(sort_parts(parts, **more))}


def text_of(section):
    cells = [cell for table in section.tables for row in (table.header, *table.rows) for cell in row]
    return " ".join([section.title, *section.paragraphs, *section.points, *cells])


def wide(edits=2, people=8, values=NAMES):
    random = np.random.default_rng(0)
    index = pd.MultiIndex.from_product(
        [["", *(f"f{i}" for i in range(edits))], [f"p{i}" for i in range(people)]], names=["edit", "persona"]
    )
    return pd.DataFrame(random.normal(size=(len(index), len(values))), index, list(values))


# -- which sections there are -------------------------------------------------------------------------------------


def test_names_are_unique_and_pictures_too():
    content = sections(sort_parts([answers(("", "a", "b")), pv.graph_from_edges(NAMES, [NAMES[:2]])]))
    names = [section.name for section in content]
    pictures = [picture.name for section in content for picture in section.pictures]
    assert len(set(names)) == len(names) and len(set(pictures)) == len(pictures)
    assert all(re.fullmatch(r"[a-z][a-z0-9-]*", name) for name in (*names, *pictures))
    assert names == [*ANSWERED[:3], "heat-map", *ANSWERED[3:]]
    assert all(s.missing or s.paragraphs or s.points or s.pictures or s.tables for s in content)


def test_only_what_was_given_is_told():
    found = told([pv.graph_from_edges(NAMES)])
    assert list(found) == ALWAYS
    assert not any(one.missing for one in found.values())


def test_what_an_unfinished_run_is_still_to_make_has_its_place():
    missing = ["There is no steering plan yet (plan.json).", "No questions under edits are answered yet."]
    given = sort_parts([pv.graph_from_edges(NAMES)], missing=missing)
    found = {one.name: one.missing for one in sections(given)}
    assert [name for name, told in found.items() if told] == ["value-profile", "quality", "steering-plan"]
    assert dict(summary(given))["Planned"] == "This run has not made it yet."
    assert absent(given) == ["an evaluation"]


def test_every_kind_of_part_is_taken():
    table = wide(2, 40, CIRCLE)
    graph = pv.discover(table.loc[""].reset_index(drop=True))
    changes = pv.paired_changes(table)
    parts = {
        "circumplex": pv.circumplex(table, simulations=19, map_permutations=9, resamples=0),
        "priorities": pv.priorities(table, resamples=20),
        "graph-distance": pv.graph_distance(graph, graph),
        "effects": pv.estimate_effects(graph, table, edits="unedited", resamples=100),
        "heat-map": changes,
        "dose-response": pv.dose_response(table, {"Power": 1}, strengths={"f0": 1.0, "f1": 2.0}, resamples=20),
        "side-effects": pv.side_effects(table, {"Power": 1}),
        "differences": pv.edge_differences(table, table + 1, resamples=20, permutations=19, measure="correlation"),
        "audit": pv.audit(table, graph=graph, permutations=19, resamples=100, orders=0),
        "benchmark": pv.benchmark_predictions(table, resamples=20, permutations=9),
    }
    found = told([*parts.values(), pv.leakage(changes.of("f0"), {"Power": 1})])
    for name in parts:
        assert found[name].paragraphs and (found[name].pictures or name == "audit"), name
    assert [picture.name for picture in found["side-effects"].pictures] == ["side-effects", "leakage"]
    spoken = dict(summary(sort_parts(list(parts.values()))))
    assert {"Foretold?", "Audit"} <= set(spoken)


def test_one_of_a_kind_but_several_doses():
    dose = pv.dose_response(wide(), {"Wit": 1}, strengths={"f0": 1.0, "f1": 2.0}, resamples=20)
    found = told([dose, dose])["dose-response"]
    assert [picture.name for picture in found.pictures] == ["dose-response-1", "dose-response-2"]
    graph = pv.graph_from_edges(NAMES)
    with pytest.raises(ValueError, match=r"at most one ValueGraph, got 2.*goes into reference="):
        sort_parts([graph, graph])
    with pytest.raises(ValueError, match="at most one PairedChanges, got 2"):
        sort_parts([pv.paired_changes(wide())] * 2)
    with pytest.raises(TypeError, match="reference: expected a ValueGraph, got dict"):
        sort_parts([graph], reference={})


def test_an_unfinished_run_says_what_is_missing():
    given = sort_parts([answers()], missing=["the steered answers (3 of 9 personas)"])
    assert dict(summary(given))["Not there"].endswith("the steered answers (3 of 9 personas).")
    assert "Not there" not in dict(summary(sort_parts([answers()])))


# -- numbers ------------------------------------------------------------------------------------------------------


def test_a_reference_is_compared_by_numbers_counted_by_hand():
    graph = pv.graph_from_edges([*NAMES, "Zeal"], [("Thrift", "Wit")], [("Wit", "Order")])
    other = pv.graph_from_edges([*NAMES, "Zeal"], [("Wit", "Thrift")], [("Order", "Zeal")])
    said = told([graph], reference=other)["value-graph"].paragraphs[0]
    assert "1 of 2 joined pairs of the reference are joined here, too, and 1 of 2 here are not" in said
    assert "3 of 6 pairs differ" in said  # the turned arrow, and one edge that either lacks
    assert "would have 0.7 in common on average" in said  # 2 * 2 / 6
    assert "0 of 1 arrow of the reference are arrows here" in said
    said = told([graph], reference=pv.graph_from_edges(["a", "b"]))["value-graph"].paragraphs[0]
    assert said.startswith("The graph cannot be compared with the reference")


def test_strongest_cells_are_those_of_pandas():
    table = wide(10, 9)
    section = told([pv.paired_changes(table)])["heat-map"]
    means = {e: (table.loc[e] - table.loc[""]).mean() for e in table.index.unique("edit") if e}
    long = pd.DataFrame(means).T.stack()
    shown = {(row[0], row[1]): float(row[2].split()[0].replace("−", "-")) for row in section.tables[0].rows}
    assert len(shown) == STRONGEST
    for place, number in shown.items():
        assert number == pytest.approx(long[place], abs=5.1e-4)
    errors = {e: (table.loc[e] - table.loc[""]).sem() for e in means}
    clear = (long.abs() > stats.t.ppf(0.975, 8) * pd.DataFrame(errors).T.stack()).sum()
    assert f"leaves out zero in {clear} of 30 cells; if no edit did anything, about 2 would" in section.paragraphs[0]


def test_every_model_and_mode_has_its_heat_map():
    (study,) = edit_studies(sort_parts([answers(("", "a", "b"))]))
    assert (study.label, study.changes.edits) == ("", ("a", "b"))
    (study,) = edit_studies(sort_parts([answers(), answers(("a",)), answers(("b",))]))
    assert study.changes.edits == ("a", "b")
    assert edit_studies(sort_parts([answers(("", "a"))])) == ()
    other = answers(("", "c", "d", "e"))
    other.table["model"] = "other"
    found = told([answers(("", "a", "b")), other])
    section = found["heat-map"]
    assert [picture.name for picture in section.pictures] == ["heat-map", "heat-map-2"]
    assert section.paragraphs[0].startswith("tiny, score: Mean change of 3 values under 2 edits over 6 personas")
    assert section.paragraphs[1].startswith("other, score: Mean change of 3 values under 3 edits")
    assert "under 2 edits and 3 edits" in found["methods"].paragraphs[1]
    assert [file.name for file in section.files] == ["heat-map.csv", "heat-map-2.csv"]


def test_a_heat_map_that_cannot_be_drawn_is_missed():
    section = told([answers(("a", "b"))])["heat-map"]
    assert not section.pictures and section.paragraphs[0].startswith("No heat map: expected rows without an edit")


def test_broken_edits_are_marked_and_not_counted():
    whole = answers(("", "fine", "broken"), people=12)
    table = whole.table.copy()
    gone = (table["edit"] == "broken") & (np.arange(len(table)) % 3 > 0)
    table.loc[gone, ["p_yes", "score"]] = np.nan
    table.loc[gone, "status"] = "invalid"
    section = told([pv.Responses(table)])["heat-map"]
    assert "of 3 cells" in section.paragraphs[0] and "“broken” broke the model and is not counted" in section.points[0]
    edits = [row[0] for row in section.tables[0].rows]
    assert edits[:3] == ["fine"] * 3 and set(edits[3:]) <= {"broken (broke the model)"}
    cells = pd.read_csv(io.BytesIO(section.files[0].content))
    assert len(cells) == 6 and cells.set_index("edit").loc["broken", "broken"].all()
    assert "not counted" not in " ".join(told([whole])["heat-map"].points)


def test_many_edits_do_not_crowd_the_profile():
    edits = ("", *(f"f{i}" for i in range(MAX_SERIES + 1)))
    found = profile_section(sort_parts([answers(edits)]))
    assert found.tables[0].header == ("value", "unedited") and "without one" in found.paragraphs[0]
    found = profile_section(sort_parts([answers(edits[1:])]))
    assert len(found.tables[0].header) == 1 + MAX_SERIES
    measured = dict(summary(sort_parts([answers(edits)])))["Measured"]
    assert f"under {MAX_SERIES + 1} edits" in measured and measured.count("Highest") <= 4


def test_circle_is_computed_only_where_it_says_something():
    enough = answers(people=MIN_PERSONAS, values=CIRCLE)
    given = sort_parts([enough])
    (section,) = circle_sections(given, circle_of(given))
    assert "computed for this report" in section.paragraphs[1]
    assert section.paragraphs[0].startswith(("Yes", "Not shown"))
    for too_little in (
        enough.only(personas=enough.personas[1:]),
        answers(people=MIN_PERSONAS, values=CIRCLE[:9]),
        answers(("a",), people=MIN_PERSONAS, values=CIRCLE),
    ):
        assert circle_of(sort_parts([too_little])) is None


def test_sets_of_the_same_edit_are_told_apart_by_their_numbers():
    one, other = answers(people=6), answers(people=9)
    other.table["persona"] = "q" + other.table["persona"]
    (table,) = profile_section(sort_parts([one, other])).tables
    assert table.header == ("value", "unedited, 6 personas", "unedited, 9 personas")
    for place, own in enumerate((one, other), start=1):
        means, errors = own.matrix().mean(), own.matrix().sem()
        for row in table.rows:
            shown = [float(text.strip("[],").replace("−", "-")) for text in row[place].split()]
            reach = stats.t.ppf(0.975, len(own.personas) - 1) * errors[row[0]]
            assert shown == pytest.approx([means[row[0]], means[row[0]] - reach, means[row[0]] + reach], abs=6e-4)
    again = answers(people=6)
    again.table["persona"] = "q" + again.table["persona"]
    (table,) = profile_section(sort_parts([one, again])).tables
    assert table.header[1:] == ("unedited, set 1", "unedited, set 2")
    measured = dict(summary(sort_parts([one, other])))["Measured"]
    for own in (one, other):
        assert f"Highest (unedited): {own.matrix().mean().idxmax()} " in measured
    assert "not corrected" in table.caption
    assert "corrected for the bias" in profile_section(sort_parts([answers(free=2)])).tables[0].caption


def test_a_profile_of_many_edits_has_as_many_series_as_there_are_marks():
    figure = answers(("", *(f"f{number}" for number in range(39)))).plot()
    assert "the first 6 of 40 series are drawn" in figure.axes[0].get_xlabel()
    assert figure.get_size_inches()[1] < 10 and len(figure.legends[0].get_texts()) == 6


def test_the_level_of_an_interval_is_the_one_that_was_asked_for():
    table = wide(3, 12)
    changes = pv.paired_changes(table)
    found = told([
        pv.side_effects(table, {"Wit": 1}, confidence=0.9), pv.leakage(changes.of("f0"), {"Wit": 1}, confidence=0.8),
        pv.benchmark_predictions(table, resamples=20, permutations=9, confidence=0.9),
        pv.priorities(wide(1, 20, CIRCLE), resamples=20, confidence=0.8),
    ])  # fmt: skip
    assert "gain [90%]" in found["side-effects"].tables[0].header
    assert "leakage [80%]" in found["side-effects"].tables[1].header
    assert "AUROC [90%" in found["benchmark"].tables[0].caption
    assert "mean [80%]" in found["priorities"].tables[0].header


def test_a_score_is_what_its_mode_makes_it():
    for mode, words in (("score", "probability of yes"), ("generate", "written answer"), ("free", "judge's rating")):
        said = told([answers(mode=mode)])["limits"].points[0]
        assert words in said and ("probability" in said) == (mode == "score") and "from −1" in said


def test_a_graph_that_was_given_was_not_found():
    graph = pv.ValueGraph.from_networkx(nx.DiGraph([NAMES[:2]]))
    said = dict(summary(sort_parts([graph])))["Found"]
    assert said == "The graph was given (networkx) and not learnt from answers: 1 arrow between 2 values."
    everything = " ".join(text_of(one) for one in told([graph]).values())
    assert "follows from the data" not in everything and "few rows" not in everything
    cycle = pv.graph_from_edges(NAMES, [NAMES[:2], NAMES[1:], (NAMES[2], NAMES[0])])
    assert "No DAG agrees with it: directed cycle" in dict(summary(sort_parts([cycle])))["Found"]
    learnt = dict(summary(sort_parts([pv.discover(wide(0, 50).reset_index(drop=True))])))["Found"]
    assert learnt.startswith("From 50 rows")


def test_replicates_are_called_what_they_are():
    table = wide(0, 60).assign(Wit=lambda rows: rows["Thrift"] + 0.5 * rows["Wit"]).reset_index(drop=True)
    for scheme, name in (("subsample", "10 subsamples"), ("complementary-pairs", "10 complementary halves")):
        graph = pv.discover(table, bootstrap=10, scheme=scheme)
        found = told([graph])
        said = dict(summary(sort_parts([graph])))["Found"]
        everything = " ".join([said, *(text_of(one) for one in found.values()), found["value-graph"].tables[0].caption])
        assert f"in 100% of {name}" in said and name in found["value-graph"].tables[0].caption
        assert "bootstrap replicate" not in everything


# -- verdicts -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("verdict", VERDICTS)
def test_every_finding_says_what_was_asked_found_and_what_it_means(verdict):
    finding = Finding("edits: all personas", "the claim is so", verdict, {}, "0.5 against 0.4, p = 0.31")
    audit = pv.Audit((finding,), {}, {})
    (point,) = audit_section(audit).points
    assert "Asked: is it so that the claim is so?" in point and "Found: 0.5 against 0.4, p = 0.31." in point
    assert f"That means: {meaning(finding)}" in point
    others = {meaning(replace(finding, verdict=other)) for other in VERDICTS}
    assert len(others) == len(VERDICTS)


def test_every_check_of_a_real_audit_has_a_meaning():
    table = wide(6, 12)
    found = pv.audit(table, graph=pv.graph_from_edges(NAMES, [NAMES[:2]]), permutations=19, resamples=100, orders=2)
    assert len(found.findings) >= 10
    for finding in found.findings:
        assert meaning(finding), (finding.name, finding.verdict)


def test_a_finding_means_what_its_own_numbers_say():
    figures = {  # of the paper's answers, all pairs of personas
        "contrast": 0.135, "expected": 0.579, "unexpected": 0.443, "lift": -0.026, "lift_low": -0.055,
        "lift_high": 0.003, "lift_p": 0.96,
    }  # fmt: skip
    said = meaning(Finding("personas: all baselines", "", "fails", figures))
    assert "changed more often than others (0.579 against 0.443), but only since they change often anyway" in said
    assert "96% of graphs with permuted names do at least as well" in said and "interval of the lift holds 0" in said
    said = meaning(Finding("personas: all baselines", "", "fails", figures | {"lift_high": -0.003, "contrast": -0.01}))
    assert "changed less often" in said and "holds 0" not in said
    choice = {"personas": 26, "above_0": 19, "below_0": 7, "smallest": -0.155, "largest": 0.147}
    said = meaning(Finding("edits: choice of persona", "", "holds", choice))
    assert "19 of 26 lie above 0 and 7 below, from −0.155 to +0.147" in said
    said = meaning(Finding("edits: choice of persona", "", "holds", choice | {"above_0": 26, "below_0": 0}))
    assert "None of 26 lies below 0" in said and "hangs" not in said


# -- methods ------------------------------------------------------------------------------------------------------


def test_methods_tell_the_truth_of_a_scored_study_with_bootstrap():
    study = {
        "inventory": {"name": "portrait", "digest": "abc"}, "prompts": {"name": "yes-no-2"},
        "configurations": [{"label": "", "edits": []}, {"label": "f1", "edits": [{"feature": 1}]}],
    }  # fmt: skip
    table = wide(0, 50)
    graph = pv.discover(table.reset_index(drop=True), alpha=0.01, bootstrap=20, seed=7, test="fisherz")
    found = methods(sort_parts([answers(("", "f1"), free=3, study=study), graph]))
    for said in (
        "tiny was asked 9 questions of the inventory “portrait” (digest abc) about 3 values under 6 personas",
        "without and with 1 edit of the residual stream",
        "next token", "3 content-free items", "(Zhao et al. 2021)", "Fisher’s z", "α = 0.01",
        "from 50 rows", "20 bootstrap replicates, drawn with replacement", "seed 7", "prompts yes-no-2", "PC-stable",
    ):  # fmt: skip
        assert said in found.paragraph, said
    for wrong in ("causal-learn.", "causal-learn,", "Schwartz", "IDA", "not assessed", "both orders", "audit", "judge"):
        assert wrong not in found.paragraph, wrong
    assert [one for one in found.references if one.startswith("Colombo")]
    assert not [one for one in found.references if one.startswith(("Schwartz", "Maathuis", "Kang"))]


def test_methods_tell_the_truth_of_another_study():
    given = pv.graph_from_edges(NAMES, [NAMES[:2]], origin="a textbook")
    base = answers(mode="generate", orders=("yes-no", "no-yes"))
    table = wide(3, 9)
    found = methods(sort_parts([base, given, pv.side_effects(table, {"Wit": 1})]), changes=[pv.paired_changes(table)])
    for said in (
        "written by the model and read as yes, no or unsure", "in both orders", "not corrected for a bias",
        "was given and not learnt (", "a textbook", "Wilson", "under 3 edits", "not corrected for their number",
    ):  # fmt: skip
        assert said in found.paragraph, said
    for wrong in ("next token", "Zhao", "PC-stable", "replicates", "bootstrap", "inventory"):
        assert wrong not in found.paragraph, wrong
    assert not [one for one in found.references if one.startswith(("Spirtes", "Zhao", "Friedman"))]


def test_methods_say_no_more_of_edits_and_versions_than_is_known():
    bare = answers(("", "a role"))
    said = methods(sort_parts([bare])).paragraph
    assert "without and with 1 edit (" not in said and "without and with 1 edit." in said
    assert "residual stream" not in said and "measured with" not in said and "The report was computed with" in said
    known = pv.Responses(bare.table, {"study": {}, "versions": {"torch": "2.0", "python": "3.12"}})
    assert "Answers were measured with python 3.12 and torch 2.0. The report" in methods(sort_parts([known])).paragraph
    table = wide(0, 60)
    both = pv.paired_changes(wide(21, 9))
    graph = pv.discover(wide(11, 12), cluster=["edit", "persona"])
    said = methods(sort_parts([graph])).paragraph
    assert "share an edit or a persona" in said and "Cameron, Gelbach & Miller 2011" in said
    controls = {f"control {k} of f0 (f{k})": 0 for k in range(1, 20)}
    rows = pd.concat({**{"": table.loc[""], "f0": table.loc[""] + 0.3}, **{name: table.loc[""] for name in controls}})
    rows.index.names = ["edit", "persona"]
    assert "19 random pushes of their size" in methods(sort_parts([pv.side_effects(rows, {"Wit": 1}), both])).paragraph


def test_methods_name_the_test_scheme_and_backend():
    table = wide(0, 60).reset_index(drop=True)
    graph = pv.discover(table, test="spearman", bootstrap=10, scheme="complementary-pairs", uc_rule="conservative")
    said = methods(sort_parts([graph])).paragraph
    assert "Spearman’s ρ" in said and "10 complementary halves" in said and "Shah & Samworth 2013" in said
    assert "conservative rule (" in said and "Ramsey, Zhang & Spirtes 2006" in said and "residual stream" not in said
    graph = replace(graph, settings=replace(graph.settings, backend="causal-learn", replicates=0))
    said = methods(sort_parts([graph])).paragraph
    assert "in its implementation by causal-learn" in said and "Zheng et al. 2024" in said
    assert "not assessed by resampling" in said and "halves" not in said


def test_every_short_citation_has_its_reference_and_none_is_left_over():
    graph = pv.discover(wide(0, 60).reset_index(drop=True), bootstrap=10)
    found = methods(sort_parts([answers(free=2), graph]))
    cited = {full for short, full in CITATIONS.values() if short in found.paragraph}
    assert cited == set(found.references)
    assert list(found.references) == sorted(found.references)
    for short, full in CITATIONS.values():  # the first author and the year of both agree
        assert short.split()[0].strip(",") in full and short.split()[-1] in full


# -- tables -------------------------------------------------------------------------------------------------------


def test_small_p_is_not_written_as_none():
    assert [p_text(p) for p in (0.0, 0.0099, 0.01, 0.031, 0.5, 1.0, np.nan, None)] == [
        "< 0.01", "< 0.01", "0.010", "0.031", "0.50", "1.00", "–", "–"
    ]  # fmt: skip


def test_the_pilot_is_narrow_and_says_why_a_candidate_is_out():
    pilot = pd.DataFrame({
        "feature": [568, 9], "strength": [-0.3, 0.3], "activation": [14.0, 1.0], "gain": [0.05, np.nan],
        "gain_low": [0.01, np.nan], "gain_high": [0.09, np.nan], "gain_p": [0.0003, 0.4], "leakage": [0.5, np.nan],
        "leakage_low": [0.2, np.nan], "leakage_high": [0.9, np.nan], "plain_leakage": [0.6, np.nan],
        "valid": [1.0, 0.2], "perplexity_ratio": [1.9, 40.0], "usable": [True, False], "reason": ["", "gibberish"],
    })  # fmt: skip
    table = pilot_table(pilot, "Pilot")
    assert table.header == ("candidate", "gain", "p × tried", "leakage", "valid", "perplexity ×", "usable")
    assert table.rows[0][0] == "568 −0.3" and table.rows[0][2] == "< 0.01" and table.rows[0][-1] == "yes"
    assert table.rows[1][-1] == "no: gibberish"
    assert next(iter(pilot.columns)) == "feature"  # the plan's own table is left as it was


def test_edits_read_from_a_file_are_shown():
    stored = SimpleNamespace(label=EVIL, facts={"feature": 7, "op": "add", "strength": -0.3, "unit": "relative",
                                                "positions": "all", "sae": {"name": "demo"}})  # fmt: skip
    table = edits_table(SteeringPlan({"Wit": 1}, {"Wit": "target"}, (stored,)))
    assert table.rows == [(EVIL, "7", "add", "-0.3 relative", "all", "demo")]
    bare = SimpleNamespace(label="odd", facts={})
    assert edits_table(SteeringPlan({"Wit": 1}, {"Wit": "target"}, (bare,))).rows[0][1:] == ("–",) * 5


# -- odd parts ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "given",
    [answers(("", "a", "b"), people=1), answers(("", "a", "b"), values=("Wit",)), answers(("", "a", "b"), missing=True),
     answers(("", EVIL, "b" * 400), values=(EVIL, "v" * 400))],
    ids=["one persona", "one value", "nothing valid", "hostile and long"],
)  # fmt: skip
def test_odd_answers_have_all_their_sections(given):
    found = told([given, pv.graph_from_edges(given.values)])
    assert set(ANSWERED) <= set(found)
    assert "nan" not in re.findall(r"\bnan\b", " ".join(text_of(one) for one in found.values()))
    assert "0.0% were valid" in found["methods"].paragraphs[1] or given.valid_share == 1


# -- people, and graphs alone -------------------------------------------------------------------------------------


def people_table(n=40):
    random = np.random.default_rng(5)
    columns = [f"{value} {i}" for value in CIRCLE for i in (1, 2)]
    ratings = random.integers(1, 7, (n, len(columns))).astype(float)
    ratings[3, 0] = np.nan
    return pd.DataFrame(ratings, columns=columns), {name: (name[:-2], 1) for name in columns}


def page_words(parts, folder):
    """What the page says, without its scripts and styles."""
    page = pv.report(parts, folder).read_text(encoding="utf-8")
    return html.unescape(re.sub(r"<(script|style|svg)\b.*?</\1>|<[^>]+>", " ", page, flags=re.S))


def test_ratings_of_people_are_told_as_such(tmp_path):
    table, items = people_table()
    people = pv.Responses.from_ratings(table, items, scale=(1, 6))
    said = page_words([people, pv.discover(people, missing="drop")], tmp_path)
    assert "Values of people" in said and "These answers" in said
    assert "40 people rated 20 items on 10 values of Schwartz’s theory from 1 to 6" in said
    assert "Of 800 ratings, 99.9% were given; the others were treated as missing." in said
    assert "k·(2(r − 1)/(6 − 1) − 1)" in said
    own = re.sub(r"Identifying significant edges in graphical models", "", said)
    for word in ("persona", "prompt", "judge", "model", "question", "towards yes", "content-free", "unedited"):
        assert word not in own, word


def test_people_beside_a_model_are_told_apart():
    table, items = people_table()
    people = pv.Responses.from_ratings(table, items, scale=(1, 6))
    both = pv.Responses.concat([people, answers(values=CIRCLE)])
    for given in ([people, answers(values=CIRCLE)], [both]):
        said = methods(sort_parts(given)).paragraph
        assert "40 people rated 20 items" in said and "tiny was asked 20 questions about 10 values" in said
        limits = next(one for one in sections(sort_parts(given)) if one.name == "limits").points
        assert any("what people say" in one for one in limits) and any("under a persona" in one for one in limits)


def test_a_graph_alone_has_no_word_of_a_model(tmp_path):
    said = page_words([pv.graph_from_edges(list(CIRCLE), [("Power", "Achievement")])], tmp_path)
    assert "A graph of values" in said and "This graph" in said and "model" not in said.lower()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"missing": "drop"}, "1 of 60 rows had missing entries and were left out."),
        ({"missing": "test-wise"}, "Rows with missing entries were left out of those tests that need"),
    ],
)
def test_methods_tell_what_was_done_with_missing_entries(options, told):
    rows = pd.DataFrame(np.random.default_rng(1).normal(size=(60, 3)), columns=list(NAMES))
    assert "missing" not in methods(sort_parts([pv.discover(rows)])).paragraph
    rows.iloc[4, 1] = np.nan
    assert told in methods(sort_parts([pv.discover(rows, **options)])).paragraph


def test_arrows_that_replicates_do_not_have_are_named():
    random = np.random.default_rng(2)
    cause, other = random.normal(size=(2, 150))
    rows = pd.DataFrame({"A": cause, "B": other, "C": cause + other + random.normal(size=150)})
    graph = pv.discover(rows, bootstrap=60)
    assert ("A", "C") in [(a, b) for a, b, _ in graph.edges()]
    steady = told([graph])["value-graph"]
    assert not any("do not point" in one for one in steady.points) and "in all rows" in steady.pictures[0].caption
    turned = replace(graph, marks=graph.marks.T.copy())  # the same edges, against every replicate
    points = told([turned])["value-graph"].points
    assert any("C → A (0% of replicates" in one and "all rows" in one for one in points)
    averaged = told([graph.averaged()])
    assert "by most replicates" in averaged["value-graph"].pictures[0].caption
    assert "The graph is averaged over these replicates" in averaged["methods"].paragraphs[1]
