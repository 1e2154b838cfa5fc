// G.711 mu-law: one byte a sample, 8,000 samples a second.

export const LINE_RATE = 8000;

/** The sample of each byte, from -1 to 1. */
export const LINEAR = Float32Array.from({ length: 256 }, (_, byte) => {
  const bits = ~byte & 0xff;
  const size = ((((bits & 0x0f) << 3) + 0x84) << ((bits & 0x70) >> 4)) - 0x84;
  return (bits & 0x80 ? -size : size) / 32768;
});
