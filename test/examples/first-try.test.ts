import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { startSink } from '../../sink/sink.ts';
import { Mutirao, run, tempFolder } from '../cli/mutirao.ts';

const ROOT = new URL('../../', import.meta.url);

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

function start(script: string, ...args: string[]): { output: () => string; ended: Promise<number | null> } {
  const child = spawn(process.execPath, [fileURLToPath(new URL(script, ROOT)), ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (data: Buffer) => {
      output += data.toString();
    });
  }
  const ended = once(child, 'close').then(([code]) => code as number | null);
  onTestFinished(async () => {
    child.kill();
    await ended;
  });
  return { output: () => output, ended };
}

test('a server, the minimal worker and the small script deliver every mail once, over real processes', {
  timeout: 60_000,
}, async () => {
  const home = tempFolder();
  const sink = await startSink({ port: 0 });
  onTestFinished(() => sink.stop());
  const port = await freePort();
  const url = `ws://127.0.0.1:${port}`;
  const server = new Mutirao(home, [
    'server',
    '--port',
    String(port),
    '--data',
    join(home, 'data'),
    '--relay',
    sink.url,
  ]);
  await expect
    .poll(() => run(home, ['status', '--server', url]).then(({ code }) => code), { timeout: 20_000 })
    .toBe(0);
  start('examples/minimal-worker.mjs', url);

  const csv = join(home, 'people.csv');
  writeFileSync(
    csv,
    `email;name\n${Array.from({ length: 50 }, (_, i) => `p${i}@example.net;P${i}\n`).join('')}nobody;N\n`,
  );
  const script = start('scripts/submit.ts', '--server', url, '--to', csv, '--subject', 'Hi {{name}}');
  expect(await script.ended).toBe(0);
  expect(script.output()).toMatch(
    /row 51: nobody: .*\nbatch \S+: 50 recipients, 1 rejected\n[\s\S]*finished: 50 of 50 sent/,
  );

  const text = join(home, 'letter.txt');
  writeFileSync(text, 'Dear {{name}}');
  const flags = [
    '--from',
    'a@example.org',
    '--subject',
    's',
    '--text',
    text,
    '--to',
    'You <you@example.net>',
  ];
  const submitted = await run(home, ['submit', '--server', url, ...flags, '--json']);
  expect(submitted).toMatchObject({ code: 0, json: { total: 1, sent: 1, failed: 0 } });
  expect(sink.report()).toMatchObject({ messages: 51, duplicates: 0 });

  const status = await run(home, ['status', '--server', url]);
  expect(status.stdout).toMatch(/workers {2}1 connected/);
  expect(status.stdout).toMatch(/closed +51 +0/);
  const done = await run(home, ['retry', String(submitted.json.batch), '--server', url]);
  expect(done.stdout).toContain('nothing is sent again');
  server.process.kill('SIGTERM');
  expect((await server.ended).code).toBe(0);
});
