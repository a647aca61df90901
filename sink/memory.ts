import type { BehaviourMemory } from './behaviour.ts';

/** Addresses remembered for `once` and greylisting. 100 bytes each: at most some 100 MB. The oldest are forgotten. */
const MAX_REMEMBERED_ADDRESSES = 1_000_000;

/** Remembers how often each address was misbehaved to, over all connections of a sink. */
export class MisbehaviourMemory implements BehaviourMemory {
  readonly greylistTimes: number;
  readonly #times = new Map<string, number>();

  constructor(greylistTimes: number) {
    this.greylistTimes = greylistTimes;
  }

  timesMisbehaved(address: string): number {
    return this.#times.get(address) ?? 0;
  }

  note(address: string): void {
    this.#times.set(address, this.timesMisbehaved(address) + 1);
    if (this.#times.size <= MAX_REMEMBERED_ADDRESSES) return;
    for (const oldest of this.#times.keys()) {
      this.#times.delete(oldest);
      break;
    }
  }
}
