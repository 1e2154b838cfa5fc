// The live calls as the feed sends them: the list, and the one call that is open.

import { oncePerFrame } from "./dom.js";

const KINDS = ["lines", "tools", "stages", "legs", "barge_ins", "latencies", "actions", "outcomes", "sound"];

/** Return the parts with those of `patch`; a part with a known id replaces the earlier one. */
export function merged(parts, patch) {
  const result = { ...parts };
  for (const kind of KINDS) {
    const fresh = patch[kind] ?? [];
    if (!fresh.length) {
      result[kind] = parts[kind] ?? [];
      continue;
    }
    const byId = new Map((parts[kind] ?? []).map((one) => [one.id, one]));
    for (const one of fresh) byId.set(one.id, one);
    result[kind] = [...byId.values()];
  }
  return result;
}

export class LiveStore {
  constructor() {
    this.calls = new Map();
    this.detail = null;
    this.over = null;
    this.unknown = null;
    this.ahead = 0;
    this.missing = [];
    /** Whether the server has sent the list. Before, nothing is known, not even that there are no calls. */
    this.loaded = false;
    /** Why the list could not be loaded, or an empty text. */
    this.failure = "";
    this.frozenAt = null;
    this.watchers = new Set();
    this.touched = new Set();
    this.afresh = false;
    this.flush = oncePerFrame(() => this.notify());
  }

  /** Return the server's time, in seconds since 1970, because browser clocks are often wrong. */
  now() {
    return this.frozenAt ?? Date.now() / 1000 + this.ahead;
  }

  get frozen() {
    return this.frozenAt !== null;
  }

  /** Stop the clock: the connection is lost, and what happens meanwhile is not known. */
  freeze(failure = "") {
    this.frozenAt ??= this.now();
    this.failure = failure;
    this.flush();
  }

  /** Let the clock go on: the connection is back. */
  thaw() {
    if (!this.frozen) return;
    this.frozenAt = null;
    this.failure = "";
    this.flush();
  }

  /** Call `watcher({afresh, touched})` at most once a frame, until the returned function is called. */
  watch(watcher) {
    this.watchers.add(watcher);
    return () => this.watchers.delete(watcher);
  }

  notify() {
    const change = { afresh: this.afresh, touched: this.touched };
    this.afresh = false;
    this.touched = new Set();
    for (const watcher of this.watchers) watcher(change);
  }

  /** Apply a message of the feed. */
  take(type, message) {
    switch (type) {
      case "Snapshot":
        this.loaded = true;
        this.failure = "";
        this.ahead = message.now - Date.now() / 1000;
        this.missing = message.missing ?? [];
        this.calls = new Map(message.calls.map((entry) => [entry.call_sid, entry]));
        this.afresh = true;
        break;
      case "CallsChanged":
        for (const entry of message.calls ?? []) this.put(entry);
        for (const sid of message.gone ?? []) {
          this.calls.delete(sid);
          this.touched.add(sid);
        }
        break;
      case "PartMissing":
        this.missing = message.missing;
        break;
      case "CallShown":
        this.detail = { ...message.detail, parts: merged({}, message.detail.parts) };
        this.over = this.unknown = null;
        this.put(message.detail.entry);
        break;
      case "CallPatched":
        if (message.call_sid !== this.detail?.entry.call_sid) return;
        this.detail = { ...this.detail, parts: merged(this.detail.parts, message.parts) };
        if (message.entry) {
          this.detail.entry = message.entry;
          this.put(message.entry);
        }
        this.touched.add(message.call_sid);
        break;
      case "CallOver":
        this.over = message.call_sid;
        this.touched.add(message.call_sid);
        break;
      case "CallUnknown":
        this.unknown = message.call_sid;
        this.touched.add(message.call_sid);
        break;
      default:
        return;
    }
    this.flush();
  }

  put(entry) {
    if (entry.phase !== "ended") this.calls.set(entry.call_sid, entry);
    this.touched.add(entry.call_sid);
  }

  /** Drop the open call, because another one, or none, is opened next. */
  forget() {
    this.detail = null;
    this.over = this.unknown = null;
  }
}
