import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, it, test } from 'vitest';
import { MAX_REJECTED_LISTED } from '../../../protocol/index.ts';
import { FILE_NAME } from '../../../server/store/sqlite/connection.ts';
import { type BatchNow, MESSAGE, rowsOf, TestClient } from '../../support/client.ts';
import { startTestServer, type TestServer } from '../../support/server.ts';
import type { Frame } from '../../support/socket.ts';
import { until } from '../../support/until.ts';

async function open(): Promise<{ server: TestServer; client: TestClient }> {
  const server = await startTestServer();
  return { server, client: await TestClient.of(server) };
}

/** Rows that are in the store, of open batches too. */
function storedRecipients(server: TestServer): number {
  const database = new DatabaseSync(join(server.data, FILE_NAME), { readOnly: true });
  try {
    return (database.prepare('SELECT count(*) AS rows FROM recipient').get() as { rows: number }).rows;
  } finally {
    database.close();
  }
}

const codeOf = (frame: Frame): string | undefined => frame.ERROR?.CODE;

describe('a batch on its way in', () => {
  it('is stored chunk by chunk and acknowledged after the commit', async () => {
    const { client } = await open();
    expect(await client.ask('SUBMIT', { MESSAGE, RECIPIENTS: rowsOf(3) })).toMatchObject({
      RECEIVED: 3,
      REJECTED: [],
    });
    expect(await client.ask('RECIPIENTS', { RECIPIENTS: rowsOf(4, 3) })).toMatchObject({ RECEIVED: 7 });
    const ack = await client.ask('COMMIT', { REQ: 9 });
    expect(ack).toMatchObject({ STATUS: 'ACK', REQ: 9, ACCEPTED: 7, REJECTED_COUNT: 0, DUPLICATES: 0 });
    const batch = await client.batch(ack.BATCH_UUID as string);
    expect(batch).toMatchObject({ STATE: 'RUNNING', COUNTS: { TOTAL: 7, PENDING: 7 } });
  });

  it('takes chunks that are sent without waiting for the answers', async () => {
    const { client } = await open();
    client.socket.send({ CLIENT: 'SUBMIT', MESSAGE });
    const chunks = 60;
    for (let i = 0; i < chunks; i++)
      client.socket.send({ CLIENT: 'RECIPIENTS', RECIPIENTS: rowsOf(100, i * 100) });
    client.socket.send({ CLIENT: 'COMMIT' });
    const ack = await client.socket.next((frame) => frame.BATCH_UUID !== undefined);
    expect(ack).toMatchObject({ ACCEPTED: chunks * 100 });
    const received = client.socket.heard
      .map(({ RECEIVED }) => RECEIVED)
      .filter((count) => count !== undefined);
    expect(received).toEqual(Array.from({ length: chunks + 1 }, (_, i) => i * 100));
  });

  it('is not committed without the chunk that was not understood', async () => {
    const { client, server } = await open();
    client.socket.send({ CLIENT: 'SUBMIT', MESSAGE, RECIPIENTS: rowsOf(3) });
    client.socket.send({ CLIENT: 'RECIPIENTS', RECIPIENTS: [{ ADDRESS: 7 }] });
    client.socket.send({ CLIENT: 'RECIPIENTS', RECIPIENTS: rowsOf(3, 3) });
    client.socket.send({ CLIENT: 'COMMIT', REQ: 4 });
    await client.socket.next((frame) => frame.REQ === 4);
    const codes = client.socket.heard.map(codeOf).filter((code) => code !== undefined);
    expect(codes).toEqual(['INVALID_MESSAGE', 'BATCH_SPOILED', 'NO_OPEN_BATCH']);
    await until('nothing is left of it', () => storedRecipients(server) === 0);
    expect(await client.ask('SUBMIT', { MESSAGE, RECIPIENTS: rowsOf(1), COMMIT: true })).toMatchObject({
      ACCEPTED: 1,
    });
  });

  it('is not seen by anybody before the commit', async () => {
    const { client, server } = await open();
    await client.ask('SUBMIT', { MESSAGE, RECIPIENTS: rowsOf(3) });
    expect(await (await TestClient.of(server)).ask('BATCHES')).toMatchObject({ BATCHES: [] });
  });

  it('leaves nothing behind when the connection ends without COMMIT', async () => {
    const { client, server } = await open();
    await client.ask('SUBMIT', { MESSAGE, KEY: 'k', RECIPIENTS: rowsOf(2_000) });
    expect(storedRecipients(server)).toBe(2_000);
    client.socket.cut();
    await until('the rows are gone', () => storedRecipients(server) === 0);
    const other = await TestClient.of(server);
    expect(await other.ask('BATCHES')).toMatchObject({ BATCHES: [] });
    const uuid = await other.submit(2, { KEY: 'k' });
    expect((await other.batch(uuid)).COUNTS.TOTAL).toBe(2);
    await server.stop();
    expect(await server.audit(uuid)).toMatchObject({ problems: [], counts: { total: 2 } });
    expect(server.errors).toEqual([]);
  });

  it('leaves nothing behind when the server stops meanwhile', async () => {
    const { client, server } = await open();
    await client.ask('SUBMIT', { MESSAGE, RECIPIENTS: rowsOf(100) });
    await server.stop();
    expect(server.errors).toEqual([]);
    await server.start();
    expect(await (await TestClient.of(server)).ask('BATCHES')).toMatchObject({ BATCHES: [] });
  });

  it('is dropped by ABORT, after which another one can be opened', async () => {
    const { client } = await open();
    await client.ask('SUBMIT', { MESSAGE, RECIPIENTS: rowsOf(3) });
    expect(await client.ask('ABORT')).toMatchObject({ STATUS: 'ACK' });
    expect(codeOf(await client.ask('COMMIT'))).toBe('NO_OPEN_BATCH');
    await client.submit(1);
  });

  it('is one at a time on a connection; the open one stays open', async () => {
    const { client } = await open();
    await client.ask('SUBMIT', { MESSAGE, RECIPIENTS: rowsOf(3) });
    expect(codeOf(await client.ask('SUBMIT', { MESSAGE }))).toBe('BATCH_ALREADY_OPEN');
    expect(await client.ask('COMMIT')).toMatchObject({ ACCEPTED: 3 });
  });

  it('needs a SUBMIT before chunks, pieces and COMMIT', async () => {
    const { client } = await open();
    expect(codeOf(await client.ask('RECIPIENTS', { RECIPIENTS: rowsOf(1) }))).toBe('NO_OPEN_BATCH');
    expect(codeOf(await client.ask('ATTACHMENT', { FILENAME: 'a', CONTENT: '' }))).toBe('NO_OPEN_BATCH');
    expect(codeOf(await client.ask('COMMIT'))).toBe('NO_OPEN_BATCH');
  });

  it('is refused when it is empty', async () => {
    const { client } = await open();
    const nack = await client.ask('SUBMIT', { MESSAGE, RECIPIENTS: [], COMMIT: true });
    expect(nack).toMatchObject({
      STATUS: 'NACK',
      ERROR: { CODE: 'EMPTY_BATCH', MESSAGE: expect.stringContaining('no recipients') },
    });
    await client.submit(1);
  });

  it('is not refused for a batch of the same connection that was', async () => {
    const { client } = await open();
    expect(codeOf(await client.ask('SUBMIT', { MESSAGE: { ...MESSAGE, TEXT: '{{#x}}' } }))).toBe(
      'TEMPLATE_INVALID',
    );
    await client.submit(1);
  });
});

describe('rows that are wrong', () => {
  it('are listed with their number and the reason, and do not stop the good ones', async () => {
    const { client } = await open();
    const RECIPIENTS = [
      ...rowsOf(1),
      { ADDRESS: 'no address' },
      ...rowsOf(1, 1),
      { ADDRESS: 'user9@example.net' },
    ];
    await client.ask('SUBMIT', { MESSAGE, RECIPIENTS: rowsOf(2, 10) });
    const chunk = await client.ask('RECIPIENTS', { RECIPIENTS });
    expect(chunk.REJECTED).toMatchObject([
      { ROW: 4, ADDRESS: 'no address' },
      { ROW: 6, ADDRESS: 'user9@example.net', REASON: expect.stringContaining('name') },
    ]);
    expect(await client.ask('COMMIT')).toMatchObject({
      ACCEPTED: 4,
      REJECTED_COUNT: 2,
      REJECTED: chunk.REJECTED,
    });
  });

  it('are 10,000 and all of them: the batch is refused, the server lives', async () => {
    const { client } = await open();
    const RECIPIENTS = Array.from({ length: 10_000 }, (_, i) => ({ ADDRESS: `bad${i}` }));
    const submitted = await client.ask('SUBMIT', { MESSAGE, RECIPIENTS });
    expect(submitted.REJECTED).toHaveLength(10_000);
    const nack = await client.ask('COMMIT');
    expect(nack.ERROR).toMatchObject({
      CODE: 'EMPTY_BATCH',
      MESSAGE: expect.stringContaining('every row was rejected (10000)'),
    });
    await client.submit(1);
  });

  it('are 10,000 among good ones: counted all, the first listed at COMMIT', async () => {
    const { client } = await open();
    await client.ask('SUBMIT', { MESSAGE, RECIPIENTS: rowsOf(1) });
    await client.ask('RECIPIENTS', {
      RECIPIENTS: Array.from({ length: 10_000 }, (_, i) => ({ ADDRESS: `bad${i}` })),
    });
    const ack = await client.ask('COMMIT');
    expect(ack).toMatchObject({ ACCEPTED: 1, REJECTED_COUNT: 10_000 });
    expect(ack.REJECTED).toHaveLength(MAX_REJECTED_LISTED);
  });

  it('refuse the whole batch when it is strict', async () => {
    const { client } = await open();
    const RECIPIENTS = [...rowsOf(2), { ADDRESS: 'bad' }];
    const nack = await client.ask('SUBMIT', { MESSAGE, OPTIONS: { STRICT: true }, RECIPIENTS, COMMIT: true });
    expect(nack.ERROR).toMatchObject({ CODE: 'REJECTED', MESSAGE: expect.stringContaining('row 3') });
    expect(await client.ask('BATCHES')).toMatchObject({ BATCHES: [] });
  });

  it('are addresses and names with CR, LF or NUL', async () => {
    const { client } = await open();
    const breaks = ['\r\nRCPT TO:<x@y.z>', '\n', '\r', '\0'];
    const RECIPIENTS = [
      ...breaks.map((text, i) => ({ ADDRESS: `user${i}${text}@example.net`, VARIABLES: { name: 'x' } })),
      ...breaks.map((text, i) => ({ ADDRESS: `user${i}@example.net${text}`, VARIABLES: { name: 'x' } })),
    ];
    const ack = await client.ask('SUBMIT', { MESSAGE, RECIPIENTS });
    expect(ack.REJECTED).toHaveLength(RECIPIENTS.length);
  });

  it('are names with CR, LF or NUL, which would break a header', async () => {
    const { client } = await open();
    const breaks = ['a\r\nBcc: x@y.z', 'a\nb', 'a\rb', 'a\0b'];
    const RECIPIENTS = breaks.map((name, i) => ({
      ADDRESS: `user${i}@example.net`,
      NAME: name,
      VARIABLES: { name },
    }));
    const ack = await client.ask('SUBMIT', { MESSAGE, RECIPIENTS });
    expect(ack.REJECTED).toHaveLength(RECIPIENTS.length);
  });

  it('have variables that are too long', async () => {
    const { client } = await open();
    const RECIPIENTS = [{ ADDRESS: 'a@example.net', VARIABLES: { name: 'é'.repeat(8_500) } }];
    const ack = await client.ask('SUBMIT', { MESSAGE, RECIPIENTS });
    expect(ack.REJECTED).toMatchObject([{ ROW: 1, REASON: expect.stringContaining('variables are longer') }]);
  });
});

describe('rows that are there already', () => {
  it('are merged and counted, whatever the case of the domain and the chunk', async () => {
    const { client } = await open();
    await client.ask('SUBMIT', { MESSAGE, RECIPIENTS: rowsOf(2) });
    const again = [{ ADDRESS: 'user0@EXAMPLE.net', VARIABLES: { name: 'x' } }, ...rowsOf(1, 5)];
    await client.ask('RECIPIENTS', { RECIPIENTS: again });
    expect(await client.ask('COMMIT')).toMatchObject({ ACCEPTED: 3, DUPLICATES: 1, REJECTED_COUNT: 0 });
  });
});

describe('a message that is wrong', () => {
  const refused: readonly [what: string, changes: object, code: string][] = [
    ['a template that does not parse', { TEXT: 'Dear {{name' }, 'TEMPLATE_INVALID'],
    ['a section that is not closed', { TEXT: '{{#x}} hello' }, 'TEMPLATE_INVALID'],
    ['a subject with a line break', { SUBJECT: 'Hello\r\nBcc: x@example.org' }, 'TEMPLATE_INVALID'],
    ['a subject with NUL', { SUBJECT: 'Hello\0' }, 'TEMPLATE_INVALID'],
    ['a header with a line break', { HEADERS: { 'X-A': 'b\r\nBcc: c@example.org' } }, 'TEMPLATE_INVALID'],
    ['a header name with a line break', { HEADERS: { 'X-A\r\nBcc': 'c@example.org' } }, 'MESSAGE_INVALID'],
    ['a sender with a line break', { FROM: 'a@example.org\r\nRCPT TO:<b@c.d>' }, 'MESSAGE_INVALID'],
    ['a sender that is no address', { FROM: 'nobody' }, 'MESSAGE_INVALID'],
    ['a reply address with a line break', { REPLY_TO: 'a@example.org\nX: y' }, 'MESSAGE_INVALID'],
    ['nothing to read in it', { TEXT: undefined }, 'MESSAGE_INVALID'],
  ];
  for (const [what, changes, code] of refused) {
    test(`${what} is refused at SUBMIT`, async () => {
      const { client } = await open();
      const nack = await client.ask('SUBMIT', {
        MESSAGE: { ...MESSAGE, ...changes },
        RECIPIENTS: rowsOf(1),
        COMMIT: true,
      });
      expect(nack).toMatchObject({ STATUS: 'NACK', ERROR: { CODE: code } });
      expect(await client.ask('BATCHES')).toMatchObject({ BATCHES: [] });
    });
  }
});

describe('a relay that is not there', () => {
  it('is refused at SUBMIT', async () => {
    const { client } = await open();
    const nack = await client.ask('SUBMIT', { MESSAGE, OPTIONS: { RELAYS: ['mx'] }, RECIPIENTS: rowsOf(1) });
    expect(nack.ERROR).toMatchObject({ CODE: 'UNKNOWN_RELAY', FIELD: 'OPTIONS.RELAYS' });
  });
});

describe('a KEY', () => {
  it('with the same content is the same batch, however the content is cut into chunks', async () => {
    const { client } = await open();
    const uuid = await client.submit(5, { KEY: 'k' });
    await client.ask('SUBMIT', { MESSAGE, KEY: 'k', RECIPIENTS: rowsOf(2) });
    await client.ask('RECIPIENTS', { RECIPIENTS: rowsOf(3, 2) });
    expect(await client.ask('COMMIT')).toMatchObject({
      STATUS: 'ACK',
      BATCH_UUID: uuid,
      EXISTING: true,
      ACCEPTED: 5,
    });
    expect((await client.ask('BATCHES')).BATCHES).toHaveLength(1);
  });

  it('with another list, message or options is refused, and names the batch', async () => {
    const { client } = await open();
    const uuid = await client.submit(5, { KEY: 'k' });
    const others = [
      { RECIPIENTS: rowsOf(4) },
      { RECIPIENTS: rowsOf(5, 1) },
      { MESSAGE: { ...MESSAGE, SUBJECT: 'Other' } },
      { OPTIONS: { ON_UNKNOWN: 'HOLD' } },
      { RECIPIENTS: [...rowsOf(4), { ADDRESS: 'user4@example.net', VARIABLES: { name: 'Other' } }] },
    ];
    for (const other of others) {
      const nack = await client.ask('SUBMIT', {
        MESSAGE,
        KEY: 'k',
        RECIPIENTS: rowsOf(5),
        COMMIT: true,
        ...other,
      });
      expect(nack.ERROR).toMatchObject({
        CODE: 'KEY_REUSED',
        FIELD: 'KEY',
        MESSAGE: expect.stringContaining(uuid),
      });
    }
    expect((await client.ask('BATCHES')).BATCHES).toHaveLength(1);
  });

  it('is free again when its batch was never committed', async () => {
    const { client } = await open();
    await client.ask('SUBMIT', { MESSAGE, KEY: 'k', RECIPIENTS: rowsOf(3) });
    await client.ask('ABORT');
    await client.submit(2, { KEY: 'k' });
  });

  it('used by two clients at once makes one batch, which both are told', async () => {
    const { server, client } = await open();
    const other = await TestClient.of(server);
    for (const one of [client, other]) await one.ask('SUBMIT', { MESSAGE, KEY: 'k', RECIPIENTS: rowsOf(3) });
    const acks = await Promise.all([client.ask('COMMIT'), other.ask('COMMIT')]);
    expect(acks[0]?.BATCH_UUID).toBe(acks[1]?.BATCH_UUID);
    expect(acks.filter(({ EXISTING }) => EXISTING === true)).toHaveLength(1);
    expect((await client.ask('BATCHES')).BATCHES).toHaveLength(1);
  });

  it('used by two clients at once with different content is an error for one of them', async () => {
    const { server, client } = await open();
    const other = await TestClient.of(server);
    await client.ask('SUBMIT', { MESSAGE, KEY: 'k', RECIPIENTS: rowsOf(3) });
    await other.ask('SUBMIT', { MESSAGE, KEY: 'k', RECIPIENTS: rowsOf(4) });
    const acks = await Promise.all([client.ask('COMMIT'), other.ask('COMMIT')]);
    expect(acks.map((ack) => codeOf(ack) ?? 'ACK').sort()).toEqual(['ACK', 'KEY_REUSED']);
    expect((await client.ask('BATCHES')).BATCHES).toHaveLength(1);
  });

  it('survives a restart', async () => {
    const { server, client } = await open();
    const uuid = await client.submit(5, { KEY: 'k' });
    await server.stop();
    await server.start();
    expect(await (await TestClient.of(server)).submit(5, { KEY: 'k' })).toBe(uuid);
  });
});

describe('attachments in pieces', () => {
  const base64 = Buffer.from('hello, this is a file').toString('base64');
  const piece = (CONTENT: string, keys: object = {}) => ({
    FILENAME: 'a.txt',
    CONTENT_TYPE: 'text/plain',
    CONTENT,
    ...keys,
  });

  async function submitted(client: TestClient, pieces: readonly object[], KEY?: string): Promise<Frame> {
    await client.ask('SUBMIT', { MESSAGE, RECIPIENTS: rowsOf(1), KEY });
    for (const one of pieces) await client.ask('ATTACHMENT', one);
    return client.ask('COMMIT');
  }

  it('are put together, and the same file in other pieces is the same content', async () => {
    const { client } = await open();
    const first = await submitted(client, [piece(base64.slice(0, 8)), piece(base64.slice(8))], 'k');
    expect(first).toMatchObject({ STATUS: 'ACK', ACCEPTED: 1 });
    const again = await submitted(client, [piece(base64.slice(0, 4)), piece(base64.slice(4))], 'k');
    expect(again).toMatchObject({ EXISTING: true, BATCH_UUID: first.BATCH_UUID });
    const other = await submitted(client, [piece(base64, { CONTENT_TYPE: 'text/html' })], 'k');
    expect(codeOf(other)).toBe('KEY_REUSED');
  });

  it('are refused when they are not base64', async () => {
    const { client } = await open();
    expect(codeOf(await submitted(client, [piece('***')]))).toBe('MESSAGE_INVALID');
    expect(await client.ask('BATCHES')).toMatchObject({ BATCHES: [] });
  });

  it('are refused when there are too many, even of nothing', async () => {
    const { client } = await open();
    await client.ask('SUBMIT', { MESSAGE, RECIPIENTS: rowsOf(1) });
    for (let i = 0; i <= 100; i++)
      client.socket.send({ CLIENT: 'ATTACHMENT', REQ: i, FILENAME: `${i}.txt`, CONTENT: '' });
    const last = await client.socket.next(({ REQ }) => REQ === 100);
    expect(codeOf(last)).toBe('TOO_LARGE');
    expect(codeOf(await client.ask('COMMIT'))).toBe('NO_OPEN_BATCH');
  });

  it('are refused when they are too large, and the whole batch with them', async () => {
    const { client } = await open();
    await client.ask('SUBMIT', { MESSAGE, RECIPIENTS: rowsOf(1) });
    const CONTENT = 'A'.repeat(1_000_000);
    let last: Frame = {};
    for (let i = 0; i < 30 && codeOf(last) === undefined; i++)
      last = await client.ask('ATTACHMENT', piece(CONTENT));
    expect(codeOf(last)).toBe('TOO_LARGE');
    expect(codeOf(await client.ask('COMMIT'))).toBe('NO_OPEN_BATCH');
  });
});

test('a batch survives a restart with everything that belongs to it', async () => {
  const { server, client } = await open();
  const uuid = await client.submit(3, { NAME: 'January', OPTIONS: { ON_UNKNOWN: 'HOLD' } });
  const before = await client.batch(uuid);
  await server.stop();
  await server.start();
  const after: BatchNow = await (await TestClient.of(server)).batch(uuid);
  expect(after).toEqual(before);
});
