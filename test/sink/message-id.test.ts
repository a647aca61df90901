import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { findMessageId, MessageIdScan } from '../../sink/message-id.ts';
import { cut } from './support.ts';

function find(header: string): string {
  const bytes = Buffer.from(header);
  return findMessageId(bytes, 0, bytes.length);
}

function scan(pieces: readonly Buffer[]): string {
  const scanning = new MessageIdScan();
  for (const piece of pieces) {
    // What stands before and behind the piece in its buffer is not the message's.
    scanning.read(Buffer.concat([Buffer.from('m'), piece, Buffer.from(' x')]), 1, 1 + piece.length);
  }
  return scanning.end();
}

describe('a Message-ID', () => {
  it.each([
    ['Message-ID: <1@x>\r\n\r\n', '<1@x>'],
    ['Subject: a\r\nMESSAGE-id:<1@x>\r\n\r\n', '<1@x>'],
    ['Message-ID:\r\n <1@x>\r\nSubject: a\r\n\r\n', '<1@x>'],
    ['Message-ID: <1@x> \r\n\r\n', '<1@x>'],
    ['Message-ID: <1@x>\nSubject: a\n\n', '<1@x>'],
    ['Message-ID: <1@x>', '<1@x>'],
    ['Mime-Version: 1.0\r\nMessage-ID: <1@x>\r\n\r\n', '<1@x>'],
    ['X-Message-ID: <2@x>\r\nMessage-ID: <1@x>\r\n\r\n', '<1@x>'],
    ['Subject: a\r\n\r\nMessage-ID: <1@x>\r\n', ''],
    ['Message-ID:\r\nSubject: a\r\n\r\n', ''],
    ['Message-ID:\r\n', ''],
    ['Message-I', ''],
    ['', ''],
  ])('is found in %j', (header, expected) => {
    expect(find(header)).toBe(expected);
    expect(scan([Buffer.from(header)])).toBe(expected);
  });

  it('is the same however the message is cut into pieces', () => {
    const part = fc.constantFrom(
      ...['Message-ID:', ' ', '<1@x>', '\r\n', '\n', '\t', '\r', 'm', 'X-', 'Subject: a\r\n', 'é'],
    );
    fc.assert(
      fc.property(fc.array(part, { maxLength: 12 }), fc.array(fc.nat(200)), (parts, places) => {
        const bytes = Buffer.from(parts.join(''));
        expect(scan(cut(bytes, places))).toBe(findMessageId(bytes, 0, bytes.length));
      }),
      { numRuns: 500 },
    );
  });

  it.each(['Message-ID:\r\n <1@x>\r\n\r\n', 'Message-ID:\n\t<1@x>\n\n', 'M: a\r\nMessage-ID: <1@x>\r\n\r\n'])(
    'is found in %j, cut anywhere',
    (header) => {
      const bytes = Buffer.from(header);
      for (let place = 0; place <= bytes.length; place += 1) expect(scan(cut(bytes, [place]))).toBe('<1@x>');
    },
  );

  it('is found in a header that arrives byte by byte', () => {
    const bytes = Buffer.from(
      `Subject: ${'a'.repeat(5_000)}\r\nMessage-ID: <1@x>\r\n\r\nMessage-ID: <2@x>\r\n`,
    );
    expect(scan([...bytes].map((byte) => Buffer.from([byte])))).toBe('<1@x>');
  });

  it('is bounded', () => {
    expect(find(`Message-ID: <${'a'.repeat(5_000)}>\r\n\r\n`)).toHaveLength(998);
  });

  it('is not searched beyond 64 KiB, in one piece or many', () => {
    const bytes = Buffer.from(`Subject: ${'a'.repeat(64 * 1024)}\r\nMessage-ID: <1@x>\r\n\r\n`);
    expect(scan([bytes])).toBe('');
    expect(scan(cut(bytes, [10, 40_000, 65_530, 65_560]))).toBe('');
  });
});
