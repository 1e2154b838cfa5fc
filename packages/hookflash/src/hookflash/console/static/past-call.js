// The page of one ended call: recording, timeline and transcript in step, and its record.

import { deletePast, pastCall } from "./api.js";
import { el, icon, put, show } from "./dom.js";
import { caller, clock, fullDate, label, money, wait, words } from "./format.js";
import { merged } from "./live-store.js";
import { attempt, empty, setTitle, question } from "./page.js";
import { Player } from "./player.js";
import { Timeline } from "./timeline.js";
import { Transcript } from "./transcript.js";

const RETRY_MS = 1000;
const TRIES = 8;

export class PastCall {
  constructor({ sid, session }) {
    this.sid = sid;
    this.session = session;
    this.node = el("article.page.call.over-call", { "aria-busy": "true" });
    this.load(TRIES);
  }

  close() {
    clearTimeout(this.timer);
    this.closed = true;
    this.timeline?.close();
    this.transcript?.close();
    this.player?.close();
  }

  /** Load the record; try again if it is missing, because a call that has just ended is still being written. */
  async load(tries) {
    let past;
    try {
      past = await pastCall(this.sid);
    } catch (error) {
      if (this.closed) return;
      if (error.status === 404 && tries > 1) {
        this.timer = setTimeout(() => this.load(tries - 1), RETRY_MS);
        if (tries === TRIES)
          this.node.replaceChildren(
            empty("Looking for this call …", "The record of a call that has just ended takes a moment."),
          );
        return;
      }
      put(this.node, "aria-busy", null);
      this.node.replaceChildren(
        error.status === 404
          ? empty("This call was not found", "It was deleted, or its retention time is over.")
          : empty("The call cannot be shown", error.message),
      );
      return;
    }
    if (this.closed) return;
    put(this.node, "aria-busy", null);
    this.draw(past);
  }

  draw({ entry, parts, handoffs, summary, recording, recorded_from: from }) {
    this.parts = merged({}, parts);
    this.player = new Player({
      path: recording,
      from: from ?? 0,
      seconds: entry.seconds,
      onTime: (at) => this.at(at),
      onSound: (envelopes) => this.timeline.setEnvelopes(envelopes, from ?? 0),
    });
    const onSeek = recording ? (seconds) => this.player.seek(seconds, { play: true }) : null;
    this.timeline = new Timeline({ onPick: (seconds) => onSeek?.(seconds) });
    this.transcript = new Transcript({ onSeek });
    this.transcript.update(this.parts);
    this.node.replaceChildren(
      el("a.crumb", { href: "#/past", "data-key": "Escape" }, icon("left"), "Past calls"),
      el(
        "header.call-head",
        {},
        el(
          "div.call-who",
          {},
          el("h1", {}, caller(entry.caller)),
          el("p.soft", {}, `${entry.agent} · called ${caller(entry.called)} · ${fullDate(entry.arrived_at)}`),
        ),
        el(
          "div.call-state",
          {},
          el("span.disposition", { "data-kind": entry.disposition }, label(entry.disposition)),
          el("span.big-time", { "aria-label": "Duration" }, clock(entry.seconds)),
        ),
      ),
      summary ? el("section.panel.summary", {}, el("h2.eyebrow", {}, "Summary"), el("p", {}, summary)) : "",
      el("div.panel", {}, this.timeline.node, this.player.node),
      el(
        "div.call-columns",
        {},
        el("div.panel.talk", {}, this.transcript.node),
        el(
          "aside.facts.panel",
          { "aria-label": "Facts" },
          this.attempts(handoffs),
          this.facts(entry),
          this.remove(),
        ),
      ),
    );
    this.timeline.update(this.parts, entry.seconds);
    setTitle(caller(entry.caller));
  }

  at(seconds) {
    this.timeline.seek(seconds, { reveal: true });
    this.transcript.at(seconds, { reveal: true });
  }

  attempts(handoffs) {
    if (!handoffs.length) return [];
    return [
      el("h2.eyebrow", {}, "Hand-off"),
      el(
        "ol.attempts",
        {},
        handoffs.map((one) =>
          el(
            "li",
            { "data-outcome": one.outcome },
            el("strong", {}, `${label(one.destination)}: ${words(one.outcome)}`),
            el(
              "span.small",
              {},
              one.seconds_to_human === null
                ? `at ${clock(one.started_at)}`
                : `a human after ${wait(one.seconds_to_human)}`,
            ),
            el(
              "span.soft.small",
              {},
              [`asked for by ${one.source === "tool" ? "the agent" : one.source}`, one.reason]
                .filter(Boolean)
                .join(" · "),
            ),
          ),
        ),
      ),
    ];
  }

  facts(entry) {
    const rows = [
      ["Answer delay", entry.answer_seconds === null ? "" : `${wait(entry.answer_seconds)} median`],
      ["Barge-ins", entry.barge_ins ? String(entry.barge_ins) : ""],
      ["Cost, estimated", entry.cost ? money(entry.cost) : ""],
      ["Call", entry.call_sid],
    ].filter(([, value]) => value);
    return [
      el("h2.eyebrow", {}, "Facts"),
      el(
        "dl",
        {},
        rows.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value))),
      ),
    ];
  }

  remove() {
    const button = el(
      "button.button.danger.quiet.delete",
      { type: "button", onclick: () => this.delete() },
      icon("bin"),
      "Delete this call",
    );
    show(button, this.session.can.includes("delete"));
    return button;
  }

  async delete() {
    const sure = await question({
      title: "Delete this call?",
      text: "Its record, journal and recording are deleted permanently. The audit trail shows who deleted it.",
      verb: "Delete",
      danger: true,
    });
    if (sure && (await attempt(() => deletePast(this.sid), "The call is deleted."))) location.hash = "#/past";
  }

  /** Handle a key (`keys.js`). Return whether it had an effect. */
  key(name) {
    if (!this.player?.ready) return false;
    if (name === " ") this.player.toggle();
    else if (name === "ArrowLeft" || name === "ArrowRight") this.player.skip(name === "ArrowLeft" ? -5 : 5);
    else return false;
    return true;
  }
}
