import { every, type Surroundings } from '../surroundings.ts';

/** A ping goes out every so often, ms. */
export const PING_EVERY_MS = 5_000;
/** Without a sign of life for this long the line is dead, ms: three pings unanswered. */
export const SILENCE_MS = 15_000;

/** What the detector needs of a line. */
export interface Pingable {
  ping(): void;
  /** The other side is silent: the line is to be cut. */
  dead(silentMs: number): void;
}

export interface LivenessTimes {
  readonly pingEveryMs: number;
  readonly silenceMs: number;
}

/**
 * Notices a half-open line: pings, and cuts the line when nothing at all came for `silenceMs`. A tick that itself comes
 * late says that this process was stopped or busy; what has arrived meanwhile is still unread, so nobody is declared dead.
 */
export class Liveness {
  readonly #line: Pingable;
  readonly #times: LivenessTimes;
  readonly #time: Pick<Surroundings, 'now' | 'setTimer'>;
  readonly #cancelTicks: () => void;
  #heardAt: number;
  #tickedAt: number;

  constructor(line: Pingable, times: LivenessTimes, time: Pick<Surroundings, 'now' | 'setTimer'>) {
    this.#line = line;
    this.#times = times;
    this.#time = time;
    this.#heardAt = time.now();
    this.#tickedAt = this.#heardAt;
    this.#cancelTicks = every(time, times.pingEveryMs, () => this.#tick());
  }

  /** Anything came. */
  heard(): void {
    this.#heardAt = this.#time.now();
  }

  stop(): void {
    this.#cancelTicks();
  }

  #tick(): void {
    const now = this.#time.now();
    const late = now - this.#tickedAt > 2 * this.#times.pingEveryMs;
    this.#tickedAt = now;
    const silentMs = now - this.#heardAt;
    if (silentMs >= this.#times.silenceMs && !late) {
      this.stop();
      this.#line.dead(silentMs);
    } else this.#line.ping();
  }
}
