import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type BodyPieces, encodingOf, type TransferEncoding, writeBody } from '../../mail/body.ts';
import { ByteWriter } from '../../mail/byte-writer.ts';
import { FixedText } from '../../mail/fixed-text.ts';

const fixed = (text: string): FixedText => new FixedText(text);

function written(encoding: TransferEncoding, pieces: BodyPieces): string {
  const out = new ByteWriter();
  writeBody(out, encoding, pieces);
  return out.take().toString('latin1');
}

/** What the pieces are meant to say. */
function whole(pieces: BodyPieces): string {
  const text = pieces
    .map((piece) => (typeof piece === 'string' ? piece : piece.text).toWellFormed())
    .join('');
  return text.replaceAll('\0', '').replace(/\r\n|\r|\n/g, '\r\n');
}

/** Decodes, and refuses what a lenient reader would let pass (RFC 2045 §6.7, §6.8). */
function decoded(encoding: TransferEncoding, body: string): string {
  expect(body.split('\r\n').filter((line) => line.length > 76)).toEqual([]);
  expect(body).not.toMatch(/(?:^|\n)\.|[^\r]\n|\r(?!\n)|\0/);
  if (encoding === '7bit') return body;
  if (encoding === 'base64') {
    expect(body).toMatch(/^(?:(?:[\w+/]{4})+(?:\r\n)?)*(?:[\w+/]{2}==|[\w+/]{3}=)?$/);
    expect(body).not.toMatch(/^\r\n|\r\n\r\n|\r\n$/);
    return Buffer.from(body, 'base64').toString();
  }
  expect(body).toMatch(/^(?:[\t\r\n !-<>-~]|=[0-9A-F]{2}|=\r\n)*$/);
  expect(body).not.toMatch(/[ \t](?:\r\n|$)/);
  const bytes = body
    .replaceAll('=\r\n', '')
    .replace(/=([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  return Buffer.from(bytes, 'latin1').toString();
}

const text = fc.oneof(
  fc.constantFrom(
    '',
    '\r',
    '\n',
    '\r\n',
    ' ',
    '\t',
    '.',
    '=',
    '\0',
    'é',
    '日',
    '😀',
    'x\n',
    'x\r',
    ' \r\n',
    '\n.',
  ),
  fc
    .tuple(fc.constantFrom('x', ' ', '=', 'é', '日', '😀', '.', 'x\n'), fc.nat(90))
    .map(([c, n]) => c.repeat(n)),
  fc.string({ unit: 'binary', maxLength: 30 }),
);
const pieces = fc.array(
  fc.oneof(
    text,
    text.map((made) => fixed(made.replaceAll('\0', ''))),
  ),
  { maxLength: 8 },
);

describe.each(['quoted-printable', 'base64'] as const)('a part as %s', (encoding) => {
  it('says what its pieces say, however they are cut', () => {
    fc.assert(
      fc.property(pieces, (made) => {
        expect(decoded(encoding, written(encoding, made))).toBe(whole(made));
      }),
      { numRuns: 5000 },
    );
  });

  it('has one line end where a CR and an LF meet, and two where something stood between them', () => {
    const ends: readonly BodyPieces[] = [
      ['a\r', '\nb'],
      [fixed('a\r'), '\nb'],
      ['a\r', fixed('\nb')],
      [fixed('a\r'), fixed('\nb')],
      ['a\r', fixed(''), '', '\0', '\nb'],
      ['a\r', 'x', '\nb'],
      ['a\r', fixed('x'), '\nb'],
      ['a\r', fixed('x'), fixed('\nb')],
      ['a\r\n', '\nb'],
      ['a\r', fixed(`\n${'b'.repeat(100)}`)],
      [fixed(`${'é'.repeat(60)}\r`), fixed(`\n${'é'.repeat(60)}`)],
    ];
    for (const made of ends) expect(decoded(encoding, written(encoding, made))).toBe(whole(made));
  });

  it('keeps its lines short wherever they end', () => {
    for (let chars = 60; chars < 90; chars++) {
      for (const end of [' \r\n', '.', '=', ' ', '\t', 'é', '😀', ' \r\n.', '=\r\n']) {
        const start = 'x'.repeat(chars);
        for (const made of [[start + end], [fixed(start), end], [start, fixed(end)], [fixed(start + end)]]) {
          expect(decoded(encoding, written(encoding, made))).toBe(whole(made));
        }
      }
    }
  });

  it('keeps the halves of a character together in a long value', () => {
    for (let chars = 4090; chars < 4100; chars++) {
      const made = ['x'.repeat(chars) + '😀'.repeat(5000)];
      expect(decoded(encoding, written(encoding, made))).toBe(whole(made));
    }
  });
});

describe('the encoding of a part', () => {
  const long = 'x'.repeat(77);

  it.each<[TransferEncoding, BodyPieces]>([
    ['7bit', []],
    ['7bit', [fixed('Dear '), 'Ann', fixed(',\r\n\tbye\n')]],
    ['7bit', [fixed('x'.repeat(76))]],
    ['7bit', [fixed(`a\n${'x'.repeat(70)}`), 'x'.repeat(6), fixed(`\n${'x'.repeat(76)}\na`)]],
    ['quoted-printable', [fixed(long)]],
    ['quoted-printable', [long]],
    ['quoted-printable', [fixed(`a\n${long}\nb`)]],
    ['quoted-printable', [fixed(`a\n${long}`), 'b']],
    ['quoted-printable', [fixed('x'.repeat(70)), 'x'.repeat(7)]],
    ['quoted-printable', ['x'.repeat(70), fixed('x'.repeat(7))]],
    ['quoted-printable', [fixed('x'.repeat(40)), fixed('x'.repeat(37))]],
    ['quoted-printable', [fixed('a\n.b')]],
    ['quoted-printable', [fixed('a\n'), '.b']],
    ['quoted-printable', ['a\n', fixed('.b')]],
    ['quoted-printable', ['.b']],
    ['quoted-printable', [fixed('a'), '\x01a']],
    ['quoted-printable', [fixed('aé'), 'b']],
    ['base64', [fixed('é'), '1']],
    ['base64', [fixed('Dear '), 'Анна Иванова']],
    ['quoted-printable', [fixed('Ж'), 'Anna']],
  ])('is %s for %j', (encoding, made) => {
    expect(encodingOf(made)).toBe(encoding);
  });

  it('is 7bit only for what can go out as it is', () => {
    const plain = fc.array(
      fc.oneof(
        fc.constantFrom('', 'x', '.', '\n', '\r', ' ', 'é', 'x'.repeat(40)),
        fc.constantFrom('', 'x', '.', '\n', '\r', '\r\n.', 'a\r\n', 'x'.repeat(40)).map(fixed),
      ),
      { maxLength: 8 },
    );
    fc.assert(
      fc.property(plain, (made) => {
        if (encodingOf(made) === '7bit') expect(decoded('7bit', written('7bit', made))).toBe(whole(made));
      }),
      { numRuns: 5000 },
    );
  });
});
