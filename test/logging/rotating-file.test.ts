import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LogFileError, RotatingFile, type RotatingFileOptions } from '../../logging/rotating-file.ts';

const DAY_MS = 24 * 60 * 60 * 1000;

let folder: string;
let path: string;
let opened: RotatingFile[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'mutirao-log-'));
  path = join(folder, 'logs', 'server.log');
  opened = [];
});

afterEach(() => {
  for (const file of opened) file.close();
  rmSync(folder, { recursive: true, force: true });
});

function open(options: Partial<RotatingFileOptions> = {}): RotatingFile {
  const file = new RotatingFile({ path, maxBytes: 1_000, maxAgeMs: DAY_MS, keep: 2, ...options });
  opened.push(file);
  return file;
}

const read = (name: string): string => readFileSync(join(folder, 'logs', name), 'utf8');
const names = (): string[] => readdirSync(join(folder, 'logs')).sort();

describe('a rotating file', () => {
  it('makes its folder, and each line is on disk when write returns', () => {
    const file = open();
    file.write('one\n');
    expect(read('server.log')).toBe('one\n');
    file.write('two\n');
    expect(read('server.log')).toBe('one\ntwo\n');
  });

  it('can be read by its owner only', () => {
    open();
    expect(statSync(path).mode & 0o077).toBe(0);
  });

  it('continues what an earlier run wrote', () => {
    open().write('one\n');
    open().write('two\n');
    expect(read('server.log')).toBe('one\ntwo\n');
  });

  it('is put aside before it grows beyond its size, and only so many are kept, youngest first', () => {
    const file = open({ maxBytes: 10 });
    for (const line of ['11111111\n', '22222222\n', '33333333\n', '44444444\n']) file.write(line);
    expect(names()).toEqual(['server.1.log', 'server.2.log', 'server.log']);
    expect([read('server.log'), read('server.1.log'), read('server.2.log')]).toEqual([
      '44444444\n',
      '33333333\n',
      '22222222\n',
    ]);
  });

  it('takes a line longer than its size, alone', () => {
    const file = open({ maxBytes: 10 });
    file.write('short\n');
    file.write(`${'x'.repeat(50)}\n`);
    file.write('after\n');
    expect([read('server.log'), read('server.1.log').length, read('server.2.log')]).toEqual([
      'after\n',
      51,
      'short\n',
    ]);
  });

  it('is put aside when it is too old, also when an earlier run began it', () => {
    let now = Date.now();
    open({ now: () => now }).write('yesterday\n');
    // The file's own clock may be a moment ahead of the one asked first.
    now += DAY_MS + 10_000;
    open({ now: () => now }).write('today\n');
    expect([read('server.log'), read('server.1.log')]).toEqual(['today\n', 'yesterday\n']);
  });

  it('keeps no old file when none is wanted', () => {
    const file = open({ maxBytes: 5, keep: 0 });
    file.write('one\n');
    file.write('two\n');
    expect(names()).toEqual(['server.log']);
    expect(read('server.log')).toBe('two\n');
  });

  it('says at once which file cannot be written, and what to do', () => {
    writeFileSync(join(folder, 'logs'), 'a file where a folder should be');
    expect(() => open()).toThrow(LogFileError);
    expect(() => open()).toThrow(/server\.log can't be written.*--log-file none/);
  });

  it('survives that it cannot be written any more, says so once, and resumes by itself', () => {
    const said: string[] = [];
    let now = Date.now();
    const file = open({ maxBytes: 8, now: () => now, onTrouble: (message) => said.push(message) });
    file.write('before\n');
    rmSync(join(folder, 'logs'), { recursive: true });
    for (let i = 0; i < 3; i++) file.write('lost...\n');
    expect(said).toHaveLength(1);
    expect(said[0]).toContain("can't be written");
    now += 60_000;
    file.write('lost...\n');
    expect(said).toHaveLength(1);

    mkdirSync(join(folder, 'logs'));
    file.write('lost...\n');
    expect(existsSync(path)).toBe(false);
    now += 60_000;
    file.write('after\n');
    expect(read('server.log')).toBe('after\n');
    expect(said).toHaveLength(2);
    expect(said[1]).toContain('5 lines');
  });

  it('ignores what comes after close, and can be closed twice', () => {
    const file = open();
    file.close();
    file.close();
    file.write('late\n');
    expect(read('server.log')).toBe('');
  });
});
