import { type ClientOptions, WebSocket } from 'ws';
import {
  MAX_TASK_FRAME_BYTES,
  parseForWorker,
  parseObject,
  type ServerToWorker,
  type WorkerToServer,
} from '../../protocol/index.ts';
import type { Logger } from '../logger.ts';
import type { Surroundings } from '../surroundings.ts';
import { Liveness, type LivenessTimes } from './liveness.ts';

/** What may wait to be written to a server that does not read, bytes; beyond, the line is cut. */
const MAX_BUFFERED_BYTES = 16 * 1024 * 1024;
/** Fragments of one frame: a task of MAX_TASK_FRAME_BYTES in pieces of 16 KiB. */
const MAX_FRAGMENTS = 4_096;
/** Pings whose time is remembered until they are answered: a line on which more are open is as good as dead. */
const MAX_PINGS_REMEMBERED = 16;
/** Time that an orderly close may take before the line is cut, ms. */
const CLOSE_WITHIN_MS = 1_000;

/** Close codes by which a server says "not you": RFC 6455 §7.4.1 policy violation, and unauthorised. */
const REFUSAL_CODES: ReadonlySet<number> = new Set([1008, 4401, 4403]);
const REFUSAL_STATUS: ReadonlySet<number> = new Set([401, 403]);

export interface LinkEnd {
  /** The line had been open. */
  readonly wasOpen: boolean;
  /** The server does not want this worker (token, ticket), as opposed to being unreachable. */
  readonly refused: boolean;
  /** It understood the worker: a message other than a NACK came. */
  readonly wasGood: boolean;
  readonly reason: string;
}

export interface LinkEvents {
  open(): void;
  /** Once, at the first message other than a NACK: the server takes this worker. */
  good?(): void;
  /** Not the NACK that refuses the worker itself: `end` tells of that. */
  message(message: ServerToWorker): void;
  /** Once, after which nothing more comes. */
  end(end: LinkEnd): void;
}

export interface LinkOptions {
  readonly url: string;
  readonly token?: string;
  /** PEM of the authorities that wss certificates are checked against; absent: the system's. */
  readonly ca?: string;
  readonly connectWithinMs: number;
  readonly liveness: LivenessTimes;
  /** Replaces the socket of the network. */
  readonly openSocket?: OpenSocket;
}

export type OpenSocket = (url: string, options: ClientOptions) => WebSocket;

const openWebSocket: OpenSocket = (url, options) => new WebSocket(url, options);

/**
 * One WebSocket to one server, from the first connect to its end; never used again.
 * States: connecting → open → ended. `end` comes exactly once, whatever happens, also after `close()` and `cut()`.
 */
export class ServerLink {
  readonly #socket: WebSocket;
  readonly #events: LinkEvents;
  readonly #logger: Logger;
  readonly #time: Pick<Surroundings, 'now' | 'setTimer'>;
  readonly #options: LinkOptions;
  #liveness: Liveness | undefined;
  #provenAt: number;
  /** When the pings were sent that are not answered, oldest first. */
  readonly #pingedAt: number[] = [];
  #cancelClose: (() => void) | undefined;
  #ended = false;
  #wasOpen = false;
  #wasGood = false;
  #refused = false;
  #reason = '';

  constructor(
    options: LinkOptions,
    events: LinkEvents,
    logger: Logger,
    time: Pick<Surroundings, 'now' | 'setTimer'>,
  ) {
    this.#options = options;
    this.#events = events;
    this.#logger = logger;
    this.#time = time;
    this.#provenAt = time.now();
    const settings: ClientOptions = {
      perMessageDeflate: false,
      maxPayload: MAX_TASK_FRAME_BYTES,
      handshakeTimeout: options.connectWithinMs,
      followRedirects: false,
      ...(options.token === undefined ? {} : { headers: { Authorization: `Bearer ${options.token}` } }),
      ...(options.ca === undefined ? {} : { ca: options.ca }),
    };
    // The types of ws do not know maxFragments yet.
    const open = options.openSocket ?? openWebSocket;
    this.#socket = open(options.url, Object.assign(settings, { maxFragments: MAX_FRAGMENTS }));
    this.#listen();
  }

  /** Whether messages can be sent now. */
  get isOpen(): boolean {
    return !this.#ended && this.#socket.readyState === WebSocket.OPEN;
  }

  /**
   * What comes now was sent by the server after this moment: it had answered a ping of then, and the line keeps the order. By the
   * worker's monotonic clock, ms.
   */
  get provenAt(): number {
    return this.#provenAt;
  }

  /** False: the line is not open, or was just cut because the server does not read. */
  send(message: WorkerToServer): boolean {
    if (!this.isOpen) return false;
    if (this.#socket.bufferedAmount > MAX_BUFFERED_BYTES) {
      this.cut('the server does not read what it is sent');
      return false;
    }
    this.#socket.send(JSON.stringify(message));
    return true;
  }

  /** Closes in an orderly way: what was sent still arrives. */
  close(reason: string): void {
    if (this.#ended || this.#cancelClose !== undefined) return;
    this.#reason = reason;
    this.#cancelClose = this.#time.setTimer(() => this.#socket.terminate(), CLOSE_WITHIN_MS);
    this.#socket.close(1000);
  }

  /** Ends the line at once. */
  cut(reason: string): void {
    if (this.#ended) return;
    this.#reason = reason;
    this.#socket.terminate();
  }

  #listen(): void {
    const socket = this.#socket;
    socket.on('open', () => {
      this.#wasOpen = true;
      this.#liveness = new Liveness(
        {
          ping: () => {
            if (!this.isOpen) return;
            if (this.#pingedAt.length < MAX_PINGS_REMEMBERED) this.#pingedAt.push(this.#time.now());
            socket.ping();
          },
          dead: (silentMs) => this.cut(`silent for ${Math.round(silentMs / 1000)} s`),
        },
        this.#options.liveness,
        this.#time,
      );
      this.#events.open();
    });
    socket.on('pong', () => {
      this.#provenAt = this.#pingedAt.shift() ?? this.#provenAt;
      this.#liveness?.heard();
    });
    socket.on('ping', () => this.#liveness?.heard());
    socket.on('message', (data, isBinary) => {
      this.#liveness?.heard();
      if (this.#ended || this.#refused) return;
      if (isBinary) this.#logger.warn({}, 'a binary frame from the server is ignored');
      else this.#read(String(data));
    });
    socket.on('unexpected-response', (request, response) => {
      this.#refused = REFUSAL_STATUS.has(response.statusCode ?? 0);
      this.#reason = `answered HTTP ${response.statusCode}`;
      response.resume();
      request.destroy();
      this.#end();
    });
    socket.on('error', (error: Error & { code?: string }) => {
      // An aggregate of several addresses tried (RFC 8305) has an empty message.
      if (this.#reason === '') this.#reason = error.message || error.code || error.name;
    });
    socket.on('close', (code, reason) => {
      if (REFUSAL_CODES.has(code)) this.#refused = true;
      if (this.#reason === '') this.#reason = `closed ${code} ${String(reason)}`.trim();
      this.#end();
    });
  }

  #read(text: string): void {
    const object = parseObject(text);
    const parsed = object.ok ? parseForWorker(object.message) : object;
    if (!parsed.ok) {
      // A newer server may say more than this worker understands: what it does not know it leaves.
      this.#logger.warn({ error: parsed.error.code, field: parsed.error.field }, 'frame not understood');
      return;
    }
    const message = parsed.message;
    if (!('STATUS' in message && message.STATUS === 'NACK')) {
      if (!this.#wasGood) this.#events.good?.();
      this.#wasGood = true;
    } else if (!this.#wasGood && message.ERROR.RETRY !== true) {
      // Nothing that was understood came before: the answer to the very first message is "no". It says nothing of reports
      // that were presented behind that message: they are kept.
      this.#refused = true;
      this.close(`${message.ERROR.CODE}: ${message.ERROR.MESSAGE}`.slice(0, 300));
      return;
    }
    this.#events.message(message);
  }

  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#liveness?.stop();
    this.#cancelClose?.();
    this.#events.end({
      wasOpen: this.#wasOpen,
      refused: this.#refused,
      wasGood: this.#wasGood,
      reason: this.#reason,
    });
  }
}
