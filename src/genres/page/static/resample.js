// Resamples with the pass band of soxr's quality HQ, which genres.audio uses; the filters of browsers are shorter.

const ATTENUATION_DB = 100;
const PASSBAND = 0.9136; // of the lower of the two Nyquist frequencies, where the stop band begins

/** Return samples [n] of rate `from` at rate `to`, both in Hz. */
export function resample(samples, from, to) {
  if (from === to) return samples;
  const divisor = greatestCommonDivisor(from, to);
  const [up, down] = [to / divisor, from / divisor];
  const filters = Array.from({ length: up }, (_, phase) => filterOf(phase / up, from, to));
  const half = filters[0].length / 2;
  const padded = new Float32Array(samples.length + 2 * half);
  padded.set(samples, half);
  const result = new Float32Array(Math.round((samples.length * up) / down));
  for (let at = 0; at < result.length; at++) {
    const first = Math.floor((at * down) / up) + 1; // in `padded`, of the first sample that the filter covers
    const filter = filters[(at * down) % up];
    let sum = 0;
    for (let tap = 0; tap < filter.length; tap++) sum += filter[tap] * padded[first + tap];
    result[at] = sum;
  }
  return result;
}

/** Return the weights of the samples around a place that lies `share` of a sample behind one of them. */
function filterOf(share, from, to) {
  const lower = Math.min(from, to) / from;
  const cutoff = (lower * (1 + PASSBAND)) / 2;
  const beta = 0.1102 * (ATTENUATION_DB - 8.7); // Kaiser's formulas for the window and its length
  const half = Math.ceil((ATTENUATION_DB - 8) / (2.285 * Math.PI * lower * (1 - PASSBAND)) / 2);
  return Float32Array.from({ length: 2 * half }, (_, tap) => {
    const x = tap - half + 1 - share;
    const sinc = x === 0 ? 1 : Math.sin(Math.PI * cutoff * x) / (Math.PI * cutoff * x);
    return (cutoff * sinc * bessel(beta * Math.sqrt(Math.max(0, 1 - (x / half) ** 2)))) / bessel(beta);
  });
}

/** The modified Bessel function of the first kind, of order 0. */
function bessel(x) {
  let sum = 1, term = 1;
  for (let k = 1; term > 1e-12 * sum; k++) sum += term *= (x / (2 * k)) ** 2;
  return sum;
}

function greatestCommonDivisor(one, other) {
  return other ? greatestCommonDivisor(other, one % other) : one;
}
