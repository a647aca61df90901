import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseReply, replyForLog, replyForStore } from '../../mail/index.ts';

describe('a reply', () => {
  it('has a code, perhaps an enhanced code, and a text over all its lines', () => {
    expect(parseReply('550 5.1.1 no such user')).toEqual({
      basic: 550,
      enhanced: '5.1.1',
      text: 'no such user',
    });
    expect(parseReply('250-2.0.0 one\r\n250-two\n250 2.0.0 three\r\n')).toEqual({
      basic: 250,
      enhanced: '2.0.0',
      text: 'one two three',
    });
    expect(parseReply('354')).toEqual({ basic: 354, enhanced: undefined, text: '' });
    expect(parseReply('550 5.1 nearly')).toEqual({ basic: 550, enhanced: undefined, text: '5.1 nearly' });
  });

  it.each(['', '\r\n', '25', '2500 x', '150 x', '600 x', '250x', ' 250 x', '250-a\r\n550 b', '250 a\r\nb'])(
    '%j is none',
    (text) => {
      expect(parseReply(text)).toBeUndefined();
    },
  );

  it('is read without a throw and in bounded time, whatever it is', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => void parseReply(text)));
    expect(parseReply(`250 ${' '.repeat(5_000_000)}`)?.basic).toBe(250);
  });
});

describe('a reply in the store', () => {
  it('is one line of at most 512 characters', () => {
    expect(replyForStore('550-no\r\n550 \x1b[31msuch\u202e user\0')).toBe('550-no 550 [31msuch user');
    expect(replyForStore(`550 ${'x'.repeat(2000)}`)).toHaveLength(512);
  });
});

describe('a reply in a log', () => {
  it.each([
    ['550 <ann@example.com>: no such user', '550 <address>: no such user'],
    ['550 ann@example.com no', '550 <address> no'],
    ['550 user=ann+x@exämple.com; b@c.org', '550 <address>; <address>'],
    ['550 "ann lee"@example.com', '550 "ann <address>'],
    ['550 @ sign', '550 <address> sign'],
    ['550 no address', '550 no address'],
  ])('%j becomes %j', (given, logged) => {
    expect(replyForLog(given)).toBe(logged);
  });

  it('does not name the recipient by local part either, when told who it is', () => {
    expect(replyForLog('550 user canary-77 unknown', 'canary-77@example.com')).toBe(
      '550 user <address> unknown',
    );
    expect(replyForLog('550 "ann lee"@example.com x', '"ann lee"@example.com')).toBe('550 <address> x');
  });

  it('does not show the half of an address where a long text was cut', () => {
    expect(replyForLog(`550 ${' '.repeat(8180)}canary-77@example.com`)).toBe('550');
  });

  it('holds no address, wherever it stood and wherever the text was cut', () => {
    fc.assert(
      fc.property(fc.nat(9000), fc.string(), fc.emailAddress(), (padding, before, address) => {
        const logged = replyForLog(`550 ${'é '.repeat(padding / 2)}${before} <${address}>`);
        expect(logged).not.toContain(address);
        expect(logged).not.toContain('@');
        expect(logged.length).toBeLessThanOrEqual(512);
      }),
    );
  });
});
