import { describe, expect, it } from 'vitest';
import { Access, bearerOf, originAllowed } from '../../../server/gateway/access.ts';

describe('tokens', () => {
  const access = new Access({ client: 'correct horse', peer: 'battery staple' });

  it('are asked for by conversation', () => {
    expect(access.allows('client', 'correct horse')).toBe(true);
    expect(access.allows('peer', 'battery staple')).toBe(true);
    for (const wrong of ['battery staple', 'correct hors', 'correct horse ', 'CORRECT HORSE', '', undefined])
      expect(access.allows('client', wrong)).toBe(false);
  });

  it('are not asked for where none is set', () => {
    expect(access.guards('worker')).toBe(false);
    expect(access.allows('worker', undefined)).toBe(true);
    expect(access.allows('worker', 'whatever')).toBe(true);
  });

  it('do not open anything by being empty', () => {
    expect(new Access({ client: '' }).allows('client', undefined)).toBe(false);
  });
});

describe('the Authorization header', () => {
  it('carries a bearer token', () => {
    expect(bearerOf('Bearer abc.def')).toBe('abc.def');
    expect(bearerOf('bearer   abc  ')).toBe('abc');
    for (const other of [undefined, '', 'Basic abc', 'Bearer', 'Bearer a b', 'xBearer a'])
      expect(bearerOf(other)).toBeUndefined();
  });
});

describe('a page that wants to speak with us', () => {
  const open = { asksForToken: false, name: 'Mail.example' };
  const guarded = { ...open, asksForToken: true };

  it('must have been delivered by us; programs say no origin', () => {
    expect(originAllowed(undefined, 'a:1', open)).toBe(true);
    expect(originAllowed('http://127.0.0.1:8765', '127.0.0.1:8765', open)).toBe(true);
    expect(originAllowed('http://[::1]:8765', '[::1]:8765', open)).toBe(true);
    expect(originAllowed('http://localhost:8765', 'localhost:8765', open)).toBe(true);
    expect(originAllowed('https://mail.example', 'mail.example', open)).toBe(true);
    for (const origin of [
      'http://evil.example',
      'http://127.0.0.1:1',
      'null',
      '',
      'http://127.0.0.1:8765.evil.example',
    ])
      expect(originAllowed(origin, '127.0.0.1:8765', guarded)).toBe(false);
  });

  it('of a site whose name leads to us is not ours, unless a token is asked for', () => {
    expect(originAllowed('http://evil.example:8765', 'evil.example:8765', open)).toBe(false);
    expect(originAllowed('http://proxy.example', 'proxy.example', guarded)).toBe(true);
  });
});
