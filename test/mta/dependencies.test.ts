import { expect, test } from 'vitest';
import { closureOf } from '../../scripts/mta/dependencies.ts';

const LISTING = `mta
  PreDepends: init-system-helpers
 |Depends: debconf
  Depends: <debconf-2.0>
    cdebconf
    debconf
  Depends: libone
  Depends: mta-data
init-system-helpers
  Depends: libneverneeded
<debconf-2.0>
debconf
libone
  Depends: libtwo
  Depends: zlib1g
libtwo
  Depends: libone
libneverneeded
zlib1g
mta-data
`;

test('a package is unpacked with the libraries it needs, and theirs, and no other program', () => {
  expect(closureOf(['mta'], LISTING)).toEqual(['libone', 'libtwo', 'mta', 'zlib1g']);
});

test('a package that is asked for by name is unpacked, library or not', () => {
  expect(closureOf(['mta', 'mta-data'], LISTING)).toContain('mta-data');
});
