// Writes a text letter by letter, at a steady hand, catching up gently with what has been thought since.

const SLOWEST = 38; // letters a second
const CATCH_UP_S = 1.2; // however far behind, the rest is written in about this time

const still = matchMedia("(prefers-reduced-motion: reduce)");

export class Writer {
  #element;
  #node;
  #target = "";
  #written = 0;
  #before = 0;
  #frame = 0;
  #open = false;

  constructor(element) {
    this.#element = element;
    this.#node = document.createTextNode(element.textContent);
    element.replaceChildren(this.#node);
    this.#target = this.#node.data;
    this.#written = this.#target.length;
  }

  /** Write on towards `text`; `open` while more may come, so that the caret stays. */
  write(text, { open = false, instantly = false } = {}) {
    const same = commonStart(text, this.#node.data);
    this.#target = text;
    this.#open = open;
    this.#written = instantly || still.matches || document.hidden ? text.length : same;
    this.#show();
    if (this.#written < text.length && !this.#frame) {
      this.#before = performance.now();
      this.#frame = requestAnimationFrame((now) => this.#step(now));
    }
  }

  /** Begin an empty sheet. */
  clear() {
    this.#target = "";
    this.#written = 0;
    this.#show();
  }

  #step(now) {
    this.#frame = 0;
    const left = this.#target.length - this.#written;
    const rate = Math.max(SLOWEST, left / CATCH_UP_S);
    const letters = document.hidden ? left : ((now - this.#before) / 1000) * rate;
    this.#before = now;
    this.#written = Math.min(this.#target.length, this.#written + letters);
    this.#show();
    if (this.#written < this.#target.length) this.#frame = requestAnimationFrame((next) => this.#step(next));
  }

  #show() {
    let end = Math.floor(this.#written);
    const code = this.#target.charCodeAt(end - 1);
    if (code >= 0xd800 && code <= 0xdbff) end += 1; // never half a character
    if (this.#node.data.length !== end || !this.#target.startsWith(this.#node.data)) {
      this.#node.data = this.#target.slice(0, end);
    }
    const writing = this.#open || end < this.#target.length;
    this.#element.classList.toggle("writing", writing);
    this.#element.parentElement.setAttribute("aria-busy", String(writing)); // read aloud once it is whole
  }
}

function commonStart(one, other) {
  const most = Math.min(one.length, other.length);
  let length = 0;
  while (length < most && one[length] === other[length]) length += 1;
  return length;
}
