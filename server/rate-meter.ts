/** Length of one slot of the window, ms. */
const SLOT_MS = 250;
/** Slots of the window: the rate is that of the last two seconds. */
const SLOTS = 8;

/** Events per second over a short sliding window, in constant memory. */
export class RateMeter {
  readonly #slots = new Array<number>(SLOTS).fill(0);
  #slot = 0;
  #startedSlot: number | undefined;

  /** `count` events happened at `now` (ms, monotonic). */
  add(count: number, now: number): void {
    this.#advance(now);
    this.#startedSlot ??= this.#slot;
    const index = this.#slot % SLOTS;
    this.#slots[index] = (this.#slots[index] as number) + count;
  }

  /** Events per second; undefined until something has happened. */
  rate(now: number): number | undefined {
    this.#advance(now);
    if (this.#startedSlot === undefined) return undefined;
    const sum = this.#slots.reduce((total, count) => total + count, 0);
    const inSlotMs = now - this.#slot * SLOT_MS;
    const wholeSlots = Math.min(this.#slot - this.#startedSlot, SLOTS - 1);
    return (sum * 1000) / Math.max(wholeSlots * SLOT_MS + inSlotMs, SLOT_MS);
  }

  #advance(now: number): void {
    const slot = Math.floor(now / SLOT_MS);
    if (slot <= this.#slot) return;
    for (let passed = Math.max(this.#slot + 1, slot - SLOTS + 1); passed <= slot; passed++)
      this.#slots[passed % SLOTS] = 0;
    this.#slot = slot;
  }
}
