import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { Process } from '../../support/process.ts';
import type { Link, Part } from '../menu.ts';
import { RelayLine, type RelayWeather } from '../network/relay-line.ts';
import { TcpProxy } from '../network/tcp-proxy.ts';
import { Actor, START_WITHIN_MS, type Victim } from './actor.ts';
import type { Database } from './database.ts';
import { steadyPorts } from './ports.ts';

/** Leases are short, so that many end in a minute; ms. */
export const LEASE_MS = 3_000;

/** As the defaults in their proportions, but quick. */
const QUICK = [
  ...['--lease', `${LEASE_MS}ms`, '--heartbeat', '400ms', '--task-seconds', '700ms'],
  ...['--retry-base', '500ms', '--retry-cap', '2s', '--breaker-open', '500ms', '--breaker-cap', '2s'],
  ...['--borrow-above', '1s', '--return-below', '300ms', '--min-loan', '500ms', '--max-loan', '15s'],
];

/** Some way to the relay, so that mail is under way whenever something happens. */
const SINK = ['--latency', '25', '--slow', '1500', '--greylist-times', '2'];
const CONNECTIONS = 10;

export interface TownOptions {
  readonly folder: string;
  readonly servers: number;
  readonly workers: number;
  readonly sinks: number;
  readonly database: Database;
}

interface WatchedLine {
  readonly sink: number;
  readonly line: RelayLine;
}

/** A sink of its own kind behind a proxy per server. */
interface RelayLink {
  readonly proxy: TcpProxy;
  readonly weather: RelayWeather;
}

/**
 * Real servers, workers and sinks, and a proxy between any two of them. Nobody knows the port of another, only that of a proxy. What a
 * server advertises is the proxy for its peers, which borrowed workers use as well.
 */
export class Town {
  readonly actors: Readonly<Record<Part, readonly Victim[]>>;
  readonly #options: TownOptions;
  readonly #clients: readonly TcpProxy[];
  readonly #homes: readonly TcpProxy[];
  readonly #peers: readonly TcpProxy[];
  /** By server, then by sink. */
  readonly #relays: readonly RelayLink[];
  readonly #databases: readonly TcpProxy[];
  readonly #lines: Set<WatchedLine>;

  /** Opens the proxies; starts no process yet but the database. */
  static async found(options: TownOptions): Promise<Town> {
    mkdirSync(options.folder, { recursive: true });
    await options.database.start();
    return new Town(options, await layLines(options));
  }

  private constructor(options: TownOptions, laid: LaidLines) {
    this.#options = options;
    this.#clients = laid.clients;
    this.#homes = laid.homes;
    this.#peers = laid.peers;
    this.#relays = laid.relays;
    this.#databases = laid.databases;
    this.#lines = laid.lines;
    const { servers, workers, sinks, database } = options;
    this.actors = {
      server: range(servers).map((index) => this.#server(index, laid.serverPorts[index] as number)),
      worker: range(workers).map((index) => this.#worker(index)),
      sink: range(sinks).map((index) => this.#sink(index, laid.sinkPorts)),
      database: database.victim === undefined ? [] : [database.victim],
    };
  }

  get links(): Readonly<Record<Link, readonly TcpProxy[]>> {
    return {
      'client-server': this.#clients,
      'worker-server': this.#homes,
      'server-server': this.#peers,
      'worker-relay': this.#relays.map(({ proxy }) => proxy),
      'server-database': this.#databases,
    };
  }

  /** Where clients reach each server. */
  get clientUrls(): readonly string[] {
    return this.#clients.map(({ port }) => `ws://127.0.0.1:${port}`);
  }

  get dataFolders(): readonly string[] {
    return range(this.#options.servers).map((index) => this.#path(`server-${index + 1}`));
  }

  /** What the sinks have recorded. */
  get records(): readonly string[] {
    return range(this.#options.sinks).map((index) => this.#path(`sink-${index + 1}.record.jsonl`));
  }

  /** Workers whose home is this server. */
  workersOf(server: number): number {
    return range(this.#options.workers).filter((worker) => this.#homeOf(worker) === server).length;
  }

  /** Whether a part may end by itself for this reason, to be started again. */
  excuses(end: string): boolean {
    return this.#options.database.excuses(end);
  }

  cutAfterDot(relayLink: number, times: number): void {
    const link = this.#relays[relayLink];
    if (link !== undefined) link.weather.cutsAfterDot = times;
  }

  /** Mails that this part has under way, as seen on the wire: written to their end and not answered. */
  inFlightOf(part: Part, index: number): number {
    let count = 0;
    for (const { sink, line } of this.#lines) {
      const isOurs =
        part === 'sink' ? sink === index : part === 'worker' && line.name === nameOf('worker', index);
      if (isOurs) count += line.inFlight;
    }
    return count;
  }

  async start(): Promise<void> {
    const { sink, server, worker } = this.actors;
    for (const part of [sink, server, worker]) await Promise.all(part.map((actor) => actor.start()));
  }

  /** The weather clears: nothing is spoilt any more. */
  calm(): void {
    for (const proxy of Object.values(this.links).flat()) {
      proxy.answerInstead(undefined);
      proxy.setWeather({ delayMs: 0, isStalled: false });
    }
    for (const { weather } of this.#relays) weather.cutsAfterDot = 0;
  }

  /** Ends every part in order, as an operator would. @returns what was wrong with it */
  async stop(): Promise<readonly string[]> {
    const { sink, server, worker } = this.actors;
    const problems: (string | undefined)[] = [];
    for (const part of [worker, server, sink])
      problems.push(...(await Promise.all(part.map((actor) => actor.stop()))));
    await this.#closeLines();
    return problems.filter((problem) => problem !== undefined);
  }

  async kill(): Promise<void> {
    await Promise.all(Object.values(this.actors).flatMap((part) => part.map((actor) => actor.end())));
    await this.#closeLines();
    await this.#options.database.stop();
  }

  #server(index: number, port: number): Actor {
    const name = nameOf('server', index);
    const { database, sinks } = this.#options;
    const args = [
      ...['--port', String(port), '--advertise', `127.0.0.1:${this.#peers[index]?.port}`],
      ...['--data', this.#path(name), ...QUICK],
      ...range(sinks).flatMap((sink) => ['--relay', this.#relayUrl(index, sink)]),
      ...this.#peers.filter((_, peer) => peer !== index).flatMap((peer) => ['--peer', urlOf(peer)]),
      ...database.serverArgs(this.#databases[index]?.port),
    ];
    return this.#actor(name, 'server/main.ts', args, async (process) => {
      await process.logged('server listens', START_WITHIN_MS);
    });
  }

  #worker(index: number): Actor {
    const name = nameOf('worker', index);
    const args = [
      ...['--server', urlOf(this.#homes[index] as TcpProxy), '--connections', String(CONNECTIONS)],
      ...['--helo-name', name, '--log-file', this.#path(`${name}.log`)],
      ...['--data', this.#path(name)],
    ];
    return this.#actor(name, 'worker/main.ts', args, async (process) => {
      await process.logged('connected', START_WITHIN_MS);
    });
  }

  /** Every second one offers CHUNKING. */
  #sink(index: number, ports: (number | undefined)[]): Actor {
    const name = nameOf('sink', index);
    const args = [
      ...['--port', '0', '--record', this.records[index] as string, ...SINK],
      ...(index % 2 === 1 ? ['--chunking'] : []),
    ];
    return this.#actor(name, 'sink/main.ts', args, async (process) => {
      const [, port] = await process.prints(/^Sink listening on smtp:\/\/[\d.]+:(\d+)/, START_WITHIN_MS);
      ports[index] = Number(port);
    });
  }

  #actor(
    name: string,
    entry: string,
    args: readonly string[],
    ready: (process: Process) => Promise<void>,
  ): Actor {
    const launch = (): Process =>
      new Process({ name, entry, args, cwd: this.#options.folder, env: cleanEnvironment() });
    return new Actor({ name, launch, ready });
  }

  #relayUrl(server: number, sink: number): string {
    const link = this.#relays[server * this.#options.sinks + sink];
    return `smtp://127.0.0.1:${link?.proxy.port}?name=sink-${sink + 1}`;
  }

  #homeOf(worker: number): number {
    return worker % this.#options.servers;
  }

  #path(name: string): string {
    return join(this.#options.folder, name);
  }

  async #closeLines(): Promise<void> {
    await Promise.all(Object.values(this.links).flatMap((proxies) => proxies.map((proxy) => proxy.close())));
  }
}

interface LaidLines {
  readonly serverPorts: readonly number[];
  /** Entered by the sinks when they listen. */
  readonly sinkPorts: (number | undefined)[];
  readonly clients: readonly TcpProxy[];
  readonly homes: readonly TcpProxy[];
  readonly peers: readonly TcpProxy[];
  readonly relays: readonly RelayLink[];
  readonly databases: readonly TcpProxy[];
  readonly lines: Set<WatchedLine>;
}

async function layLines({ servers, workers, sinks, database }: TownOptions): Promise<LaidLines> {
  const serverPorts = await steadyPorts(servers);
  const sinkPorts: (number | undefined)[] = [];
  const lines = new Set<WatchedLine>();
  const toServer = (index: number): Promise<TcpProxy> =>
    TcpProxy.open({ target: () => serverPorts[index % servers] });
  const toRelay = async (sink: number): Promise<RelayLink> => {
    const weather: RelayWeather = { cutsAfterDot: 0 };
    const proxy = await TcpProxy.open({
      target: () => sinkPorts[sink],
      observe: (cuttable) => {
        const watched = { sink, line: new RelayLine(cuttable, weather, () => lines.delete(watched)) };
        lines.add(watched);
        return watched.line;
      },
    });
    return { proxy, weather };
  };
  const toDatabase = (): Promise<TcpProxy> => TcpProxy.open({ target: () => database.port });
  return {
    serverPorts,
    sinkPorts,
    lines,
    clients: await Promise.all(range(servers).map(toServer)),
    homes: await Promise.all(range(workers).map(toServer)),
    peers: await Promise.all(range(servers).map(toServer)),
    relays: await Promise.all(range(servers * sinks).map((index) => toRelay(index % sinks))),
    databases: database.victim === undefined ? [] : await Promise.all(range(servers).map(toDatabase)),
  };
}

function nameOf(part: Part, index: number): string {
  return `${part}-${index + 1}`;
}

function urlOf({ port }: TcpProxy): string {
  return `ws://127.0.0.1:${port}`;
}

function range(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index);
}

/** Nothing of what is set around us reaches the town. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  const own = Object.entries(process.env).filter(([name]) => !/^(MUTIRAO_|VITEST|NODE_)/.test(name));
  return Object.fromEntries(own);
}
