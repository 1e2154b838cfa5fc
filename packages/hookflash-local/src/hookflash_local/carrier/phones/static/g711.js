// G.711 mu-law: one byte a sample, 8,000 samples a second. Source: ITU-T G.711, bias 132.

const BIAS = 132;
const CLIP = 32635;

/** The sample (-1 to 1) that each byte stands for. */
export const LINEAR = Float32Array.from({ length: 256 }, (_, byte) => {
  const code = ~byte & 0xff;
  const magnitude = ((((code & 0x0f) << 3) + BIAS) << ((code & 0x70) >> 4)) - BIAS;
  return (code & 0x80 ? -magnitude : magnitude) / 32768;
});

/** Return the byte of one sample; what is too loud is clipped. */
export function encode(sample) {
  const value = Math.max(-32768, Math.min(32767, Math.round(sample * 32768)));
  const magnitude = Math.min(Math.abs(value), CLIP) + BIAS;
  const exponent = 24 - Math.clz32(magnitude);
  const mantissa = (magnitude >> (exponent + 3)) & 0x0f;
  return ~((value < 0 ? 0x80 : 0) | (exponent << 4) | mantissa) & 0xff;
}

/** Return samples for a frame of bytes. */
export function decode(frame) {
  return Float32Array.from(frame, (byte) => LINEAR[byte]);
}
