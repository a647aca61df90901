import type { Cuttable, Observer } from './tcp-proxy.ts';

const LF = 0x0a;
/** A final dot, and the command of a last chunk (RFC 3030). The mail of a run contains neither. */
const ENDS_OF_MAIL = [Buffer.from('\r\n.\r\n'), Buffer.from(' LAST\r\n')] as const;
const LONGEST = 6;

/** What is shared by the lines to one relay. */
export interface RelayWeather {
  /** Lines that are to be cut after their next final dot. */
  cutsAfterDot: number;
}

/**
 * Follows an SMTP conversation from between its sides, as far as needed to know who speaks (by EHLO) and how many mails are in
 * the window that SMTP leaves open: their end has passed, and the reply has not. Replies are one line each, as those of the sink are.
 */
export class RelayLine implements Observer {
  readonly #line: Cuttable;
  readonly #weather: RelayWeather;
  readonly #ended: (line: RelayLine) => void;
  #tail = Buffer.alloc(0);
  #name = '';
  #open = 0;
  #isDoomed = false;
  #reply = '';
  #awaitsDot = false;

  constructor(line: Cuttable, weather: RelayWeather, ended: (line: RelayLine) => void) {
    this.#line = line;
    this.#weather = weather;
    this.#ended = ended;
  }

  /** What the caller called itself; empty before it has. */
  get name(): string {
    return this.#name;
  }

  /** Mails whose end has passed and whose reply has not: at least, as many as the caller cannot know the fate of. */
  get inFlight(): number {
    return this.#open;
  }

  fromCaller(bytes: Buffer): boolean {
    if (this.#name === '') this.#name = /^EHLO (\S+)/im.exec(bytes.toString('latin1'))?.[1] ?? '';
    const ends = this.#endsIn(bytes);
    this.#open += ends;
    if (ends > 0 && this.#weather.cutsAfterDot > 0 && !this.#isDoomed) {
      this.#weather.cutsAfterDot--;
      this.#isDoomed = true;
    }
    return true;
  }

  fromCalled(bytes: Buffer): boolean {
    if (this.#isDoomed && this.#open > 0) {
      this.#line.cut();
      return false;
    }
    for (const byte of bytes) {
      if (byte !== LF) this.#reply += String.fromCharCode(byte);
      else this.#replied();
    }
    return true;
  }

  ended(): void {
    this.#ended(this);
  }

  /** A mail that came by DATA is answered by what follows its 354, one that came in chunks by words that nothing else is answered by. */
  #replied(): void {
    const isAnswer = this.#awaitsDot || this.#reply.startsWith('250 2.0.0 Message received');
    this.#awaitsDot = this.#reply.startsWith('354');
    this.#reply = '';
    if (isAnswer && this.#open > 0) this.#open--;
  }

  #endsIn(bytes: Buffer): number {
    const text = Buffer.concat([this.#tail, bytes]);
    let count = 0;
    for (const end of ENDS_OF_MAIL) {
      // What lies in the tail as a whole was counted before.
      let at = text.indexOf(end, Math.max(0, this.#tail.length - end.length + 1));
      for (; at !== -1; at = text.indexOf(end, at + end.length)) count++;
    }
    this.#tail = text.subarray(Math.max(0, text.length - LONGEST));
    return count;
  }
}
