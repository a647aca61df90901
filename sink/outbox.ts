import type { Step } from './contract.ts';

/** Chunks whose answers may wait at once on one connection, before it is read no further. */
const MAX_WAITING_STEPS = 4_096;

interface Waiting {
  readonly dueMs: number;
  readonly step: Exclude<Step, { do: 'wait' }>;
}

/**
 * Carries a session's steps out in order, each when it is due: the latency after the chunk that caused it arrived,
 * and not before any step ahead of it. Delays of different chunks overlap, as round trips do; a `wait` holds up
 * everything behind it.
 */
export class Outbox {
  readonly #latencyMs: number;
  readonly #carryOut: (step: Waiting['step']) => void;
  #queue: Waiting[] = [];
  #next = 0;
  #heldUntilMs = 0;
  #waits = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(latencyMs: number, carryOut: (step: Waiting['step']) => void) {
    this.#latencyMs = latencyMs;
    this.#carryOut = carryOut;
  }

  /** Whether the connection should be read no further: somebody is being made to wait, or too much is due. */
  get full(): boolean {
    return this.#waits > 0 || this.#queue.length - this.#next >= MAX_WAITING_STEPS;
  }

  push(steps: readonly Step[]): void {
    if (steps.length === 0) return;
    const nowMs = performance.now();
    let dueMs = Math.max(nowMs + this.#latencyMs, this.#heldUntilMs);
    for (const step of steps) {
      if (step.do === 'wait') {
        dueMs += step.ms;
        this.#waits += 1;
      } else if (dueMs <= nowMs && this.#next === this.#queue.length) {
        this.#carryOut(step);
      } else {
        this.#queue.push({ dueMs, step });
      }
    }
    this.#heldUntilMs = dueMs;
    this.#arm(nowMs);
  }

  /** Forgets everything that is not due yet. */
  clear(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#queue = [];
    this.#next = 0;
    this.#waits = 0;
  }

  #arm(nowMs: number): void {
    const head = this.#queue[this.#next];
    if (head === undefined || this.#timer !== undefined) return;
    this.#timer = setTimeout(() => this.#deliver(), Math.max(0, head.dueMs - nowMs));
  }

  #deliver(): void {
    this.#timer = undefined;
    const nowMs = performance.now();
    let head = this.#queue[this.#next];
    // Timers keep whole milliseconds: what is due within one is due.
    while (head !== undefined && head.dueMs <= nowMs + 0.5) {
      this.#next += 1;
      this.#carryOut(head.step);
      head = this.#queue[this.#next];
    }
    if (head === undefined) {
      this.#queue = [];
      this.#next = 0;
      this.#waits = 0;
    } else if (this.#next > MAX_WAITING_STEPS) {
      this.#queue = this.#queue.slice(this.#next);
      this.#next = 0;
    }
    this.#arm(nowMs);
  }
}
