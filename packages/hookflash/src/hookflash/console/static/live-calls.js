// The page "Calls now": one row for each live call. Calls that wait for a human come first.
//
// A change of a call updates its row only, so that the page stays fast with hundreds of calls.

import { el, icon, KeyedList, put, setText, show } from "./dom.js";
import { caller, clock, count, label, money, words } from "./format.js";
import { empty, everySecond } from "./page.js";

const STATES = {
  checking: "Asking who is free",
  farewell: "Saying goodbye",
  moving: "Moving the call",
  screening: "Human hears whisper",
  closing: "Last words",
  parting: "Human is leaving",
  returning: "Coming back",
  message: "Taking a message",
};

/** Return the state of a call as a short text, and the kind that sets its colour. */
export function situation(entry) {
  if (entry.question) return { kind: "asks", text: "Asks a human" };
  const state = entry.handoff?.state;
  if (entry.phase === "with a human" || state === "with human") return { kind: "human", text: "With a human" };
  if (state && !["idle", "done", "failed"].includes(state))
    return { kind: "handoff", text: STATES[state] ?? label(state) };
  if (entry.phase === "handing off") return { kind: "handoff", text: "Handing off" };
  if (entry.phase === "talking") return { kind: "agent", text: "With the agent" };
  return { kind: "quiet", text: entry.phase === "ringing" ? "Answering" : label(entry.phase) };
}

// Calls of one urgency are in the order of their arrival, so that rows keep their places.
const URGENCY = { asks: 0, handoff: 1, human: 2, agent: 2, quiet: 2 };

/** Return a text such as "0:12 left"; an empty one if there is no deadline. */
export function timeLeft(until, now) {
  if (until === null || until === undefined) return "";
  const seconds = Math.ceil(until - now);
  return seconds > 0 ? `${clock(seconds)} left` : "time is up";
}

export class LiveCalls {
  constructor({ live }) {
    this.live = live;
    this.filter = "";
    this.chosen = null;
    this.heading = el("p", {}, "…");
    this.search = el("input.field", {
      type: "search",
      placeholder: "Filter by caller or agent",
      "aria-label": "Filter calls",
      "data-key": "/",
      oninput: () => {
        this.filter = this.search.value.trim().toLowerCase();
        this.draw();
      },
    });
    this.rows = el("ul.calls", { "aria-label": "Calls now" });
    this.head = el(
      "div.calls-head",
      { "aria-hidden": "true" },
      ["State", "Caller", "Hand-off", "Cost", "Time"].map((name) =>
        el(name === "Cost" ? "span.cost" : "span", {}, name),
      ),
    );
    this.nothing = empty("No calls right now", "A call appears here when it rings.");
    this.unmatched = empty("No call matches", "Try a shorter filter.");
    this.list = new KeyedList(this.rows, {
      key: (entry) => entry.call_sid,
      create: (entry) => new Row(entry),
      update: (row, entry) => row.update(entry, this.live.now(), this.chosen),
    });
    this.panel = el("div.panel.calls-panel", {}, this.head, this.rows, this.nothing, this.unmatched);
    this.node = el(
      "div.page",
      {},
      el("header", {}, el("div", {}, el("h1", {}, "Calls now"), this.heading), this.search),
      this.panel,
    );
    this.ends = [live.watch((change) => this.changed(change)), everySecond(() => this.tick())];
    this.draw();
  }

  close() {
    for (const end of this.ends) end();
  }

  /** Update the changed rows; draw the list again only if a row appears, goes or moves. */
  changed({ afresh, touched }) {
    if (!afresh && !this.filter) {
      let moved = false;
      for (const sid of touched) {
        const entry = this.live.calls.get(sid);
        const row = this.list.rows.get(sid);
        if (!entry !== !row || (row && URGENCY[situation(entry).kind] !== row.urgency)) moved = true;
      }
      if (!moved) {
        for (const sid of touched) {
          const entry = this.live.calls.get(sid);
          if (entry) this.list.touch(entry);
        }
        return;
      }
    }
    this.draw();
  }

  draw() {
    const all = [...this.live.calls.values()];
    const shown = all
      .filter((entry) => this.matches(entry))
      .map((entry) => [URGENCY[situation(entry).kind], entry.arrived_at, entry])
      .sort((a, b) => a[0] - b[0] || a[1] - b[1])
      .map((one) => one[2]);
    this.list.set(shown);
    setText(this.heading, this.summary(all));
    show(this.head, shown.length > 0);
    // Without prices in the settings there is no cost to show.
    put(this.panel, "data-free", !all.some((entry) => entry.cost.total));
    show(this.nothing, all.length === 0);
    show(this.unmatched, all.length > 0 && shown.length === 0);
    show(this.search, all.length > 5 || this.filter !== "");
  }

  summary(all) {
    if (!all.length) return "No calls.";
    const kinds = {};
    for (const entry of all) {
      const { kind } = situation(entry);
      kinds[kind] = (kinds[kind] ?? 0) + 1;
    }
    const parts = [count(all.length, "call")];
    if (kinds.asks) parts.push(`${kinds.asks} ask${kinds.asks === 1 ? "s" : ""} a human`);
    if (kinds.handoff) parts.push(`${kinds.handoff} being handed off`);
    if (kinds.human) parts.push(`${kinds.human} with a human`);
    return parts.join(" · ");
  }

  matches(entry) {
    if (!this.filter) return true;
    const text = `${entry.caller} ${caller(entry.caller)} ${entry.agent} ${entry.called}`.toLowerCase();
    return text.includes(this.filter);
  }

  tick() {
    const now = this.live.now();
    for (const row of this.list.rows.values()) row.tick(now);
  }
}

class Row {
  constructor(entry) {
    this.state = el("span.state");
    this.who = el("strong");
    this.agent = el("span.soft.small");
    this.place = el("span.place");
    this.left = el("span.left");
    this.doing = el("span.doing.mono.small");
    this.cost = el("span.cost.soft");
    this.time = el("span.time");
    this.link = el(
      "a.call-row",
      { href: `#/calls/${encodeURIComponent(entry.call_sid)}` },
      this.state,
      el("span.who", {}, this.who, this.agent),
      el("span.handoff", {}, this.place, this.left, this.doing),
      this.cost,
      this.time,
      icon("right"),
    );
    this.node = el("li", {}, this.link);
  }

  update(entry, now) {
    this.entry = entry;
    const { kind, text } = situation(entry);
    this.urgency = URGENCY[kind];
    put(this.state, "data-kind", kind);
    setText(this.state, text);
    setText(this.who, caller(entry.caller));
    setText(this.agent, entry.agent);
    const { handoff, question } = entry;
    setText(this.place, question ? question.text : handoff ? words(handoff.destination) : "");
    setText(this.doing, !question && !handoff && entry.running.length ? `${entry.running.join(", ")} …` : "");
    setText(this.cost, entry.cost.total ? money(entry.cost.total) : "");
    this.tick(now);
  }

  tick(now) {
    const { handoff, question, arrived_at: arrived } = this.entry;
    const until = question ? question.until : handoff?.until;
    setText(this.left, timeLeft(until, now));
    put(this.left, "data-short", until !== null && until !== undefined && until - now < 6);
    setText(this.time, clock(now - arrived));
  }
}
