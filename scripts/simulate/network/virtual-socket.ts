import { EventEmitter } from 'node:events';
import type { WebSocket } from 'ws';
import type { Process } from '../engine/process.ts';

const CONNECTING = 0;
const OPEN = 1;
const CLOSING = 2;
const CLOSED = 3;

/** As `ws` has it: an end that does not answer a close frame is waited for that long, ms. */
const CLOSE_TIMEOUT_MS = 30_000;
/** The connection ended without a close frame (RFC 6455 §7.1.5). */
const ABNORMAL = 1006;
/** Length that a message is taken to have beyond its text, in the account of what is not sent yet. */
const NOTHING = Buffer.alloc(0);

type Packet =
  | { readonly kind: 'open' | 'ping' | 'pong' | 'reset' }
  | { readonly kind: 'message'; readonly text: string }
  | { readonly kind: 'close'; readonly code: number; readonly reason: string };

/** One direction of a connection. */
export interface Line {
  /** When the last packet arrives. */
  lastAt?: number;
}

/** What a socket needs of the network. */
interface Carrier {
  /** Messages delivered so far. */
  delivered: number;
  /** Told of every message that is sent. */
  tap(from: VirtualSocket, text: string): void;
  /** Brings something from host to host, behind all that went over this line before. */
  transmit(from: string, to: string, line: Line, arrive: () => void): void;
  isDark(host: string): boolean;
  forget(socket: VirtualSocket): void;
}

/**
 * One end of a WebSocket over the virtual network, with the events and methods of `ws` that the program uses, and their order: so the
 * program's own link, gateway and mesh run on it unchanged.
 */
export class VirtualSocket extends EventEmitter {
  readonly OPEN = OPEN;
  readonly process: Process;
  /** Host at the other end. */
  readonly peer: string;
  readonly #network: Carrier;
  #state = CONNECTING;
  #other: VirtualSocket | undefined;
  readonly #line: Line = {};
  #isPaused = false;
  readonly #unread: string[] = [];
  /** Bytes that have not arrived. */
  bufferedAmount = 0;
  #cancelTimer: (() => void) | undefined;
  #closing: { code: number; reason: string } | undefined;

  constructor(network: Carrier, process: Process, peer: string) {
    super();
    this.#network = network;
    this.process = process;
    this.peer = peer;
  }

  get readyState(): number {
    return this.#state;
  }

  /** As the type that the program knows. */
  get asWebSocket(): WebSocket {
    return this as unknown as WebSocket;
  }

  join(other: VirtualSocket): void {
    this.#other = other;
  }

  accepted(): void {
    this.#state = OPEN;
  }

  /** It gives up when nobody answers in time. */
  handshake(withinMs: number): void {
    this.#cancelTimer = this.process.setTimer(() => this.#fail('Opening handshake has timed out'), withinMs);
  }

  /** Nobody listens there. */
  refused(message: string): void {
    this.process.receive(`r ${this.process.name}`, () => {
      if (this.#state === CONNECTING) this.#fail(message);
    });
  }

  send(text: string): void {
    if (this.#state !== OPEN) return;
    this.#network.tap(this, text);
    this.bufferedAmount += text.length;
    this.#transmit({ kind: 'message', text });
  }

  ping(): void {
    if (this.#state === OPEN) this.#transmit({ kind: 'ping' });
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    if (this.#unread.length > 0) this.process.soon(() => this.#readOn());
  }

  close(code = 1005, reason: string | Buffer = ''): void {
    if (this.#state === CONNECTING) {
      this.#fail('WebSocket was closed before the connection was established');
      return;
    }
    if (this.#state !== OPEN) return;
    this.#state = CLOSING;
    this.#transmit({ kind: 'close', code, reason: String(reason) });
    this.#cancelTimer = this.process.setTimer(() => this.#end(ABNORMAL, ''), CLOSE_TIMEOUT_MS);
  }

  terminate(): void {
    if (this.#state === CLOSED) return;
    if (this.#state === CONNECTING) {
      this.#fail('WebSocket was closed before the connection was established');
      return;
    }
    this.#transmit({ kind: 'reset' });
    this.#end(ABNORMAL, '');
  }

  /** Its process has ended. */
  hangUp(): void {
    if (this.#state === CLOSED) return;
    this.#state = CLOSED;
    this.#transmit({ kind: 'reset' });
  }

  /** Tells the other end that its connection is open. */
  welcome(): void {
    this.#transmit({ kind: 'open' });
  }

  #transmit(packet: Packet): void {
    const other = this.#other;
    if (other === undefined) return;
    this.#network.transmit(this.process.host, this.peer, this.#line, () => this.#arrived(other, packet));
  }

  #arrived(other: VirtualSocket, packet: Packet): void {
    if (packet.kind === 'message') this.bufferedAmount -= packet.text.length;
    if (this.#network.isDark(this.peer)) return;
    if (other.#state === CLOSED || !other.process.isAlive) {
      // A system that knows of no such connection says so.
      if (packet.kind !== 'reset' && this.#state !== CLOSED) other.#transmit({ kind: 'reset' });
      return;
    }
    this.#network.delivered++;
    other.process.receive(`m ${other.process.name}`, () => other.#receive(packet));
  }

  #receive(packet: Packet): void {
    if (this.#state === CLOSED) return;
    switch (packet.kind) {
      case 'open':
        if (this.#state !== CONNECTING) return;
        this.#cancelTimer?.();
        this.#state = OPEN;
        this.emit('open');
        return;
      case 'message':
        if (this.#isPaused) this.#unread.push(packet.text);
        else this.emit('message', Buffer.from(packet.text), false);
        return;
      case 'ping':
        this.#transmit({ kind: 'pong' });
        this.emit('ping', NOTHING);
        return;
      case 'pong':
        this.emit('pong', NOTHING);
        return;
      case 'close':
        this.#closed(packet.code, packet.reason);
        return;
      case 'reset':
        this.#end(ABNORMAL, '');
        return;
      default:
        packet satisfies never;
    }
  }

  #closed(code: number, reason: string): void {
    this.#readOn();
    if (this.#state === OPEN) {
      this.#state = CLOSING;
      this.#transmit({ kind: 'close', code, reason });
    }
    this.#end(code, reason);
  }

  #readOn(): void {
    while (!this.#isPaused && this.#unread.length > 0) {
      this.emit('message', Buffer.from(this.#unread.shift() as string), false);
    }
  }

  #fail(message: string): void {
    if (this.#closing !== undefined) return;
    this.#closing = { code: ABNORMAL, reason: '' };
    this.#cancelTimer?.();
    this.#state = CLOSING;
    this.process.soon(() => {
      this.emit('error', new Error(message));
      this.#state = CLOSED;
      this.#network.forget(this);
      this.#transmit({ kind: 'reset' });
      this.emit('close', ABNORMAL, NOTHING);
    });
  }

  #end(code: number, reason: string): void {
    if (this.#state === CLOSED) return;
    this.#state = CLOSED;
    this.#cancelTimer?.();
    this.#network.forget(this);
    this.process.soon(() => this.emit('close', code, Buffer.from(reason)));
  }
}
