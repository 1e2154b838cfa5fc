// The page of one ended call: transcript, timeline and recording in step, and its record.
//
//     head        caller, outcome, length; copy the link, export
//     summary     and voicemails, if there are some
//     transcript  first, beside the facts
//     timeline    with the player, on one scale
//     answers     how each answer came about: end of speech, first token, first sound heard
//     event log   the journal as it is, on request

import { deletePast, exportUrl, pastCall, recordingUrl } from "./api.js";
import { voicemailPlayer } from "./deliveries.js";
import { el, icon, put, setText, show } from "./dom.js";
import { clock, count, fullDate, label, lineOf, money, party, wait, whole, words } from "./format.js";
import { merged } from "./live-store.js";
import { attempt, empty, failure, note, question, setTitle, skeleton } from "./page.js";
import { Player } from "./player.js";
import { DISPOSITIONS, OUTCOMES, SOURCES } from "./state-words.js";
import { Timeline } from "./timeline.js";
import { Transcript } from "./transcript.js";

const RETRY_MS = 1000;
const TRIES = 8;
const LOG_LINES = 500;

export class PastCall {
  constructor({ sid, session }) {
    this.sid = sid;
    this.session = session;
    this.node = el("article.page.call.over-call", { "aria-busy": "true" });
    this.load(TRIES);
  }

  close() {
    clearTimeout(this.timer);
    this.closed = true;
    this.timeline?.close();
    this.transcript?.close();
    this.player?.close();
  }

  /** Load again after the connection was lost, unless the call is shown: it does not change. */
  reload() {
    if (!this.player) this.load(TRIES);
  }

  /** Load the record; try again if it is missing, because a call that has just ended is still being written. */
  async load(tries) {
    clearTimeout(this.timer);
    if (tries === TRIES) this.node.replaceChildren(this.crumb(), el("div.panel", {}, skeleton(8)));
    let past;
    try {
      past = await pastCall(this.sid);
    } catch (error) {
      if (this.closed) return;
      if (error.status === 404 && tries > 1) {
        this.timer = setTimeout(() => this.load(tries - 1), RETRY_MS);
        if (tries === TRIES)
          this.node.replaceChildren(
            this.crumb(),
            empty("Looking for this call …", "The record of a call that has just ended takes a moment."),
          );
        return;
      }
      put(this.node, "aria-busy", null);
      this.node.replaceChildren(this.crumb(), this.missing(error));
      return;
    }
    if (this.closed) return;
    put(this.node, "aria-busy", null);
    this.draw(past);
  }

  missing(error) {
    if (error.status === 404)
      return empty("This call was not found", "It was deleted, or its retention time is over.");
    const failed = failure("The call cannot be loaded", () => this.load(TRIES));
    setText(failed.reason, error.message);
    show(failed.node, true);
    return failed.node;
  }

  crumb() {
    return el("a.crumb", { href: "#/past", "data-key": "Escape" }, icon("left"), "Past calls");
  }

  draw({ entry, parts, handoffs, transfers, summary, recording, recorded_from: from, turns, voicemails, has_journal: journal }) {
    this.parts = merged({}, parts);
    this.player = new Player({
      path: recording,
      from: from ?? 0,
      seconds: entry.seconds,
      onTime: (at) => this.at(at),
      onSound: (envelopes) => this.timeline.setEnvelopes(envelopes, from ?? 0),
      onLength: (seconds) => this.timeline.update(this.parts, Math.max(entry.seconds, seconds)),
    });
    const onSeek = recording ? (seconds) => this.player.seek(seconds, { play: true }) : null;
    this.timeline = new Timeline({ onPick: (seconds) => onSeek?.(seconds) });
    if (recording) this.timeline.setSlider(this.player.slider);
    this.transcript = new Transcript({ onSeek });
    this.transcript.update(this.parts, turns);
    this.node.replaceChildren(
      this.crumb(),
      el(
        "header.call-head",
        {},
        el(
          "div.call-who",
          {},
          el("h1", {}, party(entry)),
          el("p.soft", {}, `${entry.agent} · ${lineOf(entry)} · ${fullDate(entry.arrived_at)}`),
        ),
        el(
          "div.call-state",
          {},
          el("span.disposition", { "data-kind": entry.disposition }, label(DISPOSITIONS[entry.disposition])),
          el("span.big-time", {}, el("span.unseen", {}, "Duration "), clock(entry.seconds)),
        ),
      ),
      this.exports({ recording, journal }),
      summary ? el("section.panel.summary", {}, el("h2.eyebrow", {}, "Summary"), el("p", {}, summary)) : "",
      ...voicemails.map((one) => this.voicemail(one)),
      el(
        "div.call-columns",
        {},
        el("div.panel.talk", {}, this.transcript.node, this.player.node),
        el(
          "aside.facts.panel",
          { "aria-label": "Facts" },
          this.attempts(handoffs),
          this.changes(transfers),
          this.facts(entry),
          this.remove(),
        ),
      ),
      el("div.panel", {}, this.timeline.node),
      this.answers(turns),
      journal ? this.log() : "",
    );
    this.timeline.update(this.parts, entry.seconds);
    setTitle(party(entry));
  }

  at(seconds) {
    this.timeline.seek(seconds, { reveal: true });
    this.transcript.at(seconds, { reveal: true });
  }

  /** The row with "Copy link", and what can be downloaded. */
  exports({ recording, journal }) {
    const file = (name, href, extension) =>
      el("a.button.quiet", { href, download: `${this.sid}.${extension}` }, name);
    return el(
      "div.exports",
      { role: "group", "aria-label": "Link and downloads" },
      el("button.button", { type: "button", onclick: () => this.copyLink() }, "Copy link"),
      recording ? file("Audio (WAV)", recordingUrl(recording), "wav") : "",
      file("Transcript", exportUrl(this.sid, "transcript"), "txt"),
      journal ? file("Journal", exportUrl(this.sid, "journal"), "jsonl") : "",
      journal ? file("Replay (HTML)", exportUrl(this.sid, "replay"), "html") : "",
    );
  }

  async copyLink() {
    const link = location.href;
    try {
      await navigator.clipboard.writeText(link);
      note("The link is copied.");
    } catch {
      // Without https the browser does not let a page write to the clipboard.
      await question({
        title: "Link to this call",
        text: "Copy it:",
        verb: "Close",
        fields: [{ label: "Link", field: el("input.field", { name: "link", readonly: true, value: link }) }],
      });
    }
  }

  voicemail({ id, text, seconds, recording_url: sound }) {
    return el(
      "section.panel.summary",
      {},
      el("h2.eyebrow", {}, "Voicemail"),
      el("p", {}, text || "No words were understood in this voicemail."),
      sound ? voicemailPlayer(id, seconds) : "",
    );
  }

  /** Return who gave the call to which other agent, and why. */
  changes(transfers) {
    if (!transfers.length) return [];
    return [
      el("h2.eyebrow", {}, "Agents"),
      el(
        "ul.attempts",
        {},
        transfers.map((one) =>
          el(
            "li",
            {},
            el("strong", {}, `${one.from_agent} → ${one.to_agent}`),
            el("span.soft", {}, [label(one.outcome), one.reason].filter(Boolean).join(" · ")),
          ),
        ),
      ),
    ];
  }

  attempts(handoffs) {
    if (!handoffs.length) return [];
    return [
      el("h2.eyebrow", {}, "Hand-off"),
      el(
        "ol.attempts",
        {},
        handoffs.map((one) =>
          el(
            "li",
            { "data-outcome": one.outcome, title: OUTCOMES[one.outcome] ?? null },
            el("strong", {}, `${label(one.destination)}: ${words(one.outcome)}`),
            el(
              "span.small",
              {},
              one.seconds_to_human === null
                ? `at ${clock(one.started_at)}`
                : `a human after ${wait(one.seconds_to_human)}`,
            ),
            el(
              "span.soft.small",
              {},
              [`asked for by ${SOURCES[one.source] ?? one.source}`, one.reason].filter(Boolean).join(" · "),
            ),
          ),
        ),
      ),
    ];
  }

  facts(entry) {
    const rows = [
      ["Answer delay", entry.answer_seconds === null ? "" : `${wait(entry.answer_seconds)} median`],
      ["Barge-ins", entry.barge_ins ? String(entry.barge_ins) : ""],
      ["Cost, estimated", entry.cost ? money(entry.cost) : ""],
      ["Call", entry.call_sid],
    ].filter(([, value]) => value);
    return [
      el("h2.eyebrow", {}, "Facts"),
      el(
        "dl",
        {},
        rows.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value))),
      ),
    ];
  }

  /** The table of answers: times count from the end of the caller's speech. */
  answers(turns) {
    if (!turns.length) return "";
    const since = (turn, name) =>
      turn.stopped_at === null || turn[name] === null ? "–" : wait(Math.max(0, turn[name] - turn.stopped_at));
    const heads = ["End of speech", "First token", "First sound heard", "Tokens read", "Tokens written"];
    return el(
      "details.panel.answers",
      {},
      el("summary", {}, `Answers: ${count(turns.length, "turn")}`),
      el(
        "div.scroll",
        { tabindex: "0", role: "group", "aria-label": "Answers of the agent" },
        el(
          "table",
          {},
          el("thead", {}, el("tr", {}, heads.map((name) => el("th.number", { scope: "col" }, name)))),
          el(
            "tbody",
            {},
            turns.map((turn) =>
              el(
                "tr",
                {},
                el("td.number", {}, turn.stopped_at === null ? "–" : clock(turn.stopped_at)),
                el("td.number", {}, since(turn, "generated_at")),
                el("td.number", {}, since(turn, "heard_at")),
                el("td.number", {}, turn.tokens_read ? whole(turn.tokens_read) : "–"),
                el("td.number", {}, turn.tokens_written ? whole(turn.tokens_written) : "–"),
              ),
            ),
          ),
        ),
      ),
    );
  }

  /** The journal, loaded when it is opened: its first lines, and those that contain a text. */
  log() {
    const lines = el("pre.mono.log", { tabindex: "0" }, "");
    const shown = el("p.soft.small", { role: "status" });
    let all = null;
    const filter = el("input.field", {
      type: "search",
      placeholder: "Events that contain …",
      "aria-label": "Filter the event log",
      oninput: () => draw(),
    });
    const draw = () => {
      const found = all.filter((line) => line.toLowerCase().includes(filter.value.trim().toLowerCase()));
      setText(lines, found.slice(0, LOG_LINES).join("\n"));
      setText(shown, `${count(found.length, "line")}${found.length > LOG_LINES ? `, the first ${LOG_LINES} are shown` : ""}`);
    };
    return el(
      "details.panel.event-log",
      {
        ontoggle: async (event) => {
          if (!event.target.open || all) return;
          setText(shown, "Loading …");
          try {
            const response = await fetch(exportUrl(this.sid, "journal"), { credentials: "same-origin" });
            if (!response.ok) throw new Error(`the server answered ${response.status}`);
            all = (await response.text()).split("\n").filter(Boolean);
            draw();
          } catch (error) {
            event.target.open = false;
            note(`The event log cannot be loaded: ${error.message}`, { failed: true });
          }
        },
      },
      el("summary", {}, "Event log"),
      el("div.log-tools", {}, filter, shown),
      lines,
    );
  }

  remove() {
    const button = el(
      "button.button.danger.quiet.delete",
      { type: "button", onclick: () => this.delete() },
      icon("bin"),
      "Delete this call",
    );
    show(button, this.session.can.includes("delete"));
    return button;
  }

  async delete() {
    const sure = await question({
      title: "Delete this call?",
      text: "Its record, journal and recording are deleted permanently. The audit trail shows who deleted it.",
      verb: "Delete",
      danger: true,
    });
    if (sure && (await attempt(() => deletePast(this.sid), "The call is deleted."))) location.hash = "#/past";
  }

  /** Handle a key (`keys.js`). Return whether it had an effect. */
  key(name) {
    if (!this.player?.ready) return false;
    if (name === " ") this.player.toggle();
    else if (name === "ArrowLeft" || name === "ArrowRight") this.player.skip(name === "ArrowLeft" ? -5 : 5);
    else return false;
    return true;
  }
}
