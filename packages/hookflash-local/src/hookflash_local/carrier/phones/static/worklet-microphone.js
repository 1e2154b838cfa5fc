// Microphone to telephone: the context's rate to 8 kHz mu-law, posted in frames of 20 ms.

import { encode } from "./g711.js";
import { Level } from "./level.js";
import { Resampler } from "./resample.js";

const FRAME = 160;

class Microphone extends AudioWorkletProcessor {
  constructor() {
    super();
    this.resampler = new Resampler(sampleRate, 8000);
    this.level = new Level();
    this.samples = new Float32Array(FRAME);
    this.filled = 0;
  }

  process([input]) {
    if (input.length === 0) return true; // not connected yet, or no longer
    for (const sample of this.resampler.push(input[0])) {
      this.samples[this.filled++] = sample;
      if (this.filled === FRAME) this.post();
    }
    return true;
  }

  post() {
    const frame = Uint8Array.from(this.samples, encode);
    const level = this.level.take(this.samples);
    this.filled = 0;
    this.port.postMessage({ frame: frame.buffer, level }, [frame.buffer]);
  }
}

registerProcessor("phone-microphone", Microphone);
