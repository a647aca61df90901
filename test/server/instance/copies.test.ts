import { copyFileSync, cpSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { systemSource } from '../../../server/clock.ts';
import { startServer } from '../../../server/server.ts';
import { TestClient } from '../../support/client.ts';
import { ScriptedWorker } from '../../support/scripted-worker.ts';
import { startTestServer, TestServer, temporaryFolder, testSettings } from '../../support/server.ts';
import { until } from '../../support/until.ts';

const RELAY = { relay: ['smtp://relay.example?name=mx'] };
const DAY = 86_400_000;

interface Readiness {
  readonly status: string;
  readonly reasons: readonly string[];
}

const readiness = async (url: string): Promise<Readiness> =>
  (await (await fetch(`${url.replace(/^ws/, 'http')}/readyz`)).json()) as Readiness;

/** A stopped server with a batch of which nothing is sent. */
async function stopped() {
  const server = await startTestServer(RELAY);
  const uuid = await (await TestClient.of(server)).submit(5);
  await server.stop();
  return { server, uuid };
}

async function at(data: string, settings: object = {}): Promise<TestServer> {
  const server = new TestServer(data, { ...RELAY, ...settings });
  onTestFinished(() => server.stop());
  return server.start();
}

/** The batch waits although a worker is there, the server says why, and it goes on when it is told to. */
async function expectPaused(server: TestServer, uuid: string, why: RegExp): Promise<void> {
  const client = await TestClient.of(server);
  expect(await client.batch(uuid)).toMatchObject({ STATE: 'PAUSED', COUNTS: { PENDING: 5 } });
  expect(
    server.log.filter(({ msg }) => why.test(msg) && msg.includes('1 batch is paused')).length,
  ).toBeGreaterThan(0);
  await until('readyz says so', async () => {
    const { status, reasons } = await readiness(server.url);
    return status === 'degraded' && reasons.some((reason) => why.test(reason) && /resume --all/.test(reason));
  });
  const account = (await client.ask('SERVER')).SERVER;
  expect(account).toMatchObject({ health: [{ code: 'PAUSED_AT_START', text: expect.stringMatching(why) }] });
  const worker = await ScriptedWorker.full(server, 'w1');
  const fresh = await client.submit(1);
  expect((await worker.task()).BATCH_UUID).toBe(fresh);
  expect(await client.ask('RESUME_ALL')).toMatchObject({ BATCHES: [{ BATCH_UUID: uuid, STATE: 'RUNNING' }] });
  worker.alive({ WORKER_UUID: 'w1', TASKS: [], SLOTS: 2 });
  await until('it is leased', () => worker.tasks.some(({ BATCH_UUID }) => BATCH_UUID === uuid));
  await until('it is over', async () => (await readiness(server.url)).status === 'ready');
  expect(server.log.some(({ code, msg }) => code === 'PAUSED_AT_START' && msg.startsWith('over: '))).toBe(
    true,
  );
}

const runs = async (server: TestServer, uuid: string): Promise<boolean> =>
  (await (await TestClient.of(server)).batch(uuid)).STATE === 'RUNNING';

test('case 10: a copied data folder starts with its batches paused, and says what to do', async () => {
  const { server, uuid } = await stopped();
  const copy = join(await temporaryFolder(), 'copy');
  cpSync(server.data, copy, { recursive: true });
  await expectPaused(await at(copy), uuid, /this store is a copy: .* as another file, which/);
  // the original is where it was, and goes on
  await server.start();
  expect(await runs(server, uuid)).toBe(true);
});

test('a copy that is started again is at home there; what is paused stays so', async () => {
  const { server, uuid } = await stopped();
  const copy = join(await temporaryFolder(), 'copy');
  cpSync(server.data, copy, { recursive: true });
  const first = await at(copy);
  await first.stop();
  const again = await at(copy);
  expect(again.log.some(({ msg }) => msg.includes('copy'))).toBe(false);
  expect(await runs(again, uuid)).toBe(false);
});

test('a copy goes on by itself when the operator says so', async () => {
  const { server, uuid } = await stopped();
  const copy = join(await temporaryFolder(), 'copy');
  cpSync(server.data, copy, { recursive: true });
  expect(await runs(await at(copy, { acceptCopy: true }), uuid)).toBe(true);
});

test('a data folder that was moved is no copy', async () => {
  const { server, uuid } = await stopped();
  const moved = `${server.data}-moved`;
  renameSync(server.data, moved);
  try {
    const again = await at(moved);
    expect(await runs(again, uuid)).toBe(true);
    await again.stop();
  } finally {
    renameSync(moved, server.data);
  }
});

test('case 10: a store that was put back over a later one in place is noticed', async () => {
  const { server, uuid } = await stopped();
  const backup = join(await temporaryFolder(), 'backup.db');
  const file = join(server.data, 'mutirao.db');
  copyFileSync(file, backup);
  await server.start();
  await server.stop();
  copyFileSync(backup, file);
  await server.start();
  await expectPaused(server, uuid, /this store is an older state/);
});

test('a store on another machine is a copy', async () => {
  const { server, uuid } = await stopped();
  const running = await startServer(testSettings({ data: server.data, ...RELAY }), server.logger, {
    host: 'another',
  });
  onTestFinished(() => running.stop());
  expect(running.snapshot()).toMatchObject({ batches: 1, ready: 0 });
  expect(server.log.some(({ msg }) => msg.includes('on another machine'))).toBe(true);
  await running.stop();
  await server.start();
  expect(await runs(server, uuid)).toBe(false);
});

test('case 10: a store that slept for more than a day starts paused; with --stale-after 0 it may sleep as it likes', async () => {
  const { server, uuid } = await stopped();
  const later = { ...systemSource, wall: () => Date.now() + 2 * DAY };
  const start = (settings: object) =>
    startServer(testSettings({ data: server.data, ...RELAY, ...settings }), server.logger, { clock: later });
  const calm = await start({ staleAfter: '0' });
  expect(calm.snapshot()).toMatchObject({ ready: 5 });
  await calm.stop();
  // two more days
  const muchLater = { ...systemSource, wall: () => Date.now() + 4 * DAY };
  const running = await startServer(testSettings({ data: server.data, ...RELAY }), server.logger, {
    clock: muchLater,
  });
  onTestFinished(() => running.stop());
  expect(running.snapshot()).toMatchObject({ ready: 0 });
  expect(server.log.some(({ msg }) => /asleep for 48 hours.*--stale-after/.test(msg))).toBe(true);
  await running.stop();
  await server.start();
  expect(await runs(server, uuid)).toBe(false);
});
