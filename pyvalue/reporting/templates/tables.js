// Long tables: a click on a column's name sorts by it, and a field keeps the rows with a word in them.
(() => {
  "use strict";
  const SORTED_FROM = 6, FILTERED_FROM = 25;
  const compare = new Intl.Collator(undefined, { numeric: true }).compare;

  // The first number of a cell such as "−0.012 [−0.050, +0.026]" or "1,024"; NaN where it starts with none.
  const number = (text) => parseFloat(text.trim().replaceAll("−", "-").replaceAll(",", "").replace(/^\+/, ""));

  function order(table, column, down) {
    const numeric = table.tHead.rows[0].cells[column].classList.contains("number");
    const body = table.tBodies[0];
    const keyed = [...body.rows].map((row) => [row.cells[column].textContent, row]);
    keyed.sort(([a], [b]) => {
      if (!numeric) return (down ? -1 : 1) * compare(a, b);
      const [x, y] = [number(a), number(b)];
      if (Number.isNaN(x) || Number.isNaN(y)) return Number.isNaN(x) - Number.isNaN(y); // no number: always last
      return down ? y - x : x - y;
    });
    body.append(...keyed.map(([, row]) => row));
  }

  function makeSortable(table) {
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "sort";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const down = head.getAttribute("aria-sort") === "ascending";
        heads.forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        order(table, column, down);
      });
    });
  }

  function makeFilterable(table) {
    const label = document.createElement("label");
    label.className = "filter";
    const field = document.createElement("input");
    field.type = "search";
    label.append("Rows with ", field);
    table.parentElement.before(label);
    field.addEventListener("input", () => {
      const word = field.value.toLowerCase();
      for (const row of table.tBodies[0].rows) {
        row.classList.toggle("unmatched", !row.textContent.toLowerCase().includes(word));
      }
    });
  }

  for (const table of document.querySelectorAll("table")) {
    const rows = table.tBodies[0].rows.length;
    if (rows >= SORTED_FROM) makeSortable(table);
    if (rows >= FILTERED_FROM) makeFilterable(table);
  }
})();
