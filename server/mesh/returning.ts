import type { Saturation } from './saturation.ts';

export type ReturnReason = 'recalled' | 'loan ended' | 'relaxed';

/** A borrowed worker that is connected here and has not been told to go. */
export interface Guest {
  readonly worker: string;
  readonly home: string;
  readonly idle: boolean;
  readonly recalled: boolean;
  /** Monotonic ms. */
  readonly arrivedAt: number;
  /** ms since the epoch. */
  readonly lendUntil: number;
  /** Its home's drain time, seconds; undefined while the home cannot be reached. */
  readonly homeDrainS: number | undefined;
}

export interface ReturnInput {
  readonly wall: number;
  readonly mono: number;
  readonly guests: readonly Guest[];
  readonly saturation: Saturation;
  /** When it became so, monotonic ms. */
  readonly since: number;
  readonly ready: number;
  readonly settleMs: number;
  readonly minLoanMs: number;
}

export interface ReturnDecision {
  readonly worker: string;
  readonly home: string;
  readonly reason: ReturnReason;
}

/**
 * Who goes home now. At once: who was recalled, and whose loan ended. When the server has been relaxed for a while: idle
 * ones whose minimum loan is over and whose home is there to take them; while something is still ready one at a time, the
 * busiest home's first. A worker that is busy finishes first: it is idle a moment later.
 */
export function decideReturns(input: ReturnInput): readonly ReturnDecision[] {
  const decisions: ReturnDecision[] = [];
  const spare: Guest[] = [];
  for (const guest of input.guests) {
    const { worker, home } = guest;
    if (guest.recalled) decisions.push({ worker, home, reason: 'recalled' });
    else if (input.wall >= guest.lendUntil) decisions.push({ worker, home, reason: 'loan ended' });
    else if (isSpare(guest, input)) spare.push(guest);
  }
  if (input.saturation === 'relaxed' && input.mono - input.since >= input.settleMs) {
    spare.sort(byBusiestHome);
    for (const { worker, home } of spare.slice(0, input.ready === 0 ? spare.length : 1)) {
      decisions.push({ worker, home, reason: 'relaxed' });
    }
  }
  return decisions;
}

function isSpare(guest: Guest, input: ReturnInput): boolean {
  return guest.idle && guest.homeDrainS !== undefined && input.mono - guest.arrivedAt >= input.minLoanMs;
}

function byBusiestHome(a: Guest, b: Guest): number {
  const drain = (guest: Guest) => Math.min(guest.homeDrainS ?? 0, Number.MAX_VALUE);
  return drain(b) - drain(a) || a.arrivedAt - b.arrivedAt;
}
