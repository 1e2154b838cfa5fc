// From one sample rate to another, a block at a time: a windowed sinc, cut below both rates' half.

const HALF = 12; // zero crossings of the kernel on each side
const STEPS = 256; // points of the kernel between two zero crossings

const KERNEL = Float32Array.from({ length: HALF * STEPS + 2 }, (_, n) => {
  const x = n / STEPS;
  if (x >= HALF) return 0;
  const window = 0.5 + 0.5 * Math.cos((Math.PI * x) / HALF);
  return window * (x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x));
});

export class Resampler {
  constructor(from, to) {
    this.step = from / to;
    // The kernel is stretched so that it passes 45 of the 50 per cent that the lower rate holds.
    this.scale = Math.min(1, to / from) * 0.9;
    this.reach = Math.ceil(HALF / this.scale);
    this.held = new Float32Array(this.reach); // silence before the first sample
    this.at = this.reach; // where in `held` the next sample belongs
  }

  /** Take samples and return those that are settled; the kernel's half is held back. */
  push(samples) {
    const all = new Float32Array(this.held.length + samples.length);
    all.set(this.held);
    all.set(samples, this.held.length);
    const made = [];
    while (this.at + this.reach < all.length) {
      made.push(this.between(all, this.at));
      this.at += this.step;
    }
    const done = Math.max(0, Math.floor(this.at) - this.reach);
    this.held = all.slice(done);
    this.at -= done;
    return Float32Array.from(made);
  }

  between(samples, at) {
    let sum = 0;
    const last = Math.floor(at + this.reach);
    for (let n = Math.ceil(at - this.reach); n <= last; n++) {
      const x = Math.abs(n - at) * this.scale * STEPS;
      const low = Math.floor(x);
      if (low >= KERNEL.length - 1) continue;
      sum += samples[n] * (KERNEL[low] + (KERNEL[low + 1] - KERNEL[low]) * (x - low));
    }
    return sum * this.scale;
  }
}
