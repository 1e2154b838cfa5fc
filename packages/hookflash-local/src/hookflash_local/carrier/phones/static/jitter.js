// Frames of 20 ms that come unevenly and are wanted evenly: a small buffer that learns how much.
//
// It begins when `target` frames are there. When it runs dry it waits for them again, for one more
// than before; a quiet stretch makes it smaller. What is too much is left out, silence first.

const LEAST = 2;
const MOST = 12;
const CALM = 500; // frames without a gap, after which one less will do

export class Jitter {
  constructor(target = 3) {
    this.target = target;
    this.frames = [];
    this.playing = false;
    this.gaps = 0;
    this.calm = 0;
  }

  push(frame) {
    this.frames.push(frame);
    // A page that slept has seconds of it: the newest are worth hearing.
    while (this.frames.length > this.target + MOST) this.frames.shift();
  }

  /** Return the next frame, or null where there is none to be had. */
  pull() {
    if (!this.playing) {
      if (this.frames.length < this.target) return null;
      this.playing = true;
    }
    while (this.frames.length > this.target + 2 && isQuiet(this.frames[0])) this.frames.shift();
    const frame = this.frames.shift();
    if (frame === undefined) {
      this.playing = false;
      this.gaps += 1;
      this.calm = 0;
      this.target = Math.min(this.target + 1, MOST);
      return null;
    }
    this.calm += 1;
    if (this.calm >= CALM) {
      this.calm = 0;
      this.target = Math.max(this.target - 1, LEAST);
    }
    return frame;
  }
}

/** Whether nobody would miss a frame: its bytes are those of samples near zero. */
export function isQuiet(frame) {
  return frame.every((byte) => (byte & 0x7f) >= 0x60);
}
