// The first page, alive: rows and drafts come by the stream, everything else is asked for when something happened.

import { showMood, showNext, showRail } from "./rail.js";
import { showThoughts } from "./thoughts.js";

const CALM_MS = 5000; // how often to ask when nothing happens
const HIDDEN_MS = 30000; // and while nobody looks
const SOON_MS = 150; // after something happened, wait a moment for what follows it
const RETRY_MS = 5000;

const main = document.getElementById("main");
let view = JSON.parse(main.dataset.view);
let draft = view.draft;
let last = view.newest;
let skewMs = Date.parse(view.now) - Date.now(); // the server's clock is the one that counts
let failures = 0;
let asking = 0;
let answering = false; // a question is under way
let stale = false; // and something has happened since it was asked

function show() {
  // The answer to a question may bring the finished thought before the stream does.
  if (draft && view.thoughts.some((thought) => thought.thought_id === draft.thought_id)) draft = null;
  const thinking = { key: "thinking", word: "thinking", sentence: "A thought is being written." };
  const lost = {
    key: "asleep",
    word: "out of sight",
    sentence: "The page’s server does not answer. This is the last it said; the page keeps trying.",
  };
  const mood = failures > 1 ? lost : draft ? thinking : view.mood;
  showMood(mood, { name: view.name, running: failures < 2 && (view.running || Boolean(draft)) });
  showThoughts(view, draft);
  showRail(view);
  tick();
}

function tick() {
  showNext(view, Date.now() + skewMs, Boolean(draft) || view.mood.key === "thinking" || failures > 1);
}

async function ask() {
  clearTimeout(asking);
  answering = true;
  stale = false;
  try {
    const answer = await fetch("/view", { signal: AbortSignal.timeout(RETRY_MS) });
    if (!answer.ok) throw new Error(String(answer.status));
    const next = await answer.json();
    if (next.newest >= view.newest || next.newest >= last || failures) view = next;
    skewMs = Date.parse(view.now) - Date.now();
    failures = 0;
  } catch {
    failures += 1;
  }
  answering = false;
  show();
  askIn(stale ? SOON_MS : document.hidden ? HIDDEN_MS : CALM_MS);
}

/** Something happened: ask soon, also when the answer under way may be older than it. */
function askSoon() {
  if (answering) stale = true;
  else askIn(SOON_MS);
}

function askIn(delayMs) {
  clearTimeout(asking);
  asking = setTimeout(ask, delayMs);
}

function happened(event) {
  last = Number(event.lastEventId) || last;
  const row = JSON.parse(event.data);
  if (row.kind === "thought" && !view.thoughts.some((thought) => thought.id === row.id)) {
    const { text = "", thought_id = null, name, model } = row.data;
    const thought = { id: row.id, thought_id, at: row.at, text: String(text), model: String(name ?? model ?? ""), cost: "", why: [] };
    view = { ...view, stillness: null, thoughts: [thought, ...view.thoughts].slice(0, 7) };
    show();
  }
  askSoon();
}

function drafted(event) {
  const next = JSON.parse(event.data);
  const began = !draft && next.thought_id;
  draft = next.thought_id ? next : null;
  show();
  if (began || !draft) askSoon();
}

function watch() {
  const stream = new EventSource(`/api/stream?after=${last}`);
  stream.addEventListener("message", happened);
  stream.addEventListener("draft", drafted);
  stream.addEventListener("error", () => {
    draft = null; // if it is still being written, the stream says so when it is back
    askSoon();
    if (stream.readyState === EventSource.CLOSED) setTimeout(watch, RETRY_MS);
  });
}

show();
watch();
askIn(CALM_MS);
setInterval(tick, 1000);
document.addEventListener("visibilitychange", () => document.hidden || ask());
