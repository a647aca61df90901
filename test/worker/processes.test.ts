import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { startProcesses } from '../../worker/processes.ts';
import { Harness } from './support/harness.ts';
import { KeptLog } from './support/log.ts';
import { people, taskOf } from './support/tasks.ts';
import { until } from './support/until.ts';

const CHILD = join(import.meta.dirname, 'support', 'child.ts');
const MAIN = join(import.meta.dirname, '..', '..', 'worker', 'main.ts');
const harness = new Harness();
const started: ChildProcess[] = [];
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'mutirao-processes-'));
});
afterEach(async () => {
  for (const child of started.splice(0)) if (child.exitCode === null) child.kill('SIGKILL');
  await harness.clean();
  rmSync(folder, { recursive: true, force: true });
});

const lines = (file: string, word: string): string[] =>
  existsSync(file)
    ? readFileSync(file, 'utf8')
        .split('\n')
        .filter((line) => line.startsWith(word))
    : [];

function workerProcess(...args: string[]): { child: ChildProcess; output: () => string } {
  const child = spawn(process.execPath, [MAIN, '--log-file', 'none', ...args], {
    cwd: folder,
    detached: true,
  });
  started.push(child);
  let text = '';
  child.stdout?.on('data', (chunk) => {
    text += chunk;
  });
  child.stderr?.on('data', (chunk) => {
    text += chunk;
  });
  return { child, output: () => text };
}

test('as many children as asked for; stop tells all and waits for them', async () => {
  const file = join(folder, 'log');
  const processes = startProcesses({
    count: 3,
    program: CHILD,
    args: () => [file, '0'],
    logger: new KeptLog(),
  });
  await until('three live', () => lines(file, 'start').length === 3);
  expect(processes.pids.length).toBe(3);
  await processes.stop();
  expect(lines(file, 'end').length).toBe(3);
  expect(processes.pids).toEqual([]);
});

test('a child that dies is replaced', async () => {
  const file = join(folder, 'log');
  const logger = new KeptLog();
  const backoff = { baseMs: 5, capMs: 20 };
  const processes = startProcesses({ count: 1, program: CHILD, args: () => [file, '20'], logger, backoff });
  await until('it was replaced twice', () => lines(file, 'start').length === 3);
  expect(logger.lines[0]).toMatchObject({
    level: 'warn',
    fields: { code: 3 },
    message: 'worker process ended',
  });
  await processes.stop();
});

test('the worker process sends, and ends with 0 when told', async () => {
  const server = await harness.server();
  const sink = await harness.sink();
  const { child } = workerProcess('--server', server.url, '--connections', '3');
  const visit = await server.visit();
  expect(await visit.alive()).toMatchObject({ CONNECTIONS: 3, IN_FLIGHT: 60 });
  visit.send(taskOf('t1', sink.port, people(20)));
  await visit.done('t1');
  child.kill('SIGTERM');
  await until('it has ended', () => child.exitCode !== null);
  expect(child.exitCode).toBe(0);
  expect(visit.alives.at(-1)?.LEAVING).toBe(true);
});

test('--processes runs that many workers, which all end with their parent', async () => {
  const server = await harness.server();
  const { child } = workerProcess('--server', server.url, '--processes', '2');
  await server.visit(2);
  const uuids = new Set([(await (await server.visit(1)).alive()).WORKER_UUID]);
  uuids.add((await (await server.visit(2)).alive()).WORKER_UUID);
  expect(uuids.size).toBe(2);
  child.kill('SIGTERM');
  await until('it has ended', () => child.exitCode !== null);
  expect(child.exitCode).toBe(0);
  await until('no worker is left', () => server.visits.every((visit) => !visit.isOpen));
});

test('children of a killed parent drain and end by themselves', async () => {
  const server = await harness.server();
  const { child } = workerProcess('--server', server.url, '--processes', '2');
  await (await server.visit(1)).alive();
  await (await server.visit(2)).alive();
  child.kill('SIGKILL');
  await until('no worker is left', () => server.visits.every((visit) => !visit.isOpen));
  expect(server.visits.every((visit) => visit.alives.at(-1)?.LEAVING === true)).toBe(true);
});

test('Ctrl-C, which reaches the whole group of processes, is one signal and drains', async () => {
  const server = await harness.server();
  const sink = await harness.sink({ slowMs: 400 });
  const { child } = workerProcess('--server', server.url, '--processes', '2');
  const visit = await server.visit();
  await visit.alive();
  await (await server.visit(2)).alive();
  visit.send(taskOf('t1', sink.port, ['slow-a@example.net']));
  await until('the relay has it', () => sink.report().messages === 1);
  process.kill(-(child.pid as number), 'SIGINT');
  await until('it has ended', () => child.exitCode !== null);
  expect(visit.sent).toEqual([0]);
});

test('a wrong setting is named, and ends with 1', async () => {
  const { child, output } = workerProcess('--server', 'http://nowhere');
  await until('it has ended', () => child.exitCode !== null);
  expect(child.exitCode).toBe(1);
  expect(output()).toMatch(/--server.*ws:\/\//s);
});
