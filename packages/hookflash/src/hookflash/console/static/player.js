// The player of a recording, in step with the timeline and the transcript.

import { recordingUrl } from "./api.js";
import { el, icon, put, setText } from "./dom.js";
import { clock, spokenTime } from "./format.js";
import { envelopes } from "./waveform.js";

const MAX_DRAWN_BYTES = 24_000_000;
const SPEEDS = [1, 1.25, 1.5, 2];

export class Player {
  /**
   * `path` is the recording's path, or null. The recording begins `from` seconds into the call; all
   * other times count from the beginning of the call. `onTime(seconds)` is called while it plays and
   * when it is moved, `onSound(envelopes)` once if it is short enough to be drawn.
   */
  constructor({ path, from, seconds, onTime, onSound }) {
    this.onTime = onTime;
    this.onSound = onSound;
    this.from = from;
    this.ready = Boolean(path);
    this.wanted = false;
    if (!path) {
      this.node = el("div.player", {}, el("p.small", {}, "This call was not recorded."));
      return;
    }
    this.sound = new Audio();
    this.sound.preload = "metadata";
    this.button = el(
      "button.button.primary.only-icon.play",
      { type: "button", "aria-label": "Play", "data-key": " ", onclick: () => this.toggle() },
      icon("play"),
    );
    this.slider = el("input", {
      type: "range",
      min: 0,
      max: seconds.toFixed(1),
      step: 0.1,
      value: 0,
      "aria-label": "Position",
      oninput: () => this.seek(Number(this.slider.value)),
    });
    this.clock = el("span.clock");
    this.length = seconds;
    this.speed = el(
      "button.button.speed",
      { type: "button", "aria-label": "Speed 1×", onclick: () => this.faster() },
      "1×",
    );
    this.node = el(
      "div.player",
      { role: "group", "aria-label": "Recording" },
      this.button,
      this.slider,
      this.clock,
      this.speed,
    );
    this.sound.addEventListener("play", () => this.plays());
    this.sound.addEventListener("pause", () => this.plays());
    this.sound.addEventListener("seeked", () => this.moved());
    this.sound.addEventListener("error", () => this.failed());
    this.sound.addEventListener("loadedmetadata", () => {
      if (Number.isFinite(this.sound.duration)) {
        this.length = Math.max(seconds, from + this.sound.duration);
        put(this.slider, "max", this.length.toFixed(1));
      }
    });
    this.show(0);
    this.fetch(recordingUrl(path));
  }

  close() {
    this.closed = true;
    cancelAnimationFrame(this.frame);
    if (!this.sound) return;
    this.sound.pause();
    this.sound.removeAttribute("src");
    if (this.blob) URL.revokeObjectURL(this.blob);
  }

  /** Load a short recording whole, and draw it. Stream a long one. */
  async fetch(url) {
    try {
      const stop = new AbortController();
      const response = await fetch(url, { credentials: "same-origin", signal: stop.signal });
      if (!response.ok) throw new Error(`the server answered ${response.status}`);
      if (Number(response.headers.get("Content-Length")) > MAX_DRAWN_BYTES) {
        stop.abort();
        this.has(url);
        return;
      }
      const buffer = await response.arrayBuffer();
      if (this.closed) return;
      this.blob = URL.createObjectURL(new Blob([buffer], { type: "audio/wav" }));
      this.has(this.blob);
      const drawn = envelopes(buffer);
      if (drawn) this.onSound(drawn);
    } catch {
      if (!this.closed) this.failed();
    }
  }

  /** Set the source. Start it if the reader has already pressed play. */
  has(address) {
    this.sound.src = address;
    if (this.wanted) this.toggle();
  }

  /** The position in the call, in seconds. */
  get time() {
    return this.from + this.sound.currentTime;
  }

  toggle() {
    if (!this.sound.src) this.wanted = !this.wanted;
    else if (this.sound.paused) this.play();
    else this.sound.pause();
  }

  async play() {
    try {
      await this.sound.play();
    } catch (error) {
      // It was paused or moved before it began.
      if (error.name !== "AbortError") this.failed();
    }
  }

  seek(seconds, { play = false } = {}) {
    this.sound.currentTime = Math.max(0, seconds - this.from);
    this.show(seconds);
    this.onTime(seconds);
    if (play && this.sound.paused) this.toggle();
  }

  skip(seconds) {
    this.seek(Math.min(this.length, Math.max(this.from, this.time + seconds)));
  }

  faster() {
    const next = SPEEDS[(SPEEDS.indexOf(this.sound.playbackRate) + 1) % SPEEDS.length];
    this.sound.playbackRate = next;
    setText(this.speed, `${next}×`);
    put(this.speed, "aria-label", `Speed ${next}×`);
  }

  plays() {
    const playing = !this.sound.paused;
    this.button.replaceChildren(icon(playing ? "pause" : "play"));
    put(this.button, "aria-label", playing ? "Pause" : "Play");
    cancelAnimationFrame(this.frame);
    if (playing) this.step();
  }

  step() {
    this.moved();
    this.frame = requestAnimationFrame(() => this.step());
  }

  moved() {
    this.show(this.time);
    this.onTime(this.time);
  }

  show(seconds) {
    const tenth = seconds.toFixed(1);
    if (this.slider.value !== tenth) this.slider.value = tenth;
    const text = `${clock(seconds)} / ${clock(this.length)}`;
    if (this.clock.textContent === text) return;
    setText(this.clock, text);
    put(this.slider, "aria-valuetext", spokenTime(seconds));
  }

  failed() {
    this.ready = false;
    this.node.replaceChildren(
      el("p.small", {}, "The recording cannot be played: it was deleted, or this browser cannot read it."),
    );
  }
}
