// The loudness of each channel of a recording over time.

import { LINE_RATE, LINEAR } from "./mulaw.js";

const MULAW = 7;
const PER_SECOND = 40;

/**
 * Return the envelopes of a stereo mu-law WAV, {perSecond, left, right} with values from 0 to 1, or
 * null for any other file.
 */
export function envelopes(buffer) {
  const data = samples(new DataView(buffer));
  if (!data) return null;
  const step = LINE_RATE / PER_SECOND;
  const count = Math.ceil(data.length / 2 / step);
  const sides = [new Float32Array(count), new Float32Array(count)];
  for (let place = 0; place + 1 < data.length; place += 2) {
    const bin = Math.floor(place / 2 / step);
    for (let side = 0; side < 2; side += 1) {
      const loud = Math.abs(LINEAR[data[place + side]]);
      if (loud > sides[side][bin]) sides[side][bin] = loud;
    }
  }
  return { perSecond: PER_SECOND, left: normalized(sides[0]), right: normalized(sides[1]) };
}

/** Scale a channel so that its loud parts fill the lane, because recordings differ in loudness. */
function normalized(side) {
  const loud = side.filter((one) => one > 0.02).sort();
  const gain = loud.length ? Math.min(6, 0.9 / loud[Math.floor((loud.length - 1) * 0.97)]) : 1;
  return side.map((one) => Math.min(1, one * gain));
}

function samples(view) {
  const name = (at) => String.fromCharCode(...[0, 1, 2, 3].map((place) => view.getUint8(at + place)));
  if (view.byteLength < 12 || name(0) !== "RIFF" || name(8) !== "WAVE") return null;
  let known = false;
  for (let at = 12; at + 8 <= view.byteLength;) {
    const size = view.getUint32(at + 4, true);
    if (name(at) === "fmt ") {
      known = view.getUint16(at + 8, true) === MULAW && view.getUint16(at + 10, true) === 2;
    } else if (name(at) === "data") {
      const length = Math.min(size, view.byteLength - at - 8);
      return known ? new Uint8Array(view.buffer, at + 8, length) : null;
    }
    at += 8 + size + (size % 2);
  }
  return null;
}
