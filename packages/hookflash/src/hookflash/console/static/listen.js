// Live audio of a call: a WebSocket with mu-law frames, and an audio worklet that plays them.
//
// A frame is 8 kHz mu-law with two interleaved channels: the caller left, what the caller hears right.

import { listenUrl } from "./api.js";
import { LINE_RATE } from "./mulaw.js";

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
    try {
      // At 8 kHz, so that the browser resamples for the sound card.
      this.context = new AudioContext({ sampleRate: LINE_RATE, latencyHint: "interactive" });
      await this.context.audioWorklet.addModule(new URL("listen-worklet.js", import.meta.url));
      this.player = new AudioWorkletNode(this.context, "line", { outputChannelCount: [2] });
      this.player.port.onmessage = ({ data }) =>
        this.state === "on" && this.onChange({ state: "on", levels: data });
      this.player.connect(this.context.destination);
      await this.context.resume();
      this.open();
    } catch (error) {
      this.stop(`This browser cannot play the call: ${error.message}`);
    }
  }

  open() {
    const socket = new WebSocket(listenUrl(this.sid));
    socket.binaryType = "arraybuffer";
    socket.onopen = () => this.setState("on");
    socket.onmessage = ({ data }) => {
      if (data instanceof ArrayBuffer) this.player?.port.postMessage(data, [data]);
    };
    socket.onclose = ({ code }) => {
      if (this.socket !== socket) return;
      this.stop(code === 1000 || code === 1001 ? "" : "The call can no longer be heard.");
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
