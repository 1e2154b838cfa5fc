// The page of the audit trail, newest first.

import { audit } from "./api.js";
import { el, put, show } from "./dom.js";
import { day, label, secondOfDay } from "./format.js";
import { empty, Loading } from "./page.js";

const PAGE = 100;
const TYPING_MS = 250;
const VIA = { token: "by token", open: "without sign-in" };
const ACTIONS = { handoff: "Hand-off", giveback: "Give back", hangup: "Hang up" };

export class Audit {
  constructor({ params, go }) {
    this.params = params;
    this.go = go;
    const filter = (name, text) =>
      el("input.field", {
        type: "search",
        name,
        value: params[name] ?? "",
        placeholder: text,
        "aria-label": text,
        "data-key": name === "who" ? "/" : null,
        oninput: () => {
          clearTimeout(this.timer);
          this.timer = setTimeout(() => this.change(), TYPING_MS);
        },
      });
    this.fields = {
      who: filter("who", "Who"),
      action: filter("action", "What"),
      call: filter("call", "Call SID"),
    };
    this.body = el("tbody");
    this.heading = el("p", {}, "Every sign-in and every action, newest first.");
    this.table = el(
      "table.audit",
      {},
      el("caption.unseen", {}, "Audit trail"),
      el(
        "thead",
        {},
        el(
          "tr",
          {},
          ["When", "Who", "What", "Call", "Text", "From"].map((name) => el("th", { scope: "col" }, name)),
        ),
      ),
      this.body,
    );
    this.loading = new Loading({ what: "The audit trail", retry: () => this.load() });
    this.none = empty("No entries", "No entry matches the filters.");
    this.more = el("button.button", { type: "button", onclick: () => this.load(this.next) }, "Show older");
    this.node = el(
      "div.page",
      {},
      el("header", {}, el("div", {}, el("h1", {}, "Audit"), this.heading)),
      el(
        "form.filters",
        { role: "search", onsubmit: (event) => event.preventDefault() },
        Object.values(this.fields),
      ),
      el("div.panel.past-panel", {}, this.loading.node, this.table, this.none),
      el("nav.pager", { "aria-label": "Older entries" }, this.more),
    );
    for (const part of [this.table, this.none, this.more]) show(part, false);
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

  change() {
    this.params = Object.fromEntries(
      Object.entries(this.fields).map(([name, field]) => [name, field.value.trim()]),
    );
    this.go(this.params);
    this.load();
  }

  async load(before = null) {
    put(this.node, "aria-busy", "true");
    await this.loading.run(
      () => audit({ ...this.params, limit: PAGE, before }),
      (page) => this.draw(page, before),
    );
    put(this.node, "aria-busy", null);
  }

  draw(page, before) {
    if (before === null) this.body.replaceChildren();
    this.body.append(...page.entries.map(row));
    this.next = page.next;
    show(this.more, page.next !== null);
    show(this.table, this.body.childElementCount > 0);
    show(this.none, this.body.childElementCount === 0);
  }
}

function row({ at, who, via, action, call_sid: sid, text, peer }) {
  const call = sid
    ? el("a.mono.small", { href: `#/past/${encodeURIComponent(sid)}`, title: sid }, sid.slice(0, 10))
    : "";
  return el(
    "tr",
    {},
    el("td.when", {}, el("span", {}, day(at)), el("span.soft.small", {}, secondOfDay(at))),
    el("td", {}, who || "–", VIA[via] ? el("span.soft.small", {}, ` ${VIA[via]}`) : ""),
    el("td", {}, ACTIONS[action] ?? label(action)),
    el("td", {}, call),
    el("td.text.small", {}, text),
    el("td.soft.small", {}, peer),
  );
}
