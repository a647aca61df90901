import { expect, test } from 'vitest';
import type { ClientRequest } from '../../protocol/index.ts';
import { BATCH, batchInfo, type Peer } from '../client/scripted-server.ts';
import { run, scriptedServer, tempFolder } from './mutirao.ts';

const WHEN = '2026-01-01T12:00:00.000Z';

const unknownEntry = (SEQ: number) => ({
  SEQ,
  ADDRESS: `p${SEQ}@example.net`,
  STATE: 'UNKNOWN',
  ATTEMPTS: 1,
  WORKER_UUID: 'w-1',
  RELAY: 'mx',
  REPLY: 'the line was cut\r\nafter the final dot',
  AT: WHEN,
  MAYBE_SENT: true,
});

/** A server with a batch of which so many recipients are unknown. */
function withUnknown(unknown: number, changed = unknown) {
  return scriptedServer((request: ClientRequest, peer: Peer) => {
    switch (request.CLIENT) {
      case 'BATCH':
        peer.ack(request, { BATCH: batchInfo({ STATE: 'FINISHED' }, { TOTAL: 5, UNKNOWN: unknown }) });
        return true;
      case 'RESOLVE':
        peer.ack(request, {
          BATCH: batchInfo({}, { TOTAL: 5, UNKNOWN: unknown - changed }),
          CHANGED: changed,
        });
        return true;
      case 'LIST': {
        const entries = Array.from({ length: unknown }, (_, seq) => unknownEntry(seq));
        const RECIPIENTS = entries.filter(({ SEQ }) => SEQ > (request.AFTER ?? -1));
        peer.ack(request, { RECIPIENTS, MORE: false });
        return true;
      }
      default:
        return false;
    }
  });
}

test('unknown is a table of who, by which worker and relay, when and why', async () => {
  const server = await withUnknown(2);
  const result = await run(tempFolder(), ['unknown', BATCH, '--server', server.url], { env: { TZ: 'UTC' } });
  expect(result).toMatchObject({ code: 0, stderr: '2 unknown\n' });
  const [title, first] = result.stdout.split('\n');
  expect(title).toMatch(/^SEQ {2}ADDRESS +WORKER +RELAY +WHEN +WHY$/);
  expect(first).toMatch(
    /^ +0 {2}p0@example\.net {2}w-1 +mx +2026-01-01 12:00:00 {2}the line was cut after the final dot$/,
  );
});

test('unknown goes page by page, for programs too', async () => {
  const server = await withUnknown(5);
  const flags = ['unknown', BATCH, '--server', server.url, '--limit', '2'];
  const first = await run(tempFolder(), flags);
  expect(first.stdout.split('\n').slice(1)).toHaveLength(3);
  expect(first.stderr).toBe('5 unknown\nthere are more: --after 1\n');
  const next = await run(tempFolder(), [...flags, '--after', '3', '--json']);
  expect(next.json).toMatchObject({ seq: 4, address: 'p4@example.net', worker: 'w-1', relay: 'mx' });
  expect(next.stdout.trim().split('\n')).toHaveLength(1);
  expect(next.stderr).toBe('5 unknown\n');
  expect((await run(tempFolder(), [...flags, '--limit', '0'])).code).toBe(1);
});

test('unknown says so when there is none', async () => {
  const server = await withUnknown(0);
  const result = await run(tempFolder(), ['unknown', BATCH, '--server', server.url]);
  expect(result).toMatchObject({ code: 0, stdout: '', stderr: 'no recipient of this batch is unknown\n' });
});

test.each([
  [['--sent'], { DECISION: 'SENT' }, '5 recipients taken for sent'],
  [['--retry'], { DECISION: 'RETRY' }, 'sends to 5 recipients again, who may get it twice'],
  [['--retry', '--seq', '3', '--seq', '1', '2'], { DECISION: 'RETRY', SEQS: [[1, 3]] }, 'sends to 5'],
])('resolve %j asks the server for it and says how many changed', async (flags, asked, said) => {
  const server = await withUnknown(5);
  const result = await run(tempFolder(), ['resolve', BATCH, ...flags, '--server', server.url]);
  expect(result).toMatchObject({ code: 0, stdout: expect.stringContaining(said) });
  expect(server.requests.at(-1)).toMatchObject({ CLIENT: 'RESOLVE', BATCH_UUID: BATCH, ...asked });
});

test('resolve tells what is left, and programs the batch', async () => {
  const server = await withUnknown(5, 1);
  const flags = ['resolve', BATCH, '--sent', '--seq', '0', '--server', server.url];
  expect((await run(tempFolder(), flags)).stdout).toContain('1 recipient taken for sent; 4 still unknown');
  expect((await run(tempFolder(), [...flags, '--json'])).json).toMatchObject({
    batch: BATCH,
    changed: 1,
    unknown: 4,
  });
});

test('resolve refuses what makes no sense, and asks the server for nothing', async () => {
  const server = await withUnknown(5, 0);
  const resolve = (...flags: string[]) =>
    run(tempFolder(), ['resolve', BATCH, ...flags, '--server', server.url]);
  expect(await resolve()).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('say what became of them'),
  });
  expect(await resolve('--sent', '--retry')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('not both'),
  });
  expect(await resolve('--sent', '--seq', 'x')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('whole number'),
  });
  expect(server.requests).toHaveLength(0);
  expect(await resolve('--sent', '--seq', '9')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('none of these recipients'),
  });
});

test('resolve refuses a batch that has none, and one that is not there', async () => {
  const none = await withUnknown(0);
  const result = await run(tempFolder(), ['resolve', BATCH, '--retry', '--server', none.url]);
  expect(result).toMatchObject({ code: 1, stderr: expect.stringContaining('has no unknown recipients') });
  expect(none.requests.some(({ CLIENT }) => CLIENT === 'RESOLVE')).toBe(false);
  const nowhere = await scriptedServer((request, peer) => {
    peer.nack(request, 'UNKNOWN_BATCH', 'this server knows no batch');
    return true;
  });
  const missing = await run(tempFolder(), ['resolve', BATCH, '--sent', '--server', nowhere.url]);
  expect(missing).toMatchObject({ code: 1, stderr: expect.stringContaining('knows no batch') });
});

test('duplicates tells of each event when, why, by whom and how many', async () => {
  const server = await scriptedServer((request, peer) => {
    if (request.CLIENT === 'BATCH')
      peer.ack(request, { BATCH: batchInfo({ MAYBE_SENT: 12, SECOND_REPORTS: 1 }) });
    else if (request.CLIENT === 'POSSIBLE_DUPLICATES') {
      const first = {
        ID: 7,
        SEQS: [
          [0, 9],
          [12, 12],
        ],
        TASK_UUID: 't',
        WORKER_UUID: 'w-1',
        RELAY: 'mx',
        AT: WHEN,
        WHY: 'lease lost: worker w-1 gone',
      };
      const second = { ID: 9, SEQS: [[3, 3]], AT: WHEN, WHY: 'resolved by hand: retry' };
      peer.ack(
        request,
        request.AFTER === 0 ? { EVENTS: [first], MORE: true } : { EVENTS: [second], MORE: false },
      );
    } else return false;
    return true;
  });
  const flags = ['duplicates', BATCH, '--server', server.url];
  const result = await run(tempFolder(), flags, { env: { TZ: 'UTC' } });
  expect(result).toMatchObject({
    code: 0,
    stdout:
      '2026-01-01 12:00:00  lease lost: worker w-1 gone  worker w-1  relay mx  11 recipients (0-9, 12)\n' +
      '2026-01-01 12:00:00  resolved by hand: retry  worker -  relay -  1 recipient (3)\n',
    stderr: '12 maybe twice, 1 accepted twice for sure\n',
  });
  expect((await run(tempFolder(), [...flags, '--json'])).json).toMatchObject({
    id: 9,
    seqs: [[3, 3]],
    recipients: 1,
  });
});
