// Plays mu-law stereo frames as they come, from a small buffer that takes up the network's jitter.
//
// It waits for 120 ms before it begins and again after it ran dry; what is more than a second behind
// is dropped, so that what is heard stays live.

import { LINE_RATE, LINEAR } from "./mulaw.js";

const FIRST = LINE_RATE * 0.12;
const MOST = LINE_RATE;
const KEPT = LINE_RATE * 0.2;
const NARROW = 0.2;

class Line extends AudioWorkletProcessor {
  constructor() {
    super();
    this.left = new Float32Array(2 * MOST);
    this.right = new Float32Array(2 * MOST);
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
    if (this.written - this.read > MOST) this.read = this.written - KEPT;
  }

  process(_, [[left, right]]) {
    const ready = this.written - this.read;
    if (this.waiting && ready >= FIRST) this.waiting = false;
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
      // A voice in one ear only is hard to listen to.
      left[place] = a * (1 - NARROW) + b * NARROW;
      if (right) right[place] = b * (1 - NARROW) + a * NARROW;
      this.read += this.step;
    }
  }
}

registerProcessor("line", Line);
