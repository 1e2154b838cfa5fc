// What calls have left for the owner: voicemails, wishes to be called back, messages.
//
// The page asks again every few seconds while it shows the newest ones: an attempt to deliver ends
// at any time.

import { deliveries, retryDelivery } from "./api.js";
import { el, put, say, show } from "./dom.js";
import { caller, clock, count, day, label, timeOfDay, words } from "./format.js";
import { attempt, empty, everySecond } from "./page.js";

const PAGE = 50;
const AGAIN_SECONDS = 5;
const STATES = { waiting: "Waiting", delivered: "Delivered", dead: "Given up", kept: "Nobody takes it" };
const KINDS = { voicemail: "Voicemail", callback: "Call back", message: "Message" };

export class Deliveries {
  /** `params` are those of the address; `go(params)` changes it. `now` is the server's time. */
  constructor({ params, go, session, now = () => Date.now() / 1000 }) {
    this.params = params;
    this.go = go;
    this.now = now;
    this.mayRetry = session.can.includes("retry");
    this.asked = 0;
    this.waited = 0;
    this.older = false;
    this.heading = el("p", {}, "…");
    this.state = el(
      "select.field",
      { name: "state", "aria-label": "State", onchange: () => this.change() },
      [["", "Any state"], ...Object.entries(STATES)].map(([value, text]) =>
        el("option", { value, selected: (params.state ?? "") === value }, text),
      ),
    );
    this.body = el("tbody");
    const heads = ["When", "What", "Caller", "Said", "State"];
    this.table = el(
      "table.audit.deliveries",
      {},
      el("caption.unseen", {}, "Deliveries, the newest first"),
      el("thead", {}, el("tr", {}, heads.map((name) => el("th", { scope: "col" }, name)))),
      this.body,
    );
    this.none = empty("Nothing was left", "Voicemails, wishes to be called back and messages come here.");
    this.unmatched = empty("Nothing is in this state", "Choose another one.");
    this.more = el("button.button", { type: "button", onclick: () => this.load(this.next) }, "Show older");
    this.node = el(
      "div.page",
      {},
      el("header", {}, el("div", {}, el("h1", {}, "Deliveries"), this.heading), this.state),
      el("div.panel.past-panel", {}, this.table, this.none, this.unmatched),
      el("nav.pager", { "aria-label": "Older deliveries" }, this.more),
    );
    for (const part of [this.table, this.none, this.unmatched, this.more]) show(part, false);
    this.end = everySecond(() => this.tick());
    this.load();
  }

  close() {
    this.end();
    this.asked += 1;
  }

  change() {
    this.params = { state: this.state.value };
    this.go(this.params);
    this.load();
  }

  /** Somebody who reads older ones, or is at a button, is not disturbed. */
  tick() {
    this.waited += 1;
    const busy = this.older || this.body.contains(document.activeElement);
    if (this.waited >= AGAIN_SECONDS && !busy) this.load();
  }

  async load(before = null) {
    const asked = (this.asked += 1);
    this.waited = 0;
    let page;
    try {
      page = await deliveries({ ...this.params, limit: PAGE, before });
    } catch (error) {
      if (asked === this.asked) say(this.heading, error.message);
      return;
    }
    if (asked !== this.asked) return;
    this.older = before !== null;
    if (!this.older) this.body.replaceChildren();
    this.body.append(...page.deliveries.map((one) => this.row(one)));
    this.next = page.next;
    say(this.heading, summary(page.counts));
    const shown = this.body.childElementCount > 0;
    show(this.more, page.next !== null);
    show(this.table, shown);
    show(this.none, !shown && !this.params.state);
    show(this.unmatched, !shown && Boolean(this.params.state));
  }

  row(one) {
    const recorded = /^https?:/.test(one.recording_url);
    return el(
      "tr",
      {},
      el(
        "td.when",
        {},
        el("span", {}, day(one.created_at)),
        el("span.soft.small", {}, timeOfDay(one.created_at)),
      ),
      el(
        "td.what",
        {},
        el("strong", {}, KINDS[one.kind] ?? label(one.kind)),
        el("span.soft.small", {}, one.destination ? `for ${words(one.destination)}` : one.agent),
      ),
      el(
        "td.who",
        {},
        el("a", { href: `#/past/${encodeURIComponent(one.call_sid)}` }, caller(one.caller)),
        one.number && one.number !== one.caller
          ? el("span.soft.small", {}, `back to ${caller(one.number)}`)
          : null,
      ),
      el(
        "td.text.small",
        {},
        el("p", {}, one.said || one.reason || "–"),
        one.said && one.reason ? el("p.soft", {}, one.reason) : null,
        recorded
          ? el(
              "a.soft",
              { href: one.recording_url, target: "_blank", rel: "noopener noreferrer" },
              `Recording at the carrier, ${clock(one.recording_seconds)}`,
            )
          : null,
      ),
      el(
        "td.state-cell",
        {},
        el("span.disposition", { "data-kind": one.state }, STATES[one.state] ?? label(one.state)),
        el("span.soft.small", {}, this.told(one)),
        one.state === "dead" || one.state === "kept" ? this.again(one) : null,
      ),
    );
  }

  told({ state, attempts, due_at: due, delivered_at: at, accepted, error }) {
    if (state === "delivered") return `${day(at)} ${timeOfDay(at)}, to ${accepted.join(", ")}`;
    if (state === "kept") return "no function and no address wants it";
    const failed = attempts ? `${count(attempts, "attempt")} failed: ${error}` : "";
    if (state === "dead") return failed;
    const seconds = Math.max(0, Math.round(due - this.now()));
    const next = seconds ? `next attempt in ${clock(seconds)}` : "being delivered";
    return failed ? `${failed}; ${next}` : next;
  }

  again({ id }) {
    const button = el("button.button", { type: "button" }, "Try again");
    put(button, "onclick", async () => {
      put(button, "disabled", true);
      await attempt(() => retryDelivery(id), "It is tried again.");
      await this.load();
    });
    show(button, this.mayRetry);
    return button;
  }
}

/** "2 waiting · 1 given up · 14 delivered". */
function summary(counts) {
  const told = { waiting: "waiting", dead: "given up", kept: "that nobody takes", delivered: "delivered" };
  const parts = Object.entries(told)
    .filter(([state]) => counts[state])
    .map(([state, text]) => `${counts[state]} ${text}`);
  return parts.join(" · ") || "Nothing has been left.";
}
