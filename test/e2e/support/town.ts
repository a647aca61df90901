import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished } from 'vitest';
import type { Batch, BatchRecipient, ListedState, RowSource, Submission } from '../../../client/index.ts';
import { isOver } from '../../../client/index.ts';
import { messageIdOf } from '../../../mail/index.ts';
import { type Accounting, account } from '../../../scripts/demo/accounting.ts';
import { Process } from '../../../scripts/support/process.ts';
import { openSqliteStore } from '../../../server/store/index.ts';
import type { SinkOptionsInput } from '../../../sink/options.ts';
import { type Sink, startSink } from '../../../sink/sink.ts';
import { freePort } from '../../support/free-port.ts';
import { until } from '../../support/until.ts';
import { type ServerOptions, TownServer } from './town-server.ts';

/** Whole batches, also on a busy machine. */
export const BATCH_WITHIN_MS = 60_000;
const SENDER_DOMAIN = 'example.org';
/** More batches than any test submits to one server. */
const ALL_BATCHES = 100;

const LETTER: Submission = {
  from: `Town hall <news@${SENDER_DOMAIN}>`,
  subject: 'Hello {{name}}',
  text: 'Dear {{name}},\n\nthe well is open again.\n',
};

/** A batch and the server that has it. */
export interface Submitted {
  readonly server: TownServer;
  readonly id: string;
}

/** How a command of `mutirao` ended. */
export interface CommandResult {
  readonly code: number | NodeJS.Signals;
  readonly out: string;
  readonly errors: string;
}

/**
 * Real servers, workers and commands as processes, and sinks that the test can look into, all in one temporary folder. It
 * ends with the test: every process is killed, and every store is read from end to end and must be sound.
 */
export class Town {
  readonly folder = mkdtempSync(join(tmpdir(), 'mutirao-e2e-'));
  readonly sinks: Sink[] = [];
  readonly servers: TownServer[] = [];
  readonly processes: Process[] = [];
  #serverNumber = 0;
  readonly #onExit = (): void => {
    for (const { pid } of this.processes) if (pid !== 0) process.kill(pid, 'SIGKILL');
  };

  static async raise(): Promise<Town> {
    const town = new Town();
    process.once('exit', town.#onExit);
    onTestFinished(async ({ task }) => town.#end(task.result?.state === 'fail'));
    return town;
  }

  /** What no process of ours may take from the surroundings of the test. */
  get environment(): NodeJS.ProcessEnv {
    const own = Object.entries(process.env).filter(([name]) => !/^(MUTIRAO_|VITEST|NODE_)/.test(name));
    return { ...Object.fromEntries(own), HOME: this.folder, XDG_CONFIG_HOME: join(this.folder, 'config') };
  }

  run(name: string, entry: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Process {
    const process = new Process({
      name,
      entry,
      args,
      cwd: this.folder,
      env: { ...this.environment, ...env },
    });
    this.processes.push(process);
    return process;
  }

  async sink(options: SinkOptionsInput = {}): Promise<Sink> {
    const sink = await startSink({ port: 0, ...options });
    this.sinks.push(sink);
    return sink;
  }

  /** A server that listens. Its relays are all sinks that there are, unless it is told others. */
  async server(options: Partial<ServerOptions> = {}): Promise<TownServer> {
    const server = await this.newServer(options);
    await server.start();
    return server;
  }

  /** A server that is not started yet. */
  async newServer(options: Partial<ServerOptions> = {}): Promise<TownServer> {
    const name = `server-${++this.#serverNumber}`;
    const server = new TownServer((...run) => this.run(...run), {
      name,
      port: await freePort(),
      data: join(this.folder, name),
      relays: this.sinks.map(({ url }, index) => `${url}?name=sink-${index + 1}`),
      args: [],
      ...options,
    });
    this.servers.push(server);
    return server;
  }

  /** A worker that has connected to its home. */
  async worker(home: TownServer, args: readonly string[] = []): Promise<Process> {
    const worker = this.startWorker(['--server', home.url, ...args]);
    await worker.logged('connected');
    return worker;
  }

  async workers(count: number, home: TownServer, args: readonly string[] = []): Promise<Process[]> {
    return Promise.all(Array.from({ length: count }, () => this.worker(home, args)));
  }

  startWorker(args: readonly string[], env: NodeJS.ProcessEnv = {}): Process {
    return this.run(`worker ${this.processes.length}`, 'worker/main.ts', args, env);
  }

  /** `mutirao …` to its end. */
  async mutirao(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<CommandResult> {
    const command = this.run(`mutirao ${args[0]}`, 'cli/main.ts', args, env);
    const code = await command.ended(BATCH_WITHIN_MS);
    return { code, out: command.printed.join('\n'), errors: command.said.join('\n') };
  }

  async submit(
    server: TownServer,
    recipients: number | RowSource,
    submission: Partial<Submission> = {},
  ): Promise<Submitted> {
    const rows = typeof recipients === 'number' ? people(recipients) : recipients;
    const { batch } = await (await server.client()).submit({ ...LETTER, ...submission }, rows);
    return { server, id: batch };
  }

  /** Asks until the batch is as wanted, across restarts of its server. */
  async untilBatch(
    what: string,
    { server, id }: Submitted,
    isSo: (batch: Batch) => boolean,
    withinMs = BATCH_WITHIN_MS,
  ): Promise<Batch> {
    let last: Batch | undefined;
    try {
      return await until(
        what,
        async () => {
          last = await (await server.client()).batch(id).catch(() => undefined);
          return last !== undefined && isSo(last) ? last : undefined;
        },
        withinMs,
      );
    } catch (cause) {
      throw new Error(`${(cause as Error).message}; last seen: ${JSON.stringify(last)}`, { cause });
    }
  }

  async finished(submitted: Submitted, withinMs = BATCH_WITHIN_MS): Promise<Batch> {
    return this.untilBatch('the batch is finished', submitted, isOver, withinMs);
  }

  /** Recipients of a batch in one state. */
  async listed({ server, id }: Submitted, state: ListedState): Promise<BatchRecipient[]> {
    const client = await server.client();
    const listed: BatchRecipient[] = [];
    for await (const recipient of client.list(id, state)) listed.push(recipient);
    return listed;
  }

  /** How often each Message-ID arrived, over all sinks. */
  copies(): Map<string, number> {
    const copies = new Map<string, number>();
    for (const { deliveries } of this.sinks) {
      for (const { messageId, count } of deliveries.entries())
        copies.set(messageId, (copies.get(messageId) ?? 0) + count);
    }
    return copies;
  }

  /** What the sinks have against what the stores say. */
  async account(...batches: readonly Submitted[]): Promise<Accounting> {
    const stored = batches.map(async (submitted) => {
      const { counts } = await (await submitted.server.client()).batch(submitted.id);
      const { total, sent, failed, unknown } = counts;
      const failedSeqs = new Set((await this.listed(submitted, 'failed')).map(({ seq }) => seq));
      const marked = await this.listed(submitted, 'maybe-sent');
      const maybeSent = new Set(marked.map(({ seq }) => this.messageId(submitted, seq)));
      return {
        ...{ id: submitted.id, submitted: total, sent, failed, unknown, expectedFailed: failed },
        ...{ maybeSent, failedSeqs },
      };
    });
    return account(await Promise.all(stored), this.copies(), (id, seq) =>
      messageIdOf(id, seq, SENDER_DOMAIN),
    );
  }

  messageId({ id }: Submitted, seq: number): string {
    return messageIdOf(id, seq, SENDER_DOMAIN);
  }

  async #end(isFailed: boolean): Promise<void> {
    await Promise.all(this.servers.map((server) => server.disconnect()));
    await Promise.all(this.processes.map((process) => process.kill()));
    process.off('exit', this.#onExit);
    await Promise.all(this.sinks.map((sink) => sink.stop()));
    if (isFailed) {
      process.stderr.write(`Logs and stores of the failed test are in ${this.folder}\n`);
      return;
    }
    for (const { data, wasStarted } of this.servers) if (wasStarted) await expectSound(data);
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Everything balances and everybody got their mail: nothing lost, nothing twice that is not explained. */
export function expectBalanced(accounting: Accounting): void {
  const { lost, unaccounted, duplicated, explainedDuplicates } = accounting;
  expect({ lost, unaccounted, unexplained: duplicated - explainedDuplicates }).toEqual({
    lost: 0,
    unaccounted: 0,
    unexplained: 0,
  });
}

/** As before, and nobody got anything twice. */
export function expectExactlyOnce(accounting: Accounting): void {
  expectBalanced(accounting);
  expect(accounting.duplicated).toBe(0);
}

/** Ordinary recipients. */
export function* people(count: number, prefix = 'person'): Generator<{ address: string; name: string }> {
  for (let i = 0; i < count; i++) yield { address: `${prefix}${i}@example.net`, name: `Person ${i}` };
}

/** Every batch in a stopped server's store, counted anew from its rows. */
async function expectSound(data: string): Promise<void> {
  const store = openSqliteStore({ folder: data });
  await store.start();
  try {
    for (const { uuid } of await store.listBatches(ALL_BATCHES)) {
      const { problems } = await store.audit(uuid);
      expect(problems, `batch ${uuid} in ${data}`).toEqual([]);
    }
  } finally {
    await store.stop();
  }
}
