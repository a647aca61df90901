import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import type { MtaName } from '../../../scripts/mta/recipes.ts';
import { freePort } from '../../support/free-port.ts';
import { until } from '../../support/until.ts';
import { Cage } from './cage.ts';

/** The host that every server says it is, and the domain that it takes mail for. */
export const HOST = 'mta.example.org';
export const DOMAIN = 'example.net';
export const USER = 'alice';
export const PASS = 'correct horse';
/** Every server takes messages up to this size, bytes. */
export const MAX_MESSAGE_BYTES = 2_000_000;

/** Time to deliver what it has, ms; less than a test has, so that it is seen what was waited for. */
const SETTLED_MS = 20_000;
/** Time for its greeting before it is asked again, ms. */
const GREETING_MS = 5_000;

/** What a test wants otherwise. */
export interface Wishes {
  /** Connections that one client may have open. */
  readonly connections?: number;
  /** Messages that are taken over one connection. */
  readonly messages?: number;
  /** Not offered, though it could be. */
  readonly without?: readonly ('CHUNKING' | 'PIPELINING')[];
}

/** How one server is set up and run in a cage. */
export interface Kind {
  readonly name: MtaName;
  readonly extensions: readonly string[];
  /** Which of the limits it knows. */
  readonly limits: readonly (keyof Wishes)[];
  /**
   * Writes what it needs: it takes mail for DOMAIN into maildirs, except for local parts that begin with `no` (550 5.1.1) and
   * `later` (450 4.2.1), and where it can offers STARTTLS with a certificate of its own making, and in TLS AUTH for USER.
   */
  configure(cage: Cage, port: number, wishes: Wishes): void;
  /** Runs it in the foreground. */
  start(cage: Cage): void;
  /** Where it logs to; undefined: it prints its log. */
  readonly log: string | undefined;
  /** How its log tells of a new connection. */
  readonly connected: RegExp;
  /** How its log tells of BDAT. */
  readonly chunked: RegExp;
  readonly mail: string;
  readonly queue: string;
  /** Whether a file in the queue stands for a mail that it has accepted and not delivered yet. */
  isQueued(file: string): boolean;
}

export interface Delivered {
  /** Recipient of the envelope. */
  readonly to: string;
  readonly from: string;
  /** The fields that the server put in front, and the message. */
  readonly content: Buffer;
}

/** A running mail server. */
export class Mta {
  readonly port: number;
  readonly #kind: Kind;
  readonly #cage: Cage;
  #greeted = 0;

  private constructor(kind: Kind, cage: Cage, port: number) {
    this.#kind = kind;
    this.#cage = cage;
    this.port = port;
  }

  /** A server of that kind, running. */
  static async run(kind: Kind, wishes: Wishes = {}): Promise<Mta> {
    const port = await freePort();
    const mta = new Mta(kind, new Cage(kind.name), port);
    try {
      kind.configure(mta.#cage, port, wishes);
      await mta.start();
      return mta;
    } catch (error) {
      await mta.remove();
      throw error;
    }
  }

  /** Starts it, again after `kill()`, with what it has in its queue. */
  async start(): Promise<void> {
    this.#kind.start(this.#cage);
    try {
      await until('it greets', () => isGreeted(this.port), 10_000);
      this.#greeted++;
    } catch (error) {
      throw new Error(`${this.#kind.name} does not start: ${this.log()}`, { cause: error });
    }
  }

  kill(): Promise<unknown> {
    return this.#cage.kill();
  }

  remove(): Promise<void> {
    return this.#cage.remove();
  }

  log(): string {
    return (this.#kind.log === undefined ? '' : this.#cage.read(this.#kind.log)) + this.#cage.output;
  }

  /** Connections so far, but for those of `start()`. */
  connections(): number {
    return (this.log().match(new RegExp(this.#kind.connected, 'g'))?.length ?? 0) - this.#greeted;
  }

  hasTakenChunks(): boolean {
    return this.#kind.chunked.test(this.log());
  }

  /** Everything in its maildirs, but for what breaks off in its header: OpenSMTPD leaves such when it is killed, and delivers anew. */
  delivered(): Delivered[] {
    const files = this.#cage.files(this.#kind.mail).filter((file) => file.includes('/new/'));
    const mails = files.map((file) => {
      const content = readFileSync(file);
      const head = content.toString('latin1');
      return {
        to: /^(?:Delivered-To|Envelope-to): (.*)$/im.exec(head)?.[1] ?? '',
        from: /^Return-Path: <(.*)>$/im.exec(head)?.[1] ?? '',
        content,
      };
    });
    return mails.filter((mail) => mail.to !== '');
  }

  /** Waits until all that it has accepted is delivered, and gives it. */
  async settled(): Promise<Delivered[]> {
    const { queue, isQueued } = this.#kind;
    await until('its queue is empty', () => !this.#cage.files(queue).some(isQueued), SETTLED_MS);
    return this.delivered();
  }
}

async function isGreeted(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    const [greeting] = (await once(socket, 'data', { signal: AbortSignal.timeout(GREETING_MS) })) as [Buffer];
    socket.end('QUIT\r\n');
    await once(socket, 'close');
    return greeting.toString().startsWith('220');
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
