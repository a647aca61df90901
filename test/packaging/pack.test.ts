import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import manifest from '../../package.json' with { type: 'json' };

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** Installing downloads what is not in npm's cache yet. */
const INSTALL_TIMEOUT_MS = 180_000;

/** A process that is silent for so long hangs. */
const SAYS_WITHIN_MS = 15_000;

let folder: string;
const running: (() => void)[] = [];

/** The environment of a user: our Node first, and nothing of the npm that may have started this test. */
const environment = {
  ...Object.fromEntries(
    Object.entries(process.env).filter(
      ([key]) => !/^npm_(package|lifecycle|config_local)|^(INIT_CWD|VITEST)/.test(key),
    ),
  ),
  // What npm itself has to remark is not ours.
  npm_config_loglevel: 'error',
  PATH: [dirname(process.execPath), process.env.PATH].join(delimiter),
};

function run(
  command: string,
  args: string[],
  cwd = folder,
): { code: number | null; out: string; err: string } {
  const result = spawnSync(command, args, { cwd, env: environment, encoding: 'utf8' });
  if (result.error) throw result.error;
  return { code: result.status, out: result.stdout, err: result.stderr };
}

/** A command of the package that runs until it is stopped. */
function start(args: string[]) {
  const bin = join(folder, 'node_modules', '.bin', 'mutirao');
  const child = spawn(bin, args, { cwd: folder, env: environment, stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = once(child, 'exit');
  running.push(() => child.kill('SIGKILL'));
  let out = '';
  let all = '';
  const more = new EventEmitter();
  child.stdout.on('data', (data) => {
    out += data;
  });
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (data) => {
      all += data;
      more.emit('data');
    });
  }
  return {
    /** Waits for it to say something like that, and answers what stands in the parentheses. */
    says: async (what: RegExp): Promise<string> => {
      const signal = AbortSignal.timeout(SAYS_WITHIN_MS);
      for (;;) {
        const found = what.exec(all)?.[1];
        if (found !== undefined) return found;
        await once(more, 'data', { signal }).catch((cause) => {
          throw new Error(`${args[0]} never said ${what}, but:\n${all}`, { cause });
        });
      }
    },
    /** Ends it in good order and answers what it said on standard output. */
    stop: async (): Promise<string> => {
      child.kill('SIGTERM');
      expect(await ended, all).toEqual([0, null]);
      return out;
    },
  };
}

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'mutirao-pack-'));
  const pack = run('npm', ['pack', '--pack-destination', folder], ROOT);
  if (pack.code !== 0) throw new Error(`npm pack failed:\n${pack.out}${pack.err}`);
  const tarball = readdirSync(folder).find((name) => name.endsWith('.tgz'));
  writeFileSync(join(folder, 'package.json'), '{ "private": true }');
  const install = run('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund', `./${tarball}`]);
  if (install.code !== 0) throw new Error(`npm install failed:\n${install.out}${install.err}`);
}, INSTALL_TIMEOUT_MS);

afterAll(() => {
  for (const kill of running) kill();
  rmSync(folder, { recursive: true, force: true });
});

describe('the packed package, installed elsewhere', () => {
  it('runs as a command', () => {
    const { code, out, err } = run('npx', ['mutirao', '--help']);
    expect(err).toBe('');
    expect(out).toContain('Usage: mutirao');
    expect(code).toBe(0);
  });

  it.each(['server', 'worker', 'submit', 'sink', 'status', 'failed'])('has the command %s', (command) => {
    const { code, out, err } = run('npx', ['mutirao', command, '--help']);
    expect(err).toBe('');
    expect(out).toContain(`Usage: mutirao ${command}`);
    expect(code).toBe(0);
  });

  it('says its version', () => {
    expect(run('npx', ['mutirao', '--version']).out.trim()).toBe(manifest.version);
  });

  it('can be imported as a library, the protocol too', () => {
    const script = `
      const { connect } = await import('mutirao');
      const { MESSAGES } = await import('mutirao/protocol');
      console.log(typeof connect, MESSAGES.length > 10);
    `;
    expect(run('node', ['--input-type=module', '-e', script]).out).toBe('function true\n');
  });

  it('has types that a strict user can check', () => {
    writeFileSync(
      join(folder, 'use.ts'),
      "import { connect } from 'mutirao';\nexport const x: typeof connect = connect;\n// @ts-expect-error: no such thing\nimport { nonsense } from 'mutirao/protocol';\nnonsense;\n",
    );
    const tsc = join(ROOT, 'node_modules', '.bin', 'tsc');
    const options = ['--noEmit', '--strict', '--module', 'nodenext', '--target', 'es2024', '--types', ''];
    expect(run(tsc, [...options, '--skipLibCheck', 'use.ts'])).toMatchObject({ out: '', code: 0 });
  });

  it('holds no source and no test', () => {
    const files = execFileSync(
      'tar',
      ['-tzf', readdirSync(folder).find((n) => n.endsWith('.tgz')) as string],
      {
        cwd: folder,
        encoding: 'utf8',
      },
    );
    expect(files).not.toMatch(/(?<!\.d)\.ts$/m);
    expect(files).not.toContain('/test/');
    expect(files).toContain('package/LICENSE');
  });

  it('sends mail: sink, server, worker processes and submit, nothing but the package', async () => {
    const sink = start(['sink', '--port', '0', '--json']);
    const relay = await sink.says(/listening on (smtp:\/\/\S+:\d+)/);
    const server = start(['server', '--port', '0', '--data', 'data', '--relay', relay]);
    const url = await server.says(/"url":"(ws:[^"]+)"/);
    const worker = start(['worker', '--server', url, '--processes', '2', '--log-file', 'none']);
    writeFileSync(join(folder, 'text.txt'), 'Dear {{name}}, hello.');
    const people = ['Ana <ana@example.net>', 'Rui <rui@example.net>', 'Eva <eva@example.net>'].join(', ');
    const flags = ['--server', url, '--from', 'me@example.org', '--subject', 'Hi', '--text', 'text.txt'];
    const submit = run('npx', ['mutirao', 'submit', ...flags, '--to', people, '--json']);
    expect(submit.code, submit.err).toBe(0);
    expect(JSON.parse(submit.out.trimEnd().split('\n').at(-1) as string)).toMatchObject({
      total: 3,
      sent: 3,
    });
    await worker.stop();
    await server.stop();
    const report = JSON.parse((await sink.stop()).trimEnd().split('\n').at(-1) as string);
    expect(report).toMatchObject({ messages: 3, uniqueRecipients: 3, duplicates: 0 });
  });

  it('tells an older Node what is wrong', () => {
    const old = "data:text/javascript,Object.defineProperty(process.versions,'node',{value:'20.1.0'})";
    const bin = join(folder, 'node_modules', 'mutirao', 'bin', 'mutirao.js');
    const { code, err } = run('node', ['--import', old, bin, '--help']);
    expect(err).toContain('mutirao needs Node 24 or newer, this is 20.1.0');
    expect(code).toBe(1);
  });
});
