import type { SetTimer } from '../timers.ts';

/** Does something again and again, never twice at once; a hint has it done sooner. new → started → stopped. */
export class Repeater {
  readonly #run: () => Promise<number>;
  readonly #setTimer: SetTimer;
  #cancel: (() => void) | undefined;
  #running: Promise<void> | undefined;
  #isWanted = false;
  #state: 'new' | 'started' | 'stopped' = 'new';

  /** @param run tells in how many ms it is to be done again; it must not reject */
  constructor(run: () => Promise<number>, setTimer: SetTimer) {
    this.#run = run;
    this.#setTimer = setTimer;
  }

  start(): void {
    if (this.#state !== 'new') return;
    this.#state = 'started';
    this.soon();
  }

  /** Resolves when what is under way is done. */
  async stop(): Promise<void> {
    this.#state = 'stopped';
    this.#cancel?.();
    await this.#running;
  }

  /** At once, or else right behind what is under way. */
  soon(): void {
    if (this.#state !== 'started') return;
    this.#isWanted = true;
    this.#cancel?.();
    this.#running ??= this.#turn();
  }

  async #turn(): Promise<void> {
    let waitMs = 0;
    while (this.#isWanted && this.#state === 'started') {
      this.#isWanted = false;
      waitMs = await this.#run();
    }
    this.#running = undefined;
    if (this.#state === 'started') this.#cancel = this.#setTimer(() => this.soon(), waitMs);
  }
}
