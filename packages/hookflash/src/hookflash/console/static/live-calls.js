// The page "Calls now": one row for each live call. Calls that wait for a human come first.
//
// A change of a call updates its row only, so that the page stays fast with hundreds of calls. The page
// says "no calls" only after the server has sent its list.

import { el, icon, KeyedList, put, setText, show } from "./dom.js";
import { clock, count, label, money, party, words } from "./format.js";
import { empty, everySecond, failure, skeleton } from "./page.js";
import { CALL_STATES } from "./state-words.js";

/** Return the state of a call: its word, the kind that sets its colour, and what it means. */
export function situation({ state, phase, question }) {
  const name = state || (question ? "asking" : phase);
  const { kind = "quiet", means = "" } = CALL_STATES[name] ?? {};
  return { name, kind, text: label(name), means };
}

// Calls of one urgency are in the order of their arrival, so that rows keep their places.
const URGENCY = { asks: 0, handoff: 1, human: 2, agent: 2, quiet: 2 };
const SORTS = {
  urgency: ["Urgency", (entry) => [URGENCY[situation(entry).kind], entry.arrived_at]],
  longest: ["Longest first", (entry) => [entry.arrived_at]],
  newest: ["Newest first", (entry) => [-entry.arrived_at]],
  agent: ["Agent", (entry) => [entry.agent, entry.arrived_at]],
  caller: ["Caller", (entry) => [entry.caller, entry.arrived_at]],
};
const SPEAKERS = { caller: "Caller", agent: "Agent", human: "Human" };

/** Return a text such as "0:12 left"; an empty one if there is no deadline. */
export function timeLeft(until, now) {
  if (until === null || until === undefined) return "";
  const seconds = Math.ceil(until - now);
  return seconds > 0 ? `${clock(seconds)} left` : "time is up";
}

function compare(a, b) {
  for (let place = 0; place < a.length; place += 1) {
    if (a[place] < b[place]) return -1;
    if (a[place] > b[place]) return 1;
  }
  return 0;
}

export class LiveCalls {
  /** `live` is the store that the feed fills; `retry()` connects again. */
  constructor({ live, retry = () => {} }) {
    this.live = live;
    this.filter = "";
    this.heading = el("p", {}, "");
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
    this.agent = el("select.field", { "aria-label": "Agent", onchange: () => this.draw() });
    this.sort = el(
      "select.field",
      { "aria-label": "Sort calls", onchange: () => this.draw() },
      Object.entries(SORTS).map(([name, [text]]) => el("option", { value: name }, text)),
    );
    this.tools = el("div.list-tools", {}, this.agent, this.sort, this.search);
    this.rows = el("ul.calls", { "aria-label": "Calls now" });
    this.head = el(
      "div.calls-head",
      { "aria-hidden": "true" },
      ["State", "Caller", "Last heard", "Hand-off", "Cost", "Time"].map((name) =>
        el(name === "Cost" ? "span.cost" : "span", {}, name),
      ),
    );
    this.loading = skeleton(5);
    this.failed = failure("The calls cannot be loaded", retry);
    this.nothing = empty("No calls right now", "A call appears here when it rings.");
    this.unmatched = empty("No call matches", "Try a shorter filter or another agent.");
    this.list = new KeyedList(this.rows, {
      key: (entry) => entry.call_sid,
      create: (entry) => new Row(entry),
      update: (row, entry) => row.update(entry, this.live.now()),
    });
    this.panel = el(
      "div.panel.calls-panel",
      {},
      this.head,
      this.rows,
      this.loading,
      this.failed.node,
      this.nothing,
      this.unmatched,
    );
    this.node = el(
      "div.page",
      {},
      el("header", {}, el("div", {}, el("h1", {}, "Calls now"), this.heading), this.tools),
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
    if (!afresh && this.live.loaded && touched.size && !this.filter && !this.agent.value) {
      let moved = false;
      for (const sid of touched) {
        const entry = this.live.calls.get(sid);
        const row = this.list.rows.get(sid);
        if (!entry !== !row || (row && this.rank(entry)[0] !== row.rank[0])) moved = true;
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

  rank(entry) {
    return SORTS[this.sort.value || "urgency"][1](entry);
  }

  draw() {
    const { loaded, failure: reason } = this.live;
    const all = [...this.live.calls.values()];
    this.offerAgents(all);
    const shown = all
      .filter((entry) => this.matches(entry))
      .map((entry) => ({ rank: this.rank(entry), entry }))
      .sort((a, b) => compare(a.rank, b.rank));
    this.list.set(shown.map(({ entry }) => entry));
    for (const { rank, entry } of shown) this.list.rows.get(entry.call_sid).rank = rank;
    setText(this.heading, loaded ? this.summary(all) : reason ? "" : "Loading …");
    show(this.head, shown.length > 0);
    // Without prices in the settings there is no cost to show.
    put(this.panel, "data-free", !all.some((entry) => entry.cost.total));
    show(this.loading, !loaded && !reason);
    setText(this.failed.reason, reason);
    show(this.failed.node, !loaded && Boolean(reason));
    show(this.nothing, loaded && all.length === 0);
    show(this.unmatched, all.length > 0 && shown.length === 0);
    const filtered = this.filter !== "" || this.agent.value !== "";
    show(this.tools, all.length > 5 || filtered);
  }

  /** Offer the agents of the live calls; one that is chosen stays. */
  offerAgents(all) {
    const chosen = this.agent.value;
    const names = [...new Set([...all.map((entry) => entry.agent), chosen])].filter(Boolean).sort();
    show(this.agent, names.length > 1 || chosen !== "");
    if (this.offered === names.join("\n")) return;
    this.offered = names.join("\n");
    this.agent.replaceChildren(
      el("option", { value: "" }, "All agents"),
      ...names.map((name) => el("option", { value: name, selected: name === chosen }, name)),
    );
  }

  summary(all) {
    if (!all.length) return "No calls.";
    const kinds = {};
    for (const entry of all) {
      const { kind } = situation(entry);
      kinds[kind] = (kinds[kind] ?? 0) + 1;
    }
    const parts = [count(all.length, "call")];
    if (kinds.asks) parts.push(`${kinds.asks} asking a human`);
    if (kinds.handoff) parts.push(`${kinds.handoff} being handed off`);
    if (kinds.human) parts.push(`${kinds.human} with a human`);
    return parts.join(" · ");
  }

  matches(entry) {
    if (this.agent.value && entry.agent !== this.agent.value) return false;
    if (!this.filter) return true;
    const text = `${entry.caller} ${party(entry)} ${entry.agent} ${entry.called}`.toLowerCase();
    return text.includes(this.filter);
  }

  tick() {
    if (this.live.frozen) return;
    const now = this.live.now();
    for (const row of this.list.rows.values()) row.tick(now);
  }
}

class Row {
  constructor(entry) {
    this.rank = [];
    this.state = el("span.state");
    this.who = el("strong");
    this.agent = el("span.soft.small");
    this.last = el("span.last");
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
      this.last,
      el("span.handoff", {}, this.place, this.left, this.doing),
      this.cost,
      this.time,
      icon("right"),
    );
    this.node = el("li", {}, this.link);
  }

  update(entry, now) {
    this.entry = entry;
    const { kind, text, means } = situation(entry);
    put(this.state, "data-kind", kind);
    put(this.state, "title", means || null);
    setText(this.state, text);
    setText(this.who, party(entry));
    setText(this.agent, entry.agent);
    const { handoff, question, last, speaking } = entry;
    const said = last ? `${SPEAKERS[last.speaker]}: ${last.text}` : "";
    setText(this.last, said);
    put(this.last, "title", said || null);
    put(this.last, "data-speaking", speaking || null);
    put(this.last, "aria-label", speaking ? `${SPEAKERS[speaking]} speaks. ${said}` : null);
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
