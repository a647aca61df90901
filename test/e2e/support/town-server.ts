import { type ConnectOptions, connect, type MutiraoClient } from '../../../client/index.ts';
import type { Process } from '../../../scripts/support/process.ts';
import type { MeshSnapshot } from '../../../server/mesh/snapshot.ts';
import { until } from '../../support/until.ts';

/** Short times, so that nobody waits; their proportions are those of the defaults. */
const QUICK = [
  ...['--heartbeat', '250ms', '--lease', '3s', '--task-seconds', '500ms'],
  ...['--retry-base', '400ms', '--retry-cap', '2s', '--breaker-open', '500ms', '--breaker-cap', '1s'],
  ...['--borrow-above', '1s', '--return-below', '300ms', '--min-loan', '500ms'],
];

export interface ServerOptions {
  readonly name: string;
  readonly port: number;
  readonly data: string;
  readonly relays: readonly string[];
  /** Beyond the port, the data folder, the relays and short times; the last one given of a flag counts. */
  readonly args: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
  /** How the test's client connects; the address is known. */
  readonly client?: Omit<ConnectOptions, 'server'>;
  readonly scheme?: 'ws' | 'wss';
}

/** What the tests look at in a server's account of itself. */
export interface ServerAccount {
  readonly uuid: string;
  readonly backlog: number;
  readonly sending: number;
  readonly workersTotal: number;
  readonly workers: readonly { readonly uuid: string; readonly home?: string; readonly idle: boolean }[];
  readonly relays: readonly {
    readonly name: string;
    readonly breaker: string;
    readonly sent: number;
    readonly faults: number;
    readonly lastFault?: string;
  }[];
  readonly mesh: MeshSnapshot;
}

type Run = (name: string, entry: string, args: readonly string[], env?: NodeJS.ProcessEnv) => Process;

/** A server process that can be killed and started again on the same port and data folder. */
export class TownServer {
  readonly url: string;
  readonly data: string;
  readonly #run: Run;
  readonly #options: ServerOptions;
  #process: Process | undefined;
  #client: Promise<MutiraoClient> | undefined;

  constructor(run: Run, options: ServerOptions) {
    this.#run = run;
    this.#options = options;
    this.data = options.data;
    this.url = `${options.scheme ?? 'ws'}://127.0.0.1:${options.port}`;
  }

  get wasStarted(): boolean {
    return this.#process !== undefined;
  }

  get process(): Process {
    if (this.#process === undefined) throw new Error(`${this.#options.name} was not started`);
    return this.#process;
  }

  /** Starts it, or starts it again after it ended. */
  async start(): Promise<void> {
    this.launch();
    await this.process.logged('server listens', 30_000);
  }

  /** Starts the process, and waits for nothing. */
  launch(): void {
    const { name, port, data, relays, args, env } = this.#options;
    this.#process = this.#run(
      name,
      'server/main.ts',
      [
        ...['--port', String(port), '--data', data, ...QUICK],
        ...relays.flatMap((relay) => ['--relay', relay]),
        ...args,
      ],
      env,
    );
  }

  async client(): Promise<MutiraoClient> {
    this.#client ??= connect({ server: this.url, ...this.#options.client }).catch((error: unknown) => {
      this.#client = undefined;
      throw error;
    });
    return this.#client;
  }

  async disconnect(): Promise<void> {
    await this.#client?.then((client) => client.close()).catch(() => {});
    this.#client = undefined;
  }

  async account(): Promise<ServerAccount> {
    return (await (await this.client()).server()) as unknown as ServerAccount;
  }

  /** Waits until its account of itself is so; it may be gone and come back meanwhile. */
  async until(
    what: string,
    isSo: (account: ServerAccount) => boolean,
    withinMs?: number,
  ): Promise<ServerAccount> {
    let last: ServerAccount | undefined;
    try {
      return await until(
        `${this.#options.name}: ${what}`,
        async () => {
          last = await this.account().catch(() => undefined);
          return last !== undefined && isSo(last) ? last : undefined;
        },
        withinMs,
      );
    } catch (cause) {
      throw new Error(`${(cause as Error).message}; last seen: ${JSON.stringify(last)}`, { cause });
    }
  }
}
