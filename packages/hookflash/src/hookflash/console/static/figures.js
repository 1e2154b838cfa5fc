// The page of figures over time: calls, dispositions, waiting times and cost.

import { figures } from "./api.js";
import { Chart, number } from "./charts.js";
import { el, put, setText } from "./dom.js";
import {
  count,
  label,
  money,
  percent,
  roundMoney,
  shortDate,
  shortDay,
  timeOfDay,
  useCurrency,
  wait,
  whole,
} from "./format.js";
import { empty, Loading } from "./page.js";
import { DISPOSITIONS, OUTCOMES } from "./state-words.js";

const DAY = 86_400;
const SPANS = {
  day: { name: "24 hours", seconds: DAY, step: 3600 },
  week: { name: "7 days", seconds: 7 * DAY, step: DAY },
  month: { name: "30 days", seconds: 30 * DAY, step: DAY },
  quarter: { name: "90 days", seconds: 90 * DAY, step: 7 * DAY },
};
const ORDER = Object.keys(DISPOSITIONS);
const REACHED = Object.keys(OUTCOMES);
const FILTER = { dispositions: "disposition", outcomes: "outcome" };
const TONES = ["one", "two", "three", "four", "five", "six"];

/** Return a range of whole days or hours in the reader's time zone; the last one is the current one. */
export function range(span, now = new Date()) {
  const { seconds, step } = SPANS[span];
  const end = new Date(now);
  if (step >= DAY) end.setHours(24, 0, 0, 0);
  else end.setHours(end.getHours() + 1, 0, 0, 0);
  const until = end.getTime() / 1000;
  const steps = Math.ceil(seconds / step);
  return { since: until - steps * step, until, step };
}

export class Figures {
  constructor({ params, go }) {
    this.span = SPANS[params.span] ? params.span : "week";
    this.go = go;
    this.charts = [];
    this.heading = el("p", {}, "");
    this.tabs = Object.entries(SPANS).map(([span, { name }]) =>
      el(
        "button.mode",
        { type: "button", "aria-pressed": String(span === this.span), onclick: () => this.choose(span) },
        name,
      ),
    );
    this.loading = new Loading({ what: "The figures", retry: () => this.load(), rows: 8 });
    this.numbers = el("dl.numbers", { hidden: true });
    this.grid = el("div.charts");
    this.node = el(
      "div.page",
      {},
      el(
        "header",
        {},
        el("div", {}, el("h1", {}, "Figures"), this.heading),
        el("div.modes", { role: "group", "aria-label": "Time shown" }, this.tabs),
      ),
      this.loading.node,
      this.numbers,
      this.grid,
    );
    this.load();
  }

  /** Load again, because the connection was lost for a while. */
  reload() {
    this.load();
  }

  close() {
    this.loading.stop();
    for (const chart of this.charts) chart.close();
  }

  choose(span) {
    this.span = span;
    Object.keys(SPANS).forEach((name, place) => put(this.tabs[place], "aria-pressed", String(name === span)));
    this.go({ span });
    this.load();
  }

  async load() {
    await this.loading.run(
      () => figures(range(this.span)),
      (found) => this.draw(found),
    );
  }

  draw({ buckets, whole: all, step_seconds: step, currency }) {
    useCurrency(currency);
    for (const chart of this.charts) chart.close();
    this.charts = [];
    setText(this.heading, `${count(all.calls, "call")} in the last ${SPANS[this.span].name}.`);
    this.numbers.hidden = !all.calls;
    if (!all.calls) {
      this.grid.replaceChildren(
        empty("No calls in this time", "Choose a longer time."),
      );
      return;
    }
    this.frame = {
      labels: buckets.map(({ since, until }) => this.name(since, until, step)),
      marks: buckets.map(({ since }) => (step < DAY ? timeOfDay(since) : shortDate(since))),
    };
    this.buckets = buckets;
    this.all = all;
    const share = (name) => (all.dispositions[name] ?? 0) / all.calls;
    this.numbers.replaceChildren(
      number("Calls", whole(all.calls), "", this.calls()),
      number("Handled by the agent", percent(share("handled_by_agent")), "", this.calls("handled_by_agent")),
      number("Handed to a human", percent(share("handed_off")), "", this.calls("handed_off")),
      number("Abandoned", percent(share("abandoned")), "", this.calls("abandoned")),
      number("Time to human", wait(all.to_human.p50), "median"),
      all.cost ? number("Cost a call", money(all.cost / all.calls)) : "",
    );
    this.charts = [
      this.split("How calls ended", buckets, all, "dispositions", ORDER, count(all.calls, "call")),
      this.split(
        "Attempts to reach a human",
        buckets,
        all,
        "outcomes",
        REACHED,
        `${percent(reached(all.outcomes))} reached`,
      ),
      this.spread("Time to human", buckets, all, "to_human"),
      this.spread("Answer delay", buckets, all, "answer"),
      // There are always six charts: barge-ins take the place of cost if there are no prices.
      all.cost
        ? new Chart({
            title: "Cost",
            figure: money(all.cost),
            note: `in ${SPANS[this.span].name}, an estimate`,
            ...this.frame,
            format: money,
            axis: roundMoney,
            series: [{ name: "Cost", kind: "one", values: buckets.map((bucket) => bucket.cost) }],
          })
        : new Chart({
            title: "Barge-ins",
            figure: whole(all.barge_ins),
            note: `${(all.barge_ins / all.calls).toFixed(1)} a call`,
            ...this.frame,
            format: whole,
            whole: true,
            series: [{ name: "Barge-ins", kind: "one", values: buckets.map((bucket) => bucket.barge_ins) }],
          }),
      new Chart({
        title: "Minutes on the line",
        figure: `${whole(Math.round(all.seconds / 60))} min`,
        note: `${wait(all.seconds / all.calls)} a call`,
        ...this.frame,
        format: (value) => whole(Math.round(value)),
        whole: true,
        series: [{ name: "Minutes", kind: "one", values: buckets.map((bucket) => bucket.seconds / 60) }],
      }),
    ];
    this.grid.replaceChildren(...this.charts.map((chart) => chart.node));
  }

  /** Return the address of the past calls that a figure counts. */
  calls(disposition = "") {
    return callsUrl(this.all, { disposition });
  }

  name(since, until, step) {
    if (step < DAY) return `${shortDay(since)}, ${timeOfDay(since)}`;
    return step === DAY ? shortDay(since) : `${shortDay(since)} to ${shortDay(until - 1)}`;
  }

  /** Make a chart of stacked bars: the results of the calls or attempts in each bucket. */
  split(title, buckets, all, field, order, figure) {
    const names = Object.keys(all[field]).sort((a, b) => rank(order, a) - rank(order, b));
    const shown = names.slice(0, TONES.length - (names.length > TONES.length ? 1 : 0));
    const series = shown.map((name) => ({
      name: label(name),
      kind: tone(field, name, shown),
      values: buckets.map((bucket) => bucket[field][name] ?? 0),
      links: buckets.map((bucket) => callsUrl(bucket, { [FILTER[field]]: name })),
    }));
    const rest = names.slice(shown.length);
    if (rest.length) {
      series.push({
        name: "Other",
        kind: "six",
        values: buckets.map((bucket) => rest.reduce((sum, name) => sum + (bucket[field][name] ?? 0), 0)),
      });
    }
    return new Chart({ title, figure, series, ...this.frame, format: (value) => whole(value), whole: true });
  }

  spread(title, buckets, all, field) {
    const { p50, p90, count: measured } = all[field];
    return new Chart({
      title,
      figure: wait(p50),
      note: measured ? `median; 90th percentile ${wait(p90)}` : "not measured in this time",
      lines: true,
      ...this.frame,
      format: wait,
      axis: (value) => `${value} s`,
      series: [
        { name: "Median", kind: "one", values: buckets.map((bucket) => bucket[field].p50) },
        { name: "90th percentile", kind: "two", values: buckets.map((bucket) => bucket[field].p90) },
      ],
    });
  }
}

function callsUrl({ since, until }, filters) {
  const given = Object.entries(filters).filter(([, value]) => value);
  const query = new URLSearchParams([...given, ["since", Math.floor(since)], ["until", Math.ceil(until)]]);
  return `#/past?${query}`;
}

const rank = (order, name) => (order.includes(name) ? order.indexOf(name) : order.length);

function reached(outcomes) {
  const all = Object.values(outcomes).reduce((sum, one) => sum + one, 0);
  return all ? (outcomes.bridged ?? 0) / all : 0;
}

const FIXED = {
  handled_by_agent: "agent",
  handed_off: "human",
  bridged: "human",
  abandoned: "alarm",
  failed: "dark",
};

function tone(field, name, names) {
  const free = names.filter((one) => !FIXED[one]);
  return FIXED[name] ?? ["three", "four", "five", "six", "two"][free.indexOf(name) % 5];
}
