/** Numbers for the plots. Pure: time and rows come in, figures go out. */

/** Seconds that the rate plot shows. */
export const WINDOW_S = 120;

/** How many latencies are remembered. */
const KEPT = 2000;

/** The platform's promise for page → profile, 95th percentile, in ms. */
export const PROMISE_MS = 15 * 60_000;

/** Messages per second, by the second the inlet received them. */
export class Rate {
  /** @type {Map<number, {good: number, bad: number}>} */
  #seconds = new Map();

  /** @param {"good" | "bad"} verdict @param {number} ms epoch @param {number} now epoch ms */
  add(verdict, ms, now) {
    const second = Math.floor(ms / 1000);
    if (second < Math.floor(now / 1000) - WINDOW_S) return;
    const bucket = this.#seconds.get(second) ?? { good: 0, bad: 0 };
    bucket[verdict] += 1;
    this.#seconds.set(second, bucket);
  }

  /** @param {number} now epoch ms @returns {{good: number, bad: number}[]} WINDOW_S seconds, oldest first */
  window(now) {
    const last = Math.floor(now / 1000);
    for (const second of this.#seconds.keys()) {
      if (second <= last - WINDOW_S) this.#seconds.delete(second);
    }
    return Array.from(
      { length: WINDOW_S },
      (_, index) => this.#seconds.get(last - WINDOW_S + 1 + index) ?? { good: 0, bad: 0 },
    );
  }

  clear() {
    this.#seconds.clear();
  }
}

/** The last durations, in ms. */
export class Durations {
  /** @type {number[]} */
  #values = [];
  #next = 0;

  /** @param {number | null} ms */
  add(ms) {
    if (ms === null) return;
    this.#values[this.#next] = ms;
    this.#next = (this.#next + 1) % KEPT;
  }

  get values() {
    return this.#values;
  }

  clear() {
    this.#values = [];
    this.#next = 0;
  }
}

/**
 * @param {number[]} values
 * @param {number[]} shares e.g. [0.5, 0.95]
 * @returns {number[]} nearest-rank percentiles; NaN where there is no value
 */
export function percentiles(values, shares) {
  const sorted = values.toSorted((a, b) => a - b);
  return shares.map((share) => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN);
}

/**
 * Counts on a logarithmic scale. What lies outside goes into the first or the last bin.
 *
 * @param {number[]} values
 * @param {{from: number, to: number, bins: number}} scale
 * @returns {number[]}
 */
export function logBins(values, { from, to, bins }) {
  const counts = new Array(bins).fill(0);
  const width = Math.log(to / from) / bins;
  for (const value of values) {
    const bin = value <= from ? 0 : Math.floor(Math.log(value / from) / width);
    counts[Math.min(bins - 1, bin)] += 1;
  }
  return counts;
}
