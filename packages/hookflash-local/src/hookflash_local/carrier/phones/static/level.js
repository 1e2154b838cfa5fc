// How loud it is, for a meter: 0 is silence, 1 is as loud as it gets; rises at once, falls slowly.

const FLOOR_DB = -54;

export class Level {
  constructor() {
    this.value = 0;
  }

  /** Take a block of samples and return the level. */
  take(samples) {
    let sum = 0;
    for (const sample of samples) sum += sample * sample;
    const db = 10 * Math.log10(sum / Math.max(1, samples.length) + 1e-9);
    const now = Math.max(0, Math.min(1, 1 - (db + 6) / (FLOOR_DB + 6)));
    const fallen = this.value * 0.8;
    this.value = Math.max(now, fallen < 0.004 ? 0 : fallen);
    return this.value;
  }
}
