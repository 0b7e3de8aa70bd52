"""The report and its plots: what they say, that they are well-formed, and that other people's text stays text."""

from __future__ import annotations

import base64
import errno
import hashlib
import json
import os
import re
from html.parser import HTMLParser
from types import SimpleNamespace
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import pyvalue as pv
from pyvalue.graph import DiscoverySettings, ValueGraph
from pyvalue.reporting.page_scripts import data_for_script
from pyvalue.reporting.plots import draw_effects, draw_graph, draw_profile, draw_quality
from pyvalue.reporting.theme import schwartz_order
from pyvalue.responses import make_table
from pyvalue.steering.plan import SteeringPlan
from pyvalue.visible_text import visible

EVIL = "<script>alert('x')</script>"
NAMES = ("Power", "Achievement", "Security", "Hedonism")
VOID = {"meta", "link", "br", "hr", "img", "input"}


class Page(HTMLParser):
    """Text, elements and attributes of a page; fails where a tag is not closed in its turn."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.scripts: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag == "script":
            self.scripts.append("")
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "script" in self.open:
            self.scripts[-1] += data
        elif "style" not in self.open:
            self.text += data

    def named(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


def answers(edit="", shift=(), people=8, values=NAMES, model="tiny", first="p0", invalid=0):
    """Two items a value and person; ``shift`` is added to the log odds of each value."""
    random = np.random.default_rng(5)
    mind = random.normal(size=(people, len(values)))
    mind[:, 1:2] += mind[:, :1]
    rows = []
    for p in range(people):
        for v, value in enumerate(values):
            for item, keying in enumerate((1, -1)):
                odds = keying * (mind[p, v] + dict(shift).get(value, 0.0) + 0.02 * random.normal())
                yes = 1 / (1 + np.exp(-odds))
                gone = len(rows) < invalid
                rows.append(
                    {
                        "model": model, "edit": edit, "persona": first if p == 0 else f"p{p}",
                        "item": f"{value}-{item}", "value": value, "keying": keying, "repeat": 0, "text": "Should I?",
                        "status": "invalid" if gone else "yes" if yes >= 0.5 else "no",
                        "p_yes": np.nan if gone else yes, "mass": 0.9,
                        "score": np.nan if gone else keying * (2 * yes - 1),
                    }
                )  # fmt: skip
    facts = {"study": {"model": {"name": model, "parameters": 123456}, "inventory": {"name": "portrait"}, "edits": []}}
    return pv.Responses(make_table(pd.DataFrame(rows).to_dict("list")), facts)


def graph_of(names=NAMES, arrows=((0, 1), (1, 2)), lines=(), both=(), **more):
    marks = np.zeros((len(names), len(names)), dtype=np.int8)
    for pairs, ends in ((arrows, (-1, 1)), (lines, (-1, -1)), (both, (1, 1))):
        for i, j in pairs:
            marks[i, j], marks[j, i] = ends
    return ValueGraph(tuple(names), marks, DiscoverySettings(0.05, 100), **more)


def edit_like(label="f7 add 0.8"):
    sae = SimpleNamespace(name="demo")
    return SimpleNamespace(label=label, feature=7, op="add", strength=0.8, unit="relative", positions="all", sae=sae)


@pytest.fixture(scope="module")
def study():
    base = answers()
    steered = answers("f7 add 0.8", {"Power": 0.9, "Achievement": 0.5})
    graph = pv.discover(base, bootstrap=50)
    graph = ValueGraph(graph.names, graph_of().marks, graph.settings, bootstrap=graph.bootstrap)
    plan = pv.plan(graph, raise_values=["Power"], base=base)
    pilot = pd.DataFrame({"feature": [7, 1341], "strength": [0.8, -0.8], "gain": [0.21, -0.05], "valid": [1.0, 0.97]})
    plan = SteeringPlan(plan.target, plan.predicted, (edit_like(),), plan.roles, pilot)
    return base, graph, plan, steered, pv.evaluate(plan, base, steered)


@pytest.fixture(scope="module")
def written(study, tmp_path_factory):
    page = pv.report(list(study), tmp_path_factory.mktemp("run") / "report")
    return page, page.read_text(encoding="utf-8")


def read(parts, folder):
    text = pv.report(parts, folder).read_text(encoding="utf-8")
    return Page(text), text


# -- the page ----------------------------------------------------------------------------------------------------


def markup(text):
    """The page without what is inside of its scripts."""
    return re.sub(r"(<script[^>]*>).*?</script>", r"\1</script>", text, flags=re.DOTALL)


def test_is_one_well_formed_page_with_all_pictures(written):
    path, text = written
    page = Page(text)
    assert page.named("html") == [{"lang": "en"}]
    pictures = page.named("svg")
    assert len(pictures) == len(list((path.parent / "figures").glob("*.svg"))) >= 5
    assert all(svg["role"] == "img" and len(svg["aria-label"]) > 20 for svg in pictures)
    assert len(page.named("caption")) == len(page.named("table")) >= 8
    assert len(markup(text)) < 1_000_000


def test_loads_nothing_and_runs_only_its_own_scripts(written):
    page, text = Page(written[1]), markup(written[1])
    for tag, attributes in page.elements:
        assert tag not in ("link", "iframe", "object", "embed", "img", "base", "form")
        assert not {"src", "srcdoc", "data", "action", "formaction"} & set(attributes)
        assert not [name for name in attributes if name.startswith("on")]
        assert re.match("#|data:image/png;base64,", attributes.get("href") or "#")
    assert "url(http" not in text and "@import" not in text
    assert not re.search(r"https?://", text)


def test_policy_names_the_scripts_by_their_hashes(written):
    page = Page(written[1])
    (policy,) = [meta["content"] for meta in page.named("meta") if "http-equiv" in meta]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    code = [text for text, script in zip(page.scripts, page.named("script"), strict=True) if "type" not in script]
    hashes = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in code]
    assert len(code) == 3 and rules["script-src"].split() == [f"'sha256-{one}'" for one in hashes]
    assert rules["default-src"] == "'none'"


def spelt(content):
    """The texts as a reader is to see them; keys are the page's own."""
    if isinstance(content, dict):
        return {key: spelt(entry) for key, entry in content.items()}
    if isinstance(content, list):
        return [spelt(entry) for entry in content]
    return visible(content, lines=True) if isinstance(content, str) else content


@given(
    st.recursive(
        st.text() | st.integers() | st.none(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_data_of_the_page_is_json_that_ends_no_script(content):
    text = str(data_for_script(content))
    assert json.loads(text) == spelt(content)
    assert not set(text) & set("<>&\u2028\u2029") and text.isascii()


def test_ids_are_unique_and_every_reference_has_one(written):
    text = markup(written[1])
    page = Page(text)
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    used = re.findall(r'(?:href="#|url\(#|for=")([^")]+)', text)
    assert used and set(used) <= set(ids)


def test_says_the_numbers_of_the_evaluation(study, written):
    *_, evaluation = study
    text = Page(written[1]).text.replace("−", "-")
    for effect in evaluation.effects.itertuples():
        assert f"{effect.change:+.3f} [{effect.low:+.3f}, {effect.high:+.3f}]" in text
    for quantity in evaluation.summary["quantity"]:
        assert quantity in text
    assert "raise Power" in text and "f7 add 0.8" in text and "1341" in text and "123456" in text
    assert "pyvalue" in text and "8 personas" in text


def test_follows_the_colour_scheme_of_the_reader(written):
    text = markup(written[1])
    assert "prefers-color-scheme: dark" in text and "@media print" in text
    pictures = re.findall(r"<svg.*?</svg>", text, flags=re.DOTALL)
    for svg in pictures:
        assert "var(--ink" in svg
        # Any colour outside a variable would be the same in light and dark.
        bare = set(re.findall(r"#[0-9a-f]{6}", re.sub(r"var\([^)]*\)", "", svg)))
        assert bare <= {"#000000"}


def test_pictures_hold_text_not_outlines(written):
    svg = re.findall(r"<svg.*?</svg>", written[1], flags=re.DOTALL)[0]
    assert all(f">{name}</text>" in svg for name in NAMES)


def test_figures_are_files_too(written):
    folder = written[0].parent / "figures"
    names = sorted(file.stem for file in folder.glob("*.svg"))
    assert {"effects", "graph", "graph-reference", "profile", "quality"} <= set(names)
    assert sorted(os.listdir(folder)) == sorted(f"{name}.{kind}" for name in names for kind in ("png", "svg"))
    for name in names:
        assert (folder / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        ElementTree.parse(folder / f"{name}.svg")


def test_is_the_same_bytes_in_every_run(study, written, tmp_path):
    first = written[0].parent
    pv.report(tuple(study), tmp_path)
    files = sorted(file.relative_to(first) for file in first.rglob("*.*"))
    assert len(files) >= 11
    assert [file for file in files if (first / file).read_bytes() != (tmp_path / file).read_bytes()] == []


def test_order_of_parts_does_not_matter_and_a_report_is_replaced(study, tmp_path):
    read([study[0]], tmp_path)
    page, _ = read([study[4], study[2], study[1]], tmp_path)
    assert "Not in this report: answers." in page.text and "target gain" in page.text


def test_shows_a_real_edit(study, tiny_sae, tmp_path):
    place = pv.span("your values")
    edit = pv.Edit(feature=3, strength=0.5, unit="relative", positions=place, sae=tiny_sae)
    page, _ = read([SteeringPlan(study[2].target, study[2].predicted, (edit,))], tmp_path)
    for said in (edit.label, str(place), "0.5 relative", "random", "No pilot was run.", "Roles were not ranked."):
        assert said in page.text


# -- honesty -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kept", "missing"),
    [
        ((0,), "a value graph, a steering plan and an evaluation"),
        ((1,), "answers, a steering plan and an evaluation"),
        ((2,), "answers, a value graph and an evaluation"),
        ((4,), "answers, a value graph and a steering plan"),
    ],
)
def test_says_what_was_not_given(study, tmp_path, kept, missing):
    page, _ = read([study[i] for i in kept], tmp_path)
    assert f"Not in this report: {missing}." in page.text
    assert "was given." not in page.text


def evaluation_with(study, **rows):
    """The study's evaluation with some summary rows replaced by (estimate, low, high)."""
    *_, outcome = study
    summary = outcome.summary.set_index("quantity")
    for quantity, numbers in rows.items():
        summary.loc[quantity.replace("_", " ")] = numbers
    return pv.Evaluation(outcome.effects, summary.reset_index(), outcome.personas, outcome.facts)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ({"target_gain": (0.1, -0.1, 0.3)}, "the interval includes zero, so there is no evidence"),
        ({"target_gain": (0.2, 0.1, 0.3)}, "the interval lies above zero, so the edit did what it was meant to"),
        ({"target_gain": (-0.2, -0.3, -0.1)}, "moved it the wrong way"),
        ({"target_gain": (np.nan,) * 3}, "Whether the target moved cannot be said"),
        ({"contrast": (0.1, -0.1, 0.3)}, "do not show that the prediction held"),
        ({"contrast": (0.1, 0.05, 0.3)}, "on average the prediction held"),
        ({"contrast": (-0.1, -0.3, -0.05)}, "the prediction failed"),
        ({"contrast": (np.nan,) * 3}, "cannot be compared"),
    ],
)
def test_verdict_follows_from_the_interval(study, tmp_path, rows, said):
    page, _ = read([evaluation_with(study, **rows)], tmp_path)
    assert said in page.text


def test_undefined_leakage_is_called_undefined(study, tmp_path):
    page, _ = read([evaluation_with(study, leakage=(np.nan,) * 3)], tmp_path)
    assert "undefined" in page.text and "nan" not in page.text.lower()


def test_missing_answers_are_counted_and_said(tmp_path):
    page, _ = read([answers(invalid=8)], tmp_path)
    assert "87.5% of them valid" in page.text
    assert "More than one answer in 20 is missing" in page.text


def test_a_graph_without_bootstrap_or_with_contradictions_says_so(tmp_path):
    page, _ = read([graph_of(both=[(2, 3)], excluded={"Tradition": "constant"}, notes=("2 rows dropped",))], tmp_path)
    for said in ("without a bootstrap", "contradict each other", "↔", "Tradition is not in the graph", "2 rows drop"):
        assert said in page.text


def test_answers_of_two_models_are_kept_apart(tmp_path):
    page, _ = read([answers(), answers(model="other")], tmp_path)
    assert "tiny, unedited" in page.text and "other, unedited" in page.text


# -- how good the answers are ------------------------------------------------------------------------------------


def test_reliability_is_that_of_the_responses(study, written):
    quality = pv.Responses.concat([study[0], study[3]]).quality()
    page = Page(written[1])
    text = page.text.replace("−", "-")
    for row in quality.values.to_dict("records"):
        assert f"{row['alpha']:.2f} [{row['alpha_low']:.2f}, {row['alpha_high']:.2f}]" in text
    for warning in quality.warnings:
        assert warning.replace("−", "-") in text
    assert "Only 8 personas were asked" in text and "No content-free items were asked" in text
    spoken = [svg["aria-label"] for svg in page.named("svg") if "Cronbach" in svg["aria-label"]]
    assert len(spoken) == 1 and all(name in spoken[0] for name in NAMES)


def test_broken_edits_are_listed(study, tmp_path):
    base, _, plan, *_ = study
    with pytest.warns(UserWarning, match="broke the model"):
        outcome = pv.evaluate(plan, base, answers("loud", invalid=40))
    page, _ = read([base, answers("loud", invalid=40), outcome], tmp_path)
    assert "Edits that broke the model" in page.text and "“loud” broke the model" in page.text
    assert "The edit broke the model, so this says little: 38% of its answers are valid" in page.text


def test_modes_are_told_apart_and_compared(tmp_path):
    written = answers().table
    written = written.assign(mode="generate", p_yes=written["p_yes"].round(), mass=np.nan)
    page, _ = read([pv.Responses(pd.concat([answers().table, written], ignore_index=True))], tmp_path)
    assert "unedited, generate" in page.text and "Agreement of score and generate over personas" in page.text
    assert "nan" not in page.text.lower()


ODD_ANSWERS = {
    "one persona": {"people": 1},
    "one value": {"values": ("Power",)},
    "all invalid": {"invalid": 10_000},
    "an edit alone": {"edit": "up"},
}


@pytest.mark.parametrize("options", ODD_ANSWERS.values(), ids=ODD_ANSWERS.keys())
def test_odd_answers_are_reported(tmp_path, options):
    page, text = read([answers(**options)], tmp_path)
    assert "How good the answers are" in page.text and "nan" not in page.text.lower()
    assert "quality-" in text  # the picture's ids


def test_answers_given_twice_are_assessed_apart(tmp_path):
    page, _ = read([answers(), answers()], tmp_path)
    assert page.text.count("Reliability of the corrected scores") == 2


def test_reliability_far_below_zero_is_drawn_at_the_edge():
    base = answers(people=30).table
    random = np.random.default_rng(0)
    bias = dict(zip(base["persona"].unique(), random.normal(0, 1, 30), strict=True))
    yes = 1 / (1 + np.exp(-base["persona"].map(bias) + 0.3 * random.normal(size=len(base))))
    quality = pv.Responses(base.assign(p_yes=yes, score=base["keying"] * (2 * yes - 1))).quality("raw")
    figure = draw_quality(quality)
    figure.draw_without_rendering()
    assert (quality.values["alpha"] < -1).all()
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert labels == schwartz_order(NAMES) and len(texts(figure)) == len(NAMES)


# -- other people's text -----------------------------------------------------------------------------------------


def test_names_cannot_become_markup(tmp_path):
    values = (EVIL, "a & b", '"><img src=x>', "cost $x_1$ and \x00\n\x1b")
    base = answers(values=values, first=EVIL, model=EVIL)
    steered = answers(EVIL, {EVIL: 0.9}, values=values, first=EVIL, model=EVIL)
    graph = graph_of(values, excluded={EVIL + "2": EVIL}, notes=(EVIL,))
    plan = pv.plan(graph, raise_values=[EVIL], base=base)
    plan = SteeringPlan(plan.target, plan.predicted, (edit_like(EVIL),), plan.roles, pd.DataFrame({EVIL: [EVIL]}))
    base.facts["study"] |= {EVIL: [EVIL]}
    page, text = read([base, graph, plan, steered, pv.evaluate(plan, base, steered)], tmp_path)
    assert len(page.scripts) == 4 and not page.named("img")
    assert text.lower().count("<script") == text.lower().count("</script") == 4
    assert not any("alert(" in code for code in page.scripts[1:])
    assert page.text.count(EVIL) > 10
    for file in (tmp_path / "figures").glob("*.svg"):
        assert not list(ElementTree.parse(file).iter("{http://www.w3.org/2000/svg}script"))


# -- faults ------------------------------------------------------------------------------------------------------


def test_names_an_unknown_part(study, tmp_path):
    with pytest.raises(TypeError, match=r"parts\[1\]: expected one of Responses, .*got dict"):
        pv.report([study[0], {}], tmp_path)
    with pytest.raises(TypeError, match="list or tuple, got ValueGraph"):
        pv.report(study[1], tmp_path)
    assert not list(tmp_path.iterdir())


def test_refuses_none_and_two_of_a_kind(study, tmp_path):
    with pytest.raises(ValueError, match="at least one"):
        pv.report([], tmp_path)
    with pytest.raises(ValueError, match="at most one ValueGraph, got 2"):
        pv.report([study[1], study[1]], tmp_path)


def test_a_folder_that_is_a_file_is_a_store_error(study, tmp_path):
    (tmp_path / "report").write_text("mine")
    with pytest.raises(pv.StoreError, match="report"):
        pv.report([study[0]], tmp_path / "report")
    assert (tmp_path / "report").read_text() == "mine"


def test_a_full_disk_leaves_the_old_page(study, tmp_path, monkeypatch):
    page = pv.report([study[0]], tmp_path)
    before = page.read_bytes()

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(pv.StoreError, match="No space left"):
        pv.report([study[1]], tmp_path)
    assert page.read_bytes() == before
    assert not [file for file in tmp_path.rglob("*") if file.name.endswith(".part")]


# -- plots -------------------------------------------------------------------------------------------------------


def texts(figure):
    return [text.get_text() for axes in figure.axes for text in axes.texts]


def test_graph_plot_draws_each_kind_of_edge():
    figure = draw_graph(graph_of(lines=[(0, 3)], both=[(2, 3)]))
    styles = [type(patch.get_arrowstyle()).__name__ for patch in figure.axes[0].patches]
    assert sorted(styles) == ["Curve", "CurveFilledAB", "CurveFilledB", "CurveFilledB"]
    assert set(NAMES) <= set(texts(figure))


def test_graph_plot_prints_strengths_apart_from_each_other(study):
    figure = draw_graph(study[1])
    numbers = [text for text in figure.axes[0].texts if text.get_text().endswith("%")]
    strengths = study[1].strengths().query("in_graph")["strength"]
    assert sorted(text.get_text() for text in numbers) == sorted(f"{share:.0%}" for share in strengths)
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in figure.axes[0].texts]
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])


def test_graph_plot_checks_its_target():
    with pytest.raises(TypeError, match="sequence of values"):
        draw_graph(graph_of(), "Power")
    with pytest.raises(ValueError, match="Wisdom"):
        draw_graph(graph_of(), ["Wisdom"])


@pytest.mark.parametrize("size", [0, 1, 2, 3, 4, 30])
def test_graph_plot_of_any_size(size):
    names = [f"v{i}" for i in range(size)]
    figure = draw_graph(graph_of(names, [(i, i + 1) for i in range(size - 1)]))
    assert texts(figure) == [] if not size else set(texts(figure)) == set(names)


def test_plots_draw_into_given_axes(study):
    from matplotlib.figure import Figure

    for draw, thing in ((draw_graph, study[1]), (draw_effects, study[4]), (draw_profile, study[0])):
        figure = Figure()
        axes = figure.add_subplot()
        assert draw(thing, ax=axes) is figure
        figure.draw_without_rendering()


def test_effects_plot_survives_a_value_without_answers(study):
    outcome = study[4]
    effects = outcome.effects.copy()
    effects.loc[0, ["change", "low", "high"]] = np.nan
    figure = draw_effects(pv.Evaluation(effects, outcome.summary, outcome.personas))
    assert "  no answers" in texts(figure)


def test_profile_of_one_persona_has_no_interval():
    figure = draw_profile(answers(people=1))
    figure.draw_without_rendering()
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == schwartz_order(NAMES)


def test_schwartz_order_knows_spellings_and_strangers():
    assert schwartz_order(["Security", "self direction", "Power"]) == ["self direction", "Power", "Security"]
    assert schwartz_order(["Security", "Wisdom"]) is None
