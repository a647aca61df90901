import type { Receipt } from '../town/client-node.ts';
import type { Town } from '../town/town.ts';

/** What must hold; each has a name, by which docs/SIMULATION.md speaks of it. */
export type Invariant =
  /** The states of a batch sum up to its total, and the counters say what the list says. */
  | 'states sum up'
  /** What a client was told is accepted is there, once. */
  | 'nothing lost'
  /** A mail is begun only under a lease that the store has given this worker, and that it has not ended. */
  | 'sent under a lease'
  /** What is recorded as sent, a relay has accepted. */
  | 'sent means accepted'
  /** A recipient that is sent stays so. */
  | 'sent is final'
  /** A mail that relays accepted twice is marked, and a row says why. */
  | 'duplicates explained'
  /** What a relay accepted is not told as failed or cancelled without a mark. */
  | 'acceptance recorded'
  /** When a server is at rest, its memory says what its disk says. */
  | 'memory is the disk'
  /** A relay's limit of connections holds. */
  | 'relay limits'
  /** A server that lends keeps its own. */
  | 'keep home'
  /** Nobody is lent to and fro. */
  | 'no ping-pong'
  /** A worker is in one place, and lent and here make all. */
  | 'loans conserved'
  /** A ticket whose loan has ended admits nobody. */
  | 'tickets end'
  /** When nothing breaks any more, everything comes to its end. */
  | 'liveness';

export class Violation extends Error {
  override readonly name = 'Violation';
  readonly invariant: Invariant;

  constructor(invariant: Invariant, detail: string) {
    super(detail);
    this.invariant = invariant;
  }
}

/** What the checks look at. */
export interface Observed {
  readonly town: Town;
  /** How often relays have accepted each mail, by `batch seq`. */
  readonly accepts: ReadonlyMap<string, number>;
  /** Answers to submissions, by key. */
  readonly receipts: ReadonlyMap<string, Receipt>;
}
