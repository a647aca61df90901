import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/** One import: `from` imports `to`. Paths are relative to the project's folder, with forward slashes. */
export interface Import {
  readonly from: string;
  readonly to: string;
}

const OURS = /^(?!\.\.\/|\/|node_modules\/|.*\/node_modules\/).+\.[cm]?tsx?$/;
const IMPORTED_VIA = /^\s+Imported via ["'].*["'] from file '(.+?)'/;

/** Room for tsc's answer about a few thousand files. */
const MAX_OUTPUT_BYTES = 256 * 1024 * 1024;

/**
 * Who imports whom, as the TypeScript compiler itself resolves it: `import type`, `export … from`,
 * `import()` and `import('…').T` included. Reads the answer of `tsc --explainFiles`, because TypeScript 7
 * has no stable API for it.
 *
 * @throws Error when tsc cannot read the project.
 */
export function readImports(projectDir: string): Import[] {
  const tsc = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin', 'tsc');
  const run = spawnSync(
    process.execPath,
    [tsc, '--noEmit', '--noCheck', '--explainFiles', '--pretty', 'false', '-p', '.'],
    { cwd: projectDir, encoding: 'utf8', maxBuffer: MAX_OUTPUT_BYTES },
  );
  if (run.error) throw run.error;
  if (run.status !== 0) throw new Error(`tsc could not list the imports:\n${run.stdout}${run.stderr}`);
  return parseExplainedFiles(run.stdout);
}

/** The imports between our own files in the output of `tsc --explainFiles`. */
export function parseExplainedFiles(output: string): Import[] {
  const imports: Import[] = [];
  let to = '';
  for (const line of output.split('\n')) {
    if (line !== '' && !line.startsWith(' ')) {
      to = line.trim();
      continue;
    }
    const from = IMPORTED_VIA.exec(line)?.[1];
    if (from !== undefined && OURS.test(to) && OURS.test(from)) imports.push({ from, to });
  }
  return imports;
}
