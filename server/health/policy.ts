/** Something that is not as it should be. */
export type HealthCode =
  | 'STORE_FAILING'
  | 'STORE_STALLED'
  | 'LEASE_RUN_OUT'
  | 'FENCED'
  | 'ADOPTED'
  | 'NO_WORKER'
  | 'EVENT_LOOP_LATE'
  | 'CLOCK_SET'
  | 'IDENTITY_CLAIMED'
  | 'PAUSED_AT_START';

export interface Condition {
  readonly code: HealthCode;
  /** The server takes no batches meanwhile: `/readyz` answers 503. Otherwise it says so and stays ready. */
  readonly isDown: boolean;
  /** For people: what is the matter, and what to do where something can be done. */
  readonly text: string;
}

/** What is looked at. Times in ms. */
export interface HealthFacts {
  /** The store refused the last write. */
  readonly storeFailing: boolean;
  /** How long the slowest commit of the last few seconds took, or one that is under way has taken so far. */
  readonly commitMs: number;
  /** The most that the event loop was late in the last few seconds. */
  readonly loopLateMs: number;
  /** A store that others use: the lease on this server's batches could not be renewed in time. */
  readonly leaseRunOut: boolean;
  /** Batches since the start that others took over, and that this server took over; 0 when it was long ago. */
  readonly fenced: number;
  readonly adopted: number;
  /** How long there has been mail to send and no worker to send it. */
  readonly noWorkerMs: number;
  /** How far the wall clock was set away from the server's; 0: it was not. */
  readonly clockSetBy: number;
  /** Where another server was met that claims to be this one, a short while ago. */
  readonly claimedAt: string | undefined;
  /** Why batches that are still paused were paused when the server started. */
  readonly pausedAtStart: string | undefined;
}

/** A commit takes milliseconds, and on a slow disk that others use some hundreds. */
export const STALLED_MS = 5_000;
/** The longest wait that nobody notices: heartbeats are missed beyond it. */
export const LATE_MS = 1_000;
/** Workers that lost their server are back within this time. */
export const NO_WORKER_MS = 5_000;

/**
 * What is the matter with a server. What keeps it from taking batches makes it not ready. What only keeps mail waiting does not, for
 * whoever stops sending it requests, or starts it anew, would make it worse: there is no worker left because none is there, and a busy event
 * loop does not get less to do by a restart.
 */
export function conditionsOf(facts: HealthFacts): readonly Condition[] {
  const conditions: (Condition | false)[] = [
    facts.storeFailing && {
      code: 'STORE_FAILING',
      isDown: true,
      text: 'the store cannot write: nothing is taken and nothing is sent until it can (the log says why)',
    },
    facts.commitMs >= STALLED_MS && {
      code: 'STORE_STALLED',
      isDown: true,
      text: 'the store is stalled, a commit takes seconds: look at the disk or the database and who else uses it',
    },
    facts.leaseRunOut && {
      code: 'LEASE_RUN_OUT',
      isDown: true,
      text: 'this server cannot renew its lease in the store: it leases no task until it can, and others may take over its batches',
    },
    facts.fenced > 0 && {
      code: 'FENCED',
      isDown: false,
      text: `fenced: this server was not heard of in time and others have taken over batches of it (${facts.fenced} since its start): was it stopped, or cut off from the store?`,
    },
    facts.adopted > 0 && {
      code: 'ADOPTED',
      isDown: false,
      text: `adopted: this server has taken over batches of servers that are gone (${facts.adopted} since its start)`,
    },
    facts.noWorkerMs >= NO_WORKER_MS && {
      code: 'NO_WORKER',
      isDown: false,
      text: 'mail waits and no worker is connected: start one with "mutirao worker"',
    },
    facts.loopLateMs >= LATE_MS && {
      code: 'EVENT_LOOP_LATE',
      isDown: false,
      text: 'the event loop is late: the machine is overloaded, or the process was stopped for a while',
    },
    facts.clockSetBy !== 0 && {
      code: 'CLOCK_SET',
      isDown: false,
      text: `the wall clock was set ${facts.clockSetBy > 0 ? 'forward' : 'back'}: retries go on by the server's own clock, which comes near it slowly`,
    },
    facts.claimedAt !== undefined && {
      code: 'IDENTITY_CLAIMED',
      isDown: false,
      text: `another server claims to be this one (${facts.claimedAt}): was the data folder copied? This one was first and goes on`,
    },
    facts.pausedAtStart !== undefined && {
      code: 'PAUSED_AT_START',
      isDown: false,
      text: facts.pausedAtStart,
    },
  ];
  return conditions.filter((condition) => condition !== false);
}
