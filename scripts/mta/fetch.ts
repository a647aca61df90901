import { spawnSync } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
import { PACKAGES, rootOf, whyUnable } from './place.ts';
import { MTA_NAMES } from './recipes.ts';
import { fetchMta } from './unpack.ts';

// Fetches the mail servers that test/mta runs against: Debian packages, unpacked, not installed. What is there is kept. On a machine
// that cannot have them it says so and does nothing: those tests are skipped there.

const hasApt = ['apt-get', 'dpkg-deb'].every((command) => spawnSync(command, ['--version']).status === 0);
const unable = whyUnable() ?? (hasApt ? undefined : 'this system has no apt-get and dpkg-deb');

if (unable !== undefined) console.log(`No mail servers fetched: ${unable}. Tests against them are skipped.`);
else {
  for (const name of MTA_NAMES) {
    if (existsSync(rootOf(name))) console.log(`${name}: is here`);
    else console.log(`${name}: ${fetchMta(name)}`);
  }
  rmSync(PACKAGES, { recursive: true, force: true });
}
