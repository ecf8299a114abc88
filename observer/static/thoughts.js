// The thought in the middle, and the former ones below it.

import { element } from "./elements.js";
import { time } from "./times.js";
import { Writer } from "./writer.js";

const hero = document.getElementById("thought");
const heroMeta = document.getElementById("hero-meta");
const former = document.getElementById("former");
const all = document.getElementById("all");
const writer = new Writer(hero);

let shown = null; // which text the hero shows, and of which thought it is
let metaShown = null;

/** Show `draft` if there is one, else the stillness or the newest thought; the others below. */
export function showThoughts({ thoughts, stillness }, draft) {
  const first = shown === null;
  const next = subject(thoughts, stillness, draft);
  const goesOn = shown?.key === next.key || (next.thoughtId && shown?.thoughtId === next.thoughtId);
  if (!goesOn && !first) writer.clear();
  hero.classList.toggle("still", next.key === "still");
  if (!first || next.text !== hero.textContent || draft) {
    writer.write(next.text, { open: Boolean(draft), instantly: first || next.key === "still" });
  }
  shown = next;
  showMeta(next.thought);
  const below = next.thought ? thoughts.slice(1) : thoughts;
  showFormer(below, first);
  all.hidden = thoughts.length < 2;
}

function subject(thoughts, stillness, draft) {
  if (draft) return { key: `draft ${draft.thought_id} ${draft.attempt}`, thoughtId: draft.thought_id, text: draft.text };
  if (stillness) return { key: "still", text: stillness };
  const thought = thoughts[0];
  return { key: `thought ${thought.id}`, thoughtId: thought.thought_id, text: thought.text, thought };
}

function showMeta(thought) {
  const now = JSON.stringify(thought ?? null);
  if (now === metaShown) return;
  metaShown = now;
  heroMeta.replaceChildren(...(thought ? meta(thought) : []));
}

function showFormer(thoughts, first) {
  const kept = new Map([...former.children].map((item) => [item.dataset.thought, item]));
  const items = thoughts.map((thought) => {
    const content = JSON.stringify(thought);
    return kept.get(content) ?? entry(thought, content, !first);
  });
  if (items.length !== former.children.length || items.some((item, place) => former.children[place] !== item)) {
    former.replaceChildren(...items);
  }
}

function entry(thought, content, arriving) {
  const item = document.createElement("li");
  item.dataset.thought = content;
  item.classList.toggle("arriving", arriving);
  const text = element("p", "thought", thought.text);
  const under = element("div", "meta");
  under.append(...meta(thought));
  item.append(text, under);
  return item;
}

function meta(thought) {
  const link = document.createElement("a");
  link.href = `/journal?upto=${thought.id}#n${thought.id}`;
  link.append(time(thought.at));
  const why = document.createElement("details");
  why.append(element("summary", "", "why"));
  why.append(...thought.why.map((line) => element("p", "", line)));
  if (!thought.why.length) why.append(element("p", "", "Nothing more was written down."));
  return [link, element("span", "", thought.model), element("span", "", thought.cost), why];
}
