// The page of ended calls: search, filters, pages of fifty. The address has the filters, so that the
// browser's "back" works.

import { pastCalls, tableUrl } from "./api.js";
import { el, icon, put, setText, show } from "./dom.js";
import { clock, count, day, label, money, party, shortDay, timeOfDay, wait, words } from "./format.js";
import { announce, empty, Loading } from "./page.js";
import { DISPOSITIONS, OUTCOMES } from "./state-words.js";

const PAGE = 50;
const TYPING_MS = 250;
const COLUMNS = [
  ["When", ""],
  ["Caller", ""],
  ["Outcome", ""],
  ["Human", ""],
  ["Answer delay", "number"],
  ["Length", "number"],
  ["Cost", "number cost"],
];
const FILTERS = ["find", "disposition", "days", "destination", "agent", "outcome", "since", "until"];
const SINCE = { "": "Any time", 1: "Last 24 hours", 7: "Last 7 days", 30: "Last 30 days", 90: "Last 90 days" };

/** Return the query of the API. Only digits search for a caller; other text searches the transcripts. */
export function asQuery(
  {
    find = "",
    disposition = "",
    days = "",
    destination = "",
    agent = "",
    outcome = "",
    since = "",
    until = "",
    before = "",
  },
  now = Date.now() / 1000,
) {
  const digits = /^[\d\s+().-]{3,}$/.test(find.trim()) ? find.replaceAll(/\D/g, "").slice(-64) : "";
  // The server refuses a text without a word; somebody who types may begin with a quotation mark.
  const words = /[\p{L}\p{N}]/u.test(find) ? find.trim() : "";
  return {
    text: digits ? "" : words,
    digits,
    disposition,
    destination,
    agent,
    outcome,
    before,
    limit: PAGE,
    since: since || (days ? Math.floor(now - Number(days) * 86_400) : ""),
    until,
  };
}

/** Return the excerpt as text and elements, with the found words marked. */
export function marked(text, find) {
  const wanted = find.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];
  return text
    .split(/([\p{L}\p{N}]+)/u)
    .map((piece) =>
      wanted.some((word) => piece.toLowerCase().startsWith(word)) ? el("mark", {}, piece) : piece,
    );
}

export class PastCalls {
  /** `params` are those of the address; `go(params)` changes it. */
  constructor({ params, go }) {
    this.params = params;
    this.go = go;
    this.trail = [];
    this.heading = el("p", {}, "");
    this.search = el("input.field", {
      type: "search",
      name: "find",
      value: params.find ?? "",
      maxlength: "200",
      "data-key": "/",
      placeholder: "Words that were said, or a number",
      "aria-label": "Search past calls",
      oninput: () => this.typed(),
    });
    this.disposition = this.choice("disposition", "Outcome", [
      ["", "Any outcome"],
      ...Object.keys(DISPOSITIONS).map((name) => [name, label(name)]),
    ]);
    this.days = this.choice(
      "days",
      "When",
      Object.entries(SINCE).sort((a, b) => a[0] - b[0]),
    );
    this.destination = el("input.field.destination", {
      name: "destination",
      value: params.destination ?? "",
      maxlength: "200",
      placeholder: "Handed to",
      "aria-label": "Handed to",
      oninput: () => this.typed(),
    });
    this.agent = el("input.field.destination", {
      name: "agent",
      value: params.agent ?? "",
      maxlength: "200",
      placeholder: "Agent",
      "aria-label": "Agent",
      oninput: () => this.typed(),
    });
    // A figure leads here with its time and with the outcome of its attempts.
    this.chosen = el("span.chosen.small");
    this.csv = el("a.button.quiet", { download: "calls.csv" }, "CSV");
    this.clear = el("button.button.quiet", { type: "button", onclick: () => this.reset() }, "Clear");
    this.body = el("tbody");
    this.table = el(
      "table.past",
      {},
      el("caption.unseen", {}, "Past calls, the newest first"),
      el(
        "thead",
        {},
        el(
          "tr",
          {},
          COLUMNS.map(([name, kind]) => el("th", { scope: "col", class: kind }, name)),
        ),
      ),
      this.body,
    );
    this.loading = new Loading({ what: "The past calls", retry: () => this.load() });
    this.none = empty("No past calls", "A call appears here when it is over.");
    this.ended = empty("No older calls", "This is the end of the list.");
    this.unmatched = empty("No call matches", "Try other words, a longer time or fewer filters.");
    this.newer = el("button.button", { type: "button", onclick: () => this.turnBack() }, icon("left"), "Newer");
    this.older = el("button.button", { type: "button", onclick: () => this.turn() }, "Older", icon("right"));
    this.place = el("span.soft.small");
    this.node = el(
      "div.page",
      {},
      el("header", {}, el("div", {}, el("h1", {}, "Past calls"), this.heading)),
      el(
        "form.filters",
        { role: "search", onsubmit: (event) => event.preventDefault() },
        el("div.search", {}, icon("search"), this.search),
        this.disposition,
        this.days,
        this.destination,
        this.agent,
        this.chosen,
        this.clear,
        this.csv,
      ),
      el("div.panel.past-panel", {}, this.loading.node, this.table, this.none, this.ended, this.unmatched),
      el("nav.pager", { "aria-label": "Older and newer calls" }, this.newer, this.place, this.older),
    );
    for (const part of [this.table, this.none, this.ended, this.unmatched]) show(part, false);
    this.load();
  }

  close() {
    clearTimeout(this.timer);
    this.loading.stop();
  }

  /** Load again, because the connection was lost for a while. */
  reload() {
    this.load();
  }

  choice(name, title, options) {
    return el(
      "select.field",
      { name, "aria-label": title, onchange: () => this.change() },
      options.map(([value, text]) =>
        el("option", { value, selected: (this.params[name] ?? "") === value }, text),
      ),
    );
  }

  typed() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.change(), TYPING_MS);
  }

  change() {
    this.params = {
      find: this.search.value,
      disposition: this.disposition.value,
      days: this.days.value,
      destination: this.destination.value.trim(),
      agent: this.agent.value.trim(),
      outcome: this.params.outcome ?? "",
      since: this.days.value ? "" : (this.params.since ?? ""),
      until: this.days.value ? "" : (this.params.until ?? ""),
      before: "",
    };
    this.trail = [];
    this.go(this.params);
    this.load();
  }

  reset() {
    for (const field of [this.search, this.disposition, this.days, this.destination, this.agent])
      field.value = "";
    this.params = {};
    this.change();
    this.search.focus();
  }

  turn() {
    this.trail.push(this.params.before ?? "");
    this.params = { ...this.params, before: this.next };
    this.load();
  }

  turnBack() {
    this.params = { ...this.params, before: this.trail.pop() ?? "" };
    this.load();
  }

  async load() {
    put(this.node, "aria-busy", "true");
    this.showChosen();
    await this.loading.run(
      () => pastCalls(asQuery(this.params)),
      (page) => this.draw(page),
    );
    put(this.node, "aria-busy", null);
  }

  /** Show what the list is limited to that has no field: a time, and an outcome. */
  showChosen() {
    const { since, until, outcome } = this.params;
    const parts = [];
    if (since) parts.push(`${shortDay(since)}, ${timeOfDay(since)}`);
    if (until) parts.push(`to ${shortDay(until)}, ${timeOfDay(until)}`);
    if (outcome) parts.push(`last attempt: ${words(outcome)}`);
    setText(this.chosen, parts.join(" "));
    show(this.chosen, parts.length > 0);
    const { limit, before, ...wanted } = asQuery(this.params);
    put(this.csv, "href", tableUrl(wanted));
  }

  draw({ calls, next }) {
    this.next = next;
    const filtered = FILTERS.some((name) => this.params[name]);
    const first = this.trail.length * PAGE;
    put(this.table, "data-free", !calls.some((entry) => entry.cost));
    this.body.replaceChildren(...calls.map((entry) => this.row(entry)));
    show(this.table, calls.length > 0);
    show(this.none, !calls.length && !filtered && !first);
    show(this.ended, !calls.length && first > 0);
    show(this.unmatched, !calls.length && filtered && !first);
    show(this.clear, filtered);
    const text = calls.length ? `${first + 1} to ${first + calls.length}` : "";
    setText(this.place, text);
    put(this.newer, "disabled", this.trail.length === 0);
    put(this.older, "disabled", !next);
    show(this.newer.parentElement, this.trail.length > 0 || Boolean(next));
    setText(
      this.heading,
      next || this.trail.length
        ? "The newest first."
        : calls.length
          ? `${count(calls.length, "call")}, the newest first.`
          : "",
    );
    if (filtered || first)
      announce(calls.length ? `Calls ${text}` : first ? "No older calls" : "No call matches");
  }

  row(entry) {
    const link = el("a", { href: `#/past/${encodeURIComponent(entry.call_sid)}` }, party(entry));
    const human = entry.outcome
      ? [
          el("span", {}, words(entry.destination)),
          el(
            "span.soft.small",
            { title: OUTCOMES[entry.outcome] ?? null },
            entry.seconds_to_human === null ? words(entry.outcome) : `after ${wait(entry.seconds_to_human)}`,
          ),
        ]
      : [el("span.soft", {}, "–")];
    const row = el(
      "tr",
      {
        onclick: (event) => {
          if (!event.target.closest("a") && !getSelection().toString())
            location.hash = link.getAttribute("href");
        },
      },
      el(
        "td.when",
        {},
        el("span", {}, day(entry.arrived_at)),
        el("span.soft.small", {}, timeOfDay(entry.arrived_at)),
      ),
      el(
        "td.who",
        {},
        link,
        el("span.soft.small", {}, entry.agent),
        entry.excerpt ? el("q.excerpt.small", {}, marked(entry.excerpt, this.params.find ?? "")) : null,
      ),
      el("td.how", {}, el("span.disposition", { "data-kind": entry.disposition }, label(entry.disposition))),
      el("td.human", {}, human),
      el("td.number.answer", {}, wait(entry.answer_seconds)),
      el("td.number.length", {}, clock(entry.seconds)),
      el("td.number.soft.cost", {}, entry.cost ? money(entry.cost) : "–"),
    );
    return row;
  }
}
