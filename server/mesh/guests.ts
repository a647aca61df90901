import type { Endpoint } from '../../protocol/index.ts';
import type { TicketClaims } from './ticket.ts';

/** A borrowed worker, as its borrower sees it. */
export interface GuestRecord {
  readonly worker: string;
  readonly loan: string;
  readonly home: string;
  readonly homeAddress: Endpoint;
  /** First arrival, monotonic ms. */
  readonly arrivedAt: number;
  /** ms since the epoch. */
  readonly lendUntil: number;
  readonly state: 'here' | 'away' | 'leaving';
  readonly recalled: boolean;
}

/** Ended loans remembered, most. Each is forgotten when its ticket has expired anyway. */
const MAX_ENDED = 10_000;

/**
 * The workers that a borrower has. A guest is
 * - here: connected and at work;
 * - away: its connection was lost; it may come back with the same ticket until lend-until;
 * - leaving: it was told to go home. When it has handed back everything and its connection closes, the loan has ended.
 * A loan that ended stays ended: its ticket admits nobody again.
 */
export class Guests {
  readonly #byWorker = new Map<string, GuestRecord>();
  readonly #ended = new Map<string, number>();

  /** What is remembered of a worker's loan, for `verifyTicket`. */
  loanState(loan: string, worker: string): 'unknown' | 'active' | 'ended' {
    if (this.#ended.has(loan)) return 'ended';
    return this.#byWorker.get(worker)?.loan === loan ? 'active' : 'unknown';
  }

  /** A worker with a good ticket connected. @returns whether it is new, not one that came back. */
  admit(claims: TicketClaims, now: number): boolean {
    const known = this.#byWorker.get(claims.worker);
    if (known?.loan === claims.loan) {
      this.#set({ ...known, state: 'here' });
      return false;
    }
    if (known !== undefined) this.#end(known);
    this.#set({
      worker: claims.worker,
      loan: claims.loan,
      home: claims.home,
      homeAddress: claims.homeAddress,
      arrivedAt: now,
      lendUntil: claims.lendUntil,
      state: 'here',
      recalled: false,
    });
    return true;
  }

  get(worker: string): GuestRecord | undefined {
    return this.#byWorker.get(worker);
  }

  all(): readonly GuestRecord[] {
    return [...this.#byWorker.values()];
  }

  get size(): number {
    return this.#byWorker.size;
  }

  recall(worker: string): void {
    const guest = this.#byWorker.get(worker);
    if (guest !== undefined) this.#set({ ...guest, recalled: true });
  }

  /** It was told to go home. */
  leaving(worker: string): void {
    const guest = this.#byWorker.get(worker);
    if (guest !== undefined) this.#set({ ...guest, state: 'leaving' });
  }

  /**
   * Its connection closed. `holdsTasks`: it still has leases of ours, so it lost the connection rather than left, and may
   * come back with its results. @returns the guest when that ended the loan.
   */
  left(worker: string, holdsTasks: boolean): GuestRecord | undefined {
    const guest = this.#byWorker.get(worker);
    if (guest === undefined) return undefined;
    if (!holdsTasks && (guest.recalled || guest.state === 'leaving')) return this.#end(guest);
    this.#set({ ...guest, state: 'away' });
    return undefined;
  }

  /** Forgets the guests that stayed away until their loan was over, and the ended loans that no ticket can name any more. */
  expire(wall: number): readonly GuestRecord[] {
    const gone: GuestRecord[] = [];
    for (const guest of this.#byWorker.values()) {
      if (guest.state === 'away' && wall >= guest.lendUntil) gone.push(this.#end(guest));
    }
    for (const [loan, until] of this.#ended) if (wall >= until) this.#ended.delete(loan);
    return gone;
  }

  #end(guest: GuestRecord): GuestRecord {
    this.#byWorker.delete(guest.worker);
    const oldest = this.#ended.keys().next();
    if (this.#ended.size >= MAX_ENDED && !oldest.done) this.#ended.delete(oldest.value);
    this.#ended.set(guest.loan, guest.lendUntil);
    return guest;
  }

  #set(guest: GuestRecord): void {
    this.#byWorker.set(guest.worker, guest);
  }
}
