// Alerts: rules that are stored in this browser, checked while a page of the console is open.
//
//     no human   a caller waits for a human for longer than a number of seconds
//     failed     a call ended as `failed`: the caller got neither an agent nor a human
//
// An alert stays until it is dismissed, is announced, and may play a sound. A call raises each alert
// once. Programs get the end of each call by the events webhook (docs/how-to/hooks.md).

import { pastCall } from "./api.js";
import { el, show } from "./dom.js";
import { caller } from "./format.js";
import { announce, everySecond, note } from "./page.js";
import { CALL_STATES } from "./state-words.js";

const NAME = "hookflash-alerts";
const DEFAULT = { noHuman: false, seconds: 60, failed: false, sound: true };
const RETRY_MS = 1000;
const TRIES = 10;
const LONGEST_SECONDS = 3600;

/** Return the stored rules; those that are missing or broken are the default. */
export function storedRules() {
  try {
    const found = { ...DEFAULT, ...JSON.parse(localStorage.getItem(NAME) ?? "{}") };
    return { ...found, seconds: Math.min(LONGEST_SECONDS, Math.max(5, Number(found.seconds) || DEFAULT.seconds)) };
  } catch {
    return { ...DEFAULT };
  }
}

function storeRules(rules) {
  try {
    localStorage.setItem(NAME, JSON.stringify(rules));
  } catch {
    note("This browser does not store the alerts: they last as long as this page.", { failed: true });
  }
}

/** Return for how many seconds a caller has waited for a human, or null if nobody is being reached. */
export function waitsForHuman(entry, now) {
  const { handoff } = entry;
  if (!handoff || CALL_STATES[entry.state]?.kind !== "handoff") return null;
  if (["returning", "parting"].includes(entry.state)) return null;
  return now - entry.arrived_at - handoff.asked_at;
}

/** Play two short tones. Rejects if the browser does not let this page play sound. */
export async function chime() {
  const context = new AudioContext();
  if (context.state !== "running") await context.resume();
  const start = context.currentTime + 0.02;
  for (const [offset, frequency] of [
    [0, 880],
    [0.22, 660],
  ]) {
    const tone = new OscillatorNode(context, { frequency });
    const loud = new GainNode(context, { gain: 0 });
    loud.gain.linearRampToValueAtTime(0.25, start + offset + 0.02);
    loud.gain.linearRampToValueAtTime(0, start + offset + 0.2);
    tone.connect(loud).connect(context.destination);
    tone.start(start + offset);
    tone.stop(start + offset + 0.2);
  }
  setTimeout(() => context.close(), 800);
}

export class Alerts {
  /** `live` is the store that the feed fills. `node` holds the alerts that are not dismissed. */
  constructor(live) {
    this.live = live;
    this.rules = storedRules();
    this.raised = new Set();
    this.known = new Map();
    this.node = el("div.alerts", { role: "region", "aria-label": "Alerts", hidden: true });
    live.watch(() => this.changed());
    everySecond(() => this.tick());
  }

  tick() {
    if (!this.rules.noHuman || this.live.frozen) return;
    const now = this.live.now();
    for (const entry of this.live.calls.values()) {
      const seconds = waitsForHuman(entry, now);
      if (seconds !== null && seconds >= this.rules.seconds)
        this.raise(
          `no-human/${entry.call_sid}/${entry.handoff.asked_at}`,
          `${caller(entry.caller)} has waited for a human for ${Math.floor(seconds)} s.`,
          `#/calls/${encodeURIComponent(entry.call_sid)}`,
        );
    }
  }

  /** A call that is gone from the list is over: find out how it ended. */
  changed() {
    const before = this.known;
    this.known = new Map(this.live.calls);
    if (!this.rules.failed) return;
    for (const [sid, entry] of before) if (!this.known.has(sid)) this.ended(entry, TRIES);
  }

  async ended(entry, tries) {
    try {
      const found = await pastCall(entry.call_sid);
      if (found.entry.disposition !== "failed") return;
      this.raise(
        `failed/${entry.call_sid}`,
        `The call of ${caller(entry.caller)} failed.`,
        `#/past/${encodeURIComponent(entry.call_sid)}`,
      );
    } catch (error) {
      if (error.status === 404 && tries > 1) setTimeout(() => this.ended(entry, tries - 1), RETRY_MS);
    }
  }

  raise(key, text, href) {
    if (this.raised.has(key)) return;
    this.raised.add(key);
    const alert = el(
      "div.alert",
      {},
      el("span", {}, text),
      el("a.button", { href }, "Open"),
      el("button.button", { type: "button", onclick: () => this.dismiss(alert) }, "Dismiss"),
    );
    this.node.prepend(alert);
    show(this.node, true);
    announce(`Alert: ${text}`);
    if (this.rules.sound) chime().catch(() => {});
  }

  dismiss(alert) {
    alert.remove();
    show(this.node, this.node.childElementCount > 0);
  }

  /** Show the dialog with the rules. */
  edit() {
    const check = (name, checked) => el("input", { type: "checkbox", name, checked });
    const noHuman = check("noHuman", this.rules.noHuman);
    const failed = check("failed", this.rules.failed);
    const sound = check("sound", this.rules.sound);
    const seconds = el("input.field", {
      type: "number",
      min: 5,
      max: LONGEST_SECONDS,
      value: this.rules.seconds,
      "aria-label": "Seconds without a human",
    });
    const dialog = el(
      "dialog",
      {
        "aria-labelledby": "alerts-title",
        onclose: () => {
          this.rules = {
            noHuman: noHuman.checked,
            failed: failed.checked,
            sound: sound.checked,
            seconds: Math.min(LONGEST_SECONDS, Math.max(5, Number(seconds.value) || DEFAULT.seconds)),
          };
          storeRules(this.rules);
          this.tick();
          dialog.remove();
        },
      },
      el(
        "div",
        {},
        el("h2", { id: "alerts-title" }, "Alerts"),
        el("p.soft.small", {}, "They are stored in this browser, and checked while the console is open."),
        el("div.alert-rule", {}, el("label.check", {}, noHuman, "A caller waits for a human for (seconds)"), seconds),
        el("label.check", {}, failed, "A call failed: neither an agent nor a human"),
        el("label.check", {}, sound, "Play a sound"),
        el(
          "div.choices",
          {},
          el(
            "button.button",
            {
              type: "button",
              onclick: () => chime().catch(() => note("There is no sound device, or this page may not play sound.", { failed: true })),
            },
            "Test the sound",
          ),
          el("button.button.primary", { type: "button", onclick: () => dialog.close() }, "Save"),
        ),
      ),
    );
    document.body.append(dialog);
    dialog.showModal();
  }
}
