import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { connect, type MutiraoClient, type Row } from '../../../client/index.ts';
import { LocalPostgres } from '../../support/postgres.ts';
import { Process } from '../../support/process.ts';
import type { Reader } from '../letter.ts';
import type { StoreKind } from '../options.ts';
import type { Relay } from './contender.ts';
import { STORES } from './stores.ts';

export interface HomeOptions {
  readonly relay: Relay;
  readonly store?: StoreKind;
  /** Further flags of the server. */
  readonly args?: readonly string[];
}

/** A server of ours and its workers, as real processes with their default settings, over a store of their own. */
export class Home {
  readonly server: Process;
  readonly url: string;
  readonly client: MutiraoClient;
  readonly workers: Process[] = [];
  readonly #folder: string;
  readonly #postgres: LocalPostgres | undefined;

  private constructor(
    folder: string,
    postgres: LocalPostgres | undefined,
    server: Process,
    url: string,
    client: MutiraoClient,
  ) {
    this.#folder = folder;
    this.#postgres = postgres;
    this.server = server;
    this.url = url;
    this.client = client;
  }

  static async start({ relay, store = 'sqlite', args = [] }: HomeOptions): Promise<Home> {
    mkdirSync(STORES, { recursive: true });
    const folder = mkdtempSync(join(STORES, 'bench-'));
    const postgres = store === 'postgres' ? await LocalPostgres.make(STORES) : undefined;
    const database = await postgres?.database('mutirao');
    const server = new Process({
      name: 'server',
      entry: 'server/main.ts',
      args: [
        ...['--port', '0', '--data', join(folder, 'server')],
        ...['--relay', `smtp://${relay.host}:${relay.port}?name=sink`],
        ...args,
      ],
      env: database === undefined ? process.env : { ...process.env, MUTIRAO_STORE: database },
    });
    const url = String((await server.logged('server listens')).url);
    return new Home(folder, postgres, server, url, await connect({ server: url }));
  }

  /** Resolves when it is connected. */
  async addWorker(args: readonly string[] = []): Promise<void> {
    const number = this.workers.length + 1;
    const worker = new Process({
      name: `worker ${number}`,
      entry: 'worker/main.ts',
      args: ['--server', this.url, '--data', join(this.#folder, `worker-${number}`), ...args],
    });
    this.workers.push(worker);
    await worker.logged('connected');
  }

  get pids(): { readonly server: readonly number[]; readonly worker: readonly number[] } {
    return { server: [this.server.pid], worker: this.workers.map(({ pid }) => pid) };
  }

  async stop(): Promise<void> {
    await this.client.close();
    await Promise.all(this.workers.map((worker) => worker.stop()));
    await this.server.stop();
    await this.#postgres?.remove();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** Readers of the letter as rows of a submission. */
export function* rowsOf(readers: Iterable<Reader>): Generator<Row> {
  for (const { address, first, city, code } of readers) yield { address, variables: { first, city, code } };
}

/** How often the client hears of its batch, ms; the end is told at once. */
const WATCH_EVERY_MS = 500;
/** A batch of which nothing is heard for so long is stuck, ms: each mail that is settled would be heard of. */
const STUCK_AFTER_MS = 30_000;

/** Waits for the end of a batch. @throws when not every mail was sent, or nothing moves any more */
export async function allSent(client: MutiraoClient, batch: string): Promise<void> {
  let total = 0;
  let sent = 0;
  const stuck = new AbortController();
  const timer = setTimeout(() => {
    stuck.abort(new Error(`the batch is stuck, ${sent} of ${total} mails are sent; see the logs`));
  }, STUCK_AFTER_MS);
  try {
    for await (const { counts } of client.watch(batch, { everyMs: WATCH_EVERY_MS, signal: stuck.signal })) {
      if (counts.sent !== sent) timer.refresh();
      ({ total, sent } = counts);
    }
  } finally {
    clearTimeout(timer);
  }
  if (sent !== total) throw new Error(`only ${sent} of ${total} mails were sent`);
}
