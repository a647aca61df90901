import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import { type Logger, WarnLimiter } from '../../logging/index.ts';
import { MAX_READABLE_FRAME_BYTES } from '../../protocol/index.ts';
import { originAllowed } from './access.ts';
import { ConversationHost, type ConversationParts } from './conversation.ts';

/** Fragments of one frame; nobody of ours sends any. */
const MAX_FRAGMENTS = 1_024;
/** Connections at once. Each costs some 20 KB. */
const MAX_CONNECTIONS = 20_000;
/** Callers that are refused try again and again: one line per caller and reason in this time, ms. */
const ONE_REFUSAL_PER_MS = 60_000;
/** Time that a closing connection gets for its goodbye, ms. */
const CLOSE_WITHIN_MS = 2_000;
const GOING_AWAY = 1001;

/** Accepts WebSockets on the server's port, whatever the path. */
export class Gateway {
  readonly #http: Server;
  readonly #parts: ConversationParts;
  readonly #logger: Logger;
  readonly #refusals: WarnLimiter;
  /** The name that this server goes by. */
  readonly #name: string;
  readonly #sockets = new WebSocketServer({
    noServer: true,
    maxPayload: MAX_READABLE_FRAME_BYTES,
    maxFragments: MAX_FRAGMENTS,
    perMessageDeflate: false,
    clientTracking: true,
  });
  readonly #onUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer): void =>
    this.#upgrade(request, socket, head);

  constructor(http: Server, name: string, parts: ConversationParts) {
    this.#http = http;
    this.#name = name;
    this.#parts = parts;
    this.#logger = parts.logger;
    this.#refusals = new WarnLimiter(parts.logger, () => performance.now(), ONE_REFUSAL_PER_MS);
  }

  get connections(): number {
    return this.#sockets.clients.size;
  }

  start(): void {
    this.#http.on('upgrade', this.#onUpgrade);
  }

  /** Closes every connection (1001). */
  async stop(): Promise<void> {
    this.#http.off('upgrade', this.#onUpgrade);
    const sockets = [...this.#sockets.clients];
    const closed = Promise.all(
      sockets.map((socket) => new Promise<void>((resolve) => socket.once('close', () => resolve()))),
    );
    for (const socket of sockets) socket.close(GOING_AWAY, 'the server stops');
    const kill = setTimeout(() => {
      for (const socket of sockets) socket.terminate();
    }, CLOSE_WITHIN_MS);
    await closed;
    clearTimeout(kill);
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on('error', () => socket.destroy());
    const own = { asksForToken: this.#parts.access.guards('client'), name: this.#name };
    if (!originAllowed(request.headers.origin, request.headers.host, own)) {
      this.#logger.warn({ origin: request.headers.origin }, 'page of another site refused');
      refuse(socket, '403 Forbidden');
      return;
    }
    if (this.#sockets.clients.size >= MAX_CONNECTIONS) {
      this.#logger.warn({ connections: MAX_CONNECTIONS }, 'too many connections, one was refused');
      refuse(socket, '503 Service Unavailable');
      return;
    }
    this.#sockets.handleUpgrade(request, socket, head, (webSocket: WebSocket) => {
      new ConversationHost(webSocket, request, this.#parts, this.#refusals);
    });
  }
}

function refuse(socket: Duplex, status: string): void {
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
}
