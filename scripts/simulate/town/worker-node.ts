import type { Logger } from '../../../logging/index.ts';
import type { Relay } from '../../../protocol/index.ts';
import { Journal } from '../../../worker/journal/journal.ts';
import {
  type CompileMessage,
  type Gate,
  NO_JOURNAL,
  type RelaySession,
} from '../../../worker/tasks/contract.ts';
import { type RunningWorker, startWorker } from '../../../worker/worker.ts';
import type { Chance } from '../engine/chance.ts';
import { Process } from '../engine/process.ts';
import { MemoryFiles } from '../store/memory-files.ts';
import { logOf } from './log.ts';
import type { ServerNode, Surround } from './server-node.ts';

export interface WorkerOptions {
  readonly name: string;
  readonly uuid: string;
  readonly home: ServerNode;
  /** Servers behind its home, by URL. */
  readonly fallbacks: readonly string[];
  readonly connections: number;
  readonly inFlight: number;
  readonly drainMs: number;
  /** Opens an SMTP session of this worker. */
  readonly openSession: (
    relay: Relay,
    at: { readonly process: Process; readonly gate: Gate },
    signal: AbortSignal,
  ) => Promise<RelaySession>;
  /** It keeps a journal, and so its name when it is started again. */
  readonly journal: boolean;
}

/** Every mail is its Message-ID: that is what relays know it by. */
const compile: CompileMessage = async () => ({
  render: ({ ADDRESS, MESSAGE_ID }) => ({
    envelope: { from: 'news@example.org', to: ADDRESS },
    bytes: Buffer.from(MESSAGE_ID),
  }),
});

/** A worker: it is started, killed, stopped, and started again. */
export class WorkerNode {
  readonly name: string;
  readonly home: ServerNode;
  readonly options: WorkerOptions;
  readonly #around: Surround;
  readonly #chance: Chance;
  readonly #files = new MemoryFiles();
  #runs = 0;
  /** Starts of its machine. */
  #boots = 0;
  uuid: string;
  run:
    | { readonly process: Process; readonly worker: RunningWorker; readonly journal: Journal | undefined }
    | undefined;
  /** When it was last killed, stopped or frozen. */
  disturbedAt = Number.NEGATIVE_INFINITY;

  constructor(options: WorkerOptions, around: Surround) {
    this.name = options.name;
    this.uuid = options.uuid;
    this.home = options.home;
    this.options = options;
    this.#around = around;
    this.#chance = around.chance.branch(options.name);
  }

  /** Each worker has a machine of its own. */
  get host(): string {
    return this.name;
  }

  start(): void {
    if (this.run !== undefined) return;
    const { events, network, say, isDebugged } = this.#around;
    network.lighten(this.host);
    const process = new Process(this.name, this.host, events, this.#chance.branch(`run ${++this.#runs}`));
    const logger = logOf((...line) => say(this.name, ...line), isDebugged);
    const journal = this.#openJournal(logger);
    if (this.options.journal && journal === undefined) return;
    this.uuid = journal?.worker ?? `${this.options.uuid}-${this.#runs}`;
    const gate = journal ?? NO_JOURNAL;
    const { home, fallbacks, connections, inFlight, drainMs } = this.options;
    const worker = startWorker({
      uuid: this.uuid,
      servers: [home.url, ...fallbacks],
      logger,
      compile,
      journal,
      connections,
      inFlight,
      drainMs,
      surroundings: {
        now: process.monotonic,
        setTimer: process.setTimer,
        soon: process.soon,
        random: process.random,
      },
      openSocket: (url, { handshakeTimeout = 10_000 }) =>
        network.connect(process, url, undefined, handshakeTimeout).asWebSocket,
      openSession: (relay, signal) => this.options.openSession(relay, { process, gate }, signal),
    });
    this.run = { process, worker, journal };
  }

  /** kill -9. */
  kill(): void {
    const process = this.#end();
    if (process !== undefined) this.#around.network.closeAllOf(process);
  }

  /** The machine loses its power. */
  vanish(): void {
    this.#boots++;
    if (this.#end() !== undefined) this.#around.network.darken(this.host);
  }

  /** SIGTERM; a second one hurries. */
  stop(): void {
    const { run } = this;
    if (run === undefined) return;
    this.disturbedAt = this.#around.events.now;
    void run.worker.stop().then(() => {
      run.journal?.close();
      if (this.run === run) this.kill();
    });
  }

  /** Its disk takes nothing, or does again. */
  set isDiskFull(isFull: boolean) {
    this.#files.isFull = isFull;
  }

  #openJournal(logger: Logger): Journal | undefined {
    if (!this.options.journal) return undefined;
    try {
      return Journal.open({
        folder: this.name,
        logger,
        openFile: this.#files.open,
        boot: `boot ${this.#boots}`,
      });
    } catch {
      // As the command does: a worker that cannot write is not started.
      return undefined;
    }
  }

  freeze(ms: number): void {
    this.disturbedAt = this.#around.events.now + ms;
    this.run?.process.freeze(ms);
  }

  #end(): Process | undefined {
    const { run } = this;
    if (run === undefined) return undefined;
    this.disturbedAt = this.#around.events.now;
    this.run = undefined;
    run.process.end();
    return run.process;
  }
}
