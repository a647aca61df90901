import type { Chance } from '../engine/chance.ts';
import { type Events, RANK } from '../engine/events.ts';
import type { Process } from '../engine/process.ts';
import { type Line, VirtualSocket } from './virtual-socket.ts';

/** Smallest distance between two arrivals over one line, ms: what was sent first arrives first. */
const APART_MS = 0.001;

/** Who takes connections at an address. */
export interface Listener {
  readonly process: Process;
  accept(socket: VirtualSocket, request: { readonly token: string | undefined; readonly from: string }): void;
}

/** What is held up on its way while a path is cut. */
interface Held {
  readonly send: () => void;
}

/**
 * The network between hosts: every packet takes a while, which differs; over one line the order is kept, as TCP does, and between lines it is
 * not. A path can be cut in one direction or both: then what is sent waits, as TCP repeats it, until the path is mended or an end
 * gives up. A host can lose its power: then nobody hears of the end of its connections until they are used after its return.
 */
export class Network {
  readonly #events: Events;
  readonly #chance: Chance;
  readonly #listeners = new Map<string, Listener>();
  readonly #cuts = new Set<string>();
  readonly #dark = new Set<string>();
  readonly #held: Held[] = [];
  readonly #sockets = new Map<Process, Set<VirtualSocket>>();
  /** Usual time of a packet, ms. */
  delayMs = { min: 0.1, max: 5 };
  /** Messages delivered so far. */
  delivered = 0;
  /** Told of every message that is sent. */
  tap: (socket: VirtualSocket, text: string) => void = () => {};

  constructor(events: Events, chance: Chance) {
    this.#events = events;
    this.#chance = chance;
  }

  get now(): number {
    return this.#events.now;
  }

  listen(address: string, listener: Listener): void {
    this.#listeners.set(address, listener);
  }

  unlisten(address: string, process: Process): void {
    if (this.#listeners.get(address)?.process === process) this.#listeners.delete(address);
  }

  /** Opens a connection to an address, `ws://host:port`. */
  connect(process: Process, url: string, token: string | undefined, withinMs: number): VirtualSocket {
    const { hostname: host, host: address } = new URL(url);
    const socket = new VirtualSocket(this, process, host);
    this.#own(socket);
    socket.handshake(withinMs);
    this.transmit(process.host, host, {}, () => {
      if (this.#dark.has(host)) return;
      const listener = this.#listeners.get(address);
      if (listener === undefined || !listener.process.isAlive) {
        this.transmit(host, process.host, {}, () => socket.refused(`connect ECONNREFUSED ${address}`));
        return;
      }
      listener.process.receive(`a ${listener.process.name}`, () => {
        const other = new VirtualSocket(this, listener.process, process.host);
        this.#own(other);
        other.join(socket);
        socket.join(other);
        other.accepted();
        listener.accept(other, { token, from: process.host });
        other.welcome();
      });
    });
    return socket;
  }

  /** Brings something from host to host, behind all that went over this line before. */
  transmit(from: string, to: string, line: Line, arrive: () => void): void {
    if (this.#cuts.has(`${from}>${to}`)) {
      this.#held.push({ send: () => this.transmit(from, to, line, arrive) });
      return;
    }
    const at = Math.max(this.now + this.#delay(), (line.lastAt ?? 0) + APART_MS);
    line.lastAt = at;
    this.#events.at(at, RANK.line, `${from}>${to}`, arrive);
  }

  cut(from: string, to: string): void {
    this.#cuts.add(`${from}>${to}`);
  }

  mend(from: string, to: string): void {
    if (this.#cuts.delete(`${from}>${to}`)) this.#release();
  }

  mendAll(): void {
    this.#cuts.clear();
    this.#release();
  }

  /** Ends every connection between two hosts. */
  reset(a: string, b: string): void {
    for (const sockets of this.#sockets.values()) {
      for (const socket of [...sockets]) {
        if (socket.process.host === a && socket.peer === b) socket.terminate();
      }
    }
  }

  /** A process has ended: its system closes its connections. */
  closeAllOf(process: Process): void {
    for (const socket of this.#sockets.get(process) ?? []) socket.hangUp();
    this.#sockets.delete(process);
  }

  /** A host loses its power: nobody is told. */
  darken(host: string): void {
    this.#dark.add(host);
  }

  lighten(host: string): void {
    this.#dark.delete(host);
  }

  isDark(host: string): boolean {
    return this.#dark.has(host);
  }

  socketsOf(process: Process): Iterable<VirtualSocket> {
    return this.#sockets.get(process) ?? [];
  }

  forget(socket: VirtualSocket): void {
    this.#sockets.get(socket.process)?.delete(socket);
  }

  #own(socket: VirtualSocket): void {
    const known = this.#sockets.get(socket.process);
    if (known === undefined) this.#sockets.set(socket.process, new Set([socket]));
    else known.add(socket);
  }

  #release(): void {
    for (const held of this.#held.splice(0)) held.send();
  }

  #delay(): number {
    return this.#chance.spread(this.delayMs.min, this.delayMs.max);
  }
}
