import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { Unavailable } from '../contenders/contender.ts';
import { STORES } from '../contenders/stores.ts';
import { environmentIn, unpack } from './debian.ts';

/** Where Debian and others put programs that are not for everybody; not always on the PATH. */
const SYSTEM_FOLDERS = ['/usr/sbin', '/usr/local/sbin', '/usr/libexec/postfix'];

/** A program that can be run. */
export interface Program {
  readonly path: string;
  readonly env: NodeJS.ProcessEnv;
}

/** A program that is not ours, and the packages of Debian that hold it and what it needs. */
export interface Wanted {
  readonly name: string;
  /** In the unpacked packages. */
  readonly path: string;
  readonly unpackAs: string;
  readonly packages: readonly string[];
}

const POSTFIX = { unpackAs: 'postfix', packages: ['postfix'] };

export const SMTP_SINK: Wanted = { name: 'smtp-sink', path: 'usr/sbin/smtp-sink', ...POSTFIX };
export const SMTP_SOURCE: Wanted = { name: 'smtp-source', path: 'usr/sbin/smtp-source', ...POSTFIX };
export const REDIS: Wanted = {
  name: 'redis-server',
  path: 'usr/bin/redis-server',
  unpackAs: 'redis',
  packages: ['redis-server', 'redis-tools', 'liblzf1', 'libjemalloc2', 'libatomic1'],
};

/**
 * The program where it is installed, else out of Debian packages that are fetched now, unless `offline`.
 * @throws Unavailable with the reason
 */
export async function programOf(
  wanted: Wanted,
  { offline }: { readonly offline: boolean },
): Promise<Program> {
  const folders = [...(process.env.PATH ?? '').split(delimiter), ...SYSTEM_FOLDERS];
  const installed = folders.map((folder) => join(folder, wanted.name)).find((path) => existsSync(path));
  if (installed !== undefined) return { path: installed, env: process.env };
  if (offline) throw new Unavailable(`${wanted.name} is not installed, and --offline forbids fetching it`);
  try {
    const folder = await unpack(wanted.unpackAs, wanted.packages, join(STORES, 'programs'));
    return { path: join(folder, wanted.path), env: environmentIn(folder) };
  } catch (error) {
    const [why] = (error instanceof Error ? error.message : String(error)).split('\n');
    throw new Unavailable(
      `${wanted.name} is not installed and cannot be fetched as a Debian package (${why})`,
    );
  }
}
