/** A server that was good and cannot be reached for this long is left for the next one, ms. */
export const PATIENCE_MS = 10_000;

/** A loan, as the REDIRECT of the home server said it. */
export interface Loan {
  /** The borrower first, then the FAILOVER_LIST. */
  readonly urls: readonly string[];
  readonly ticket: string;
  /** SERVER_UUID of the home server, shown to the borrower. */
  readonly homeUuid?: string;
  /** By the worker's monotonic clock, ms; Infinity: no end was named. */
  readonly endsAt: number;
  /** Which of the worker's own servers lent it. */
  readonly lender: number;
}

/** Where the worker is or wants to be. `index` counts in its own servers, or in the URLs of the loan. */
export type Place =
  | { readonly kind: 'home'; readonly index: number }
  | { readonly kind: 'away'; readonly index: number; readonly loan: Loan };

export interface Failure {
  /** The server does not want this worker, as opposed to being unreachable. */
  readonly refused: boolean;
  /** Since when the worker tries in vain at this place, or has lost it; same clock as `now`. */
  readonly since: number;
  /** It was connected there during this stay. */
  readonly wasThere: boolean;
  readonly now: number;
}

/**
 * Where to connect next when a link ended or could not be made.
 *
 * At home: the same server for PATIENCE_MS if it was good (it may be restarting, and the leases are there), then the next of
 * the worker's own servers and those that share the store of home, round and round; one that was never reached or refuses is left at once.
 * Away: refused, or the loan is over → home at once. Otherwise the borrower for PATIENCE_MS, then each of the
 * FAILOVER_LIST once, then home.
 */
export function afterFailure(
  place: Place,
  failure: Failure,
  servers: number,
  patienceMs = PATIENCE_MS,
): Place {
  const patient = !failure.refused && failure.now - failure.since < patienceMs;
  if (place.kind === 'home') {
    if (patient && failure.wasThere) return place;
    return { kind: 'home', index: (place.index + 1) % servers };
  }
  const { loan, index } = place;
  if (failure.refused || failure.now >= loan.endsAt) return homeOf(loan);
  if (patient && (index === 0 || failure.wasThere)) return place;
  return index + 1 < loan.urls.length ? { kind: 'away', index: index + 1, loan } : homeOf(loan);
}

/** The server that lent the worker: there it goes when the loan is over. */
export function homeOf(loan: Loan): Place {
  return { kind: 'home', index: loan.lender };
}

/** One spelling per server, so that results find the server that gave the task. */
export function canonicalUrl(url: string): string {
  return new URL(url).href.replace(/\/+$/, '');
}
