import { randomInt } from 'node:crypto';

/** The set is kept in so many tables, each growing by itself, so that growing never needs all of it twice. A power of two. */
const TABLES = 64;
/** Share of a table's slots in use above which it grows, and by how much. */
const MAX_LOAD = 0.85;
const GROWTH = 1.25;
const FIRST_SLOTS = 64;

/**
 * A set of strings that keeps 64 bits of each: 9 to 12 bytes per entry, whatever the length, and no I/O. The hash is seeded
 * per set, so nobody can make strings collide on purpose; by chance two of ten million do with a probability of 3 in a million.
 */
export class AddressSet {
  readonly #seedA = randomInt(2 ** 32);
  readonly #seedB = randomInt(2 ** 32);
  readonly #tables = Array.from({ length: TABLES }, () => new HashTable());
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
    // (0, 0) marks a free slot
    if (a === 0 && b === 0) b = 1;
    const isNew = (this.#tables[b % TABLES] as HashTable).add(a, b);
    if (isNew) this.#size++;
    return isNew;
  }
}

/** Pairs of 32 bits in open addressing. */
class HashTable {
  #slots = new Uint32Array(FIRST_SLOTS * 2);
  #size = 0;

  add(a: number, b: number): boolean {
    if (!place(this.#slots, a, b)) return false;
    this.#size++;
    if (this.#size > (this.#slots.length / 2) * MAX_LOAD) this.#grow();
    return true;
  }

  #grow(): void {
    const old = this.#slots;
    this.#slots = new Uint32Array(Math.ceil((old.length / 2) * GROWTH) * 2);
    for (let i = 0; i < old.length; i += 2) {
      const a = old[i] as number;
      const b = old[i + 1] as number;
      if (a !== 0 || b !== 0) place(this.#slots, a, b);
    }
    // Frees it now: the collector is in no hurry with what lies outside its heap.
    old.buffer.transfer(0);
  }
}

function finish(hash: number): number {
  let h = hash;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** False: it is there. The first slot follows from `a` alone, so that it is the same share of the way in a table of any size. */
function place(slots: Uint32Array, a: number, b: number): boolean {
  const count = slots.length / 2;
  for (let slot = Math.floor((a / 2 ** 32) * count); ; slot = slot + 1 === count ? 0 : slot + 1) {
    const at = slot * 2;
    if (slots[at] === 0 && slots[at + 1] === 0) {
      slots[at] = a;
      slots[at + 1] = b;
      return true;
    }
    if (slots[at] === a && slots[at + 1] === b) return false;
  }
}
