import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { createProgram } from '../../cli/program.ts';
import { BATCH, batchInfo } from '../client/scripted-server.ts';
import { Mutirao, run, scriptedServer, tempFolder } from './mutirao.ts';

const OWN = [
  'submit',
  'status',
  'watch',
  'failed',
  'pause',
  'resume',
  'cancel',
  'retry',
  'unknown',
  'resolve',
  'duplicates',
];

const info = batchInfo(
  { NAME: 'January', STATE: 'PAUSED', WAITING: 'paused' },
  { TOTAL: 10, SENT: 7, FAILED: 1, PENDING: 1, DEFERRED: 1 },
);

test('--version is that of the package', async () => {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
    version: string;
  };
  expect(await run(tempFolder(), ['--version'])).toMatchObject({ code: 0, stdout: `${version}\n` });
});

test('the help names every command, and that of a command of another part is its own', async () => {
  const home = tempFolder();
  const all = await run(home, ['--help']);
  for (const name of [...OWN, 'server', 'worker', 'sink', 'profile'])
    expect(all.stdout).toMatch(new RegExp(`^ {2}${name}\\b`, 'm'));
  const sink = await run(home, ['sink', '--help']);
  expect(sink).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/^Usage: mutirao sink [\s\S]*--latency/),
  });
});

test.each(OWN)('%s --help says what it does, with an example', async (name) => {
  const written: string[] = [];
  const program = await createProgram([name]);
  const command = program.commands.find((candidate) => candidate.name() === name);
  command?.configureOutput({ writeOut: (text) => written.push(text) }).outputHelp();
  const help = written.join('');
  expect(help).toMatch(new RegExp(`^Usage: mutirao ${name} .*\\n\\n[A-Z]`));
  expect(help).toMatch(new RegExp(`Examples?:\\n  mutirao ${name}`));
  expect(help).toContain('--server <url>');
});

test('a command that does not exist is an error that offers the one that was meant', async () => {
  const result = await run(tempFolder(), ['statsu']);
  expect(result.code).toBe(1);
  expect(result.stderr).toContain('Did you mean status?');
});

test('status of a batch tells everything about it', async () => {
  const home = tempFolder();
  const server = await scriptedServer((request, peer) => {
    if (request.CLIENT !== 'BATCH') return false;
    peer.ack(request, { BATCH: info });
    return true;
  });
  const result = await run(home, ['status', BATCH, '--server', server.url]);
  expect(result.code).toBe(0);
  expect(result.stdout).toMatch(/^batch \S+ paused\n {2}name +January\n {2}subject +Hello\n/);
  expect(result.stdout).toMatch(
    /recipients +10\n {2}sent +7\n {2}left +2 {3}1 deferred\n {2}failed +1 {3}mutirao failed/,
  );
  const json = await run(home, ['status', BATCH, '--server', server.url, '--json']);
  expect(json.json).toMatchObject({
    batch: BATCH,
    state: 'paused',
    total: 10,
    sent: 7,
    failed: 1,
    pending: 1,
    deferred: 1,
  });
});

test('status without a batch shows the server and its newest batches', async () => {
  const home = tempFolder();
  const server = await scriptedServer((request, peer) => {
    if (request.CLIENT === 'SERVER') peer.ack(request, { SERVER: { state: 'running', ready: 5 } });
    else if (request.CLIENT === 'BATCHES') peer.ack(request, { BATCHES: [info] });
    else return false;
    return true;
  });
  const result = await run(home, ['status'], { env: { MUTIRAO_SERVER: server.url } });
  expect(result.code).toBe(0);
  expect(result.stdout).toContain(`server ${server.url}  running`);
  expect(result.stdout).toMatch(new RegExp(`${BATCH} +January +paused +10 +7 +1 +2 `));
  expect((await run(home, ['status', '--server', server.url, '--json'])).json).toMatchObject({
    batches: [{ batch: BATCH }],
  });
});

test('failed lists address, time, relay and reply, and for programs one line each', async () => {
  const home = tempFolder();
  const server = await scriptedServer((request, peer) => {
    if (request.CLIENT !== 'LIST') return false;
    const entry = {
      SEQ: 3,
      ADDRESS: 'ann@example.net',
      STATE: request.STATE,
      ATTEMPTS: 2,
      RELAY: 'mx',
      REPLY: '550 5.1.1 no\r\n such user',
      AT: '2026-01-01T12:00:00.000Z',
      MAYBE_SENT: false,
    };
    peer.ack(request, { RECIPIENTS: [entry], MORE: false });
    return true;
  });
  const result = await run(home, ['failed', BATCH, '--server', server.url], { env: { TZ: 'UTC' } });
  expect(result).toMatchObject({ code: 0, stderr: '1 failed\n' });
  expect(result.stdout).toMatch(
    /^ann@example\.net +2026-01-01 12:00:00 {2}mx {2}550 5\.1\.1 no such user\n$/,
  );
  const deferred = await run(home, ['failed', BATCH, '--server', server.url, '--deferred', '--json']);
  expect(deferred.json).toMatchObject({ address: 'ann@example.net', state: 'deferred', relay: 'mx' });
  expect((await run(home, ['failed', BATCH, '--maybe-sent', '--unknown'])).code).toBe(1);
});

test('a reader that has seen enough ends the list and is no error', async () => {
  const server = await scriptedServer((request, peer) => {
    if (request.CLIENT !== 'LIST') return false;
    const RECIPIENTS = Array.from({ length: 1_000 }, (_, i) => ({
      SEQ: (request.AFTER ?? -1) + 1 + i,
      ADDRESS: `p${i}@example.net`,
      STATE: 'FAILED',
      ATTEMPTS: 1,
      MAYBE_SENT: false,
    }));
    peer.ack(request, { RECIPIENTS, MORE: true });
    return true;
  });
  const mutirao = new Mutirao(tempFolder(), ['failed', BATCH, '--server', server.url]);
  mutirao.process.stdout.once('data', () => mutirao.process.stdout.destroy());
  const result = await mutirao.ended;
  expect(result.code).toBe(0);
  expect(result.stderr).not.toContain('EPIPE');
});

test.each([
  ['pause', 'PAUSE', 'is paused'],
  ['resume', 'RESUME', 'goes on'],
  ['cancel', 'CANCEL', 'is cancelled'],
  ['retry', 'RETRY', 'sends to 4 failed recipients again'],
])('%s asks the server for it and says what it did', async (command, verb, said) => {
  const server = await scriptedServer((request, peer) => {
    if (request.CLIENT !== verb) return false;
    peer.ack(request, { BATCH: info, CHANGED: 4 });
    return true;
  });
  const result = await run(tempFolder(), [command, BATCH, '--server', server.url]);
  expect(result).toMatchObject({ code: 0, stdout: expect.stringContaining(said) });
  expect(server.requests.at(-1)).toMatchObject({ CLIENT: verb, BATCH_UUID: BATCH });
});

test('watch follows a batch to its end and exits as submit does', async () => {
  const server = await scriptedServer((request, peer) => {
    if (request.CLIENT !== 'WATCH') return false;
    const done = batchInfo(
      { STATE: 'FINISHED', FINISHED_AT: '2026-01-01T12:00:10.000Z' },
      { TOTAL: 2, SENT: 1, FAILED: 1 },
    );
    peer.ack(request, { BATCH: done });
    return true;
  });
  const result = await run(tempFolder(), ['watch', BATCH, '--server', server.url]);
  expect(result.code).toBe(2);
  expect(result.stdout).toContain('finished in 10 s');
});

test('submitting loads neither server nor worker', () => {
  const script = `
    import { createProgram } from ${JSON.stringify(new URL('../../cli/program.ts', import.meta.url).href)};
    import { registerHooks } from 'node:module';
    registerHooks({ load(url, context, next) { if (/\\/(server|worker|sink)\\//.test(url)) throw new Error('loads ' + url); return next(url, context); } });
    await createProgram(['submit']);
    await import(${JSON.stringify(new URL('../../cli/submit/run.ts', import.meta.url).href)});`;
  const result = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
  expect(result).toMatchObject({ status: 0, stderr: '' });
});

test('resume --all goes on with every paused batch, and says with which', async () => {
  const home = tempFolder();
  let paused = [info];
  const server = await scriptedServer((request, peer) => {
    if (request.CLIENT !== 'RESUME_ALL') return false;
    peer.ack(request, { BATCHES: paused.map((batch) => ({ ...batch, STATE: 'RUNNING' as const })) });
    paused = [];
    return true;
  });
  const args = ['resume', '--all', '--server', server.url];
  const first = await run(home, args);
  expect([first.code, first.stdout, first.stderr]).toEqual([0, `batch ${BATCH} goes on\n`, '']);
  expect((await run(home, args)).stdout).toBe('no batch is paused\n');
  expect((await run(home, [...args, '--json'])).json).toEqual({ batches: [] });
  for (const wrong of [['resume'], ['resume', BATCH, '--all']]) {
    const { code, stderr } = await run(home, [...wrong, '--server', server.url]);
    expect({ code, stderr }).toMatchObject({ code: 1, stderr: expect.stringMatching(/either .* or --all/) });
  }
});

test('status shows what the server suffers from', async () => {
  const home = tempFolder();
  const server = await scriptedServer((request, peer) => {
    if (request.CLIENT !== 'SERVER') return false;
    const health = [
      { code: 'STORE_FAILING', down: true, text: 'the store cannot write', forS: 3 },
      { code: 'NO_WORKER', down: false, text: 'no worker', forS: 9 },
    ];
    peer.ack(request, { SERVER: { state: 'running', health } });
    return true;
  });
  const { stdout } = await run(home, ['status', '--server', server.url]);
  expect(stdout).toMatch(/^ {2}DOWN {5}the store cannot write\n {2}NOTE {5}no worker$/m);
});
