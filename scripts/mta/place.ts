import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { MtaName } from './recipes.ts';

/** Where mail servers are unpacked; git ignores it. */
const CACHE = fileURLToPath(new URL('../../.mutirao/mta/', import.meta.url));

export const PACKAGES = join(CACHE, 'packages');
/** Where tests put the folders they run servers in: on the same file system as the roots, so that files can be linked. */
export const RUNS = join(CACHE, 'runs');
export const FETCH = 'node scripts/mta/fetch.ts';

export const rootOf = (name: MtaName): string => join(CACHE, 'roots', name);

/** Why no server can be run from an unpacked package here at all; undefined: it can. */
export function whyUnable(): string | undefined {
  if (process.platform !== 'linux') return 'unpacked Debian packages run on Linux only';
  if (process.getuid?.() !== 0) return 'only root may chroot into an unpacked server';
  return undefined;
}

/** Why this server cannot be tested against here; undefined: it can. */
export function whyMissing(name: MtaName): string | undefined {
  return whyUnable() ?? (existsSync(rootOf(name)) ? undefined : `it is not here; \`${FETCH}\` fetches it`);
}

/** For programs that only root runs: its folders are on the PATH of a login, and often missing from that of a job. */
export const ROOTS_ENVIRONMENT: NodeJS.ProcessEnv = {
  ...process.env,
  PATH: `${process.env.PATH ?? ''}:/usr/local/sbin:/usr/sbin:/sbin`,
};
