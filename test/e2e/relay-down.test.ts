import { describe, expect, test } from 'vitest';
import type { BatchRecipient } from '../../client/index.ts';
import { expectBalanced, expectExactlyOnce, Town } from './support/town.ts';

const TOTAL = 600;

/** An attempt is lost only by what may have been sent: the dot was out when the line was cut. */
const charged = (recipients: readonly BatchRecipient[]): BatchRecipient[] =>
  recipients.filter(({ attempts, maybeSent }) => attempts > 0 && !maybeSent);

describe('while a relay is down', { timeout: 120_000 }, () => {
  test('its mail waits and loses no attempt; a probe finds it back, and everything goes out once', async () => {
    const town = await Town.raise();
    const sink = await town.sink();
    await sink.down();
    const server = await town.server();
    await town.workers(2, server);
    const batch = await town.submit(server, TOTAL);

    await server.process.logged('breaker opened, mail for this relay waits');
    // The probe of a relay that is still down opens it again, for longer.
    await server.until('the probe fails', ({ relays }) => (relays[0]?.faults ?? 0) > 5);
    const waiting = await town.untilBatch('it says why', batch, ({ waiting }) => waiting !== undefined);
    expect(waiting.counts.sent).toBe(0);
    const deferred = await town.listed(batch, 'deferred');
    expect(deferred.length).toBeGreaterThan(0);
    expect(deferred.filter(({ attempts }) => attempts > 0)).toEqual([]);

    await sink.up();
    await server.process.logged('breaker half-open, the next mail is a probe');
    await server.process.logged('breaker closed, the relay is back');
    expect((await town.finished(batch)).counts.sent).toBe(TOTAL);
    expectExactlyOnce(await town.account(batch));
  });

  test('and was cut in mid-batch, only what had no reply to its final dot may come twice', async () => {
    const town = await Town.raise();
    const sink = await town.sink({ latencyMs: 5 });
    const server = await town.server();
    await town.workers(2, server, ['--connections', '5']);
    const batch = await town.submit(server, TOTAL);
    await town.untilBatch('some are sent', batch, ({ counts }) => counts.sent > TOTAL / 10);

    await sink.down();
    await server.process.logged('breaker opened, mail for this relay waits');
    const { counts } = await (await server.client()).batch(batch.id);
    expect(counts.sent).toBeLessThan(TOTAL);
    expect(charged(await town.listed(batch, 'deferred'))).toEqual([]);

    await sink.up();
    expect((await town.finished(batch)).counts.sent).toBe(TOTAL);
    await server.process.logged('breaker closed, the relay is back');
    expectBalanced(await town.account(batch));
  });

  test('traffic moves to the other relay', async () => {
    const town = await Town.raise();
    const shaky = await town.sink({ latencyMs: 5 });
    const steady = await town.sink({ latencyMs: 5 });
    const server = await town.server({ args: ['--breaker-open', '1m', '--breaker-cap', '1m'] });
    await town.workers(2, server, ['--connections', '5']);
    const batch = await town.submit(server, TOTAL);
    await town.untilBatch('some are sent', batch, ({ counts }) => counts.sent > TOTAL / 10);
    expect(shaky.report().messages).toBeGreaterThan(0);

    await shaky.down();
    await server.process.logged('breaker opened, mail for this relay waits');
    const before = steady.report().messages;
    // The breaker stays open for longer than this test takes: all the rest went through the other one.
    expect((await town.finished(batch)).counts.sent).toBe(TOTAL);
    expect(steady.report().messages).toBeGreaterThan(before);
    const { relays } = await server.account();
    expect(relays.map(({ name, breaker }) => [name, breaker])).toEqual([
      ['sink-1', 'open'],
      ['sink-2', 'closed'],
    ]);
    expectBalanced(await town.account(batch));
  });
});
