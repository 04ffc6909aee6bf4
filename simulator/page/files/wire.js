// What passed, row by row: filtered by lane and text, paused, cleared, looked at closely, copied.

import { byId, html } from "./dom.js";

const SHOWN_MAX = 600; // rows in the document: a page is no archive
const KEPT_MAX = 3000;
const ARROWS = { sent: "→", received: "←", "": "·" };
const SAID = { sent: "from the agent", received: "to the agent", "": "" };

export class Wire {
  #rows = [];
  #waiting = [];
  #hidden = new Set();
  #paused = false;
  #beganUs = null;
  #closer = null;

  constructor() {
    byId("containing").addEventListener("input", () => this.#showAll());
    byId("pause").addEventListener("click", () => this.#pause(!this.#paused));
    byId("clear").addEventListener("click", () => this.clear());
    byId("copy").addEventListener("click", () => this.#copy());
    byId("close-closer").addEventListener("click", () => this.#look(null));
  }

  lanes(names) {
    const field = byId("lanes");
    field.replaceChildren(html("legend", {}, "Show"));
    for (const name of names) {
      const toggle = (event) => {
        if (event.target.checked) this.#hidden.delete(name);
        else this.#hidden.add(name);
        this.#showAll();
      };
      const box = html("input", { type: "checkbox", checked: !this.#hidden.has(name), onchange: toggle });
      field.append(html("label", { class: `check lane ${name}` }, box, ` ${name}`));
    }
  }

  add(rows) {
    if (this.#paused) {
      this.#waiting.push(...rows);
      this.#waiting.splice(0, this.#waiting.length - KEPT_MAX);
      this.#count();
      return;
    }
    for (const row of rows) this.#rows.splice(placeOf(row, this.#rows, (one) => one.at_us), 0, row);
    this.#rows.splice(0, this.#rows.length - KEPT_MAX);
    if (this.#beganUs === null && rows.length) this.#beganUs = rows[0].at_us;
    this.#append(rows.filter((row) => this.#isShown(row)));
    this.#count();
  }

  clear() {
    this.#rows = [];
    this.#waiting = [];
    this.#showAll();
    this.#look(null);
  }

  #pause(paused) {
    this.#paused = paused;
    byId("pause").setAttribute("aria-pressed", String(paused));
    byId("pause").textContent = paused ? "Go on" : "Pause";
    if (!paused) this.add(this.#waiting.splice(0));
  }

  #isShown(row) {
    const text = byId("containing").value.trim().toLowerCase();
    if (this.#hidden.has(row.lane)) return false;
    return !text || `${row.words} ${row.more} ${row.mark}`.toLowerCase().includes(text);
  }

  #showAll() {
    byId("rows").replaceChildren();
    this.#append(this.#rows.filter((row) => this.#isShown(row)).slice(-SHOWN_MAX));
    this.#count();
  }

  #append(rows) {
    const list = byId("rows");
    const follows = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
    for (const row of rows) {
      const at = placeOf(row, list.children, (item) => Number(item.dataset.at));
      list.insertBefore(this.#drawn(row), list.children[at] ?? null);
    }
    while (list.childElementCount > SHOWN_MAX) list.firstElementChild.remove();
    if (follows) list.scrollTop = list.scrollHeight;
  }

  #drawn(row) {
    const seconds = ((row.at_us - this.#beganUs) / 1e6).toFixed(3);
    const cells = [
      html("span", { class: "time" }, seconds),
      html("span", { class: `lane ${row.lane}` }, row.lane),
      html("span", { class: "way", title: SAID[row.way] }, ARROWS[row.way]),
      html("span", { class: "words" }, row.words),
      row.mark ? html("span", { class: `mark ${marked(row.mark)}` }, row.mark) : null,
    ];
    const more = { type: "button", class: "line", onclick: () => this.#look(row) };
    const line = row.more ? html("button", more, ...cells) : html("div", { class: "line" }, ...cells);
    return html("li", { "data-lane": row.lane, "data-at": row.at_us }, line);
  }

  #look(row) {
    this.#closer = row;
    byId("closer").hidden = row === null;
    if (row === null) return;
    byId("closer-title").textContent = `${row.lane} ${SAID[row.way]}: ${row.words}`;
    byId("closer-text").textContent = row.more;
  }

  async #copy() {
    const row = this.#closer;
    await navigator.clipboard.writeText(`${row.lane} ${SAID[row.way]}: ${row.words}\n${row.more}\n`);
    byId("copy").textContent = "Copied";
    setTimeout(() => (byId("copy").textContent = "Copy"), 1500);
  }

  #count() {
    const waiting = this.#paused ? `, ${this.#waiting.length} more while paused` : "";
    const count = byId("rows").childElementCount;
    byId("count").textContent = `${count} ${count === 1 ? "row" : "rows"}${waiting}`;
  }
}

const marked = (mark) => ({ "signature verified": "good", unsigned: "plain" })[mark] ?? "bad";

// A row is told a moment after it happened, a fact a moment later than a frame: it goes before what came after it.
function placeOf(row, among, timeOf) {
  let at = among.length;
  while (at > 0 && timeOf(among[at - 1]) > row.at_us) at -= 1;
  return at;
}
