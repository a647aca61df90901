import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MAX_REPLY_BYTES, ReplyError, ReplyReader } from '../../../worker/smtp/reply-reader.ts';

type Read = readonly [code: number, text: string];

function readAll(chunks: readonly (string | Buffer)[], reader = new ReplyReader()): Read[] {
  const replies: Read[] = [];
  for (const chunk of chunks)
    reader.read(Buffer.from(chunk), (reply) => replies.push([reply.code, reply.text()]));
  return replies;
}

/** Cuts a text at these places. */
function split(text: string, places: readonly number[]): Buffer[] {
  const bytes = Buffer.from(text);
  const at = [...new Set(places.map((place) => place % (bytes.length + 1)))].sort((a, b) => a - b);
  return [0, ...at].map((from, i) => bytes.subarray(from, at[i] ?? bytes.length));
}

const code = fc.integer({ min: 200, max: 599 });
const words = fc.string({ maxLength: 20 }).map((text) => text.replaceAll(/[\r\n]/g, ' '));
const reply = fc
  .tuple(code, fc.array(words, { maxLength: 3 }), words)
  .map(([n, more, last]) => `${more.map((text) => `${n}-${text}\r\n`).join('')}${n} ${last}\r\n`);
const garbage = words.filter((text) => !/^\d{3}-/.test(text)).map((text) => `${text}\r\n`);
const stream = fc.array(fc.oneof({ weight: 3, arbitrary: reply }, garbage), { maxLength: 6 });

describe('replies', () => {
  test('are the same however their bytes are split', () => {
    fc.assert(
      fc.property(stream, fc.array(fc.nat(300), { maxLength: 20 }), (replies, places) => {
        const text = replies.join('');
        const whole = readAll([text]);
        expect(whole).toHaveLength(replies.length);
        expect(whole.map(([, said]) => said)).toEqual(
          replies.map((one) => one.slice(0, -2).replaceAll('\r\n', '\n')),
        );
        expect(readAll(split(text, places))).toEqual(whole);
        expect(readAll([...Buffer.from(text)].map((byte) => Buffer.of(byte)))).toEqual(whole);
      }),
    );
  });

  test('of several lines are one reply, with the code of all lines', () => {
    expect(readAll(['250-first\r\n250-\r\n250 last\r\n', '221 bye\r\n'])).toEqual([
      [250, '250-first\n250-\n250 last'],
      [221, '221 bye'],
    ]);
  });

  test('whose lines have different codes have none', () => {
    expect(readAll(['250-yes\r\n550 no\r\n', '250-yes\r\n550-no\r\n250 yes\r\n']).map(([n]) => n)).toEqual([
      0, 0,
    ]);
  });

  test.each([
    ['250\r\n', 250],
    ['250\n', 250],
    ['250 \r\n', 250],
    ['\r\n', 0],
    ['\n', 0],
    ['25\r\n', 0],
    ['25-\r\n', 0],
    ['2x0 hm\r\n', 0],
    ['foo-bar\r\n', 0],
    ['What? I only know poems.\r\n', 0],
  ])('%j is a line of its own', (line, expected) => {
    expect(readAll([line, '250 ok\r\n'])).toEqual([
      [expected, line.trimEnd() === '250' ? line.replace(/\r?\n$/, '') : line.replace(/\r?\n$/, '')],
      [250, '250 ok'],
    ]);
  });

  test('an unfinished reply can be seen', () => {
    const reader = new ReplyReader();
    expect(readAll(['250 ok\r\n421-clos'], reader)).toHaveLength(1);
    expect(reader).toMatchObject({ isPartial: true, partial: '421-clos' });
    expect(readAll(['ing\r\n421 now\r\n'], reader)).toEqual([[421, '421-closing\n421 now']]);
    expect(reader).toMatchObject({ isPartial: false, partial: '' });
  });

  test('of nearly the largest size are read, larger ones are none, however they are split', () => {
    const fits = `250 ${'x'.repeat(MAX_REPLY_BYTES - 6)}\r\n`;
    const lines = `250-${'x'.repeat(94)}\r\n`.repeat(MAX_REPLY_BYTES / 100 + 1);
    for (const size of [7, 1000, 100_000]) {
      const cut = (text: string) =>
        Array.from({ length: Math.ceil(text.length / size) }, (_, i) => text.slice(i * size, (i + 1) * size));
      expect(readAll(cut(`${fits}220 ok\r\n`))).toHaveLength(2);
      expect(() => readAll(cut(`250 ok\r\n ${fits}`))).toThrow(ReplyError);
      expect(() => readAll(cut('x'.repeat(MAX_REPLY_BYTES)))).toThrow(ReplyError);
      expect(() => readAll(cut(lines))).toThrow(ReplyError);
    }
  });
});
