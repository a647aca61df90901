import { cpSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Submission } from '../../client/index.ts';
import type { Process } from '../../scripts/support/process.ts';
import { Journal } from '../../worker/journal/journal.ts';
import { SILENT } from '../../worker/logger.ts';
import { expectBalanced, Town } from './support/town.ts';
import type { TownServer } from './support/town-server.ts';

const TOTAL = 12_000;
/** What waits for a lease is not there in time. */
const LEASE = '10m';
const WITHIN_MS = 60_000;

/** A worker that is killed at full speed, and started again with its folder when `meanwhile` is over. */
async function killedAtFullSpeed(
  options: Partial<Submission>,
  sink: Parameters<Town['sink']>[0],
  meanwhile: (server: TownServer) => Promise<void> = async () => {},
) {
  const town = await Town.raise();
  await town.sink({ latencyMs: 1, ...sink });
  const server = await town.server({ args: ['--lease', LEASE] });
  const data = join(town.folder, 'worker-data');
  const start = (): Promise<Process> => town.worker(server, ['--data', data, '--connections', '10']);
  const worker = await start();
  const batch = await town.submit(server, TOTAL, options);
  await town.untilBatch('it is in the middle', batch, ({ counts }) => counts.sent > TOTAL / 4);
  await worker.kill();
  const { known, uuid } = journalOf(town, data);
  await meanwhile(server);
  const again = await start();
  const result = await town.finished(batch, WITHIN_MS);
  await again.stop('SIGTERM');
  return { town, server, batch, known, uuid, result, left: journalOf(town, data) };
}

/** What the journal in that folder says, read from a copy. */
function journalOf(town: Town, data: string) {
  const copy = join(town.folder, 'copy');
  mkdirSync(copy, { recursive: true });
  for (const name of ['worker-a.journal', 'worker-b.journal']) cpSync(join(data, name), join(copy, name));
  const journal = Journal.open({ folder: copy, logger: SILENT });
  journal.close();
  const known = journal.known.map(({ id, begun, sent }) => ({ id, begun: [...begun], sent: [...sent] }));
  return { uuid: journal.worker, known, open: known.flatMap(({ begun }) => begun) };
}

describe('a worker that is killed at full speed and started again with its folder', {
  timeout: 120_000,
}, () => {
  test.each([
    ['PIPELINING', {}],
    ['CHUNKING', { chunking: true }],
  ])(
    'sends nothing twice but what its journal leaves open, and nothing waits for its lease (%s)',
    async (_, sink) => {
      const { town, batch, known, uuid, result, left } = await killedAtFullSpeed({}, sink);
      const open = new Set(known.flatMap(({ begun }) => begun).map((seq) => town.messageId(batch, seq)));
      expect(known.flatMap(({ sent }) => sent).length).toBeGreaterThan(0);
      expect(result.counts).toMatchObject({ sent: TOTAL, pending: 0, leased: 0 });
      expect(result.maybeSent).toBe(open.size);
      expectBalanced(await town.account(batch));
      const twice = [...town.copies()].filter(([, count]) => count > 1).map(([messageId]) => messageId);
      expect(twice.filter((messageId) => !open.has(messageId))).toEqual([]);
      expect(left).toMatchObject({ uuid, known: [] });
    },
  );

  test('holds back just what its journal leaves open, where the batch says so', async () => {
    const { town, batch, known, result } = await killedAtFullSpeed({ onUnknown: 'hold' }, {});
    const open = known.flatMap(({ begun }) => begun).sort((a, b) => a - b);
    expect(result.counts).toMatchObject({ sent: TOTAL - open.length, unknown: open.length });
    const unknown = (await town.listed(batch, 'unknown')).map(({ seq }) => seq);
    expect(unknown.sort((a, b) => a - b)).toEqual(open);
    const copies = town.copies();
    const held = new Set(open);
    for (let seq = 0; seq < TOTAL; seq++) {
      const count = copies.get(town.messageId(batch, seq)) ?? 0;
      if (count !== 1) expect({ seq, count, isHeld: held.has(seq) }).toEqual({ seq, count: 0, isHeld: true });
    }
  });

  test('tells what it knows to a server that was killed meanwhile too', async () => {
    const { town, batch, known, result } = await killedAtFullSpeed({}, {}, async (server) => {
      await server.process.kill();
      await server.start();
    });
    const open = known.flatMap(({ begun }) => begun);
    expect(result.counts.sent).toBe(TOTAL);
    const accounting = await town.account(batch);
    expectBalanced(accounting);
    expect(accounting.duplicated).toBeLessThanOrEqual(open.length);
  });
});
