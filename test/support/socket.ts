import { once } from 'node:events';
import { onTestFinished } from 'vitest';
import { type ClientOptions, WebSocket } from 'ws';
import { until } from './until.ts';

/** A frame as a test looks at it. */
export type Frame = Record<string, unknown> & {
  readonly ERROR?: { CODE: string; MESSAGE: string; FIELD?: string };
};

const DEADLINE_MS = 10_000;

/** A WebSocket that speaks JSON, for tests that script the other end of a server. */
export class JsonSocket {
  /** Every frame in the order it came. */
  readonly heard: Frame[] = [];
  readonly #socket: WebSocket;
  readonly #closed: Promise<{ readonly code: number; readonly reason: string }>;
  /** Frames before this one were given out by `next`. */
  #read = 0;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on('message', (data) => this.heard.push(JSON.parse(String(data)) as Frame));
    socket.on('error', () => {});
    this.#closed = new Promise((resolve) => {
      socket.once('close', (code, reason) => resolve({ code, reason: String(reason) }));
    });
  }

  /** Connects; the socket ends with the test. */
  static async open(url: string, options: ClientOptions = {}): Promise<JsonSocket> {
    const socket = new WebSocket(url, { perMessageDeflate: false, ...options });
    const opened = new JsonSocket(socket);
    onTestFinished(() => socket.terminate());
    await once(socket, 'open');
    return opened;
  }

  send(message: object): void {
    this.sendRaw(JSON.stringify(message));
  }

  sendRaw(data: string | Buffer): void {
    this.#socket.send(data);
  }

  /** The next frame that `isMeant`; those before it are passed over. @throws at the deadline, with what came instead */
  async next(isMeant: (frame: Frame) => boolean = () => true, withinMs = DEADLINE_MS): Promise<Frame> {
    const look = (): Frame | undefined => {
      while (this.#read < this.heard.length) {
        const frame = this.heard[this.#read++] as Frame;
        if (isMeant(frame)) return frame;
      }
      return undefined;
    };
    try {
      return await until('a frame comes', look, withinMs);
    } catch (cause) {
      throw new Error(`no such frame came, only ${JSON.stringify(this.heard).slice(0, 2_000)}`, { cause });
    }
  }

  /** Sends a request and waits for the next frame that is no event. */
  async ask(message: object): Promise<Frame> {
    this.send(message);
    return this.next((frame) => frame.EVENT === undefined);
  }

  closed(): Promise<{ readonly code: number; readonly reason: string }> {
    return this.#closed;
  }

  get isOpen(): boolean {
    return this.#socket.readyState === WebSocket.OPEN;
  }

  async close(): Promise<void> {
    this.#socket.close();
    await this.#closed;
  }

  /** Ends without a goodbye, as when the process is killed. */
  cut(): void {
    this.#socket.terminate();
  }
}
