// A call drawn as a timeline, with a lane for each party.
//
//     stage     the state of the call: talking, farewell, ringing, with human
//     caller    what the caller said
//     agent     what was heard of the agent; hatched: what a barge-in cut
//     human     ringing, then on the line          (if a human was rung)
//     tools     from the request to the result     (if there were any)
//     seconds
//
// It draws the parts of a call (`console/shapes.py`), again after each change. The shapes are in
// `timeline-shapes.js`; this file has the names of the lanes, the scale, scrolling and the playhead.

import { el, put, show, svg } from "./dom.js";
import { clock, count } from "./format.js";
import { HEIGHTS, layout, PAD, STRIP, stripLayout, TimelineShapes } from "./timeline-shapes.js";

const SPANS = [30, 60, 120, 180];

let drawn = 0;

export class Timeline {
  /** `onPick(seconds)` is called for a click on the drawing. `strip`: low lanes without words or tools. */
  constructor({ onPick = () => {}, live = false, strip = false } = {}) {
    this.live = live;
    this.strip = strip;
    this.parts = null;
    this.seconds = 0;
    this.sound = null;
    this.zoom = 1;
    this.following = live;
    this.left = 0;
    this.hatch = `cut-${(drawn += 1)}`;
    this.shapes = new TimelineShapes(`url(#${this.hatch})`);
    this.playhead = svg(
      "g.playhead",
      { visibility: "hidden" },
      svg("line", { x1: 0, x2: 0, y1: 0 }),
      svg("path", { d: "M-4 0h8l-4 6z" }),
    );
    this.drawing = svg("svg", { role: "img" }, this.pattern(), this.shapes.node, this.playhead);
    this.ruler = el("div.ruler", { hidden: true });
    this.names = el("div.lane-names", { "aria-hidden": "true" });
    this.scroller = el(
      "div.lane-scroller",
      { tabindex: "0", role: "group", "aria-label": "Drawn call", onscroll: () => this.scrolled() },
      this.drawing,
      this.ruler,
    );
    this.empty = el("p.soft.small", {}, "Nothing has been said yet.");
    this.node = el(
      `section.timeline${strip ? ".strip" : ""}`,
      { "aria-label": "Timeline" },
      el(
        "div.timeline-tools",
        { hidden: strip },
        el("h2.eyebrow", {}, "Timeline"),
        this.legend(),
        el(
          "button.button.quiet.zoom.whole",
          { type: "button", title: "Show the whole call", onclick: () => this.showWhole() },
          "Whole call",
        ),
        this.zoomButton("−", "Show more time", 1 / 1.6),
        this.zoomButton("+", "Show more detail", 1.6),
      ),
      this.empty,
      el("div.lanes", {}, this.names, this.scroller),
    );
    this.drawing.addEventListener("click", (event) => {
      const left = this.drawing.getBoundingClientRect().left;
      if (this.parts) onPick(Math.min(this.seconds, Math.max(0, this.second(event.clientX - left))));
    });
    this.watcher = new ResizeObserver(() => this.draw());
    this.watcher.observe(this.scroller);
  }

  pattern() {
    return svg(
      "defs",
      {},
      svg(
        "pattern",
        { id: this.hatch, width: 5, height: 5, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" },
        svg("rect.hatch", { width: 1.8, height: 5 }),
      ),
    );
  }

  legend() {
    const entry = (kind, text) => el("span", {}, el(`i.swatch.${kind}`), text);
    return el(
      "p.legend",
      { "aria-hidden": "true" },
      entry("cut", "never heard"),
      entry("barge", "barge-in"),
      entry("wait", "wait for the answer"),
    );
  }

  zoomButton(sign, name, factor) {
    return el(
      "button.button.quiet.only-icon.zoom",
      {
        type: "button",
        "aria-label": name,
        title: name,
        onclick: () => {
          const middle = this.second(this.scroller.scrollLeft + this.scroller.clientWidth / 2);
          this.zoom = Math.min(24, Math.max(0.1, this.zoom * factor));
          this.draw();
          if (!this.following) this.scroller.scrollLeft = this.x(middle) - this.scroller.clientWidth / 2;
        },
      },
      sign,
    );
  }

  /** Show the whole call at once, in the room that there is. */
  showWhole() {
    if (!this.parts || !this.scroller.clientWidth) return;
    const room = Math.max(200, this.scroller.clientWidth - 2 * PAD - (this.live ? 30 : 0));
    this.zoom = room / Math.max(1, this.seconds) / this.fit();
    this.draw();
    this.scroller.scrollLeft = 0;
    this.following = this.live;
  }

  /** Put a slider below the drawing, on its scale: from the beginning of the call to its end. */
  setSlider(slider) {
    this.ruler.append(slider);
    show(this.ruler, true);
  }

  close() {
    this.watcher.disconnect();
  }

  /** Draw the parts of a call that lasts `seconds`. */
  update(parts, seconds, { live = this.live } = {}) {
    this.live = live;
    this.parts = parts;
    this.seconds = seconds;
    this.draw();
  }

  /** Draw the recording's envelopes (`waveform.js`), which begin `from` seconds into the call. */
  setEnvelopes(envelopes, from) {
    this.sound = { ...envelopes, from };
    this.draw();
  }

  /** Move the playhead; null hides it. */
  seek(seconds, { reveal = false } = {}) {
    put(this.playhead, "visibility", seconds === null ? "hidden" : "visible");
    if (seconds === null || !this.parts || !this.scale) return;
    const x = this.x(seconds);
    put(this.playhead, "transform", `translate(${x.toFixed(1)} 0)`);
    const { scrollLeft, clientWidth } = this.scroller;
    if (reveal && (x < scrollLeft + 20 || x > scrollLeft + clientWidth - 60)) {
      this.scroller.scrollLeft = x - clientWidth * 0.25;
    }
  }

  scrolled() {
    if (!this.live) return;
    const { scrollLeft, clientWidth, scrollWidth } = this.scroller;
    if (scrollLeft + clientWidth >= scrollWidth - 24) this.following = true;
    else if (scrollLeft < this.left - 8) this.following = false;
    this.left = scrollLeft;
  }

  // --- positions --------------------------------------------------------------------------------

  x(seconds) {
    return PAD + seconds * this.scale;
  }

  second(x) {
    return (x - PAD) / this.scale;
  }

  fit() {
    const room = Math.max(200, this.scroller.clientWidth - 2 * PAD);
    const seconds = Math.max(1, this.seconds);
    if (!this.live) return room / Math.min(seconds, SPANS.at(-1));
    return room / (SPANS.find((span) => span >= seconds) ?? SPANS.at(-1));
  }

  // --- drawing ----------------------------------------------------------------------------------

  draw() {
    const parts = this.parts;
    const something = Boolean(parts && (parts.lines.length || parts.stages.length));
    show(this.empty, !something);
    show(this.scroller.parentElement, something);
    if (!something || !this.scroller.clientWidth) return;
    this.scale = this.fit() * this.zoom;
    this.lanes = this.strip ? stripLayout() : layout(parts);
    const end = this.x(this.seconds) + PAD + (this.live ? 30 : 0);
    const width = Math.max(this.scroller.clientWidth, Math.ceil(end));
    put(this.drawing, "width", width);
    put(this.drawing, "height", this.lanes.height);
    put(this.playhead.firstElementChild, "y2", this.lanes.axis + 4);
    // The thumb of a slider is not at the very ends of its track.
    put(this.ruler, "style", {
      "margin-left": `${PAD - 8}px`,
      width: `${this.seconds * this.scale + 16}px`,
    });
    put(this.drawing, "aria-label", this.summary());
    this.nameLanes();
    this.shapes.draw({ ...this, width });
    if (!this.following) return;
    this.scroller.scrollLeft = this.scroller.scrollWidth;
    this.left = this.scroller.scrollLeft;
  }

  summary() {
    const { lines, barge_ins, tools } = this.parts;
    const turns = (who) => count(lines.filter((one) => one.speaker === who).length, "turn");
    const facts = [clock(this.seconds), `${turns("caller")} of the caller`, `${turns("agent")} of the agent`];
    if (barge_ins.length) facts.push(count(barge_ins.length, "barge-in"));
    if (tools.length) facts.push(count(tools.length, "tool call"));
    return `Timeline: ${facts.join(", ")}. The transcript says the same in words.`;
  }

  nameLanes() {
    const wanted = ["caller", "agent", "human", "tools"].filter((name) => this.lanes[name] !== undefined);
    if (this.named !== wanted.join()) {
      this.named = wanted.join();
      this.names.replaceChildren(...wanted.map((name) => el(`span.${name}`, {}, name)));
    }
    wanted.forEach((name, place) => {
      const height = (this.strip ? STRIP : HEIGHTS)[name];
      put(this.names.children[place], "style", { top: `${this.lanes[name] + height / 2 - 9}px` });
    });
  }
}
