import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { selfSigned } from '../../sink/self-signed.ts';
import { borrows, everyoneHome, LARGE } from './support/mesh.ts';
import { expectExactlyOnce, people, Town } from './support/town.ts';

const TOKENS = { worker: 'token-of-workers', client: 'token-of-clients', mesh: 'token-of-the-mesh' };

test('servers behind TLS and tokens serve, lend and return to whoever has both, and nobody else', {
  timeout: 120_000,
}, async () => {
  const town = await Town.raise();
  const file = (name: string, text: string): string => {
    const path = join(town.folder, name);
    writeFileSync(path, text);
    return path;
  };
  const { key, cert } = selfSigned('mutirao.test');
  const ca = file('cert.pem', cert);
  const tokenFile = {
    worker: file('worker.token', `${TOKENS.worker}\n`),
    client: file('client.token', `${TOKENS.client}\n`),
    mesh: file('mesh.token', `${TOKENS.mesh}\n`),
  };
  const guarded = {
    scheme: 'wss' as const,
    client: { token: TOKENS.client, tlsCa: cert },
    args: [
      ...['--tls-cert', ca, '--tls-key', file('key.pem', key), '--tls-ca', ca],
      ...['--token-worker-file', tokenFile.worker, '--token-client-file', tokenFile.client],
      ...['--token-mesh-file', tokenFile.mesh],
    ],
  };
  await town.sink({ latencyMs: 20 });
  const home = await town.server(guarded);
  const neighbour = await town.server({ ...guarded, args: [...guarded.args, '--peer', home.url] });
  const worker = ['--tls-ca', ca, '--token-file', tokenFile.worker, '--connections', '5'];
  await Promise.all([town.worker(home, worker), town.workers(2, neighbour, worker)]);

  const letter = file('letter.txt', 'Dear {{name}}\n');
  const rows = [...people(LARGE)].map(({ address, name }) => `${address},${name}\n`);
  const csv = file('people.csv', `email,name\n${rows.join('')}`);
  const about = ['--from', 'news@example.org', '--subject', 'Hello', '--text', letter, '--to', csv];
  const submit = town.mutirao([
    'submit',
    ...about,
    '--server',
    home.url,
    '--tls-ca',
    ca,
    '--token-file',
    tokenFile.client,
    '--json',
  ]);
  await borrows(home);
  const { code, out, errors } = await submit;
  expect(code, errors).toBe(0);
  const outcome = JSON.parse(out);
  expect(outcome).toMatchObject({ total: LARGE, sent: LARGE, failed: 0, rejected: 0 });
  expect(await everyoneHome([home, neighbour])).toBeGreaterThanOrEqual(1);
  expectExactlyOnce(await town.account({ server: home, id: outcome.batch }));

  const untrusting = await town.mutirao(['status', '--server', home.url, '--token-file', tokenFile.client]);
  expect(untrusting.code).toBe(1);
  expect(untrusting.errors).toMatch(/--tls-ca/);
  const plain = await town.mutirao(['status', '--server', home.url.replace('wss:', 'ws:')]);
  expect(plain.code).toBe(1);
  const stranger = town.startWorker(['--server', home.url, '--token-file', tokenFile.worker]);
  expect(await stranger.logged('the server cannot be reached; trying on')).toMatchObject({
    reason: expect.stringMatching(/self-signed/),
  });
});
