import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { createSilentLogger } from '../../../logging/index.ts';
import { MAX_BAD_FRAMES, MAX_FRAME_BYTES } from '../../../protocol/index.ts';
import { Access } from '../../../server/gateway/access.ts';
import { Gateway } from '../../../server/gateway/gateway.ts';
import { processTimer } from '../../../server/timers.ts';
import { rowsOf, TestClient } from '../../support/client.ts';
import { startTestServer } from '../../support/server.ts';
import { type Frame, JsonSocket } from '../../support/socket.ts';

const bad: readonly [what: string, frame: string | Buffer, code: string, field?: string][] = [
  ['that is not JSON', 'hello', 'NOT_JSON'],
  ['that is empty', '', 'NOT_JSON'],
  ['that is JSON but no object', '[1]', 'NOT_AN_OBJECT'],
  ['that is binary', Buffer.from('{"CLIENT":"SERVER"}'), 'BINARY_FRAME'],
  ['of two megabytes', JSON.stringify({ CLIENT: 'SERVER', PAD: 'x'.repeat(2 ** 21) }), 'FRAME_TOO_LARGE'],
  ['with an unknown TASK', '{"TASK":"DANCE"}', 'UNKNOWN_MESSAGE'],
  ['with an unknown request', '{"CLIENT":"DANCE"}', 'INVALID_MESSAGE', 'CLIENT'],
  ['of wrong types', '{"CLIENT":"BATCHES","LIMIT":"many"}', 'INVALID_MESSAGE', 'LIMIT'],
  ['of a worker with wrong types', '{"WORKER":"ALIVE","SLOTS":-1}', 'INVALID_MESSAGE', 'SLOTS'],
  [
    'of a worker that begins with a report',
    '{"STATUS":"OK","TASK":"SEND","TASK_UUID":"t"}',
    'UNKNOWN_MESSAGE',
    'WORKER',
  ],
  ['of a peer with wrong types', '{"SERVER":"ALIVE","TASK":"REQUEST","PEERS":1}', 'INVALID_MESSAGE', 'PEERS'],
];

for (const [what, frame, code, field] of bad) {
  test(`a frame ${what} is answered with a NACK, and the next one is understood`, async () => {
    const server = await startTestServer();
    const socket = await JsonSocket.open(server.url);
    socket.sendRaw(frame);
    const nack = await socket.next();
    expect(nack).toMatchObject({ STATUS: 'NACK', ERROR: { CODE: code } });
    if (field !== undefined) expect(nack.ERROR?.FIELD).toBe(field);
    const begin = what.includes('worker')
      ? { WORKER: 'ALIVE' }
      : what.includes('peer')
        ? { SERVER: 'ALIVE', TASK: 'REQUEST' }
        : { CLIENT: 'SERVER' };
    socket.send(begin);
    if ('CLIENT' in begin)
      expect(await socket.next()).toMatchObject({ STATUS: 'ACK', SERVER: { state: 'running' } });
    else expect(socket.isOpen).toBe(true);
    expect(server.errors).toEqual([]);
  });
}

test('a frame too large to be read closes the connection (1009), and the server lives', async () => {
  const server = await startTestServer();
  const socket = await JsonSocket.open(server.url);
  socket.sendRaw('x'.repeat(5 * MAX_FRAME_BYTES));
  expect(await socket.closed()).toMatchObject({ code: 1009 });
  expect(await (await TestClient.of(server)).ask('SERVER')).toMatchObject({ STATUS: 'ACK' });
});

for (const [what, frame] of [
  ['text', '?'],
  ['binary', Buffer.from('?')],
] as const) {
  test(`the fifth ${what} frame that is not understood closes the connection (1008)`, async () => {
    const server = await startTestServer();
    const socket = await JsonSocket.open(server.url);
    for (let i = 1; i <= MAX_BAD_FRAMES + 3; i++) socket.sendRaw(frame);
    expect(await socket.closed()).toMatchObject({ code: 1008 });
    expect(socket.heard).toHaveLength(MAX_BAD_FRAMES);
    expect(server.log.filter(({ msg }) => msg.includes('malformed'))).toHaveLength(1);
  });
}

test('what comes behind the frame that closed the connection is not carried out', async () => {
  const server = await startTestServer();
  const socket = await JsonSocket.open(server.url);
  // the store is asked, so that the others wait behind it
  socket.send({ CLIENT: 'BATCHES' });
  for (let i = 1; i <= MAX_BAD_FRAMES; i++) socket.sendRaw('?');
  const MESSAGE = { FROM: 'a@example.org', SUBJECT: 's', TEXT: 't' };
  socket.send({ CLIENT: 'SUBMIT', MESSAGE, RECIPIENTS: rowsOf(1), COMMIT: true });
  await socket.closed();
  const client = await TestClient.of(server);
  expect(await client.ask('BATCHES')).toMatchObject({ BATCHES: [] });
});

test('a NACK echoes the REQ of the request that it answers', async () => {
  const client = await TestClient.of(await startTestServer());
  expect(await client.ask('BATCHES', { REQ: 41, LIMIT: 0 })).toMatchObject({ STATUS: 'NACK', REQ: 41 });
  expect(await client.ask('BATCHES', { REQ: 42 })).toMatchObject({ STATUS: 'ACK', REQ: 42 });
});

test('pipelined requests are answered in their order', async () => {
  const client = await TestClient.of(await startTestServer());
  const count = 100;
  for (let REQ = 0; REQ < count; REQ++)
    client.socket.send({ CLIENT: REQ % 2 === 0 ? 'BATCHES' : 'SERVER', REQ });
  const answers: Frame[] = [];
  while (answers.length < count) answers.push(await client.socket.next());
  expect(answers.map(({ REQ }) => REQ)).toEqual(Array.from({ length: count }, (_, i) => i));
});

test('silence is ended with 4401 when the time to say who one is has passed', async () => {
  const http = createServer();
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  const gateway = new Gateway(http, '127.0.0.1', {
    access: new Access({}),
    authenticateWithinMs: 50,
    logger: createSilentLogger(),
    setTimer: processTimer,
    begin: () => ({ code: 'NEVER', message: 'nobody said anything' }),
  });
  gateway.start();
  onTestFinished(async () => {
    await gateway.stop();
    http.close();
  });
  const socket = await JsonSocket.open(`ws://127.0.0.1:${(http.address() as AddressInfo).port}`);
  expect(await socket.closed()).toMatchObject({ code: 4401 });
  expect(socket.heard).toMatchObject([{ STATUS: 'NACK', ERROR: { CODE: 'UNAUTHORIZED' } }]);
});
