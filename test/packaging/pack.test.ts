import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import manifest from '../../package.json' with { type: 'json' };

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** Installing downloads what is not in npm's cache yet. */
const INSTALL_TIMEOUT_MS = 180_000;

let folder: string;

/** The environment of a user: our Node first, and nothing of the npm that may have started this test. */
const environment = {
  ...Object.fromEntries(
    Object.entries(process.env).filter(
      ([key]) => !/^npm_(package|lifecycle|config_local)|^(INIT_CWD|VITEST)/.test(key),
    ),
  ),
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

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'mutirao-pack-'));
  const pack = run('npm', ['pack', '--pack-destination', folder], ROOT);
  if (pack.code !== 0) throw new Error(`npm pack failed:\n${pack.out}${pack.err}`);
  const tarball = readdirSync(folder).find((name) => name.endsWith('.tgz'));
  writeFileSync(join(folder, 'package.json'), '{ "private": true }');
  const install = run('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund', `./${tarball}`]);
  if (install.code !== 0) throw new Error(`npm install failed:\n${install.out}${install.err}`);
}, INSTALL_TIMEOUT_MS);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('the packed package, installed elsewhere', () => {
  it('runs as a command', () => {
    const { code, out, err } = run('npx', ['mutirao', '--help']);
    expect(err).toBe('');
    expect(out).toContain('Usage: mutirao');
    expect(code).toBe(0);
  });

  it.each(['server', 'worker', 'submit', 'sink', 'status'])('has the command %s', (command) => {
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

  it('tells an older Node what is wrong', () => {
    const old = "data:text/javascript,Object.defineProperty(process.versions,'node',{value:'20.1.0'})";
    const bin = join(folder, 'node_modules', 'mutirao', 'bin', 'mutirao.js');
    const { code, err } = run('node', ['--import', old, bin, '--help']);
    expect(err).toContain('mutirao needs Node 24 or newer, this is 20.1.0');
    expect(code).toBe(1);
  });
});
