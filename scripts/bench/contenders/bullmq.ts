import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { freePort } from '../free-port.ts';
import { ForeignServer } from '../programs/foreign.ts';
import { programOf, REDIS } from '../programs/program.ts';
import { cpuOver, peakRssMBOf } from '../usage.ts';
import { Child } from './child.ts';
import {
  type Contender,
  type CpuByPart,
  type Load,
  type Relay,
  type Sample,
  Unavailable,
} from './contender.ts';
import { STORES } from './stores.ts';

/** Its own package, apart from the main install. */
const PACKAGE = join(import.meta.dirname, '..', 'bullmq');
const RIVALS = join(import.meta.dirname, '..', 'rivals');
const INSTALL_WITHIN_MS = 120_000;
const HOST = '127.0.0.1';

/**
 * BullMQ with nodemailer's pool: a process that adds a job per mail, a process that works them off, and Redis. Redis appends to a
 * file and makes it durable once a second, as BullMQ's own guide for production wants it: a second's work may be lost.
 */
export class BullMq implements Contender {
  readonly name = 'bullmq';
  readonly #relay: Relay;
  readonly #connections: number;
  readonly #offline: boolean;
  #folder = '';
  #redis: ForeignServer | undefined;
  #producer: Child | undefined;
  #worker: Child | undefined;

  constructor(relay: Relay, connections: number, { offline }: { readonly offline: boolean }) {
    this.#relay = relay;
    this.#connections = connections;
    this.#offline = offline;
  }

  async start(): Promise<void> {
    const redis = await programOf(REDIS, { offline: this.#offline });
    await this.#install();
    mkdirSync(STORES, { recursive: true });
    this.#folder = mkdtempSync(join(STORES, 'bench-'));
    const port = await freePort(HOST);
    const durable = ['--appendonly', 'yes', '--appendfsync', 'everysec', '--save', ''];
    const args = ['--bind', HOST, '--port', String(port), '--dir', this.#folder, ...durable];
    this.#redis = await ForeignServer.start('redis-server', redis, args, HOST, port);
    const { host, port: relayPort } = this.#relay;
    const worker = [String(port), host, String(relayPort), String(this.#connections)];
    this.#worker = await Child.start('bullmq worker', join(RIVALS, 'bullmq-worker.ts'), worker);
    this.#producer = await Child.start('bullmq', join(RIVALS, 'bullmq-producer.ts'), [String(port)]);
  }

  async round(load: Load): Promise<Sample> {
    const { worker, producer } = this.#started();
    let seconds = 0;
    const cpuMicros = await cpuOver(this.#pids(), async () => {
      const startedAt = performance.now();
      const done = worker.ask(load);
      await Promise.all([done, producer.ask({ mails: load.mails })]);
      seconds = (performance.now() - startedAt) / 1000;
    });
    return { mails: load.mails, seconds, cpuMicros };
  }

  peakRssMB(): CpuByPart | undefined {
    const { redis, worker } = this.#pids();
    const peak = { redis: peakRssMBOf(redis), worker: peakRssMBOf(worker) };
    if (peak.redis === undefined || peak.worker === undefined) return undefined;
    return { redis: peak.redis, worker: peak.worker };
  }

  async stop(): Promise<void> {
    await this.#producer?.stop();
    await this.#worker?.stop();
    await this.#redis?.stop();
    if (this.#folder !== '') rmSync(this.#folder, { recursive: true, force: true });
  }

  #started(): { readonly worker: Child; readonly producer: Child } {
    if (this.#worker === undefined || this.#producer === undefined) throw new Error('not started');
    return { worker: this.#worker, producer: this.#producer };
  }

  #pids(): Readonly<Record<'redis' | 'worker' | 'client', readonly number[]>> {
    const { worker, producer } = this.#started();
    return { redis: [this.#redis?.pid ?? 0], worker: worker.pids, client: producer.pids };
  }

  async #install(): Promise<void> {
    if (existsSync(join(PACKAGE, 'node_modules', 'bullmq'))) return;
    if (this.#offline) throw new Unavailable('BullMQ is not installed, and --offline forbids fetching it');
    try {
      const args = ['ci', '--ignore-scripts', '--no-audit', '--no-fund'];
      await promisify(execFile)('npm', args, {
        cwd: PACKAGE,
        timeout: INSTALL_WITHIN_MS,
        shell: process.platform === 'win32',
      });
    } catch (error) {
      const [why] = (error instanceof Error ? error.message : String(error)).split('\n');
      throw new Unavailable(`npm cannot install BullMQ in ${PACKAGE} (${why})`);
    }
  }
}
