"""``.plot()``: every result has a picture that names its values; the heat map shows numbers computed another way."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text
from scipy import stats

import pyvalue as pv
from pyvalue.reporting.figures import DRAWN, draw
from pyvalue.reporting.heat_map_cells import cell_order, edit_effects, strongest_edits
from pyvalue.reporting.heat_map_plot import MAX_EDITS, draw_heat_map
from pyvalue.reporting.svg import inline_svg

NAMES = ("Power", "Achievement", "Security", "Hedonism")
EVIL = "<script>alert('x')</script> $x_1$ \x00\n"
LONG = "A name that goes on and on " * 12


def texts(figure):
    return [one.get_text() for one in figure.findobj(Text) if one.get_text()]


def rows(people=12, names=NAMES, edits=("f1", "f2", "f3"), seed=0, strength=0.4):
    """Wide scores: unedited, and under edits that each move some values."""
    random = np.random.default_rng(seed)
    mind = random.normal(size=(people, len(names)))
    mind[:, -1] += mind[:, 0]
    tables = {"": mind}
    for number, edit in enumerate(edits):
        shift = np.where(np.arange(len(names)) == number % len(names), strength, 0.0)
        tables[edit] = mind + shift + 0.2 * random.normal(size=mind.shape)
    index = pd.MultiIndex.from_product([tables, [f"p{i}" for i in range(people)]], names=["edit", "persona"])
    return pd.DataFrame(np.concatenate(list(tables.values())), index, list(names))


@pytest.fixture(scope="module")
def things():
    table = rows(60)
    graph = pv.discover(table.loc[""].reset_index(drop=True), bootstrap=20)
    changes = pv.paired_changes(table)
    effects = pv.estimate_effects(graph, table, edits="unedited", resamples=100)
    plan = pv.plan(graph, raise_values=["Power"], base=table)
    sweep = pd.DataFrame(
        {
            "prompt": ["a", "b"] * 3, "edit": ["", "", "f1", "f1", "r", "r"], "repeat": 0, "seed": 0,
            "control": [True] * 2 + [False] * 2 + [True] * 2, "control_of": [""] * 4 + ["f1"] * 2,
            "text": list("uvwxyz"), "n_tokens": [3, 4, 5, 6, 4, 4],
            "finished": True, "log_probability": -1.0, "repetition": 0.0,
        }
    )  # fmt: skip
    other = rows(60, seed=1)
    found = {
        "graph": graph, "changes": changes, "effects": effects, "plan": plan,
        "leakage": pv.leakage(changes.of("f1"), {"Power": 1}),
        "side effects": pv.side_effects(table, {"Power": 1}),
        "priorities": pv.priorities(table),
        "distance": pv.graph_distance(graph, graph),
        "differences": pv.edge_differences(table, other, resamples=20, permutations=19, measure="correlation"),
        "sweep": pv.SweepResult(sweep),
        "dose": pv.dose_response(table, {"Power": 1}, strengths={"f1": 1.0, "f2": 2.0, "f3": 3.0}, resamples=20),
        "circumplex": pv.circumplex(table, simulations=19, map_permutations=9, resamples=0),
        "audit": pv.audit(table, graph=graph, permutations=19, resamples=100, orders=0),
        "benchmark": pv.benchmark_predictions(table, resamples=20, permutations=9),
    }  # fmt: skip
    return found


NAMED = {
    "graph": NAMES, "changes": (*NAMES, "f1", "f2", "f3"), "plan": NAMES, "leakage": ("all (3 values)",),
    "side effects": ("f1",), "distance": ("joined pairs: F1",), "sweep": ("f1", "r"), "dose": ("target",),
    "circumplex": NAMES,
}  # fmt: skip


def test_every_result_has_a_picture_with_its_names(things):
    for name, thing in things.items():
        figure = thing.plot()
        assert isinstance(figure, Figure) and figure.axes, name
        said = " ".join(texts(figure))
        assert any(ax.has_data() for ax in figure.axes), name
        for word in NAMED.get(name, ()):
            assert word in said, (name, word)
    assert all(name in " ".join(texts(things["priorities"].plot())) for name in NAMES)
    assert "Power – Achievement" in texts(things["differences"].plot())


def test_every_drawn_type_has_the_method():
    assert all(callable(kind.plot) for kind in DRAWN)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("effects", {"source": "Power"}), ("circumplex", {"kind": "sinusoids"}), ("changes", {"order": "given"}),
        ("dose", {"effects": ["Security"]}), ("differences", {"most": 2}), ("audit", {"kind": "personas"}),
        ("audit", {"kind": "edits"}), ("benchmark", {"metric": "AUPRC"}), ("graph", {"target": ["Power"]}),
    ],
)  # fmt: skip
def test_options_reach_the_picture(things, name, options):
    try:
        figure = things[name].plot(**options)
    except ValueError as fault:  # a study can lack what an option asks for, and says so
        assert name == "audit" and "no contrasts" in str(fault)
        return
    assert texts(figure) != texts(things[name].plot()) or name in ("changes", "graph")


@pytest.mark.parametrize(("ending", "first"), [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")])
def test_writes_whole_files_that_are_the_same_in_every_run(things, tmp_path, ending, first):
    for name in ("a", "b"):
        things["plan"].plot(tmp_path / f"{name}.{ending}")
    content = (tmp_path / f"a.{ending}").read_bytes()
    assert content.startswith(first) and content == (tmp_path / f"b.{ending}").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"a.{ending}", f"b.{ending}"]


def test_bad_arguments_are_named_and_nothing_is_written(things, tmp_path):
    with pytest.raises(ValueError, match=r"path: expected a name that ends in .png, .svg or .pdf, got .*jpg"):
        things["plan"].plot(tmp_path / "a.jpg")
    with pytest.raises(ValueError, match="kind: expected one of 'map', 'sinusoids' for Circumplex, got 'pie'"):
        things["circumplex"].plot(kind="pie")
    with pytest.raises(ValueError, match="options: colour not known; the picture of SteeringPlan takes ax"):
        things["plan"].plot(colour="red")
    with pytest.raises(ValueError, match="source: expected one of Power"):
        things["effects"].plot(source="Envy")
    with pytest.raises(TypeError, match=r"thing: expected one of Responses, .* got dict"):
        draw({})
    with pytest.raises(pv.StoreError):
        things["plan"].plot(tmp_path / "no such folder" / "a.png")
    assert not list(tmp_path.iterdir())


# -- the heat map ------------------------------------------------------------------------------------------------


def test_cells_are_what_pandas_and_scipy_find():
    table = rows(9)
    table.iloc[10, 1] = np.nan  # one answer under f1
    found = edit_effects(table).set_index(["edit", "value"])
    for edit in ("f1", "f2", "f3"):
        for value in NAMES:
            change = (table.loc[edit][value] - table.loc[""][value]).dropna()
            low, high = stats.ttest_1samp(change, 0).confidence_interval(0.95)
            row = found.loc[(edit, value)]
            assert row["personas"] == len(change)
            assert row["change"] == pytest.approx(change.mean(), abs=1e-12)
            assert (row["low"], row["high"]) == pytest.approx((low, high), abs=1e-12)
            assert row["clear"] == (low > 0 or high < 0)


def test_the_picture_holds_the_cells_in_their_places():
    table = rows(9)
    figure = pv.paired_changes(table).plot()
    ax = figure.axes[0]
    across = [label.get_text() for label in ax.get_xticklabels() if label.get_text()]
    down = [label.get_text() for label in ax.get_yticklabels() if label.get_text()]
    assert sorted(down) == ["f1", "f2", "f3"] and sorted(across) == sorted(NAMES)
    found = edit_effects(table).set_index(["edit", "value"])
    colours = ax.images[0].get_array()
    seen = {(int(one.get_position()[1]), int(one.get_position()[0])): one.get_text() for one in ax.texts}
    for row, edit in enumerate(down):
        for column, value in enumerate(across):
            cell = found.loc[(edit, value)]
            assert float(seen[row, column].replace("−", "-")) == pytest.approx(cell["change"], abs=0.0051)
            assert (colours[row, column, 3] == 1) == bool(cell["clear"])
            red, _, blue, _ = colours[row, column]
            assert (blue - red) * cell["change"] >= 0


def test_twenty_values_and_many_edits_stay_readable_and_small():
    table = rows(6, [f"value {i}" for i in range(20)], [f"f{i}" for i in range(120)])
    effects = edit_effects(table)
    figure = pv.paired_changes(table).plot()
    ax = figure.axes[0]
    down = [label.get_text() for label in ax.get_yticklabels() if label.get_text()]
    assert len(down) == MAX_EDITS and f"{MAX_EDITS} edits of 120" in " ".join(texts(figure))
    size = effects.assign(square=effects["change"] ** 2).groupby("edit")["square"].mean()
    assert set(down) == set(size.nlargest(MAX_EDITS).index)
    assert len(inline_svg(figure, "heat", "all")) < 200_000
    across = [label for label in ax.get_xticklabels() if label.get_text()]
    assert len(across) == 20 and min(one.get_fontsize() for one in ax.get_yticklabels()) >= 7
    # Without numbers every unclear cell has one colour, that no change has; grey is told of.
    values = [one.get_text() for one in across]
    clear = effects.set_index(["edit", "value"])["clear"].unstack("value").loc[down, values].to_numpy(dtype=bool)
    colours = np.asarray(ax.images[0].get_array())
    unclear = {tuple(one) for one in colours[~clear]}
    assert len(unclear) == 1 and not unclear & {tuple(one) for one in colours[clear]} and (colours[clear, 3] == 1).all()
    assert "grey: the cell’s own 95% interval holds zero" in " ".join(texts(figure))


def test_edits_that_broke_the_model_are_named_so_and_never_strong():
    changes = pv.paired_changes(rows(8))
    effects = edit_effects(changes, broken=["f2"])
    assert effects.groupby("edit")["broken"].all().to_dict() == {"f1": False, "f2": True, "f3": False}
    assert set(strongest_edits(effects.assign(change=effects["change"] + 9 * effects["broken"]), 2)["edit"]) == {
        "f1", "f3",
    }  # fmt: skip
    assert "f2 (broken)" in texts(draw_heat_map(effects)) and "f1" in texts(draw_heat_map(effects))
    assert not edit_effects(changes)["broken"].any()


def test_clustered_order_puts_twins_together_and_is_a_permutation():
    table = rows(8, edits=("a", "b", "c", "d"))
    table.loc["d"] = table.loc["a"].to_numpy() + 0.001
    effects = edit_effects(table)
    edits, values = cell_order(effects)
    assert abs(edits.index("a") - edits.index("d")) == 1
    assert sorted(edits) == list("abcd") and sorted(values) == sorted(NAMES)
    assert cell_order(effects, "given") == (list("abcd"), list(NAMES))
    with pytest.raises(ValueError, match="order: expected 'clustered' or 'given', got 'best'"):
        cell_order(effects, "best")
    size = {edit: np.square((table.loc[edit] - table.loc[""]).mean()).mean() for edit in "abcd"}
    assert set(strongest_edits(effects, 2)["edit"]) == set(sorted(size, key=size.get)[-2:])


@pytest.mark.parametrize(
    "table",
    [
        rows(1), rows(5, ("Power",)), rows(5, (EVIL, LONG, "x")), rows(5, edits=(EVIL, LONG)),
        rows(5, edits=("f1",)) * np.nan, rows(4) * 0.0,
    ],
    ids=["one persona", "one value", "hostile values", "hostile edits", "nothing but missing", "nothing but zeros"],
)  # fmt: skip
def test_odd_data_are_drawn(table):
    figure = pv.paired_changes(table).plot()
    svg = inline_svg(figure, "heat", "cells")
    assert "<script" not in svg and "\x00" not in svg
    effects = edit_effects(table)
    assert len(effects) == len(table.columns) * (len(table.index.unique("edit")) - 1)
    if len(table.loc[""]) < 3:
        assert effects["low"].isna().all() and not effects["clear"].any()


def test_plan_without_numbers_and_with_hostile_names_is_drawn():
    plan = pv.plan(pv.graph_from_edges([EVIL, LONG, "c"], [(EVIL, LONG), (LONG, "c")]), raise_values=[EVIL])
    said = " ".join(texts(plan.plot()))
    assert "to be raised" in said and "no number" in said
