// Sounds that the phone itself makes: the bell, the ringing tone that a caller hears, its keys.

import { context } from "./sound.js";

const ROWS = [697, 770, 852, 941];
const COLUMNS = [1209, 1336, 1477];
const KEYS = "123456789*0#";

async function sound(frequencies, volume, seconds, tremolo = 0) {
  const audio = await context();
  const now = audio.currentTime;
  const gain = new GainNode(audio, { gain: 0 });
  gain.gain.setTargetAtTime(volume, now, 0.012);
  gain.gain.setTargetAtTime(0, now + seconds, 0.03);
  gain.connect(audio.destination);
  const sources = frequencies.map((frequency) => new OscillatorNode(audio, { frequency }));
  for (const source of sources) source.connect(gain);
  if (tremolo) {
    const wave = new OscillatorNode(audio, { frequency: tremolo });
    const depth = new GainNode(audio, { gain: volume * 0.7 });
    wave.connect(depth).connect(gain.gain);
    sources.push(wave);
  }
  for (const source of sources) {
    source.start(now);
    source.stop(now + seconds + 0.3);
  }
  return () => {
    gain.gain.cancelScheduledValues(audio.currentTime);
    gain.gain.setTargetAtTime(0, audio.currentTime, 0.02);
  };
}

/** Play a key's two tones, softly, to the one who pressed it. */
export function key(digit) {
  const place = KEYS.indexOf(digit);
  if (place >= 0) sound([ROWS[Math.floor(place / 3)], COLUMNS[place % 3]], 0.05, 0.12);
}

/** The bell of a phone that rings: `bell.ring("bell" | "ringing" | null)`. */
export class Bell {
  constructor() {
    this.kind = null;
    this.timer = 0;
    this.stop = null;
  }

  ring(kind) {
    if (kind === this.kind) return;
    this.kind = kind;
    clearInterval(this.timer);
    this.stop?.();
    this.stop = null;
    if (!kind) return;
    const once = async () => {
      const stop =
        kind === "bell" ? await sound([880, 1109], 0.06, 1.4, 18) : await sound([440, 480], 0.04, 1.8);
      if (this.kind === kind) this.stop = stop;
      else stop();
    };
    once();
    this.timer = setInterval(once, kind === "bell" ? 3500 : 6000);
  }
}
