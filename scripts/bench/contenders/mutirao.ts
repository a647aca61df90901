import { readersOf } from '../letter.ts';
import type { StoreKind } from '../options.ts';
import { cpuOver, peakRssMBOf } from '../usage.ts';
import type { Contender, CpuByPart, Load, Relay, Sample } from './contender.ts';
import { allSent, Home, rowsOf } from './home.ts';

export interface MutiraoOptions {
  readonly name?: string;
  readonly relay: Relay;
  /** Worker processes. */
  readonly processes: number;
  readonly connections: number;
  readonly store?: StoreKind;
  /** Further flags of the server. */
  readonly args?: readonly string[];
}

/** Ours, end to end: the client submits, the server stores, workers send, results are stored, and the client hears that all is done. */
export class Mutirao implements Contender {
  readonly name: string;
  readonly #options: MutiraoOptions;
  #home: Home | undefined;

  constructor(options: MutiraoOptions) {
    this.name = options.name ?? 'mutirao';
    this.#options = options;
  }

  async start(): Promise<void> {
    const { relay, processes, connections, store, args } = this.#options;
    this.#home = await Home.start({ relay, store, args });
    for (let i = 0; i < processes; i++)
      await this.#home.addWorker(['--connections', String(Math.ceil(connections / processes))]);
  }

  async round({ mails, letter }: Load): Promise<Sample> {
    const { client, pids } = this.#started();
    let seconds = 0;
    const cpuMicros = await cpuOver({ ...pids, client: [process.pid] }, async () => {
      const startedAt = performance.now();
      const { batch } = await client.submit(letter, () => rowsOf(readersOf(mails)));
      await allSent(client, batch);
      seconds = (performance.now() - startedAt) / 1000;
    });
    return { mails, seconds, cpuMicros };
  }

  peakRssMB(): CpuByPart | undefined {
    const { pids } = this.#started();
    const peak = { server: peakRssMBOf(pids.server), worker: peakRssMBOf(pids.worker) };
    if (peak.server === undefined || peak.worker === undefined) return undefined;
    return { server: peak.server, worker: peak.worker };
  }

  async stop(): Promise<void> {
    await this.#home?.stop();
  }

  #started(): Home {
    if (this.#home === undefined) throw new Error('not started');
    return this.#home;
  }
}
