import { describe, expect, test } from 'vitest';
import { expectBalanced, expectExactlyOnce, people, Town } from './support/town.ts';

/** Rows for addresses that ask the sink for a certain treatment, among ordinary ones. */
function* crowd(ordinary: number, ...special: readonly string[]) {
  yield* people(ordinary);
  for (const local of special) yield { address: `${local}@example.net`, name: local };
}

describe('what a relay replies', { timeout: 120_000 }, () => {
  test('decides: 4xx is tried again and delivered, 5xx fails with its reply, and retry sends to exactly those again', async () => {
    const town = await Town.raise();
    const sink = await town.sink({ greylistTimes: 2 });
    const server = await town.server();
    await town.worker(server);
    const batch = await town.submit(server, [
      ...crowd(
        50,
        '4xx-once-1',
        '452-once-2',
        'greylist-3',
        'dot451once-4',
        '5xx-5',
        'dot554-6',
        '550once-7',
      ),
    ]);
    const { counts } = await town.finished(batch);
    expect(counts).toMatchObject({ total: 57, sent: 54, failed: 3 });
    expectExactlyOnce(await town.account(batch));

    const failed = await town.mutirao(['failed', batch.id, '--server', server.url]);
    expect(failed.code).toBe(0);
    const lines = failed.out.split('\n');
    expect(lines).toHaveLength(3);
    expect(lines[0]).toMatch(/^5xx-5@example\.net .* sink-1 +550 5\.1\.1 No such user here/);
    expect(lines[1]).toMatch(/^dot554-6@example\.net .* sink-1 +554 5\.0\.0 Transaction failed/);
    expect(lines[2]).toMatch(/^550once-7@example\.net .* sink-1 +550 /);

    const before = sink.report();
    const retry = await town.mutirao(['retry', batch.id, '--server', server.url, '--json']);
    expect(JSON.parse(retry.out)).toMatchObject({ changed: 3 });
    const after = await town.finished(batch);
    expect(after.counts).toMatchObject({ total: 57, sent: 55, failed: 2 });
    expect(sink.report().messages - before.messages).toBe(1);
    expect(sink.report().refused - before.refused).toBe(2);
    expectExactlyOnce(await town.account(batch));
  });

  test('case 15: to one with 421 defers only that one; the others go on over a new session', async () => {
    const town = await Town.raise();
    const sink = await town.sink();
    const server = await town.server({ args: ['--breaker-threshold', '3'] });
    await town.worker(server, ['--connections', '1']);
    const rows = [...people(40), ...crowd(0, '421-once-x'), ...people(40, 'other')];
    const batch = await town.submit(server, rows);
    const { counts, maybeSent } = await town.finished(batch);
    expect({ ...counts, maybeSent }).toMatchObject({ total: 81, sent: 81, failed: 0, maybeSent: 0 });
    expectExactlyOnce(await town.account(batch));
    expect(sink.report().connections).toBe(2);
    expect(sink.report().perCode).toEqual({ 421: 1 });
    const [relay] = (await server.account()).relays;
    expect(relay).toMatchObject({ breaker: 'closed', faults: 1 });
  });

  test('case 13: nothing after the final dot may mean two copies, marked, or none more where the batch wants to hold', async () => {
    const town = await Town.raise();
    await town.sink();
    const server = await town.server();
    await town.worker(server);
    const rows = (tag: string) => [...crowd(20, `drop-after-dot-once-${tag}`)];
    const retried = await town.submit(server, rows('a'));
    const held = await town.submit(server, rows('b'), { onUnknown: 'hold' });

    expect((await town.finished(retried)).counts).toMatchObject({ total: 21, sent: 21 });
    expect(await town.finished(held)).toMatchObject({ counts: { total: 21, sent: 20, unknown: 1 } });
    const twice = await town.account(retried, held);
    expectBalanced(twice);
    expect(twice).toMatchObject({ duplicated: 1, explainedDuplicates: 1 });
    const marked = (await town.listed(retried, 'maybe-sent')).map(({ address }) => address);
    expect(marked).toEqual(['drop-after-dot-once-a@example.net']);
    const unknown = (await town.listed(held, 'unknown')).map(({ address }) => address);
    expect(unknown).toEqual(['drop-after-dot-once-b@example.net']);
  });

  test('for its policy, many times in a row, pauses the relay and puts the recipients back', async () => {
    const town = await Town.raise();
    await town.sink();
    const server = await town.server({ args: ['--policy-threshold', '5'] });
    await town.worker(server, ['--connections', '1']);
    const policy = Array.from({ length: 5 }, (_, i) => `policy-once-${i}`);
    const batch = await town.submit(server, [...crowd(0, ...policy)]);
    await server.process.logged('the relay refuses all mail for its policy, these recipients are put back');
    await server.process.logged('breaker opened, mail for this relay waits');
    expect((await town.finished(batch)).counts).toMatchObject({ total: 5, sent: 5, failed: 0 });
    expectExactlyOnce(await town.account(batch));
  });

  test('for its policy once fails that recipient only', async () => {
    const town = await Town.raise();
    await town.sink();
    const server = await town.server({ args: ['--policy-threshold', '5'] });
    await town.worker(server);
    const batch = await town.submit(server, [...crowd(20, 'policy-1', 'policy-2')]);
    expect((await town.finished(batch)).counts).toMatchObject({ total: 22, sent: 20, failed: 2 });
    const { relays } = await server.account();
    expect(relays[0]).toMatchObject({ breaker: 'closed', faults: 0 });
  });
});
