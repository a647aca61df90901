import { expect, test } from 'vitest';
import { TestClient } from '../../support/client.ts';
import { ScriptedWorker } from '../../support/scripted-worker.ts';
import { startTestServer } from '../../support/server.ts';
import { until } from '../../support/until.ts';

const NOWHERE = '01939c6e-6b1f-7000-8000-0000000000dd';

/** A batch of five of which 1 and 3 are unknown. */
async function withUnknown(OPTIONS: object = { ON_UNKNOWN: 'HOLD' }) {
  const server = await startTestServer({ relay: ['smtp://relay.example?name=mx'] });
  const client = await TestClient.of(server);
  const uuid = await client.submit(5, { OPTIONS });
  const worker = await ScriptedWorker.full(server, 'w');
  let isCut = true;
  worker.answerAll((seq) =>
    isCut && seq % 2 === 1 ? { STATUS: 'NOK', STAGE: 'DOT', PHASE: 'SENT_UNCONFIRMED', ERROR: 'cut' } : {},
  );
  await until('it is finished', async () => (await client.batch(uuid)).STATE === 'FINISHED');
  isCut = false;
  return { server, client, uuid, worker };
}

test('unknown recipients are listed with worker, relay, time and reason', async () => {
  const { client, uuid } = await withUnknown();
  const { RECIPIENTS } = await client.ask('LIST', { BATCH_UUID: uuid, STATE: 'UNKNOWN' });
  const common = { WORKER_UUID: 'w', RELAY: 'mx', REPLY: expect.stringContaining('cut'), MAYBE_SENT: true };
  expect(RECIPIENTS).toMatchObject([
    { SEQ: 1, ADDRESS: 'user1@example.net', ...common },
    { SEQ: 3, ...common },
  ]);
});

test('RESOLVE takes those named for sent, and tells how many changed; a repetition changes none', async () => {
  const { client, uuid, server } = await withUnknown();
  const question = { BATCH_UUID: uuid, DECISION: 'SENT', SEQS: [[0, 2]] };
  expect(await client.ask('RESOLVE', question)).toMatchObject({
    STATUS: 'ACK',
    CHANGED: 1,
    BATCH: { STATE: 'FINISHED', COUNTS: { SENT: 4, UNKNOWN: 1 } },
  });
  expect(await client.ask('RESOLVE', question)).toMatchObject({ CHANGED: 0 });
  expect(server.log.some(({ msg }) => /taken for sent by decision/.test(msg))).toBe(true);
});

test('RESOLVE sends all again, marked, and a finished batch runs to its end once more', async () => {
  const { client, uuid, server } = await withUnknown();
  const resolved = await client.ask('RESOLVE', { BATCH_UUID: uuid, DECISION: 'RETRY' });
  expect(resolved).toMatchObject({ CHANGED: 2, BATCH: { STATE: 'RUNNING', MAYBE_SENT: 2 } });
  await until('it is finished', async () => (await client.batch(uuid)).STATE === 'FINISHED');
  expect((await client.batch(uuid)).COUNTS).toMatchObject({ SENT: 5, UNKNOWN: 0 });
  const lines = server.log.filter(({ why }) => why === 'resolved by hand: retry');
  expect(lines).toMatchObject([{ batch: uuid, changed: 2 }]);
  const { EVENTS, MORE } = await client.ask('POSSIBLE_DUPLICATES', { BATCH_UUID: uuid, LIMIT: 1 });
  expect({ EVENTS, MORE }).toMatchObject({
    MORE: true,
    EVENTS: [
      {
        SEQS: [
          [1, 1],
          [3, 3],
        ],
        WORKER_UUID: 'w',
        RELAY: 'mx',
        WHY: 'line cut after the final dot',
      },
    ],
  });
  const last = await client.ask('POSSIBLE_DUPLICATES', {
    BATCH_UUID: uuid,
    AFTER: (EVENTS as { ID: number }[])[0]?.ID,
  });
  expect(last).toMatchObject({
    MORE: false,
    EVENTS: [
      {
        SEQS: [
          [1, 1],
          [3, 3],
        ],
        WHY: 'resolved by hand: retry',
      },
    ],
  });
});

test('RESOLVE sends nothing of a cancelled batch again, and refuses one that is not there', async () => {
  const { client, uuid, worker } = await withUnknown();
  worker.cut();
  expect((await client.ask('RESOLVE', { BATCH_UUID: NOWHERE, DECISION: 'SENT' })).ERROR).toMatchObject({
    CODE: 'UNKNOWN_BATCH',
  });
  expect((await client.ask('RESOLVE', { BATCH_UUID: uuid, DECISION: 'MAYBE' })).STATUS).toBe('NACK');
  const other = await client.submit(3);
  await client.ask('CANCEL', { BATCH_UUID: other });
  expect((await client.ask('RESOLVE', { BATCH_UUID: other, DECISION: 'RETRY' })).ERROR).toMatchObject({
    CODE: 'WRONG_STATE',
  });
  expect(await client.ask('RESOLVE', { BATCH_UUID: other, DECISION: 'SENT' })).toMatchObject({ CHANGED: 0 });
});
