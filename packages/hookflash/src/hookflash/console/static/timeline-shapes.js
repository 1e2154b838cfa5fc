// The shapes of the timeline: its lanes, and what is in them.
//
// Shapes have a key and are changed in place, so that an update of a live call sets few attributes.
// There are three layers: lanes and seconds, bars, and texts and marks.

import { put, setText, svg } from "./dom.js";
import { clock, tidyJson, wait, words } from "./format.js";
import { CALL_STATES, OUTCOMES } from "./state-words.js";

export const PAD = 14;
export const HEIGHTS = { caller: 30, agent: 30, human: 24, tools: 18 };
/** A strip: lanes without words, for pages that have little room. */
export const STRIP = { caller: 9, agent: 9, human: 9 };

const STAGE = { top: 4, height: 16 };
const TOOLS = HEIGHTS.tools;
const BETWEEN = 20;
const GAP = 8;
const AXIS = 24;
const CHARACTER = 6.1;
const TICKS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600];
const SLOW_SECONDS = 2;
const WITH_HUMAN = "with human";
const CHARACTER_SECONDS = 0.06;
const LAYERS = {
  lane: "back",
  tick: "back",
  axis: "back",
  stage: "bars",
  bar: "bars",
  tool: "bars",
  unheard: "bars",
};

const isHuman = (line) => line.speaker === "human";

/** Return the tops and heights of a strip's lanes: the same three in every call, so that it stays as it is. */
export function stripLayout() {
  const lanes = { caller: STAGE.top + STAGE.height + 6 };
  lanes.agent = lanes.caller + STRIP.caller + 5;
  lanes.human = lanes.agent + STRIP.agent + 5;
  const axis = lanes.human + STRIP.human + 2;
  return { ...lanes, axis, height: axis + AXIS - 4, strip: true };
}

/** Return the top of each lane that the call has, in pixels. */
export function layout({ legs, stages, tools, lines }) {
  const lanes = { caller: STAGE.top + STAGE.height + 12 };
  lanes.agent = lanes.caller + HEIGHTS.caller + BETWEEN;
  let y = lanes.agent + HEIGHTS.agent + GAP;
  if (legs.length || stages.some((stage) => stage.name === WITH_HUMAN) || lines.some(isHuman)) {
    lanes.human = y;
    y += HEIGHTS.human + GAP;
  }
  if (tools.length) {
    lanes.tools = y;
    y += TOOLS + GAP;
  }
  return { ...lanes, axis: y, height: y + AXIS };
}

export class TimelineShapes {
  /** `hatch` is the address of the pattern for speech that was never heard. */
  constructor(hatch) {
    this.hatch = hatch;
    this.shapes = new Map();
    this.layers = { back: svg("g"), bars: svg("g"), marks: svg("g") };
    this.node = svg("g", {}, Object.values(this.layers));
  }

  x(seconds) {
    return PAD + seconds * this.scale;
  }

  /** Draw the parts. `scale` is in pixels a second, `width` in pixels. */
  draw({ parts, seconds, live, scale, lanes, sound, width }) {
    Object.assign(this, { parts, seconds, live, scale, lanes, sound });
    this.strip = Boolean(lanes.strip);
    this.speechHeight = (this.strip ? STRIP : HEIGHTS).agent;
    this.cutInset = this.strip ? 0 : 5;
    this.humanHeight = (this.strip ? STRIP : HEIGHTS).human;
    this.seen = new Set();
    this.frame(width);
    parts.stages.forEach((stage) => this.stage(stage));
    parts.legs.forEach((leg) => this.leg(leg));
    parts.lines.forEach((line, place) => this.speech(line, place));
    if (lanes.tools !== undefined) parts.tools.forEach((tool, place) => this.tool(tool, place));
    parts.barge_ins.forEach((one) => this.bargeIn(one));
    parts.latencies.forEach((one) => this.latency(one));
    for (const [key, shape] of this.shapes) {
      if (!this.seen.has(key)) {
        shape.remove();
        this.shapes.delete(key);
      }
    }
  }

  /** Create or change one shape. */
  shape(key, kind, attributes, { text, title } = {}) {
    this.seen.add(key);
    let node = this.shapes.get(key);
    if (!node) {
      node = svg(kind.split(".")[0]);
      if (title !== undefined) node.append(svg("title"));
      this.shapes.set(key, node);
      this.layers[LAYERS[kind.split(".")[1]] ?? "marks"].append(node);
    }
    put(node, "class", kind.split(".").slice(1).join(" "));
    for (const [name, value] of Object.entries(attributes)) {
      put(node, name, typeof value === "number" ? value.toFixed(1) : value);
    }
    if (title !== undefined) setText(node.querySelector("title"), title);
    if (text !== undefined) setText(node, text);
    return node;
  }

  bar(key, kind, start, end, y, height, title) {
    const x = this.x(start);
    const width = Math.max(2, (end - start) * this.scale);
    const rx = Math.min(4, width / 2, height / 2);
    this.shape(key, `rect.${kind}`, { x, y, width, height, rx }, { title });
    return { x, width };
  }

  write(key, kind, x, y, said, room = Infinity) {
    if (this.strip && kind !== "axis" && kind !== "on-stage") return;
    const fits = Math.floor(room / CHARACTER);
    if (fits < 3) return;
    const text = said.length <= fits ? said : `${said.slice(0, fits - 1).trimEnd()}…`;
    this.shape(key, `text.${kind}`, { x, y }, { text });
  }

  frame(width) {
    const { caller, agent, human, axis } = this.lanes;
    for (const [name, y, height] of [
      ["caller", caller, this.speechHeight],
      ["agent", agent, this.speechHeight],
      ["human", human, this.humanHeight],
    ]) {
      if (y !== undefined) this.shape(`lane-${name}`, "rect.lane", { x: 0, y, width, height });
    }
    const step = TICKS.find((seconds) => seconds * this.scale >= 64) ?? TICKS.at(-1);
    for (let second = 0; this.x(second) < width - PAD; second += step) {
      const x = this.x(second);
      this.shape(`tick-${second}`, "line.tick", {
        x1: x,
        x2: x,
        y1: STAGE.top + STAGE.height + 4,
        y2: axis + 4,
      });
      if (x < width - 26) this.write(`second-${second}`, "axis", x, axis + 17, clock(second));
    }
  }

  stage({ id, name, started_at, ended_at }) {
    const end = ended_at ?? this.seconds;
    if (end <= started_at || name === "ended") return;
    const word = CALL_STATES[name];
    const kind = `stage.stage-of-${word?.kind ?? "quiet"}`;
    const title = `${name}, ${clock(started_at)} to ${clock(end)}. ${word?.means ?? ""}`;
    const { x, width } = this.bar(
      `stage-${id}`,
      kind,
      started_at,
      end - 1 / this.scale,
      STAGE.top,
      STAGE.height,
      title,
    );
    this.write(`stage-name-${id}`, "on-stage", x + 6, STAGE.top + 12, name, width - 10);
    if (name !== WITH_HUMAN) return;
    const y = this.lanes.human;
    this.bar(
      `human-${id}`,
      "bar.human.shade",
      started_at,
      end,
      y,
      this.humanHeight,
      `a human is on the line, ${wait(end - started_at)}`,
    );
    if (this.parts.lines.some(isHuman)) return;
    if (this.sound) {
      // There is no transcript of this talk, so its sound is drawn.
      this.wave(`human-${id}`, "human", started_at, end, y, this.humanHeight);
      this.wave(`caller-${id}`, "caller", started_at, end, this.lanes.caller, this.speechHeight);
      return;
    }
    this.write(`human-name-${id}`, "on-soft", x + 6, y + this.humanHeight / 2 + 4, "on the line", width - 10);
  }

  speech(line, place) {
    const { id, speaker, started_at, text, cut } = line;
    const y = this.lanes[speaker];
    if (y === undefined) return;
    const height = speaker === "human" ? this.humanHeight : this.speechHeight;
    const end = line.ended_at ?? Math.max(this.seconds, started_at);
    if (end > started_at) {
      const title = `${clock(started_at)} ${speaker}: ${text}${cut ? ` [never heard: ${cut}]` : ""}`;
      // A live call has no sound from before its page was opened.
      const drawn = this.sound && started_at >= (this.sound.since ?? -Infinity) - 1;
      const kind = drawn ? `bar.${speaker}.shade` : `bar.${speaker}`;
      const { x, width } = this.bar(`said-${id}`, kind, started_at, end, y, height, title);
      if (drawn) this.wave(id, speaker, started_at, end, y, height);
      else this.write(`words-${id}`, "on-bar", x + 6, y + height / 2 + 4, text, width - 10);
    }
    if (!cut) return;
    const lasted = text ? ((end - started_at) * cut.length) / text.length : cut.length * CHARACTER_SECONDS;
    const next = this.parts.lines
      .slice(place + 1)
      .find((one) => one.speaker === speaker && one.started_at > end);
    const until = Math.min(
      end + lasted,
      next ? next.started_at - 0.1 : Infinity,
      this.live ? Infinity : this.seconds,
    );
    if (until <= end) return;
    const x = this.x(end) + 1;
    this.shape(
      `cut-${id}`,
      "rect.unheard",
      { x, y: y + this.cutInset, width: Math.max(2, this.x(until) - x), height: this.speechHeight - 2 * this.cutInset, rx: 3, fill: this.hatch },
      { title: `never heard: ${cut}` },
    );
  }

  /** Draw the sound as a waveform in the middle of the lane; it begins `from` seconds into the call. */
  wave(id, speaker, start, end, y, height) {
    const { from, perSecond, left, right } = this.sound;
    const side = speaker === "caller" ? left : right;
    const middle = y + height / 2;
    const step = Math.max(1, Math.ceil((2 * perSecond) / this.scale));
    let d = "";
    for (let bin = Math.floor((start - from) * perSecond); bin < (end - from) * perSecond; bin += step) {
      const loud = Math.max(0, ...side.subarray(Math.max(0, bin), Math.max(0, bin + step)));
      const half = (loud * height) / 2;
      if (half >= 0.5)
        d += `M${this.x(from + bin / perSecond).toFixed(1)} ${(middle - half).toFixed(1)}v${(2 * half).toFixed(1)}`;
    }
    if (d) this.shape(`wave-${id}`, `path.wave.${speaker}`, { d });
  }

  leg({ id, started_at, answered_at, ended_at, outcome }) {
    const y = this.lanes.human;
    const rung = answered_at ?? ended_at ?? this.seconds;
    const name = answered_at === null && outcome ? words(outcome) : "ringing";
    const means = answered_at === null && OUTCOMES[outcome] ? `, ${OUTCOMES[outcome]}` : "";
    const { x, width } = this.bar(
      `leg-${id}`,
      "bar.ringing",
      started_at,
      rung,
      y,
      this.humanHeight,
      `${name}, ${wait(rung - started_at)}${means}`,
    );
    this.write(`leg-name-${id}`, "on-soft", x + 6, y + this.humanHeight / 2 + 4, name, width - 10);
  }

  tool(tool, place) {
    const y = this.lanes.tools;
    const end = tool.seconds === null ? this.seconds : tool.started_at + tool.seconds;
    const answer = tool.status === "answered" || tool.status === "failed" ? tool.output : tool.status;
    const { x, width } = this.bar(
      `tool-${tool.id}`,
      `tool.${tool.status}`,
      tool.started_at,
      end,
      y,
      TOOLS,
      `${tool.name}(${tidyJson(tool.arguments)}) → ${answer}, ${wait(end - tool.started_at)}`,
    );
    const next = this.parts.tools[place + 1];
    const inside = width > (tool.name.length + 2) * CHARACTER;
    const left = inside ? x + 6 : x + width + 5;
    const room = inside ? width - 8 : next ? this.x(next.started_at) - left - 6 : 240;
    this.write(`tool-name-${tool.id}`, "on-soft", left, y + TOOLS / 2 + 4, tool.name, room);
  }

  bargeIn({ id, at }) {
    const { caller, agent } = this.lanes;
    const x = this.x(at);
    const title = `barge-in at ${clock(at)}`;
    this.shape(
      `barge-${id}`,
      "path.barge",
      { d: `M${x.toFixed(1)} ${caller - 3}V${agent + this.speechHeight + 3}` },
      { title },
    );
    this.shape(
      `barge-head-${id}`,
      "path.barge-head",
      { d: `M${(x - 4).toFixed(1)} ${agent - 7}h8l-4 6z` },
      { title },
    );
  }

  latency({ id, started_at, ended_at }) {
    // A strip has no room between the lanes.
    if (this.strip) return;
    const seconds = ended_at - started_at;
    const middle = this.lanes.caller + this.speechHeight + BETWEEN / 2;
    const [from, to] = [this.x(started_at).toFixed(1), this.x(ended_at)];
    const kind = seconds > SLOW_SECONDS ? "wait.slow" : "wait";
    this.shape(
      `wait-${id}`,
      `path.${kind}`,
      { d: `M${from} ${middle - 3}v6m0-3H${to.toFixed(1)}m0-3v6` },
      { title: `the caller waited ${wait(seconds)} for an answer` },
    );
    // The time is after the mark, or before it if a barge-in is in the way.
    const text = wait(seconds);
    const width = text.length * CHARACTER + 6;
    const taken = this.parts.barge_ins.some(({ at }) => at >= ended_at && this.x(at) < to + width);
    const x = taken ? this.x(started_at) - width : to + 4;
    this.write(`wait-time-${id}`, kind, x, middle + 4, text, this.scale > 9 ? 80 : 0);
  }
}
