// The player of a recording, in step with the timeline and the transcript.

import { recordingUrl } from "./api.js";
import { el, icon, put, setText } from "./dom.js";
import { clock, spokenTime } from "./format.js";
import { note } from "./page.js";
import { envelopes } from "./waveform.js";

const TEXTS = {
  deleted: "The recording was deleted.",
  server: "The recording cannot be loaded: the server cannot be reached.",
  format: "The recording cannot be played: this browser cannot read it. Download it as a WAV file.",
  device: "The recording cannot be played: there is no sound device, or it has stopped.",
  forbidden: "The browser does not let this page play sound. Press Play again.",
};

const MAX_DRAWN_BYTES = 24_000_000;
const SPEEDS = [1, 1.25, 1.5, 2];

export class Player {
  /**
   * `path` is the recording's path, or null. The recording begins `from` seconds into the call; all
   * other times count from the beginning of the call. `onTime(seconds)` is called while it plays and
   * when it is moved, `onSound(envelopes)` once if it is short enough to be drawn, and
   * `onLength(seconds)` when the recording's length is known.
   */
  constructor({ path, from, seconds, onTime, onSound, onLength = () => {} }) {
    this.onLength = onLength;
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
    // The slider is part of the timeline, so that both have one scale.
    this.parts = [this.button, this.clock, this.speed, el("span.soft.small", {}, "Click a word or the timeline to play from there.")];
    this.node = el("div.player", { role: "group", "aria-label": "Recording" }, this.parts);
    this.sound.addEventListener("play", () => this.plays());
    this.sound.addEventListener("pause", () => this.plays());
    this.sound.addEventListener("seeked", () => this.moved());
    this.sound.addEventListener("error", () => this.failed());
    this.sound.addEventListener("loadedmetadata", () => {
      if (Number.isFinite(this.sound.duration)) {
        this.length = Math.max(seconds, from + this.sound.duration);
        put(this.slider, "max", this.length.toFixed(1));
        this.onLength(this.length);
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
      if (!response.ok) {
        this.failed(response.status === 404 ? TEXTS.deleted : `The server answered ${response.status}.`, url);
        return;
      }
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
      if (!this.closed) this.failed(TEXTS.server, url);
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
      if (error.name === "NotAllowedError") note(TEXTS.forbidden, { failed: true });
      else if (error.name !== "AbortError") this.failed();
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

  /** Say why there is no sound. With `url` it can be loaded again. */
  failed(why = this.sound.error?.code === 4 ? TEXTS.format : TEXTS.device, url = null) {
    this.ready = false;
    const again = el(
      "button.button",
      {
        type: "button",
        onclick: () => {
          this.node.replaceChildren(...this.parts);
          this.ready = true;
          this.fetch(url);
        },
      },
      "Retry",
    );
    this.node.replaceChildren(el("p.small", { role: "alert" }, why), url && why !== TEXTS.deleted ? again : "");
  }
}
