import type { ServerSettings } from '../../../config/index.ts';
import { WarnLimiter } from '../../../logging/index.ts';
import { type Endpoint, endpointUrl } from '../../../protocol/index.ts';
import { SteadyClock } from '../../../server/clock.ts';
import { buildCore, type ServerCore } from '../../../server/core.ts';
import { DkimKeys } from '../../../server/dkim-keys.ts';
import { ConversationHost } from '../../../server/gateway/conversation.ts';
import type { Chance } from '../engine/chance.ts';
import { type Events, RANK } from '../engine/events.ts';
import { Process } from '../engine/process.ts';
import type { Network } from '../network/network.ts';
import type { VirtualSocket } from '../network/virtual-socket.ts';
import type { Disk } from '../store/disk.ts';
import type { Pace, VirtualStore } from '../store/virtual-store.ts';
import { logOf, type Say } from './log.ts';

/** Midnight of some day: what wall clocks show at the beginning, ms since the epoch. */
const BEGIN = Date.UTC(2026, 0, 1);
const GOING_AWAY = 1001;
/** Time for the close frames of a server that stops, ms. */
const GOODBYE_MS = 500;
const KEEP_REFUSALS_MS = 60_000;

/** What servers and workers have around them. */
export interface Surround {
  readonly events: Events;
  readonly network: Network;
  readonly chance: Chance;
  readonly say: (who: string, ...line: Parameters<Say>) => void;
  readonly isDebugged: boolean;
}

/** How long a disk takes, ms. */
export interface DiskHabits {
  readonly commitMs: { readonly min: number; readonly max: number };
  readonly answerMs: { readonly min: number; readonly max: number };
}

export interface ServerOptions {
  readonly name: string;
  readonly uuid: string;
  readonly endpoint: Endpoint;
  readonly settings: ServerSettings;
  readonly diskHabits: DiskHabits;
  /** Makes the store of one run. */
  readonly openStore: (disk: Disk, pace: Pace) => VirtualStore;
}

/** One run of a server. */
export interface ServerRun {
  readonly process: Process;
  readonly core: ServerCore;
  readonly store: VirtualStore;
  readonly startedAt: number;
  isListening: boolean;
}

/** A server with its disk: it is started, killed, stopped, and started again. */
export class ServerNode {
  readonly name: string;
  readonly uuid: string;
  readonly endpoint: Endpoint;
  readonly settings: ServerSettings;
  readonly disk: Disk;
  readonly #options: ServerOptions;
  readonly #around: Surround;
  readonly #chance: Chance;
  #runs = 0;
  /** How far its wall clock is ahead, ms. */
  wallAhead = 0;
  isDiskFull = false;
  /** It is killed when its disk comes to that point. */
  doom: 'before a commit' | 'before the answers' | undefined;
  run: ServerRun | undefined;
  /** When it was last killed, stopped or frozen. */
  disturbedAt = Number.NEGATIVE_INFINITY;

  constructor(options: ServerOptions, disk: Disk, around: Surround) {
    this.name = options.name;
    this.uuid = options.uuid;
    this.endpoint = options.endpoint;
    this.settings = options.settings;
    this.disk = disk;
    this.#options = options;
    this.#around = around;
    this.#chance = around.chance.branch(options.name);
  }

  get host(): string {
    return this.endpoint.IP;
  }

  get url(): string {
    return endpointUrl(this.endpoint);
  }

  start(): void {
    if (this.run !== undefined) return;
    const { events, network, isDebugged, say } = this.#around;
    network.lighten(this.host);
    const process = new Process(this.name, this.host, events, this.#chance.branch(`run ${++this.#runs}`));
    const store = this.#options.openStore(this.disk, this.#paceOf(process));
    const clock = new SteadyClock({
      wall: () => BEGIN + events.now + this.wallAhead,
      monotonic: process.monotonic,
      sinceBoot: () => events.now,
    });
    const logger = logOf((...line) => say(this.name, ...line), isDebugged);
    const core = buildCore({
      settings: this.settings,
      identity: { uuid: this.uuid, address: this.endpoint, instance: `${this.uuid}-${this.#runs}` },
      store,
      instance: { touch: () => store.touchInstance(clock.now()), stillPaused: () => undefined },
      clock,
      setTimer: process.setTimer,
      random: process.random,
      openSocket: (url: string, options?: { handshakeTimeout?: number }) =>
        network.connect(process, url, undefined, options?.handshakeTimeout ?? 5_000).asWebSocket,
      dkim: new DkimKeys([]),
      logger,
      identityLost: (where: string) => say(this.name, 'fatal', { where }, 'IDENTITY LOST'),
    });
    const run: ServerRun = { process, core, store, startedAt: events.now, isListening: false };
    this.run = run;
    const refusals = new WarnLimiter(logger, process.monotonic, KEEP_REFUSALS_MS);
    const begin = async (): Promise<void> => {
      await store.start();
      await core.start();
      if (!process.isAlive) return;
      run.isListening = true;
      network.listen(`${this.host}:${this.endpoint.PORT}`, {
        process,
        accept: (socket, { from }) => {
          const request = { headers: {}, socket: { remoteAddress: from } };
          new ConversationHost(socket.asWebSocket, request, core.conversations, refusals);
        },
      });
    };
    // A store that cannot be read at the start ends the process.
    begin().catch(() => this.kill());
  }

  /** kill -9. */
  kill(): void {
    const run = this.#end();
    if (run !== undefined) this.#around.network.closeAllOf(run.process);
  }

  /** The machine loses its power: nobody is told. */
  vanish(): void {
    if (this.#end() !== undefined) this.#around.network.darken(this.host);
  }

  /** SIGTERM. */
  stop(): void {
    const { run } = this;
    if (run === undefined || !run.isListening) {
      this.kill();
      return;
    }
    this.disturbedAt = this.#around.events.now;
    const hurry = new AbortController().signal;
    const end = async (): Promise<void> => {
      await run.core.drain({ withinMs: this.settings.drain, hurry });
      await run.core.stop();
      this.#unlisten(run);
      for (const socket of [...this.#around.network.socketsOf(run.process)] as VirtualSocket[])
        socket.close(GOING_AWAY, 'the server stops');
      await run.store.stop();
      run.process.setTimer(() => {
        if (this.run === run) this.kill();
      }, GOODBYE_MS);
    };
    end().catch(() => this.kill());
  }

  freeze(ms: number): void {
    this.disturbedAt = this.#around.events.now + ms;
    this.run?.process.freeze(ms);
  }

  #end(): ServerRun | undefined {
    const { run } = this;
    if (run === undefined) return undefined;
    this.disturbedAt = this.#around.events.now;
    this.run = undefined;
    this.doom = undefined;
    run.process.end();
    this.#unlisten(run);
    return run;
  }

  #unlisten(run: ServerRun): void {
    run.isListening = false;
    this.#around.network.unlisten(`${this.host}:${this.endpoint.PORT}`, run.process);
  }

  #paceOf(process: Process): Pace {
    const { events } = this.#around;
    const { commitMs, answerMs } = this.#options.diskHabits;
    let answeredAt = 0;
    return {
      commitLater: (commit) => {
        const at = events.now + this.#chance.spread(commitMs.min, commitMs.max);
        process.at(at, RANK.line, `c ${this.name}`, () => {
          if (this.doom === 'before a commit') this.kill();
          else commit();
        });
      },
      answerLater: (answer) => {
        const after = events.now + this.#chance.spread(answerMs.min, answerMs.max);
        answeredAt = Math.max(after, answeredAt + 0.001);
        process.at(answeredAt, RANK.line, `d ${this.name}`, () => {
          if (this.doom === 'before the answers') this.kill();
          else answer();
        });
      },
      fails: () => this.isDiskFull,
    };
  }
}
