import type { Chance } from './chance.ts';

/** Within one moment: what was asked for `soon`, then timers, then what comes over lines. */
export const RANK = { soon: 0, timer: 1, line: 2 } as const;
export type Rank = (typeof RANK)[keyof typeof RANK];

interface Event {
  readonly at: number;
  readonly rank: Rank;
  readonly tie: number;
  readonly order: number;
  readonly label: string;
  /** Cleared when it is cancelled. */
  run: (() => void) | undefined;
}

/** A cancelled event stays in the heap; when more than this and more than half of it are such, it is made anew. */
const SWEEP_ABOVE = 1_024;

/**
 * What will happen, by time; within one moment by rank; and within a rank by the lot, except that what is asked for `soon` keeps its order.
 * Time stands still while an event runs. Everything that events cause by promises has happened before the next one.
 */
export class Events {
  readonly #chance: Chance;
  #heap: Event[] = [];
  #cancelled = 0;
  #order = 0;
  #now = 0;
  #steps = 0;
  #hash = 0;

  constructor(chance: Chance) {
    this.#chance = chance;
  }

  /** Virtual ms since the beginning. */
  get now(): number {
    return this.#now;
  }

  /** Events that have happened. */
  get steps(): number {
    return this.#steps;
  }

  /** Of all events so far: the same for the same story. */
  get trace(): string {
    return (this.#hash >>> 0).toString(16).padStart(8, '0');
  }

  /** `inOrder`: among those of its rank it keeps its place instead of drawing one. @returns what cancels it */
  at(at: number, rank: Rank, label: string, run: () => void, inOrder = rank === RANK.soon): () => void {
    const tie = inOrder ? 0 : this.#chance.next();
    const event: Event = { at: Math.max(at, this.#now), rank, tie, order: this.#order++, label, run };
    push(this.#heap, event);
    return () => {
      if (event.run === undefined) return;
      event.run = undefined;
      this.#cancelled++;
      if (this.#cancelled > SWEEP_ABOVE && this.#cancelled * 2 > this.#heap.length) this.#sweep();
    };
  }

  /** Lets the next event happen; false when there is none. */
  step(): boolean {
    for (let event = pop(this.#heap); event !== undefined; event = pop(this.#heap)) {
      const { run } = event;
      if (run === undefined) {
        this.#cancelled--;
        continue;
      }
      this.#now = event.at;
      this.#steps++;
      this.#remember(event);
      event.run = undefined;
      run();
      return true;
    }
    return false;
  }

  #remember({ at, label }: Event): void {
    let hash = this.#hash ^ Math.floor(at * 1_000);
    for (let i = 0; i < label.length; i++) hash = Math.imul(hash ^ label.charCodeAt(i), 16777619);
    this.#hash = Math.imul(hash, 0x85ebca6b) ^ (hash >>> 15);
  }

  #sweep(): void {
    const live = this.#heap.filter((event) => event.run !== undefined);
    this.#heap = [];
    this.#cancelled = 0;
    for (const event of live) push(this.#heap, event);
  }
}

/** Resolves when everything that is due by promises has happened. */
export function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function isBefore(a: Event, b: Event): boolean {
  if (a.at !== b.at) return a.at < b.at;
  if (a.rank !== b.rank) return a.rank < b.rank;
  if (a.tie !== b.tie) return a.tie < b.tie;
  return a.order < b.order;
}

function push(heap: Event[], event: Event): void {
  let i = heap.length;
  heap.push(event);
  while (i > 0) {
    const parent = (i - 1) >> 1;
    const above = heap[parent] as Event;
    if (!isBefore(event, above)) break;
    heap[i] = above;
    i = parent;
  }
  heap[i] = event;
}

function pop(heap: Event[]): Event | undefined {
  const first = heap[0];
  const last = heap.pop();
  if (first === undefined || last === undefined || heap.length === 0) return first;
  let i = 0;
  for (;;) {
    let child = 2 * i + 1;
    if (child >= heap.length) break;
    const right = heap[child + 1];
    if (right !== undefined && isBefore(right, heap[child] as Event)) child++;
    const below = heap[child] as Event;
    if (!isBefore(below, last)) break;
    heap[i] = below;
    i = child;
  }
  heap[i] = last;
  return first;
}
