// What every page shares: notes to the reader, questions to them, one clock.

import { el, say } from "./dom.js";

let region = null;
let toasts = null;

function places() {
  if (region) return;
  region = el("div.unseen", { role: "status", "aria-live": "polite" });
  toasts = el("div.toasts");
  document.body.append(region, toasts);
}

/** Say it to those who hear the page. */
export function announce(text) {
  places();
  // The same sentence twice is news twice.
  say(region, region.textContent === text ? `${text}\u00a0` : text);
}

/** Say it to everybody, for a few seconds. */
export function note(text, { failed = false } = {}) {
  places();
  const toast = el(`div.toast${failed ? ".failed" : ""}`, {}, text);
  toasts.append(toast);
  announce(text);
  setTimeout(() => toast.remove(), failed ? 8000 : 3500);
}

/** Run what a button asks for; a refusal is said, not thrown. Returns whether it went well. */
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
 * Ask before something that cannot be undone, or for a few words: resolves to the fields' values,
 * or null. `fields` are elements with a name.
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

let named = "";
let asking = 0;

/** Name the page, in the window's title. */
export function entitle(text) {
  named = text;
  document.title = `${asking ? `(${asking}) ` : ""}${named} · Hookflash`;
}

/** So many calls ask a human something: the title says it to those who look elsewhere. */
export function callsAsk(count) {
  if (count === asking) return;
  if (count > asking) announce(count === 1 ? "A call asks a human." : `${count} calls ask a human.`);
  asking = count;
  entitle(named);
}

const ticking = new Set();
let timer = null;

/** Call `work` every second while it is wanted; call what is returned to end it. */
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

/** Words for a screen without anything on it. */
export function empty(title, text) {
  return el("div.empty", {}, el("strong", {}, title), el("p", {}, text));
}
