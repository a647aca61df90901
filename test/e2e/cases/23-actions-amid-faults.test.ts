import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { Batch } from '../../../client/index.ts';
import type { TcpProxy } from '../../../scripts/chaos/network/tcp-proxy.ts';
import type { Process } from '../../../scripts/support/process.ts';
import { seededRandom } from '../../../sink/pace.ts';
import { until } from '../../support/until.ts';
import { portOf, proxyTo } from '../support/proxy.ts';
import { expectBalanced, people, type Submitted, Town } from '../support/town.ts';

const BATCHES = 8;
const SIZE = 300;
const STEPS = 26;
/** Between two steps, so that mail moves meanwhile, ms. */
const STEP_MS = 200;
const WORKERS = 3;
/** Draws faults and actions; another one is another story. */
const SEED = Number(process.env.MUTIRAO_CASE_SEED ?? 1);

type Action = 'pause' | 'resume' | 'cancel';

/** A server, its workers behind lines that can be cut, and relays that can go: everything that is done to them is drawn from a seed. */
class Storm {
  readonly town: Town;
  readonly #random: () => number;
  readonly #workers: Process[] = [];
  readonly #line: TcpProxy;
  readonly done = new Map<string, number>();

  static async over(town: Town, seed: number): Promise<Storm> {
    for (let i = 0; i < 2; i++) await town.sink({ latencyMs: 10 });
    const server = await town.server({ args: ['--lease', '2s', '--drain', '1s'] });
    const storm = new Storm(town, seededRandom(seed), await proxyTo(portOf(server.url)));
    for (let i = 0; i < WORKERS; i++) await storm.#startWorker(i);
    return storm;
  }

  private constructor(town: Town, random: () => number, line: TcpProxy) {
    this.town = town;
    this.#random = random;
    this.#line = line;
  }

  get server() {
    return this.town.servers[0] as NonNullable<(typeof this.town.servers)[0]>;
  }

  pick<T>(choices: readonly T[]): T {
    return choices[Math.floor(this.#random() * choices.length)] as T;
  }

  async #startWorker(index: number): Promise<void> {
    const worker = this.town.startWorker([
      ...['--server', `ws://127.0.0.1:${this.#line.port}`],
      ...['--connections', '5', '--in-flight', '20', '--drain', '1s'],
    ]);
    this.#workers[index] = worker;
    await worker.logged('connected', 30_000);
  }

  /** One fault, to its end. */
  async strike(): Promise<void> {
    const faults: Record<string, () => Promise<unknown>> = {
      'worker killed': async () => {
        const index = this.pick([0, 1, 2]);
        await this.#workers[index]?.kill();
        await this.#startWorker(index);
      },
      'worker stopped': async () => {
        const index = this.pick([0, 1, 2]);
        await this.#workers[index]?.stop();
        await this.#startWorker(index);
      },
      'server killed': async () => {
        await this.server.process.kill();
        await this.server.start();
      },
      'server stopped': async () => {
        await this.server.process.stop();
        await this.server.start();
      },
      'lines cut': async () => this.#line.cut(),
      'relay gone': async () => {
        const sink = this.pick(this.town.sinks);
        await sink.down();
        await sleep(STEP_MS);
        await sink.up();
      },
    };
    const name = this.pick(Object.keys(faults));
    this.#note(name);
    await faults[name]?.();
  }

  /** Asks until it is acknowledged, or refused because the batch is over. @returns the state that it is in from then on */
  async ask(action: Action, { id }: Submitted): Promise<Batch['state']> {
    this.#note(action);
    return until(`${action} is answered`, async () => {
      const client = await this.server.client().catch(() => undefined);
      return client?.[action](id).then(
        ({ batch }) => batch.state,
        (error: { code?: string }) => {
          if (error.code !== 'WRONG_STATE') return undefined;
          return client.batch(id).then(
            ({ state }) => state,
            () => undefined,
          );
        },
      );
    });
  }

  #note(what: string): void {
    this.done.set(what, (this.done.get(what) ?? 0) + 1);
  }
}

/** Recipients of whom every tenth is put off once. */
function* crowd(batch: number) {
  let number = 0;
  for (const { address, name } of people(SIZE, `batch${batch}-`))
    yield { address: number++ % 10 === 0 ? `450once-${address}` : address, name };
}

/** Which recipients of a batch the relays have, and how often. */
function arrived(town: Town, batch: Submitted): Map<number, number> {
  const copies = town.copies();
  const found = new Map<number, number>();
  for (let seq = 0; seq < SIZE; seq++) {
    const count = copies.get(town.messageId(batch, seq)) ?? 0;
    if (count > 0) found.set(seq, count);
  }
  return found;
}

/** A cancelled batch: what is out is counted as sent or marked, and nothing else is out. */
async function expectCancelledSoundly(town: Town, batch: Submitted, { counts }: Batch): Promise<void> {
  expect(counts).toMatchObject({ total: SIZE, pending: 0, leased: 0, deferred: 0 });
  const out = arrived(town, batch);
  const marked = new Set((await town.listed(batch, 'maybe-sent')).map(({ seq }) => seq));
  const unmarked = [...out].filter(([seq]) => !marked.has(seq));
  expect(unmarked.filter(([, copies]) => copies > 1)).toEqual([]);
  expect(counts.sent).toBeGreaterThanOrEqual(unmarked.length);
  expect(counts.sent).toBeLessThanOrEqual(out.size);
}

test('case 23: paused batches stand still, cancelled ones end, resumed ones go on, while workers, server, lines and relays come and go', {
  timeout: 120_000,
}, async () => {
  const town = await Town.raise();
  const storm = await Storm.over(town, SEED);
  const { server } = storm;
  const batches: Submitted[] = [];
  const states = new Map<Submitted, Batch['state']>();
  for (let i = 0; i < BATCHES; i++) {
    const batch = await town.submit(server, [...crowd(i)]);
    batches.push(batch);
    states.set(batch, 'running');
  }
  for (let step = 0; step < STEPS; step++) {
    const batch = storm.pick(batches);
    const action = storm.pick<Action>(['pause', 'pause', 'resume', 'resume', 'resume', 'cancel']);
    // a third of them is cancelled at most
    const isEnough = [...states.values()].filter((state) => state === 'cancelled').length >= BATCHES / 3;
    const [state] = await Promise.all([
      storm.ask(action === 'cancel' && isEnough ? 'pause' : action, batch),
      step % 2 === 0 ? storm.strike() : sleep(STEP_MS),
    ]);
    // a batch that was over before it was asked is as it was
    if (state === 'running' || state === 'paused')
      expect(state).toBe(action === 'resume' ? 'running' : 'paused');
    states.set(batch, state);
  }

  // paused ones stand still, whoever was killed meanwhile
  const paused = batches.filter((batch) => states.get(batch) === 'paused');
  for (const batch of paused) {
    const now = await town.untilBatch('it stands still', batch, ({ counts }) => counts.leased === 0);
    expect(['paused', 'finished']).toContain(now.state);
  }
  const before = paused.map((batch) => arrived(town, batch));
  const running = batches.filter((batch) => states.get(batch) === 'running');
  for (const batch of running) await town.finished(batch);
  expect(paused.map((batch) => arrived(town, batch))).toEqual(before);

  for (const batch of paused) await storm.ask('resume', batch);
  const ended = new Map<Submitted, Batch>();
  for (const batch of batches) ended.set(batch, await town.finished(batch));
  const finished = batches.filter((batch) => ended.get(batch)?.state === 'finished');
  for (const batch of finished) expect(ended.get(batch)?.counts).toMatchObject({ total: SIZE, sent: SIZE });
  const cancelled = batches.filter((batch) => ended.get(batch)?.state === 'cancelled');
  for (const batch of cancelled) await expectCancelledSoundly(town, batch, ended.get(batch) as Batch);
  const accounting = await town.account(...finished);
  const strangers = cancelled.reduce((sum, batch) => sum + arrived(town, batch).size, 0);
  expectBalanced({ ...accounting, unaccounted: accounting.unaccounted - strangers });
  expect(cancelled.length).toBeGreaterThan(0);
  expect(finished.length).toBeGreaterThan(0);
  expect([...storm.done.keys()]).toEqual(expect.arrayContaining(['pause', 'resume', 'cancel']));
});
