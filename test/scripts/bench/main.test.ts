import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const PROGRAM = join(import.meta.dirname, '..', '..', '..', 'scripts', 'bench', 'main.ts');

interface Report {
  readonly mode: string;
  readonly machine: { readonly cores: number; readonly sink: string };
  readonly rows: readonly Readonly<Record<string, unknown>>[];
  readonly skipped?: readonly { readonly name: string; readonly reason: string }[];
}

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'bench-test-'));
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Runs the benchmark without fetching anything, and sees that it leaves nothing behind. */
async function bench(flags: string): Promise<{ report: Report; said: string }> {
  const child = spawn(process.execPath, [PROGRAM, ...flags.split(' '), '--offline', '--json'], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [printed, said] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  expect(child.exitCode, said).toBe(0);
  expect(readdirSync(join(folder, '.mutirao'))).toEqual([]);
  return { report: JSON.parse(printed.trimEnd().split('\n').at(-1) ?? '') as Report, said };
}

describe('the benchmark', { timeout: 60_000 }, () => {
  it('measures everybody who is there, says who is not and why, and writes the same into a file', async () => {
    const { report, said } = await bench('--mails 40 --rounds 2 --connections 4 --out out.json');
    expect(report.mode).toBe('compare');
    expect(report.machine.cores).toBeGreaterThan(0);
    expect(report.machine.sink).toMatch(/sink/);
    const names = report.rows.map(({ name }) => name);
    expect(names.slice(0, 3)).toEqual(['mutirao', 'nodemailer-pool', 'nodemailer-connection']);
    for (const row of report.rows) {
      expect(row).toMatchObject({ bytes: 2048, rounds: 2 });
      expect(row.mailsPerSecond).toBeGreaterThan(0);
    }
    for (const name of ['bullmq', 'smtp-source']) {
      const absent = report.skipped?.find((skipped) => skipped.name === name);
      expect(names.includes(name)).toBe(absent === undefined);
      if (absent !== undefined) expect(said).toContain(`${name} is skipped: ${absent.reason}`);
    }
    expect(JSON.parse(readFileSync(join(folder, 'out.json'), 'utf8'))).toEqual(report);
  });

  it('measures a relay that is some way off, with and without CHUNKING', async () => {
    const { report } = await bench('--latency 5 --mails 40 --rounds 1 --connections 4');
    expect(report.rows.map(({ name }) => name)).toEqual(['mutirao', 'mutirao-chunking', 'nodemailer-pool']);
    expect(report.machine.sink).toContain('--latency 5');
  });

  it('times single mails', async () => {
    const { report } = await bench('--one --mails 3');
    const [accepted, sent, finished] = report.rows.map(({ p50Ms }) => Number(p50Ms));
    expect(accepted).toBeGreaterThan(0);
    expect(sent).toBeGreaterThan(0);
    expect(finished).toBeGreaterThan(sent ?? 0);
  });

  it('measures intake, and claims to the last recipient', async () => {
    const { report } = await bench('--submit --recipients 3000 --rounds 1');
    expect(report.rows.map(({ recipients }) => recipients)).toEqual([3_000, 3_000]);
    for (const row of report.rows) expect(row.claimMsLastTenth).toBeGreaterThan(0);
  });

  it('measures signed mail', async () => {
    const { report } = await bench('--dkim --mails 40 --rounds 1 --connections 4');
    expect(report.rows.map(({ name }) => name)).toEqual([
      'mutirao',
      'mutirao-ed25519',
      'mutirao-rsa',
      'nodemailer-pool',
      'nodemailer-pool-rsa',
    ]);
  });
});

it('says which flag is wrong', async () => {
  const child = spawn(process.execPath, [PROGRAM, '--mails', 'many'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const [error] = await Promise.all([text(child.stderr), once(child, 'close')]);
  expect(child.exitCode).toBe(1);
  expect(error).toContain('bench: --mails many');
});
