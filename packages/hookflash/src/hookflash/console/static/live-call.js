// The view of one live call, for the console's page and for other pages (`embed.js`).
//
//     head       caller, state, duration and cost; the actions
//     notices    the hand-off with its time left, the agent's question, the end of the call
//     timeline   the drawn call
//     transcript as heard, with the field for a hint or for words to say
//     facts      figures of this call

import { Actions } from "./actions.js";
import { pastCall } from "./api.js";
import { ClosingCard } from "./closing-card.js";
import { situation, timeLeft } from "./live-calls.js";
import { el, icon, put, setText, show } from "./dom.js";
import { clock, count, lineOf, money, party, timeOfDay, wait, words } from "./format.js";
import { announce, everySecond, skeleton } from "./page.js";
import { CALL_STATES, SOURCES } from "./state-words.js";
import { Timeline } from "./timeline.js";
import { Transcript } from "./transcript.js";

const REDRAW_MS = 250;

export class LiveCall {
  /**
   * `live` is the store that the feed fills; `session` has the permissions. `back` is the address of
   * the list; on another page it is null, and `home` is the console's address.
   */
  constructor({ live, session, sid, back = null, home = "" }) {
    this.live = live;
    this.sid = sid;
    this.drawnAt = 0;
    this.announced = new Set();
    this.name = el("h1", {}, "…");
    this.about = el("p.soft");
    this.state = el("span.state");
    this.time = el("span.big-time", { role: "timer", "aria-label": "Duration" });
    this.actions = new Actions({ session, sid, call: () => this.live.detail });
    this.handoff = new HandoffNotice(this.actions);
    this.question = new QuestionNotice(this.actions);
    this.closing = new ClosingCard(sid, home);
    this.over = this.closing.node;
    this.loading = el("div.panel", {}, skeleton(6));
    this.unknown = el(
      "div.notice.unknown",
      { hidden: true, role: "status" },
      el("span", {}, el("strong", {}, "No such call. "), "No call with this SID is live, and no record has it."),
      el("a.button", { href: `${home}#/past`, target: home ? "_blank" : null }, "Past calls"),
    );
    this.timeline = new Timeline({ live: true, strip: Boolean(home), onPick: (seconds) => this.reveal(seconds) });
    this.transcript = new Transcript({ live: true });
    this.facts = new Facts();
    this.drawn = el("div.panel", {}, this.timeline.node);
    this.columns = el(
      "div.call-columns",
      {},
      el("div.panel.talk", {}, this.transcript.node, this.actions.composer),
      this.facts.node,
    );
    this.node = el(
      `article.call.live-call${home ? ".embedded" : ""}`,
      {},
      back ? el("a.crumb", { href: back, "data-key": "Escape" }, icon("left"), "Calls now") : null,
      el(
        "header.call-head",
        {},
        el("div.call-who", {}, this.name, this.about),
        el("div.call-state", {}, this.state, this.time),
      ),
      this.actions.node,
      el("div.notices", {}, this.question.node, this.handoff.node, this.over, this.unknown),
      this.loading,
      this.drawn,
      this.columns,
    );
    this.ends = [live.watch(() => this.draw()), everySecond(() => this.tick())];
    this.redraw = setInterval(() => this.drawTime(), REDRAW_MS);
    this.draw();
  }

  close() {
    this.closed = true;
    this.closing.close();
    for (const end of this.ends) end();
    clearInterval(this.redraw);
    this.timeline.close();
    this.transcript.close();
    this.actions.close();
    this.node.remove();
  }

  get detail() {
    const { detail } = this.live;
    return detail?.entry.call_sid === this.sid ? detail : null;
  }

  get isOver() {
    return this.live.over === this.sid || this.recorded === true || this.detail?.entry.phase === "ended";
  }

  /** No process has this call: it is over if there is a record of it. */
  async findRecord() {
    if (this.asking) return;
    this.asking = true;
    try {
      await pastCall(this.sid);
      this.recorded = true;
    } catch (error) {
      // Without an answer, it is not known whether there was such a call.
      if (error.status === 404) this.recorded = false;
      else this.asking = false;
    }
    if (!this.closed) this.draw();
  }

  draw() {
    const lookedUp = this.live.unknown === this.sid && !this.detail;
    if (lookedUp && this.recorded === undefined) this.findRecord();
    const unknown = lookedUp && this.recorded === false;
    show(this.unknown, unknown);
    show(this.loading, !this.detail && !this.isOver && !unknown);
    show(this.over, this.isOver);
    if (this.isOver) this.closing.load();
    show(this.drawn, this.detail !== null);
    show(this.columns, this.detail !== null);
    if (!this.detail) {
      show(this.actions.node, false);
      show(this.state, false);
      if (unknown) {
        setText(this.name, "Unknown call");
        setText(this.about, this.sid);
        return;
      }
      this.head(this.live.calls.get(this.sid));
      return;
    }
    const { entry, parts } = this.detail;
    this.head(entry);
    const { kind, text, means } = situation(this.isOver ? { ...entry, state: "ended" } : entry);
    show(this.state, true);
    put(this.state, "title", means || null);
    if (this.announced.size && this.state.textContent !== text) announce(text);
    put(this.state, "data-kind", kind);
    setText(this.state, text);
    this.transcript.update(parts);
    this.drawSound(parts.sound ?? []);
    this.facts.update(entry, parts);
    this.actions.update(entry, this.isOver);
    this.tick();
    this.drawTime();
    this.announceLines(parts.lines);
  }

  /** Show the caller. The list has it before the call's own data arrives. */
  head(entry) {
    if (!entry) {
      setText(this.name, this.isOver ? "Ended call" : "Looking for this call …");
      return;
    }
    setText(this.name, party(entry));
    setText(this.about, `${entry.agent} · ${lineOf(entry)} · since ${timeOfDay(entry.arrived_at)}`);
  }

  tick() {
    if (!this.detail) return;
    const { entry } = this.detail;
    // While the connection is lost, the store's clock stands still.
    const now = this.live.now();
    if (!this.isOver) setText(this.time, clock(now - entry.arrived_at));
    this.handoff.update(this.isOver ? null : entry.handoff, this.stagesOf(entry), now);
    this.question.update(this.isOver ? null : entry.question, now);
  }

  stagesOf({ handoff }) {
    const since = handoff ? handoff.asked_at - 0.5 : Infinity;
    return this.detail.parts.stages.filter((stage) => stage.started_at >= since);
  }

  /** Give the timeline the loudness of both sides, which the server measures while this page is open. */
  drawSound(pieces) {
    const last = pieces.at(-1);
    const state = last ? `${last.id}/${last.left.length}` : "";
    if (state === this.soundDrawn) return;
    this.soundDrawn = state;
    if (last) this.timeline.setEnvelopes(envelopesOf(pieces), pieces[0].started_at);
  }

  /** Draw the timeline up to now: open bars grow between two messages. */
  drawTime() {
    if (!this.detail || document.hidden || this.live.frozen) return;
    const { entry, parts } = this.detail;
    if (this.isOver && this.seconds) {
      this.timeline.update(parts, this.seconds, { live: false });
      return;
    }
    this.seconds = Math.max(this.live.now() - entry.arrived_at, lastOf(parts));
    this.timeline.update(parts, this.seconds);
  }

  /** Announce lines that have ended since the page was opened. */
  announceLines(lines) {
    const finished = lines.filter((line) => line.ended_at !== null && line.text);
    const first = this.announced.size === 0;
    for (const line of finished) {
      if (this.announced.has(line.id)) continue;
      this.announced.add(line.id);
      if (!first && line.speaker !== "note") announce(`${line.speaker}: ${line.text}`);
    }
    this.announced.add("");
  }

  reveal(seconds) {
    const row = [...this.transcript.rows.rows.values()].findLast((one) => one.started <= seconds + 0.05);
    if (!row) return;
    this.transcript.following = false;
    this.transcript.reveal(row.node);
    show(this.transcript.jump, true);
  }
}

const LEVELS_PER_SECOND = 20;

/** Return the envelopes of a timeline (`waveform.js`) from the pieces of the API. */
export function envelopesOf(pieces) {
  const from = pieces[0].started_at;
  const place = ({ started_at: at }) => Math.round((at - from) * LEVELS_PER_SECOND);
  const size = place(pieces.at(-1)) + pieces.at(-1).left.length;
  const sides = { left: new Float32Array(size), right: new Float32Array(size) };
  for (const piece of pieces) {
    for (const side of ["left", "right"])
      [...piece[side]].forEach((digit, number) => {
        sides[side][place(piece) + number] = parseInt(digit, 16) / 15;
      });
  }
  return { perSecond: LEVELS_PER_SECOND, ...sides, since: from };
}

const COLD = ["farewell", "moving", "ringing", "with human"];
const WARM = ["ringing", "screening", "closing", "bridging", "with human"];
const BEFORE_HUMAN = new Set(["checking", "farewell", "moving", "ringing", "screening", "closing"]);

/** Return the latest time that the parts mention, in seconds. */
function lastOf({ lines, stages }) {
  const last = [lines.at(-1), stages.at(-1)].map((one) => one?.ended_at ?? one?.started_at ?? 0);
  return Math.max(...last);
}

class HandoffNotice {
  constructor(actions) {
    this.cancel = el(
      "button.button.cancel-handoff",
      { type: "button", onclick: () => actions.run("cancel", {}, "The hand-off is cancelled.") },
      "Cancel hand-off",
    );
    this.may = actions.may("cancel");
    this.title = el("strong");
    this.left = el("span.left");
    this.reason = el("span.reason");
    this.steps = el("ol.steps", { "aria-label": "Steps of the hand-off" });
    this.node = el(
      "section.notice.handoff-notice",
      { "aria-label": "Hand-off", hidden: true },
      el("div.notice-head", {}, this.title, this.reason, this.left, this.cancel),
      this.steps,
    );
  }

  /** `stages` are those that began after this hand-off was requested. */
  update(handoff, stages, now) {
    show(this.node, Boolean(handoff));
    if (!handoff) return;
    setText(this.title, `Hand-off to ${words(handoff.destination) || "a human"}`);
    const left = timeLeft(handoff.until, now);
    setText(this.left, left && handoff.state === "ringing" ? `rings ${left}` : left);
    put(this.left, "data-short", handoff.until !== null && handoff.until - now < 6);
    put(this.left, "title", CALL_STATES[handoff.state]?.means ?? null);
    const asked = SOURCES[handoff.source] ?? handoff.source;
    setText(this.reason, [`Asked for by ${asked}`, handoff.reason, handoff.summary].filter(Boolean).join(" · "));
    show(this.steps, handoff.state !== "with human");
    show(this.cancel, this.may && BEFORE_HUMAN.has(handoff.state));
    this.drawSteps(
      handoff.state,
      stages.map((stage) => stage.name),
    );
  }

  /** Draw the usual steps of a cold or a warm hand-off; in another state, the last four steps. */
  drawSteps(state, been) {
    const usual =
      been.some((name) => name === "farewell" || name === "moving") || state === "farewell" ? COLD : WARM;
    const others = [...been.filter((name) => name !== state && !/^talking$|^answering$/.test(name)), state];
    const path = usual.includes(state) ? usual : others.slice(-4);
    const key = `${path.join()}/${state}`;
    if (this.drawn === key) return;
    this.drawn = key;
    const here = path.indexOf(state);
    this.steps.replaceChildren(
      ...path.map((step, place) =>
        el(
          "li",
          { title: CALL_STATES[step]?.means ?? null, "data-past": place < here, "aria-current": place === here ? "step" : null },
          step,
        ),
      ),
    );
  }
}

class QuestionNotice {
  constructor(actions) {
    this.text = el("p.asked");
    this.left = el("span.left");
    this.field = el("input.field", {
      "aria-label": "Your answer",
      placeholder: "Your answer",
      autocomplete: "off",
    });
    this.form = el(
      "form.answer-form",
      {
        onsubmit: async (event) => {
          event.preventDefault();
          const text = this.field.value.trim();
          if (text && (await actions.answer(this.id, text))) this.field.value = "";
        },
      },
      this.field,
      el("button.button.primary", {}, "Answer"),
    );
    this.node = el(
      "section.notice.question-notice",
      { "aria-label": "The agent asks", hidden: true },
      el("div.notice-head", {}, el("strong", {}, "The agent asks a human"), this.left),
      this.text,
      this.form,
    );
    this.may = actions.may("answer");
  }

  update(question, now) {
    show(this.node, Boolean(question));
    if (!question) {
      this.id = null;
      return;
    }
    if (this.id !== question.id) announce(`The agent asks: ${question.text}`);
    this.id = question.id;
    setText(this.text, question.text);
    setText(this.left, timeLeft(question.until, now));
    show(this.form, this.may);
  }
}

class Facts {
  constructor() {
    this.list = el("dl");
    this.rows = new Map();
    this.node = el(
      "aside.facts.panel",
      { "aria-label": "Facts", tabindex: "0" },
      el("h2.eyebrow", {}, "Facts"),
      this.list,
    );
  }

  row(name, value) {
    let row = this.rows.get(name);
    if (!row) {
      row = { node: el("div"), value: el("dd") };
      row.node.append(el("dt", {}, name), row.value);
      // The SID stays last.
      this.list.insertBefore(row.node, this.rows.get("Call")?.node ?? null);
      this.rows.set(name, row);
    }
    show(row.node, value !== "");
    setText(row.value, value);
  }

  update(entry, parts) {
    const waits = parts.latencies.map((one) => one.ended_at - one.started_at).sort((a, b) => a - b);
    this.row("Answer delay", waits.length ? `${wait(waits[Math.floor(waits.length / 2)])} median` : "");
    this.row("Slowest answer", waits.length > 1 ? wait(waits.at(-1)) : "");
    this.row("Barge-ins", entry.barge_ins ? String(entry.barge_ins) : "");
    this.row("Tools", parts.tools.length ? count(parts.tools.length, "call") : "");
    const { total, carrier, model, counted } = entry.cost;
    this.row("Cost so far, estimated", total ? money(total) : "");
    const how = counted ? "by its tokens" : "by the minute";
    this.row("Of which carrier, model", total ? `${money(carrier)}, ${money(model)} ${how}` : "");
    parts.legs.forEach((leg, place) => {
      const end = leg.answered_at ?? leg.ended_at;
      const result = leg.answered_at === null ? words(leg.outcome) || leg.status : "answered";
      this.row(
        `Human ${place + 1}`,
        end === null ? "ringing" : `${result} after ${wait(end - leg.started_at)}`,
      );
    });
    this.row("Call", entry.call_sid);
  }
}
