import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { connect, type MutiraoClient, type Row } from '../../client/index.ts';
import { Process } from '../support/process.ts';
import type { Contender, CpuByPart, Load, Relay, Sample } from './contender.ts';
import { type Reader, readersOf } from './letter.ts';
import { cpuOver, peakRssMBOf } from './usage.ts';

/** How often the client hears of its batch, ms; the end is told at once. */
const WATCH_EVERY_MS = 500;
/** In the working folder, beside other stores: a temporary folder may be memory, where making things durable is free. */
export const STORES = '.mutirao';

export interface MutiraoOptions {
  readonly relay: Relay;
  readonly workers: number;
  readonly connections: number;
}

/**
 * Ours, end to end, as real processes with their default settings: the client submits, the server stores, workers send,
 * results are stored, and the client hears that the batch is finished.
 */
export class Mutirao implements Contender {
  readonly name = 'mutirao';
  readonly #options: MutiraoOptions;
  readonly #workers: Process[] = [];
  #folder = '';
  #server: Process | undefined;
  #client: MutiraoClient | undefined;

  constructor(options: MutiraoOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    const { relay, workers, connections } = this.#options;
    mkdirSync(STORES, { recursive: true });
    this.#folder = mkdtempSync(join(STORES, 'bench-'));
    const server = new Process({
      name: 'server',
      entry: 'server/main.ts',
      args: [
        ...['--port', '0', '--data', join(this.#folder, 'server')],
        ...['--relay', `smtp://${relay.host}:${relay.port}?name=sink`],
      ],
    });
    this.#server = server;
    const { url } = await server.logged('server listens');
    for (let i = 0; i < workers; i++) {
      const worker = new Process({
        name: `worker ${i + 1}`,
        entry: 'worker/main.ts',
        args: [
          ...['--server', String(url), '--connections', String(Math.ceil(connections / workers))],
          ...['--log-file', join(this.#folder, `worker-${i + 1}.log`)],
        ],
      });
      this.#workers.push(worker);
      await worker.logged('connected');
    }
    this.#client = await connect({ server: String(url) });
  }

  async round({ mails, letter }: Load): Promise<Sample> {
    const client = this.#client;
    if (client === undefined) throw new Error('not started');
    let seconds = 0;
    const cpuMicros = await cpuOver({ ...this.#pids(), client: [process.pid] }, async () => {
      const startedAt = performance.now();
      const { batch } = await client.submit(letter, () => rowsOf(readersOf(mails)));
      let sent = 0;
      for await (const { counts } of client.watch(batch, { everyMs: WATCH_EVERY_MS })) sent = counts.sent;
      seconds = (performance.now() - startedAt) / 1000;
      if (sent !== mails) throw new Error(`only ${sent} of ${mails} mails were sent`);
    });
    return { mails, seconds, cpuMicros };
  }

  peakRssMB(): CpuByPart | undefined {
    const { server, worker } = this.#pids();
    const peak = { server: peakRssMBOf(server), worker: peakRssMBOf(worker) };
    if (peak.server === undefined || peak.worker === undefined) return undefined;
    return { server: peak.server, worker: peak.worker };
  }

  async stop(): Promise<void> {
    await this.#client?.close();
    await Promise.all(this.#workers.map((worker) => worker.stop()));
    await this.#server?.stop();
    if (this.#folder !== '') rmSync(this.#folder, { recursive: true, force: true });
  }

  #pids(): { readonly server: readonly number[]; readonly worker: readonly number[] } {
    return {
      server: this.#server === undefined ? [] : [this.#server.pid],
      worker: this.#workers.map((worker) => worker.pid),
    };
  }
}

function* rowsOf(readers: Iterable<Reader>): Generator<Row> {
  for (const { address, first, city, code } of readers) yield { address, variables: { first, city, code } };
}
