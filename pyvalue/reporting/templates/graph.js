// The interactive value graph. BokehJS draws it; this filters its data by strength, colours it like the page, places
// the names by the room that there is, and shows what is under the pointer. Texts are set as text, never as markup.
(() => {
  "use strict";
  const root = document.documentElement;
  const widget = document.getElementById("graph-widget");
  if (!widget || typeof Bokeh === "undefined") return;

  const given = JSON.parse(document.getElementById("graph-data").textContent);
  const slider = document.getElementById("graph-threshold");
  const shownShare = document.getElementById("graph-threshold-shown");
  const count = document.getElementById("graph-count");
  const MOST_ZOOM = 12, LEAST_ZOOM = 0.5, STEP = 1.4, SMALL_FONT = 12, FONT = 14, CROWDED = 24, NARROW = 480;

  const css = (name) => getComputedStyle(root).getPropertyValue(name).trim();
  const colourOf = (kind) => css(kind === "undirected" ? "--open" : "--ink");
  const threshold = () => (slider ? Number(slider.value) / 100 : 0);
  const strongEnough = (strength) => strength === null || strength >= threshold() - 1e-9;

  // -- data ------------------------------------------------------------------------------------------------------

  function take(columns, rows) {
    return Object.fromEntries(Object.entries(columns).map(([key, column]) => [key, rows.map((row) => column[row])]));
  }

  // Draws what passes the threshold; with a value pointed at, all that does not follow it is faint.
  function paint(panel) {
    const { all, sources, pointed } = panel;
    const near = pointed === null ? null : new Set([pointed, ...all.values.followers[pointed]]);
    const faint = (ends) => near !== null && !(near.has(ends[0]) && near.has(ends[1]));
    const filtered = panel === panels[0];
    const kept = all.edges.kind.map((_, edge) => edge).filter((edge) => !filtered || strongEnough(all.edges.strength[edge]));
    const place = new Set(kept);
    const heads = all.heads.edge.map((_, head) => head).filter((head) => place.has(all.heads.edge[head]));
    const edgeColour = all.edges.kind.map(colourOf);
    const edgeAlpha = all.edges.alpha.map((alpha, edge) => (faint(all.edges.ends[edge]) ? 0.08 : alpha));
    const look = {
      color: kept.map((edge) => edgeColour[edge]),
      alpha: kept.map((edge) => edgeAlpha[edge]),
      width: kept.map((edge) => all.edges.width[edge] * panel.thin),
    };
    panel.kept = kept;
    sources.edges.data = { ...take(all.edges, kept), ...look };
    sources.heads.data = {
      ...take(all.heads, heads),
      color: heads.map((head) => edgeColour[all.heads.edge[head]]),
      alpha: heads.map((head) => edgeAlpha[all.heads.edge[head]]),
    };
    sources.values.data = {
      ...all.values,
      color: all.values.relation.map((relation) => css(relation ? `--${relation}` : "--muted")),
      alpha: all.values.name.map((_, value) => (near === null || near.has(value) ? 1 : 0.2)),
    };
  }

  function colour(panel) {
    const { names, discs, touched } = panel.glyphs;
    names.text_color = { value: css("--ink") };
    names.background_fill_color = { value: css("--card") };
    discs.line_color = { value: css("--card") };
    touched.line_color = { value: css("--muted") };
    paint(panel);
  }

  function say() {
    const shown = given.strengths.filter(strongEnough).length;
    if (slider) {
      shownShare.textContent = `${slider.value}%`;
      slider.setAttribute("aria-valuetext", `${slider.value}% of the replicates`);
      count.textContent = `${shown} of ${given.strengths.length} edges shown`;
    }
    for (const row of document.querySelectorAll("tr[data-strength]")) {
      row.classList.toggle("too-weak", !strongEnough(Number(row.dataset.strength)));
    }
  }

  // -- places ----------------------------------------------------------------------------------------------------

  const short = (name, most) => (name.length > most ? `${name.slice(0, most - 1)}…` : name);

  // Names beside their values where there is room, else above and below them; along the rays where values are many.
  function styleFor(all, width, height) {
    const count = all.values.x.length, narrow = width < NARROW;
    const family = getComputedStyle(document.body).fontFamily;
    const font = count > CROWDED || narrow ? SMALL_FONT : FONT;
    const rays = count > CROWDED || (narrow && count > 12);
    const names = all.values.name.map((name) => short(name, narrow ? (rays ? 14 : 20) : 26));
    const context = document.createElement("canvas").getContext("2d");
    context.font = `${font}px ${family}`;
    const widths = names.map((name) => context.measureText(name).width + 6);
    const long = Math.max(40, ...widths), aside = 0.2 * long; // edges leave inwards, so names stand a little outwards
    const across = (room) => Math.min(...widths.map((wide, i) => room(wide) / Math.max(Math.abs(all.values.x[i]), 0.2)));
    const beside = Math.min(across((wide) => (width / 2 - wide) / 1.12), height / 2 / 1.15 - font);
    const above = Math.min(across((wide) => width / 2 - wide / 2 - aside), (height / 2 - 2 * font) / 1.12);
    const units = { rays: (Math.min(width, height) / 2 - long) / 1.1, beside, above };
    const name = rays ? "rays" : beside >= 0.9 * above ? "beside" : "above";
    return { name, names, font, family, aside, unit: Math.max(30, units[name]) };
  }

  function textPlace(style, x, y, off) {
    const left = x < 0, flat = style.name === "above" || Math.abs(x) < 0.2;
    if (style.name === "rays") {
      return [x * (1 + off), y * (1 + off), Math.atan2(y, x) + (left ? Math.PI : 0), left ? "right" : "left", "middle"];
    }
    if (!flat) return [x * (1 + off), y * (1 + off), 0, left ? "right" : "left", "middle"];
    const outwards = Math.abs(x) < 0.2 ? 0 : (Math.sign(x) * style.aside) / style.unit;
    return [x + outwards, y + (y > 0 ? off : -off), 0, "center", y > 0 ? "bottom" : "top"];
  }

  function fit(panel) {
    const { all, glyphs, element } = panel;
    const width = element.clientWidth, height = element.clientHeight;
    if (!width || !height) return;
    const style = styleFor(all, width, height);
    const placed = all.values.x.map((x, value) => textPlace(style, x, all.values.y[value], all.radius + 6 / style.unit));
    ["text_x", "text_y", "text_angle", "text_align", "text_baseline"].forEach((key, part) => {
      all.values[key] = placed.map((at) => at[part]);
    });
    all.values.label = style.names;
    glyphs.names.text_font = { value: style.family };
    glyphs.names.text_font_size = { value: `${style.font}px` };
    panel.thin = Math.min(1, Math.max(0.4, style.unit / 160));
    panel.home = { x: width / 2 / style.unit, y: height / 2 / style.unit };
    view(panel, 0, 0, 1);
    paint(panel);
  }

  // -- zoom and pan ----------------------------------------------------------------------------------------------

  let moving = false;

  function view(panel, x, y, zoom) {
    moving = true;
    panel.plot.x_range.setv({ start: x - panel.home.x / zoom, end: x + panel.home.x / zoom });
    panel.plot.y_range.setv({ start: y - panel.home.y / zoom, end: y + panel.home.y / zoom });
    moving = false;
  }

  function seen(panel) {
    const { x_range: x, y_range: y } = panel.plot;
    return [(x.start + x.end) / 2, (y.start + y.end) / 2, (2 * panel.home.x) / (x.end - x.start)];
  }

  // Both graphs show the same part, so that they can be compared.
  function move(x, y, zoom) {
    const clipped = Math.min(MOST_ZOOM, Math.max(LEAST_ZOOM, zoom));
    for (const panel of panels) {
      view(panel, x, y, clipped);
      panel.touched.style.touchAction = clipped > 1.01 ? "none" : "pan-y"; // zoomed in, it moves the graph
    }
    root.dataset.graphZoom = clipped.toFixed(2);
  }

  function follow(panel) {
    if (moving || !panel.home) return;
    for (const other of panels) if (other !== panel && other.home) view(other, ...seen(panel));
    root.dataset.graphZoom = seen(panel)[2].toFixed(2);
  }

  function zoomBy(factor) {
    const [x, y, zoom] = seen(panels[0]);
    move(x, y, zoom * factor);
  }

  function onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const [x, y, zoom] = seen(panels[0]), step = 0.2 / zoom;
    const moves = {
      "+": () => zoomBy(STEP), "=": () => zoomBy(STEP), "-": () => zoomBy(1 / STEP), "0": () => move(0, 0, 1),
      ArrowLeft: () => move(x - step, y, zoom), ArrowRight: () => move(x + step, y, zoom),
      ArrowUp: () => move(x, y + step, zoom), ArrowDown: () => move(x, y - step, zoom),
    };
    if (!moves[event.key]) return;
    event.preventDefault();
    moves[event.key]();
  }

  // -- pointer ---------------------------------------------------------------------------------------------------

  const tip = document.getElementById("graph-tip");

  function tell(panel, geometry) {
    const value = panel.sources.values.inspected.indices[0];
    const row = panel.sources.edges.inspected.indices[0];
    const pointed = value === undefined ? null : value;
    if (pointed !== panel.pointed) {
      panel.pointed = pointed;
      paint(panel);
    }
    if (pointed === null && row === undefined) {
      tip.hidden = true;
      return;
    }
    const { all, kept } = panel;
    const edge = kept[row];
    const title = pointed === null ? all.edges.title[edge] : all.values.name[pointed];
    const lines = pointed === null ? all.edges.lines[edge] : all.values.lines[pointed];
    const heading = document.createElement("strong");
    heading.textContent = title;
    tip.replaceChildren(heading, ...lines.map((line) => {
      const part = document.createElement("span");
      part.textContent = line;
      return part;
    }));
    tip.hidden = false;
    place(panel.element, geometry);
  }

  function place(element, { sx, sy }) {
    const frame = widget.getBoundingClientRect(), box = element.getBoundingClientRect();
    const x = box.left - frame.left + sx, y = box.top - frame.top + sy;
    const right = x + 16 + tip.offsetWidth <= frame.width;
    tip.style.left = `${Math.max(0, right ? x + 16 : Math.min(x - 16 - tip.offsetWidth, frame.width - tip.offsetWidth))}px`;
    tip.style.top = `${y + 20}px`;
  }

  function unpoint(panel) {
    tip.hidden = true;
    if (panel.pointed === null) return;
    panel.pointed = null;
    paint(panel);
  }

  // -- start -----------------------------------------------------------------------------------------------------

  const panels = [];

  async function embed(part) {
    const element = document.getElementById(part.target);
    const views = await Bokeh.embed.embed_item(part.item);
    const [view] = [...views];
    const plot = view.model;
    const named = (name) => plot.document.get_model_by_name(name);
    const sources = { edges: named("edges"), heads: named("heads"), values: named("values") };
    const glyphs = { names: named("names").glyph, discs: named("discs").glyph, touched: named("touched").glyph };
    const all = Object.fromEntries(Object.entries(sources).map(([key, source]) => [key, { ...source.data }]));
    all.radius = part.radius;
    const touched = view.canvas_view?.events_el ?? element; // takes all touches, and is a second place for the focus
    touched.tabIndex = touched === element ? 0 : -1;
    touched.style.touchAction = "pan-y"; // a finger that moves up or down scrolls the page
    return { element, touched, plot, sources, glyphs, all, pointed: null, kept: [], home: null, thin: 1 };
  }

  function listen(panel) {
    for (const range of [panel.plot.x_range, panel.plot.y_range]) range.change.connect(() => follow(panel));
    for (const source of [panel.sources.edges, panel.sources.values]) {
      source.inspect.connect(([, { geometry }]) => tell(panel, geometry));
    }
    panel.element.addEventListener("pointerleave", () => unpoint(panel));
    panel.element.addEventListener("keydown", onKey);
    new ResizeObserver(() => fit(panel)).observe(panel.element);
  }

  async function start() {
    widget.hidden = false;
    root.classList.add("graph-live");
    for (const part of given.panels) panels.push(await embed(part));
    for (const panel of panels) {
      colour(panel);
      fit(panel);
      listen(panel);
    }
    addEventListener("beforeprint", () => { document.getElementById("graph-descendants").open = true; });
    const dark = matchMedia("(prefers-color-scheme: dark)");
    dark.addEventListener("change", () => panels.forEach(colour));
    if (slider) {
      slider.value = "0";
      slider.addEventListener("input", () => { paint(panels[0]); say(); });
    }
    document.getElementById("graph-zoom-in").addEventListener("click", () => zoomBy(STEP));
    document.getElementById("graph-zoom-out").addEventListener("click", () => zoomBy(1 / STEP));
    document.getElementById("graph-reset").addEventListener("click", () => move(0, 0, 1));
    say();
    root.dataset.graph = "ready";
    performance.mark("graph-ready");
  }

  start().catch((fault) => {
    // The still picture is in the page too.
    widget.hidden = true;
    root.classList.remove("graph-live");
    root.dataset.graph = "failed";
    console.error(fault);
  });
})();
