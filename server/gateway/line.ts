import type { WebSocket } from 'ws';
import { every, type SetTimer } from '../timers.ts';

/** Bytes that may wait for a slow reader before its connection is cut: more than the largest task. */
const MAX_BUFFERED_BYTES = 128 * 1024 * 1024;
/** Silence after which a connection is asked for a sign of life, and after the same time again cut; ms. */
const PING_EVERY_MS = 10_000;
/** Longest reason of a close frame, bytes (RFC 6455 §5.5). */
const MAX_REASON_BYTES = 123;

/** An open WebSocket: sends messages, notices when the other end is gone without a word. */
export class Line {
  readonly #socket: WebSocket;
  #alive = true;

  constructor(socket: WebSocket, setTimer: SetTimer) {
    this.#socket = socket;
    socket.on('pong', () => {
      this.#alive = true;
    });
    const cancelPings = every(setTimer, PING_EVERY_MS, () => this.#ping());
    socket.once('close', cancelPings);
  }

  send(message: object): void {
    this.sendText(JSON.stringify(message));
  }

  sendText(text: string): void {
    if (this.#socket.readyState !== this.#socket.OPEN) return;
    if (this.#socket.bufferedAmount > MAX_BUFFERED_BYTES) this.#socket.terminate();
    else this.#socket.send(text);
  }

  close(code: number, reason: string): void {
    this.#socket.close(code, Buffer.from(reason).subarray(0, MAX_REASON_BYTES).toString());
  }

  /** Anything heard counts as a sign of life. */
  heard(): void {
    this.#alive = true;
  }

  #ping(): void {
    if (!this.#alive) {
      this.#socket.terminate();
      return;
    }
    this.#alive = false;
    if (this.#socket.readyState === this.#socket.OPEN) this.#socket.ping();
  }
}
