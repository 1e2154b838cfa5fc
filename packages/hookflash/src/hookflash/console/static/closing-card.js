// The card at the end of a live call: what came of it, and what can be opened.
//
// The record is written a moment after the end, so it is asked for a few times.

import { exportUrl, pastCall, recordingUrl } from "./api.js";
import { el, setText, show } from "./dom.js";
import { clock, count, label, wait } from "./format.js";
import { DISPOSITIONS } from "./state-words.js";

const RETRY_MS = 1000;
const TRIES = 15;

/** Return how much of what the agent prepared was heard, in words: {heard, said}. */
export function heardOfSaid(lines) {
  const words = (text) => text.split(/\s+/).filter(Boolean).length;
  let heard = 0;
  let said = 0;
  for (const { speaker, text, cut } of lines) {
    if (speaker !== "agent") continue;
    heard += words(text);
    said += words(text) + words(cut ?? "");
  }
  return { heard, said };
}

export class ClosingCard {
  /** `home` is the console's address on another page, or empty. */
  constructor(sid, home) {
    this.sid = sid;
    this.home = home;
    this.facts = el("span.closing-facts", {}, "Its record is being written.");
    this.links = el("span.closing-links", { role: "group", "aria-label": "Record and downloads" }, this.record());
    this.node = el(
      "div.notice.over",
      { hidden: true },
      el("span", {}, el("strong", {}, "The call is over. "), this.facts),
      this.links,
    );
  }

  record() {
    const { sid, home } = this;
    return el(
      "a.button",
      { href: `${home}#/past/${encodeURIComponent(sid)}`, target: home ? "_blank" : null },
      "Open the record",
    );
  }

  close() {
    this.closed = true;
    clearTimeout(this.timer);
  }

  /** Load the record once; further calls do nothing. */
  load() {
    if (this.asked) return;
    this.asked = true;
    this.ask(TRIES);
  }

  async ask(tries) {
    try {
      this.draw(await pastCall(this.sid));
    } catch (error) {
      if (this.closed) return;
      if (error.status === 404 && tries > 1) this.timer = setTimeout(() => this.ask(tries - 1), RETRY_MS);
      else setText(this.facts, error.status === 404 ? "It has no record." : error.message);
    }
  }

  draw({ entry, parts, recording, has_journal: journal }) {
    const { heard, said } = heardOfSaid(parts.lines ?? []);
    const facts = [`${label(DISPOSITIONS[entry.disposition])}, ${clock(entry.seconds)}`];
    if (said) facts.push(`${heard} of ${count(said, "word")} of the agent were heard`);
    if (entry.seconds_to_human !== null) facts.push(`a human after ${wait(entry.seconds_to_human)}`);
    setText(this.facts, `${facts.join(" · ")}.`);
    const file = (name, href, extension) => el("a.button.quiet", { href, download: `${this.sid}.${extension}` }, name);
    this.links.replaceChildren(
      this.record(),
      recording ? file("Recording", recordingUrl(recording), "wav") : "",
      file("Transcript", exportUrl(this.sid, "transcript"), "txt"),
      journal ? file("Journal", exportUrl(this.sid, "journal"), "jsonl") : "",
      journal ? file("Replay", exportUrl(this.sid, "replay"), "html") : "",
    );
    show(this.links, true);
  }
}
