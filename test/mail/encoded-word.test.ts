import fc from 'fast-check';
import { encodeWord } from 'nodemailer/lib/mime-funcs';
import MimeNode from 'nodemailer/lib/mime-node';
import { describe, expect, it } from 'vitest';
import { encodedWords, qWords } from '../../mail/encoded-word.ts';

/** As values are when they are encoded: one line, no white space at the ends. */
const text = fc
  .oneof(
    fc.string({ unit: 'binary', maxLength: 300 }),
    fc.string({ unit: 'grapheme', maxLength: 100 }),
    fc.string({ maxLength: 200 }),
    fc.string({
      unit: fc.constantFrom('é', 'a', '=', '?', ' ', '日', '😀', '\ud800', '\udc00'),
      maxLength: 150,
    }),
  )
  .map((made) => made.replace(/[\r\n]+/g, ' ').trim());

describe('encoded words', () => {
  it('are those of the composer', () => {
    fc.assert(
      fc.property(text, (value) => {
        expect(qWords(value)).toBe(encodeWord(value, 'Q', 52));
        const field = `é${value}`;
        expect(encodedWords(field)).toBe(MimeNode.encodeHeaderValue('Subject', field));
      }),
      { numRuns: 2000 },
    );
  });

  it.each([
    ['Olá', '=?UTF-8?Q?Ol=C3=A1?='],
    ['é x_y?', '=?UTF-8?Q?=C3=A9_x=5Fy=3F?='],
    ['日本', '=?UTF-8?B?5pel5pys?='],
  ])('of %j are %j', (value, words) => {
    expect(encodedWords(value)).toBe(words);
  });
});
