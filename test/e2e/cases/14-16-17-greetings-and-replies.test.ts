import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { ListedState } from '../../../client/index.ts';
import { proxyTo } from '../support/proxy.ts';
import { expectExactlyOnce, type Submitted, Town } from '../support/town.ts';
import type { TownServer } from '../support/town-server.ts';

const TOTAL = 200;
const FEW = 40;
const EXPIRES_S = 3;

/** What accepts every connection and closes it without a word. */
async function closedDoor(): Promise<{ readonly port: number; readonly knocks: () => number }> {
  let knocks = 0;
  const server = createServer((socket) => {
    knocks++;
    socket.on('error', () => {});
    socket.end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return { port: (server.address() as AddressInfo).port, knocks: () => knocks };
}

/** Breakers that open for a moment, so that several probes go out in the time of a test. */
const QUICK_BREAKER = [
  ...['--breaker-threshold', '2', '--breaker-open', '100ms', '--breaker-cap', '300ms'],
  ...['--retry-base', '100ms'],
];

const openings = ({ process }: TownServer, name: string): number =>
  process.logs.filter(({ msg = '', relay }) => msg.startsWith('breaker opened') && relay === name).length;

async function addresses(town: Town, batch: Submitted, state: ListedState): Promise<string[]> {
  return (await town.listed(batch, state)).map(({ address }) => address);
}

describe('case 14: a relay that closes before its greeting, for ever', { timeout: 60_000 }, () => {
  test('case 14: is knocked at once per probe, costs nobody an attempt, and its mail fails when its time is over', async () => {
    const town = await Town.raise();
    const door = await closedDoor();
    const server = await town.server({
      relays: [`smtp://127.0.0.1:${door.port}?name=door`],
      args: QUICK_BREAKER,
    });
    await town.workers(2, server);
    const batch = await town.submit(server, TOTAL, { retry: { forS: EXPIRES_S }, expires: EXPIRES_S });
    await server.until('its breaker opens', () => openings(server, 'door') > 0);
    // what was on its way when it opened has come back
    await town.untilBatch('none are out', batch, ({ counts }) => counts.leased === 0);
    const [knocksBefore, openingsBefore] = [door.knocks(), openings(server, 'door')];
    const deferred = await town.listed(batch, 'deferred');
    expect(deferred.filter(({ attempts }) => attempts > 0)).toEqual([]);

    const { counts } = await town.finished(batch);
    expect(counts).toMatchObject({ total: TOTAL, failed: TOTAL, sent: 0 });
    const probes = openings(server, 'door') - openingsBefore;
    expect(probes).toBeGreaterThan(0);
    // it stays open for 300 ms after the second time
    expect(probes).toBeLessThanOrEqual((EXPIRES_S * 1_000) / 300 + 2);
    // one that is out at the end has not opened it again yet
    expect(door.knocks() - knocksBefore).toBeLessThanOrEqual(probes + 1);
    expect(knocksBefore).toBeLessThan(TOTAL);
    const [relay] = (await server.account()).relays;
    expect(relay?.lastFault).toMatch(/greet|clos/i);
  });
});

describe('case 16: three recipients of one domain', { timeout: 60_000 }, () => {
  test.each([
    ['to RCPT', ['250-ana', '450-ben', '550-eva']],
    ['to the final dot', ['dot250-ana', 'dot450-ben', 'dot550-eva']],
  ])('case 16: answered 250, 450 and 550 %s have three outcomes, over one session', async (_, names) => {
    const town = await Town.raise();
    const sink = await town.sink();
    const server = await town.server({ args: ['--retry-base', '1m', '--retry-cap', '1m'] });
    await town.worker(server, ['--connections', '1']);
    const [ana, ben, eva] = names.map((name) => `${name}@example.net`);
    const batch = await town.submit(
      server,
      names.map((name) => ({ address: `${name}@example.net`, name })),
    );
    const { counts } = await town.untilBatch('all were tried', batch, ({ counts }) => {
      return counts.pending + counts.leased === 0;
    });
    expect(counts).toMatchObject({ total: 3, sent: 1, deferred: 1, failed: 1 });
    expect(sink.deliveries.of(ana as string)).toHaveLength(1);
    expect(await addresses(town, batch, 'deferred')).toEqual([ben]);
    expect(await addresses(town, batch, 'failed')).toEqual([eva]);
    const [deferred] = await town.listed(batch, 'deferred');
    expect(deferred).toMatchObject({ attempts: 1, reply: expect.stringMatching(/^450 4\.2\.1/) });
    const [failed] = await town.listed(batch, 'failed');
    expect(failed).toMatchObject({ attempts: 1, reply: expect.stringMatching(/^550 5\.1\.1/) });
    expect(sink.report().connections).toBe(1);
    expect((await server.account()).relays).toMatchObject([{ breaker: 'closed', faults: 0 }]);
  });
});

const GREETINGS = [
  '554 5.7.1 You are not welcome here',
  '554 no SMTP service here',
  '530 5.7.0 Must issue a STARTTLS command first',
  '535 5.7.8 Authentication credentials invalid',
  '521 5.3.2 This host takes no mail',
  '421 4.3.2 Closing for tonight',
];

describe('case 17: a relay that refuses all of us', { timeout: 60_000 }, () => {
  test('case 17: with 554, 530, 535, 521 or 421 for a greeting is at fault, no recipient is burnt, and all is sent when it takes mail', async () => {
    const town = await Town.raise();
    const sink = await town.sink();
    const doors = await Promise.all(GREETINGS.map(() => proxyTo(sink.port)));
    for (const [i, door] of doors.entries()) door.answerInstead(`${GREETINGS[i]}\r\n`);
    const server = await town.server({
      relays: doors.map(({ port }, i) => `smtp://127.0.0.1:${port}?name=door-${i}`),
      args: QUICK_BREAKER,
    });
    await town.worker(server);
    const batches = await Promise.all(
      doors.map((_, i) => town.submit(server, FEW, { relays: [`door-${i}`] })),
    );
    const { relays } = await server.until('every breaker has opened twice', ({ relays }) =>
      relays.every(({ name }) => openings(server, name) >= 2),
    );
    for (const [i, batch] of batches.entries()) {
      expect(relays[i]?.lastFault).toContain(GREETINGS[i]?.slice(4));
      const { counts } = await (await server.client()).batch(batch.id);
      expect(counts).toMatchObject({ sent: 0, failed: 0, unknown: 0 });
      const deferred = await town.listed(batch, 'deferred');
      expect(deferred.filter(({ attempts }) => attempts > 0)).toEqual([]);
    }

    for (const door of doors) door.answerInstead(undefined);
    for (const batch of batches) expect((await town.finished(batch)).counts.sent).toBe(FEW);
    expectExactlyOnce(await town.account(...batches));
  });
});
