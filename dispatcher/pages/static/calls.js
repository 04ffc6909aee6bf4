// Forms with `data-call` are requests to the API: what a page can do, the API can, and nothing else.
import { words } from "./words.js";

const OUTCOME_KEPT_MS = 6000; // long enough to read a sentence
const keys = new WeakMap(); // of each form, until what it asks for is answered: pressed twice, it is done once

const afterwards = [];

/** Have `work` called after each request that was done. */
export function afterCall(work) {
  afterwards.push(work);
}

function keyOf(form) {
  if (!keys.has(form)) {
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    keys.set(form, Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(""));
  }
  return keys.get(form);
}

function bodyOf(form) {
  const fields = Object.fromEntries(new FormData(form));
  for (const [name, value] of Object.entries(fields)) {
    const field = form.elements.namedItem(name);
    if (field instanceof HTMLElement && field.dataset.type === "integer") fields[name] = Number(value);
    if (value === "" && field instanceof HTMLElement && "optional" in field.dataset) delete fields[name];
  }
  return fields;
}

function tell(form, outcome, text) {
  const output = form.querySelector("output");
  if (!output) return;
  output.dataset.outcome = outcome;
  output.textContent = text;
}

async function refusalOf(response) {
  let problem = {};
  try {
    problem = await response.json();
  } catch {
    // no problem of ours: a proxy answered
  }
  const reason = words.reasons[problem.reason] ?? problem.title ?? `${words.said.unknown_refusal} (${response.status})`;
  const faults = (problem.errors ?? []).map((fault) => `${fault.field}: ${fault.expected}`);
  return faults.length ? `${reason} – ${faults.join("; ")}` : reason;
}

/** Of a command to a box: what it says of it. */
function becameOf(command) {
  if (command.outcome === "completed") return ["done", words.said.opened];
  if (command.outcome === "refused") {
    const why = words.reasons[command.outcome_reason] ?? command.outcome_reason;
    return ["refused", `${words.said.box_refused} ${why}`];
  }
  return ["refused", words.said.no_word];
}

async function call(form) {
  const [method, path] = form.dataset.call.includes(" ") ? form.dataset.call.split(" ") : ["POST", form.dataset.call];
  const body = bodyOf(form);
  const headers = {
    "x-csrf-token": document.querySelector('meta[name="csrf-token"]')?.content ?? "",
    "idempotency-key": keyOf(form),
  };
  if (Object.keys(body).length) headers["content-type"] = "application/json";
  let response;
  try {
    response = await fetch(path, { method, headers, body: Object.keys(body).length ? JSON.stringify(body) : undefined });
  } catch {
    tell(form, "refused", words.said.no_answer);
    return;
  }
  if (response.status >= 500) {
    tell(form, "refused", `${await refusalOf(response)}. ${words.said.no_answer}`);
    return;
  }
  keys.delete(form);
  if (!response.ok) {
    tell(form, "refused", await refusalOf(response));
    return;
  }
  const answer = await response.json().catch(() => null);
  form.reset();
  const told = new CustomEvent("called", { bubbles: true, cancelable: true, detail: answer });
  if (!form.dispatchEvent(told)) {
    // whoever cancels it says itself what came of it
  } else if (answer && "outcome" in answer) {
    tell(form, ...becameOf(answer));
  } else {
    tell(form, "done", words.said.done);
    setTimeout(() => tell(form, "", ""), OUTCOME_KEPT_MS);
  }
  for (const work of afterwards) work();
}

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (!(form instanceof HTMLFormElement) || !form.dataset.call) return;
  event.preventDefault();
  const button = form.querySelector("button");
  if (button.disabled) return;
  button.disabled = true;
  tell(form, "working", words.said.working);
  try {
    await call(form);
  } finally {
    button.disabled = false;
  }
});

document.addEventListener("input", (event) => {
  const form = event.target.form;
  if (form?.dataset.call) keys.delete(form); // what is asked for now is something else
});
