/** Whether a server has more work than its workers can do soon. */
export type Saturation = 'relaxed' | 'saturated';

export interface Pressure {
  readonly drainSeconds: number;
  /** Tasks that connected workers could take at once. */
  readonly freeSlots: number;
}

export interface SaturationLimits {
  readonly borrowAboveS: number;
  readonly returnBelowS: number;
}

/**
 * relaxed → saturated: the drain time is above `borrowAboveS` and every slot is busy (a free slot means that another
 * worker would find nothing to do either). saturated → relaxed: the drain time is below `returnBelowS`. Between the two
 * nothing changes: that is the hysteresis, and what keeps a steady load from flapping.
 */
export function nextSaturation(
  current: Saturation,
  pressure: Pressure,
  limits: SaturationLimits,
): Saturation {
  if (current === 'relaxed') {
    return pressure.drainSeconds > limits.borrowAboveS && pressure.freeSlots === 0 ? 'saturated' : 'relaxed';
  }
  return pressure.drainSeconds < limits.returnBelowS ? 'relaxed' : 'saturated';
}
