import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  createLogger,
  createSilentLogger,
  type Log,
  LogFileError,
  type LoggerOptions,
} from '../../logging/index.ts';

const LOGGER = new URL('../../logging/index.ts', import.meta.url).href;

let folder: string;
let file: string;
let logs: Log[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'mutirao-logger-'));
  file = join(folder, 'server.log');
  logs = [];
  vi.stubEnv('NO_COLOR', '');
});

afterEach(async () => {
  for (const log of logs) await log.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** A logger with a screen that is looked at instead of standard error. */
function create(isTTY: boolean, options: LoggerOptions = {}) {
  const screen: string[] = [];
  const log = createLogger({ ...options, terminal: { isTTY, write: (text) => screen.push(text) } });
  logs.push(log);
  return { ...log, screen };
}

const records = (): Record<string, unknown>[] =>
  readFileSync(file, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));

describe('on a terminal', () => {
  it('a record is one coloured line: time, level, part, message, key=value', () => {
    const { logger, screen } = create(true);
    logger.child({ part: 'mesh' }).info({ peer: '127.0.0.1:8766', load: { ready: 5 } }, 'peer is alive');
    expect(screen).toHaveLength(1);
    expect(screen[0]).toContain('\u001b[32mINFO');
    expect(stripVTControlCharacters(screen[0] as string)).toMatch(
      /^\d\d:\d\d:\d\d\.\d{3} \| INFO {2}\| mesh {5}\| peer is alive {2}peer=127\.0\.0\.1:8766 load=\{"ready":5\}\n$/,
    );
  });

  it('NO_COLOR is respected', () => {
    vi.stubEnv('NO_COLOR', '1');
    const { logger, screen } = create(true);
    logger.warn('plain');
    expect(screen[0]).toBe(stripVTControlCharacters(screen[0] as string));
  });

  it('an error follows with its stack and its cause, under err as under error', () => {
    const { logger, screen } = create(true);
    const error = new Error('outer', { cause: new TypeError('inner') });
    logger.error({ err: error }, 'failed');
    logger.error({ error }, 'failed');
    logger.error({ error: 'only text' }, 'failed');
    for (const text of screen.slice(0, 2)) {
      expect(text).toMatch(/logger\.test\.ts:\d+/);
      expect(text).toContain('TypeError: inner');
    }
    expect(stripVTControlCharacters(screen[2] as string)).toMatch(/failed {2}error="only text"\n$/);
  });

  it('a stranger cannot steer it', () => {
    const { logger, screen } = create(true);
    const evil = 'x\u001b[2J\r\nFAKE\u009b2J';
    logger.info({ reply: evil, err: new Error(evil) }, evil);
    const text = stripVTControlCharacters(screen.join('')) + screen.join('');
    expect(text).not.toContain('\u001b[2J');
    expect(text).not.toContain('\u009b');
    expect(text).not.toContain('\r');
    expect(text).not.toMatch(/^FAKE.*INFO/m);
  });
});

describe('where there is no terminal', () => {
  it('a record is one line of JSON', () => {
    const { logger, screen } = create(false, { part: 'server', fields: { server: 'one' } });
    logger.info({ n: 1 }, 'hello');
    const record = JSON.parse(screen[0] as string);
    expect(record).toMatchObject({ level: 'info', part: 'server', server: 'one', n: 1, msg: 'hello' });
    expect(new Date(record.time).getTime()).toBeGreaterThan(0);
    expect(screen[0]).toMatch(/^\{.*\}\n$/);
  });

  it('standard output stays free for results', () => {
    const run = spawnSync(
      process.execPath,
      [
        '--input-type=module',
        '-e',
        `import { createLogger } from '${LOGGER}'; createLogger().logger.info('x');`,
      ],
      { encoding: 'utf8' },
    );
    expect(run.stdout).toBe('');
    expect(JSON.parse(run.stderr)).toMatchObject({ msg: 'x' });
  });
});

describe('the log file', () => {
  it('holds the same as JSON, whatever the terminal shows', async () => {
    const { logger, stop } = create(true, { file, part: 'server' });
    logger.info({ n: 1 }, 'one');
    logger.debug('below the level');
    await stop();
    expect(records()).toMatchObject([{ level: 'info', part: 'server', n: 1, msg: 'one' }]);
  });

  it('is complete at stop; stop is idempotent and what is said later is dropped', async () => {
    const { logger, stop, screen } = create(false, { file });
    for (let n = 0; n < 1_000; n++) logger.info({ n }, 'line');
    await stop();
    await stop();
    logger.info('late');
    expect(records()).toHaveLength(1_000);
    expect(screen).toHaveLength(1_000);
  });

  it('is rotated by size', async () => {
    const { logger, stop } = create(false, { file, maxFileBytes: 2_000, keepFiles: 100 });
    for (let n = 0; n < 100; n++) logger.info({ n }, 'line');
    await stop();
    expect(records().at(-1)).toMatchObject({ n: 99 });
    const old = readFileSync(join(folder, 'server.1.log'), 'utf8');
    expect(old.length).toBeLessThanOrEqual(2_000);
    expect(old.length).toBeGreaterThan(1_000);
  });

  it.each(['none', undefined])('is not made when it is %s', (none) => {
    expect(() => create(false, { file: none }).logger.info('x')).not.toThrow();
  });

  it('that cannot be opened is refused at once, by name', () => {
    writeFileSync(file, '');
    expect(() => create(false, { file: join(file, 'x.log') })).toThrow(LogFileError);
  });

  it('loses nothing at a hard exit', () => {
    const run = spawnSync(
      process.execPath,
      [
        '--input-type=module',
        '-e',
        `import { createLogger } from '${LOGGER}';
         const { logger } = createLogger({ file: process.argv[1] });
         for (let n = 0; n < 500; n++) logger.info({ n }, 'line');
         process.kill(process.pid, 'SIGKILL');`,
        file,
      ],
      { stdio: 'ignore' },
    );
    expect(run.signal).toBe('SIGKILL');
    expect(records()).toHaveLength(500);
  });
});

describe('secrets', () => {
  it('appear in neither place, wherever they were put', async () => {
    const { logger, stop, screen } = create(true, { file, level: 'trace', secrets: ['known-canary'] });
    const child = logger.child({ TOKEN: 'canary', relay: 'smtp://user:canary@mail.example.org' });
    const error = Object.assign(new Error('535 for smtp://user:canary@mail.example.org'), {
      command: 'AUTH PLAIN canary',
      code: 'EAUTH',
    });
    child.error({ err: error, RELAY: { USER: 'canary', PASS: 'canary' } }, 'login refused');
    child.trace({ list: [{ TICKET: { MAC: 'canary' } }], raw: 'known-canary' }, 'with known-%s', 'canary');
    await stop();
    const all = readFileSync(file, 'utf8') + screen.join('');
    expect(all).not.toContain('canary');
    expect(all).toContain('smtp://user:***@mail.example.org');
    expect(all).toContain('EAUTH');
  });

  it('and addresses are not shown above trace', async () => {
    const { logger, stop, screen } = create(false, { file, level: 'trace' });
    logger.debug({ reply: '550 <canary@example.org> unknown' }, 'refused canary@example.org');
    logger.trace({ address: 'ana@example.org' }, 'sent');
    await stop();
    const all = readFileSync(file, 'utf8') + screen.join('');
    expect(all).not.toContain('canary');
    expect(all).toContain('ana@example.org');
  });
});

describe('a terminal that went away', () => {
  it('does not end the program', () => {
    const run = spawnSync(
      'sh',
      [
        '-c',
        `"$0" --input-type=module -e "$1" "$2" 2>&1 >/dev/null | head -n 1 >/dev/null`,
        process.execPath,
        `import { createLogger } from '${LOGGER}';
         import { setTimeout } from 'node:timers/promises';
         const { logger } = createLogger({ file: process.argv[1] });
         for (let n = 0; n < 20; n++) { logger.info({ n }, 'line'); await setTimeout(20); }`,
        file,
      ],
      { encoding: 'utf8' },
    );
    expect(run.error).toBeUndefined();
    expect(records()).toHaveLength(20);
  });
});

describe('the silent logger', () => {
  it('says nothing', () => {
    expect(createSilentLogger().isLevelEnabled('fatal')).toBe(false);
  });
});
