import { afterEach, describe, expect, test } from 'vitest';
import {
  ConnectionLostError,
  connect,
  InvalidSubmissionError,
  type MutiraoClient,
  type Rejection,
  type Row,
  ServerRefusedError,
} from '../../client/index.ts';
import { MAX_FRAME_BYTES } from '../../protocol/index.ts';
import { BATCH, type Script, ScriptedServer } from './scripted-server.ts';

const MESSAGE = { from: 'News <news@example.org>', subject: 'Hello {{name}}', text: 'Dear {{name}}' };

const open: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

async function ready(script?: Script): Promise<{ server: ScriptedServer; client: MutiraoClient }> {
  const server = await new ScriptedServer(script).start();
  open.push(() => server.stop());
  const client = await connect({ server: server.url, token: 't' });
  open.push(() => client.close());
  return { server, client };
}

function* people(count: number): Generator<Row> {
  for (let i = 0; i < count; i++) yield { address: `p${i}@example.net`, variables: { name: `P${i}` } };
}

describe('a submission', () => {
  test('is SUBMIT, RECIPIENTS, COMMIT, and every row arrives once and in order', async () => {
    const { server, client } = await ready();
    const result = await client.submit(
      {
        ...MESSAGE,
        key: 'k1',
        name: 'January',
        replyTo: 'r@example.org',
        strict: true,
        onUnknown: 'hold',
        retry: { baseS: 1 },
      },
      people(4_500),
    );
    expect(result).toEqual({
      batch: BATCH,
      accepted: 4_500,
      rejected: 0,
      rejectedRows: [],
      duplicates: 0,
      existing: false,
    });
    expect(server.verbs).toEqual([
      'BATCHES',
      'BATCHES',
      'SUBMIT',
      'RECIPIENTS',
      'RECIPIENTS',
      'RECIPIENTS',
      'COMMIT',
    ]);
    expect(server.requests[2]).toMatchObject({
      KEY: 'k1',
      NAME: 'January',
      MESSAGE: {
        FROM: MESSAGE.from,
        REPLY_TO: 'r@example.org',
        SUBJECT: MESSAGE.subject,
        TEXT: MESSAGE.text,
      },
      OPTIONS: { STRICT: true, ON_UNKNOWN: 'HOLD', RETRY_BASE_S: 1 },
    });
    expect(server.rows.map((row) => row.ADDRESS)).toEqual([...people(4_500)].map((row) => row.address));
    expect(server.rows[7]).toEqual({ ADDRESS: 'p7@example.net', VARIABLES: { name: 'P7' } });
    expect(server.problems).toEqual([]);
  });

  test('keeps two frames in flight and each below the limit, however large the rows are', async () => {
    const { server, client } = await ready();
    const rows = Array.from(
      { length: 300 },
      (_, i): Row => ({ address: `p${i}@example.net`, variables: { bio: 'é'.repeat(10_000) } }),
    );
    const result = await client.submit(MESSAGE, rows);
    expect(result.accepted).toBe(300);
    expect(server.largest.inFlight).toBe(2);
    expect(server.largest.frameBytes).toBeLessThan(MAX_FRAME_BYTES);
    expect(server.verbs.filter((verb) => verb === 'RECIPIENTS').length).toBeGreaterThan(10);
  });

  test('takes no more rows from the source than it can send', async () => {
    let taken = 0;
    const { client } = await ready((request) => request.CLIENT === 'RECIPIENTS');
    const counting = function* () {
      for (const row of people(1_000_000)) {
        taken++;
        yield row;
      }
    };
    const submitted = client.submit(MESSAGE, counting());
    submitted.catch(() => {});
    await expect.poll(() => taken).toBeGreaterThan(4_000);
    const before = taken;
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(taken).toBe(before);
    expect(taken).toBeLessThan(8_000);
    await client.close();
    await expect(submitted).rejects.toMatchObject({ code: 'CLIENT_CLOSED' });
  });

  test('sends attachments in pieces that joined are the file', async () => {
    const { server, client } = await ready();
    const content = Buffer.from(Array.from({ length: 1_000_003 }, (_, i) => i % 251));
    await client.submit(
      {
        ...MESSAGE,
        attachments: [
          { filename: 'a.bin', contentType: 'application/x', content },
          { filename: 'empty', content: Buffer.alloc(0) },
        ],
      },
      people(1),
    );
    const pieces = server.requests.filter((request) => request.CLIENT === 'ATTACHMENT');
    expect(pieces.map((piece) => piece.FILENAME)).toEqual(['a.bin', 'a.bin', 'a.bin', 'empty']);
    const joined = pieces.filter((piece) => piece.FILENAME === 'a.bin').map((piece) => piece.CONTENT);
    expect(Buffer.from(joined.join(''), 'base64').equals(content)).toBe(true);
    expect(server.largest.frameBytes).toBeLessThan(MAX_FRAME_BYTES);
    expect(server.verbs.indexOf('ATTACHMENT')).toBeLessThan(server.verbs.indexOf('RECIPIENTS'));
  });

  test('that no frame can hold is refused before anything is sent', async () => {
    const { server, client } = await ready();
    const html = 'x'.repeat(MAX_FRAME_BYTES);
    await expect(client.submit({ ...MESSAGE, html }, people(1))).rejects.toThrow(InvalidSubmissionError);
    const file = { filename: 'a.txt', content: Buffer.from('a') };
    await expect(client.submit({ ...MESSAGE, attachments: [file, file] }, people(1))).rejects.toThrow(
      /two attachments/,
    );
    expect(server.verbs).not.toContain('SUBMIT');
  });
});

describe('bad rows', () => {
  const rows: Row[] = [
    { address: 'ann@example.net', origin: 'f.csv:2' },
    { address: 'no-at', origin: 'f.csv:3' },
    { problem: '3 cells instead of 2', origin: 'f.csv:4' },
    { address: `${'x'.repeat(2_000)}@example.net`, origin: 'f.csv:5' },
    { address: 'bob@example.net', variables: { big: 'x'.repeat(1_000_000) }, origin: 'f.csv:6' },
    { address: 'also-no-at', origin: 'f.csv:7' },
    { address: 'zoe@example.net' },
  ];

  test('are told with their own row and origin, and do not stop the others', async () => {
    const { server, client } = await ready();
    const told: Rejection[] = [];
    const progress: number[] = [];
    const result = await client.submit(MESSAGE, rows, {
      onRejected: (rejection) => told.push(rejection),
      onProgress: ({ rows: count }) => progress.push(count),
    });
    expect(result).toMatchObject({ accepted: 2, rejected: 5 });
    expect(told.map(({ row, origin }) => [row, origin])).toEqual([
      [3, 'f.csv:4'],
      [4, 'f.csv:5'],
      [5, 'f.csv:6'],
      [2, 'f.csv:3'],
      [6, 'f.csv:7'],
    ]);
    expect(told[3]).toMatchObject({ address: 'no-at', reason: 'the address has no @' });
    expect(result.rejectedRows).toEqual(told);
    expect(server.problems).toEqual([]);
    expect(progress).toEqual([7]);
  });

  test('in the second chunk are numbered over the whole submission', async () => {
    const { client } = await ready();
    const told: Rejection[] = [];
    const many = function* (): Generator<Row> {
      yield { problem: 'unreadable' };
      yield* people(2_500);
      yield { address: 'wrong', origin: 'line 2502' };
    };
    await client.submit(MESSAGE, many(), { onRejected: (rejection) => told.push(rejection) });
    expect(told[1]).toMatchObject({ row: 2_502, origin: 'line 2502', address: 'wrong' });
  });

  test('that cannot be sent refuse a strict submission', async () => {
    const { server, client } = await ready();
    await expect(client.submit({ ...MESSAGE, strict: true }, rows)).rejects.toThrow(/f\.csv:4: 3 cells/);
    expect(server.verbs).not.toContain('COMMIT');
  });
});

describe('failures', () => {
  test('a refused chunk is the error of the submission, and nothing is committed', async () => {
    const { server, client } = await ready((request, peer) => {
      if (request.CLIENT !== 'RECIPIENTS') return false;
      peer.nack(request, 'INVALID_MESSAGE', 'RECIPIENTS.3: wrong');
      return true;
    });
    await expect(client.submit(MESSAGE, people(100_000))).rejects.toThrow(ServerRefusedError);
    expect(server.verbs).not.toContain('COMMIT');
    await expect.poll(() => server.peers.size).toBe(1);
  });

  test('an error of the source is the error of the submission, and its connection is dropped', async () => {
    const { server, client } = await ready();
    const rows = function* () {
      yield* people(3_000);
      throw new Error('disk gone');
    };
    await expect(client.submit(MESSAGE, rows())).rejects.toThrow('disk gone');
    expect(server.verbs).not.toContain('COMMIT');
    await expect.poll(() => server.peers.size).toBe(1);
  });

  test('a lost connection is repeated from the start when the rows can be had again', async () => {
    let cuts = 0;
    const { server, client } = await ready((request, peer) => {
      if (request.CLIENT !== 'COMMIT' || ++cuts > 2) return false;
      peer.socket.terminate();
      return true;
    });
    const repeats: string[] = [];
    const result = await client.submit({ ...MESSAGE, key: 'k' }, () => people(10), {
      onRepeat: (error) => repeats.push(error.code),
    });
    expect(result.accepted).toBe(10);
    expect(repeats).toEqual(['CONNECTION_LOST', 'CONNECTION_LOST']);
    expect(server.verbs.filter((verb) => verb === 'SUBMIT')).toHaveLength(3);
  });

  test('without a key, a connection lost under COMMIT is not repeated and says what may have happened', async () => {
    const { server, client } = await ready((request, peer) => {
      if (request.CLIENT !== 'COMMIT') return false;
      peer.socket.terminate();
      return true;
    });
    const submitted = client.submit(MESSAGE, () => people(10));
    await expect(submitted).rejects.toMatchObject({ code: 'CONNECTION_LOST', maybeCommitted: true });
    expect(server.verbs.filter((verb) => verb === 'SUBMIT')).toHaveLength(1);
  });

  test('without a key, a connection lost before COMMIT is repeated', async () => {
    let cuts = 0;
    const { client } = await ready((request, peer) => {
      if (request.CLIENT !== 'RECIPIENTS' || ++cuts > 1) return false;
      peer.socket.terminate();
      return true;
    });
    expect((await client.submit(MESSAGE, () => people(10))).accepted).toBe(10);
  });

  test('rows that cannot be had again are not repeated', async () => {
    const { client } = await ready((request, peer) => {
      if (request.CLIENT !== 'RECIPIENTS') return false;
      peer.socket.terminate();
      return true;
    });
    await expect(client.submit({ ...MESSAGE, key: 'k' }, people(10))).rejects.toThrow(ConnectionLostError);
  });

  test('a busy server is asked again, and the attempts are bounded', async () => {
    const { server, client } = await ready((request, peer) => {
      if (request.CLIENT !== 'SUBMIT') return false;
      peer.nack(request, 'STORE_UNAVAILABLE', 'the disk is full', true);
      return true;
    });
    const submitted = client.submit(MESSAGE, [{ address: 'ann@example.net' }], { attempts: 2 });
    await expect(submitted).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE', retry: true });
    expect(server.verbs.filter((verb) => verb === 'SUBMIT')).toHaveLength(2);
  });

  test('a source that hangs does not hide a lost connection', async () => {
    const { server, client } = await ready();
    const rows = async function* (): AsyncGenerator<Row> {
      yield* people(2_001);
      await new Promise(() => {});
    };
    const submitted = client.submit(MESSAGE, rows());
    await expect.poll(() => server.verbs).toContain('RECIPIENTS');
    server.cutAll();
    await expect(submitted).rejects.toThrow(ConnectionLostError);
  });

  test('can be aborted', async () => {
    const { server, client } = await ready((request) => request.CLIENT === 'COMMIT');
    const stop = new AbortController();
    const submitted = client.submit(MESSAGE, people(10), { signal: stop.signal });
    submitted.catch(() => {});
    await expect.poll(() => server.verbs).toContain('COMMIT');
    stop.abort(new Error('enough'));
    await expect(submitted).rejects.toThrow('enough');
    await expect.poll(() => server.peers.size).toBe(1);
  });
});
