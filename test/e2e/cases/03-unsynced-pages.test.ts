import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openSqliteStore } from '../../../server/store/index.ts';
import { seededRandom } from '../../../sink/pace.ts';
import { CAN_TRACE, ForgetfulDisk, type Step, SyncTrace } from '../support/sync-trace.ts';
import { Town } from '../support/town.ts';

const BATCHES = 3;
const SIZE = 300;
/** Of what was not synced: nothing survives, or any half of its sectors. */
const chance = seededRandom(1);
const CUTS = [() => false, () => chance() < 0.5] as const;

/** What a server has told somebody, which must be true after a power cut in that moment. */
type Told =
  | { readonly what: 'accepted'; readonly batch: string; readonly total: number }
  | { readonly what: 'leased'; readonly task: string }
  | { readonly what: 'settled'; readonly task: string }
  | { readonly what: 'progress'; readonly batch: string; readonly sent: number };

function* toldIn(text: string): Generator<Told> {
  for (const [frame] of text.matchAll(/\{"(?:STATUS|TASK|EVENT)":.*?(?=[^ -~]|$)/gs)) {
    const of = (key: string): string => new RegExp(`"${key}":"?([\\w-]+)`).exec(frame)?.[1] ?? '';
    if (/^\{"TASK":"SEND"/.test(frame)) yield { what: 'leased', task: of('TASK_UUID') };
    else if (/^\{"STATUS":"ACK","TASK_UUID"/.test(frame)) yield { what: 'settled', task: of('TASK_UUID') };
    else if (frame.includes('"ACCEPTED"') && frame.includes('"DUPLICATES"'))
      yield { what: 'accepted', batch: of('BATCH_UUID'), total: Number(of('ACCEPTED')) };
    else if (frame.startsWith('{"EVENT":"PROGRESS"'))
      yield { what: 'progress', batch: of('BATCH_UUID'), sent: Number(of('SENT')) };
  }
}

/** Sends batches through a server whose every write, sync and word is followed until it stops. @returns the disk before, and what happened */
async function followed(town: Town): Promise<{ readonly disk: ForgetfulDisk; readonly steps: Step[] }> {
  await town.sink();
  const server = await town.server({ args: ['--task-seconds', '100ms'] });
  await town.worker(server);
  await server.client();
  const disk = new ForgetfulDisk(server.data);
  const trace = await SyncTrace.of(server.process.pid, server.data, join(town.folder, 'trace'));
  for (let i = 0; i < BATCHES; i++) {
    const batch = await town.submit(server, SIZE);
    for await (const _ of (await server.client()).watch(batch.id, { everyMs: 50 }));
  }
  // so that the last word on every task is in it
  await server.until('its worker holds nothing', ({ workers }) => workers.every(({ idle }) => idle));
  expect(await server.process.stop()).toBe(0);
  return { disk, steps: await trace.end() };
}

/** What the store knows when the power comes back. */
async function afterPowerCut(disk: ForgetfulDisk, folder: string, survives: () => boolean) {
  disk.powerCut(folder, survives);
  const store = openSqliteStore({ folder });
  await store.start();
  try {
    const batches = await store.listBatches(100);
    for (const { uuid } of batches) expect((await store.audit(uuid)).problems).toEqual([]);
    return {
      counts: new Map(batches.map(({ uuid, counts }) => [uuid, counts])),
      leases: new Set((await store.leases()).map(({ task }) => task)),
    };
  } finally {
    await store.stop();
    rmSync(folder, { recursive: true });
  }
}

type Found = Awaited<ReturnType<typeof afterPowerCut>>;

function expectKnown(fact: Told, { counts, leases }: Found, isLastWord: boolean): void {
  switch (fact.what) {
    case 'accepted':
      expect(counts.get(fact.batch)?.total).toBe(fact.total);
      break;
    case 'leased':
      expect(leases).toContain(fact.task);
      break;
    case 'progress':
      expect(counts.get(fact.batch)?.sent).toBeGreaterThanOrEqual(fact.sent);
      break;
    case 'settled':
      // a task may be acknowledged in parts
      if (isLastWord) expect(leases).not.toContain(fact.task);
  }
}

describe.skipIf(!CAN_TRACE)('case 3: a power cut that takes every page which was not synced', () => {
  test('case 3: takes nothing of what the server had told: batches accepted, tasks given out, results acknowledged', {
    timeout: 120_000,
  }, async () => {
    const town = await Town.raise();
    const { disk, steps } = await followed(town);
    const toldAt = steps.map((step) => (step.does === 'say' ? [...toldIn(step.text)] : []));
    const lastWordOn = new Map<string, number>();
    for (const [i, facts] of toldAt.entries())
      for (const fact of facts) if (fact.what === 'settled') lastWordOn.set(fact.task, i);
    const lastWord = Math.max(...lastWordOn.values());
    const tried = { accepted: 0, leased: 0, settled: 0, progress: 0, stop: 0 };
    for (const [i, step] of steps.entries()) {
      const facts = toldAt[i] ?? [];
      // when it stops, it copies its log into the file, and removes it
      const isStopping = i > lastWord && step.does !== 'say';
      for (const survives of facts.length > 0 || isStopping ? CUTS : []) {
        const found = await afterPowerCut(disk, join(town.folder, 'after'), survives);
        for (const fact of facts) {
          tried[fact.what]++;
          expectKnown(fact, found, fact.what === 'settled' && lastWordOn.get(fact.task) === i);
        }
        if (!isStopping) continue;
        tried.stop++;
        expect([...found.counts.values()].map(({ sent }) => sent)).toEqual(Array(BATCHES).fill(SIZE));
      }
      disk.apply(step);
    }
    expect(tried.accepted).toBe(BATCHES * CUTS.length);
    for (const count of Object.values(tried)) expect(count).toBeGreaterThanOrEqual(BATCHES * CUTS.length);
  });
});
