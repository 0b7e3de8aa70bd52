"""Effects of a graph and rows: against statsmodels, known models and a bootstrap by hand; and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from linear_sems import LinearModel, graph_of_marks, random_model

from pyvalue.discovery import discover
from pyvalue.effects.effect_bootstrap import cluster_worth, left_out_covariances, reach, resampled_covariances
from pyvalue.effects.effect_rows import effect_rows
from pyvalue.effects.total_effects import Effects, EffectsWarning, estimate_effects
from pyvalue.errors import StoreError
from pyvalue.graph import ValueGraph
from pyvalue.responses import Responses, make_table

PAPER = Path(__file__).resolve().parents[1].parent / "shared" / "data" / "paper"
RANGES = ("minimum", "maximum", "low", "high")


def graph_of(text: str) -> ValueGraph:
    """Edges like "0>1 1-2" over values v0, v1, ..."""
    size = 1 + max(int(edge[k]) for edge in text.split() for k in (0, 2))
    marks = np.zeros((size, size), dtype=np.int8)
    for a, kind, b in text.split():
        ends = {">": (-1, 1), "-": (-1, -1), "=": (1, 1)}[kind]
        marks[int(a), int(b)], marks[int(b), int(a)] = ends
    return graph_of_marks(marks)


@pytest.fixture(scope="module")
def model() -> LinearModel:
    return random_model(np.random.default_rng(8), 7)


@pytest.fixture(scope="module")
def rows(model: LinearModel) -> pd.DataFrame:
    return model.rows(np.random.default_rng(1), 400, personas=40)


@pytest.fixture(scope="module")
def effects(model: LinearModel, rows: pd.DataFrame) -> Effects:
    return estimate_effects(model.graph(), rows, resamples=200)


def test_effects_are_the_coefficients_of_ordinary_least_squares(effects: Effects, rows: pd.DataFrame) -> None:
    sm = pytest.importorskip("statsmodels.api")
    from pyvalue.effects.valid_parents import valid_parent_sets

    compared = 0
    for i, cause in enumerate(effects.names):
        sets = [one.parents[0] for one in valid_parent_sets(effects.graph.marks, i)]
        for j, effect in enumerate(effects.names):
            if i == j or not effects.graph.possible_descendants(cause) & {effect}:
                continue
            fits = [
                0.0
                if j in parents
                else sm.OLS(rows[effect], sm.add_constant(rows.iloc[:, [i, *parents]])).fit().params[cause]
                for parents in sets
            ]
            # where a set puts the effect out of reach, the graph's 0 stands for a coefficient near it
            assert effects.minimum[i, j] == pytest.approx(min(fits), abs=1e-9) or effects.minimum[i, j] == 0
            assert effects.maximum[i, j] == pytest.approx(max(fits), abs=1e-9) or effects.maximum[i, j] == 0
            compared += 1
    assert compared > 10


def test_many_rows_give_the_true_effects(model: LinearModel) -> None:
    marks = np.where(model.dag, -1, 0) + np.where(model.dag.T, 1, 0)
    known = graph_of_marks(marks.astype(np.int8))  # the DAG itself: all that a CPDAG leaves open is known
    found = estimate_effects(known, model.rows(np.random.default_rng(2), 100_000), resamples=100)
    np.testing.assert_allclose(found.minimum, model.total(), atol=0.03)
    np.testing.assert_array_equal(found.minimum, found.maximum)
    assert found.facts["soundness"].startswith(("some DAGs agree", "a valid CPDAG"))


def test_resamples_are_those_of_whole_personas(rows: pd.DataFrame) -> None:
    """The same draws by hand: rows of the drawn personas put under one another, and NumPy's covariance."""
    data = effect_rows(rows, list(rows.columns))
    assert (data.cluster_name, data.n_clusters, len(data.rows)) == ("persona", 40, 400)
    ours = resampled_covariances(data, 100, seed=5)
    drawn = np.random.default_rng(5).integers(40, size=(100, 40))
    for number in (0, 7, 99):
        by_hand = np.concatenate([data.rows[data.cluster == c] for c in drawn[number]])
        np.testing.assert_allclose(ours[number], np.cov(by_hand.T), atol=1e-12)
    without = left_out_covariances(data)
    np.testing.assert_allclose(without[13], np.cov(data.rows[data.cluster != 13].T), atol=1e-12)
    sizes = rows.groupby("persona").size()
    assert cluster_worth(data) == pytest.approx(sizes.sum() ** 2 / (sizes**2).sum())


def test_intervals_are_as_wide_as_those_of_cluster_robust_least_squares(effects: Effects, rows: pd.DataFrame) -> None:
    sm = pytest.importorskip("statsmodels.api")
    from scipy.stats import t

    marks = effects.graph.marks
    i = next(k for k, name in enumerate(effects.names) if effects.facts["sets"][name] == 1 and (marks[k] == -1).any())
    j = int(np.flatnonzero(marks[i] == -1)[0])
    parents = np.flatnonzero((marks[:, i] == -1) & (marks[i] == 1)).tolist()
    fit = sm.OLS(rows.iloc[:, j], sm.add_constant(rows.iloc[:, [i, *parents]])).fit(
        cov_type="cluster", cov_kwds={"groups": pd.factorize(rows.index)[0]}
    )
    width = 2 * t.ppf(0.975, 39) * fit.bse.iloc[1]
    assert 0.9 * width < effects.high[i, j] - effects.low[i, j] < 1.3 * width


def test_clusters_matter(model: LinearModel, rows: pd.DataFrame, effects: Effects) -> None:
    independent = estimate_effects(model.graph(), rows, resamples=200, cluster=None)
    np.testing.assert_allclose(independent.minimum, effects.minimum, atol=1e-12)
    wider = (effects.high - effects.low).sum() / (independent.high - independent.low).sum()
    assert wider > 1.3  # half of the variance is shared by ten rows
    by_labels = estimate_effects(
        model.graph(), rows.reset_index(drop=True), resamples=200, cluster=rows.index.to_numpy()
    )
    np.testing.assert_array_equal(by_labels.low, effects.low)
    by_column = estimate_effects(model.graph(), rows.reset_index(), resamples=200)
    np.testing.assert_array_equal(by_column.low, effects.low)


def test_the_order_of_rows_and_the_seed(model: LinearModel, rows: pd.DataFrame, effects: Effects) -> None:
    shuffled = rows.sample(frac=1, random_state=0)[rows.columns[::-1]]
    again = estimate_effects(model.graph(), shuffled, resamples=200)
    for name in RANGES:
        np.testing.assert_array_equal(getattr(again, name), getattr(effects, name))
    other = estimate_effects(model.graph(), rows, resamples=200, seed=1)
    assert not np.array_equal(other.low, effects.low)


def test_standardised_effects_are_those_of_standardised_rows(model: LinearModel, rows: pd.DataFrame) -> None:
    scaled = (rows - rows.mean()) / rows.std()
    one = estimate_effects(model.graph(), rows, resamples=100, standardised=True)
    other = estimate_effects(model.graph(), scaled, resamples=100)
    np.testing.assert_allclose(one.minimum, other.minimum, atol=1e-9)
    np.testing.assert_allclose(one.high, other.high, atol=1e-9)


def test_table(effects: Effects) -> None:
    table = effects.table()
    assert list(table) == ["source", "target", "relation", "minimum", "maximum", "low", "high", "sets"]
    assert len(table) == 42
    for row in table.itertuples():
        if row.target in effects.graph.definite_descendants(row.source):
            assert row.relation == "definite"
        assert (row.relation == "none") == (row.target not in effects.graph.possible_descendants(row.source))
        assert row.low <= row.minimum <= row.maximum <= row.high
        if row.relation == "none":
            assert row.low == row.high == 0


def test_prediction_of_one_value_is_its_row(effects: Effects) -> None:
    i = int(np.argmax((effects.maximum - effects.minimum).sum(axis=1)))
    found = effects.predict({effects.names[i]: 0.5})
    assert list(found) == ["value", *RANGES]
    for name in RANGES:
        np.testing.assert_allclose(found[name], 0.5 * getattr(effects, name)[i], atol=1e-12)
    down = effects.predict({effects.names[i]: -0.5})
    np.testing.assert_allclose(down["low"], -found["high"], atol=1e-12)


def test_prediction_of_two_values_does_not_count_a_path_twice() -> None:
    """v0 → v1 → v2, each by 1: v1 held means that v0 adds nothing to v2."""
    weights = np.zeros((3, 3))
    weights[0, 1] = weights[1, 2] = 1.0
    x = LinearModel(weights, np.ones(3)).rows(np.random.default_rng(0), 20_000)
    effects = estimate_effects(graph_of("0>1 1>2"), x, resamples=100)
    found = effects.predict({"v0": 1.0, "v1": 1.0}).set_index("value")
    assert tuple(found.loc["v0", list(RANGES)]) == tuple(found.loc["v1", list(RANGES)]) == (1, 1, 1, 1)
    assert found.loc["v2", "minimum"] == pytest.approx(1, abs=0.02)
    assert found.loc["v2", "low"] < 1 < found.loc["v2", "high"]
    held = effects.predict({"v0": 1.0, "v1": 0.0}).set_index("value")
    assert held.loc["v2", "minimum"] == held.loc["v2", "maximum"] == pytest.approx(0, abs=1e-12)


def test_prediction_covers_the_range_of_the_class() -> None:
    """v0 — v1: the effect of either is its slope or 0."""
    rng = np.random.default_rng(1)
    a = rng.standard_normal(5000)
    x = np.column_stack([a, 0.8 * a + rng.standard_normal(5000)])
    effects = estimate_effects(graph_of("0-1"), x, resamples=100)
    slope = np.polyfit(x[:, 0], x[:, 1], 1)[0]
    np.testing.assert_allclose([effects.minimum[0, 1], effects.maximum[0, 1]], [0, slope], atol=1e-9)
    assert effects.table()["sets"].tolist() == [2, 2]


def test_saved_and_read(effects: Effects, tmp_path: Path) -> None:
    json.dumps(effects.to_dict(), allow_nan=False)
    again = Effects.load(effects.save(tmp_path / "effects.json"))
    for name in (*RANGES, "covariance", "replicates", "left_out"):
        np.testing.assert_array_equal(getattr(again, name), getattr(effects, name))
    assert (again.graph, again.facts, again.notes) == (effects.graph, effects.facts, effects.notes)
    change = {"v0": 1.0, "v3": -1.0}
    pd.testing.assert_frame_equal(again.predict(change), effects.predict(change))
    assert repr(again) == repr(effects)
    assert "7 values" in repr(effects) and "400 rows in 40 clusters" in repr(effects)


def test_files_that_hold_none(effects: Effects, tmp_path: Path) -> None:
    path = tmp_path / "effects.json"
    for spoil in (
        {"schema_version": 9},
        {"low": [[1.0]]},
        {"replicates": "??"},
        {"replicates": "AAAA"},
        {"facts": {}},
    ):
        path.write_text(json.dumps(effects.to_dict() | spoil))
        with pytest.raises(StoreError, match="holds no saved Effects"):
            Effects.load(path)
    path.write_text("[]")
    with pytest.raises(StoreError):
        Effects.load(path)


def test_values_that_the_data_lack() -> None:
    """v0 → v1 → v2, v3 → v2: without v1, only v0 and v3 have certain parents that are all there."""
    graph = graph_of("0>1 1>2 3>2")
    x = np.random.default_rng(0).standard_normal((300, 4)).cumsum(axis=1)
    table = pd.DataFrame(x, columns=list(graph.names))
    with pytest.raises(ValueError, match=r"but v1 is missing.*on_missing='drop'"):
        estimate_effects(graph, table.drop(columns="v1"))
    with pytest.raises(ValueError, match="expected columns of the graph's values"):
        estimate_effects(graph, table.add_prefix("x"))
    part = estimate_effects(graph, table.drop(columns="v1").assign(more=1.0), on_missing="drop", resamples=100)
    whole = estimate_effects(graph, table, resamples=100)
    kept = [0, 3]
    for i in kept:
        np.testing.assert_allclose(part.minimum[i, [0, 2, 3]], whole.minimum[i, [0, 2, 3]])
    assert np.isnan(part.minimum[:, 1]).all() and np.isnan(part.minimum[[1, 2]]).all()
    assert "the data lack v1" in part.notes[0] and "(v2)" in part.notes[0] and "those of v0, v3" in part.notes[0]
    assert part.predict({"v2": 1.0})["low"].isna().sum() == 3


def test_missing_scores_leave_rows_out(model: LinearModel, rows: pd.DataFrame) -> None:
    holes = rows.copy()
    holes.iloc[:30, 2] = np.nan
    found = estimate_effects(model.graph(), holes, resamples=100)
    plain = estimate_effects(model.graph(), rows.iloc[30:], resamples=100)
    np.testing.assert_allclose(found.low, plain.low)
    assert found.notes == ("30 of 400 rows have missing scores and were left out: v2 (30)",)
    with pytest.raises(ValueError, match=r"3 clusters \(persona\) with complete rows, got 0.*v2 \(400\)"):
        estimate_effects(model.graph(), rows.assign(v2=np.nan))


def test_a_constant_value_has_no_effects(model: LinearModel, rows: pd.DataFrame) -> None:
    found = estimate_effects(model.graph(), rows.assign(v2=1.0), resamples=100)
    assert "constant in the rows, so without effects of or on it: v2" in found.notes
    assert np.isnan(found.minimum[2]).all()
    assert np.isfinite(found.minimum).any()


def test_a_graph_with_a_cycle() -> None:
    """v0 → v1 → v2 → v0 and v3 → v1, v3 → v4: computed are v3 and v4, which lie on no cycle."""
    graph = graph_of("0>1 1>2 2>0 3>1 3>4")
    x = np.random.default_rng(0).standard_normal((300, 5))
    with pytest.warns(EffectsWarning, match="directed cycle v0 → v1 → v2 → v0.*sound_graph"):
        found = estimate_effects(graph, x, resamples=100)
    assert np.isfinite(found.minimum).all(axis=1).tolist() == [False, False, False, True, True]
    assert found.minimum[3, 4] == pytest.approx(np.polyfit(x[:, 3], x[:, 4], 1)[0])
    assert "v0 → v1 → v2 → v0" in found.notes[0]
    assert found.predict({"v0": 1.0})["minimum"].isna().tolist() == [False, True, True, True, True]
    assert found.predict({"v3": 1.0})["minimum"].notna().all()


def test_a_value_with_too_many_sets() -> None:
    d = 14
    marks = -np.ones((d, d), dtype=np.int8) + np.eye(d, dtype=np.int8)
    x = np.random.default_rng(0).standard_normal((60, d))
    with pytest.warns(EffectsWarning, match="no effects of v0, .*, v13: a value with 13 undirected neighbours"):
        found = estimate_effects(graph_of_marks(marks), x, resamples=100)
    assert np.isnan(found.minimum).all() and set(found.facts["sets"].values()) == {0}


def test_more_parents_than_rows_give_no_effects() -> None:
    x = np.random.default_rng(0).standard_normal((5, 6))
    found = estimate_effects(graph_of("0>5 1>5 2>5 3>5 4>5"), x, resamples=100)
    assert np.isnan(found.minimum[5]).all()
    assert np.isfinite(found.minimum[:5, 5]).all()
    assert found.notes[0].startswith("no effects of v5: its parents leave it no variance of its own")


def test_bad_arguments(model: LinearModel, rows: pd.DataFrame, effects: Effects) -> None:
    graph = model.graph()
    for options, error, message in [
        ({"resamples": 10}, ValueError, "resamples: expected a whole number of at least 100, got 10"),
        ({"confidence": 95}, ValueError, "confidence"),
        ({"on_missing": "ignore"}, ValueError, "on_missing"),
        ({"cluster": "edit"}, ValueError, "cluster: expected an index level, a column or labels, got 'edit'"),
        ({"cluster": [1, 2]}, ValueError, r"one label a row, \(400,\), got shape \(2,\)"),
        ({"cluster": [None] * 400}, ValueError, "400 missing ones"),
        (
            {"cluster": ["one"] * 400},
            ValueError,
            r"3 clusters \(labels\) with complete rows, got 1; rows of one",
        ),
    ]:
        with pytest.raises(error, match=message):
            estimate_effects(graph, rows, **options)
    with pytest.raises(TypeError, match=r"graph: expected a ValueGraph, a graph of networkx.* got ndarray"):
        estimate_effects(graph.marks, rows)
    with pytest.raises(TypeError, match="data must be"):
        estimate_effects(graph, 3)
    with pytest.raises(ValueError, match=r"\(n, 7\), got \(400, 6\)"):
        estimate_effects(graph, rows.to_numpy()[:, 1:])
    with pytest.raises(ValueError, match="infinite"):
        estimate_effects(graph, rows.assign(v0=np.inf))
    with pytest.raises(ValueError, match="expected numbers in every column of a value, got others in v0"):
        estimate_effects(graph, rows.assign(v0="yes"))
    for change, message in [({}, "at least one"), ({"x": 1.0}, "got 'x'"), ({"v0": np.nan}, "finite")]:
        with pytest.raises(ValueError, match=message):
            effects.predict(change)


def test_answers_tables_and_files_are_the_same(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = [(f"p{k}", value, p) for k in range(12) for value, p in zip(("v0", "v1"), rng.random(2), strict=True)]
    persona, value, p = zip(*rows, strict=True)
    columns = {"model": "m", "edit": "", "persona": persona, "item": value, "value": value, "keying": 1}
    asked = {"kind": "keyed", "text": "t", "status": "yes", "p_yes": p, "mass": 1.0, "score": 2 * np.array(p) - 1}
    answers = Responses(make_table(columns | asked))
    graph = graph_of("0>1")
    of_answers = estimate_effects(graph, answers, score="raw", resamples=100)
    matrix = answers.matrix("raw")
    of_table = estimate_effects(graph, matrix, resamples=100)
    matrix.reset_index().to_csv(tmp_path / "rows.csv", index=False)
    of_file = estimate_effects(graph, tmp_path / "rows.csv", resamples=100)
    for found in (of_answers, of_table, of_file):
        assert (found.facts["rows"], found.facts["clusters"], found.facts["cluster"]) == (12, 12, "persona")
        np.testing.assert_allclose(found.low, of_answers.low, atol=1e-12)
    slope = np.polyfit(*matrix.to_numpy().T, 1)[0]
    assert of_answers.minimum[0, 1] == pytest.approx(slope)


@pytest.mark.skipif(not PAPER.is_dir(), reason="the paper's files lie beside the checkout, not in it")
def test_the_papers_rows() -> None:
    table = pd.read_csv(PAPER / "ans_gemma_train_formal.csv")
    kept = [14351, 1025, 2965, 10096, 1341, 1975, 10605, 14049, 1312, 4752]
    table = table[table.steer_dim.isna() | table.steer_dim.isin(kept)]
    values = [name for name in table.columns[2:] if ":" not in name and name not in ("stds", "scstds")]
    graph = discover(table[values], test="fisherz")
    found = estimate_effects(graph, table, resamples=200)
    assert repr(found) == (
        "Effects(17 values, 68 definite and 16 possible effects, 5 values with several sets of parents, "
        "1111 rows in 101 clusters, within 11 edits, 200 resamples)"
    )
    assert found.facts["soundness"] == "a valid CPDAG"


def under_edits(rng: np.random.Generator) -> pd.DataFrame:
    model = random_model(np.random.default_rng(8), 7)
    return model.edited_rows(rng, 20, 4, 4, 3.0)


def test_resamples_take_the_means_of_edits_out_anew() -> None:
    rows = under_edits(np.random.default_rng(0)).iloc[3:]  # personas whose rows do not meet every edit
    data = effect_rows(rows, list(rows.columns))
    assert (data.n_clusters, data.n_edits) == (20, 5)
    drawn = np.random.default_rng(5).integers(20, size=(100, 20))
    ours = resampled_covariances(data, 100, seed=5)
    for number in (0, 7, 99):
        taken = np.concatenate([np.flatnonzero(data.cluster == c) for c in drawn[number]])
        by_hand = pd.DataFrame(data.rows[taken]).groupby(data.edit[taken]).transform(lambda x: x - x.mean())
        np.testing.assert_allclose(ours[number], by_hand.T @ by_hand / (len(taken) - 5), atol=1e-9)
    kept = data.cluster != 13
    by_hand = pd.DataFrame(data.rows[kept]).groupby(data.edit[kept]).transform(lambda x: x - x.mean())
    np.testing.assert_allclose(left_out_covariances(data)[13], by_hand.T @ by_hand / (kept.sum() - 5), atol=1e-9)


def test_shifts_of_edits_change_nothing_within_edits_nor_in_unedited_rows(model: LinearModel) -> None:
    rows = under_edits(np.random.default_rng(0))
    labels = rows.index.get_level_values("edit")
    shifted = rows + np.where(labels == "f2", 5.0, 0.0)[:, None] * np.arange(7)
    graph = model.graph()
    one, other = (estimate_effects(graph, table, resamples=100) for table in (rows, shifted))
    np.testing.assert_allclose(one.low, other.low, atol=1e-8)
    assert (one.facts["edits"], one.facts["means"]) == ("within", 5) and "within 5 edits" in repr(one)
    plain = estimate_effects(graph, rows.xs("", level="edit"), resamples=100)
    alone = estimate_effects(graph, shifted.reset_index(), resamples=100, edits="unedited")
    np.testing.assert_allclose(plain.low, alone.low, atol=1e-12)
    assert alone.facts["rows"] == 20
    with pytest.warns(EffectsWarning, match="edits='pooled': rows under 5 edits"):
        pooled = estimate_effects(graph, shifted, resamples=100, edits="pooled")
    np.testing.assert_allclose(pooled.covariance, np.cov(shifted.to_numpy().T), atol=1e-9)
    with pytest.raises(ValueError, match="expected rows without an edit"):
        estimate_effects(graph, shifted.drop(index="", level="edit"), edits="unedited")


def test_the_spread_is_the_larger_of_bootstrap_and_jackknife() -> None:
    from scipy.stats import t

    rng = np.random.default_rng(0)
    many, few = rng.standard_normal((400, 3)), rng.standard_normal((10, 3)) * [0.01, 1.0, 0.01]
    estimate, worth = np.array([0.1, 0.2, 0.3]), 6.5
    bootstrap = many.var(axis=0, ddof=1) * worth / (worth - 1)
    jackknife = ((few - estimate) ** 2).sum(axis=0) * 9 / 10
    assert (jackknife > bootstrap).tolist() == [False, True, False]
    wanted = t.ppf(0.95, worth - 1) * np.sqrt(np.maximum(bootstrap, jackknife))
    np.testing.assert_allclose(reach(estimate, many, few, worth, 0.9), wanted)
    np.testing.assert_allclose(reach(estimate, many, few[:0], worth, 0.9), t.ppf(0.95, 5.5) * np.sqrt(bootstrap))


def test_intervals_use_the_jackknife(model: LinearModel, rows: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    full = estimate_effects(model.graph(), rows, resamples=100)
    monkeypatch.setattr("pyvalue.effects.effect_bootstrap.MOST_LEFT_OUT", 0)
    without = estimate_effects(model.graph(), rows, resamples=100)
    width, narrow = full.high - full.low, without.high - without.low
    assert (width >= narrow - 1e-12).all() and (width > narrow + 1e-6).any()


def test_more_bad_input(model: LinearModel, rows: pd.DataFrame, effects: Effects, tmp_path: Path) -> None:
    graph = model.graph()
    for options, message in [
        ({"seed": "x"}, "seed: expected a whole number"),
        ({"confidence": "95"}, "confidence: expected a number between 0 and 1"),
        ({"score": "zzz"}, "score: expected one of 'raw'"),
        ({"edits": ["a"]}, "edits: expected one of 'within', 'unedited', 'pooled'"),
    ]:
        with pytest.raises(ValueError, match=message):
            estimate_effects(graph, rows, **options)
    assert estimate_effects(graph, rows, resamples=np.int64(100)).facts["resamples"] == 100
    for change in ({"v0": "up"}, {"v0": True}, ["v0"], "v0"):
        with pytest.raises(TypeError, match="change"):
            effects.predict(change)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="more than one column v0"):
        estimate_effects(graph, pd.concat([rows, rows[["v0"]]], axis=1))
    copies = estimate_effects(graph, pd.concat([rows.reset_index(drop=True)] * 10), resamples=100)
    assert "4000 rows hold only 400 different ones" in copies.notes[0]
    few = estimate_effects(graph_of("0-1 1-2"), np.random.default_rng(0).standard_normal((3, 3)), resamples=100)
    assert any("no interval for effects of" in note for note in few.notes)
    rows.reset_index(drop=True).to_csv(tmp_path / "answers.csv", index=False)
    found = estimate_effects(graph, str(tmp_path / "answers.csv"), resamples=100)
    np.testing.assert_allclose(found.minimum, effects.minimum, atol=1e-9)
    import networkx as nx

    arrows = estimate_effects(nx.DiGraph([("v0", "v1")]), rows, resamples=100)
    assert arrows.minimum[0, 1] == pytest.approx(np.polyfit(rows["v0"], rows["v1"], 1)[0])
