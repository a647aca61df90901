/** When a relay's breaker opens and for how long (DESIGN §5.7). Times in ms. */
export interface BreakerSettings {
  /** Consecutive relay faults that open it. */
  readonly threshold: number;
  /** Time open, times the number of times in a row. */
  readonly openMs: number;
  /** Longest time open. */
  readonly capMs: number;
}

/**
 * What a relay's breaker knows.
 *
 * - `closed`: mail flows. Each relay fault adds to `faults`, each answer that shows the relay alive sets it to 0.
 *   At the threshold it opens.
 * - `open`: no mail until `until`; `times` counts the openings in a row. Then it is half-open.
 * - `half-open`: one probe, `probing` while it is out. Its success closes the breaker, its fault opens it again for longer.
 *   A probe that came back untried leaves it half-open for the next one.
 *
 * Reports of mails that were under way when it opened change nothing: only the probe speaks for an open breaker.
 */
export type BreakerState =
  | { readonly kind: 'closed'; readonly faults: number }
  | { readonly kind: 'open'; readonly until: number; readonly times: number; readonly reason: string }
  | {
      readonly kind: 'half-open';
      readonly times: number;
      readonly probing: boolean;
      readonly reason: string;
    };

export const CLOSED: BreakerState = { kind: 'closed', faults: 0 };

/** A transaction met a relay fault. */
export function afterFault(
  state: BreakerState,
  fault: { readonly probe: boolean; readonly reason: string },
  now: number,
  settings: BreakerSettings,
): BreakerState {
  switch (state.kind) {
    case 'closed': {
      const faults = state.faults + 1;
      return faults < settings.threshold
        ? { kind: 'closed', faults }
        : opened(1, fault.reason, now, settings);
    }
    case 'half-open':
      return fault.probe ? opened(state.times + 1, fault.reason, now, settings) : state;
    case 'open':
      return state;
  }
}

/** A transaction got an answer that shows the relay alive. */
export function afterSuccess(state: BreakerState, success: { readonly probe: boolean }): BreakerState {
  if (state.kind === 'closed') return state.faults === 0 ? state : CLOSED;
  return success.probe ? CLOSED : state;
}

/** Opens it at once: the relay refuses us as such. */
export function opened(times: number, reason: string, now: number, settings: BreakerSettings): BreakerState {
  return { kind: 'open', until: now + Math.min(settings.openMs * times, settings.capMs), times, reason };
}

/** An open breaker whose time has passed becomes half-open. */
export function afterTime(state: BreakerState, now: number): BreakerState {
  if (state.kind !== 'open' || now < state.until) return state;
  return { kind: 'half-open', times: state.times, probing: false, reason: state.reason };
}

/** The probe goes out. */
export function probeSent(state: BreakerState): BreakerState {
  return state.kind === 'half-open' ? { ...state, probing: true } : state;
}

/** The probe came back untried. */
export function probeReturned(state: BreakerState): BreakerState {
  return state.kind === 'half-open' ? { ...state, probing: false } : state;
}
