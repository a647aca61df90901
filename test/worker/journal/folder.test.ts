import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { takeFolder } from '../../../worker/journal/folder.ts';
import { Harness } from '../support/harness.ts';
import { people, taskOf } from '../support/tasks.ts';
import { until } from '../support/until.ts';

const MAIN = join(import.meta.dirname, '..', '..', '..', 'worker', 'main.ts');
const harness = new Harness();
const started: ChildProcess[] = [];
const mounted: string[] = [];
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'mutirao-folder-'));
});
afterEach(async () => {
  for (const child of started.splice(0)) {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGKILL');
      await new Promise((resolve) => child.once('exit', resolve));
    }
  }
  await harness.clean();
  for (const path of mounted.splice(0)) execFileSync('umount', [path]);
  rmSync(folder, { recursive: true, force: true });
});

function workerProcess(...args: string[]) {
  const child = spawn(process.execPath, [MAIN, '--log-file', 'none', ...args], { cwd: folder });
  started.push(child);
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk) => {
      text += chunk;
    });
  }
  const ended = (): boolean => child.exitCode !== null || child.signalCode !== null;
  return { child, output: () => text, ended };
}

test('a folder is taken once, and free again when it is released', () => {
  const first = takeFolder(join(folder, 'data'));
  expect(() => takeFolder(join(folder, 'data'))).toThrow(/data folder .*data is in use by another worker/);
  first.release();
  takeFolder(join(folder, 'data')).release();
});

test('a folder that cannot be made is named', () => {
  writeFileSync(join(folder, 'file'), '');
  expect(() => takeFolder(join(folder, 'file', 'data'))).toThrow(/file\/data cannot be written/);
});

describe('workers', { timeout: 30_000 }, () => {
  test('without a named folder take the first that is free, and the next process there is the same worker', async () => {
    const server = await harness.server();
    const first = workerProcess('--server', server.url);
    const uuid = (await (await server.visit()).alive()).WORKER_UUID;
    workerProcess('--server', server.url);
    expect((await (await server.visit(2)).alive()).WORKER_UUID).not.toBe(uuid);
    expect(['worker-1', 'worker-2'].map((name) => existsSync(join(folder, '.mutirao', name)))).toEqual([
      true,
      true,
    ]);
    first.child.kill('SIGKILL');
    await until('it has ended', first.ended);
    workerProcess('--server', server.url);
    expect((await (await server.visit(3)).alive()).WORKER_UUID).toBe(uuid);
  });

  test('of one named folder, the second is refused and says what to do', async () => {
    const server = await harness.server();
    const data = join(folder, 'mine');
    workerProcess('--server', server.url, '--data', data);
    await server.visit();
    const second = workerProcess('--server', server.url, '--data', data);
    await until('it has ended', second.ended);
    expect(second.child.exitCode).toBe(1);
    expect(second.output()).toMatch(/mine is in use by another worker; stop that one, or .*--data/);
  });

  test('that one command runs have numbered folders in the one that is named, and keep them', async () => {
    const server = await harness.server();
    const args = ['--server', server.url, '--processes', '2', '--data', join(folder, 'mine')];
    const both = workerProcess(...args);
    const uuids = [await (await server.visit()).alive(), await (await server.visit(2)).alive()].map(
      ({ WORKER_UUID }) => WORKER_UUID,
    );
    expect(['1', '2', '3'].map((name) => existsSync(join(folder, 'mine', name)))).toEqual([
      true,
      true,
      false,
    ]);
    both.child.kill('SIGTERM');
    await until('they have ended', both.ended);
    workerProcess(...args);
    const again = [await (await server.visit(3)).alive(), await (await server.visit(4)).alive()];
    expect(again.map(({ WORKER_UUID }) => WORKER_UUID).sort()).toEqual(uuids.sort());
  });
});

/** A file system of a megabyte and a half; undefined where that is not allowed. */
function smallDisk(): string | undefined {
  const path = join(folder, 'disk');
  mkdirSync(path);
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1536k', 'tmpfs', path], { stdio: 'ignore' });
  } catch {
    return undefined;
  }
  mounted.push(path);
  return path;
}

/** Writes until nothing more is taken. */
function fillUp(disk: string): void {
  for (const size of [65_536, 4_096]) {
    for (let number = 0; ; number++) {
      try {
        writeFileSync(join(disk, `${size}-${number}`), Buffer.alloc(size, 1));
      } catch {
        break;
      }
    }
  }
}

describe('on a disk that is full', { timeout: 30_000 }, () => {
  test('a worker that runs goes on: its journal has its room', async (context) => {
    const disk = smallDisk();
    if (disk === undefined) return context.skip();
    const server = await harness.server();
    const sink = await harness.sink();
    const worker = workerProcess('--server', server.url, '--data', join(disk, 'data'));
    const visit = await server.visit();
    await visit.alive();
    fillUp(disk);
    for (let number = 0; number < 40; number++) {
      visit.send(taskOf(`t${number}`, sink.port, people(1_000)));
      await visit.done(`t${number}`);
    }
    expect(sink.report()).toMatchObject({ messages: 40_000, duplicates: 0 });
    worker.child.kill('SIGTERM');
    await until('it has ended', worker.ended);
    expect(worker.child.exitCode).toBe(0);
  });

  test('a worker that has no room yet does not start, and says why', async (context) => {
    const disk = smallDisk();
    if (disk === undefined) return context.skip();
    fillUp(disk);
    const worker = workerProcess('--server', 'ws://127.0.0.1:1', '--data', join(disk, 'data'));
    await until('it has ended', worker.ended);
    expect(worker.child.exitCode).toBe(1);
    expect(worker.output()).toMatch(/data cannot be written.*--data/);
  });
});
