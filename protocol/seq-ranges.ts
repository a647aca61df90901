/**
 * Sets of recipient numbers (seq) as sorted, disjoint, inclusive ranges `[[0, 499], [510, 510]]`. A task of hundreds of
 * recipients, or the report that all of them are sent, is a handful of numbers this way.
 */
export type SeqRange = readonly [from: number, to: number];
export type SeqRanges = readonly SeqRange[];

/** Number of recipients in the set. */
export function countSeqs(ranges: SeqRanges): number {
  let count = 0;
  for (const [from, to] of ranges) count += to - from + 1;
  return count;
}

/** Every seq of the set, in order. */
export function* eachSeq(ranges: SeqRanges): Generator<number> {
  for (const [from, to] of ranges) for (let seq = from; seq <= to; seq++) yield seq;
}

/** The set of these seqs, in whatever order and however often they come. */
export function rangesOf(seqs: Iterable<number>): SeqRanges {
  const sorted = [...seqs].sort((a, b) => a - b);
  return normaliseRanges(sorted.map((seq) => [seq, seq] as const));
}

/** Sorts, and joins ranges that overlap or touch. */
export function normaliseRanges(ranges: SeqRanges): SeqRanges {
  const sorted = [...ranges].sort((a, b) => a[0] - b[0]);
  const joined: [number, number][] = [];
  for (const [from, to] of sorted) {
    const last = joined.at(-1);
    if (last !== undefined && from <= last[1] + 1) last[1] = Math.max(last[1], to);
    else joined.push([from, to]);
  }
  return joined;
}

export function unionRanges(a: SeqRanges, b: SeqRanges): SeqRanges {
  return normaliseRanges([...a, ...b]);
}

/** What is in both; both sorted and disjoint. */
export function intersectRanges(a: SeqRanges, b: SeqRanges): SeqRanges {
  const both: SeqRange[] = [];
  let i = 0;
  let j = 0;
  for (;;) {
    const left = a[i];
    const right = b[j];
    if (left === undefined || right === undefined) return both;
    const from = Math.max(left[0], right[0]);
    const to = Math.min(left[1], right[1]);
    if (from <= to) both.push([from, to]);
    if (left[1] < right[1]) i++;
    else j++;
  }
}

/** What is in `a` and not in `b`; both sorted and disjoint. */
export function subtractRanges(a: SeqRanges, b: SeqRanges): SeqRanges {
  const left: SeqRange[] = [];
  let j = 0;
  for (const [start, end] of a) {
    let from = start;
    while (j < b.length && (b[j] as SeqRange)[1] < from) j++;
    for (let k = j; from <= end; k++) {
      const cut = b[k];
      if (cut === undefined || cut[0] > end) {
        left.push([from, end]);
        break;
      }
      if (cut[0] > from) left.push([from, cut[0] - 1]);
      from = cut[1] + 1;
    }
  }
  return left;
}

export function hasSeq(ranges: SeqRanges, seq: number): boolean {
  let low = 0;
  let high = ranges.length - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    const [from, to] = ranges[middle] as SeqRange;
    if (seq < from) high = middle - 1;
    else if (seq > to) low = middle + 1;
    else return true;
  }
  return false;
}

/** The first `count` recipients of the set, and the rest. */
export function splitRanges(ranges: SeqRanges, count: number): { first: SeqRanges; rest: SeqRanges } {
  const first: SeqRange[] = [];
  const rest: SeqRange[] = [];
  let left = count;
  for (const [from, to] of ranges) {
    const size = to - from + 1;
    if (left <= 0) rest.push([from, to]);
    else if (size <= left) first.push([from, to]);
    else {
      first.push([from, from + left - 1]);
      rest.push([from + left, to]);
    }
    left -= size;
  }
  return { first, rest };
}
