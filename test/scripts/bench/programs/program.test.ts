import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Unavailable } from '../../../../scripts/bench/contenders/contender.ts';
import { environmentIn, unpack } from '../../../../scripts/bench/programs/debian.ts';
import { programOf } from '../../../../scripts/bench/programs/program.ts';

const WANTED = { name: 'greeter', path: 'usr/bin/greeter', unpackAs: 'greeter', packages: ['greeter'] };

/** Leaves a package in the working folder, as `apt-get download` does, and counts how often it was asked. */
const APT_GET = '#!/bin/sh\necho "$@" >> "$LOG"\ncase "$*" in *download*) touch greeter_1.deb;; esac\n';
/** The same, but with no list of packages until it was told to update one. */
const APT_GET_WITHOUT_LISTS = `#!/bin/sh
echo "$@" >> "$LOG"
case "$*" in
  *update*) ;;
  *Dir::State::lists*download*) touch greeter_1.deb ;;
  *) exit 100 ;;
esac
`;
const DPKG = '#!/bin/sh\nmkdir -p "$3/usr/bin" "$3/usr/lib/x86_64-linux-gnu"\ntouch "$3/usr/bin/greeter"\n';

let folder: string;
let bin: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'bench-programs-'));
  bin = join(folder, 'bin');
  mkdirSync(bin);
  vi.stubEnv('LOG', join(folder, 'log'));
  writeFileSync(join(folder, 'log'), '');
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

function command(name: string, script: string): void {
  writeFileSync(join(bin, name), script);
  chmodSync(join(bin, name), 0o755);
}

describe('a program that is not ours', () => {
  it('is taken from the PATH where it is installed', async () => {
    command('greeter', '#!/bin/sh\n');
    vi.stubEnv('PATH', bin);
    expect(await programOf(WANTED, { offline: true })).toMatchObject({ path: join(bin, 'greeter') });
  });

  it('is not fetched offline, and that is said', async () => {
    vi.stubEnv('PATH', bin);
    await expect(programOf(WANTED, { offline: true })).rejects.toThrow(Unavailable);
    await expect(programOf(WANTED, { offline: true })).rejects.toThrow(/greeter is not installed.*--offline/);
  });

  it('cannot be had where there is no apt-get, and that is said', async () => {
    vi.stubEnv('PATH', bin);
    const working = process.cwd();
    process.chdir(folder);
    try {
      await expect(programOf(WANTED, { offline: false })).rejects.toThrow(/cannot be fetched.*apt-get/);
    } finally {
      process.chdir(working);
    }
  });
});

describe.runIf(process.platform === 'linux')('a package', () => {
  it('is unpacked once, with its libraries found, and nothing else is left behind', async () => {
    command('apt-get', APT_GET);
    command('dpkg', DPKG);
    vi.stubEnv('PATH', `${bin}:${process.env.PATH}`);
    const cache = join(folder, 'cache');
    const root = await unpack('greeter', ['greeter'], cache);
    expect(readdirSync(join(root, 'usr/bin'))).toEqual(['greeter']);
    expect(environmentIn(root).LD_LIBRARY_PATH).toBe(join(root, 'usr/lib/x86_64-linux-gnu'));
    rmSync(join(bin, 'apt-get'));
    expect(await unpack('greeter', ['greeter'], cache)).toBe(root);
    expect(readdirSync(cache)).toEqual(['greeter']);
  });

  it('is found by a list of our own where the system has none', async () => {
    command('apt-get', APT_GET_WITHOUT_LISTS);
    command('dpkg', DPKG);
    vi.stubEnv('PATH', `${bin}:${process.env.PATH}`);
    const root = await unpack('greeter', ['greeter'], join(folder, 'cache'));
    expect(readdirSync(join(root, 'usr/bin'))).toEqual(['greeter']);
  });
});
