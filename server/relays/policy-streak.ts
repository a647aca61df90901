/** A recipient that a relay refused for reasons of policy. */
export interface Refused {
  readonly batch: string;
  readonly seq: number;
}

/**
 * Policy refusals in a row, with no success between (DESIGN §5.6). One refused address is that address's affair; `threshold` of
 * them in a row say that the relay refuses us. Pure: returns the streak after the event, and who is to be put back.
 */
export interface PolicyStreak {
  readonly refused: readonly Refused[];
}

export const NO_STREAK: PolicyStreak = { refused: [] };

export function afterRefusals(
  streak: PolicyStreak,
  refused: readonly Refused[],
  threshold: number,
): { readonly streak: PolicyStreak; readonly putBack: readonly Refused[] } {
  const all = [...streak.refused, ...refused];
  return all.length < threshold
    ? { streak: { refused: all }, putBack: [] }
    : { streak: NO_STREAK, putBack: all };
}
