import fc from 'fast-check';
import { expect, it } from 'vitest';
import { messageIdOf, parseMessageId } from '../../mail/index.ts';

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
