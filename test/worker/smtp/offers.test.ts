import { describe, expect, test } from 'vitest';
import { offersOf } from '../../../worker/smtp/offers.ts';

describe('what a relay offers', () => {
  test('is read from the lines of its EHLO, whatever their case', () => {
    expect(offersOf(['PIPELINING', 'size 1000', '8bitmime', 'SMTPUTF8', 'Chunking'])).toEqual({
      pipelining: true,
      chunking: true,
      size: true,
      maxBytes: 1000,
      eightBitMime: true,
      smtpUtf8: true,
    });
  });

  test('is nothing where it says nothing of it', () => {
    expect(offersOf(['X-PIPELINING', 'AUTH PIPELINING', 'XCHUNKING', 'HELP SIZE'])).toEqual({
      pipelining: false,
      chunking: false,
      size: false,
      maxBytes: undefined,
      eightBitMime: false,
      smtpUtf8: false,
    });
  });

  test.each(['SIZE', 'SIZE 0', 'SIZE many', 'SIZE -5', 'SIZE 99999999999999999999'])(
    '%s is no limit',
    (line) => {
      expect(offersOf([line])).toMatchObject({ size: true, maxBytes: undefined });
    },
  );
});
