// What every page uses: messages to the reader, dialogs, and one timer.

import { el, setText } from "./dom.js";

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

/** Make the text that stands in place of an empty list. */
export function empty(title, text) {
  return el("div.empty", {}, el("strong", {}, title), el("p", {}, text));
}
