import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BodyReader, unstuff } from '../../sink/body.ts';
import { cut } from './support.ts';

/** Reads the chunks as one body; `rest` is what stands behind its end. */
function read(chunks: readonly Buffer[]): {
  ended: boolean;
  size: number;
  messageId: string;
  content: string;
  rest: string;
} {
  const body = new BodyReader(true, 1_000_000);
  let rest = '';
  for (const chunk of chunks) {
    if (chunk.length === 0) continue;
    if (body.ended) rest += chunk.toString('latin1');
    else rest += chunk.subarray(body.read(chunk, 0)).toString('latin1');
  }
  const { ended, size, messageId } = body;
  return { ended, size, messageId, content: body.content().toString('latin1'), rest };
}

/** What a sender does to one line. */
function stuff(line: string): string {
  return line.startsWith('.') ? `.${line}` : line;
}

/** Lines made of what could be mistaken for the end of the data. */
const trickyLine = fc
  .array(fc.constantFrom('.', '..', 'a', '\r', '\n', '\n.', 'Message-ID: <x@y>'), { maxLength: 5 })
  .map((parts) => parts.join(''));

describe('a body', () => {
  it('comes out as it was composed, however it is cut into chunks', () => {
    fc.assert(
      fc.property(fc.array(trickyLine), fc.array(fc.nat(200)), (lines, places) => {
        const clean = lines.map((line) => line.replaceAll(/\r+\n/g, '\n').replace(/\r+$/, ''));
        const message = clean.map((line) => `${line}\r\n`).join('');
        const stuffed = clean.map((line) => `${stuff(line)}\r\n`).join('');
        const wire = Buffer.from(`${stuffed}.\r\nNOOP\r\n`, 'latin1');
        const whole = read([wire]);
        expect(whole).toMatchObject({
          ended: true,
          content: message,
          rest: 'NOOP\r\n',
          size: stuffed.length,
        });
        expect(read(cut(wire, places))).toEqual(whole);
      }),
    );
  });

  it('may be empty', () => {
    expect(read([Buffer.from('.\r\nQUIT\r\n')])).toMatchObject({ ended: true, size: 0, rest: 'QUIT\r\n' });
  });

  it.each(['a\n.\nb', 'a\n.\r\nb', 'a\r\n.\nb', 'a\r.\rb', 'a\r\n.\rb', 'a\r\n. \r\nb'])(
    'does not end in %j',
    (text) => {
      expect(read([Buffer.from(`${text}\r\n`)]).ended).toBe(false);
    },
  );

  it('has its Message-ID found when it arrives byte by byte', () => {
    const wire = Buffer.from('Subject: a\r\nMessage-ID: <1@x>\r\n\r\nMessage-ID: <2@x>\r\n.\r\n');
    expect(read([...wire].map((byte) => Buffer.from([byte]))).messageId).toBe('<1@x>');
  });

  it('is kept when it is as long as is allowed', () => {
    const body = new BodyReader(true, 100);
    body.read(Buffer.from(`${'x'.repeat(98)}\r\n.\r\n`), 0);
    expect(body.size).toBe(100);
    expect(body.content()).toHaveLength(100);
  });

  it('loses the dots that were put before dots', () => {
    const lines = ['.a', '..b', '.', 'c.'];
    const wire = lines.map((line) => `${stuff(line)}\r\n`).join('');
    expect(unstuff(Buffer.from(wire)).toString()).toBe('.a\r\n..b\r\n.\r\nc.\r\n');
  });
});
