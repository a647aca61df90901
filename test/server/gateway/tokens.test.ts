import { expect, test } from 'vitest';
import { MESSAGE, rowsOf, TestClient } from '../../support/client.ts';
import { startTestServer, type TestServer } from '../../support/server.ts';
import { JsonSocket } from '../../support/socket.ts';

const TOKENS = {
  tokenWorker: 'the-workers-token',
  tokenClient: 'the-clients-token',
  tokenMesh: 'the-mesh-token',
};
const guarded = (): Promise<TestServer> => startTestServer(TOKENS);

const greetings: readonly [who: string, hello: object, right: string][] = [
  ['client', { CLIENT: 'SERVER' }, TOKENS.tokenClient],
  ['worker', { WORKER: 'ALIVE', WORKER_UUID: 'w1', TASKS: ['t'] }, TOKENS.tokenWorker],
  ['peer', { SERVER: 'ALIVE', TASK: 'REQUEST' }, TOKENS.tokenMesh],
  ['peer of the other dialect', { SERVER_UUID: 's1', TASK: 'HEARTBEAT' }, TOKENS.tokenMesh],
];

for (const [who, hello, right] of greetings) {
  test(`a ${who} without a token, or with that of another conversation, is refused (4401)`, async () => {
    const server = await guarded();
    for (const TOKEN of [undefined, 'wrong', ...Object.values(TOKENS).filter((token) => token !== right)]) {
      const socket = await JsonSocket.open(server.url);
      socket.send({ ...hello, ...(TOKEN === undefined ? {} : { TOKEN }) });
      expect(await socket.closed()).toMatchObject({ code: 4401 });
      expect(socket.heard).toMatchObject([{ STATUS: 'NACK', ERROR: { CODE: 'UNAUTHORIZED' } }]);
    }
  });

  test(`a ${who} with the right token is let in by the TOKEN of its first message`, async () => {
    const socket = await JsonSocket.open((await guarded()).url);
    socket.send({ ...hello, TOKEN: right });
    expect(await socket.next()).not.toHaveProperty('ERROR');
    socket.send(hello);
    expect(await socket.next()).not.toHaveProperty('ERROR');
  });
}

test('a token may come in the Authorization header instead', async () => {
  const server = await guarded();
  const headers = { authorization: `Bearer ${TOKENS.tokenClient}` };
  const socket = await JsonSocket.open(server.url, { headers });
  expect(await socket.ask({ CLIENT: 'SERVER' })).toMatchObject({ STATUS: 'ACK' });
});

test('a header with a wrong token is not made good by anything', async () => {
  const server = await guarded();
  const socket = await JsonSocket.open(server.url, { headers: { authorization: 'Bearer nonsense' } });
  socket.send({ CLIENT: 'SERVER', TOKEN: TOKENS.tokenClient });
  expect(await socket.closed()).toMatchObject({ code: 4401 });
});

test('one who has shown no token may send small frames only', async () => {
  const server = await guarded();
  const large = { CLIENT: 'SUBMIT', MESSAGE, RECIPIENTS: rowsOf(2_000) };
  const stranger = await JsonSocket.open(server.url);
  expect((await stranger.ask({ ...large, TOKEN: TOKENS.tokenClient })).ERROR).toMatchObject({
    CODE: 'FRAME_TOO_LARGE',
    MESSAGE: expect.stringContaining('show your token first'),
  });
  expect(await stranger.ask({ CLIENT: 'SERVER', TOKEN: TOKENS.tokenClient })).toMatchObject({
    STATUS: 'ACK',
  });
  expect(await stranger.ask(large)).toMatchObject({ STATUS: 'ACK', RECEIVED: 2_000 });
  const headers = { authorization: `Bearer ${TOKENS.tokenClient}` };
  const known = await JsonSocket.open(server.url, { headers });
  expect(await known.ask(large)).toMatchObject({ STATUS: 'ACK', RECEIVED: 2_000 });
});

test('after a refusal nothing more is tried: one connection, one guess', async () => {
  const server = await guarded();
  const socket = await JsonSocket.open(server.url);
  socket.send({ CLIENT: 'SERVER', TOKEN: 'wrong guess' });
  socket.send({ CLIENT: 'SUBMIT', TOKEN: TOKENS.tokenClient, MESSAGE, RECIPIENTS: rowsOf(1), COMMIT: true });
  await socket.closed();
  expect(socket.heard).toHaveLength(1);
  const client = await JsonSocket.open(server.url);
  expect(await client.ask({ CLIENT: 'BATCHES', TOKEN: TOKENS.tokenClient })).toMatchObject({ BATCHES: [] });
});

test('no token is logged, right or wrong', async () => {
  const server = await guarded();
  const socket = await JsonSocket.open(server.url);
  socket.send({ CLIENT: 'SERVER', TOKEN: 'a wrong guess' });
  await socket.closed();
  await (await JsonSocket.open(server.url)).ask({ CLIENT: 'SERVER', TOKEN: TOKENS.tokenClient });
  const log = JSON.stringify(server.log);
  for (const token of ['a wrong guess', ...Object.values(TOKENS)]) expect(log).not.toContain(token);
});

test('a worker that says it is borrowed needs a ticket, not the token', async () => {
  const socket = await JsonSocket.open((await guarded()).url);
  socket.send({ WORKER: 'ALIVE', WORKER_UUID: 'w1', SERVER_UUID: 'another-home', TOKEN: TOKENS.tokenWorker });
  expect(await socket.closed()).toMatchObject({ code: 4401 });
});

test('a page of another site may not open a WebSocket', async () => {
  const server = await startTestServer();
  const host = new URL(server.url).host;
  await expect(JsonSocket.open(server.url, { origin: 'http://evil.example' })).rejects.toThrow(/403/);
  const headers = { host: 'evil.example' };
  await expect(JsonSocket.open(server.url, { origin: 'http://evil.example', headers })).rejects.toThrow(
    /403/,
  );
  const ours = await JsonSocket.open(server.url, { origin: `http://${host}` });
  expect(await ours.ask({ CLIENT: 'SERVER' })).toMatchObject({ STATUS: 'ACK' });
});

test('a client needs no token where none is set', async () => {
  expect(await (await TestClient.of(await startTestServer())).ask('SERVER')).toMatchObject({ STATUS: 'ACK' });
});
