import type { Chance } from '../engine/chance.ts';
import { type Events, RANK } from '../engine/events.ts';
import type { Process } from '../engine/process.ts';

/**
 * How a relay behaves.
 *
 * - `well`: it takes mail; some recipients it refuses for good or puts off, as the relay's habits say.
 * - `refuses`: nobody listens. `greets421`: every session is sent away. `putsOff`: every recipient gets a 450.
 * - `policy`: every recipient gets a 554 5.7.1.
 * - `cutsBefore`, `cutsAfter`: now and then it cuts the line, before or after the final dot.
 * - `silent`: it takes what it is sent and does not answer.
 */
export type RelayMood =
  | 'well'
  | 'refuses'
  | 'greets421'
  | 'putsOff'
  | 'policy'
  | 'cutsBefore'
  | 'cutsAfter'
  | 'silent';

export interface RelayHabits {
  /** From one mail to the next over one connection, ms. */
  readonly serviceMs: number;
  /** One way, ms. */
  readonly latencyMs: number;
  /** Shares of recipients that are refused for good, and put off once. */
  readonly refused: number;
  readonly putOff: number;
  /** Share of mails that a relay which cuts the line cuts. */
  readonly cut: number;
}

/** What a relay does with a mail, decided when its final dot arrives, or would. */
export type Fate =
  | { readonly kind: 'accepted' }
  | { readonly kind: 'refused'; readonly reply: string }
  | { readonly kind: 'cut'; readonly afterDot: boolean; readonly accepted: boolean }
  | { readonly kind: 'silence'; readonly accepted: boolean };

/** An SMTP server that workers send to: it knows what it has accepted, and who has connections. */
export class VirtualRelay {
  readonly host: string;
  readonly habits: RelayHabits;
  readonly events: Events;
  readonly #chance: Chance;
  readonly #onAccepted: (messageId: string, by: Process) => void;
  readonly #connections = new Map<Process, number>();
  readonly #tries = new Map<string, number>();
  mood: RelayMood = 'well';

  constructor(
    host: string,
    habits: RelayHabits,
    events: Events,
    chance: Chance,
    onAccepted: (messageId: string, by: Process) => void,
  ) {
    this.host = host;
    this.habits = habits;
    this.events = events;
    this.#chance = chance;
    this.#onAccepted = onAccepted;
  }

  /** Connections that each living process has. */
  *connections(): Generator<readonly [Process, number]> {
    for (const [process, count] of this.#connections) {
      if (process.isAlive && count > 0) yield [process, count];
      else this.#connections.delete(process);
    }
  }

  connected(process: Process): void {
    this.#connections.set(process, (this.#connections.get(process) ?? 0) + 1);
  }

  disconnected(process: Process): void {
    this.#connections.set(process, (this.#connections.get(process) ?? 1) - 1);
  }

  /** A mail arrives whole. */
  accept(messageId: string, by: Process): void {
    this.#onAccepted(messageId, by);
  }

  /** Time of one way, and of some work, ms. */
  latency(): number {
    return this.habits.latencyMs * this.#chance.between(0.5, 1.5);
  }

  work(): number {
    return this.habits.serviceMs * this.#chance.between(0.5, 1.5);
  }

  /** Lets something happen here, whatever becomes of workers. */
  later(ms: number, run: () => void): void {
    this.events.at(this.events.now + ms, RANK.line, this.host, run);
  }

  fateOf(messageId: string): Fate {
    const { mood, habits } = this;
    if (mood === 'silent') return { kind: 'silence', accepted: this.#chance.hits(0.5) };
    if (mood === 'putsOff') return { kind: 'refused', reply: '450 4.2.0 try again later' };
    if (mood === 'policy') return { kind: 'refused', reply: '554 5.7.1 blocked' };
    if (mood === 'cutsBefore' && this.#chance.hits(habits.cut))
      return { kind: 'cut', afterDot: false, accepted: false };
    if (mood === 'cutsAfter' && this.#chance.hits(habits.cut))
      return { kind: 'cut', afterDot: true, accepted: this.#chance.hits(0.5) };
    const lot = lotOf(messageId);
    if (lot < habits.refused) return { kind: 'refused', reply: '550 5.1.1 no such user' };
    const tries = (this.#tries.get(messageId) ?? 0) + 1;
    this.#tries.set(messageId, tries);
    if (lot < habits.refused + habits.putOff && tries === 1)
      return { kind: 'refused', reply: '451 4.7.0 greylisted' };
    return { kind: 'accepted' };
  }
}

/** The same for the same seq of any batch, from [0, 1). */
function lotOf(messageId: string): number {
  const seq = Number(/\.(\d+)@/.exec(messageId)?.[1] ?? 0);
  return (Math.imul(seq + 1, 0x9e3779b1) >>> 0) / 2 ** 32;
}
