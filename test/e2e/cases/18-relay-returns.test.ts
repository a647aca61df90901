import { expect, test } from 'vitest';
import { startSink } from '../../../sink/sink.ts';
import { expectExactlyOnce, Town } from '../support/town.ts';

const WAITING = 100_000;
/** The relay's limit. Three workers with twenty each would open sixty. */
const LIMIT = 4;

test('case 18: a relay that comes back to 100,000 waiting mails gets one connection first, and never more than its limit', {
  timeout: 120_000,
}, async () => {
  const town = await Town.raise();
  let connectionsAtFirstMail: number | undefined;
  const sink = await startSink({ port: 0 }, { message: () => noteFirst() });
  const noteFirst = (): void => {
    connectionsAtFirstMail ??= sink.report().connections;
  };
  town.sinks.push(sink);
  await sink.down();
  const server = await town.server({
    relays: [`${sink.url}?name=mx&connections=${LIMIT}`],
    args: ['--task-seconds', '2s'],
  });
  await town.workers(3, server, ['--connections', '20']);
  const batch = await town.submit(server, WAITING);
  await server.process.logged('breaker opened, mail for this relay waits');
  const { counts } = await town.untilBatch('all wait', batch, ({ counts }) => counts.leased === 0);
  expect(counts).toMatchObject({ total: WAITING, sent: 0, failed: 0 });

  await sink.up();
  const { counts: end, maybeSent } = await town.finished(batch);
  expect({ sent: end.sent, maybeSent }).toEqual({ sent: WAITING, maybeSent: 0 });
  await server.process.logged('breaker closed, the relay is back');
  expect(connectionsAtFirstMail).toBe(1);
  const { peakConnections, ...report } = sink.report();
  expect(report).toMatchObject({ messages: WAITING, duplicates: 0, connectionsRefused: 0 });
  expect(peakConnections).toBeGreaterThan(1);
  expect(peakConnections).toBeLessThanOrEqual(LIMIT);
  expectExactlyOnce(await town.account(batch));
});
