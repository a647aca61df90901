import type { Relay } from '../../../protocol/index.ts';
import type { CompileMessage, RelaySession } from '../../../worker/tasks/contract.ts';
import { type RunningWorker, startWorker } from '../../../worker/worker.ts';
import type { Chance } from '../engine/chance.ts';
import { Process } from '../engine/process.ts';
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
  readonly openSession: (relay: Relay, process: Process, signal: AbortSignal) => Promise<RelaySession>;
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
  #runs = 0;
  uuid: string;
  run: { readonly process: Process; readonly worker: RunningWorker; readonly startedAt: number } | undefined;
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

  /** @param isNew it has forgotten who it was */
  start(isNew = false): void {
    if (this.run !== undefined) return;
    const { events, network, say, isDebugged } = this.#around;
    network.lighten(this.host);
    const process = new Process(this.name, this.host, events, this.#chance.branch(`run ${++this.#runs}`));
    if (isNew) this.uuid = `${this.options.uuid}-${this.#runs}`;
    const { home, fallbacks, connections, inFlight, drainMs } = this.options;
    const worker = startWorker({
      uuid: this.uuid,
      servers: [home.url, ...fallbacks],
      logger: logOf((...line) => say(this.name, ...line), isDebugged),
      compile,
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
      openSession: (relay, signal) => this.options.openSession(relay, process, signal),
    });
    this.run = { process, worker, startedAt: events.now };
  }

  /** kill -9. */
  kill(): void {
    const process = this.#end();
    if (process !== undefined) this.#around.network.closeAllOf(process);
  }

  /** The machine loses its power. */
  vanish(): void {
    if (this.#end() !== undefined) this.#around.network.darken(this.host);
  }

  /** SIGTERM; a second one hurries. */
  stop(): void {
    const { run } = this;
    if (run === undefined) return;
    this.disturbedAt = this.#around.events.now;
    void run.worker.stop().then(() => {
      if (this.run === run) this.kill();
    });
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
