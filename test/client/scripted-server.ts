import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';
import {
  type BatchInfo,
  type ClientRequest,
  MAX_FRAME_BYTES,
  parseFromClient,
  parseObject,
  type Recipient,
  type RejectedRow,
} from '../../protocol/index.ts';

export const BATCH = '01939c6e-6b1f-7000-8000-0000000000dd';

/** A batch's state on the wire; `counts` in capitals, absent ones are 0. */
export function batchInfo(changes: Partial<BatchInfo> = {}, counts: Record<string, number> = {}): BatchInfo {
  return {
    BATCH_UUID: BATCH,
    SUBJECT: 'Hello',
    STATE: 'RUNNING',
    COUNTS: {
      TOTAL: 0,
      PENDING: 0,
      LEASED: 0,
      DEFERRED: 0,
      SENT: 0,
      FAILED: 0,
      UNKNOWN: 0,
      SUPPRESSED: 0,
      CANCELLED: 0,
      ...counts,
    },
    REJECTED: 0,
    DUPLICATES: 0,
    MAYBE_SENT: 0,
    SECOND_REPORTS: 0,
    CREATED_AT: '2026-01-01T12:00:00.000Z',
    ...changes,
  };
}

/** One connection of a client, and what it has uploaded. */
export class Peer {
  readonly socket: WebSocket;
  readonly authorization: string | undefined;
  /** Rows of the open batch. */
  received = 0;
  rejected: RejectedRow[] = [];
  unanswered = 0;

  constructor(socket: WebSocket, authorization: string | undefined) {
    this.socket = socket;
    this.authorization = authorization;
  }

  send(message: unknown): void {
    this.socket.send(JSON.stringify(message));
  }

  ack(request: ClientRequest, extra: object = {}): void {
    this.send({ STATUS: 'ACK', REQ: request.REQ, ...extra });
  }

  nack(request: ClientRequest, code: string, message: string, retry?: boolean): void {
    this.send({ STATUS: 'NACK', REQ: request.REQ, ERROR: { CODE: code, MESSAGE: message, RETRY: retry } });
  }
}

/** Returns true when it has dealt with the request; else the default answer is given. */
export type Script = (
  request: ClientRequest,
  peer: Peer,
) => boolean | undefined | Promise<boolean | undefined>;

/**
 * A server that speaks just the client conversation: by default it takes every batch (an address without @ is a bad row),
 * and each message it gets has to be one of the protocol. A script answers first.
 */
export class ScriptedServer {
  /** Every request in the order it came, except the RECIPIENTS' contents when `keepRows` is false. */
  readonly requests: ClientRequest[] = [];
  readonly problems: string[] = [];
  readonly rows: Recipient[] = [];
  readonly peers = new Set<Peer>();
  readonly largest = { frameBytes: 0, rows: 0, inFlight: 0 };
  script: Script;
  keepRows = true;
  rowCount = 0;
  connections = 0;
  /** Status instead of the WebSocket, such as 401. */
  refuseUpgrade = 0;
  upgrades = 0;
  readonly #http: Server;
  readonly #sockets: WebSocketServer;
  #port = 0;
  readonly #tls: boolean;

  constructor(script: Script = () => false, tls?: { key: string; cert: string }) {
    this.script = script;
    this.#tls = tls !== undefined;
    this.#http = tls === undefined ? createServer() : createTlsServer(tls);
    this.#sockets = new WebSocketServer({
      server: this.#http,
      perMessageDeflate: false,
      maxPayload: MAX_FRAME_BYTES,
      verifyClient: (_info, decide) => {
        this.upgrades++;
        decide(this.refuseUpgrade === 0, this.refuseUpgrade);
      },
    });
    this.#sockets.on('connection', (socket, request) => this.#serve(socket, request.headers.authorization));
  }

  get url(): string {
    return `${this.#tls ? 'wss' : 'ws'}://127.0.0.1:${this.#port}`;
  }

  get verbs(): string[] {
    return this.requests.map((request) => request.CLIENT);
  }

  async start(port = this.#port): Promise<this> {
    this.#http.listen(port, '127.0.0.1');
    await once(this.#http, 'listening');
    this.#port = (this.#http.address() as AddressInfo).port;
    return this;
  }

  /** As a crash does it. */
  cutAll(): void {
    for (const peer of this.peers) peer.socket.terminate();
  }

  async stop(): Promise<void> {
    this.cutAll();
    if (!this.#http.listening) return;
    this.#http.close();
    await once(this.#http, 'close');
  }

  #serve(socket: WebSocket, authorization: string | undefined): void {
    this.connections++;
    const peer = new Peer(socket, authorization);
    this.peers.add(peer);
    socket.on('close', () => this.peers.delete(peer));
    socket.on('error', () => {});
    socket.on('message', (data) => {
      void this.#take(data.toString(), peer);
    });
  }

  async #take(text: string, peer: Peer): Promise<void> {
    this.largest.frameBytes = Math.max(this.largest.frameBytes, Buffer.byteLength(text));
    const keys = parseObject(text);
    const parsed = keys.ok ? parseFromClient(keys.message) : keys;
    if (!parsed.ok) {
      this.problems.push(parsed.error.message);
      return;
    }
    const request = parsed.message;
    if (request.CLIENT === 'RECIPIENTS' && !this.keepRows) this.requests.push({ ...request, RECIPIENTS: [] });
    else this.requests.push(request);
    this.largest.inFlight = Math.max(this.largest.inFlight, ++peer.unanswered);
    // Answers come a moment later, as from a server that stores first: what is in flight can be counted.
    await new Promise((resolve) => setImmediate(resolve));
    if ((await this.script(request, peer)) !== true) this.#answer(request, peer);
    peer.unanswered--;
  }

  #answer(request: ClientRequest, peer: Peer): void {
    switch (request.CLIENT) {
      case 'RECIPIENTS': {
        this.largest.rows = Math.max(this.largest.rows, request.RECIPIENTS.length);
        this.rowCount += request.RECIPIENTS.length;
        if (this.keepRows) this.rows.push(...request.RECIPIENTS);
        const bad = request.RECIPIENTS.flatMap(({ ADDRESS }, i) =>
          ADDRESS.includes('@')
            ? []
            : [{ ROW: peer.received + i + 1, ADDRESS, REASON: 'the address has no @' }],
        );
        peer.received += request.RECIPIENTS.length;
        peer.rejected.push(...bad);
        peer.ack(request, { RECEIVED: peer.received, REJECTED: bad });
        return;
      }
      case 'SUBMIT':
      case 'ATTACHMENT':
      case 'ABORT':
        peer.ack(request, { RECEIVED: peer.received, REJECTED: [] });
        return;
      case 'COMMIT':
        peer.ack(request, {
          BATCH_UUID: BATCH,
          ACCEPTED: peer.received - peer.rejected.length,
          REJECTED: peer.rejected.slice(0, 1_000),
          REJECTED_COUNT: peer.rejected.length,
          DUPLICATES: 0,
        });
        return;
      case 'BATCHES':
        peer.ack(request, { BATCHES: [] });
        return;
      case 'SERVER':
        peer.ack(request, { SERVER: { SERVER_UUID: 'server-1' } });
        return;
      case 'LIST':
        peer.ack(request, { RECIPIENTS: [], MORE: false });
        return;
      case 'UNWATCH':
        peer.ack(request);
        return;
      case 'WATCH':
        peer.ack(request, { BATCH: batchInfo() });
        peer.send({ EVENT: 'PROGRESS', BATCH: batchInfo({ STATE: 'FINISHED' }) });
        return;
      default:
        peer.ack(request, { BATCH: batchInfo(), CHANGED: 0 });
        return;
    }
  }
}

/** All that an async iterable yields. */
export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}
