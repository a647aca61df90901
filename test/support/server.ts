import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { onTestFinished } from 'vitest';
import { loadSettings, SERVER_SETTINGS, type ServerSettings } from '../../config/index.ts';
import type { Logger } from '../../logging/index.ts';
import { type RunningServer, startServer } from '../../server/server.ts';
import { openSqliteStore } from '../../server/store/index.ts';

export interface LogLine {
  readonly level: number;
  readonly msg: string;
  readonly [key: string]: unknown;
}

const ERROR = 50;

/** A server in this process, with its data folder and what it logged. */
export class TestServer {
  readonly data: string;
  readonly log: LogLine[] = [];
  readonly #overrides: Readonly<Record<string, unknown>>;
  #running: RunningServer | undefined;

  constructor(data: string, overrides: Readonly<Record<string, unknown>>) {
    this.data = data;
    this.#overrides = overrides;
  }

  get running(): RunningServer {
    if (this.#running === undefined) throw new Error('the server is not started');
    return this.#running;
  }

  get url(): string {
    return this.running.url;
  }

  get errors(): LogLine[] {
    return this.log.filter((line) => line.level >= ERROR);
  }

  /** Starts it, or starts it again over the same data. */
  async start(overrides: Readonly<Record<string, unknown>> = {}): Promise<this> {
    this.#running = await startServer(
      testSettings({ data: this.data, ...this.#overrides, ...overrides }),
      this.logger,
    );
    return this;
  }

  /** Stops it without waiting for its workers. */
  async stop(): Promise<void> {
    this.#running?.hurry();
    await this.#running?.stop();
  }

  /** The counts of a batch, told by the store and counted anew from its rows; call it when the server is stopped. */
  async audit(batch: string) {
    const store = openSqliteStore({ folder: this.data });
    await store.start();
    try {
      const { counts, problems } = await store.audit(batch);
      return { counts, problems, record: await store.getBatch(batch) };
    } finally {
      await store.stop();
    }
  }

  /** Writes into `log`. */
  get logger(): Logger {
    const write = (line: string): void => {
      this.log.push(JSON.parse(line) as LogLine);
    };
    return pino({ level: 'debug' }, { write });
  }
}

/**
 * Settings of a server for tests: any free port, few milliseconds where the defaults have seconds. `lease` as a number is in
 * ms, and may be shorter than an operator can choose.
 */
export function testSettings(overrides: Readonly<Record<string, unknown>> = {}): ServerSettings {
  const { lease, ...flags } = overrides;
  const quick = { port: 0, retryBase: '100ms', breakerOpen: '200ms', park: '10s', drain: '5s' };
  const isMs = typeof lease === 'number';
  const settings = loadSettings(SERVER_SETTINGS, {
    flags: { ...quick, ...flags, ...(isMs ? {} : { lease }) },
    environment: {},
  });
  return isMs ? { ...settings, lease } : settings;
}

/** A folder that goes with the test. */
export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'mutirao-server-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** A running server that ends with the test. Overrides are by the names of the settings, values as flags have them. */
export async function startTestServer(
  overrides: Readonly<Record<string, unknown>> = {},
): Promise<TestServer> {
  const server = new TestServer(await temporaryFolder(), overrides);
  onTestFinished(() => server.stop());
  return server.start();
}
