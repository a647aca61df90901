import { describe, expect, test } from 'vitest';
import { expectExactlyOnce, Town } from './support/town.ts';

/** The relay's own terms, whoever does the sending. */
describe('a relay', { timeout: 120_000 }, () => {
  test('with a limit of 5 connections never sees more, of three workers with 20 each', async () => {
    const town = await Town.raise();
    const sink = await town.sink({ latencyMs: 5 });
    const server = await town.server({ relays: [`${sink.url}?name=narrow&connections=5`] });
    await town.workers(3, server, ['--connections', '20']);
    const batch = await town.submit(server, 1_000);
    expect((await town.finished(batch)).counts.sent).toBe(1_000);
    expectExactlyOnce(await town.account(batch));
    expect(sink.report().peakConnections).toBeLessThanOrEqual(5);
    expect(sink.report().peakConnections).toBeGreaterThan(1);
  });

  test('that wants STARTTLS and a login gets both, from a sink as a process of its own', async () => {
    const town = await Town.raise();
    const sink = town.run('sink', 'sink/main.ts', [
      ...['--port', '0', '--json', '--tls', 'starttls', '--require-tls'],
      ...['--auth', 'required', '--user', 'ana:open sesame'],
    ]);
    const [, address] = await sink.prints(/^Sink listening on smtp:\/\/([\d.]+:\d+)/);
    const server = await town.server({
      relays: [`smtp://ana:open%20sesame@${address}?starttls=always&verify=no`],
    });
    await town.worker(server);
    const batch = await town.submit(server, 200);
    expect((await town.finished(batch)).counts.sent).toBe(200);
    expect(await sink.stop('SIGINT')).toBe(0);
    expect(JSON.parse(sink.printed.at(-1) ?? '')).toMatchObject({
      messages: 200,
      uniqueRecipients: 200,
      duplicates: 0,
      authFailures: 0,
    });
  });

  test('case 17: that refuses our certificate check or our password is at fault, not the recipients, and status says so', async () => {
    const town = await Town.raise();
    const sink = await town.sink({ tls: 'starttls', auth: 'required', users: ['ana:open sesame'] });
    const host = `127.0.0.1:${sink.port}`;
    const server = await town.server({
      relays: [
        `smtp://ana:wrong%20word@${host}?name=password&verify=no`,
        `smtp://ana:open%20sesame@${host}?name=certificate&starttls=always`,
      ],
    });
    await town.worker(server);
    const batches = await Promise.all(
      ['password', 'certificate'].map((name) => town.submit(server, 40, { relays: [name] })),
    );
    await server.until('both breakers have opened', ({ relays }) =>
      relays.every(({ breaker, faults }) => breaker !== 'closed' && faults >= 5),
    );
    for (const batch of batches) {
      const { counts } = await (await server.client()).batch(batch.id);
      expect({ sent: counts.sent, failed: counts.failed }).toEqual({ sent: 0, failed: 0 });
      const deferred = await town.listed(batch, 'deferred');
      expect(deferred.filter(({ attempts }) => attempts > 0)).toEqual([]);
    }
    const status = await town.mutirao(['status', '--server', server.url]);
    expect(status.code).toBe(0);
    expect(status.out).toMatch(/^password +127\.0\.0\.1:\d+ +(open|half-open|probing) .*535/m);
    expect(status.out).toMatch(/^certificate +127\.0\.0\.1:\d+ +(open|half-open|probing) .*self-signed/m);
    expect(status.out).not.toContain('wrong word');
  });
});
