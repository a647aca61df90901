import { afterEach, expect, test } from 'vitest';
import {
  CannotConnectError,
  ClientClosedError,
  ConnectionLostError,
  connect,
  type MutiraoClient,
  ServerRefusedError,
  UnexpectedAnswerError,
} from '../../client/index.ts';
import { selfSigned } from '../../sink/self-signed.ts';
import { BATCH, batchInfo, collect, type Script, ScriptedServer } from './scripted-server.ts';

const open: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

async function started(script?: Script): Promise<ScriptedServer> {
  const server = await new ScriptedServer(script).start();
  open.push(() => server.stop());
  return server;
}

async function connected(server: ScriptedServer, token?: string): Promise<MutiraoClient> {
  const client = await connect({ server: server.url, token });
  open.push(() => client.close());
  return client;
}

test('the token is shown in the handshake and in a small first message', async () => {
  const server = await started();
  await connected(server, 's3cret');
  expect(server.requests[0]).toMatchObject({ CLIENT: 'BATCHES', TOKEN: 's3cret', PROTOCOL: 1 });
  expect([...server.peers][0]?.authorization).toBe('Bearer s3cret');
});

test('a wrong token is an error of connect', async () => {
  const server = await started((request, peer) => {
    peer.nack(request, 'UNAUTHORIZED', 'the token is wrong');
    return true;
  });
  const attempt = connect({ server: server.url, token: 'x' });
  await expect(attempt).rejects.toThrow(ServerRefusedError);
  await expect(attempt).rejects.toMatchObject({ code: 'UNAUTHORIZED', retry: false });
});

test('a server that refuses the handshake with 401 is unauthorized, with 404 it is no server of ours', async () => {
  const server = await started();
  server.refuseUpgrade = 401;
  await expect(connect({ server: server.url })).rejects.toMatchObject({
    reason: 'unauthorized',
    retry: false,
  });
  server.refuseUpgrade = 404;
  await expect(connect({ server: server.url })).rejects.toMatchObject({ reason: 'not-a-server' });
});

test('where nobody listens, the error names the address and says that it may be tried again', async () => {
  const server = await started();
  await server.stop();
  const attempt = connect({ server: server.url });
  await expect(attempt).rejects.toThrow(CannotConnectError);
  await expect(attempt).rejects.toMatchObject({
    reason: 'refused',
    retry: true,
    message: `no server at ${server.url}`,
  });
});

test('a connection that is closed before the first answer is told as such', async () => {
  const server = await started((_request, peer) => {
    peer.socket.close(1008, 'too many connections');
    return true;
  });
  await expect(connect({ server: server.url })).rejects.toThrow(/1008: too many connections/);
});

test('a wss:// server is checked against the authority that is given', async () => {
  const { key, cert } = selfSigned('localhost');
  const server = await new ScriptedServer(undefined, { key, cert }).start();
  open.push(() => server.stop());
  const url = server.url.replace('127.0.0.1', 'localhost');
  await expect(connect({ server: url })).rejects.toMatchObject({ reason: 'tls', retry: false });
  const client = await connect({ server: url, tlsCa: cert });
  open.push(() => client.close());
  expect(client.address).toMatch(/^wss:/);
});

test('connecting can be aborted', async () => {
  const server = await started(() => true);
  const stop = new AbortController();
  const attempt = connect({ server: server.url, signal: stop.signal });
  setTimeout(() => stop.abort(new Error('enough')), 20);
  await expect(attempt).rejects.toThrow('enough');
});

test('requests and answers find each other by REQ, in whatever order the answers come', async () => {
  const held: (() => void)[] = [];
  const server = await started((request, peer) => {
    if (request.CLIENT !== 'BATCH') return false;
    held.push(() => peer.ack(request, { BATCH: batchInfo({ BATCH_UUID: request.BATCH_UUID }) }));
    if (held.length === 3) for (const answer of held.reverse()) answer();
    return true;
  });
  const client = await connected(server);
  const batches = await Promise.all(['a', 'b', 'c'].map((id) => client.batch(id)));
  expect(batches.map((batch) => batch.id)).toEqual(['a', 'b', 'c']);
});

test('a request survives a connection that breaks under it', async () => {
  let cuts = 0;
  const server = await started((request, peer) => {
    if (request.CLIENT !== 'PAUSE' || cuts > 0) return false;
    cuts++;
    peer.socket.terminate();
    return true;
  });
  const client = await connected(server);
  expect((await client.pause(BATCH)).batch.id).toBe(BATCH);
  expect(server.connections).toBe(2);
});

test('requests that come together after a loss share one new connection', async () => {
  const server = await started();
  const client = await connected(server);
  server.cutAll();
  await Promise.all([client.server(), client.batches(), client.batch(BATCH)]);
  expect(server.connections).toBe(2);
});

test('a refusal carries the code, the field and the message of the server', async () => {
  const server = await started((request, peer) => {
    if (request.CLIENT !== 'RETRY') return false;
    const error = { CODE: 'UNKNOWN_BATCH', MESSAGE: 'no such batch', FIELD: 'BATCH_UUID', RETRY: false };
    peer.send({ STATUS: 'NACK', REQ: request.REQ, ERROR: error });
    return true;
  });
  const client = await connected(server);
  await expect(client.retry('nope')).rejects.toMatchObject({
    name: 'ServerRefusedError',
    code: 'UNKNOWN_BATCH',
    message: 'no such batch',
    field: 'BATCH_UUID',
  });
});

test('an answer of another shape is an error that names the key', async () => {
  const server = await started((request, peer) => {
    if (request.CLIENT !== 'BATCH') return false;
    peer.ack(request, { BATCH: { ...batchInfo(), COUNTS: 'many' } });
    return true;
  });
  const client = await connected(server);
  const answer = client.batch(BATCH);
  await expect(answer).rejects.toThrow(UnexpectedAnswerError);
  await expect(answer).rejects.toThrow(/BATCH\.COUNTS/);
});

test('what is not JSON ends the connection and not the process', async () => {
  const server = await started((request, peer) => {
    if (request.CLIENT !== 'SERVER') return false;
    peer.socket.send('oops');
    return true;
  });
  const client = await connected(server);
  await expect(client.server()).rejects.toThrow(ConnectionLostError);
});

test('lists are read page by page', async () => {
  const server = await started((request, peer) => {
    if (request.CLIENT !== 'LIST') return false;
    const from = (request.AFTER ?? -1) + 1;
    const RECIPIENTS = [0, 1].map((i) => ({
      SEQ: from + i,
      ADDRESS: `r${from + i}@example.net`,
      STATE: 'FAILED',
      ATTEMPTS: 1,
      REPLY: '550 no such user',
      RELAY: 'mx',
      AT: '2026-01-01T12:00:00.000Z',
      MAYBE_SENT: false,
    }));
    peer.ack(request, { RECIPIENTS, MORE: from < 4 });
    return true;
  });
  const client = await connected(server);
  const all = await collect(client.list(BATCH, 'failed'));
  expect(all.map((entry) => entry.seq)).toEqual([0, 1, 2, 3, 4, 5]);
  expect(all[5]).toMatchObject({
    address: 'r5@example.net',
    state: 'failed',
    reply: '550 no such user',
    relay: 'mx',
  });
  expect(server.verbs.filter((verb) => verb === 'LIST')).toHaveLength(3);
});

test('after close every call says that the client is closed', async () => {
  const server = await started();
  const client = await connected(server);
  await client.close();
  await expect(client.server()).rejects.toThrow(ClientClosedError);
  await expect(client.submit({ from: 'a@b.c', subject: 's', text: 't' }, [])).rejects.toThrow(
    ClientClosedError,
  );
});
