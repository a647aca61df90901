import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, it } from 'vitest';

const PROGRAM = join(import.meta.dirname, '..', '..', '..', 'scripts', 'bench', 'main.ts');

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'bench-test-'));
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

it('measures everybody, tells it as JSON in the last line and in a file, and cleans up', async () => {
  const child = spawn(
    process.execPath,
    [PROGRAM, ...'--mails 40 --rounds 2 --connections 4 --json --out out.json'.split(' ')],
    { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] },
  );
  const [printed, said] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  expect(child.exitCode, said).toBe(0);
  const lines = printed.trimEnd().split('\n');
  const report = JSON.parse(lines.at(-1) ?? '') as {
    machine: { cores: number; sink: string };
    rows: { name: string; bytes: number; mailsPerSecond: number; rounds: number }[];
  };
  expect(report.machine.cores).toBeGreaterThan(0);
  expect(report.machine.sink).toMatch(/sink/);
  expect(report.rows.map(({ name }) => name)).toEqual([
    'mutirao',
    'nodemailer-pool',
    'nodemailer-connection',
  ]);
  for (const row of report.rows) {
    expect(row).toMatchObject({ bytes: 2048, rounds: 2 });
    expect(row.mailsPerSecond).toBeGreaterThan(0);
  }
  expect(JSON.parse(readFileSync(join(folder, 'out.json'), 'utf8'))).toEqual(report);
  expect(readdirSync(join(folder, '.mutirao'))).toEqual([]);
}, 60_000);

it('says which flag is wrong', async () => {
  const child = spawn(process.execPath, [PROGRAM, '--mails', 'many'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const [error] = await Promise.all([text(child.stderr), once(child, 'close')]);
  expect(child.exitCode).toBe(1);
  expect(error).toContain('bench: --mails many');
});
