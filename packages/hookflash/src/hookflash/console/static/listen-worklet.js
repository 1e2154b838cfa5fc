// An audio worklet that plays mu-law stereo frames from a small jitter buffer.
//
// Playback begins with 120 ms in the buffer, also after the buffer ran empty. With more than a second
// in the buffer, the oldest audio is dropped, so that playback stays live.

import { LINE_RATE, LINEAR } from "./mulaw.js";

const START = LINE_RATE * 0.12;
const CAPACITY = LINE_RATE;
const RESUME = LINE_RATE * 0.2;
const CROSSFEED = 0.2;

class Line extends AudioWorkletProcessor {
  constructor() {
    super();
    this.left = new Float32Array(2 * CAPACITY);
    this.right = new Float32Array(2 * CAPACITY);
    this.written = 0;
    this.read = 0;
    this.waiting = true;
    this.levels = [0, 0];
    this.blocks = 0;
    this.step = LINE_RATE / sampleRate;
    this.port.onmessage = ({ data }) => this.take(new Uint8Array(data));
  }

  take(frame) {
    const size = this.left.length;
    for (let place = 0; place + 1 < frame.length; place += 2) {
      this.left[this.written % size] = LINEAR[frame[place]];
      this.right[this.written % size] = LINEAR[frame[place + 1]];
      this.written += 1;
    }
    if (this.written - this.read > CAPACITY) this.read = this.written - RESUME;
  }

  process(_, [[left, right]]) {
    const ready = this.written - this.read;
    if (this.waiting && ready >= START) this.waiting = false;
    if (!this.waiting) this.play(left, right);
    if ((this.blocks += 1) % 12 === 0) {
      this.port.postMessage([...this.levels]);
      this.levels = [0, 0];
    }
    return true;
  }

  play(left, right) {
    const size = this.left.length;
    for (let place = 0; place < left.length; place += 1) {
      const whole = Math.floor(this.read);
      if (whole + 1 >= this.written) {
        this.waiting = true;
        return;
      }
      const rest = this.read - whole;
      const [a, b] = [this.left, this.right].map(
        (side) => side[whole % size] * (1 - rest) + side[(whole + 1) % size] * rest,
      );
      this.levels[0] = Math.max(this.levels[0], Math.abs(a));
      this.levels[1] = Math.max(this.levels[1], Math.abs(b));
      // Mix some of each channel into the other: a voice in one ear only is hard to listen to.
      left[place] = a * (1 - CROSSFEED) + b * CROSSFEED;
      if (right) right[place] = b * (1 - CROSSFEED) + a * CROSSFEED;
      this.read += this.step;
    }
  }
}

registerProcessor("line", Line);
