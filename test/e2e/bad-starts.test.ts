import { writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { Process } from '../../scripts/support/process.ts';
import { freePort } from '../support/free-port.ts';
import { until } from '../support/until.ts';
import { Town } from './support/town.ts';

/** Ends by itself with 1 and one line for people. @returns that line */
async function complaintOf(process: Process): Promise<string> {
  expect(await process.ended(20_000)).toBe(1);
  expect(process.said, process.said.join('\n')).toHaveLength(1);
  expect(process.printed).toEqual([]);
  return process.said[0] ?? '';
}

const timesLogged = (process: Process, message: string | RegExp): number =>
  process.logs.filter(({ msg = '' }) => (typeof message === 'string' ? msg === message : message.test(msg)))
    .length;

describe('a server ends with one line that says what to do', { timeout: 60_000 }, () => {
  const run = (town: Town, ...args: readonly string[]): Process => town.run('server', 'server/main.ts', args);

  test('when its port or its data folder is in use; the one that runs is not disturbed', async () => {
    const town = await Town.raise();
    const server = await town.server();
    const { port } = new URL(server.url);
    const samePort = run(town, '--port', port, '--data', join(town.folder, 'other'));
    expect(await complaintOf(samePort)).toMatch(`port ${port} on 127.0.0.1 is in use`);
    const sameFolder = run(town, '--port', '0', '--data', server.data);
    expect(await complaintOf(sameFolder)).toMatch(`the data folder ${server.data} is in use`);
    expect((await server.account()).mesh.totals.made).toBe(0);
  });

  test('when its data folder cannot be written', async () => {
    const town = await Town.raise();
    const file = join(town.folder, 'a-file');
    writeFileSync(file, '');
    const complaint = await complaintOf(run(town, '--port', '0', '--data', join(file, 'data')));
    expect(complaint).toContain(join(file, 'data'));
    expect(complaint).toMatch(/the data folder .* cannot be written .* another --data/);
  });

  test.each([
    [['--relay', 'http://example.org'], /--relay.*must look like smtp:/],
    [['--relay', 'smtp://ana:canary@mx?connections=many'], /--relay.*connections/],
    [['--relay', 'smtp://mx?nmae=x'], /--relay.*is not one of name, weight/],
    [['--peer', 'example.org:1'], /--peer.*must be the address of a server/],
    [['--port', '70000'], /--port.*70000.*0 to 65535/],
    [['--retry-base', 'soon'], /--retry-base.*"soon".*such as/],
    [['--token-client', 'short'], /--token-client.*at least 8/],
    [['--token-worker', 'canary with spaces'], /--token-worker.*without spaces/],
    [['--host', '0.0.0.0'], /--token-worker, --token-client, --token-mesh.*--insecure/],
    [['--token-mesh-file', '/nowhere/token'], /--token-mesh-file.*\/nowhere\/token cannot be read/],
    [['--tls-cert', '/nowhere/cert.pem'], /--tls-cert and --tls-key belong together/],
  ])('told %s', async (args, complaint) => {
    const town = await Town.raise();
    const said = await complaintOf(run(town, '--port', '0', ...args));
    expect(said).toMatch(complaint);
    expect(said).not.toContain('canary');
  });

  test.each([
    ['not JSON', '{"port": ', /config file \S+ is not JSON/],
    ['not an object', '[]', /must hold one JSON object/],
    ['a key that is none', '{"prot": 1}', /"prot" is not a setting/],
    ['a wrong value', '{"port": "none"}', /"port" in \S+ is "none", must be a whole number/],
  ])('when its config file is %s', async (_, text, complaint) => {
    const town = await Town.raise();
    const path = join(town.folder, 'mutirao.json');
    writeFileSync(path, text);
    expect(await complaintOf(run(town, '--config', path))).toMatch(complaint);
  });
});

describe('who cannot reach a server says so once and keeps trying', { timeout: 60_000 }, () => {
  test('a worker, until the server is there', async () => {
    const town = await Town.raise();
    const server = await town.newServer();
    const worker = town.startWorker(['--server', server.url]);
    await worker.logged('the server cannot be reached; trying on');
    await server.start();
    await worker.logged('connected');
    expect(timesLogged(worker, 'the server cannot be reached; trying on')).toBe(1);
  });

  test('a server, of a peer, until that is there', async () => {
    const town = await Town.raise();
    const late = await town.newServer();
    const server = await town.server({ args: ['--peer', late.url] });
    await server.process.logged(/peer.*cannot be reached/);
    await late.start();
    await server.until('it sees its peer', ({ mesh: { peers } }) =>
      peers.some(({ state }) => state === 'alive'),
    );
    expect(timesLogged(server.process, /peer.*cannot be reached/)).toBe(1);
  });

  test('a worker, of something that is no server', async () => {
    const town = await Town.raise();
    const other = createServer((socket) => socket.end('220 I am a relay\r\n').on('error', () => {}));
    const port = await freePort();
    other.listen(port, '127.0.0.1');
    onTestFinished(() => void other.close());
    const worker = town.startWorker(['--server', `ws://127.0.0.1:${port}`]);
    await worker.logged('the server cannot be reached; trying on');
    expect(await worker.stop()).toBe(0);
  });
});

describe('who shows a wrong token', { timeout: 60_000 }, () => {
  const TOKENS = ['--token-worker', 'right-worker-token', '--token-client', 'right-client-token'];

  test('is refused in plain words: a worker says so and keeps trying, a command ends', async () => {
    const town = await Town.raise();
    const server = await town.server({ args: TOKENS, client: { token: 'right-client-token' } });
    const wrong = ['--token', 'wrong-worker-token', '--log-level', 'debug'];
    const worker = town.startWorker(['--server', server.url, ...wrong]);
    const { level } = await worker.logged(/refuses this worker: look at its token/);
    expect(level).toBe('error');
    const status = await town.mutirao(['status', '--server', server.url, '--token', 'wrong-client-token']);
    expect(status.code).toBe(1);
    expect(status.errors).toMatch(/token of clients.*--token/);
    await until('it tries again', () =>
      worker.logs.filter(({ msg }) => msg === 'connected').length >= 3 ? true : undefined,
    );
    expect((await server.account()).workersTotal).toBe(0);
    expect(await worker.stop()).toBe(0);
  });

  test('is refused as a peer, and the peer says what to look at', async () => {
    const town = await Town.raise();
    const mesh = (token: string) => ['--token-mesh', token];
    const server = await town.server({ args: mesh('right-mesh-token') });
    const stranger = await town.server({ args: ['--peer', server.url, ...mesh('wrong-mesh-token')] });
    const refusal = await stranger.process.logged('a peer refused a message');
    expect(refusal).toMatchObject({
      peer: server.url,
      error: { CODE: 'UNAUTHORIZED', MESSAGE: expect.stringContaining('--token-mesh') },
    });
    expect((await server.account()).mesh.peers).toEqual([]);
  });
});
