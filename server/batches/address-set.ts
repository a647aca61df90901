import { randomInt } from 'node:crypto';

/** Share of the slots in use above which the table doubles. */
const MAX_LOAD = 0.6;
const FIRST_CAPACITY = 1 << 12;

/**
 * A set of strings that keeps 64 bits of each: 13 to 27 bytes per entry, whatever the length, and no I/O. The hash is seeded
 * per set, so nobody can make strings collide on purpose; by chance two of ten million do with a probability of 3 in a million.
 */
export class AddressSet {
  readonly #seedA = randomInt(2 ** 32);
  readonly #seedB = randomInt(2 ** 32);
  /** Pairs (a, b), open addressing; (0, 0) is a free slot. */
  #table = new Uint32Array(FIRST_CAPACITY * 2);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Adds it; false when it is there already. */
  add(text: string): boolean {
    let a = this.#seedA;
    let b = this.#seedB;
    for (let i = 0; i < text.length; i++) {
      const unit = text.charCodeAt(i);
      a = Math.imul(a ^ unit, 0x9e3779b1);
      b = Math.imul(b ^ unit, 0x5f356495);
      a = (a << 13) | (a >>> 19);
      b = (b << 17) | (b >>> 15);
    }
    a = finish(a ^ Math.imul(b, 0x85ebca6b));
    b = finish(b ^ Math.imul(a, 0xc2b2ae35));
    if (a === 0 && b === 0) b = 1;
    if (!place(this.#table, a, b)) return false;
    this.#size++;
    if (this.#size > (this.#table.length / 2) * MAX_LOAD) this.#grow();
    return true;
  }

  #grow(): void {
    const old = this.#table;
    const table = new Uint32Array(old.length * 2);
    for (let i = 0; i < old.length; i += 2) {
      const a = old[i] as number;
      const b = old[i + 1] as number;
      if (a !== 0 || b !== 0) place(table, a, b);
    }
    this.#table = table;
  }
}

function finish(hash: number): number {
  let h = hash;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

function place(table: Uint32Array, a: number, b: number): boolean {
  const mask = table.length / 2 - 1;
  for (let slot = a & mask; ; slot = (slot + 1) & mask) {
    const at = slot * 2;
    if (table[at] === 0 && table[at + 1] === 0) {
      table[at] = a;
      table[at + 1] = b;
      return true;
    }
    if (table[at] === a && table[at + 1] === b) return false;
  }
}
