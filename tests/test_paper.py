"""The reproduction of Kang et al. (2025): on the paper's files where they are, and on made-up ones of the same format.

The published tables of the made-up model are computed here by loops, SciPy, networkx and causal-learn.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import networkx as nx
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import cosine
from typer.testing import CliRunner

from pyvalue.cli import app
from pyvalue.discovery import discover
from pyvalue.errors import StoreError
from pyvalue.evaluation.change_rates import conditional_change_rates
from pyvalue.evaluation.paper import PaperReproduction, reproduce_paper
from pyvalue.evaluation.paper_files import TABLE_2_ROWS, read_paper_files
from pyvalue.evaluation.paper_graph import reachability
from pyvalue.evaluation.paper_table2 import prompt_changes, sae_changes
from pyvalue.graph import ValueGraph
from pyvalue.reporting.paper_folder import write_paper

PAPER = Path(__file__).resolve().parents[1].parent / "shared" / "data" / "paper"
needs_paper = pytest.mark.skipif(not PAPER.is_dir(), reason="the paper's files lie beside the checkout, not in it")

VALUES = ["Aesthetic", "Empathy", "Religious", "Social", "Theoretical", "Understanding"]
FEATURES = ["7", "42", "1001"]
PERSONAS = ["", "Ann", "Bob", "Cid", "Dee", "Eve", "Fay", "Gil", "Hal"]


# -- the paper's own files -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def gemma() -> PaperReproduction:
    return reproduce_paper(PAPER)


@needs_paper
def test_everything_published_of_gemma_is_reproduced(gemma: PaperReproduction) -> None:
    assert gemma.matches
    assert gemma.counts() == {"match": 16, "MISMATCH": 0, "not given": 0}
    others = [row for row in gemma.comparisons if row.source != "published"]
    assert [row.what for row in others] == ["graph: directed edges", "graph: undirected edges"]
    assert {row.source for row in others} == {"causal-learn"} and "; 2 of 2 as causal-learn" in str(gemma)
    assert gemma.model == "gemma" and len(gemma.features) == 10
    assert [row.computed for row in gemma.comparisons[:8]] == [
        "170 equal",
        "0.853",
        "0.078",
        "10 equal",
        "10 equal",
        "41",
        "3: Organization – Positive coping, Positive coping – Religious, Social – Uncertainty Avoidance",
        "84 ordered pairs",
    ]


@needs_paper
def test_gemma_tables_are_the_published_files(gemma: PaperReproduction) -> None:
    published = pd.read_csv(PAPER / "table2_gemma.csv", index_col=0)
    np.testing.assert_allclose(gemma.tables["table2"].loc[published.index, published.columns], published, atol=1e-12)
    means = published.mean(axis=1).to_numpy().reshape(4, 2)
    np.testing.assert_allclose(gemma.tables["bars"], means, atol=1e-12)
    cells = pd.read_csv(PAPER / "table1_gemma_newest.csv", index_col=0)
    expected = [[int(n) for n in cell.split("/")] for cell in cells.to_numpy().ravel()]
    np.testing.assert_array_equal(gemma.tables["table1"], expected)
    assert (gemma.tables["pies"].sum(axis=1) == 260).all()  # 26 personas by 10 values


@needs_paper
def test_the_guide_prints_what_comes_out(gemma: PaperReproduction) -> None:
    guide = (Path(__file__).resolve().parents[1] / "docs" / "paper.md").read_text(encoding="utf-8")
    assert f"```text\n{gemma}\n```" in guide


@needs_paper
def test_a_tolerance_changes_nothing_in_the_papers_scores() -> None:
    """Scores are means of up to 9 answers in -1, 0, 1: two of them are equal to the last bit or at least 1/9 apart."""
    files = read_paper_files(PAPER)
    assert files.test is not None
    features = list(files.table1.index)
    for change in (prompt_changes(files.test), sae_changes(files.test, features, "Mary Holt")):
        numbers = change.to_numpy()
        assert np.abs(numbers[numbers != 0]).min() > 0.11
        np.testing.assert_array_equal(conditional_change_rates(numbers), conditional_change_rates(numbers, 0.1))


@needs_paper
def test_a_changed_cell_is_a_mismatch_that_names_it(tmp_path: Path) -> None:
    for name in ("ans_gemma_train_formal.csv", "ans_gemma_test_formal.csv", "table1_gemma_newest.csv"):
        shutil.copyfile(PAPER / name, tmp_path / name)
    table = pd.read_csv(tmp_path / "table1_gemma_newest.csv", index_col=0, dtype=str)
    cell = table.iloc[2, 5]
    table.iloc[2, 5] = "0" + cell[cell.index("/") :]
    table.to_csv(tmp_path / "table1_gemma_newest.csv")
    found = reproduce_paper(tmp_path)
    assert not found.matches
    assert found.comparisons[0].verdict == "MISMATCH"
    assert found.comparisons[0].computed == "169 equal"
    assert f"feature {table.index[2]}, {table.columns[5]}".replace(".0", "") in found.comparisons[0].note
    rest = [row for row in found.comparisons if row.what.startswith(("Table 2: ", "bars"))]
    assert {row.verdict for row in rest} == {"not given"}
    assert rest[0].computed == "34 cells" and "no file table2_gemma.csv" in rest[0].note


# -- a made-up model -----------------------------------------------------------------------------------------------


def _answers(rng: np.random.Generator, edits: list[str]) -> pd.DataFrame:
    """Rows in the paper's format, whose values hang together and move with the edits."""
    rows = []
    for persona in PERSONAS:
        base = rng.normal(size=3)
        for edit in edits:
            own = base + rng.normal(size=3) * (0.6 if edit else 0.2)
            mixed = [own[0], own[0] + own[1], own[1], own[1] - own[2], own[2], own[2]] + rng.normal(size=6) * 0.4
            scores = np.clip(np.round(3 * np.tanh(mixed)), -3, 3) / 3
            row = {"steer_dim": edit, "player_name": persona}
            for value, score in zip(VALUES, scores, strict=True):
                row |= {value: score, f"{value}:scstd": -1}
            rows.append(row | {"stds": 0.5, "scstds": ""})
    return pd.DataFrame(rows)


def _change(table: pd.DataFrame, edit: str, persona: str, value: str, base_persona: str | None = None) -> float:
    key = table.set_index(["steer_dim", "player_name"])[value]
    return key[(edit, persona)] - key[("", persona if base_persona is None else base_persona)]


def _published_table_1(train: pd.DataFrame, test: pd.DataFrame) -> pd.DataFrame:
    cells = pd.DataFrame(index=[float(f) for f in FEATURES], columns=VALUES, dtype=object)
    for feature in FEATURES:
        for value in VALUES:
            numbers = []
            for table in (train, test):
                signs = [np.sign(_change(table, feature, persona, value)) for persona in PERSONAS]
                numbers += [signs.count(1), signs.count(-1), signs.count(0)]
            cells.loc[float(feature), value] = "/".join(map(str, numbers))
    return cells


def _published_table_2(test: pd.DataFrame, graphs: dict[str, list[list[str]]]) -> pd.DataFrame:
    table = pd.DataFrame(np.nan, index=list(TABLE_2_ROWS), columns=VALUES)
    rows = {
        "prompt": [("", persona, "Ann") for persona in PERSONAS[1:]],
        "sae": [(feature, "Eve", None) for feature in FEATURES],
    }
    for steering, of in rows.items():
        for graph, name in (("ours", "toy"), ("refs", "human1")):
            arrows = nx.DiGraph(graphs[name])
            for i in VALUES:
                below = nx.descendants(arrows, i) - {i} if i in arrows else set()
                moved = [row for row in of if _change(test, row[0], row[1], i, row[2]) != 0]
                for group in ("expected", "unexpected"):
                    others = [j for j in VALUES if j != i and (j in below) == (group == "expected")]
                    rates = [np.mean([_change(test, r[0], r[1], j, r[2]) != 0 for r in moved]) for j in others if moved]
                    if rates:
                        table.loc[f"mean_scorechange__{steering}_{graph}_{group}", i] = np.mean(rates)
    return table


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("causallearn", reason="needs causal-learn")
    folder = tmp_path_factory.mktemp("toy")
    rng = np.random.default_rng(5)
    train, test = _answers(rng, ["", *FEATURES, "99"]), _answers(rng, ["", *FEATURES, "99"])
    train.to_csv(folder / "ans_toy_train_formal.csv", index=False)
    test.to_csv(folder / "ans_toy_test_formal.csv", index=False)
    for sign in ("positive", "negative"):
        _answers(rng, [""]).to_csv(folder / f"ans_toy_test_compare_{sign}.csv", index=False)
    _published_table_1(train, test).to_csv(folder / "table1_toy_newest.csv")
    graph = discover(train.loc[train["steer_dim"] != "99", VALUES], backend="causal-learn", test="fisherz")
    both = [way for a, b in graph.undirected_edges() for way in ([a, b], [b, a])]
    own = [[*edge, 1, "single-arrow"] for edge in [*map(list, graph.directed_edges()), *both]]
    graphs = {"toy": own, "human1": [["Social", "Empathy", 1, "x"], ["Empathy", "Religious", 1, "x"]]}
    assert own
    (folder / "graphs.json").write_text(json.dumps({"edges": graphs}))
    _published_table_2(test, {name: [edge[:2] for edge in edges] for name, edges in graphs.items()}).to_csv(
        folder / "table2_toy.csv"
    )
    return folder


@pytest.fixture
def copied(toy: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(toy, tmp_path / "toy"))


CHOSEN = {"positive": {"Social": 42, "Empathy": 7}, "negative": {"Religious": 1001}}


def test_another_model_is_computed_by_the_same_rules(toy: Path) -> None:
    found = reproduce_paper(toy, persona="Eve", chosen=CHOSEN)
    assert found.model == "toy" and found.features == tuple(FEATURES)
    verdicts = {row.what: row.verdict for row in found.comparisons}
    matches = {what for what, verdict in verdicts.items() if verdict == "match"}
    assert found.counts()["MISMATCH"] == 0
    assert matches == {
        "Table 1: personas up, down, same",
        "graph: who reaches whom",
        "Table 2: role prompts",
        "Table 2: SAE",
        *(f"bars: {s}, {g}" for s in ("role prompts", "SAE") for g in ("own graph", "human graph")),
    }


def test_similarity_and_noise_are_those_of_scipy(toy: Path) -> None:
    found = reproduce_paper(toy)
    for (feature, value), cell in found.tables["table1"].iterrows():
        train, test = cell.to_numpy(dtype=float)[:3], cell.to_numpy(dtype=float)[3:]
        assert found.tables["similarity"].loc[feature, value] == pytest.approx(1 - cosine(train, test))
        assert found.tables["noise"].loc[feature, value] == pytest.approx(min(train) / sum(train))
    shown = [value for value in VALUES if value != "Empathy"]  # the printed Table 1 leaves it out
    stated = next(row.computed for row in found.comparisons if row.what == "noise")
    assert stated == f"{found.tables['noise'][shown].to_numpy().mean():.4f}"


def test_pies_count_every_persona_and_chosen_value(toy: Path) -> None:
    found = reproduce_paper(toy, chosen=CHOSEN)
    test = pd.read_csv(toy / "ans_toy_test_formal.csv", dtype={"steer_dim": str}).fillna(
        {"steer_dim": "", "player_name": ""}
    )
    hard = pd.read_csv(toy / "ans_toy_test_compare_negative.csv").fillna({"player_name": ""})
    signs = [np.sign(_change(test, str(f), p, v)) for v, f in CHOSEN["positive"].items() for p in PERSONAS]
    expected = [signs.count(sign) for sign in (1, 0, -1)]
    assert found.tables["pies"].loc[("positive", "SAE")].tolist() == expected
    before = test[test["steer_dim"] == ""].set_index("player_name")["Religious"]
    change = np.sign(hard.set_index("player_name")["Religious"] - before).to_list()
    assert found.tables["pies"].loc[("negative", "hard prompt")].tolist() == [change.count(s) for s in (1, 0, -1)]


def test_without_a_choice_of_features_there_are_no_pies(toy: Path) -> None:
    found = reproduce_paper(toy)
    assert "pies" not in found.tables
    notes = [row.note for row in found.comparisons if row.what.startswith("pie")]
    assert len(notes) == 4 and all("which feature is to move which value" in note for note in notes)


def test_features_can_be_named(copied: Path) -> None:
    (copied / "table1_toy_newest.csv").unlink()
    assert "no features are known" in str(reproduce_paper(copied))
    named = reproduce_paper(copied, features=[42, "7"], persona="Eve")
    assert named.features == ("42", "7") and len(named.tables["table1"]) == 2 * len(VALUES)
    with pytest.raises(ValueError, match=r"features: ans_toy_train_formal\.csv has no rows of feature 8"):
        reproduce_paper(copied, features=[8])
    with pytest.raises(ValueError, match="at least one feature"):
        reproduce_paper(copied, features=[])
    with pytest.raises(TypeError, match="the string '42'"):
        reproduce_paper(copied, features="42")


@pytest.mark.parametrize(
    ("gone", "lost"),
    [
        ("ans_toy_train_formal.csv", {"Table 1", "similarity", "noise", "graph"}),
        ("ans_toy_test_formal.csv", {"Table 1", "similarity", "noise", "Table 2", "bars", "pie"}),
        ("ans_toy_test_compare_positive.csv", {"pie: positive, hard"}),
        ("table1_toy_newest.csv", {"Table 1", "similarity", "noise", "graph", "Table 2: SAE", "bars: SAE"}),
        ("table2_toy.csv", set()),
        ("graphs.json", {"bars: role prompts, human", "bars: SAE, human"}),
    ],
)
def test_a_file_that_is_not_there_stops_only_what_needs_it(copied: Path, gone: str, lost: set[str]) -> None:
    before = reproduce_paper(copied, persona="Eve", chosen=CHOSEN)
    (copied / gone).unlink()
    after = reproduce_paper(copied, persona="Eve", chosen=CHOSEN)
    assert after.matches
    assert [row.what for row in after.comparisons] == [row.what for row in before.comparisons]
    for old, new in zip(before.comparisons, after.comparisons, strict=True):
        if any(new.what.startswith(what) for what in lost):
            assert new.computed is None and new.match is None and new.note.startswith("not computable: ")
        elif "Table" not in new.what:
            assert new.computed is not None and new.computed in (old.computed, f"{old.computed}")


def test_a_persona_that_is_not_there_is_named(toy: Path) -> None:
    rows = {row.what: row for row in reproduce_paper(toy).comparisons}
    assert "'Mary Holt'" in rows["Table 2: SAE"].note and rows["Table 2: SAE"].match is None
    assert rows["Table 2: role prompts"].match


def test_no_graph_from_too_few_answers_but_the_rest(copied: Path) -> None:
    name = copied / "ans_toy_train_formal.csv"
    table = pd.read_csv(name, dtype={"steer_dim": str})
    table[table["player_name"] == "Bob"].query("steer_dim != '99'").to_csv(name, index=False)
    (copied / "table1_toy_newest.csv").unlink()
    found = reproduce_paper(copied, features=FEATURES[:2])  # 3 rows of 6 values
    rows = {row.what: row for row in found.comparisons}
    assert found.graph is None
    assert "not computable: " in rows["graph: directed edges"].note
    assert rows["Table 2: role prompts"].match  # its graph is the published one
    assert found.tables["table1"][["train up", "train down", "train same"]].sum(axis=1).eq(1).all()


def test_a_value_that_never_varies_is_left_out_of_the_graph(copied: Path) -> None:
    name = copied / "ans_toy_train_formal.csv"
    pd.read_csv(name).assign(Social=1.0).to_csv(name, index=False)
    found = reproduce_paper(copied)
    assert found.graph is not None and set(found.graph.excluded) == {"Social"}
    reach = next(row for row in found.comparisons if row.what == "graph: who reaches whom")
    assert reach.match is False and "too few" in reach.note


def test_one_persona_cannot_be_compared_with_another(copied: Path) -> None:
    name = copied / "ans_toy_test_formal.csv"
    table = pd.read_csv(name)
    table[table["player_name"].isna() | (table["player_name"] == "Eve")].to_csv(name, index=False)
    rows = {row.what: row for row in reproduce_paper(copied, persona="Eve").comparisons}
    assert "fewer than 2 personas" in rows["Table 2: role prompts"].note
    assert rows["Table 2: SAE"].match


def test_missing_scores_count_nowhere(copied: Path) -> None:
    name = copied / "ans_toy_test_formal.csv"
    table = pd.read_csv(name, dtype={"steer_dim": str})
    table.loc[(table["steer_dim"] == "7") & table["player_name"].isin(["Ann", "Bob"]), "Social"] = np.nan
    table.to_csv(name, index=False)
    counts = reproduce_paper(copied).tables["table1"][["test up", "test down", "test same"]].sum(axis=1)
    assert counts[("7", "Social")] == len(PERSONAS) - 2 and counts.drop(("7", "Social")).eq(len(PERSONAS)).all()


# -- files that are not what they should be ------------------------------------------------------------------------


def _edit(name: str, change: Callable[[str], str]) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        path = folder / name
        path.write_text(change(path.read_text()))

    return apply


def test_a_byte_order_mark_is_no_fault(copied: Path) -> None:
    before = reproduce_paper(copied)
    path = copied / "graphs.json"
    path.write_text(path.read_text(), encoding="utf-8-sig")
    assert str(reproduce_paper(copied)) == str(before)


def _first_cell(text: str) -> str:
    head, row, *rest = text.split("\n")
    feature, _, *cells = row.split(",")
    return "\n".join([head, ",".join([feature, "4/25/72", *cells]), *rest])


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_edit("table1_toy_newest.csv", _first_cell), r"table1_toy.*: feature 7, value 'Aesthetic': .*4/25/72"),
        (_edit("table1_toy_newest.csv", lambda t: t.replace("\n7.0,", "\nx,")), "number of a feature.*'x'"),
        (_edit("table1_toy_newest.csv", lambda t: t.replace("\n7.0,", "\n42.0,")), "row '42' comes twice"),
        (_edit("table1_toy_newest.csv", lambda t: t.replace("\n7.0,", "\n5.0,")), "no rows of feature 5"),
        (_edit("table2_toy.csv", lambda t: t.replace("sae_refs_expected", "sae_other")), "expected the rows"),
        (_edit("table2_toy.csv", lambda t: t.replace("expected,", "expected,x", 1)), "in column 'Aesthetic'"),
        (_edit("ans_toy_train_formal.csv", lambda t: t.replace("Social,", "Sociable,")), "differ in Sociable, Social"),
        (_edit("ans_toy_test_formal.csv", lambda t: t.replace(",Ann,", ",Ann,maybe", 1)), "test_formal.*numbers"),
        (_edit("ans_toy_test_formal.csv", lambda t: t.replace(",Ann,", ",Ann,7", 1)), "between -1 and 1"),
        (_edit("ans_toy_test_formal.csv", lambda t: t.replace(",Ann,", ",Bob,", 1)), "comes twice"),
        (_edit("ans_toy_test_formal.csv", lambda t: t.replace("steer_dim", "edits")), "expected columns edit"),
        (_edit("graphs.json", lambda t: t[:-2]), r"graphs\.json: "),
        (_edit("graphs.json", lambda t: t.replace('"edges"', '"edge"')), "expected .*edges"),
        (_edit("graphs.json", lambda t: t.replace('["Social", "Em', '[3, "Em')), "'human1': every edge .* got .3,"),
        (_edit("graphs.json", lambda t: t.replace('["Social", "Em', '["Sociable", "Em')), "lacks: Sociable"),
    ],
)  # fmt: skip
def test_malformed_files_are_named(copied: Path, spoil: Callable[[Path], None], message: str) -> None:
    spoil(copied)
    with pytest.raises(ValueError, match=message):
        reproduce_paper(copied)


def test_the_model_is_read_out_of_the_file_names(copied: Path) -> None:
    shutil.copyfile(copied / "table2_toy.csv", copied / "table2_other.csv")
    with pytest.raises(ValueError, match="files of other, toy; name one"):
        reproduce_paper(copied)
    assert reproduce_paper(copied, "toy").matches
    other = reproduce_paper(copied, "other")
    assert other.counts() == {"match": 0, "MISMATCH": 0, "not given": len(other.comparisons)}
    with pytest.raises(FileNotFoundError, match="expected ans_llama_train_formal"):
        reproduce_paper(copied, "llama")
    with pytest.raises(FileNotFoundError, match="no such folder"):
        reproduce_paper(copied / "none")


def test_bad_choices_are_named(toy: Path) -> None:
    with pytest.raises(ValueError, match="'up'"):
        reproduce_paper(toy, chosen={"up": {}})
    notes = str(reproduce_paper(toy, chosen={"positive": {"Wealth": 7}, "negative": {"Social": 8}}))
    assert "the answers lack the values Wealth" in notes and "lack feature 8, chosen to move Social" in notes


@given(st.integers(1, 7), st.integers(0, 10_000))
def test_reachability_is_that_of_networkx(d: int, seed: int) -> None:
    names = [f"v{i}" for i in range(d)]
    arrows = nx.gnp_random_graph(d, 0.3, seed=seed, directed=True)
    reach = reachability([(names[a], names[b]) for a, b in arrows.edges], names)
    for i in range(d):
        assert {j for j in range(d) if reach.iloc[i, j]} == nx.descendants(arrows, i) - {i}


# -- the command ---------------------------------------------------------------------------------------------------


def test_the_command_prints_writes_and_fails_on_a_mismatch(copied: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run = CliRunner().invoke(app, ["paper", str(copied), "--output", str(out)])
    assert run.exit_code == 0, run.output
    assert "match      Table 1: personas up, down, same" in run.output
    assert "0 MISMATCH" in run.output and "not given  noise" in run.output
    assert {path.name for path in out.iterdir()} >= {"comparisons.csv", "table1.csv", "table2.csv", "graph.json"}
    own, published = (pd.read_csv(path) for path in (out / "table1.csv", copied / "table1_toy_newest.csv"))
    assert own.columns[1:].equals(published.columns[1:]) and own.to_numpy().tolist() == published.to_numpy().tolist()
    own, published = (pd.read_csv(path, index_col=0) for path in (out / "table2.csv", copied / "table2_toy.csv"))
    shared = [row for row in published.index if row in own.index]
    assert shared == [row for row in TABLE_2_ROWS if "prompt" in row]  # there is no Mary Holt
    np.testing.assert_allclose(own.loc[shared], published.loc[shared], atol=1e-12)
    assert isinstance(ValueGraph.load(out / "graph.json"), ValueGraph)

    _edit("table1_toy_newest.csv", lambda text: text.replace("/0/", "/1/", 1))(copied)
    run = CliRunner().invoke(app, ["paper", str(copied), "--model", "toy"])
    assert run.exit_code == 1
    assert "MISMATCH   Table 1: personas up, down, same" in run.output and "1 MISMATCH" in run.output


def test_the_command_names_what_is_wrong_in_one_line(copied: Path) -> None:
    run = CliRunner().invoke(app, ["paper", str(copied), "--features", "7,8"])
    assert run.exit_code == 1 and "has no rows of feature 8" in run.output and "Traceback" not in run.output
    run = CliRunner().invoke(app, ["paper", str(copied), "--pictures", "gif"])
    assert run.exit_code == 1 and "png or svg" in run.output


@pytest.mark.parametrize("kind", ["png", "svg"])
def test_pictures_are_whole_and_say_what_they_should(toy: Path, tmp_path: Path, kind: str) -> None:
    found = reproduce_paper(toy, persona="Eve", chosen=CHOSEN)
    written = write_paper(found, tmp_path / "out", kind)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(path.name for path in written)
    pictures = {path.stem: path for path in written if path.suffix == f".{kind}"}
    assert set(pictures) == {"table1", "bars", "pies", "graph"}
    if kind == "png":
        assert all(path.read_bytes().startswith(b"\x89PNG") for path in pictures.values())
        return
    texts = {name: path.read_text() for name, path in pictures.items()}
    assert all(value in texts["table1"] and value in texts["graph"] for value in VALUES)
    bars, pies = found.tables["bars"], found.tables["pies"]
    assert all(f"{mean:.3f}" in texts["bars"] for mean in bars.to_numpy().ravel() if np.isfinite(mean))
    shares = pies.div(pies.sum(axis=1), axis=0).to_numpy().ravel()
    assert all(f"{share:.1%}" in texts["pies"] for share in shares if share > 0)


def test_a_folder_that_cannot_be_made_is_named(toy: Path, tmp_path: Path) -> None:
    found = reproduce_paper(toy)
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot make the folder"):
        write_paper(found, tmp_path / "file")
    with pytest.raises(ValueError, match="'png' or 'svg'"):
        write_paper(found, tmp_path / "out", "gif")
    assert not (tmp_path / "out").exists()
