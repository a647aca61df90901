import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { describe, expect, it, vi } from 'vitest';
import {
  addFlags,
  ConfigError,
  loadSettings,
  SERVER_SETTINGS,
  type Sources,
  settingsOf,
  variableOf,
} from '../../config/index.ts';
import { temporaryFolder } from '../support/server.ts';

const load = (sources: Partial<Sources>) =>
  loadSettings(SERVER_SETTINGS, { flags: {}, environment: {}, ...sources });

function complaint(sources: Partial<Sources>): string {
  try {
    load(sources);
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return (error as Error).message;
  }
  throw new Error('it was allowed');
}

async function fileOf(content: unknown, name = 'mutirao.json'): Promise<string> {
  const path = join(await temporaryFolder(), name);
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
  return path;
}

describe('where a setting comes from', () => {
  it('takes the default when nobody says anything', () => {
    expect(load({})).toMatchObject({ host: '127.0.0.1', port: 8765, lease: 60_000, relay: [] });
    expect(load({}).tokenMesh).toBeUndefined();
  });

  it('takes flags before environment before file', async () => {
    const file = await fileOf({ port: 1, keepHome: 1, lease: '1s' });
    const environment = { MUTIRAO_PORT: '2', MUTIRAO_KEEP_HOME: '2' };
    expect(load({ file, environment, flags: { port: '3' } })).toMatchObject({
      port: 3,
      keepHome: 2,
      lease: 1_000,
    });
  });

  it('reads several values of a variable between spaces', () => {
    const environment = { MUTIRAO_PEER: ' ws://a:1  wss://b:2 ' };
    expect(load({ environment }).peer).toEqual(['ws://a:1', 'wss://b:2']);
  });

  it('takes an empty variable for one that is not set', () => {
    expect(load({ environment: { MUTIRAO_PORT: '' } }).port).toBe(8765);
  });

  it('reads a secret from a file, without the newline behind it', async () => {
    const path = await fileOf('correct-horse\n', 'token');
    expect(load({ flags: { tokenMeshFile: path } }).tokenMesh).toBe('correct-horse');
    expect(load({ environment: { MUTIRAO_TOKEN_MESH_FILE: path } }).tokenMesh).toBe('correct-horse');
    expect(load({ file: await fileOf({ tokenMeshFile: path }) }).tokenMesh).toBe('correct-horse');
  });

  it('takes one relay in the config file without a list around it', async () => {
    const { relay } = load({ file: await fileOf({ relay: 'smtp://mx.example:2525' }) });
    expect(relay).toMatchObject([{ host: 'mx.example', port: 2525 }]);
  });

  it('comes from a command line as people type it', () => {
    vi.stubEnv('MUTIRAO_DRAIN', '3s');
    const command = addFlags(new Command('server'), SERVER_SETTINGS);
    command.parse(['--port', '0', '--relay', 'smtp://a', '--relay', 'smtp://b', '--insecure'], {
      from: 'user',
    });
    const settings = settingsOf(command, SERVER_SETTINGS);
    expect(settings).toMatchObject({ port: 0, insecure: true, drain: 3_000 });
    expect(settings.relay.map((relay) => relay.name)).toEqual(['a:25', 'b:25']);
  });
});

describe('a wrong setting', () => {
  const wrong: readonly [string, unknown, RegExp][] = [
    ['port', 'abc', /whole number from 0 to 65535/],
    ['port', '70000', /whole number from 0 to 65535/],
    ['port', 1.5, /whole number from 0 to 65535/],
    ['port', '', /whole number/],
    ['insecure', 'maybe', /true or false/],
    ['lease', '1ms', /from 1s to 1h/],
    ['lease', 'soon', /such as 500ms/],
    ['lease', '-5s', /from 1s to 1h/],
    ['onUnknown', 'drop', /retry or hold/],
    ['logLevel', 'loud', /trace.*silent/],
    ['peer', ['http://a'], /ws:\/\//],
    ['advertise', 'ws://a:1', /HOST:PORT/],
    ['advertise', 'a:0', /HOST:PORT/],
    ['advertise', 'a:70000', /HOST:PORT/],
    ['advertise', 'a b', /HOST:PORT/],
    ['tokenClient', 'short', /8 characters/],
    ['store', 'mysql://a/b', /must be sqlite, or the address of a PostgreSQL/],
    ['store', 'postgres://a:5432', /postgres:\/\/user:password@host:5432\/mutirao/],
  ];
  for (const [name, value, allowed] of wrong) {
    it(`${name} = ${JSON.stringify(value)} is refused with its name and what is allowed`, () => {
      const message = complaint({ flags: { [name]: value } });
      expect(message).toMatch(allowed);
      expect(message).toContain(`--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`);
    });
  }

  it('is called by the name under which it was said, with its value', async () => {
    expect(complaint({ environment: { MUTIRAO_PORT: 'x' } })).toMatch(/^MUTIRAO_PORT is "x"/);
    const file = await fileOf({ port: 'x' });
    expect(complaint({ file })).toContain(`"port" in ${file} is "x"`);
  });

  it('is not shown when it is a secret', () => {
    expect(complaint({ flags: { tokenMesh: 'hunter2' } })).not.toContain('hunter2');
    expect(complaint({ flags: { store: 'mysql://ada:hunter2@a/b' } })).not.toContain('hunter2');
  });

  it('that the config file has and nobody knows is refused with the known ones', async () => {
    expect(complaint({ file: await fileOf({ prot: 1 }) })).toMatch(/"prot" is not a setting.*\bport\b/);
    expect(complaint({ file: await fileOf({ constructor: 1 }) })).toMatch(/"constructor" is not a setting/);
  });

  it('is a config file that is not JSON, of which nothing is quoted', async () => {
    const message = complaint({ file: await fileOf('{"tokenMesh": hunter2secret}') });
    expect(message).toMatch(/is not JSON/);
    expect(message).not.toContain('hunter2');
  });

  it('is a config file that holds no object or is not there', async () => {
    expect(complaint({ file: await fileOf([1]) })).toMatch(/one JSON object/);
    expect(complaint({ file: '/nowhere/mutirao.json' })).toMatch(/cannot be read/);
  });

  it('is a secret file that is not there', () => {
    expect(complaint({ flags: { tokenMeshFile: '/nowhere/token' } })).toMatch(/--token-mesh-file/);
  });
});

describe('the names of a setting', () => {
  it('follow from one another', () => {
    expect(variableOf('tokenMesh')).toBe('MUTIRAO_TOKEN_MESH');
    const names = Object.keys(SERVER_SETTINGS).map(variableOf);
    expect(new Set(names).size).toBe(names.length);
  });
});
