// The server's events, over a connection that may break.
//
//     connecting -> live -> lost -> connecting ...
//
// The server sends a comment every ten seconds. If none arrives, the connection is dead, even if it is
// still open. `EventSource` does not show comments, so the stream is read with `fetch`. After a loss,
// the id of the last event is sent, and the server repeats what was missed or sends everything again.

import { feedUrl, refusal } from "./api.js";

const SILENCE_MS = 25_000;
const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 15_000;

export class Feed {
  /**
   * `onMessage(type, message)` is called for each event. `onState(state, retryAt, error)` has the time
   * of the next attempt, in ms, and the reason, while the connection is lost. `onRefused(error)` is
   * called if no further attempt can succeed.
   */
  constructor({ onMessage, onState = () => {}, onRefused = () => {} }) {
    this.onMessage = onMessage;
    this.onState = onState;
    this.onRefused = onRefused;
    this.sid = null;
    this.turn = 0;
    this.lastId = "";
    this.failures = 0;
    this.stop = null;
    this.timer = null;
    this.online = () => this.state === "lost" && this.retry();
    globalThis.addEventListener?.("online", this.online);
  }

  /** Follow the list of calls, and one call unless `sid` is null. */
  open(sid = null) {
    if (this.turn && sid === this.sid) return;
    this.sid = sid;
    this.lastId = "";
    this.retry();
  }

  close() {
    this.turn += 1;
    this.stop?.abort();
    clearTimeout(this.timer);
    globalThis.removeEventListener?.("online", this.online);
  }

  /** Connect now. */
  retry() {
    this.turn += 1;
    clearTimeout(this.timer);
    this.stop?.abort();
    this.run(this.turn);
  }

  setState(state, retryAt = null, error = null) {
    this.state = state;
    this.onState(state, retryAt, error);
  }

  async run(turn) {
    if (this.state !== "live") this.setState("connecting");
    this.stop = new AbortController();
    let failure = null;
    try {
      await this.read(turn, this.stop);
    } catch (error) {
      if (turn !== this.turn) return;
      failure = error;
      if (error.status === 401 || error.status === 403 || error.status === 404) {
        this.setState("lost");
        this.onRefused(error);
        return;
      }
    }
    if (turn !== this.turn) return;
    const pause = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** this.failures);
    this.failures += 1;
    this.setState("lost", Date.now() + pause, failure);
    this.timer = setTimeout(() => this.retry(), pause);
  }

  async read(turn, stop) {
    const headers = { Accept: "text/event-stream" };
    if (this.lastId) headers["Last-Event-ID"] = this.lastId;
    let silence = setTimeout(() => stop.abort(), SILENCE_MS);
    try {
      const response = await fetch(feedUrl(this.sid), {
        headers,
        signal: stop.signal,
        credentials: "same-origin",
        cache: "no-store",
      });
      if (!response.ok) throw await refusal(response);
      if (turn !== this.turn) return;
      this.failures = 0;
      if (this.state !== "live") this.setState("live");
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      const events = new EventReader();
      for (;;) {
        const { done, value } = await reader.read();
        if (done || turn !== this.turn) return;
        clearTimeout(silence);
        silence = setTimeout(() => stop.abort(), SILENCE_MS);
        for (const event of events.feed(value)) {
          this.onMessage(event.name, JSON.parse(event.data));
          if (event.id) this.lastId = event.id;
        }
      }
    } finally {
      clearTimeout(silence);
    }
  }
}

/** Parses server-sent events from text that arrives in pieces. No I/O. */
export class EventReader {
  constructor() {
    this.rest = "";
    this.fields = { name: "message", data: [], id: "" };
  }

  *feed(text) {
    const lines = (this.rest + text).split(/\r\n|\n|\r(?!$)/);
    this.rest = lines.pop();
    for (const line of lines) {
      if (line === "") {
        const { name, data, id } = this.fields;
        this.fields = { name: "message", data: [], id: "" };
        if (data.length) yield { name, data: data.join("\n"), id };
        continue;
      }
      const colon = line.indexOf(":");
      if (colon === 0) continue;
      const field = colon < 0 ? line : line.slice(0, colon);
      const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
      if (field === "event") this.fields.name = value;
      else if (field === "data") this.fields.data.push(value);
      else if (field === "id") this.fields.id = value;
    }
  }
}
