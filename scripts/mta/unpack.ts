import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { closureOf } from './dependencies.ts';
import { PACKAGES, ROOTS_ENVIRONMENT, rootOf } from './place.ts';
import { MAIL, type MtaName, RECIPES, type Recipe } from './recipes.ts';

/** Output of `apt-cache depends --recurse` for Postfix is 100 kB. */
const MAX_OUTPUT_BYTES = 16 * 1024 * 1024;

/** Folders that Debian's merged /usr makes links of; older packages still bring some of them as folders. */
const MERGED = ['bin', 'sbin', 'lib', 'lib64'];

function run(command: string, args: readonly string[], cwd?: string): string {
  return execFileSync(command, args, { cwd, encoding: 'utf8', maxBuffer: MAX_OUTPUT_BYTES, stdio: 'pipe' });
}

/** Downloads the packages of a server and makes its root of them. @returns the version it states of itself */
export function fetchMta(name: MtaName): string {
  const recipe = RECIPES[name];
  const files = download(recipe.packages);
  const root = rootOf(name);
  mkdirSync(dirname(root), { recursive: true });
  const building = mkdtempSync(`${root}-`);
  try {
    for (const file of files) run('dpkg-deb', ['--extract', file, building]);
    complete(building, recipe);
    const version = probe(building, recipe);
    rmSync(root, { recursive: true, force: true });
    renameSync(building, root);
    return version;
  } finally {
    rmSync(building, { recursive: true, force: true });
  }
}

function probe(root: string, recipe: Recipe): string {
  const { stdout, stderr, error } = spawnSync('chroot', [root, ...recipe.probe], {
    encoding: 'utf8',
    env: ROOTS_ENVIRONMENT,
  });
  if (error !== undefined) throw error;
  const version = recipe.version.exec(stdout || stderr)?.[0];
  if (version === undefined) throw new Error(`${recipe.probe[0]} does not run unpacked: ${stdout}${stderr}`);
  return version;
}

/** @returns the files, each of the version that the package lists name now */
function download(packages: readonly string[]): string[] {
  mkdirSync(PACKAGES, { recursive: true });
  try {
    return downloadListed(packages);
  } catch {
    // no lists yet, or such as name versions that the mirror has replaced since
    run('apt-get', ['update', '--quiet']);
    return downloadListed(packages);
  }
}

function downloadListed(packages: readonly string[]): string[] {
  const hard = ['recommends', 'suggests', 'conflicts', 'breaks', 'replaces', 'enhances'].map(
    (kind) => `--no-${kind}`,
  );
  const listing = run('apt-cache', ['depends', '--recurse', ...hard, ...packages]);
  const folder = mkdtempSync(join(PACKAGES, 'new-'));
  try {
    // apt's own user cannot write here; what is downloaded is checked against the signed lists all the same
    run(
      'apt-get',
      ['download', '--quiet', '--option=APT::Sandbox::User=root', ...closureOf(packages, listing)],
      folder,
    );
    return readdirSync(folder).map((file) => {
      renameSync(join(folder, file), join(PACKAGES, file));
      return join(PACKAGES, file);
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What installing would have made, as far as a server needs it. */
function complete(root: string, { accounts }: Recipe): void {
  for (const folder of MERGED) {
    if (!existsSync(join(root, folder))) symlinkSync(`usr/${folder}`, join(root, folder));
  }
  rmSync(join(root, 'usr/share'), { recursive: true, force: true });
  for (const folder of ['dev', 'etc', 'run', 'tmp', 'var'])
    mkdirSync(join(root, folder), { recursive: true });
  if (!existsSync(join(root, 'var/run'))) symlinkSync('../run', join(root, 'var/run'));
  if (!existsSync(join(root, 'bin/sh')) && existsSync(join(root, 'bin/dash')))
    symlinkSync('dash', join(root, 'bin/sh'));
  chmodSync(root, 0o755);
  chmodSync(join(root, 'tmp'), 0o1777);
  run('mknod', ['-m', '666', join(root, 'dev/null'), 'c', '1', '3']);
  run('mknod', ['-m', '444', join(root, 'dev/urandom'), 'c', '1', '9']);
  const all = [{ name: 'root', id: 0 }, MAIL, ...accounts, { name: 'nobody', id: 65_534 }];
  const users = all.map(({ name, id }) => `${name}:x:${id}:${id}::/home/${name}:/bin/sh\n`);
  const groups = all.map(({ name, id }) => `${name}:x:${id}:\n`);
  writeFileSync(join(root, 'etc/passwd'), users.join(''));
  writeFileSync(join(root, 'etc/group'), groups.join(''));
}
