import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { envelopeCommands, refusedHere } from '../../../worker/smtp/envelope.ts';
import { offersOf } from '../../../worker/smtp/offers.ts';

const NOTHING = offersOf([]);
const ALL = offersOf(['SIZE 100', '8BITMIME', 'SMTPUTF8']);
const PLAIN = Buffer.from('Subject: x\r\n\r\nplain\r\n');
const EIGHT_BIT = Buffer.from('Subject: x\r\n\r\nolá\r\n');
const envelope = { from: 'a@example.org', to: 'b@example.net' };

describe('the envelope', () => {
  test('says only what the relay offers', () => {
    expect(envelopeCommands(envelope, EIGHT_BIT, NOTHING, false).text).toBe(
      'MAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.net>\r\n',
    );
    expect(envelopeCommands({ from: '', to: 'joão@example.net' }, EIGHT_BIT, ALL, true)).toEqual({
      text: `RSET\r\nMAIL FROM:<> SIZE=${EIGHT_BIT.length} BODY=8BITMIME SMTPUTF8\r\nRCPT TO:<joão@example.net>\r\n`,
      encoding: 'utf8',
    });
  });

  test('declares 8 bits only of a message that has them, and UTF-8 only of an address that needs it', () => {
    expect(envelopeCommands(envelope, PLAIN, ALL, false)).toEqual({
      text: `MAIL FROM:<a@example.org> SIZE=${PLAIN.length}\r\nRCPT TO:<b@example.net>\r\n`,
      encoding: 'latin1',
    });
  });

  test('is not begun for an address that the relay cannot take, or a message larger than it takes', () => {
    expect(refusedHere(envelope, 100, ALL)).toBeUndefined();
    expect(refusedHere(envelope, 101, ALL)).toMatch(/101 bytes, the relay takes 100/);
    expect(refusedHere(envelope, 101, NOTHING)).toBeUndefined();
    expect(refusedHere({ from: '', to: 'joão@example.net' }, 1, NOTHING)).toMatch(/SMTPUTF8/);
    expect(refusedHere({ from: 'joão@example.net', to: 'a@b' }, 1, NOTHING)).toMatch(/SMTPUTF8/);
    expect(refusedHere({ from: 'joão@example.net', to: 'joão@example.net' }, 1, ALL)).toBeUndefined();
  });

  test('is two commands of one path each, whatever the addresses are', () => {
    const nasty = fc
      .array(
        fc.oneof(fc.string(), fc.constantFrom('\r\n', '\n', '\0', '>', '<', 'RCPT TO:<x@y>', 'é', '"', ' ')),
      )
      .map((parts) => parts.join(''));
    fc.assert(
      fc.property(nasty, nasty, (from, to) => {
        if (refusedHere({ from, to }, 1, ALL) !== undefined) return;
        const { text } = envelopeCommands({ from, to }, PLAIN, ALL, false);
        expect(text).toMatch(
          /^MAIL FROM:<[^<>\u0000-\u001f]*> [A-Z0-9= ]*\r\nRCPT TO:<[^<>\u0000-\u001f]*>\r\n$/,
        );
      }),
    );
  });
});
