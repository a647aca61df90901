import type { Socket } from 'node:net';

/** What the weather on a line is like. */
export interface Weather {
  /** Every byte comes so much later, ms. */
  readonly delayMs: number;
  /** Nothing passes. */
  readonly isStalled: boolean;
}

/** What may wait in one direction of one line, bytes; beyond, its sender is not read from. */
const MAX_HELD_BYTES = 256 * 1024;

/** Looks at what passes; false: it does not. */
export type Watch = (bytes: Buffer) => boolean;

/** One direction of a line: takes bytes from one socket and brings them, in order and in their time, to the other. */
export class Lane {
  readonly #from: Socket;
  readonly #to: Socket;
  readonly #weather: () => Weather;
  readonly #watch: Watch;
  /** `bytes` undefined: the end. */
  readonly #held: { readonly dueAt: number; readonly bytes: Buffer | undefined }[] = [];
  #heldBytes = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(from: Socket, to: Socket, weather: () => Weather, watch: Watch) {
    this.#from = from;
    this.#to = to;
    this.#weather = weather;
    this.#watch = watch;
    from.on('data', (bytes: Buffer) => this.#hold(bytes));
    from.on('end', () => this.#hold(undefined));
    to.on('drain', () => this.move());
  }

  /** The weather changed, or time has passed: lets pass what may. */
  move(): void {
    clearTimeout(this.#timer);
    const { isStalled } = this.#weather();
    const now = performance.now();
    while (!isStalled && !this.#to.writableNeedDrain) {
      const next = this.#held[0];
      if (next === undefined) break;
      if (next.dueAt > now) {
        this.#timer = setTimeout(() => this.move(), next.dueAt - now);
        break;
      }
      this.#held.shift();
      this.#heldBytes -= next.bytes?.length ?? 0;
      if (next.bytes === undefined) this.#to.end();
      else if (this.#watch(next.bytes) && !this.#to.writableEnded) this.#to.write(next.bytes);
    }
    if (this.#heldBytes >= MAX_HELD_BYTES) this.#from.pause();
    else if (this.#from.isPaused()) this.#from.resume();
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #hold(bytes: Buffer | undefined): void {
    this.#held.push({ dueAt: performance.now() + this.#weather().delayMs, bytes });
    this.#heldBytes += bytes?.length ?? 0;
    this.move();
  }
}
