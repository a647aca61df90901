import type { Socket } from 'node:net';
import { type SecureContext, TLSSocket } from 'node:tls';
import type { Step } from './contract.ts';
import { Outbox } from './outbox.ts';
import type { Session } from './session.ts';

/** RFC 5321 §4.5.3.2.7: a server waits at least 5 minutes for the next command. */
const IDLE_MS = 5 * 60_000;
/** How long a peer may take to close its half after we closed ours. */
const LINGER_MS = 1_000;

export interface ConnectionOptions {
  readonly latencyMs: number;
  readonly secureContext: SecureContext | undefined;
  readonly closed: () => void;
}

/** Ties one session to its socket: reads, carries the steps out, upgrades to TLS, closes. */
export class Connection {
  readonly #session: Session;
  readonly #options: ConnectionOptions;
  readonly #outbox: Outbox;
  #socket: Socket;
  #paused = false;
  #closed = false;
  #linger: NodeJS.Timeout | undefined;

  constructor(socket: Socket, session: Session, options: ConnectionOptions) {
    this.#socket = socket;
    this.#session = session;
    this.#options = options;
    this.#outbox = new Outbox(options.latencyMs, (step) => this.#carryOut(step));
    this.#listen(socket);
    socket.setTimeout(IDLE_MS, () => this.#dismiss());
    this.#push(session.greet());
  }

  /** Ends the connection at once. */
  destroy(): void {
    this.#socket.destroy();
    this.#close();
  }

  #dismiss(): void {
    this.#push(this.#session.dismiss('421 4.4.2 Idle for too long\r\n'));
    this.#linger ??= setTimeout(() => this.#socket.destroy(), LINGER_MS);
  }

  #listen(socket: Socket): void {
    socket.on('data', (chunk: Buffer) => this.#push(this.#session.feed(chunk)));
    socket.on('drain', () => this.#flow());
    // A peer that resets or garbles the connection is only gone: 'close' follows and says so.
    socket.on('error', () => {});
    socket.on('close', () => this.#close());
  }

  #push(steps: readonly Step[]): void {
    this.#outbox.push(steps);
    if (this.#outbox.full || this.#socket.writableNeedDrain) this.#flow();
  }

  /** Reads on, or not: a peer that is made to wait, or reads no replies, is not read from. */
  #flow(): void {
    const pause = this.#outbox.full || this.#socket.writableNeedDrain;
    if (pause === this.#paused) return;
    this.#paused = pause;
    if (pause) this.#socket.pause();
    else this.#socket.resume();
  }

  #carryOut(step: Exclude<Step, { do: 'wait' }>): void {
    if (this.#closed) return;
    switch (step.do) {
      case 'reply':
        this.#socket.write(step.text, 'latin1');
        break;
      case 'end':
        this.#socket.end();
        this.#linger ??= setTimeout(() => this.#socket.destroy(), LINGER_MS);
        break;
      case 'drop':
        this.#socket.destroySoon();
        break;
      case 'tls':
        this.#upgrade();
        break;
      default:
        step satisfies never;
    }
    if (this.#paused) queueMicrotask(() => this.#flow());
  }

  #upgrade(): void {
    const plain = this.#socket;
    const { secureContext } = this.#options;
    if (secureContext === undefined) {
      this.destroy();
      return;
    }
    plain.removeAllListeners('data');
    plain.removeAllListeners('drain');
    const secure = new TLSSocket(plain, { isServer: true, secureContext });
    this.#socket = secure;
    this.#listen(secure);
    this.#session.secured();
  }

  #close(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#linger);
    this.#outbox.clear();
    this.#options.closed();
  }
}
