// The page of deliveries: voicemails, callback requests and messages.
//
// While the page shows the newest ones, it loads them again every few seconds.

import { deliveries, retryDelivery, voicemailUrl } from "./api.js";
import { el, put, setText, show } from "./dom.js";
import { caller, clock, count, day, label, timeOfDay, words } from "./format.js";
import { attempt, empty, everySecond, Loading } from "./page.js";
import { DELIVERY_STATES } from "./state-words.js";

const PAGE = 50;
const REFRESH_SECONDS = 5;
const KINDS = { voicemail: "Voicemail", callback: "Call back", message: "Message" };

export class Deliveries {
  /** `params` are those of the address; `go(params)` sets them. `now` returns the server's time. */
  constructor({ params, go, session, now = () => Date.now() / 1000 }) {
    this.params = params;
    this.go = go;
    this.now = now;
    this.mayRetry = session.can.includes("retry");
    this.waited = 0;
    this.older = false;
    this.heading = el("p", {}, "");
    this.state = el(
      "select.field",
      { name: "state", "aria-label": "State", onchange: () => this.change() },
      [["", "Any state"], ...Object.keys(DELIVERY_STATES).map((name) => [name, label(name)])].map(([value, text]) =>
        el("option", { value, selected: (params.state ?? "") === value }, text),
      ),
    );
    this.body = el("tbody");
    const heads = ["When", "What", "Caller", "Message", "State"];
    this.table = el(
      "table.audit.deliveries",
      {},
      el("caption.unseen", {}, "Deliveries, the newest first"),
      el("thead", {}, el("tr", {}, heads.map((name) => el("th", { scope: "col" }, name)))),
      this.body,
    );
    this.loading = new Loading({ what: "The deliveries", retry: () => this.load() });
    this.none = empty("No deliveries", "Voicemails, callback requests and messages appear here.");
    this.unmatched = empty("No deliveries in this state", "Choose another state.");
    this.more = el("button.button", { type: "button", onclick: () => this.load(this.next) }, "Show older");
    this.node = el(
      "div.page",
      {},
      el("header", {}, el("div", {}, el("h1", {}, "Deliveries"), this.heading), this.state),
      el("div.panel.past-panel", {}, this.loading.node, this.table, this.none, this.unmatched),
      el("nav.pager", { "aria-label": "Older deliveries" }, this.more),
    );
    for (const part of [this.table, this.none, this.unmatched, this.more]) show(part, false);
    this.end = everySecond(() => this.tick());
    this.load();
  }

  close() {
    this.end();
    this.loading.stop();
  }

  /** Load again, because the connection was lost for a while. */
  reload() {
    this.load();
  }

  change() {
    this.params = { state: this.state.value };
    this.go(this.params);
    this.load();
  }

  /** Load the newest again, unless the reader has loaded older ones or focuses a button. */
  tick() {
    this.waited += 1;
    const playing = [...this.body.querySelectorAll("audio")].some((one) => !one.paused);
    const busy = this.older || playing || this.body.contains(document.activeElement);
    if (this.waited >= REFRESH_SECONDS && !busy) this.load();
  }

  async load(before = null) {
    this.waited = 0;
    await this.loading.run(
      () => deliveries({ ...this.params, limit: PAGE, before }),
      (page) => this.draw(page, before),
    );
  }

  draw(page, before) {
    this.older = before !== null;
    if (!this.older) this.body.replaceChildren();
    this.body.append(...page.deliveries.map((one) => this.row(one)));
    this.next = page.next;
    setText(this.heading, summary(page.counts));
    const shown = this.body.childElementCount > 0;
    show(this.more, page.next !== null);
    show(this.table, shown);
    show(this.none, !shown && !this.params.state);
    show(this.unmatched, !shown && Boolean(this.params.state));
  }

  row(one) {
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
        el("p", {}, said(one)),
        one.said && one.reason ? el("p.soft", {}, one.reason) : null,
        one.recording_url ? voicemailPlayer(one.id, one.recording_seconds) : null,
      ),
      el(
        "td.state-cell",
        {},
        el("span.disposition", { "data-kind": one.state, title: DELIVERY_STATES[one.state] ?? null }, label(one.state)),
        el("span.soft.small", {}, this.stateText(one)),
        one.state === "dead" || one.state === "unroutable" ? this.retryButton(one) : null,
      ),
    );
  }

  stateText({ state, attempts, due_at: due, delivered_at: at, accepted, error }) {
    if (state === "delivered") return `${day(at)} ${timeOfDay(at)}, to ${accepted.join(", ")}`;
    if (state === "unroutable") return "no function and no webhook accepts it";
    const failed = attempts ? `${count(attempts, "attempt")} failed: ${error}` : "";
    if (state === "dead") return failed;
    const seconds = Math.max(0, Math.round(due - this.now()));
    const next = seconds ? `next attempt in ${clock(seconds)}` : "being delivered";
    return failed ? `${failed}; ${next}` : next;
  }

  retryButton({ id }) {
    const button = el("button.button", { type: "button" }, "Retry");
    put(button, "onclick", async () => {
      put(button, "disabled", true);
      await attempt(() => retryDelivery(id), "The delivery is retried.");
      await this.load();
    });
    show(button, this.mayRetry);
    return button;
  }
}

/** Return what a delivery says. A voicemail in which nothing was understood says so. */
function said(one) {
  if (one.said) return one.said;
  if (one.kind === "voicemail") return "No words were understood in this voicemail.";
  return one.reason || "–";
}

/** Make the player of a voicemail. Its sound is fetched from the carrier when it is played. */
export function voicemailPlayer(id, seconds) {
  const failed = el("p.small.failed-sound", { role: "alert", hidden: true }, "The carrier does not send this recording.");
  const sound = el("audio", {
    controls: true,
    preload: "none",
    src: voicemailUrl(id),
    "aria-label": `Voicemail, ${clock(seconds)}`,
    onerror: () => show(failed, true),
  });
  return el("div.voicemail", {}, sound, failed);
}

/** "2 waiting · 1 dead · 14 delivered". */
function summary(counts) {
  const parts = ["waiting", "dead", "unroutable", "delivered"]
    .filter((state) => counts[state])
    .map((state) => `${counts[state]} ${state}`);
  return parts.join(" · ") || "No deliveries.";
}
