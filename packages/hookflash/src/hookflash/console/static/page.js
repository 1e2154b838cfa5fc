// What every page uses: messages to the reader, dialogs, and one timer.

import { el, setText, show } from "./dom.js";

let liveRegion = null;
let toasts = null;

function makeRegions() {
  if (liveRegion) return;
  liveRegion = el("div.unseen", { role: "status", "aria-live": "polite" });
  toasts = el("div.toasts");
  document.body.append(liveRegion, toasts);
}

/** Announce a text to screen readers. */
export function announce(text) {
  makeRegions();
  // The same text again must be announced again, so it has to differ.
  setText(liveRegion, liveRegion.textContent === text ? `${text}\u00a0` : text);
}

/** Show a message for a few seconds, and announce it. */
export function note(text, { failed = false } = {}) {
  makeRegions();
  const toast = el(`div.toast${failed ? ".failed" : ""}`, {}, text);
  toasts.append(toast);
  announce(text);
  setTimeout(() => toast.remove(), failed ? 8000 : 3500);
}

/** Run the work of a button. An error is shown, not thrown. Return whether it succeeded. */
export async function attempt(work, done = "") {
  try {
    await work();
    if (done) note(done);
    return true;
  } catch (error) {
    note(error.message, { failed: true });
    return false;
  }
}

/**
 * Show a dialog that asks for a confirmation or for some fields. Resolves to the fields' values, or
 * to null if it is cancelled. `fields` are elements with a name.
 */
export function question({ title, text, verb, danger = false, fields = [] }) {
  const form = el(
    "form",
    { method: "dialog" },
    el("h2", { id: "question-title" }, title),
    text ? el("p.soft", {}, text) : null,
    fields.map(({ label, field }) => el("label", {}, label, field)),
    el(
      "div.choices",
      {},
      el("button.button", { type: "button", onclick: () => dialog.close() }, "Cancel"),
      el(`button.button.${danger ? "danger" : "primary"}`, { value: "yes" }, verb),
    ),
  );
  const dialog = el("dialog", { "aria-labelledby": "question-title" }, form);
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      resolve(dialog.returnValue === "yes" ? Object.fromEntries(new FormData(form)) : null);
      dialog.remove();
    });
  });
}

let pageTitle = "";
let asking = 0;

/** Set the window's title. */
export function setTitle(text) {
  pageTitle = text;
  document.title = `${asking ? `(${asking}) ` : ""}${pageTitle} · Hookflash`;
}

/** Show in the window's title how many calls have a question for a human. */
export function setQuestionCount(count) {
  if (count === asking) return;
  if (count > asking) announce(count === 1 ? "A call has a question for a human." : `${count} calls have a question for a human.`);
  asking = count;
  setTitle(pageTitle);
}

const ticking = new Set();
let timer = null;

/** Call `work` every second until the returned function is called. */
export function everySecond(work) {
  ticking.add(work);
  timer ??= setInterval(() => ticking.forEach((one) => one()), 1000);
  return () => {
    ticking.delete(work);
    if (!ticking.size) {
      clearInterval(timer);
      timer = null;
    }
  };
}

/** Make rows of grey bars, for a list that is being loaded. Screen readers hear that it loads. */
export function skeleton(rows = 6) {
  return el(
    "div.skeleton",
    { role: "status" },
    el("span.unseen", {}, "Loading …"),
    Array.from({ length: rows }, () =>
      el("div.skeleton-row", { "aria-hidden": "true" }, el("i"), el("i"), el("i"), el("i")),
    ),
  );
}

/** Make the text for a list that could not be loaded, with a button that tries again. */
export function failure(title, retry) {
  const reason = el("p");
  const node = el(
    "div.empty.failure",
    { role: "alert", hidden: true },
    el("strong", {}, title),
    reason,
    el("button.button", { type: "button", onclick: retry }, "Retry"),
  );
  return { node, reason };
}

/**
 * The state of a list that the server is asked for: loading (grey rows), failed (a reason and Retry),
 * or loaded. What was loaded before stays while it is loaded again.
 */
export class Loading {
  constructor({ what, retry, rows = 6 }) {
    this.skeleton = skeleton(rows);
    this.failed = failure(`${what} cannot be loaded`, retry);
    this.node = el("div.loading", {}, this.failed.node, this.skeleton);
    this.loaded = false;
    this.asked = 0;
  }

  /**
   * Run `ask`, and `draw` with its answer, unless another request has begun meanwhile. Return whether
   * it was drawn.
   */
  async run(ask, draw) {
    const asked = (this.asked += 1);
    show(this.skeleton, !this.loaded);
    if (!this.loaded) show(this.failed.node, false);
    let answer;
    try {
      answer = await ask();
    } catch (error) {
      if (asked === this.asked) this.fail(error.message);
      return false;
    }
    if (asked !== this.asked) return false;
    this.loaded = true;
    show(this.skeleton, false);
    show(this.failed.node, false);
    draw(answer);
    return true;
  }

  fail(reason) {
    show(this.skeleton, false);
    setText(this.failed.reason, reason);
    show(this.failed.node, true);
  }

  /** Ignore the answer of a running request. */
  stop() {
    this.asked += 1;
  }
}

/** Make the text that stands in place of an empty list. */
export function empty(title, text) {
  return el("div.empty", {}, el("strong", {}, title), el("p", {}, text));
}
