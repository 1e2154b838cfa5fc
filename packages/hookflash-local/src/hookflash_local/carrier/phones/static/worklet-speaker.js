// Telephone to speaker: frames of 20 ms mu-law, through the jitter buffer, at the context's rate.

import { decode } from "./g711.js";
import { Jitter } from "./jitter.js";
import { Level } from "./level.js";
import { Resampler } from "./resample.js";

const FRAME_SECONDS = 0.02;
const SILENCE = new Float32Array(160);

class Speaker extends AudioWorkletProcessor {
  constructor() {
    super();
    this.jitter = new Jitter();
    this.resampler = new Resampler(8000, sampleRate);
    this.level = new Level();
    this.ready = new Float32Array(0);
    this.told = 0;
    this.port.onmessage = ({ data }) => this.jitter.push(new Uint8Array(data));
  }

  process(_, [output]) {
    const [channel] = output;
    let at = 0;
    while (at < channel.length) {
      if (this.ready.length === 0 && !this.more()) break; // the rest stays silent
      const part = this.ready.subarray(0, channel.length - at);
      channel.set(part, at);
      at += part.length;
      this.ready = this.ready.subarray(part.length);
    }
    for (const other of output.slice(1)) other.set(channel);
    return true;
  }

  more() {
    const frame = this.jitter.pull();
    if (frame === null) {
      // Held, or without a link: nothing comes, and the meter falls as it does in silence.
      if (this.level.value > 0 && currentTime - this.told >= FRAME_SECONDS) this.tell(SILENCE);
      return false;
    }
    const samples = decode(frame);
    this.ready = this.resampler.push(samples);
    this.tell(samples);
    return this.ready.length > 0;
  }

  tell(samples) {
    this.told = currentTime;
    this.port.postMessage({ level: this.level.take(samples), gaps: this.jitter.gaps });
  }
}

registerProcessor("phone-speaker", Speaker);
