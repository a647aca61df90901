import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { get } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { createSilentLogger } from '../../../logging/index.ts';
import { httpApp, type Readiness } from '../../../server/http/app.ts';
import { startServer } from '../../../server/server.ts';
import { selfSigned } from '../../../sink/self-signed.ts';
import { freePort } from '../../support/free-port.ts';
import { startTestServer, temporaryFolder, testSettings } from '../../support/server.ts';
import { JsonSocket } from '../../support/socket.ts';

const web = (url: string, path: string): string => `${url.replace(/^ws/, 'http')}${path}`;

test('healthz says that the process lives, readyz that it takes batches', async () => {
  const { url } = await startTestServer();
  const health = await fetch(web(url, '/healthz'));
  expect([health.status, await health.json()]).toMatchObject([200, { status: 'ok' }]);
  const ready = await fetch(web(url, '/readyz'));
  expect([ready.status, await ready.json()]).toEqual([200, { status: 'ready', reasons: [] }]);
});

test('readyz says why not', async () => {
  let readiness: Readiness = { ready: false, reasons: ['the store cannot write'] };
  const app = httpApp({ version: '1', readiness: () => readiness });
  const response = await app.request('/readyz');
  expect([response.status, await response.json()]).toEqual([
    503,
    { status: 'not ready', reasons: ['the store cannot write'] },
  ]);
  readiness = { ready: true, reasons: [] };
  expect((await app.request('/readyz')).status).toBe(200);
});

test('a WebSocket before the server is ready, or when it stops, is asked to come again', async () => {
  const app = httpApp({
    version: '1',
    readiness: () => ({ ready: false, reasons: ['the server is starting'] }),
  });
  const response = await app.request('/', { headers: { Upgrade: 'websocket', Connection: 'Upgrade' } });
  expect([response.status, response.headers.get('retry-after')]).toEqual([503, '1']);
});

test('other paths are not found, and say what is there', async () => {
  const response = await fetch(web((await startTestServer()).url, '/nothing'));
  expect(response.status).toBe(404);
  expect(await response.text()).toContain('/healthz');
});

test('a port in use is refused with what to do', async () => {
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    other.close();
  });
  const { port } = other.address() as AddressInfo;
  const settings = testSettings({ port, data: await temporaryFolder() });
  await expect(startServer(settings, createSilentLogger())).rejects.toMatchObject({
    code: 'PORT_IN_USE',
    message: expect.stringMatching(new RegExp(`port ${port} .* in use.*--port`)),
  });
});

test('a data folder in use is refused, and the port is free again', async () => {
  const { data } = await startTestServer();
  const port = await freePort();
  const start = (folder: string) => startServer(testSettings({ data: folder, port }), createSilentLogger());
  await expect(start(data)).rejects.toMatchObject({ code: 'STORE_IN_USE' });
  const server = await start(await temporaryFolder());
  onTestFinished(() => server.stop());
  expect(server.endpoint.PORT).toBe(port);
});

test('a damaged identity is refused, and a start after the repair works', async () => {
  const data = await temporaryFolder();
  const identity = join(data, 'identity.json');
  writeFileSync(identity, '{');
  await expect(startServer(testSettings({ data }), createSilentLogger())).rejects.toMatchObject({
    code: 'IDENTITY_INVALID',
  });
  writeFileSync(identity, JSON.stringify({ serverUuid: 'repaired', createdAt: 'now' }));
  const server = await startServer(testSettings({ data }), createSilentLogger());
  onTestFinished(() => server.stop());
  expect(server.uuid).toBe('repaired');
});

test('listening beyond loopback without tokens is refused before anything is opened', async () => {
  const settings = testSettings({ host: '0.0.0.0', data: await temporaryFolder() });
  await expect(startServer(settings, createSilentLogger())).rejects.toMatchObject({ code: 'INSECURE' });
});

async function certificate(): Promise<{ cert: string; tlsCert: string; tlsKey: string }> {
  const folder = await temporaryFolder();
  const { key, cert } = selfSigned('localhost');
  const [tlsCert, tlsKey] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
  writeFileSync(tlsCert, cert);
  writeFileSync(tlsKey, key);
  return { cert, tlsCert, tlsKey };
}

test('with a certificate the port speaks wss and https', async () => {
  const { cert, tlsCert, tlsKey } = await certificate();
  const server = await startTestServer({ tlsCert, tlsKey });
  expect(server.url).toMatch(/^wss:/);
  const socket = await JsonSocket.open(server.url, { ca: cert });
  expect(await socket.ask({ CLIENT: 'SERVER' })).toMatchObject({
    STATUS: 'ACK',
    SERVER: { url: server.url },
  });
  const status = await new Promise((resolve, reject) => {
    get(web(server.url, '/healthz'), { ca: cert, agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode);
    }).on('error', reject);
  });
  expect(status).toBe(200);
  await expect(JsonSocket.open(server.url)).rejects.toThrow(/self-signed/);
});

test('TLS files that are missing, alone or not PEM are refused with their flags', async () => {
  const { tlsCert, tlsKey } = await certificate();
  const data = await temporaryFolder();
  for (const wrong of [
    { tlsCert },
    { tlsKey },
    { tlsCert, tlsKey: '/nowhere.pem' },
    { tlsCert: tlsKey, tlsKey },
  ]) {
    await expect(startServer(testSettings({ data, ...wrong }), createSilentLogger())).rejects.toMatchObject({
      code: 'TLS_INVALID',
    });
  }
});
