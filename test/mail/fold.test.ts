import fc from 'fast-check';
import { foldLines } from 'nodemailer/lib/mime-funcs';
import { describe, expect, it } from 'vitest';
import { folded } from '../../mail/fold.ts';

describe('a field', () => {
  const words = fc.array(fc.tuple(fc.nat(160), fc.nat(90)), { maxLength: 8 });
  const field = fc
    .oneof(
      fc.string({ maxLength: 400 }),
      fc.string({ unit: fc.constantFrom('a', 'b', ' ', '\t'), maxLength: 400 }),
      words.map((all) => all.map(([chars, spaces]) => 'x'.repeat(chars) + ' '.repeat(spaces)).join('')),
    )
    .map((value) => `Subject: ${value}`);

  it('is folded where the composer folds it', () => {
    fc.assert(
      fc.property(field, (line) => {
        expect(folded(line)).toBe(foldLines(line, 76));
      }),
      { numRuns: 3000 },
    );
  });
});
