/** A figure over several rounds. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** @throws RangeError without values: nothing was measured */
export function spreadOf(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const high = sorted[middle];
  const min = sorted[0];
  const max = sorted.at(-1);
  if (high === undefined || min === undefined || max === undefined)
    throw new RangeError('no round was measured');
  const low = sorted.length % 2 === 0 ? (sorted[middle - 1] ?? high) : high;
  return { median: (low + high) / 2, min, max };
}

/** Round by round, so that what disturbs a whole round disturbs both sides of its ratio. */
export function ratiosOf(values: readonly number[], base: readonly number[]): number[] {
  return values.flatMap((value, round) => {
    const other = base[round];
    return other === undefined ? [] : [value / other];
  });
}

/** The least value that `share` (0 to 1) of all values do not exceed. @throws RangeError without values */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const value = sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];
  if (value === undefined) throw new RangeError('nothing was measured');
  return value;
}

/** All three figures rounded to so many decimals. */
export function rounded({ median, min, max }: Spread, decimals: number): Spread {
  const round = (value: number): number => Number(value.toFixed(decimals));
  return { median: round(median), min: round(min), max: round(max) };
}
