// The transcript as heard: a list that changes in place.
//
// Between the lines are the tool calls, the steps of the hand-off, and the actions of supervisors.
// Speech that was not heard yet is faint; what was cut is struck out. With `onSeek`, a click on a word
// seeks to it.

import { el, icon, KeyedList, put, setText, show } from "./dom.js";
import { clock, count, label, tidyJson, wait, words } from "./format.js";
import { CALL_STATES } from "./state-words.js";

const SPEAKERS = { caller: "Caller", agent: "Agent", human: "Human", note: "Note to the agent" };
const QUIET = new Set(["answering", "ending", "ended"]);
const DONE = {
  hint: "gave a hint",
  say: "had the agent say",
  handoff: "asked for a human",
  cancel: "cancelled the hand-off",
  giveback: "gave the caller back",
  hangup: "ended the call",
  answer: "answered",
  listen: "listened",
};
const LONG = 140;

/** Return everything that is shown of a call, in the order of its beginning. */
export function entries(parts) {
  const found = parts.lines
    .filter((line) => line.text || line.ahead || line.cut || line.ended_at === null)
    .map((line) => ({ kind: "line", at: line.started_at, part: line }));
  for (const tool of parts.tools) found.push({ kind: "tool", at: tool.started_at, part: tool });
  // An action comes before the step that it caused.
  for (const action of parts.actions) found.push({ kind: "action", at: action.at - 0.1, part: action });
  for (const outcome of parts.outcomes ?? []) {
    // An outcome comes before the step that follows it.
    found.push({ kind: "outcome", at: outcome.at - 0.08, part: outcome });
  }
  parts.stages.forEach((stage, place) => {
    if (QUIET.has(stage.name) || (stage.name === "talking" && !cameBack(parts.stages, place))) return;
    // A step begins together with its first line, and comes before it.
    found.push({ kind: "stage", at: stage.started_at - 0.05, part: stage });
  });
  return found.sort((a, b) => a.at - b.at);
}

const cameBack = (stages, place) => stages.slice(0, place).some(({ name }) => ["handoff", "human"].includes(CALL_STATES[name]?.kind));

export class Transcript {
  constructor({ onSeek = null, live = false } = {}) {
    this.onSeek = onSeek;
    this.live = live;
    this.following = live;
    this.current = null;
    this.list = el("ol.turns");
    this.scroller = el(
      "div.said",
      { role: "log", "aria-live": "off", "aria-label": "Transcript as heard", tabindex: "0" },
      this.list,
    );
    this.scroller.addEventListener("scroll", () => this.scrolled());
    this.jump = el(
      "button.button.jump",
      { type: "button", hidden: true, onclick: () => this.follow() },
      "Jump to now",
    );
    this.top = 0;
    this.nothing = el("p.soft.nothing", {}, live ? "Nothing has been said yet." : "Nothing was said.");
    this.node = el("div.transcript", {}, this.nothing, this.scroller, this.jump);
    this.watcher = new ResizeObserver(() => this.pin());
    this.watcher.observe(this.scroller);
    this.rows = new KeyedList(this.list, {
      key: ({ kind, part }) => `${kind}-${part.id}`,
      create: ({ kind }) => new ROWS[kind](this),
      update: (row, { part }) => row.update(part, this.parts),
    });
  }

  close() {
    this.watcher.disconnect();
  }

  /** `turns` are the answers of an ended call (`Turn` of the API). */
  update(parts, turns = []) {
    this.parts = parts;
    this.index(parts);
    this.turns = new Map();
    for (const turn of turns) {
      const line = parts.lines.find(
        (one) => one.speaker === "agent" && turn.heard_at !== null && Math.abs(one.started_at - turn.heard_at) < 0.06,
      );
      if (line) this.turns.set(line.id, turn);
    }
    const found = entries(parts);
    this.rows.set(found);
    show(this.nothing, found.length === 0);
    show(this.scroller, found.length > 0);
    this.pin();
  }

  pin() {
    if (!this.following) return;
    this.scroller.scrollTop = this.scroller.scrollHeight;
    this.top = this.scroller.scrollTop;
  }

  /** Find the answer delay of each line, and the lines that a barge-in cut. */
  index({ lines, latencies, barge_ins: bargeIns }) {
    this.waits = new Map();
    this.barged = new Set();
    for (const line of lines) {
      if (line.speaker !== "agent") continue;
      const latency = latencies.find((one) => Math.abs(one.ended_at - line.started_at) < 0.06);
      if (latency) this.waits.set(line.id, latency.ended_at - latency.started_at);
      const end = line.ended_at ?? Infinity;
      if (line.cut && bargeIns.some((one) => one.at > line.started_at - 0.5 && one.at < end + 1))
        this.barged.add(line.id);
    }
  }

  scrolled() {
    if (!this.live) return;
    // A list also scrolls when its size changes; only the reader scrolls up.
    const { scrollTop, clientHeight, scrollHeight } = this.scroller;
    if (scrollTop + clientHeight >= scrollHeight - 40) this.following = true;
    else if (scrollTop < this.top - 8) this.following = false;
    this.top = scrollTop;
    show(this.jump, !this.following);
  }

  follow() {
    this.following = true;
    this.pin();
    show(this.jump, false);
  }

  /** Mark the line and the word at this position of the playback; null marks none. */
  at(seconds, { reveal = false } = {}) {
    let found = null;
    if (seconds !== null) {
      for (const row of this.rows.rows.values()) {
        if (row.spans && row.part.started_at <= seconds && (row.part.ended_at ?? Infinity) >= seconds)
          found = row;
      }
    }
    const span = found?.spans.findLast((one) => one.at <= seconds) ?? null;
    if (span?.node === this.current?.span) return;
    if (this.current) {
      this.current.span?.classList.remove("now");
      this.current.row.classList.remove("now");
    }
    this.current = found ? { row: found.node, span: span?.node } : null;
    if (!found) return;
    found.node.classList.add("now");
    span?.node.classList.add("now");
    if (reveal) this.reveal(found.node);
  }

  reveal(node) {
    const { scrollTop, clientHeight } = this.scroller;
    const top = node.offsetTop;
    if (top < scrollTop + 30 || top + node.offsetHeight > scrollTop + clientHeight - 30) {
      this.scroller.scrollTop = top - clientHeight * 0.3;
    }
  }
}

class Turn {
  constructor(owner, kind) {
    this.owner = owner;
    this.time = el(owner.onSeek ? "button.turn-time" : "span.turn-time");
    if (owner.onSeek) {
      put(this.time, "type", "button");
      this.time.addEventListener("click", () => owner.onSeek(this.started));
    }
    this.node = el(`li.turn.${kind}`, {}, this.time);
  }

  starts(at) {
    this.started = at;
    setText(this.time, clock(at));
    if (this.owner.onSeek) put(this.time, "aria-label", `Play from ${clock(at)}`);
  }
}

class LineTurn extends Turn {
  constructor(owner) {
    super(owner, "line");
    this.who = el("span.turn-who");
    this.heard = el("span.heard");
    this.ahead = el("span.ahead");
    this.cut = el("s.cut");
    this.unheard = el("span.unseen");
    this.tag = el("span.tag");
    this.turn = el("span.turn-cost");
    this.node.append(
      el(
        "div.turn-body",
        {},
        el("span.turn-head", {}, this.who, this.tag, this.turn),
        el("p", {}, this.heard, this.ahead, this.unheard, this.cut),
      ),
    );
  }

  update(line) {
    if (this.part === line && this.tagged) return;
    this.part = line;
    this.starts(line.started_at);
    put(this.node, "data-speaker", line.speaker);
    put(this.node, "data-open", line.ended_at === null);
    setText(this.who, SPEAKERS[line.speaker]);
    if (this.owner.onSeek) this.words(line);
    else setText(this.heard, line.text || (line.ended_at === null && line.speaker === "caller" ? "…" : ""));
    setText(this.ahead, line.ahead ? ` ${line.ahead}` : "");
    setText(this.cut, line.cut);
    setText(this.unheard, line.cut ? " Never heard: " : "");
    if (line.cut && line.text) put(this.cut, "class", "cut after");
    const waited = this.owner.waits.get(line.id);
    const barged = this.owner.barged.has(line.id);
    this.tagged = line.ended_at !== null;
    setText(this.tag, barged ? "barge-in" : waited === undefined ? "" : `after ${wait(waited)}`);
    setText(this.turn, answerText(this.owner.turns.get(line.id)));
    put(this.tag, "data-kind", barged ? "barge" : waited > 2 ? "slow" : "wait");
  }

  /** Give each word a time: the words share the line's time by their length. */
  words({ text, started_at: start, ended_at: end }) {
    if (this.shown === text) return;
    this.shown = text;
    const seconds = (end ?? start) - start;
    let place = 0;
    this.spans = [];
    this.heard.replaceChildren(
      ...text.split(/(\s+)/).map((piece) => {
        const at = start + (seconds * place) / Math.max(1, text.length);
        place += piece.length;
        if (!piece.trim()) return piece;
        const node = el("span.word", { onclick: () => this.owner.onSeek(at) }, piece);
        this.spans.push({ at, node });
        return node;
      }),
    );
  }
}

/** Return how an answer came about: "first token 310 ms after the end of speech, 120 + 48 tokens". */
export function answerText(turn) {
  if (!turn) return "";
  const { stopped_at: stopped, generated_at: generated, tokens_read: read, tokens_written: written } = turn;
  const parts = [];
  if (stopped !== null && generated !== null) parts.push(`first token ${wait(Math.max(0, generated - stopped))}`);
  if (read || written) parts.push(`${count(read + written, "token")}`);
  return parts.join(" · ");
}

class ToolTurn extends Turn {
  constructor(owner) {
    super(owner, "aside");
    this.name = el("strong.mono");
    this.arguments = el("span.mono.arguments");
    this.output = el("span.mono.output");
    this.state = el("span.tag");
    this.whole = el("pre.mono");
    this.more = el("details", { hidden: true }, el("summary", {}, "all of it"), this.whole);
    this.node.append(
      icon("tool"),
      el(
        "div.turn-body",
        {},
        el("p", {}, this.name, " ", this.arguments, " ", this.output, " ", this.state),
        this.more,
      ),
    );
  }

  update(tool) {
    if (this.part === tool) return;
    this.part = tool;
    this.starts(tool.started_at);
    put(this.node, "data-status", tool.status);
    setText(this.name, tool.name);
    setText(this.arguments, shortened(tidyJson(tool.arguments)));
    setText(this.output, tool.output ? `→ ${shortened(tidyJson(tool.output))}` : "");
    setText(
      this.state,
      tool.status === "running"
        ? "running …"
        : `${tool.status === "answered" ? "" : `${tool.status} `}${wait(tool.seconds)}`,
    );
    put(this.state, "data-kind", tool.status === "failed" ? "slow" : "wait");
    show(this.more, tool.output.length > LONG || tool.arguments.length > LONG);
    setText(this.whole, `${tool.arguments}\n→ ${tool.output}`);
  }
}

const shortened = (text) => (text.length > LONG ? `${text.slice(0, LONG - 1)}…` : text);

class StageTurn extends Turn {
  constructor(owner) {
    super(owner, "step");
    this.text = el("span");
    this.node.append(el("div.turn-body", {}, this.text));
  }

  update({ name, started_at: at }) {
    const word = CALL_STATES[name];
    this.starts(at);
    put(this.node, "data-stage", name);
    put(this.node, "data-kind", word?.kind ?? null);
    setText(this.text, word ? `${label(name)}: ${word.means}` : label(name));
  }
}

class OutcomeTurn extends Turn {
  constructor(owner) {
    super(owner, "outcome");
    this.text = el("p");
    this.node.append(el("div.turn-body", {}, this.text));
  }

  update({ at, outcome, text }) {
    this.starts(at);
    put(this.node, "data-outcome", outcome);
    setText(this.text, `${text}.`);
  }
}

class ActionTurn extends Turn {
  constructor(owner) {
    super(owner, "aside");
    this.text = el("p");
    this.node.append(icon("person"), el("div.turn-body", {}, this.text));
  }

  update({ at, by, kind, text }) {
    this.starts(at);
    setText(this.text, `${by} ${DONE[kind] ?? words(kind)}${text ? `: ${text}` : ""}`);
  }
}

const ROWS = { line: LineTurn, tool: ToolTurn, stage: StageTurn, action: ActionTurn, outcome: OutcomeTurn };
