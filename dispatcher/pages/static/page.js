// Keeps an open page true: hears what changes, asks for the page again, and shows what is different in it.
import { afterCall } from "./calls.js";
import { morph } from "./morph.js";
import { words } from "./words.js";

const LOOK_EVERY_MS = 15000; // ages grow also while nothing happens
const REST_MS = 400; // between two looks, however much happens
const SILENCE_MS = 11000; // two beats of the stream and a little: what is silent for longer is not live
const AGAIN_MS = 2000; // after the stream was refused or lost

const live = document.getElementById("live");
const word = document.getElementById("live-word");
const lostAt = document.getElementById("lost-at");
const asOf = document.getElementById("as-of");
const topics = (document.body.dataset.topics ?? "").split(" ").filter(Boolean);

let tag = null;
let looking = false;
let wanted = false;
let stream = null;
let heardAt = 0;
let again = 0;
let hears = false; // the stream is there
let over = false; // the session has ended
let sees = true; // the last look was answered

const WORD = { connecting: words.said.connecting, live: words.said.live, lost: words.said.lost };

function show(state) {
  if (live.dataset.state === state) return;
  live.dataset.state = state;
  word.textContent = WORD[state];
  lostAt.textContent = state === "lost" ? asOf.textContent : "";
}

/** Live is only what hears of changes and was answered when it asked last. */
function judge() {
  if (over) return;
  if (hears && sees) show("live");
  else if (live.dataset.state !== "connecting" || !sees) show("lost");
}

function concerns(changed) {
  return changed.some(
    (topic) => topic === "everything" || topics.includes(topic) || (topic.startsWith("cabinet:") && topics.includes("cabinets")),
  );
}

function urgentOnes(root) {
  return new Map([...root.querySelectorAll(".strip.urgent[data-title]")].map((strip) => [strip.id, strip.dataset.title]));
}

function take(page) {
  const before = urgentOnes(document);
  for (const element of document.querySelectorAll("[data-live]")) {
    const found = element.id && page.getElementById(element.id);
    if (found) morph(element, document.importNode(found, true));
  }
  document.title = page.title;
  const announced = document.getElementById("announced");
  for (const [id, title] of urgentOnes(document)) {
    if (!before.has(id)) announced.textContent = `${words.said.new_incident}: ${title}`;
  }
}

async function ask() {
  const headers = tag ? { "if-none-match": tag } : {};
  const response = await fetch(location.pathname + location.search, { headers, cache: "no-store" });
  if (response.status === 401) {
    signedOut();
    return;
  }
  if (response.status !== 304) {
    if (!response.ok) throw new Error(`${response.status}`);
    take(new DOMParser().parseFromString(await response.text(), "text/html"));
    tag = response.headers.get("etag");
  }
  asOf.textContent = response.headers.get("page-as-of") ?? asOf.textContent;
}

/** Look now, or as soon as the look that is under way is over. */
export async function look() {
  if (over) return;
  if (looking) {
    wanted = true;
    return;
  }
  looking = true;
  try {
    await ask();
    sees = true;
  } catch {
    sees = false;
  }
  judge();
  setTimeout(() => {
    looking = false;
    if (wanted) {
      wanted = false;
      look();
    }
  }, REST_MS);
}

function signedOut() {
  over = true;
  stream?.close();
  window.removeEventListener("online", listen);
  clearInterval(again);
  hears = false;
  show("lost");
  const link = document.createElement("a");
  link.href = location.pathname;
  link.textContent = words.said.signed_out;
  word.replaceChildren(link);
}

function listen() {
  stream?.close();
  heardAt = performance.now();
  stream = new EventSource("/live");
  const heard = () => {
    heardAt = performance.now();
    hears = navigator.onLine;
    if (!sees) look();
    judge();
  };
  let fresh = false;
  stream.addEventListener("open", () => {
    fresh = true;
  });
  stream.addEventListener("beat", () => {
    heard();
    if (!fresh) return;
    fresh = false;
    look(); // whatever happened until the first beat, from which on nothing is missed
  });
  stream.addEventListener("changed", (event) => {
    heard();
    if (concerns(JSON.parse(event.data))) look();
  });
  stream.addEventListener("error", deaf);
}

function deaf() {
  hears = false;
  show("lost");
}

again = setInterval(() => {
  const silent = performance.now() - heardAt > SILENCE_MS;
  if (silent) deaf();
  if (silent || stream.readyState === EventSource.CLOSED) listen();
}, AGAIN_MS);
setInterval(() => {
  if (!document.hidden) look();
}, LOOK_EVERY_MS);
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) look();
});
window.addEventListener("offline", deaf);
window.addEventListener("online", listen);
afterCall(look);
listen();
