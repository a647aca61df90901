import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type LogRecord, Process } from '../support/process.ts';

export interface SceneOptions {
  readonly servers: number;
  readonly workersPerServer: number;
  readonly latencyMs: number;
  /** The second sink goes down every so often, for so long; seconds. */
  readonly downEveryS: number;
  readonly downForS: number;
  readonly onLog: (server: number, record: LogRecord) => void;
}

export interface SceneServer {
  readonly process: Process;
  readonly url: string;
  readonly uuid: string;
}

/** The stage of the demo: real processes on free ports in a temporary folder. */
export class Scene {
  readonly folder = mkdtempSync(join(tmpdir(), 'mutirao-demo-'));
  readonly sinks: { process: Process; url: string; list: string }[] = [];
  readonly servers: SceneServer[] = [];
  /** Workers by the number of their home server. */
  readonly workers: { home: number; process: Process; data: string }[] = [];
  readonly #options: SceneOptions;
  #workerNumber = 0;

  constructor(options: SceneOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    const { servers, workersPerServer, latencyMs, downEveryS, downForS } = this.#options;
    await this.#startSink('steady', ['--latency', String(latencyMs)]);
    await this.#startSink('shaky', [
      ...['--latency', String(latencyMs)],
      ...['--down-every', String(downEveryS), '--down-for', String(downForS)],
    ]);
    for (let i = 0; i < servers; i++) await this.#startServer(i);
    for (let round = 0; round < workersPerServer; round++) {
      for (let home = 0; home < servers; home++) await this.startWorker(home);
    }
  }

  /** @param data folder of a worker that is gone, for the one that goes on where it ended */
  async startWorker(home: number, data?: string): Promise<Process> {
    const number = ++this.#workerNumber;
    const folder = data ?? join(this.folder, `worker-${number}`);
    const process = new Process({
      name: `worker ${number}`,
      entry: 'worker/main.ts',
      args: [...['--server', (this.servers[home] as SceneServer).url], ...['--data', folder]],
    });
    this.workers.push({ home, process, data: folder });
    await process.logged('connected');
    return process;
  }

  /** Ends everything, the sinks last. @returns the sinks' reports */
  async stop(): Promise<void> {
    await Promise.all(this.workers.map(({ process }) => process.stop()));
    await Promise.all(this.servers.map(({ process }) => process.stop()));
    await Promise.all(this.sinks.map(({ process }) => process.stop('SIGINT')));
  }

  /** Ends everything at once, when the demo itself failed or was interrupted. */
  async kill(): Promise<void> {
    const all = [...this.workers, ...this.servers, ...this.sinks];
    await Promise.all(all.map(({ process }) => process.kill()));
  }

  async #startSink(name: string, args: readonly string[]): Promise<void> {
    const list = join(this.folder, `sink-${name}.jsonl`);
    const process = new Process({
      name: `sink ${name}`,
      entry: 'sink/main.ts',
      args: ['--port', '0', '--json', '--list', list, ...args],
    });
    const [, address] = await process.prints(/^Sink listening on smtp:\/\/([\d.]+:\d+)/);
    this.sinks.push({ process, url: `smtp://${address}?name=${name}`, list });
  }

  async #startServer(index: number): Promise<void> {
    const first = this.servers[0];
    const process = new Process({
      name: `server ${index + 1}`,
      entry: 'server/main.ts',
      args: [
        ...['--port', '0', '--data', join(this.folder, `server-${index + 1}`)],
        ...this.sinks.flatMap((sink) => ['--relay', sink.url]),
        ...(first === undefined ? [] : ['--peer', first.url]),
        ...['--heartbeat', '500ms', '--lease', '6s'],
        ...['--retry-base', '2s', '--breaker-open', '1s'],
      ],
      onLog: (record) => this.#options.onLog(index, record),
    });
    const listening = await process.logged('server listens');
    this.servers.push({ process, url: String(listening.url), uuid: String(listening.server) });
  }
}
