import { describe, expect, test } from 'vitest';
import type { PossibleDuplicate } from '../../client/index.ts';
import { expectBalanced, people, Town } from './support/town.ts';

/** Rows of which the relay takes some and says nothing, each once. */
function* rows(doubtful: readonly string[]) {
  yield* people(10);
  for (const name of doubtful) yield { address: `drop-after-dot-once-${name}@example.net`, name };
}

describe('mails of which nobody knows whether they arrived', { timeout: 120_000 }, () => {
  test('case 13: are held where the batch wants so, listed, and resolved one by one: taken for sent, or sent again', async () => {
    const town = await Town.raise();
    await town.sink();
    const server = await town.server();
    await town.worker(server);
    const batch = await town.submit(server, [...rows(['a', 'b', 'c'])], { onUnknown: 'hold' });
    expect((await town.finished(batch)).counts).toMatchObject({ total: 13, sent: 10, unknown: 3 });
    const connection = ['--server', server.url];
    const listed = await town.mutirao(['unknown', batch.id, ...connection, '--json']);
    const unknown = listed.out
      .split('\n')
      .map((line) => JSON.parse(line) as { seq: number; address: string });
    expect(unknown.map(({ seq }) => seq)).toEqual([10, 11, 12]);
    expect(unknown[0]).toMatchObject({
      relay: 'sink-1',
      worker: expect.any(String),
      reply: expect.any(String),
    });

    const sent = await town.mutirao(['resolve', batch.id, '--sent', '--seq', '10', ...connection]);
    expect(sent.out).toContain('1 recipient taken for sent; 2 still unknown');
    const retried = await town.mutirao(['resolve', batch.id, '--retry', ...connection]);
    expect(retried.out).toContain('sends to 2 recipients again');
    const { counts, maybeSent } = await town.finished(batch);
    expect({ ...counts, maybeSent }).toMatchObject({ sent: 13, unknown: 0, maybeSent: 3 });
    const accounting = await town.account(batch);
    expectBalanced(accounting);
    expect(accounting).toMatchObject({ duplicated: 2, explainedDuplicates: 2 });
    const none = await town.mutirao(['resolve', batch.id, '--retry', ...connection]);
    expect(none).toMatchObject({ code: 1, errors: expect.stringContaining('has no unknown recipients') });
    const events = await town.mutirao(['duplicates', batch.id, ...connection]);
    expect(events.out).toMatch(/line cut after the final dot {2}worker \S+ {2}relay sink-1 {2}/);
    expect(events.out).toMatch(/resolved by hand: retry {2}worker - {2}relay - {2}2 recipients \(11-12\)/);
  });

  test('for a worker was killed leave one row: which worker and relay, when, why, and exactly whom', async () => {
    const town = await Town.raise();
    await town.sink({ latencyMs: 50 });
    const server = await town.server({ args: ['--lease', '1s'] });
    const [first] = await town.workers(2, server, ['--connections', '5']);
    const batch = await town.submit(server, 500);
    await town.untilBatch('some are sent', batch, ({ counts }) => counts.sent > 50);
    await first?.kill();
    const { maybeSent } = await town.finished(batch);
    expect(maybeSent).toBeGreaterThan(0);
    const marked = (await town.listed(batch, 'maybe-sent')).map(({ seq }) => seq);
    const events: PossibleDuplicate[] = [];
    for await (const event of (await server.client()).possibleDuplicates(batch.id)) events.push(event);
    const lost = server.process.logs.filter(({ why }) => /^lease lost: worker \S+ gone$/.test(String(why)));
    const losses = lost.filter((line) => Number(line.maybeSent) > 0);
    const rowsOfLoss = events.filter(({ why }) => why.startsWith('lease lost'));
    expect(rowsOfLoss).toHaveLength(losses.length);
    expect(rowsOfLoss[0]).toMatchObject({
      worker: losses[0]?.worker,
      relay: 'sink-1',
      task: losses[0]?.task,
      at: expect.any(Date),
    });
    const named = rowsOfLoss.flatMap(({ seqs }) =>
      seqs.flatMap(([from, to]) => Array.from({ length: to - from + 1 }, (_, i) => from + i)),
    );
    expect(named.sort((a, b) => a - b)).toEqual(marked);
    expectBalanced(await town.account(batch));
  });
});
