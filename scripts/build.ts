import { spawnSync } from 'node:child_process';
import { cpSync, rmSync } from 'node:fs';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import build from '../tsconfig.build.json' with { type: 'json' };

/**
 * `npm run build`: JavaScript and types of every part that is published, in `dist/`. What the compiler does
 * not touch (pages, SQL) is copied beside it.
 */
const root = fileURLToPath(new URL('..', import.meta.url));
const dist = `${root}/dist`;

rmSync(dist, { recursive: true, force: true });
const tsc = spawnSync('tsc', ['-p', 'tsconfig.build.json'], { cwd: root, stdio: 'inherit' });
if (tsc.error) throw tsc.error;
if (tsc.status !== 0) process.exit(tsc.status ?? 1);

for (const part of build.include) {
  cpSync(`${root}/${part}`, `${dist}/${part}`, {
    recursive: true,
    force: true,
    filter: (path) => extname(path) !== '.ts',
  });
}
