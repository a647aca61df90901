import type { Chance } from './chance.ts';
import { type Events, RANK, type Rank } from './events.ts';

/** A timer comes at most this much late, ms. */
const TIMER_LATE_MS = 2;

/**
 * One run of a program: its timers, and what reaches it. Nothing happens in it any more once it has ended, and nothing while it
 * is frozen: then all of it happens at the thaw, timers first, as in a process that gets SIGCONT.
 */
export class Process {
  readonly name: string;
  /** The machine it runs on. */
  readonly host: string;
  readonly #events: Events;
  readonly #chance: Chance;
  readonly #startedAt: number;
  #frozenUntil = 0;
  #isAlive = true;

  constructor(name: string, host: string, events: Events, chance: Chance) {
    this.name = name;
    this.host = host;
    this.#events = events;
    this.#chance = chance;
    this.#startedAt = events.now;
  }

  get isAlive(): boolean {
    return this.#isAlive;
  }

  /** ms since this process began. */
  readonly monotonic = (): number => this.#events.now - this.#startedAt;

  readonly random = (): number => this.#chance.next();

  readonly setTimer = (callback: () => void, ms: number): (() => void) => {
    const wait = Math.max(1, ms) + this.#chance.next() * TIMER_LATE_MS;
    return this.#happen(this.#events.now + wait, RANK.timer, `t ${this.name}`, callback);
  };

  readonly soon = (callback: () => void): void => {
    this.#happen(this.#events.now, RANK.soon, `s ${this.name}`, callback);
  };

  /** Lets something happen to this process at a time, if it is still alive then. */
  at(at: number, rank: Rank, label: string, run: () => void): void {
    this.#happen(at, rank, label, run);
  }

  /** Something comes to this process from outside, now. */
  receive(label: string, run: () => void): void {
    if (!this.#isAlive) return;
    if (this.#isFrozen) this.#happen(this.#frozenUntil, RANK.line, label, run, true);
    else run();
  }

  #happen(at: number, rank: Rank, label: string, run: () => void, inOrder?: boolean): () => void {
    let isCancelled = false;
    const cancel = this.#events.at(
      at,
      rank,
      label,
      () => {
        if (isCancelled || !this.#isAlive) return;
        if (this.#isFrozen) cancelLater = this.#happen(this.#frozenUntil, rank, label, run, true);
        else run();
      },
      inOrder,
    );
    let cancelLater = cancel;
    return () => {
      isCancelled = true;
      cancelLater();
    };
  }

  get #isFrozen(): boolean {
    return this.#events.now < this.#frozenUntil;
  }

  freeze(ms: number): void {
    this.#frozenUntil = Math.max(this.#frozenUntil, this.#events.now + ms);
  }

  end(): void {
    this.#isAlive = false;
  }
}
