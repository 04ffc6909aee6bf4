// Which cabinet is shown, its events, and commands on their way.

import { Acts } from "./acts.js";
import { byId, html } from "./dom.js";
import { draw } from "./drawing.js";
import { Wire } from "./wire.js";

const wire = new Wire();
let stages = [];
let stage = null;
let acts = null;
let events = null;
let picture = null;
let selected = 1;

async function run(line) {
  const answer = byId("answer");
  answer.className = "answer";
  answer.textContent = `${line} …`;
  try {
    const response = await fetch(`/stages/${stage.name}/commands`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ line }),
    });
    const { done, error } = await response.json();
    answer.className = `answer ${response.ok ? "done" : "error"}`;
    answer.textContent = response.ok ? done : error;
  } catch {
    answer.className = "answer error";
    answer.textContent = "the simulator does not answer: does it still run?";
  }
}

function render() {
  draw(byId("cabinet"), picture, { selected, select });
  acts.show(picture, selected);
}

function select(slot) {
  selected = slot;
  render();
}

function tellTime(atMs) {
  const when = new Date(atMs).toLocaleString("en-GB", { timeZone: "Europe/Paris", dateStyle: "medium", timeStyle: "medium" });
  byId("clock").textContent = `${when} in Lille`;
}

function listen() {
  events?.close();
  const polls = byId("polls").checked ? 1 : 0;
  events = new EventSource(`/stages/${stage.name}/live?polls=${polls}`);
  events.addEventListener("open", () => wire.clear());
  events.addEventListener("picture", (event) => {
    picture = JSON.parse(event.data);
    tellTime(picture.at_ms);
    render();
  });
  events.addEventListener("rows", (event) => wire.add(JSON.parse(event.data)));
  events.addEventListener("error", () => (byId("clock").textContent = "not connected: trying again"));
}

function enter(name) {
  stage = stages.find((one) => one.name === name) ?? stages[0];
  selected = 1;
  location.hash = stage.name;
  document.title = `${stage.title} – simulated cabinet`;
  acts = new Acts(stage, run);
  wire.lanes(stage.lanes);
  listen();
}

async function begin() {
  const response = await fetch("/stages");
  ({ stages } = await response.json());
  byId("stages").replaceChildren(...stages.map((one) => html("option", { value: one.name }, one.title)));
  byId("stages").addEventListener("change", (event) => enter(event.target.value));
  byId("polls").addEventListener("change", listen);
  enter(decodeURIComponent(location.hash.slice(1)));
  byId("stages").value = stage.name;
}

begin();
