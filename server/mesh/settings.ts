import type { Endpoint } from '../../protocol/index.ts';

/** How a server behaves among its peers. Times in the unit of their name. */
export interface MeshSettings {
  /** Peers given by the operator: dialled for as long as the server runs. */
  readonly peers: readonly Endpoint[];
  readonly heartbeatMs: number;
  /** Silence after which a peer is suspect, and after which it is dead. */
  readonly suspectAfterMs: number;
  readonly deadAfterMs: number;
  /** Drain time above which a server is saturated and asks its peers, seconds. */
  readonly borrowAboveS: number;
  /** Drain time below which it is relaxed and gives borrowed workers back, seconds. */
  readonly returnBelowS: number;
  /** Drain time that a borrower wants to come down to, seconds. */
  readonly targetDrainS: number;
  /** Own workers that never go on loan. */
  readonly keepHome: number;
  /** Borrowed workers at most, those on their way included. */
  readonly maxBorrowed: number;
  /** A loan is neither recalled nor, for lack of work, given back before this. */
  readonly minLoanMs: number;
  /** Longest loan. */
  readonly lendMs: number;
  /** Time that a redirected worker has to appear at the borrower. */
  readonly connectWithinMs: number;
  /** Time that a worker has to come home after its loan ended, before it counts as lost. */
  readonly loanGraceMs: number;
  /** A worker that its borrower does not mention for so long, and that is not home, counts as lost. */
  readonly absentMs: number;
  /** After its last borrowed worker left, a server lends nothing for this long. */
  readonly coolDownMs: number;
  /** A server must have been relaxed for this long before it gives workers back. */
  readonly settleMs: number;
  /** A worker that came home is not lent to the same borrower again for this long. */
  readonly restMs: number;
}

/** Defaults for a heartbeat of the given length: two missed heartbeats make a peer suspect, five dead. */
export function meshDefaults(heartbeatMs = 2_000): MeshSettings {
  return {
    peers: [],
    heartbeatMs,
    suspectAfterMs: 2.5 * heartbeatMs,
    deadAfterMs: 5.5 * heartbeatMs,
    borrowAboveS: 5,
    returnBelowS: 1,
    targetDrainS: 5,
    keepHome: 1,
    maxBorrowed: 64,
    minLoanMs: 3_000,
    lendMs: 120_000,
    connectWithinMs: 10_000,
    loanGraceMs: 30_000,
    absentMs: 20_000,
    coolDownMs: 5_000,
    settleMs: 1_000,
    restMs: 2_000,
  };
}
