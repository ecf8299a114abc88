// The journal page: new rows appear at its top, and words can be searched for.

import { element } from "./elements.js";
import { time } from "./times.js";

const SOON_MS = 200;
const RETRY_MS = 5000;

const { live, kind, query } = document.getElementById("main").dataset;
const rows = document.getElementById("rows");
const search = document.getElementById("search");
let newest = Number(document.getElementById("main").dataset.newest);
let asking = 0;

function address(path, more) {
  const filters = Object.entries({ ...more, kind, q: query }).filter(([, value]) => value !== "");
  return filters.length ? `${path}?${new URLSearchParams(filters)}` : path;
}

function entry(row) {
  const item = document.createElement("li");
  item.id = `n${row.id}`;
  item.dataset.kind = row.kind;
  const at = element("a", "figures");
  at.href = `/journal?upto=${row.id}#n${row.id}`;
  at.append(time(row.at, true));
  const whole = document.createElement("details");
  whole.append(element("summary", "line", row.text), element("pre", "", JSON.stringify(row.data, null, 2)));
  item.append(at, element("span", "kind", row.kind), whole);
  return item;
}

async function ask() {
  try {
    const answer = await fetch(address("/view/journal", { after: newest }), { signal: AbortSignal.timeout(RETRY_MS) });
    if (!answer.ok) throw new Error(String(answer.status));
    const more = await answer.json();
    for (const row of more) rows.prepend(entry(row));
    if (more.length) {
      newest = more.at(-1).id;
      document.getElementById("no-rows").hidden = true;
    }
  } catch {
    asking = setTimeout(ask, RETRY_MS);
  }
}

function watch() {
  const stream = new EventSource(`/api/stream?after=${newest}`);
  stream.addEventListener("message", () => {
    clearTimeout(asking);
    asking = setTimeout(ask, SOON_MS);
  });
  stream.addEventListener("error", () => {
    if (stream.readyState === EventSource.CLOSED) setTimeout(watch, RETRY_MS);
  });
}

// The form is not sent but followed as a link, because this page sends no forms anywhere.
search.hidden = false;
search.addEventListener("submit", (event) => {
  event.preventDefault();
  const filters = new URLSearchParams();
  if (kind) filters.set("kind", kind);
  const words = document.getElementById("q").value.trim();
  if (words) filters.set("q", words);
  location.assign(filters.size ? `/journal?${filters}` : "/journal");
});
if (live) watch();
