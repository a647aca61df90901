import { readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { connectionOf } from '../../cli/connection.ts';
import { run, scriptedServer, tempFolder } from './mutirao.ts';

/** The profile's file, wherever the system keeps it below `home`. */
function profileFile(home: string): string {
  const files = readdirSync(home, { recursive: true, encoding: 'utf8' });
  return join(home, files.find((path) => path.endsWith('profile.json')) ?? 'profile.json');
}

test('values are kept for the commands that follow, in a file for its owner alone', async () => {
  const home = tempFolder();
  const server = await scriptedServer();
  expect(await run(home, ['profile', 'set', 'server', server.url])).toMatchObject({
    code: 0,
    stdout: `server = ${server.url}\n`,
  });
  const set = await run(home, ['profile', 'set', 'token', '-'], { input: 'top-secret-token\n' });
  expect(set.code).toBe(0);
  expect(set.stdout).not.toContain('secret');
  expect(statSync(profileFile(home)).mode & 0o777).toBe(0o600);

  expect((await run(home, ['status'])).code).toBe(0);
  expect(server.requests[0]).toMatchObject({ TOKEN: 'top-secret-token' });

  const listed = await run(home, ['profile', 'list']);
  expect(listed.stdout).toContain(server.url);
  expect(listed.stdout).toContain('(16 characters)');
  const json = await run(home, ['profile', 'list', '--json']);
  expect(json.json).toMatchObject({ server: server.url, token: true });
  const got = await run(home, ['profile', 'get', 'token']);
  expect(`${listed.stdout}${listed.stderr}${json.stdout}${got.stdout}`).not.toContain('secret');
  expect((await run(home, ['profile', 'get', 'token', '--show'])).stdout).toBe('top-secret-token\n');

  expect((await run(home, ['profile', 'unset', 'token'])).stdout).toBe('token is forgotten\n');
  expect(await run(home, ['profile', 'get', 'token'])).toMatchObject({ code: 1 });
});

test('keys and values that cannot be are refused', async () => {
  const home = tempFolder();
  const unknown = await run(home, ['profile', 'set', 'sever', 'ws://x']);
  expect(unknown.code).toBe(1);
  expect(unknown.stderr).toMatch(/has no key "sever"[\s\S]*server, token, tls-ca, from, reply-to/);
  expect((await run(home, ['profile', 'set', 'server', 'ftp://x'])).stderr).toContain(
    'is not the address of a server',
  );
  expect((await run(home, ['profile', 'set', 'from', ' '])).stderr).toContain('from is empty');
});

test('a file that is not a profile any more is a clear error', async () => {
  const home = tempFolder();
  await run(home, ['profile', 'set', 'from', 'a@example.org']);
  writeFileSync(profileFile(home), '{ broken');
  const result = await run(home, ['profile', 'list']);
  expect(result.code).toBe(1);
  expect(result.stderr).toContain('mutirao: the profile cannot be read');
});

test('flags are stronger than the environment, and that than the profile', () => {
  const file = join(tempFolder(), 'token');
  writeFileSync(file, 'from-file\n');
  const profile = { server: 'ws://profile', token: 'p' };
  const environment = { MUTIRAO_SERVER: 'ws://environment', MUTIRAO_TOKEN: 'e' };
  expect(connectionOf({}, {}, {})).toEqual({ server: 'ws://127.0.0.1:8765' });
  expect(connectionOf({}, {}, profile)).toEqual({ server: 'ws://profile', token: 'p' });
  expect(connectionOf({}, environment, profile)).toEqual({ server: 'ws://environment', token: 'e' });
  expect(connectionOf({ server: 'ws://flag', token: 'f' }, environment, profile)).toEqual({
    server: 'ws://flag',
    token: 'f',
  });
  expect(connectionOf({ tokenFile: file }, environment, profile).token).toBe('from-file');
  expect(connectionOf({}, { MUTIRAO_TOKEN_FILE: file }, profile).token).toBe('from-file');
  expect(() => connectionOf({ tokenFile: '/nowhere' }, {}, {})).toThrow(
    'the token cannot be read from /nowhere (ENOENT)',
  );
});
