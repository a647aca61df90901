import { connect as connectTcp, type Socket } from 'node:net';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, onTestFinished, test } from 'vitest';
import { ConnectionLostError, connect, type MutiraoClient } from '../../../client/index.ts';
import { FILE_NAME } from '../../../server/store/sqlite/connection.ts';
import { JsonSocket } from '../../support/socket.ts';
import { until } from '../../support/until.ts';
import { portOf, proxyTo } from '../support/proxy.ts';
import { expectExactlyOnce, people, Town } from '../support/town.ts';
import type { TownServer } from '../support/town-server.ts';

const TOTAL = 300;
const LETTER = { from: 'news@example.org', subject: 'Hello {{name}}', text: 'Dear {{name}}' };

/**
 * A client whose server dies after the commit and before the client hears of it: the line swallows the acknowledgement, which is sent
 * after the commit, and that is when the server is killed.
 */
async function killedBeforeTheReply(town: Town): Promise<{
  readonly server: TownServer;
  readonly client: MutiraoClient;
  readonly killed: () => Promise<void>;
}> {
  const server = await town.server();
  let kill: Promise<void> | undefined;
  const proxy = await proxyTo(portOf(server.url), () => ({
    fromCaller: () => true,
    fromCalled: (bytes) => {
      if (kill !== undefined || !bytes.includes('"ACCEPTED"')) return true;
      kill = server.process.kill().then(() => server.start());
      return false;
    },
    ended: () => {},
  }));
  const client = await connect({ server: `ws://127.0.0.1:${proxy.port}` });
  onTestFinished(() => client.close());
  return { server, client, killed: () => until('it is killed', () => kill !== undefined).then(() => kill) };
}

describe('case 1: a server killed after the commit of a batch, before its client is told', {
  timeout: 60_000,
}, () => {
  test('case 1: has one batch when the client submits again with the same key', async () => {
    const town = await Town.raise();
    await town.sink();
    const { server, client, killed } = await killedBeforeTheReply(town);
    let repeats = 0;
    const submitted = await client.submit({ ...LETTER, key: 'spring' }, () => people(TOTAL), {
      attempts: 100,
      onRepeat: () => void repeats++,
    });
    await killed();
    expect(repeats).toBeGreaterThan(0);
    expect(submitted).toMatchObject({ accepted: TOTAL, existing: true });
    const batches = await (await server.client()).batches();
    expect(batches.map(({ id }) => id)).toEqual([submitted.batch]);
    await town.worker(server);
    const batch = { server, id: submitted.batch };
    expect((await town.finished(batch)).counts).toMatchObject({ total: TOTAL, sent: TOTAL });
    expectExactlyOnce(await town.account(batch));
  });

  test('case 1: has it when the client gave no key, which is told to look before it submits again', async () => {
    const town = await Town.raise();
    const { server, client, killed } = await killedBeforeTheReply(town);
    const error = await client.submit(LETTER, () => people(TOTAL)).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(ConnectionLostError);
    expect(error).toMatchObject({ maybeCommitted: true });
    await killed();
    const batches = await (await server.client()).batches();
    expect(batches.map(({ counts }) => counts.pending)).toEqual([TOTAL]);
  });
});

/** Every word of a client that submits nine recipients in three chunks, as bytes on the line. */
async function wordsOfAClient(server: TownServer): Promise<Buffer> {
  const words: Buffer[] = [];
  const proxy = await proxyTo(portOf(server.url), () => ({
    fromCaller: (bytes) => words.push(Buffer.from(bytes)) > 0,
    fromCalled: () => true,
    ended: () => {},
  }));
  const socket = await JsonSocket.open(`ws://127.0.0.1:${proxy.port}`, { headers: {} });
  const rows = [...people(ROWS)].map(({ address, name }) => ({ ADDRESS: address, VARIABLES: { name } }));
  const MESSAGE = { FROM: LETTER.from, SUBJECT: LETTER.subject, TEXT: LETTER.text };
  await socket.ask({ CLIENT: 'SUBMIT', MESSAGE });
  for (let from = 0; from < ROWS; from += CHUNK)
    await socket.ask({ CLIENT: 'RECIPIENTS', RECIPIENTS: rows.slice(from, from + CHUNK) });
  expect(await socket.ask({ CLIENT: 'COMMIT' })).toMatchObject({ STATUS: 'ACK', ACCEPTED: ROWS });
  socket.cut();
  return Buffer.concat(words);
}

/** Says these words to a server, and nothing more. */
async function say(port: number, words: Buffer): Promise<Socket> {
  const socket = connectTcp({ host: '127.0.0.1', port, noDelay: true });
  onTestFinished(() => void socket.destroy());
  socket.on('error', () => {});
  // what it answers is read and forgotten
  socket.resume();
  await new Promise<void>((resolve) => socket.write(words, () => resolve()));
  return socket;
}

/** Recipients in the store, those of batches included that nobody sees yet. */
function storedRecipients(data: string): number {
  const database = new DatabaseSync(join(data, FILE_NAME), { readOnly: true });
  try {
    return database.prepare('SELECT count(*) AS count FROM recipient').get()?.count as number;
  } finally {
    database.close();
  }
}

const ROWS = 9;
const CHUNK = 3;
/** Lifes of the server; the connections are spread over them. */
const LIVES = 3;

describe('case 2: a server killed in the middle of a submission', { timeout: 60_000 }, () => {
  test('case 2: has nothing of it, whichever its last byte was: all but the last byte of every length is tried', async () => {
    const town = await Town.raise();
    const server = await town.server();
    const words = await wordsOfAClient(server);
    const client = async () => (await server.client()).batches({ limit: 100 });
    const known = (await client()).map(({ id }) => id);
    expect(known).toHaveLength(1);
    for (let life = 0; life < LIVES; life++) {
      const lengths = Array.from({ length: words.length - 1 }, (_, i) => i + 1).filter(
        (length) => length % LIVES === life,
      );
      await Promise.all(lengths.map((length) => say(portOf(server.url), words.subarray(0, length))));
      // an answer to a request that came later: what came before has been read
      await fetch(`${server.url.replace(/^ws/, 'http')}/healthz`);
      await until('some have stored chunks', () => storedRecipients(server.data) > ROWS);
      await server.process.kill();
      await server.start();
      expect((await client()).map(({ id }) => id)).toEqual(known);
    }
  });

  test('case 2: has all of it or nothing when the kill meets the commits', async () => {
    const town = await Town.raise();
    const server = await town.server();
    const words = await wordsOfAClient(server);
    for (let life = 0; life < LIVES; life++) {
      const said = Array.from({ length: 20 }, () => say(portOf(server.url), words));
      await Promise.all(said.slice(0, 4 * (life + 1)));
      await server.process.kill();
      await Promise.all(said);
      await server.start();
    }
    for (const { counts } of await (await server.client()).batches({ limit: 100 }))
      expect(counts).toMatchObject({ total: ROWS, pending: ROWS });
  });
});
