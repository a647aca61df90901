/** How far ahead of its pace a sink that refuses may be: lets clients send small bursts. Milliseconds. */
const BURST_MS = 100;

/**
 * Spreads accepted messages evenly over time (the generic cell rate algorithm). Pure but for the one number it
 * keeps: the time at which the next message is due. Times in milliseconds, `rate` in messages per second.
 */
export class Pace {
  readonly #intervalMs: number;
  #nextMs = Number.NEGATIVE_INFINITY;

  constructor(rate: number) {
    this.#intervalMs = 1000 / rate;
  }

  /** Takes the next place in line and tells how long it is until then: the way of a sink that slows down. */
  reserve(nowMs: number): number {
    const at = Math.max(this.#nextMs, nowMs);
    this.#nextMs = at + this.#intervalMs;
    return at - nowMs;
  }

  /** Takes a place if one is free now: the way of a sink that refuses. */
  tryTake(nowMs: number): boolean {
    if (this.#nextMs - nowMs > BURST_MS) return false;
    this.#nextMs = Math.max(this.#nextMs, nowMs) + this.#intervalMs;
    return true;
  }
}

/** A small seeded generator (mulberry32): the same seed refuses the same recipients in the same order. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
