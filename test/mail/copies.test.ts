import fc from 'fast-check';
import PostalMime, { type Email } from 'postal-mime';
import { describe, expect, it } from 'vitest';
import {
  ByteWriter,
  compileMessage,
  type MessageCopy,
  MessageError,
  type MessageSpec,
  messageIdOf,
} from '../../mail/index.ts';
import { checkBytes } from '../../mail/wire-bytes.ts';
import { composeWhole } from './support/reference-composer.ts';

const BATCH = '018f2f3e-0000-7000-8000-00000000abcd';
const DATE = new Date('2026-07-01T12:00:00Z');

/** Everything that was ever awkward in a mail. */
const awkward = fc.constantFrom(
  '',
  ' ',
  '\t',
  '.',
  '..',
  '\n.',
  '\r',
  '\n',
  '\r\n',
  '\r\n.\r\n',
  ' \r\n',
  '\n\n',
  '\0',
  '=',
  '=\n',
  '=?utf-8?q?x?=',
  '?=',
  'é',
  'ё',
  '日本語',
  '😀',
  '👩‍👩‍👧',
  'مرحبا',
  'e\u0301',
  '\u2028',
  '\u00a0',
  '\x7f',
  '"',
  '<b>&',
  '--=_mutirao-',
  'From x',
  'a\r\nBcc: evil@example.com',
  'x\ud800x',
  'x\udc00x',
  ' '.repeat(30),
);
const run = fc
  .tuple(fc.constantFrom('x', 'x ', '=', '.', ' ', 'é', '日本', '😀', 'ab\r\n', '\n', '.\n'), fc.nat(120))
  .map(([text, times]) => text.repeat(times));
/** Anything, and no braces that a template would read. */
const anything = fc
  .oneof(
    { weight: 4, arbitrary: awkward },
    { weight: 2, arbitrary: run },
    fc.string({ unit: 'binary', maxLength: 100 }),
    fc.string({ unit: 'grapheme', maxLength: 100 }),
    fc.string({ maxLength: 100 }),
    fc.lorem({ maxCount: 40 }),
  )
  .map((text) => text.replaceAll('{', '('));
const value = fc.oneof(
  { weight: 4, arbitrary: fc.array(anything, { maxLength: 4 }).map((texts) => texts.join('')) },
  fc.integer(),
  fc.boolean(),
  fc.constant(null),
);
const tag = fc.constantFrom(
  '{{a}}',
  '{{{a}}}',
  '{{b}}',
  '{{{b}}}',
  '{{name}}',
  '{{email}}',
  '{{#list}}{{{.}}}{{/list}}',
  '{{#list}}\n- {{.}} {{b}}\n{{/list}}',
  '{{^b}}none{{/b}}',
  '{{! a comment }}',
);
const template = fc.array(fc.oneof(tag, anything), { maxLength: 8 }).map((pieces) => pieces.join(''));
/** A header's template is one line. */
const line = template.map((text) => text.replace(/[\0-\x08\x0a-\x1f\x7f]/g, '_'));
const variables = fc.record({ a: value, b: value, list: fc.array(value, { maxLength: 3 }) });
const spec: fc.Arbitrary<MessageSpec> = fc
  .record(
    {
      from: fc.constantFrom('news@example.org', '"Jörg, N." <News@Example.org>', 'Ann Lee <a@example.org>'),
      subject: line,
      text: template,
      html: template,
      headers: fc.record({ 'x-campaign-ID': line, 'List-ID': line }, { requiredKeys: [] }),
      listUnsubscribe: fc.constantFrom(
        'https://example.org/{{b}}',
        '{{u}}',
        '<mailto:u@example.org>, <{{u}}>',
      ),
      replyTo: fc.constant('Help <help@example.org>'),
      attachments: fc.array(
        fc.record(
          {
            filename: fc.constantFrom('a.txt', 'Größe.pdf', 'logo.png'),
            content: fc.uint8Array().map((bytes) => Buffer.from(bytes).toString('base64')),
            cid: fc.constant('logo@x'),
          },
          { requiredKeys: ['filename', 'content'] },
        ),
        { maxLength: 2 },
      ),
    },
    { requiredKeys: ['from', 'subject'] },
  )
  .map((made) => (made.text || made.html ? made : { ...made, text: 'x' }));
const copy: fc.Arbitrary<MessageCopy> = fc.record({
  address: fc.constantFrom('ann@example.com', 'josé@example.com', '"a b"@example.com', 'b@xn--mnchen-3ya.de'),
  name: fc.option(
    fc.array(anything, { maxLength: 3 }).map((texts) => texts.join('')),
    { nil: undefined },
  ),
  variables: variables.map((made) => ({ ...made, u: 'https://example.org/u?a=b' })),
  messageId: fc.nat(9_999_999).map((seq) => messageIdOf(BATCH, seq, 'example.org')),
  date: fc.constant(DATE),
});

function read(bytes: Buffer): Promise<Email> {
  return PostalMime.parse(bytes, { attachmentEncoding: 'base64' });
}

/** What a mail says, whatever the encoding of its parts; a reader may keep the end of the last line or not. */
function said(email: Email): unknown {
  const isSaid = ({ key }: { key: string }): boolean => key !== 'content-transfer-encoding';
  return {
    ...email,
    headers: email.headers.filter(isSaid),
    headerLines: email.headerLines.filter(isSaid),
    text: email.text?.replaceAll('\r\n', '\n').replace(/\n*$/, ''),
    html: email.html?.replaceAll('\r\n', '\n').replace(/\n*$/, ''),
  };
}

/** Compiled, or undefined when the message cannot be sent to anybody. */
function compiled(message: MessageSpec) {
  try {
    return compileMessage(message);
  } catch (error) {
    if (error instanceof MessageError) return undefined;
    throw error;
  }
}

const headerOf = (bytes: Buffer): string =>
  `${bytes.subarray(0, bytes.indexOf('\r\n\r\n'))}`.replace(/^(Content-Transfer-Encoding:) .*$/m, '$1');

describe('a copy of a message composed once', () => {
  it('says what a message composed for this recipient alone says', async () => {
    let compared = 0;
    await fc.assert(
      fc.asyncProperty(spec, fc.array(copy, { minLength: 1, maxLength: 3 }), async (message, copies) => {
        const once = compiled(message);
        for (const one of copies) {
          let bytes: Buffer;
          try {
            if (once === undefined) return;
            bytes = once.render(one).bytes;
          } catch (error) {
            if (!(error instanceof MessageError)) throw error;
            expect(once?.checkRecipient(one)).toBeDefined();
            continue;
          }
          const whole = composeWhole(message, one);
          checkBytes(bytes);
          expect(headerOf(bytes)).toBe(headerOf(whole));
          expect(said(await read(bytes))).toEqual(said(await read(whole)));
          compared++;
        }
      }),
      { numRuns: 1000 },
    );
    expect(compared).toBeGreaterThan(1000);
  });

  it('has lines as short as their encoding asks for', () => {
    fc.assert(
      fc.property(spec, copy, (message, one) => {
        const rendered = render(message, one);
        const [, ...body] = (rendered ?? '').split('\r\n\r\n');
        const long = body
          .join('\r\n\r\n')
          .split('\r\n')
          .filter((text) => text.length > 76);
        // The header of a part with an attachment's name.
        expect(long.filter((text) => !text.startsWith('Content-'))).toEqual([]);
      }),
      { numRuns: 300 },
    );
  });

  it('has no white space at the end of an encoded line', () => {
    fc.assert(
      fc.property(anything, anything, anything, (a, b, text) => {
        const fixed = text.replaceAll('\0', '');
        const rendered = render(
          { from: 'a@example.org', subject: 'S', text: `é{{{a}}}${fixed}{{{b}}}` },
          {
            ...COPY,
            variables: { a, b },
          },
        );
        expect(rendered).toMatch(/quoted-printable|base64/);
        expect(rendered).not.toMatch(/[ \t]\r\n/);
      }),
      { numRuns: 1000 },
    );
  });

  it('is written behind what is there, and not at all when it cannot be made', () => {
    const once = compileMessage({ from: 'a@example.org', subject: '{{a}}', text: '{{a}}' });
    const out = new ByteWriter();
    for (const a of ['x', 'é'.repeat(50_000), 'y']) {
      const one = { ...COPY, variables: { a } };
      const bad = { ...COPY, variables: { a: 'x'.repeat(1000) } };
      out.ascii('MAIL\r\n');
      expect(() => once.renderInto(bad, out)).toThrow(MessageError);
      if (a.length > 1) {
        expect(() => once.renderInto(one, out)).toThrow(MessageError);
        expect(`${out.take()}`).toBe('MAIL\r\n');
        continue;
      }
      expect(once.renderInto(one, out)).toEqual({ to: 'ann@example.com', smtputf8: false });
      expect(`${out.take()}`).toBe(`MAIL\r\n${once.render(one).bytes}`);
    }
  });

  it('keeps its bytes whatever is rendered after it', () => {
    const once = compileMessage({ from: 'a@example.org', subject: 'S', text: 'é {{a}}' });
    const copies = Array.from({ length: 200 }, (_, i) => ({
      ...COPY,
      variables: { a: `${i} `.repeat(i * 7) },
    }));
    const first = copies.map((one) => once.render(one).bytes);
    const texts = first.map(String);
    const again = copies.toReversed().map((one) => `${once.render(one).bytes}`);
    expect(first.map(String)).toEqual(texts);
    expect(again.reverse()).toEqual(texts);
  });

  it('of another batch has boundaries of its own', () => {
    const once = compileMessage({ from: 'a@example.org', subject: 'S', text: 'T', html: 'H' });
    const ids = [
      messageIdOf(BATCH, 1, 'example.org'),
      messageIdOf(BATCH.replace('a', 'b'), 1, 'example.org'),
      '<x@y>',
    ];
    const first = ids.map((messageId) => `${once.render({ ...COPY, messageId }).bytes}`);
    const again = ids.map((messageId) => `${once.render({ ...COPY, messageId }).bytes}`);
    expect(again).toEqual(first);
    expect(new Set(first.map((text) => /boundary="(.*)"/.exec(text)?.[1])).size).toBe(3);
  });

  it('has the parts that render to something', async () => {
    const message = {
      from: 'a@example.org',
      subject: 'S',
      text: '{{#t}}T{{/t}}{{v}}',
      html: '{{#h}}H{{/h}}',
    };
    const once = compileMessage(message);
    const shapeOf = async (given: object) => {
      const email = await read(once.render({ ...COPY, variables: { v: '', ...given } }).bytes);
      return [email.text?.trim(), email.html?.trim()];
    };
    expect(await shapeOf({ t: true, h: true })).toEqual(['T', 'H']);
    expect(await shapeOf({ t: true })).toEqual(['T', undefined]);
    expect(await shapeOf({ h: true, v: '\0' })).toEqual([undefined, 'H']);
    expect(await shapeOf({})).toEqual([undefined, undefined]);
    expect(await shapeOf({ v: 'V', h: true })).toEqual(['V', 'H']);
  });

  it('is encoded as its own text asks for', () => {
    const once = compileMessage({ from: 'a@example.org', subject: 'S', text: 'Dear {{{a}}}\n{{{a}}}.' });
    const encodingOf = (a: string) =>
      /Content-Transfer-Encoding: (\S+)/.exec(`${once.render({ ...COPY, variables: { a } }).bytes}`)?.[1];
    expect(encodingOf('Ann')).toBe('7bit');
    expect(encodingOf('José')).toBe('quoted-printable');
    expect(encodingOf('x\n.y')).toBe('quoted-printable');
    expect(encodingOf('')).toBe('quoted-printable');
    expect(encodingOf('x'.repeat(76))).toBe('quoted-printable');
    expect(encodingOf('x'.repeat(71))).toBe('7bit');
    expect(encodingOf('\x01')).toBe('quoted-printable');
    expect(encodingOf('Анна')).toBe('base64');
  });
});

const COPY: MessageCopy = {
  address: 'ann@example.com',
  variables: {},
  messageId: messageIdOf(BATCH, 7, 'example.org'),
  date: DATE,
};

function render(message: MessageSpec, one: MessageCopy): string | undefined {
  try {
    return compileMessage(message).render(one).bytes.toString('latin1');
  } catch (error) {
    if (error instanceof MessageError) return undefined;
    throw error;
  }
}
