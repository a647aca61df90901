import type { BatchFigures, BatchRecord } from '../batches/batch.ts';
import type { Lease } from '../dispatch/store.ts';

/** This server, as the others that share the store are to know it. */
export interface Registration {
  /** Its SERVER_UUID. */
  readonly server: string;
  /** Where workers, clients and peers reach it, `ws://host:port`. */
  readonly url: string;
  /** How long the others wait for a sign of life before they adopt its batches, ms. */
  readonly leaseMs: number;
}

/** A server as the store knows it. */
export interface ServerRecord {
  readonly server: string;
  readonly url: string;
  /** Its lease has not run out, by the clock of the store. */
  readonly live: boolean;
}

export interface Renewal {
  /**
   * False: another process took over this server's name in the store. Nothing that this one asks for is done any more
   * (NOT_OWNER); it is to stop.
   */
  readonly known: boolean;
  /** Batches taken up here that others own by now: adopted while this server was not heard of. Each is told once. */
  readonly lost: readonly string[];
}

/** A batch taken over from a server that was not heard of in time. */
export interface Adopted {
  readonly batch: BatchRecord;
  /** Its tasks that are out, at workers of the former owner. */
  readonly leases: readonly Lease[];
  /** SERVER_UUID of the former owner. */
  readonly from: string;
}

/** What changed, as a hint: it may be lost, repeated or late. */
export type StoreChange =
  /** A batch was submitted, or its state or owner changed; not told for every recipient. */
  | { readonly kind: 'batch'; readonly batch: string }
  /** A server came, or left in good order. */
  | { readonly kind: 'servers' }
  /** Another server asked for something (see `requests`). */
  | { readonly kind: 'request' };

/** Something that a server wants done to a batch of another one. */
export interface OwnerRequest {
  readonly id: string;
  readonly batch: string;
  /** What to do; its meaning is for those who ask and answer. JSON. */
  readonly body: unknown;
}

/**
 * Who owns which batch, when several servers share a store. A batch belongs to the server that it was submitted to, until that
 * server's lease runs out and another one adopts it. Every write about a batch is carried out only if the writer owns it,
 * checked in the same transaction; otherwise nothing is changed, and it is refused with StoreError NOT_OWNER.
 * `unfinishedBatches`, `leases`, `promoteDue` and the ledger of loans concern only what this server owns; `getBatch`,
 * `listBatches`, `listRecipients` and `findKey` see everything.
 *
 * Time is told by the clock of the store, never by a server's. A store of one server alone (SQLite) is always the owner's.
 */
export interface OwnerStore {
  /** Other servers may use it too. False: there is nobody to adopt from, to ask or to hear of. */
  readonly isShared: boolean;
  /**
   * To be called once, after `start` and before anything is written. Takes up the name and whatever is still owned under it
   * from an earlier run, which is fenced off from now on. The lease begins.
   * @throws StoreError STORE_IN_USE: a server of this name is running elsewhere
   */
  register(registration: Registration): Promise<void>;
  /** Prolongs the lease; to be called every third of it. Rejects with STORE_UNAVAILABLE when the store cannot be reached. */
  renew(leaseMs: number): Promise<Renewal>;
  /**
   * Takes over at most `limit` unfinished batches of servers whose lease has run out, or that released them. Their workers'
   * late reports go on to count. Cheap when there are none. A server whose own lease has run out gets none.
   */
  adopt(limit: number): Promise<readonly Adopted[]>;
  /**
   * Takes over one finished batch, to act on it, if its owner's lease has run out; unfinished ones are for `adopt`. True: it is
   * owned by this server now, or was before.
   */
  adoptBatch(batch: string): Promise<boolean>;
  /** The owner of a committed batch; undefined: no such batch. */
  ownerOf(batch: string): Promise<ServerRecord | undefined>;
  /** Those of these batches that other servers own, or that are gone. */
  notOwned(batches: readonly string[]): Promise<readonly string[]>;
  /**
   * Calls back when a write was refused with NOT_OWNER, before its caller hears of it, with the batch; undefined: another
   * process took over this server's name. @returns what ends it
   */
  onNotOwner(listener: (batch: string | undefined) => void): () => void;
  /** The figures of a committed batch, whoever owns it, as they are behind every write asked for before. Undefined: no such batch. */
  figures(batch: string): Promise<BatchFigures | undefined>;
  /** Every server that is known, live or not, this one included. */
  servers(): Promise<readonly ServerRecord[]>;
  /** An orderly end: others may adopt at once what is unfinished. To be called before `stop`. */
  release(): Promise<void>;
  /** Calls back for changes that others made, as far as they are heard of. @returns what ends it */
  onChange(listener: (change: StoreChange) => void): () => void;

  /**
   * Has the owner of a batch do something, and gives its answer (JSON). An owner that dies meanwhile leaves the request to the
   * one that adopts the batch. A request that nobody has taken up in time is withdrawn.
   * @throws StoreError STORE_UNAVAILABLE when there was no answer in time; what was asked for may still have been done when
   * the owner had taken it up, so it should be harmless when repeated
   */
  ask(batch: string, body: unknown, withinMs: number): Promise<unknown>;
  /** Unanswered requests about batches of this server, oldest first, each given out once by this store. */
  requests(limit: number): Promise<readonly OwnerRequest[]>;
  /** Answers a request (JSON). Nothing happens when nobody waits for it any more. */
  answer(id: string, body: unknown): Promise<void>;
}
