import { readFileSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { createSecureContext, createServer as createTlsServer, type SecureContext } from 'node:tls';
import type { ZodError } from 'zod';
import { replyLine } from './behaviour.ts';
import { Connection } from './connection.ts';
import type { ReceivedMessage, SessionSettings, SessionWorld } from './contract.ts';
import type { Deliveries } from './deliveries.ts';
import { listenError, SinkStartError } from './errors.ts';
import { MboxWriter } from './mbox.ts';
import { MisbehaviourMemory } from './memory.ts';
import { type SinkOptions, type SinkOptionsInput, sinkOptionsSchema } from './options.ts';
import { Pace, seededRandom } from './pace.ts';
import { RecordWriter } from './record.ts';
import { type KeyAndCertificate, selfSigned } from './self-signed.ts';
import { Session } from './session.ts';
import { type SinkReport, Tally } from './tally.ts';

/** Bytes of whole messages that `keepMessages` keeps; later ones are only counted. For tests: 256 MiB. */
const MAX_KEPT_BYTES = 256 * 1024 ** 2;

/** How long a refused connection may take to read its 421. */
const REFUSED_LINGER_MS = 1_000;

const REFUSED_BY_CHANCE = replyLine(451, '4.3.0', 'Refused by chance, try again later');
const REFUSED_BY_RATE = replyLine(451, '4.7.0', 'Rate exceeded, try again later');

/** A message kept whole, with the time it arrived. */
export interface KeptMessage extends ReceivedMessage {
  readonly content: Buffer;
  readonly receivedAt: Date;
}

/** A running sink. */
export interface Sink {
  readonly host: string;
  /** The port it listens on; the same after `down()` and `up()`. */
  readonly port: number;
  /** As in a relay's address: `smtp://127.0.0.1:2525`, `smtps://…` when TLS is implicit. */
  readonly url: string;
  /** PEM certificate that the sink shows; undefined without TLS. What a test takes as `ca`. */
  readonly certificate: string | undefined;
  readonly options: SinkOptions;
  /** Accepted messages per Message-ID and recipient. */
  readonly deliveries: Deliveries;
  /** Whole messages, when `keepMessages` is set, in the order of arrival. */
  readonly messages: readonly KeptMessage[];
  /** Why messages are refused with 452: the mbox file or the record cannot be written. */
  readonly storageError: Error | undefined;
  report(): SinkReport;
  /** Closes the listener and breaks every connection: the relay is gone. Idempotent. */
  down(): Promise<void>;
  /** Listens again. Idempotent. */
  up(): Promise<void>;
  /** Ends everything. Idempotent. The report can still be read. */
  stop(): Promise<void>;
}

/** What a program that starts a sink may want to be told. */
export interface SinkEvents {
  /** After a message was accepted and counted; called before its reply is sent. */
  readonly message?: (message: ReceivedMessage) => void;
  readonly down?: () => void;
  readonly up?: () => void;
}

/**
 * Starts a scripted SMTP server. Rejects with a SinkStartError: options that are wrong, a port in use, a certificate
 * or mbox file that cannot be opened.
 */
export async function startSink(options: SinkOptionsInput = {}, events: SinkEvents = {}): Promise<Sink> {
  const parsed = sinkOptionsSchema.safeParse(options);
  if (!parsed.success) throw optionsError(parsed.error, options);
  const sink = new RunningSink(parsed.data, events);
  try {
    await sink.up();
  } catch (error) {
    await sink.stop();
    throw error;
  }
  return sink;
}

function optionsError(error: ZodError, options: object): SinkStartError {
  const [issue] = error.issues;
  const key = String(issue?.path[0] ?? '');
  const value = key === '' ? '' : ` = ${JSON.stringify((options as Record<string, unknown>)[key])}`;
  return new SinkStartError(`${key}${value}: ${issue?.message}`, { code: 'SINK_OPTIONS', key, cause: error });
}

/**
 * The sink around its sessions: the listener, the connections, the counts.
 * Up (listening) ⇄ down (no listener, no connection) → stopped (for ever).
 */
class RunningSink implements Sink, SessionWorld {
  readonly options: SinkOptions;
  readonly greylistTimes: number;
  readonly messages: KeptMessage[] = [];
  readonly #events: SinkEvents;
  readonly #settings: SessionSettings;
  readonly #tally = new Tally();
  readonly #memory: MisbehaviourMemory;
  readonly #pace: Pace | undefined;
  readonly #random: () => number;
  readonly #users: ReadonlySet<string>;
  readonly #tls: KeyAndCertificate | undefined;
  readonly #secureContext: SecureContext | undefined;
  readonly #mbox: MboxWriter | undefined;
  readonly #record: RecordWriter | undefined;
  readonly #connections = new Set<Connection>();
  readonly #sockets = new Set<Socket>();
  #server: Server | undefined;
  #starting: Promise<void> | undefined;
  #port: number;
  #keptBytes = 0;
  #wasDown = false;
  #stopped = false;
  #downTimer: NodeJS.Timeout | undefined;

  constructor(options: SinkOptions, events: SinkEvents) {
    this.options = options;
    this.#events = events;
    this.#port = options.port;
    this.greylistTimes = options.greylistTimes;
    this.#memory = new MisbehaviourMemory(options.greylistTimes);
    this.#pace = options.rate === undefined ? undefined : new Pace(options.rate);
    this.#random = seededRandom(options.seed);
    this.#users = new Set(options.users);
    if (options.tls !== 'off') {
      this.#tls = keyAndCertificate(options);
      this.#secureContext = secureContext(this.#tls);
    }
    if (options.mbox !== undefined)
      this.#mbox = open('mbox file', () => new MboxWriter(options.mbox as string));
    if (options.record !== undefined)
      this.#record = open('record', () => new RecordWriter(options.record as string));
    this.#settings = {
      ...options,
      starttls: options.tls === 'starttls',
      collect: options.keepMessages || options.mbox !== undefined,
    };
  }

  get host(): string {
    return this.options.host;
  }

  get port(): number {
    return this.#port;
  }

  get url(): string {
    const host = this.host.includes(':') ? `[${this.host}]` : this.host;
    return `${this.options.tls === 'implicit' ? 'smtps' : 'smtp'}://${host}:${this.#port}`;
  }

  get certificate(): string | undefined {
    return this.#tls?.cert;
  }

  get deliveries(): Deliveries {
    return this.#tally.deliveries;
  }

  get storageError(): Error | undefined {
    return this.#mbox?.error ?? this.#record?.error;
  }

  report(): SinkReport {
    return this.#tally.report();
  }

  async up(): Promise<void> {
    if (this.#stopped || this.#server?.listening) return;
    this.#starting ??= this.#listen().finally(() => {
      this.#starting = undefined;
    });
    await this.#starting;
  }

  async down(): Promise<void> {
    if (this.#server === undefined) return;
    await this.#closeListener();
    this.#wasDown = true;
    this.#tally.wentDown();
    this.#events.down?.();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#downTimer);
    await this.#starting?.catch(() => {});
    await this.#closeListener();
    this.#mbox?.close();
    this.#record?.close();
  }

  // What sessions ask of their sink.

  timesMisbehaved(address: string): number {
    return this.#memory.timesMisbehaved(address);
  }

  noteMisbehaved(address: string): void {
    this.#memory.note(address);
  }

  knows({ user, password }: { user: string; password: string }): boolean {
    return this.#users.size === 0 || this.#users.has(`${user}:${password}`);
  }

  refusal(): string | undefined {
    if (this.options.refuseRate > 0 && this.#random() < this.options.refuseRate) return REFUSED_BY_CHANCE;
    if (this.#pace === undefined || this.options.rateAction === 'slow') return undefined;
    return this.#pace.tryTake(performance.now()) ? undefined : REFUSED_BY_RATE;
  }

  accept(message: ReceivedMessage): boolean {
    if (this.#mbox !== undefined && !this.#mbox.write(message, new Date())) return false;
    if (this.#record !== undefined && !this.#record.write(message, Date.now())) return false;
    this.#tally.accepted(message.messageId, message.to, message.size);
    if (this.options.keepMessages) this.#keep(message);
    this.#events.message?.(message);
    return true;
  }

  delayMs(): number {
    if (this.#pace === undefined || this.options.rateAction === 'refuse') return 0;
    return this.#pace.reserve(performance.now());
  }

  refused(code: number): void {
    this.#tally.refused(code);
  }

  authFailed(): void {
    this.#tally.authFailed();
  }

  #keep(message: ReceivedMessage): void {
    const { content } = message;
    if (content === undefined || this.#keptBytes + content.length > MAX_KEPT_BYTES) return;
    this.#keptBytes += content.length;
    this.messages.push({ ...message, content, receivedAt: new Date() });
  }

  async #listen(): Promise<void> {
    const { tls, host } = this.options;
    const server =
      tls === 'implicit'
        ? createTlsServer({ key: this.#tls?.key, cert: this.#tls?.cert, noDelay: true })
        : createServer({ noDelay: true });
    server.on('connection', (socket: Socket) => this.#track(socket));
    server.on(tls === 'implicit' ? 'secureConnection' : 'connection', (socket: Socket) => this.#meet(socket));
    // A client that fails the TLS handshake is only gone.
    server.on('tlsClientError', () => {});
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    server.once('error', (error) => reject(listenError(error, host, this.#port)));
    server.listen(this.#port, host, resolve);
    await promise;
    const address = server.address();
    if (address !== null && typeof address === 'object') this.#port = address.port;
    this.#server = server;
    if (this.#wasDown) this.#events.up?.();
    this.#scheduleDown();
  }

  /** Knows every TCP connection, also those still in their handshake, so that all can be broken. */
  #track(socket: Socket): void {
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
  }

  #meet(socket: Socket): void {
    if (this.#connections.size >= this.options.maxConnections) {
      this.#tally.connectionRefused();
      socket.on('error', () => {});
      socket.end('421 4.7.0 Too many connections\r\n');
      socket.resume();
      setTimeout(() => socket.destroy(), REFUSED_LINGER_MS).unref();
      return;
    }
    this.#tally.connected();
    const secure = this.options.tls === 'implicit';
    const connection: Connection = new Connection(socket, new Session(this.#settings, this, secure), {
      latencyMs: this.options.latencyMs,
      secureContext: this.#secureContext,
      closed: () => {
        if (this.#connections.delete(connection)) this.#tally.disconnected();
      },
    });
    this.#connections.add(connection);
  }

  async #closeListener(): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    this.#server = undefined;
    const closed = new Promise<void>((resolve) => {
      server.close(() => resolve());
    });
    for (const connection of this.#connections) connection.destroy();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #scheduleDown(): void {
    const { downEvery, downFor } = this.options;
    if (downEvery === undefined || this.#stopped) return;
    clearTimeout(this.#downTimer);
    this.#downTimer = setTimeout(() => {
      void this.down();
      this.#downTimer = setTimeout(() => void this.#comeUp(), downFor * 1000);
    }, downEvery * 1000);
  }

  /** Somebody may have taken the port meanwhile: then it is tried again. */
  async #comeUp(): Promise<void> {
    try {
      await this.up();
    } catch {
      if (!this.#stopped) this.#downTimer = setTimeout(() => void this.#comeUp(), 1000);
    }
  }
}

function keyAndCertificate(options: SinkOptions): KeyAndCertificate {
  if (options.tlsCert === undefined || options.tlsKey === undefined) return selfSigned(options.hostname);
  try {
    return { cert: readFileSync(options.tlsCert, 'utf8'), key: readFileSync(options.tlsKey, 'utf8') };
  } catch (error) {
    throw new SinkStartError(`Cannot read the certificate or its key: ${reason(error)}`, {
      code: 'SINK_TLS',
      cause: error,
    });
  }
}

function secureContext(tls: KeyAndCertificate): SecureContext {
  try {
    return createSecureContext({ key: tls.key, cert: tls.cert });
  } catch (error) {
    throw new SinkStartError(`The certificate and key do not work: ${reason(error)}`, {
      code: 'SINK_TLS',
      cause: error,
    });
  }
}

/** Opens a file that messages are appended to. */
function open<T>(name: string, writer: () => T): T {
  try {
    return writer();
  } catch (error) {
    throw new SinkStartError(`Cannot append to the ${name}: ${reason(error)}`, {
      code: 'SINK_FILE',
      cause: error,
    });
  }
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
