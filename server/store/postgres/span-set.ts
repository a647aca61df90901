import type { SeqRange, SeqRanges } from '../../../protocol/index.ts';

/**
 * The spans of one state of a batch in memory, and how they differ from the rows that are committed. Sorted, disjoint,
 * those that touch are joined.
 */
export class SpanSet {
  readonly #spans: [from: number, to: number][];
  /** The committed `to` of every row (by its `from`) that may be different now; undefined: there was none. */
  readonly #before = new Map<number, number | undefined>();
  #count = 0;

  constructor(spans: SeqRanges) {
    this.#spans = spans.map(([from, to]) => [from, to]);
    for (const [from, to] of spans) this.#count += to - from + 1;
  }

  /** Recipients. */
  get count(): number {
    return this.#count;
  }

  all(): SeqRanges {
    return this.#spans.map(([from, to]) => [from, to]);
  }

  /** Takes out the first recipients, at most `count`. */
  take(count: number): SeqRanges {
    const taken: SeqRange[] = [];
    let left = count;
    while (left > 0) {
      const first = this.#spans[0];
      if (first === undefined) break;
      const [from, end] = first;
      const to = Math.min(end, from + left - 1);
      this.#cutOne(0, from, to);
      taken.push([from, to]);
      left -= to - from + 1;
    }
    return taken;
  }

  /** Puts in recipients that are not there. */
  add(ranges: SeqRanges): void {
    for (const [from, to] of ranges) this.#addOne(from, to);
  }

  /** Takes out whatever of these is there, and tells what that was. */
  cut(ranges: SeqRanges): SeqRanges {
    const found: SeqRange[] = [];
    for (const [from, to] of ranges) {
      let i = this.#firstEndingFrom(from);
      for (;;) {
        const span = this.#spans[i];
        if (span === undefined || span[0] > to) break;
        const cut: SeqRange = [Math.max(from, span[0]), Math.min(to, span[1])];
        i = this.#cutOne(i, cut[0], cut[1]);
        found.push(cut);
      }
    }
    return found;
  }

  /** Rows to delete, and rows to insert or update, since the last commit. */
  changes(): { readonly gone: readonly number[]; readonly set: SeqRanges } {
    const gone: number[] = [];
    const set: SeqRange[] = [];
    for (const [from, before] of this.#before) {
      const span = this.#spans[this.#firstEndingFrom(from)];
      const to = span?.[0] === from ? span[1] : undefined;
      if (to === before) continue;
      if (to === undefined) gone.push(from);
      else set.push([from, to]);
    }
    return { gone, set };
  }

  committed(): void {
    this.#before.clear();
  }

  /** Takes a part out of one span; tells where to look on. */
  #cutOne(i: number, from: number, to: number): number {
    const [start, end] = this.#spans[i] as [number, number];
    const rest: [number, number][] = [];
    if (start < from) rest.push([start, from - 1]);
    if (to < end) rest.push([to + 1, end]);
    this.#remember(start, end);
    if (to < end) this.#remember(to + 1, undefined);
    this.#spans.splice(i, 1, ...rest);
    this.#count -= to - from + 1;
    return start < from ? i + 1 : i;
  }

  #addOne(from: number, to: number): void {
    const i = this.#firstEndingFrom(from - 1);
    const before = this.#spans[i];
    const joinsBefore = before !== undefined && before[1] === from - 1;
    const at = joinsBefore ? i + 1 : i;
    const after = this.#spans[at];
    const joinsAfter = after !== undefined && after[0] === to + 1;
    if (joinsBefore) this.#remember(before[0], before[1]);
    else this.#remember(from, undefined);
    if (joinsAfter) this.#remember(after[0], after[1]);
    const joined: [number, number] = [joinsBefore ? before[0] : from, joinsAfter ? after[1] : to];
    this.#spans.splice(joinsBefore ? i : at, Number(joinsBefore) + Number(joinsAfter), joined);
    this.#count += to - from + 1;
  }

  #remember(from: number, to: number | undefined): void {
    if (!this.#before.has(from)) this.#before.set(from, to);
  }

  /** Index of the first span that ends at `seq` or behind it. */
  #firstEndingFrom(seq: number): number {
    let low = 0;
    let high = this.#spans.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#spans[middle] as [number, number])[1] < seq) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
