import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseExplainedFiles } from '../../scripts/layers/graph.ts';
import { LAYERS } from '../../scripts/layers/rules.ts';

const TOOL = fileURLToPath(new URL('../../scripts/layers/main.ts', import.meta.url));

/** A small tree that keeps every rule. */
const GOOD = {
  'protocol/message.ts': 'export type Message = { readonly id: string };\n',
  'mail/compose.ts': 'export const compose = (text: string): string => text;\n',
  'server/main.ts':
    "import { compose } from '../mail/compose.ts';\nimport type { Message } from '../protocol/message.ts';\nexport const serve = (m: Message): string => compose(m.id);\n",
  'worker/link.ts': 'export const link = 1;\n',
  'cli/main.ts': "import { serve } from '../server/main.ts';\nexport const run = serve;\n",
  'test/anything.test.ts':
    "import { run } from '../cli/main.ts';\nimport { link } from '../worker/link.ts';\nexport const x = [run, link];\n",
};

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'mutirao-layers-'));
  write({
    'package.json': '{ "type": "module" }',
    'tsconfig.json': JSON.stringify({
      compilerOptions: { module: 'nodenext', allowImportingTsExtensions: true, noEmit: true, types: [] },
    }),
    ...GOOD,
  });
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

function write(files: Record<string, string>): void {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
}

function check(): { code: number | null; said: string } {
  const run = spawnSync(process.execPath, [TOOL, folder], { encoding: 'utf8' });
  return { code: run.status, said: run.stdout + run.stderr };
}

describe('npm run layers', () => {
  it('is content with imports that point downwards', () => {
    const { code, said } = check();
    expect(said).toBe('5 imports, 0 wrong\n');
    expect(code).toBe(0);
  });

  it.each([
    ['a worker that imports the server', 'worker/link.ts', "export { serve } from '../server/main.ts';\n"],
    ['a server that imports a worker', 'server/x.ts', "export { link } from '../worker/link.ts';\n"],
    ['a type of an upper layer', 'protocol/x.ts', "export type { link } from '../worker/link.ts';\n"],
    ['a dynamic import', 'mail/x.ts', "export const x = () => import('../worker/link.ts');\n"],
    ['an import inside a type', 'mail/x.ts', "export type X = typeof import('../worker/link.ts');\n"],
    ['code that imports a test', 'server/x.ts', "import '../test/anything.test.ts';\n"],
    ['a folder without a rule', 'stuff/x.ts', "import '../mail/compose.ts';\n"],
  ])('refuses %s', (_what, file, text) => {
    write({ [file]: text });
    const { code, said } = check();
    expect(code).toBe(1);
    expect(said).toContain(`${file} imports `);
  });

  it('refuses a circle inside one folder, also one of types only, and shows the way round', () => {
    write({
      'mail/a.ts': "import type { B } from './b.ts';\nexport type A = B | 1;\n",
      'mail/b.ts': "import type { C } from './c.ts';\nexport type B = C | 2;\n",
      'mail/c.ts': "import type { A } from './a.ts';\nexport type C = A[];\n",
    });
    const { code, said } = check();
    expect(code).toBe(1);
    expect(said).toContain('import circle: mail/a.ts → mail/b.ts → mail/c.ts → mail/a.ts');
  });

  it('refuses a project in which it sees no import at all', () => {
    rmSync(folder, { recursive: true });
    write({ 'package.json': '{}', 'tsconfig.json': '{}', 'a.ts': 'export const a = 1;\n' });
    expect(check().code).toBe(1);
  });
});

describe('the compiler answer', () => {
  it('is read for our own files only', () => {
    const answer = [
      'node_modules/zod/index.d.cts',
      "   Imported via 'zod' from file 'protocol/a.ts' with packageId 'zod/index.d.cts@4.0.0'",
      'protocol/a.ts',
      "   Imported via './a.ts' from file 'protocol/b.ts'",
      '   Imported via "./a.ts" from file \'protocol/c.ts\'',
      "   Matched by default include pattern '**/*'",
    ].join('\n');
    expect(parseExplainedFiles(answer)).toEqual([
      { from: 'protocol/b.ts', to: 'protocol/a.ts' },
      { from: 'protocol/c.ts', to: 'protocol/a.ts' },
    ]);
  });
});

describe('the rules', () => {
  it('have no circle among the folders', () => {
    const above = (folder: string, seen: string[]): string[] => {
      if (seen.includes(folder)) throw new Error(`circle: ${[...seen, folder].join(' → ')}`);
      const may = LAYERS[folder];
      return may === undefined || may === 'anything' ? [] : may.flatMap((f) => above(f, [...seen, folder]));
    };
    expect(() => Object.keys(LAYERS).map((folder) => above(folder, []))).not.toThrow();
  });

  it('keep server and worker apart', () => {
    expect(LAYERS.server).not.toContain('worker');
    expect(LAYERS.worker).not.toContain('server');
  });
});
