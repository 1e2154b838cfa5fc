// Charts over time: stacked bars or lines, with a readout and a table.

import { el, put, show, svg } from "./dom.js";

const HEIGHT = 168;
const TOP = 10;
const BOTTOM = 22;
const LEFT = 44;
const RIGHT = 8;

/** Return at most five round steps; the last one is at least `most`. */
export function ticks(most) {
  if (!(most > 0)) return [0, 1];
  const rough = most / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((one) => one >= rough);
  const found = [];
  for (let value = 0; value < most + step * 0.999; value += step) found.push(Number(value.toPrecision(6)));
  return found;
}

export class Chart {
  /**
   * `series` are {name, kind, values} with one value a bucket, or null. `links` of a series are the
   * addresses of the calls that its values count. `labels` are the names of the
   * buckets, `marks` their labels on the axis (null for none). `format` formats a value, `axis` a tick.
   */
  constructor({
    title,
    figure,
    note = "",
    labels,
    marks,
    series,
    format,
    axis = format,
    lines = false,
    whole = false,
  }) {
    Object.assign(this, { title, labels, marks, series, format, axis, lines, whole });
    this.drawing = svg("svg", { role: "img", "aria-label": `${title}: ${figure}. ${note}` });
    this.readout = el("div.readout", { hidden: true, "aria-hidden": "true" });
    this.frame = el(
      "div.plot",
      { onpointermove: (event) => this.point(event.clientX), onpointerleave: () => this.point(null) },
      this.drawing,
      this.readout,
    );
    this.node = el(
      "figure.chart.panel",
      {},
      el(
        "figcaption",
        {},
        el("h2", {}, title),
        el("strong.figure", {}, figure),
        el("span.soft.small", {}, note),
      ),
      this.frame,
      this.legend(),
      this.table(),
    );
    this.watcher = new ResizeObserver(() => this.draw());
    this.watcher.observe(this.frame);
  }

  close() {
    this.watcher.disconnect();
  }

  legend() {
    if (this.series.length < 2) return "";
    return el(
      "ul.legend",
      { "aria-hidden": "true" },
      this.series.map(({ name, kind }) => el("li", {}, el(`i.key.${kind}`), name)),
    );
  }

  table() {
    const head = el(
      "tr",
      {},
      el("th", { scope: "col" }, "When"),
      this.series.map(({ name }) => el("th.number", { scope: "col" }, name)),
    );
    const rows = this.labels.map((label, place) =>
      el(
        "tr",
        {},
        el("th", { scope: "row" }, label),
        this.series.map(({ values, links }) =>
          el(
            "td.number",
            {},
            links && values[place] ? el("a", { href: links[place] }, this.write(values[place])) : this.write(values[place]),
          ),
        ),
      ),
    );
    return el(
      "details",
      {},
      el("summary", {}, "As a table"),
      el("div.scroll", { tabindex: "0" }, el("table", {}, el("thead", {}, head), el("tbody", {}, rows))),
    );
  }

  write(value) {
    return value === null || value === undefined ? "–" : this.format(value);
  }

  draw() {
    const width = this.frame.clientWidth;
    if (!width || width === this.width) return;
    this.width = width;
    put(this.drawing, "width", width);
    put(this.drawing, "height", HEIGHT);
    const totals = this.labels.map((_, place) =>
      this.lines
        ? Math.max(...this.series.map(({ values }) => values[place] ?? 0))
        : this.series.reduce((sum, { values }) => sum + (values[place] ?? 0), 0),
    );
    const scale = ticks(Math.max(...totals, this.whole ? 1 : 0)).filter((value) => !this.whole || Number.isInteger(value));
    this.most = scale.at(-1);
    this.step = (width - LEFT - RIGHT) / Math.max(1, this.labels.length);
    const shapes = scale.flatMap((value) => [
      svg("line.grid", { x1: LEFT, x2: width - RIGHT, y1: this.y(value), y2: this.y(value) }),
      this.text(LEFT - 8, this.y(value) + 4, this.axis(value), "end"),
    ]);
    this.band = svg("rect.band", {
      y: TOP,
      width: this.step.toFixed(2),
      height: HEIGHT - TOP - BOTTOM,
      visibility: "hidden",
    });
    shapes.unshift(this.band);
    shapes.push(...this.dates(), ...(this.lines ? this.curves() : this.bars()));
    this.drawing.replaceChildren(...shapes);
  }

  text(x, y, words, anchor = "middle") {
    return svg("text", { x: x.toFixed(1), y: y.toFixed(1), "text-anchor": anchor }, words);
  }

  y(value) {
    return TOP + (HEIGHT - TOP - BOTTOM) * (1 - value / this.most);
  }

  x(place) {
    return LEFT + place * this.step;
  }

  dates() {
    const found = [];
    let free = -Infinity;
    this.marks.forEach((mark, place) => {
      const x = this.x(place) + this.step / 2;
      const room = (mark?.length ?? 0) * 3.3;
      if (!mark || x - room < free || x + room > this.width) return;
      free = x + room + 10;
      found.push(this.text(x, HEIGHT - 5, mark));
    });
    return found;
  }

  bars() {
    const gap = Math.min(this.step * 0.28, 10);
    const width = Math.max(1, Math.min(this.step - gap, 44));
    return this.labels.flatMap((_, place) => {
      let below = 0;
      const x = this.x(place) + (this.step - width) / 2;
      return this.series
        .filter(({ values }) => values[place] > 0)
        .map(({ kind, values, links }) => {
          const top = this.y(below + values[place]);
          const height = this.y(below) - top;
          below += values[place];
          const open = links ? () => (location.hash = links[place].slice(1)) : null;
          return svg(`rect.fill.${kind}${links ? ".opens" : ""}`, {
            ...(open ? { onclick: open } : {}),
            x: x.toFixed(2),
            y: top.toFixed(2),
            width: width.toFixed(2),
            height: Math.max(0.5, height - 0.75).toFixed(2),
            rx: 1,
          });
        });
    });
  }

  curves() {
    return this.series.flatMap(({ kind, values }) => {
      let path = "";
      let open = false;
      const dots = [];
      values.forEach((value, place) => {
        if (value === null || value === undefined) {
          open = false;
          return;
        }
        const [x, y] = [this.x(place) + this.step / 2, this.y(value)].map((one) => one.toFixed(1));
        path += `${open ? "L" : "M"}${x} ${y}`;
        open = true;
        dots.push(svg(`circle.dot.${kind}`, { cx: x, cy: y, r: values.length > 40 ? 1.4 : 2.6 }));
      });
      return [svg(`path.curve.${kind}`, { d: path }), ...dots];
    });
  }

  /** Show the values of the bucket under the pointer. */
  point(clientX) {
    const inside = clientX !== null && this.step;
    const x = inside ? clientX - this.frame.getBoundingClientRect().left : 0;
    const place = inside ? Math.floor((x - LEFT) / this.step) : -1;
    const known = place >= 0 && place < this.labels.length;
    show(this.readout, known);
    if (this.band) put(this.band, "visibility", known ? "visible" : "hidden");
    if (!known || place === this.place) return;
    put(this.band, "x", this.x(place).toFixed(2));
    this.readout.replaceChildren(
      el("strong", {}, this.labels[place]),
      ...this.series.map(({ name, kind, values }) =>
        el("span", {}, el(`i.key.${kind}`), `${name} `, el("b", {}, this.write(values[place]))),
      ),
    );
    const middle = this.x(place) + this.step / 2;
    const left = Math.min(
      Math.max(middle - this.readout.offsetWidth / 2, 0),
      this.width - this.readout.offsetWidth,
    );
    put(this.readout, "style", { left: `${left}px` });
  }
}

/** Make a number with its name; with `href` it leads to the calls that it counts. */
export function number(name, value, note = "", href = "") {
  const strong = el("strong", {}, href ? el("a", { href }, value) : value);
  return el("div", {}, el("dt", {}, name), el("dd", {}, strong, note ? el("span.soft.small", {}, note) : null));
}
