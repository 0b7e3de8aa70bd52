"""The report in a real browser: the value graph can be used by pointer, keys and screen reader, and nothing leaves the
page. Thresholds and strengths are those of the graph itself; accessibility is judged by axe-core."""

from __future__ import annotations

import contextlib
import io
import shutil
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import pyvalue as pv
from pyvalue.graph import DiscoverySettings, ValueGraph
from pyvalue.responses import make_table
from pyvalue.schwartz_circle import CIRCLE

sync_api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine")

ARGUMENTS = (
    "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
READY = "document.documentElement.dataset.graph === 'ready'"
DRAWN = "Bokeh.documents[0].get_model_by_name('edges').data.xs.length"
ROWS = "[...document.querySelectorAll('tr[data-strength]')].filter((row) => row.offsetParent !== null).length"
SPANS = "Bokeh.documents.map((d) => d.roots()[0].x_range).map((range) => range.end - range.start)"
#: where on the screen the middle of an edge or a value is
PLACE = """([kind, index]) => {
  const plot = Bokeh.documents[0].roots()[0], data = plot.document.get_model_by_name(kind).data;
  const middle = (column) => (kind === "edges" ? column[index][column[index].length >> 1] : column[index]);
  const [x, y] = kind === "edges" ? [middle(data.xs), middle(data.ys)] : [middle(data.x), middle(data.y)];
  const box = document.getElementById("graph-model").getBoundingClientRect(), { x_range, y_range } = plot;
  return [box.left + (x - x_range.start) / (x_range.end - x_range.start) * box.width,
          box.top + (y_range.end - y) / (y_range.end - y_range.start) * box.height];
}"""
EVIL = "<script>window.harm = 1</script>"
WORSE = "</script><img src=x onerror='window.harm = 2'>"


def chain(names, n=60, seed=0, weight=0.45):
    """Answers in which every value hangs on the one before, so that edges come out with many strengths."""
    random = np.random.default_rng(seed)
    table = random.normal(size=(n, len(names)))
    for column in range(1, len(names)):
        table[:, column] += weight * table[:, column - 1]
    return pd.DataFrame(table, columns=list(names))


@pytest.fixture(scope="module")
def graph():
    return pv.discover(chain(CIRCLE), bootstrap=200)


@pytest.fixture(scope="module")
def page_file(graph, tmp_path_factory):
    return pv.report([graph], tmp_path_factory.mktemp("report"), missing=["No plan was made."], title="A study")


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        yield chromium
        chromium.close()


@contextlib.contextmanager
def opened(browser, path, ready=True, **options):
    """The page in a context of its own; fails where it asked for anything but itself or complained."""
    context = browser.new_context(**{"viewport": {"width": 1200, "height": 900}, "reduced_motion": "reduce"} | options)
    page = context.new_page()
    asked, said = [], []
    page.said = said
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda fault: said.append(str(fault)))
    page.on("dialog", lambda dialog: (said.append("a dialog"), dialog.dismiss()))
    page.goto(Path(path).as_uri())
    if ready:
        until(page, READY)
    yield page
    # Icons inside of Bokeh's style sheets are data, not requests.
    assert [url for url in asked if not url.startswith("data:")] == [Path(path).as_uri()]
    assert said == []
    context.close()


@pytest.fixture(scope="module")
def reader(browser, page_file):
    with opened(browser, page_file, color_scheme="light") as page:
        yield page


@pytest.fixture
def page(reader):
    """One open page for many tests, as it was when it was opened but for the order of a table's rows."""
    reader.emulate_media(media="screen", color_scheme="light", reduced_motion="reduce")
    reader.locator("#graph-threshold").press("Home")
    reader.locator("#graph-reset").click()
    reader.mouse.move(1, 1)
    until(reader, "document.getElementById('graph-tip').hidden")
    return reader


def until(page, condition):
    """Wait; Playwright's own way of waiting for an expression is what the page's policy forbids."""
    deadline = time.monotonic() + 20
    while not page.evaluate(condition):
        assert time.monotonic() < deadline, f"never became true: {condition}"
        page.wait_for_timeout(20)


def point_at(page, kind, index):
    page.evaluate("document.getElementById('graph-model').scrollIntoView({block: 'center'})")
    page.mouse.move(*page.evaluate(PLACE, [kind, index]))
    until(page, "!document.getElementById('graph-tip').hidden")
    return page.inner_text("#graph-tip")


def pixels(page, selector):
    import matplotlib.image

    return matplotlib.image.imread(io.BytesIO(page.locator(selector).screenshot()))[..., :3]


# -- the page ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        {"color_scheme": "light"},
        {"color_scheme": "dark"},
        {"viewport": {"width": 390, "height": 844}, "is_mobile": True},
    ],
    ids=["light", "dark", "phone"],
)
def test_asks_for_nothing_complains_of_nothing_and_fits(browser, page_file, options):
    with opened(browser, page_file, **options) as page:
        assert page.title() == "A study" and "No plan was made." in page.inner_text("[role=note]")
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        anchors = page.eval_on_selector_all("nav a", "links => links.map((link) => link.getAttribute('href'))")
        assert len(anchors) >= 5
        assert anchors == [f"#{name}" for name in page.eval_on_selector_all("h2", "all => all.map((one) => one.id)")]
        # Something is drawn on the plot, and the still picture is not shown beside it.
        assert np.ptp(pixels(page, "#graph-model").reshape(-1, 3), axis=0).min() > 0.3
        assert not page.locator(".still").first.is_visible()


def test_a_wide_tables_caption_stays_in_view_on_a_phone(browser, tmp_path):
    names = [f"A value of a long name, number {i}" for i in range(4)]
    rows = np.random.default_rng(0).normal(size=(60, 4)) @ np.triu(np.ones((4, 4)))
    path = pv.report([pv.discover(pd.DataFrame(rows, columns=names), bootstrap=40)], tmp_path)
    with opened(browser, path, viewport={"width": 390, "height": 844}) as page:
        table = page.locator(".scroll").first
        assert table.evaluate("one => one.scrollWidth > one.clientWidth + 50")
        for left in (0, 60):
            table.evaluate("(one, left) => { one.scrollLeft = left; }", left)
            box = table.locator("caption span").bounding_box()
            assert box["x"] >= 0 and box["x"] + box["width"] <= 390


def test_without_scripts_the_still_picture_stands_in(browser, page_file):
    with opened(browser, page_file, ready=False, java_script_enabled=False) as page:
        assert page.locator("figure.still svg").count() == 2
        assert page.locator("figure.still svg").first.is_visible() and not page.locator("#graph-widget").is_visible()


def test_on_paper_the_still_picture_and_all_rows_are_shown(page, graph):
    page.locator("#graph-threshold").press("End")
    page.emulate_media(media="print")
    assert page.locator("figure.still svg").first.is_visible() and not page.locator("#graph-widget").is_visible()
    assert page.evaluate(ROWS) == len(graph.edges())
    assert not page.locator("nav").is_visible()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.pdf()[:5] == b"%PDF-"


def test_only_the_pages_own_scripts_run(browser, page_file):
    with opened(browser, page_file) as page:
        refused = page.evaluate("""() => new Promise((done) => {
            document.addEventListener("securitypolicyviolation", (event) => done(event.effectiveDirective));
            const script = document.createElement("script");
            script.textContent = "window.harm = 1";
            document.body.append(script);
            setTimeout(() => done("it ran"), 3000);
        })""")
        assert refused == "script-src-elem" and page.evaluate("window.harm") is None
        page.said.clear()  # the refusal is on the console too


# -- filter ------------------------------------------------------------------------------------------------------


def test_the_slider_filters_edges_and_rows_by_keyboard(page, graph):
    table = graph.strengths().query("in_graph")
    assert len(table) >= 8 and table["strength"].nunique() >= 5
    slider = page.get_by_label("Edges found in at least")
    bare = pixels(page, "#graph-model")
    slider.focus()
    seen = set()
    for key, share in (
        ("Home", 0),
        *(("PageUp", 10 * step) for step in range(1, 10)),
        ("ArrowRight", 91),
        ("End", 100),
    ):
        page.keyboard.press(key)
        expected = int((table["strength"] >= share / 100 - 1e-9).sum())
        assert (page.evaluate(DRAWN), page.evaluate(ROWS)) == (expected, expected)
        assert page.inner_text("#graph-count") == f"{expected} of {len(table)} edges shown"
        assert page.inner_text("output") == f"{share}%"
        assert slider.get_attribute("aria-valuetext") == f"{share}% of the replicates"
        seen.add(expected)
    assert len(seen) >= 4 and page.get_attribute("#graph-count", "role") == "status"
    page.wait_for_timeout(100)
    assert np.abs(pixels(page, "#graph-model") - bare).max() > 0.2
    heads = page.evaluate("Bokeh.documents[0].get_model_by_name('heads').data.edge.length")
    kept = {frozenset(pair) for pair in table.query("strength >= 1")[["source", "target"]].itertuples(index=False)}
    assert heads == sum(frozenset(pair) in kept for pair in graph.directed_edges())


def test_a_graph_without_bootstrap_has_no_slider_and_says_why(browser, tmp_path):
    path = pv.report([pv.discover(chain(CIRCLE))], tmp_path)
    with opened(browser, path) as page:
        assert page.locator("input[type=range]").count() == 0
        assert "made without a bootstrap" in page.inner_text("#graph-widget")
        assert "without a bootstrap" not in point_at(page, "edges", 0)


def test_an_empty_graph_is_drawn(browser, tmp_path):
    empty = ValueGraph(("Power", "Wisdom"), np.zeros((2, 2), dtype=np.int8), DiscoverySettings(0.05, 10))
    with opened(browser, pv.report([empty], tmp_path)) as page:
        assert page.evaluate(DRAWN) == 0
        assert point_at(page, "values", 1).splitlines()[0] == "Wisdom"


# -- zoom, pan, pointer ------------------------------------------------------------------------------------------


def test_zoom_by_buttons_and_keys_moves_both_graphs(page):
    home = page.evaluate(SPANS)
    assert len(home) == 2 and home[0] == pytest.approx(home[1])
    for name, factor in (("Zoom in", 1.4), ("Zoom in", 1.96), ("Zoom out", 1.4), ("Reset", 1.0)):
        page.get_by_role("button", name=name).focus()
        page.keyboard.press("Enter")
        assert page.evaluate(SPANS) == pytest.approx([home[0] / factor] * 2)
    page.locator("#graph-model").focus()
    page.keyboard.press("+")
    page.keyboard.press("ArrowLeft")
    moved = page.evaluate("Bokeh.documents.map((d) => d.roots()[0].x_range.start + d.roots()[0].x_range.end)")
    assert moved[0] == pytest.approx(moved[1]) and moved[0] < -0.1
    page.keyboard.press("0")
    assert page.evaluate(SPANS) == pytest.approx(home)


def test_dragging_and_the_wheel_with_ctrl_move_the_graph(page):
    page.evaluate("document.getElementById('graph-model').scrollIntoView({block: 'center'})")
    home, top = page.evaluate(SPANS), page.evaluate("scrollY")
    box = page.locator("#graph-model").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.keyboard.down("Control")
    page.mouse.wheel(0, -200)
    until(page, f"Bokeh.documents[1].roots()[0].x_range.end * 2 < {home[0] * 0.95}")
    page.keyboard.up("Control")
    assert page.evaluate("scrollY") == top
    middle = "Bokeh.documents[1].roots()[0].x_range.start + Bokeh.documents[1].roots()[0].x_range.end"
    before = page.evaluate(middle)
    page.mouse.down()
    page.mouse.move(x + 80, y, steps=4)
    page.mouse.up()
    assert page.evaluate(middle) < before - 0.1


def test_pointing_at_an_edge_tells_its_strength_directions_and_test(page, graph):
    last = page.evaluate(DRAWN) - 1  # the strongest lies on top
    said = point_at(page, "edges", last)
    source, sign, target = said.splitlines()[0].partition(" → ") if "→" in said.splitlines()[0] else (
        said.splitlines()[0].partition(" — ")
    )  # fmt: skip
    rows = graph.strengths().set_index(["source", "target"])
    row = rows.loc[(source, target)] if (source, target) in rows.index else rows.loc[(target, source)]
    assert row["strength"] == graph.strengths().query("in_graph")["strength"].max()
    assert (source, target) in (graph.directed_edges() if sign == " → " else graph.undirected_edges())
    one, other = row.name
    for words, share in ((f"{one} → {other}", row["forward"]), (f"{other} → {one}", row["backward"])):
        (line,) = [line for line in said.splitlines() if line.startswith(f"{words}: ")]
        assert float(line.rsplit(" ", 1)[1].rstrip("%")) == pytest.approx(100 * share, abs=0.5)
    assert "of 200 replicates [" in said and "test fisherz, α = 0.05, n = 60" in said
    page.mouse.move(1, 1)
    until(page, "document.getElementById('graph-tip').hidden")


def test_pointing_at_a_value_tells_what_follows_and_fades_the_rest(page, graph):
    name = max(graph.names, key=lambda one: len(graph.definite_descendants(one)))
    definite = graph.definite_descendants(name)
    possible = graph.possible_descendants(name) - definite
    assert definite
    _, moves, may = point_at(page, "values", graph.names.index(name)).splitlines()
    listed = {one for one in graph.names if one in moves}, {one for one in graph.names if one in may}
    assert listed == (set(definite), set(possible))
    alpha = page.evaluate("[...Bokeh.documents[0].get_model_by_name('values').data.alpha]")
    near = {name, *definite, *possible}
    assert [share == 1 for share in alpha] == [one in near for one in graph.names]


# -- the graph beside it -----------------------------------------------------------------------------------------


def test_the_theory_is_shown_and_called_theory(page):
    assert page.get_by_role("heading", name="The theory", exact=True).is_visible()
    assert "is no measurement" in page.inner_text(".compared")
    assert page.evaluate("Bokeh.documents[1].get_model_by_name('edges').data.xs.length") > 9


def test_a_given_reference_is_compared_edge_by_edge(browser, tmp_path):
    def of(names, arrows, lines=()):
        marks = np.zeros((len(names), len(names)), dtype=np.int8)
        for i, j in arrows:
            marks[i, j], marks[j, i] = -1, 1
        for i, j in lines:
            marks[i, j] = marks[j, i] = -1
        return ValueGraph(tuple(names), marks, DiscoverySettings(0.05, 10))

    mine, other = of("ABCD", [(0, 1), (1, 2)], [(2, 3)]), of("CBAE", [(1, 0), (3, 2)], [(1, 2)])
    path = pv.report([mine], tmp_path, reference=other)
    with opened(browser, path, viewport={"width": 390, "height": 844}) as page:
        said = page.inner_text(".compared")
        assert "In both, 2 edges: A → B (there B — A) and B → C." in said.replace("A — B", "B — A")
        assert "Only in this graph, 0 edges: none." in said and "Only in the reference, 0 edges: none." in said
        assert "The reference does not have D" in said and "This graph does not have E" in said
        boxes = [page.locator(f"#{name}").bounding_box() for name in ("graph-model", "graph-reference")]
        assert boxes[1]["y"] > boxes[0]["y"] + boxes[0]["height"]  # below each other on a phone


# -- colours and accessibility -----------------------------------------------------------------------------------


def test_colours_follow_the_scheme_also_when_it_changes(page):
    text = "Bokeh.documents[0].get_model_by_name('names').glyph.text_color.value"
    light, ink = pixels(page, "#graph-model"), page.evaluate(text)
    page.emulate_media(color_scheme="dark")
    until(page, f"{text} !== {ink!r}")
    page.wait_for_timeout(150)
    dark = pixels(page, "#graph-model")
    assert np.median(light) > 0.95 and np.median(dark) < 0.2
    assert light.min() < 0.3 and dark.max() > 0.8  # names stand out in both


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(page, scheme):
    axe_run = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-core is not installed")
    page.emulate_media(color_scheme=scheme)
    page.locator("#graph-descendants").evaluate("details => { details.open = true }")
    page.wait_for_timeout(150)
    found = axe_run.Axe().run(page).response
    bad = [rule for rule in found["violations"] if rule["impact"] in ("serious", "critical")]
    assert [(rule["id"], rule["nodes"][0]["html"][:200]) for rule in bad] == []
    assert len(found["passes"]) > 20


def test_moves_only_where_that_is_welcome(page):
    behaviour = "getComputedStyle(document.documentElement).scrollBehavior"
    assert page.evaluate(behaviour) == "auto"
    page.emulate_media(reduced_motion="no-preference")
    assert page.evaluate(behaviour) == "smooth"


# -- tables ------------------------------------------------------------------------------------------------------


def test_long_tables_are_sorted_by_keyboard(page, graph):
    table = page.locator("table", has=page.locator("tr[data-strength]"))
    button = table.get_by_role("button", name="found")
    button.focus()
    strengths = sorted(round(share, 6) for share in graph.strengths().query("in_graph")["strength"])
    for order, expected in (("ascending", strengths), ("descending", strengths[::-1])):
        page.keyboard.press("Enter")
        rows = table.locator("tbody tr").evaluate_all("rows => rows.map((row) => Number(row.dataset.strength))")
        assert [round(100 * share) for share in rows] == pytest.approx([100 * share for share in expected], abs=1)
        assert table.locator("th[aria-sort]").get_attribute("aria-sort") == order


# -- other people's text -----------------------------------------------------------------------------------------


def test_hostile_names_do_nothing(browser, tmp_path):
    names = (EVIL, WORSE, "$$\\frac{1}{2}$$", "p1001", "\u2028 & \x00 \u202e")
    path = pv.report(
        [pv.discover(chain(names), bootstrap=50)],
        tmp_path,
        reference=pv.discover(chain(names, seed=3)),
        missing=[EVIL],
        title=WORSE,
    )
    with opened(browser, path) as page:
        assert point_at(page, "values", 0).splitlines()[0] == EVIL[:25] + "…"
        assert point_at(page, "values", 1).splitlines()[0] == WORSE[:25] + "…"
        assert point_at(page, "values", 3).splitlines()[0] == "p1001"
        last = point_at(page, "values", 4).splitlines()[0]
        assert not set(last) & set("\u2028\x00\u202e")
        acts = {"\x00", "\x1b", "\u202e", "\u2028"}
        assert not acts & set(page.content()) and "\\u202e" in page.content()
        assert page.locator("img").count() == 0 and page.locator("script").count() == 4
        assert page.evaluate("window.harm") is None
        assert page.title() == WORSE and EVIL in page.inner_text("[role=note]")


# -- size --------------------------------------------------------------------------------------------------------


def study_of_many_edits(values=20, edits=100, personas=3):
    """Answers of a few personas without and under many edits, one item a value and keying."""
    random = np.random.default_rng(1)
    names = [f"value {index}" for index in range(values)]
    axes = [["", *(f"f{index} add 0.5" for index in range(edits))], [f"p{i}" for i in range(personas)], names, [1, -1]]
    table = pd.MultiIndex.from_product(axes, names=["edit", "persona", "value", "keying"]).to_frame(index=False)
    table["p_yes"] = random.uniform(0.05, 0.95, len(table))
    table["item"] = table["value"] + " " + table["keying"].astype(str)
    table["score"] = table["keying"] * (2 * table["p_yes"] - 1)
    table["status"] = np.where(table["p_yes"] >= 0.5, "yes", "no")
    table = table.assign(model="tiny", repeat=0, text="Should I?", mass=0.9)
    return names, pv.Responses(make_table(table.to_dict("list")))


def test_twenty_values_and_a_hundred_edits_are_small_and_open(browser, tmp_path):
    names, answers = study_of_many_edits()
    path = pv.report([answers, pv.discover(chain(names, n=200), bootstrap=20)], tmp_path)
    assert path.stat().st_size <= 3 * 1024 * 1024
    assert (path.parent / "figures" / "heat-map.svg").exists()
    with opened(browser, path) as page:
        load = "performance.getEntriesByType('navigation')[0].loadEventEnd"
        until(page, f"{load} > 0")
        loaded, ready = page.evaluate(f"[{load}, performance.getEntriesByName('graph-ready')[0].startTime]")
        print(f"{path.stat().st_size / 1e6:.2f} MB; loaded after {loaded:.0f} ms, graph after {ready:.0f} ms")
        assert page.evaluate(DRAWN) > 10
