import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { Transform } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { pathToFileURL } from 'node:url';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { dotStuffed, endOfData } from '../../../worker/smtp/transparency.ts';

const onWire = (message: Buffer): Buffer => Buffer.concat([dotStuffed(message), endOfData(message)]);

/** RFC 5321 §4.5.2, word by word. */
function reference(message: string): string {
  const lines = message.split('\r\n').map((line) => (line.startsWith('.') ? `.${line}` : line));
  return `${lines.join('\r\n')}${message.endsWith('\r\n') ? '' : '\r\n'}.\r\n`;
}

/** What the relay takes out of it. */
function received(wire: string): string {
  const end = wire.startsWith('.\r\n') ? 0 : wire.indexOf('\r\n.\r\n') + 2;
  expect(end + 3).toBe(wire.length);
  const lines = wire.slice(0, end).split('\r\n');
  return lines.map((line) => (line.startsWith('.') ? line.slice(1) : line)).join('\r\n');
}

/** Lines with many dots; only CRLF ends a line, as in everything that is composed. */
const line = fc.array(fc.constantFrom('.', '..', 'x', ' ', 'é'), { maxLength: 5 }).map((all) => all.join(''));
const message = fc
  .tuple(fc.array(line, { maxLength: 8 }), fc.constantFrom('', '\r\n'))
  .map(([lines, end]) => lines.join('\r\n') + end);

describe('a message with dots', () => {
  test('goes out as the RFC says, ends once and comes out as it was', () => {
    fc.assert(
      fc.property(message, (text) => {
        const wire = onWire(Buffer.from(text)).toString();
        // An empty message needs no line end of its own.
        if (text !== '') expect(wire).toBe(reference(text));
        expect(received(wire).replace(/\r\n$/, '')).toBe(text.replace(/\r\n$/, ''));
      }),
    );
  });

  test('goes out as nodemailer sends it', async () => {
    const main = createRequire(import.meta.url).resolve('nodemailer');
    const file = join(dirname(main), '../esm/smtp-connection/data-stream.js');
    const { default: DataStream } = (await import(pathToFileURL(file).href)) as {
      default: new () => Transform;
    };
    await fc.assert(
      fc.asyncProperty(message, async (text) => {
        fc.pre(text !== '');
        const stream = new DataStream();
        stream.end(Buffer.from(text));
        expect(onWire(Buffer.from(text)).toString()).toBe((await buffer(stream)).toString());
      }),
    );
  });

  test('one without a dot at the start of a line is not copied', () => {
    const plain = Buffer.from('a.b\r\nc.\r\n');
    expect(dotStuffed(plain)).toBe(plain);
  });
});
