import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { MutiraoClient } from '../../client/index.ts';
import { messageIdOf } from '../../mail/index.ts';
import { type Healing, untilHealed } from './heal.ts';
import { Inflictor } from './inflict.ts';
import { isRefused, planBatches, SENDER_DOMAIN } from './load/batches.ts';
import { Submitting } from './load/submitter.ts';
import { nameOf, type PlannedFault, planFaults } from './menu.ts';
import type { ChaosOptions } from './options.ts';
import { databaseFor } from './town/database.ts';
import { LEASE_MS, Town } from './town/town.ts';
import { copiesIn } from './verdict/copies.ts';
import { readStore, type StoredBatch } from './verdict/stored.ts';
import { judge, type Verdict } from './verdict/verdict.ts';
import type { View } from './view.ts';

const SINKS = 2;
const MOMENT_MS = 1_000;
/** After the last fault everything must be well within this, ms. */
const HEAL_WITHIN_MS = 60_000;

export interface Outcome extends Verdict {
  readonly faults: number;
  readonly recipients: number;
  readonly inFlightAtKills: number;
  readonly inFlightAtFreezes: number;
  readonly loans: number;
  readonly healSeconds: number;
}

/** One run, from the founding of the town to the verdict. */
export class Run {
  readonly folder: string;
  readonly #options: ChaosOptions;
  readonly #view: View;
  readonly #ended = new AbortController();
  readonly #problems: string[] = [];
  #town: Town | undefined;
  /** By the server that they prefer. */
  #clients: readonly MutiraoClient[] = [];
  /** One for each server, and no other. */
  #observers: readonly MutiraoClient[] = [];
  #submittings: readonly Submitting[] = [];
  #faults = 0;
  #lately: string[] = [];
  #unwell: readonly string[] = [];
  #startedAt = 0;
  #moments: NodeJS.Timeout | undefined;

  constructor(folder: string, options: ChaosOptions, view: View) {
    this.folder = folder;
    this.#options = options;
    this.#view = view;
  }

  async run(): Promise<Outcome> {
    const { servers, workers, store, seconds } = this.#options;
    const database = databaseFor(store);
    const town = await Town.found({ folder: this.folder, servers, workers, sinks: SINKS, database });
    this.#town = town;
    this.#view.line(`Starting ${SINKS} sinks, ${servers} servers and ${workers} workers …`);
    this.#ended.signal.throwIfAborted();
    await town.start();
    this.#ended.signal.throwIfAborted();
    const urls = town.clientUrls;
    this.#observers = urls.map((server) => new MutiraoClient({ server }));
    // Where servers share a store, a client may go on at any.
    this.#clients =
      database.victim === undefined
        ? this.#observers
        : urls.map(
            (_, first) => new MutiraoClient({ server: [...urls.slice(first), ...urls.slice(0, first)] }),
          );
    this.#startedAt = performance.now();
    this.#moments = setInterval(() => this.#look(), MOMENT_MS);
    const submitting = this.#submitAll();
    const inflictor = new Inflictor(town);
    await this.#spoil(inflictor);
    town.calm();
    this.#view.line(`No more faults after ${seconds} s; waiting until all is well …`);
    const healing = await untilHealed({
      clients: this.#clients,
      observers: this.#observers,
      submittings: this.#submittings,
      workersOf: (server) => town.workersOf(server),
      withinMs: HEAL_WITHIN_MS,
      signal: this.#ended.signal,
      onLook: (problems) => {
        this.#unwell = problems;
      },
    });
    clearInterval(this.#moments);
    this.#look();
    this.#view.end();
    this.#ended.abort();
    await submitting;
    await this.#disconnect();
    this.#problems.push(...(await town.stop()));
    const verdict = await this.#judge(town, database);
    await database.stop();
    return this.#outcome(verdict, healing, inflictor);
  }

  /** Ends everything at once. */
  async kill(): Promise<void> {
    clearInterval(this.#moments);
    this.#ended.abort();
    await this.#disconnect();
    await this.#town?.kill();
  }

  async #disconnect(): Promise<void> {
    await Promise.all([...this.#clients, ...this.#observers].map((client) => client.close()));
  }

  #sinceStart(): number {
    return performance.now() - this.#startedAt;
  }

  async #at(ms: number): Promise<void> {
    await sleep(Math.max(0, ms - this.#sinceStart()), undefined, { signal: this.#ended.signal });
  }

  async #submitAll(): Promise<void> {
    const { signal } = this.#ended;
    this.#submittings = planBatches(this.#options).map(
      (planned) => new Submitting(planned, this.#clients[planned.server] as MutiraoClient),
    );
    const all = this.#submittings.map(async (submitting) => {
      try {
        await this.#at(submitting.planned.atMs);
        await submitting.run(signal);
      } catch (error) {
        if (!signal.aborted) this.#problems.push(`${submitting.planned.submission.name}: ${String(error)}`);
      }
    });
    await Promise.all(all);
  }

  async #spoil(inflictor: Inflictor): Promise<void> {
    const town = this.#town as Town;
    const { seed, seconds } = this.#options;
    const count = (record: Readonly<Record<string, readonly unknown[]>>): Record<string, number> =>
      Object.fromEntries(Object.entries(record).map(([name, list]) => [name, list.length]));
    const plan = planFaults({
      ...{ seed, seconds, leaseMs: LEASE_MS },
      parts: count(town.actors) as Parameters<typeof planFaults>[0]['parts'],
      links: count(town.links) as Parameters<typeof planFaults>[0]['links'],
    });
    const all = plan.map(async (planned) => this.#inflict(inflictor, planned));
    await Promise.all([...all, this.#at(seconds * 1000)]);
  }

  async #inflict(inflictor: Inflictor, { atMs, fault }: PlannedFault): Promise<void> {
    await this.#at(atMs);
    this.#faults++;
    const name = nameOf(fault);
    this.#lately.push(name);
    this.#note(name);
    await inflictor.inflict(fault);
    this.#note(`over: ${name}`);
  }

  #note(what: string): void {
    const line = `${new Date().toISOString()} ${this.#sinceStart().toFixed(0)} ms ${what}\n`;
    appendFileSync(join(this.folder, 'faults.log'), line);
  }

  /** Who has ended by itself is told of, and started again; and the moment is shown. */
  #look(): void {
    const actors = Object.values(this.#town?.actors ?? {}).flat();
    for (const actor of actors) {
      const crash = actor.crash();
      if (crash === undefined) continue;
      this.#note(crash);
      if (this.#town?.excuses(crash) !== true) this.#problems.push(crash);
      actor.start().catch(() => {});
    }
    const sum = (of: (submitting: Submitting) => number): number =>
      this.#submittings.reduce((total, submitting) => total + of(submitting), 0);
    const lately = [...this.#lately, ...this.#unwell.slice(0, 1)];
    this.#lately = [];
    this.#view.moment({
      seconds: this.#sinceStart() / 1000,
      of: this.#options.seconds,
      faults: this.#faults,
      submitted: sum(({ id, planned }) => (id === undefined ? 0 : planned.rows.length)),
      sent: sum(({ latest }) => latest?.counts.sent ?? 0),
      failed: sum(({ latest }) => latest?.counts.failed ?? 0),
      unknown: sum(({ latest }) => latest?.counts.unknown ?? 0),
      waiting: sum(({ latest }) => {
        const { pending = 0, leased = 0, deferred = 0 } = latest?.counts ?? {};
        return pending + leased + deferred;
      }),
      running: `${actors.filter((actor) => actor.isRunning).length} of ${actors.length}`,
      lately,
    });
  }

  async #judge(town: Town, database: ReturnType<typeof databaseFor>): Promise<Verdict> {
    const stored: StoredBatch[] = [];
    for (const store of database.stores(town.dataFolders)) stored.push(...(await readStore(store)));
    const acknowledged = this.#submittings.flatMap(({ id, planned }) =>
      id === undefined ? [] : [{ id, total: planned.rows.length }],
    );
    return judge({
      ...{ acknowledged, stored, isRefused },
      copies: copiesIn(town.records),
      messageId: (batch, seq) => messageIdOf(batch, seq, SENDER_DOMAIN),
    });
  }

  #outcome(verdict: Verdict, healing: Healing, inflictor: Inflictor): Outcome {
    const { inFlightAtKills, inFlightAtFreezes } = inflictor;
    const notHealed = healing.problems.map(
      (problem) => `not well ${HEAL_WITHIN_MS / 1000} s after the last fault: ${problem}`,
    );
    return {
      ...verdict,
      faults: this.#faults,
      recipients: this.#options.recipients,
      inFlightAtKills,
      inFlightAtFreezes,
      loans: healing.loans,
      healSeconds: Math.round(healing.seconds * 10) / 10,
      violations: [...this.#problems, ...notHealed, ...verdict.violations],
    };
  }
}
