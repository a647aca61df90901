/** Chance that is the same for the same seed (sfc32). Each user takes a branch of its own, so that one more draw here changes nothing there. */
export class Chance {
  #a: number;
  #b: number;
  #c: number;
  #d = 1;

  constructor(seed: number, name = '') {
    let hash = 2166136261 ^ seed;
    for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 16777619);
    this.#a = hash | 0;
    this.#b = Math.imul(seed, 0x9e3779b1) | 0;
    this.#c = ~hash | 0;
    for (let i = 0; i < 12; i++) this.next();
  }

  /** From [0, 1). */
  next(): number {
    const sum = (this.#a + this.#b + this.#d) | 0;
    this.#d = (this.#d + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (this.#c << 21) | (this.#c >>> 11);
    this.#c = (this.#c + sum) | 0;
    return (sum >>> 0) / 4294967296;
  }

  branch(name: string): Chance {
    return new Chance(Math.floor(this.next() * 2 ** 31), name);
  }

  /** True with this probability. */
  hits(probability: number): boolean {
    return this.next() < probability;
  }

  between(min: number, max: number): number {
    return min + this.next() * (max - min);
  }

  /** A whole number, both ends included. */
  whole(min: number, max: number): number {
    return min + Math.floor(this.next() * (max - min + 1));
  }

  /** Between these, and as likely between 1 and 10 as between 10 and 100. */
  spread(min: number, max: number): number {
    return min * (max / min) ** this.next();
  }

  pick<T>(from: readonly T[]): T {
    if (from.length === 0) throw new RangeError('nothing to pick from');
    return from[Math.floor(this.next() * from.length)] as T;
  }

  /** `count` different ones, or all there are. */
  some<T>(from: readonly T[], count: number): T[] {
    const left = [...from];
    const picked: T[] = [];
    while (picked.length < count && left.length > 0)
      picked.push(...left.splice(Math.floor(this.next() * left.length), 1));
    return picked;
  }
}
