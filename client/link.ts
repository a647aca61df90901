import type { ClientRequest as ExternalRequest } from 'node:http';
import { WebSocket } from 'ws';
import { z } from 'zod';
import { Nack, PROTOCOL_VERSION } from '../protocol/index.ts';
import { connectFailure } from './connect-failure.ts';
import {
  CannotConnectError,
  ConnectionLostError,
  type MutiraoError,
  ServerRefusedError,
  UnexpectedAnswerError,
} from './errors.ts';

/** Time for TCP, TLS and the WebSocket handshake together, ms. */
const HANDSHAKE_TIMEOUT_MS = 10_000;
/** Largest answer that is read, bytes: a page of 1,000 recipients with long replies is about 3 MB. */
const MAX_ANSWER_BYTES = 16 * 1024 * 1024;
/** Time that the server has to answer a close before the socket is cut, ms. */
const GOODBYE_MS = 1_000;
/** Time between two pings, ms. */
const PING_EVERY_MS = 10_000;
/** Pings without any sign of life after which the connection counts as lost. */
const MISSED_PINGS = 3;

export interface LinkOptions {
  /** As `serverUrl` makes it. */
  readonly url: string;
  readonly token?: string;
  /** Certificates in PEM form that the server's certificate is checked against, instead of the system's. */
  readonly tlsCa?: string | Buffer;
  readonly signal?: AbortSignal;
}

/** A message to the server without REQ: the link numbers them. */
export type Question = { readonly CLIENT: string; readonly [key: string]: unknown };

interface Waiting {
  readonly resolve: (answer: unknown) => void;
  readonly reject: (error: MutiraoError) => void;
}

/** Any message that answers a REQ. */
const Answer = z.looseObject({ STATUS: z.enum(['ACK', 'NACK']), REQ: z.int().optional() });

/**
 * One WebSocket connection to a server: numbered requests and their answers, and events for who watches.
 *
 * States: opening → open → lost. `open` resolves in `open`, after a first small message has shown the token (so the
 * server never reads a large frame from someone it does not know). Whatever ends the connection, also `close()` and a
 * server that no longer answers pings, leads to `lost`, where every waiting request has failed with
 * ConnectionLostError; a lost link is never used again.
 */
export class Link {
  readonly #socket: WebSocket;
  readonly #waiting = new Map<number, Waiting>();
  readonly #ping: NodeJS.Timeout;
  readonly #closed: Promise<void>;
  #lastReq = 0;
  #missedPings = 0;
  #lost: ConnectionLostError | undefined;
  #onEvent: ((event: unknown) => void) | undefined;
  #onLost: ((error: ConnectionLostError) => void) | undefined;

  /** Connects and shows the token. @throws CannotConnectError, ServerRefusedError (wrong token) */
  static async open(options: LinkOptions): Promise<Link> {
    const { signal } = options;
    signal?.throwIfAborted();
    const link = new Link(await openSocket(options));
    const stop = () => void link.close();
    signal?.addEventListener('abort', stop, { once: true });
    try {
      const token = options.token === undefined ? {} : { TOKEN: options.token };
      await link.ask({ CLIENT: 'BATCHES', LIMIT: 1, PROTOCOL: PROTOCOL_VERSION, ...token }, z.unknown());
      return link;
    } catch (error) {
      void link.close();
      signal?.throwIfAborted();
      if (!(error instanceof ConnectionLostError)) throw error;
      const message = `the server at ${options.url} closed the connection at once: ${error.message}`;
      throw new CannotConnectError(options.url, 'other', message, { cause: error });
    } finally {
      signal?.removeEventListener('abort', stop);
    }
  }

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on('message', (data, isBinary) => this.#receive(data, isBinary));
    socket.on('pong', () => {
      this.#missedPings = 0;
    });
    this.#closed = new Promise((resolve) => {
      socket.on('close', (code, reason) => {
        this.#lose(closeText(code, reason.toString()));
        resolve();
      });
    });
    socket.on('error', (error) => this.#lose(error.message, error));
    this.#ping = setInterval(() => this.#checkLife(), PING_EVERY_MS).unref();
  }

  get isLost(): boolean {
    return this.#lost !== undefined;
  }

  /** Hands over the messages that answer no request, and tells once when the link is lost. */
  listen(onEvent: (event: unknown) => void, onLost: (error: ConnectionLostError) => void): void {
    this.#onEvent = onEvent;
    this.#onLost = onLost;
    if (this.#lost !== undefined) onLost(this.#lost);
  }

  /** Sends a request. @throws ServerRefusedError, ConnectionLostError, UnexpectedAnswerError */
  async ask<T>(question: Question, schema: z.ZodType<T>): Promise<T> {
    return this.askText((req) => JSON.stringify({ ...question, REQ: req }), schema);
  }

  /** The same for who writes the frame itself; `frame` gets the REQ that has to stand in it. */
  async askText<T>(frame: (req: number) => string, schema: z.ZodType<T>): Promise<T> {
    if (this.#lost !== undefined) throw this.#lost;
    const req = ++this.#lastReq;
    const answer = new Promise<unknown>((resolve, reject) => this.#waiting.set(req, { resolve, reject }));
    this.#socket.send(frame(req));
    const parsed = schema.safeParse(await answer);
    if (parsed.success) return parsed.data;
    const issue = parsed.error.issues[0];
    throw new UnexpectedAnswerError(
      `the server's answer is not understood (${issue?.path.join('.')}: ${issue?.message}); is it of another version?`,
    );
  }

  /** Ends the connection: waiting requests fail at once. Resolves when the socket is closed. */
  async close(): Promise<void> {
    this.#lose('closed by this side');
    this.#socket.close(1000);
    const end = setTimeout(() => this.#socket.terminate(), GOODBYE_MS);
    await this.#closed;
    clearTimeout(end);
  }

  #receive(data: WebSocket.RawData, isBinary: boolean): void {
    this.#missedPings = 0;
    if (isBinary) return;
    let message: unknown;
    try {
      message = JSON.parse(data.toString());
    } catch {
      this.#abandon('the server sent something that is not JSON');
      return;
    }
    const answer = Answer.safeParse(message);
    if (!answer.success) {
      this.#onEvent?.(message);
      return;
    }
    const { REQ } = answer.data;
    // A NACK without REQ is about a frame that the server could not even number: it answers the oldest one.
    const req = REQ ?? this.#waiting.keys().next().value;
    const waiting = req === undefined ? undefined : this.#waiting.get(req);
    if (req === undefined || waiting === undefined) return;
    this.#waiting.delete(req);
    if (answer.data.STATUS === 'ACK') waiting.resolve(message);
    else waiting.reject(refusal(message));
  }

  #checkLife(): void {
    if (this.#lost !== undefined) return;
    if (this.#missedPings >= MISSED_PINGS) {
      this.#abandon(`the server has not answered for ${(MISSED_PINGS * PING_EVERY_MS) / 1000} s`);
      return;
    }
    this.#missedPings++;
    this.#socket.ping();
  }

  #abandon(why: string): void {
    this.#lose(why);
    this.#socket.terminate();
  }

  #lose(why: string, cause?: unknown): void {
    if (this.#lost !== undefined) return;
    const error = new ConnectionLostError(`connection to the server lost: ${why}`, { cause });
    this.#lost = error;
    clearInterval(this.#ping);
    for (const waiting of this.#waiting.values()) waiting.reject(error);
    this.#waiting.clear();
    this.#onLost?.(error);
  }
}

function openSocket({ url, token, tlsCa, signal }: LinkOptions): Promise<WebSocket> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url, {
      perMessageDeflate: false,
      maxPayload: MAX_ANSWER_BYTES,
      handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
      ...(token === undefined ? {} : { headers: { Authorization: `Bearer ${token}` } }),
      ...(tlsCa === undefined ? {} : { ca: tlsCa }),
    });
    const abort = () => socket.terminate();
    const settle = () => {
      signal?.removeEventListener('abort', abort);
      socket.removeAllListeners();
    };
    signal?.addEventListener('abort', abort, { once: true });
    socket.once('open', () => {
      settle();
      resolve(socket);
    });
    const fail = (error: CannotConnectError) => {
      settle();
      socket.on('error', () => {});
      socket.terminate();
      reject(signal?.aborted === true ? signal.reason : error);
    };
    socket.once('unexpected-response', (_request: ExternalRequest, response) => {
      response.resume();
      fail(connectFailure(url, response.statusCode ?? 0));
    });
    socket.once('error', (error) => fail(connectFailure(url, error)));
  });
}

function refusal(message: unknown): MutiraoError {
  const nack = Nack.safeParse(message);
  if (!nack.success) return new UnexpectedAnswerError('the server refused, and does not say why');
  const { CODE, MESSAGE, FIELD, RETRY } = nack.data.ERROR;
  return new ServerRefusedError({ code: CODE, message: MESSAGE, field: FIELD, retry: RETRY });
}

function closeText(code: number, reason: string): string {
  if (reason !== '') return `the server closed it (${code}: ${reason})`;
  return code === 1001 || code === 1012 ? 'the server is going down' : `closed (${code})`;
}
