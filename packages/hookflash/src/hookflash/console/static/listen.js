// Live audio of a call: a WebSocket with mu-law frames, and an audio worklet that plays them.
//
// A frame is 8 kHz mu-law with two interleaved channels: the caller left, what the caller hears right.

import { listenUrl } from "./api.js";
import { LINE_RATE } from "./mulaw.js";

const DEVICE_MS = 5000;
const TEXTS = {
  browser: "This browser cannot play live calls. Use a current version of Chrome, Firefox or Safari.",
  device: "There is no sound device, or the browser does not let this page play sound.",
  server: "The server does not send the sound of this call. Try again.",
};

/** Wait for a promise, for a limited time. A browser without a sound device never resumes its sound. */
function within(promise, ms) {
  const late = new Promise((_, reject) => setTimeout(() => reject(new Error("late")), ms));
  return Promise.race([promise, late]);
}

export class Listening {
  /** `onChange({state: "off" | "opening" | "on", levels, error})`; levels are 0 to 1. */
  constructor(sid, onChange) {
    this.sid = sid;
    this.onChange = onChange;
    this.state = "off";
  }

  toggle() {
    return this.state === "off" ? this.start() : this.stop();
  }

  async start() {
    this.setState("opening");
    if (!globalThis.AudioContext || !globalThis.AudioWorkletNode) {
      this.stop(TEXTS.browser);
      return;
    }
    let why = TEXTS.device;
    try {
      // At 8 kHz, so that the browser resamples for the sound card.
      const context = new AudioContext({ sampleRate: LINE_RATE, latencyHint: "interactive" });
      this.context = context;
      // Reported when the sound device goes, or was never there.
      context.onerror = () => this.context === context && this.stop(TEXTS.device);
      why = TEXTS.server;
      await context.audioWorklet.addModule(new URL("listen-worklet.js", import.meta.url));
      if (this.context !== context) return;
      why = TEXTS.device;
      this.player = new AudioWorkletNode(this.context, "line", { outputChannelCount: [2] });
      this.player.port.onmessage = ({ data }) =>
        this.state === "on" && this.onChange({ state: "on", levels: data });
      this.player.connect(this.context.destination);
      await within(this.context.resume(), DEVICE_MS);
      if (this.context === context) this.open();
    } catch {
      if (this.state !== "off") this.stop(why);
    }
  }

  open() {
    const socket = new WebSocket(listenUrl(this.sid));
    let opened = false;
    socket.binaryType = "arraybuffer";
    socket.onopen = () => {
      opened = true;
      this.setState("on");
    };
    socket.onmessage = ({ data }) => {
      if (data instanceof ArrayBuffer) this.player?.port.postMessage(data, [data]);
    };
    socket.onclose = ({ code }) => {
      if (this.socket !== socket) return;
      const over = code === 1000 || code === 1001;
      this.stop(over ? "" : opened ? "The call can no longer be heard." : TEXTS.server);
    };
    this.socket = socket;
  }

  stop(error = "") {
    const { socket, context } = this;
    this.socket = this.context = this.player = null;
    socket?.close();
    if (context && context.state !== "closed") context.close();
    if (this.state !== "off") this.setState("off", error);
  }

  setState(state, error = "") {
    this.state = state;
    this.onChange({ state, error });
  }
}
