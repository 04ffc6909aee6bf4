// The hotline's page: finds who is calling, lets nothing be done before the identity is checked, says what came of it.
import { words } from "./words.js";

const SOUGHT_MIN = 2; // as the API asks
const WHY_MIN = 3;
const GROUP = 4; // digits that are read out in one breath

const byId = (id) => document.getElementById(id);
const clock = (instant) => new Date(instant).toLocaleTimeString("fr-FR", { timeZone: "Europe/Paris", hour: "2-digit", minute: "2-digit" });

// --- finding

function showPlaces() {
  const sought = byId("sought").value.trim().toLowerCase();
  for (const item of byId("places").children) {
    item.hidden = sought.length < SOUGHT_MIN || !item.textContent.toLowerCase().includes(sought);
  }
}

function showMatches(found) {
  const only = found.items.length === 1 && !found.next;
  if (only && [...byId("places").children].every((item) => item.hidden)) {
    location.assign(`/caller/${found.items[0].id}`);
    return;
  }
  byId("matches").replaceChildren(
    ...found.items.map((member) => {
      const link = document.createElement("a");
      link.href = `/caller/${member.id}`;
      link.textContent = member.name;
      const item = document.createElement("li");
      item.append(link);
      return item;
    }),
  );
  byId("matches").querySelector("a")?.focus();
  say(byId("find"), found.next ? words.said.found_more : found.items.length ? "" : words.said.found_none);
}

// --- checking

function allow() {
  const why = byId("why").value.trim();
  const may = byId("identity").checked && why.length >= WHY_MIN;
  for (const form of document.querySelectorAll("form[data-checked]")) {
    const field = form.querySelector("[data-why]");
    const reason = `${words.said.identity}: ${why}`;
    if (field.value !== reason) {
      field.value = reason;
      field.dispatchEvent(new Event("input", { bubbles: true })); // what is asked for now is something else
    }
    const button = form.querySelector("button");
    const isAsked = form.querySelector("output").dataset.outcome === "working";
    if (!isAsked && button.disabled === may) button.disabled = !may;
  }
}

// --- what came of it

function say(form, text) {
  const output = form.querySelector("output");
  output.dataset.outcome = "";
  output.textContent = text;
}

/** What became of the release stands beside its button; where the box did not open, a code is offered. */
function offerCode(answer) {
  if (answer.outcome === "completed" || !answer.release_code) return;
  byId("code").hidden = false;
  byId("code").querySelector("button").focus();
}

function showCode(answer) {
  const groups = answer.code.match(new RegExp(`.{1,${GROUP}}`, "g"));
  const parts = groups.flatMap((group) => {
    const part = document.createElement("span");
    part.textContent = group;
    return [part, " "];
  });
  const until = document.createElement("small");
  until.textContent = `${words.said.code_until} ${clock(answer.valid_until)}`;
  byId("digits").replaceChildren(...parts, until);
  byId("digits").hidden = false;
}

document.addEventListener("called", (event) => {
  const form = event.target;
  const answer = event.detail;
  if (!answer) return;
  if (form.id === "release") {
    offerCode(answer);
    return;
  }
  if (form.id === "find") {
    event.preventDefault();
    say(form, "");
    showMatches(answer);
  } else if (form.id === "code") {
    event.preventDefault();
    say(form, "");
    showCode(answer);
  } else if (form.dataset.other !== undefined) byId("outcome").textContent = words.said.replaced;
});

byId("sought")?.addEventListener("input", showPlaces);
if (byId("identity")) {
  for (const id of ["identity", "why"]) byId(id).addEventListener("input", allow);
  new MutationObserver(allow).observe(byId("doing"), { childList: true, subtree: true, attributeFilter: ["disabled"] });
  allow();
}
