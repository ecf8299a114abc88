// Everything beside the thought: the mood, the purse, the mind, the posts and the latest rows.

import { element } from "./elements.js";
import { countdown, time } from "./times.js";

const $ = (id) => document.getElementById(id);

/** Set a text only when it changed, so that nothing flickers and selections stay. */
function say(id, text) {
  if ($(id).textContent !== text) $(id).textContent = text;
}

export function showMood(mood, { name, running }) {
  const classes = `mood-${mood.key}${running ? " beating" : ""}`;
  if (document.body.className !== classes) document.body.className = classes;
  const icon = `/static/icons/${mood.key}.svg`;
  if ($("icon").getAttribute("href") !== icon) $("icon").setAttribute("href", icon);
  document.title = `${name} · ${mood.word}`;
  say("word", mood.word);
  say("mood-sentence", mood.sentence);
}

export function showRail(view) {
  say("being-name", view.name);
  say("being-icon", view.icon);
  showPurse(view.purse);
  say("mind-model", view.mind.model);
  say("mind-where", view.mind.where);
  say("mind-why", view.mind.why);
  say("biography", view.biography || "Not begun.");
  say("why-no-post", view.why_no_post);
  say("kept-back", view.kept_back);
  $("kept-back").hidden = !view.kept_back;
  showRows("posts", view.posts, post);
  showRows("lately", view.lately, row);
}

function showPurse(purse) {
  document.querySelector("#bar .bar-fill").setAttribute("width", purse.percent ?? 0);
  document.querySelector("#bar .bar").setAttribute("aria-label", purse.label);
  say("figure", purse.figure);
  say("tier", purse.tier);
  say("purse-sentence", purse.sentence);
}

function showRows(id, rows, made) {
  const ids = rows.map((item) => `${item.id} ${item.fate ?? ""}`).join("\n");
  $(`no-${id}`).hidden = rows.length > 0;
  if ($(id).dataset.shown === ids) return;
  $(id).dataset.shown = ids;
  $(id).replaceChildren(...rows.map(made));
}

function link(item) {
  const made = document.createElement("a");
  made.href = `/journal?upto=${item.id}#n${item.id}`;
  return made;
}

function post(item) {
  const entry = document.createElement("li");
  const at = link(item);
  at.className = "figures";
  at.append(time(item.at));
  entry.append(element("p", "said", item.text), at);
  if (item.fate) entry.append(element("p", "fate quiet", item.fate));
  return entry;
}

function row(item) {
  const entry = document.createElement("li");
  const whole = link(item);
  const at = time(item.at);
  at.className = "figures";
  whole.append(element("span", "kind", item.kind), at, element("span", "line", item.text));
  entry.append(whole);
  return entry;
}

/** The sentence below the thought, once a second. `now` is the server's time in milliseconds. */
export function showNext(view, now, writing) {
  if (!view.next_thought_at || writing) return say("next", "");
  const seconds = (Date.parse(view.next_thought_at) - now) / 1000;
  return say("next", seconds > 0 ? `${view.next_words} in ${countdown(seconds)}.` : `${view.next_words} now.`);
}
