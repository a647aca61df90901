import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadIdentity } from '../../server/identity.ts';
import { temporaryFolder } from '../support/server.ts';

describe('the identity of a server', () => {
  it('is made once and kept with the data', async () => {
    const folder = join(await temporaryFolder(), 'not there yet');
    const { uuid } = loadIdentity(folder);
    expect(uuid).toMatch(/^[0-9a-f-]{36}$/);
    expect(loadIdentity(folder).uuid).toBe(uuid);
    expect(readFileSync(join(folder, 'identity.json'), 'utf8')).toContain(uuid);
  });

  it('is another one in another folder', async () => {
    expect(loadIdentity(await temporaryFolder()).uuid).not.toBe(loadIdentity(await temporaryFolder()).uuid);
  });

  it('is not made anew when it is damaged: the error says what to do', async () => {
    const folder = await temporaryFolder();
    for (const text of ['', '{', '{}', '{"serverUuid":5}']) {
      writeFileSync(join(folder, 'identity.json'), text);
      expect(() => loadIdentity(folder)).toThrow(/identity\.json is damaged: restore it, or remove it/);
    }
  });

  it('is not made anew when it cannot be read', async () => {
    const folder = await temporaryFolder();
    mkdirSync(join(folder, 'identity.json'));
    expect(() => loadIdentity(folder)).toThrow();
  });
});
