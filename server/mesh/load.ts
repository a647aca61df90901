import type { Load } from '../../protocol/index.ts';

/**
 * The figures that dispatch knows of its own work. Only work that a further worker would speed up is `ready`: what
 * waits for a rate limit, an open breaker or a retry time is not.
 */
export interface PoolFigures {
  readonly ready: number;
  /** Recipients leased to workers. */
  readonly sending: number;
  /** Workers connected, borrowed ones included. */
  readonly workers: number;
  /** Tasks that connected workers could take at once. */
  readonly freeSlots: number;
  /** Recipients settled per second over the last few seconds; 0 when none was. */
  readonly rate: number;
}

/**
 * What one worker is assumed to do before anything was measured, recipients per second. Low for a relay nearby, high for
 * one far away: it lets 20,000 recipients call for help at once and 500 not.
 */
export const ASSUMED_WORKER_RATE = 200;

/**
 * Time from an idle server's first work until its measured rate is believed even where it is lower than the assumed one,
 * ms. The first results of a first task make any average look slow.
 */
export const WARM_UP_MS = 2_000;

/** Recipients per second that the connected workers do, or are assumed to do. `busyForMs`: how long there has been work. */
export function believedRate(figures: PoolFigures, busyForMs: number): number {
  if (figures.rate > 0 && busyForMs >= WARM_UP_MS) return figures.rate;
  return Math.max(figures.rate, figures.workers * ASSUMED_WORKER_RATE);
}

/** Seconds until nothing is ready; Infinity when there is work and nobody to do it. */
export function drainSeconds(figures: PoolFigures, busyForMs: number): number {
  if (figures.ready === 0) return 0;
  if (figures.workers === 0) return Number.POSITIVE_INFINITY;
  return figures.ready / believedRate(figures, busyForMs);
}

export interface LoanFigures {
  /** Own workers at home with nothing to do. */
  readonly idle: number;
  readonly lent: number;
  readonly borrowed: number;
}

/** LOAD as heartbeats carry it: an infinite drain time is null there. */
export function loadOf(figures: PoolFigures, loans: LoanFigures, drain: number): Load {
  return {
    READY: figures.ready,
    SENDING: figures.sending,
    WORKERS: figures.workers,
    IDLE: loans.idle,
    LENT: loans.lent,
    BORROWED: loans.borrowed,
    RATE: Math.round(figures.rate * 10) / 10,
    DRAIN_S: Number.isFinite(drain) ? Math.round(drain * 100) / 100 : null,
  };
}

/** The drain time that a LOAD tells, seconds. */
export function drainOf(load: Load): number {
  if (load.READY === 0) return 0;
  return load.DRAIN_S ?? Number.POSITIVE_INFINITY;
}
