import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { loadSettings, RelaySpec, SERVER_SETTINGS } from '../../config/index.ts';

const relay = (spec: unknown) => RelaySpec.parse(spec);

function complaint(relays: unknown): string {
  try {
    loadSettings(SERVER_SETTINGS, { flags: { relay: relays }, environment: {} });
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error('it was allowed');
}

describe('the URL of a relay', () => {
  it('says where it is, and its name follows from that', () => {
    expect(relay('smtp://mx.example')).toEqual({
      name: 'mx.example:25',
      host: 'mx.example',
      port: 25,
      secure: false,
      starttls: 'AUTO',
      verify: true,
      clearAuth: false,
      weight: 1,
    });
    expect(relay('smtps://mx.example')).toMatchObject({ port: 465, secure: true });
    expect(relay('smtp://[::1]:2525')).toMatchObject({ host: '::1', port: 2525, name: '::1:2525' });
  });

  it('says everything else behind the question mark', () => {
    const url = 'smtp://h:1?name=mx&weight=2.5&connections=7&starttls=always&verify=no&clear-auth=yes';
    expect(relay(url)).toMatchObject({
      name: 'mx',
      weight: 2.5,
      connections: 7,
      starttls: 'ALWAYS',
      verify: false,
      clearAuth: true,
    });
  });

  it('gives back any user and password that were encoded in it', () => {
    const text = fc.string({ minLength: 1, maxLength: 40, unit: 'grapheme' });
    fc.assert(
      fc.property(text, text, (user, pass) => {
        const url = `smtp://${encodeURIComponent(user)}:${encodeURIComponent(pass)}@h:25`;
        expect(relay(url)).toMatchObject({ user, pass, host: 'h', port: 25 });
      }),
    );
  });

  it('can be an object of the config file', () => {
    expect(relay({ host: 'h', port: 587, user: 'u', pass: 'p', starttls: 'always' })).toMatchObject({
      name: 'h:587',
      starttls: 'ALWAYS',
    });
  });
});

describe('a wrong relay', () => {
  it('is refused with what is wrong and how it should look', () => {
    expect(complaint(['http://h'])).toMatch(/smtp:\/\/user:pass@host:port/);
    expect(complaint(['h:25'])).toMatch(/smtp:\/\//);
    expect(complaint(['smtp://h?weight=0'])).toMatch(/weight/);
    expect(complaint(['smtp://h?connections=1.5'])).toMatch(/connections/);
    expect(complaint(['smtp://h?verify=perhaps'])).toMatch(/verify must be yes or no/);
    expect(complaint(['smtp://h?colour=red'])).toMatch(/name, weight, connections/);
    expect(complaint([{ host: 'h', colour: 'red' }])).toMatch(/colour/);
    expect(complaint([{}])).toMatch(/host/);
    expect(complaint([5])).toMatch(/entry 1/);
  });

  it('is the second of a name: it would silently take the place of the first', () => {
    expect(complaint(['smtp://h', 'smtp://h'])).toMatch(/entry 2.*two relays are named "h:25"/);
  });

  it('never has its password in the error, wherever the mistake is', () => {
    const password = 'hunter2';
    const mistakes = [
      `smtp://u:${password}@h:port`,
      `smtp://u:${password}@h:99999`,
      `smtp://u:${password}@`,
      `smtp://u:12/${password}@h:25`,
      `smtp://u:12?${password}@h:25`,
      `smtp://u:12#${password}@h:25`,
      `smtp://u:${password}%zz@h:25`,
      `smtp://u:${password}@h:25?weight=x`,
      `smtp://u:${password}@h:25/path`,
      `http://u:${password}@h:25`,
      `u:${password}@h:25`,
    ];
    for (const url of mistakes) expect(complaint([url]), url).not.toContain(password);
    for (const object of [
      { pass: password },
      { host: 'h', pass: password, port: 'x' },
      { host: 'h', password },
    ])
      expect(complaint([object])).not.toContain(password);
  });
});
