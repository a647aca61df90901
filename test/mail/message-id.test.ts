import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { messageIdOf, parseMessageId } from '../../mail/index.ts';
import { MessageIdFamily } from '../../mail/message-id.ts';

it('a Message-ID says which recipient of which batch it belongs to', () => {
  fc.assert(
    fc.property(fc.uuid(), fc.nat(), fc.domain(), (batch, seq, domain) => {
      expect(parseMessageId(messageIdOf(batch, seq, domain.toLowerCase()))).toEqual({
        batch,
        seq,
        domain: domain.toLowerCase(),
      });
    }),
  );
});

it.each([
  '',
  '<a@b.org>',
  '<018f2f3e-0000-7000-8000-00000000abcd.07@b.org>',
  '018f2f3e-0000-7000-8000-00000000abcd.7@b.org',
])('%j is not one of ours', (text) => {
  expect(parseMessageId(text)).toBeUndefined();
});

describe('the family of a Message-ID', () => {
  const batch = '018f2f3e-0000-7000-8000-00000000abcd';
  const family = new MessageIdFamily({ batch, seq: 7, domain: 'b.org' });

  it('are those that are read as of the same batch and domain, and nothing else', () => {
    const seq = fc.oneof(fc.nat().map(String), fc.stringMatching(/^[0-9a.@<>-]{0,17}$/));
    const id = fc.tuple(
      fc.constantFrom('<', ''),
      fc.constantFrom(batch, batch.toUpperCase()),
      seq,
      fc.constantFrom('@b.org>', '@b.org', '@c.org>'),
    );
    fc.assert(
      fc.property(id, ([open, of, number, end]) => {
        const text = `${open}${of}.${number}${end}`;
        const read = parseMessageId(text);
        expect(family.isSibling(text)).toBe(read?.batch === batch && read.domain === 'b.org');
      }),
      { numRuns: 1_000 },
    );
  });
});
