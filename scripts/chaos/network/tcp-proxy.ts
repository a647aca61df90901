import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { Lane, type Weather } from './lane.ts';

const HOST = '127.0.0.1';
const CALM: Weather = { delayMs: 0, isStalled: false };

/** Looks at one line. Each is asked before bytes pass, and answers whether they do. */
export interface Observer {
  fromCaller(bytes: Buffer): boolean;
  fromCalled(bytes: Buffer): boolean;
  ended(): void;
}

/** A line as its observer may treat it. */
export interface Cuttable {
  cut(): void;
}

const BLIND: Observer = { fromCaller: () => true, fromCalled: () => true, ended: () => {} };

interface Line extends Cuttable {
  readonly caller: Socket;
  readonly called: Socket;
  readonly lanes: readonly Lane[];
}

export interface ProxyOptions {
  /** Port of whom it stands for; undefined while there is nobody. */
  readonly target: () => number | undefined;
  readonly observe?: (line: Cuttable) => Observer;
}

/**
 * Stands between two parts on one machine, and spoils their conversation when told to. While nobody listens behind it, and while the
 * one behind it refuses, callers are cut off as they come.
 */
export class TcpProxy {
  readonly #server: Server;
  readonly #options: ProxyOptions;
  readonly #lines = new Set<Line>();
  #weather: Weather = CALM;
  #instead: string | undefined;

  static async open(options: ProxyOptions): Promise<TcpProxy> {
    const proxy = new TcpProxy(options);
    proxy.#server.listen(0, HOST);
    await once(proxy.#server, 'listening');
    return proxy;
  }

  private constructor(options: ProxyOptions) {
    this.#options = options;
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (caller) => this.#meet(caller));
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** From now on. */
  setWeather(change: Partial<Weather>): void {
    this.#weather = { ...this.#weather, ...change };
    for (const { lanes } of this.#lines) for (const lane of lanes) lane.move();
  }

  /** What new callers get instead of a line, before they are cut off; undefined: a line. */
  answerInstead(text: string | undefined): void {
    this.#instead = text;
  }

  /** Resets every open line. */
  cut(): void {
    for (const line of [...this.#lines]) line.cut();
  }

  /** Tells one side of every open line that the other has ended. That one may still speak. */
  halfClose(side: 'caller' | 'called'): void {
    for (const line of this.#lines) line[side].end();
  }

  async close(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.cut();
    await closed;
  }

  #meet(caller: Socket): void {
    caller.on('error', () => {});
    if (this.#instead !== undefined) {
      caller.end(this.#instead, () => caller.destroySoon());
      return;
    }
    const port = this.#options.target();
    if (port === undefined) {
      caller.resetAndDestroy();
      return;
    }
    this.#join(caller, connect({ host: HOST, port, allowHalfOpen: true, noDelay: true }));
  }

  #join(caller: Socket, called: Socket): void {
    const weather = (): Weather => this.#weather;
    const cut = (): void => {
      for (const socket of [caller, called]) if (!socket.destroyed) socket.resetAndDestroy();
    };
    const observer = this.#options.observe?.({ cut }) ?? BLIND;
    const lanes = [
      new Lane(caller, called, weather, (bytes) => observer.fromCaller(bytes)),
      new Lane(called, caller, weather, (bytes) => observer.fromCalled(bytes)),
    ];
    const line = { caller, called, lanes, cut };
    this.#lines.add(line);
    for (const [socket, other] of [
      [caller, called],
      [called, caller],
    ] as const) {
      socket.on('error', () => {});
      socket.once('close', () => {
        // What ended in order has told the other side so, or will when its lane has come to it; else the other side learns of it here.
        const isOrderly = socket.readableEnded && socket.writableFinished;
        if (!isOrderly && !other.destroyed) other.resetAndDestroy();
        if (other.closed) this.#forget(line, observer);
      });
    }
  }

  #forget(line: Line, observer: Observer): void {
    for (const lane of line.lanes) lane.stop();
    this.#lines.delete(line);
    observer.ended();
  }
}
