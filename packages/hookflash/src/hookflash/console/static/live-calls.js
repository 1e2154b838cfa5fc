// Calls now: one row a call, those that wait for a person first.
//
// With hundreds of calls a change touches one row, and the clocks' second only their texts.

import { el, icon, KeyedList, put, say, show } from "./dom.js";
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

/** What a call is doing, in a word or two, and how it is coloured. */
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

// Calls that nobody waits for stay in the order in which they came: rows must not jump about.
const URGENCY = { asks: 0, handoff: 1, human: 2, agent: 2, quiet: 2 };

/** "0:12 left", or nothing where nothing is waited for. */
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
    this.nothing = empty("No calls right now", "A call appears here the moment it rings.");
    this.unmatched = empty("No call matches", "Try fewer letters.");
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

  /** A change of what is on a row already touches only that row, unless its place changes too. */
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
    say(this.heading, this.summary(all));
    show(this.head, shown.length > 0);
    // Where the owner has set no prices, nothing costs anything, and there is nothing to show.
    put(this.panel, "data-free", !all.some((entry) => entry.cost.total));
    show(this.nothing, all.length === 0);
    show(this.unmatched, all.length > 0 && shown.length === 0);
    show(this.search, all.length > 5 || this.filter !== "");
  }

  summary(all) {
    if (!all.length) return "The line is quiet.";
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
    say(this.state, text);
    say(this.who, caller(entry.caller));
    say(this.agent, entry.agent);
    const { handoff, question } = entry;
    say(this.place, question ? question.text : handoff ? words(handoff.destination) : "");
    say(this.doing, !question && !handoff && entry.running.length ? `${entry.running.join(", ")} …` : "");
    say(this.cost, entry.cost.total ? money(entry.cost.total) : "");
    this.tick(now);
  }

  tick(now) {
    const { handoff, question, arrived_at: arrived } = this.entry;
    const until = question ? question.until : handoff?.until;
    say(this.left, timeLeft(until, now));
    put(this.left, "data-short", until !== null && until !== undefined && until - now < 6);
    say(this.time, clock(now - arrived));
  }
}
