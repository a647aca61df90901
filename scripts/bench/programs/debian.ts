import { execFile } from 'node:child_process';
import { existsSync, globSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** A few megabytes from a mirror, and at worst the mirror's list of packages before; ms. */
const DOWNLOAD_WITHIN_MS = 60_000;

/** Where shared libraries lie in an unpacked package: by architecture, and Postfix's own. */
const LIBRARIES = ['usr/lib/*-linux-*', 'usr/lib/postfix'];

/**
 * Unpacks packages of Debian (or a system like it) into one folder, without installing anything; once, later calls find it there.
 * @returns the folder
 * @throws where apt-get or dpkg are missing, or the mirror cannot be reached
 */
export async function unpack(name: string, packages: readonly string[], cache: string): Promise<string> {
  const folder = resolve(cache, name);
  if (existsSync(folder)) return folder;
  mkdirSync(cache, { recursive: true });
  const making = mkdtempSync(join(cache, `${name}-`));
  try {
    await download(packages, making);
    for (const file of readdirSync(making)) {
      if (!file.endsWith('.deb')) continue;
      await run('dpkg', ['-x', join(making, file), join(making, 'root')]);
    }
    renameSync(join(making, 'root'), folder);
  } finally {
    rmSync(making, { recursive: true, force: true });
  }
  return folder;
}

/** As the system's user for downloads may not see our folders, apt-get stays who we are. */
const AS_WE_ARE = ['-o', 'APT::Sandbox::User=root', '-q'];

async function download(packages: readonly string[], folder: string): Promise<void> {
  const inFolder = { cwd: folder, timeout: DOWNLOAD_WITHIN_MS };
  try {
    await run('apt-get', [...AS_WE_ARE, 'download', ...packages], inFolder);
  } catch {
    // The system's list of packages is missing or too old: take one of our own and leave the system's alone.
    const lists = join(resolve(folder), 'lists');
    mkdirSync(join(lists, 'partial'), { recursive: true });
    const ours = [...AS_WE_ARE, '-o', `Dir::State::lists=${lists}`];
    await run('apt-get', [...ours, 'update'], inFolder);
    await run('apt-get', [...ours, 'download', ...packages], inFolder);
  }
}

/** The environment in which programs of an unpacked package find their libraries. */
export function environmentIn(folder: string): NodeJS.ProcessEnv {
  const found = LIBRARIES.flatMap((pattern) => globSync(pattern, { cwd: folder }));
  return { ...process.env, LD_LIBRARY_PATH: found.map((path) => join(folder, path)).join(':') };
}
