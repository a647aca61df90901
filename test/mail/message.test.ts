import fc from 'fast-check';
import MailComposer from 'nodemailer/lib/mail-composer';
import PostalMime, { decodeWords, type Email } from 'postal-mime';
import { describe, expect, it } from 'vitest';
import { compileMessage, MessageError, type MessageSpec, messageIdOf, specOf } from '../../mail/index.ts';
import { checkBytes } from '../../mail/wire-bytes.ts';
import { treeBytes } from './support/reference-composer.ts';

const BATCH = '018f2f3e-0000-7000-8000-00000000abcd';
const SPEC: MessageSpec = {
  from: 'News <news@example.org>',
  subject: 'Hello {{name}}',
  text: 'Dear {{name}}',
};
const COPY = {
  address: 'ann@example.com',
  name: 'Ann',
  variables: {},
  messageId: messageIdOf(BATCH, 7, 'example.org'),
  date: new Date('2026-07-01T12:00:00Z'),
};

function render(
  spec: Partial<MessageSpec>,
  copy: Partial<Parameters<ReturnType<typeof compileMessage>['render']>[0]> = {},
) {
  return compileMessage({ ...SPEC, ...spec }).render({ ...COPY, ...copy });
}

function read(bytes: Buffer): Promise<Email> {
  return PostalMime.parse(bytes, { attachmentEncoding: 'base64' });
}

function headerOf(email: Email, name: string): string | undefined {
  return email.headers.find((header) => header.key === name.toLowerCase())?.value;
}

function errorOf(spec: Partial<MessageSpec>): MessageError {
  try {
    compileMessage({ ...SPEC, ...spec });
  } catch (error) {
    if (error instanceof MessageError) return error;
    throw error;
  }
  throw new Error('it was accepted');
}

const base64 = (text: string) => Buffer.from(text).toString('base64');

describe('a rendered message', () => {
  it('carries sender, recipient, subject, Message-ID and Date as given, and names no program', async () => {
    const { bytes, to, smtputf8 } = render({
      from: '"Jörg, N." <News@Example.org>',
      replyTo: 'Help <help@example.org>',
    });
    const email = await read(bytes);
    expect(email.from).toEqual({ name: 'Jörg, N.', address: 'News@example.org' });
    expect(email.replyTo).toEqual([{ name: 'Help', address: 'help@example.org' }]);
    expect(email.to).toEqual([{ name: 'Ann', address: 'ann@example.com' }]);
    expect(email.subject).toBe('Hello Ann');
    expect(email.messageId).toBe(COPY.messageId);
    expect(headerOf(email, 'Date')).toBe('Wed, 01 Jul 2026 12:00:00 +0000');
    expect(headerOf(email, 'X-Mailer')).toBeUndefined();
    expect(email.text?.trim()).toBe('Dear Ann');
    expect([to, smtputf8]).toEqual(['ann@example.com', false]);
  });

  it('has text and html as alternatives, images beside the html and files beside both', async () => {
    const { bytes } = render({
      html: '<p>{{name}} <img src="cid:logo@x"></p>',
      attachments: [
        { filename: 'logo.png', content: base64('png'), cid: 'logo@x' },
        { filename: 'Größe.pdf', content: base64('pdf'), contentType: 'application/pdf' },
        { filename: 'mail.eml', content: base64('From: x\n\n\0bare\rends\n') },
        { filename: 'empty.bin', content: '' },
      ],
    });
    const email = await read(bytes);
    expect(email.text?.trim()).toBe('Dear Ann');
    expect(email.html?.trim()).toBe('<p>Ann <img src="cid:logo@x"></p>');
    expect(email.attachments.map(({ filename, mimeType, content }) => [filename, mimeType, content])).toEqual(
      [
        ['logo.png', 'image/png', base64('png')],
        ['Größe.pdf', 'application/pdf', base64('pdf')],
        ['mail.eml', 'application/octet-stream', base64('From: x\n\n\0bare\rends\n')],
        ['empty.bin', 'application/octet-stream', ''],
      ],
    );
    expect(email.attachments[0]?.contentId).toBe('<logo@x>');
  });

  it('escapes variables in html only', async () => {
    const email = await read(
      render({ subject: '{{v}}', text: '{{v}}', html: '<b>{{v}}</b>{{{v}}}' }, { variables: { v: '<i>&' } })
        .bytes,
    );
    expect([email.subject, email.text?.trim(), email.html?.trim()]).toEqual([
      '<i>&',
      '<i>&',
      '<b>&lt;i&gt;&amp;</b><i>&',
    ]);
  });

  it('knows the recipient as name and email, unless variables are called so', async () => {
    const spec = { text: '{{name}} {{email}}' };
    expect((await read(render(spec).bytes)).text?.trim()).toBe('Ann ann@example.com');
    const own = render(spec, { variables: { name: 'Dr. Lee', email: 'other' } });
    expect((await read(own.bytes)).text?.trim()).toBe('Dr. Lee other');
    expect((await read(own.bytes)).to?.[0]?.name).toBe('Ann');
  });

  it('has the extra headers and the unsubscribe headers that were asked for', async () => {
    const { bytes } = render(
      {
        headers: { 'X-Campaign': 'c-{{id}}', Precedence: 'bulk', 'X-Empty': '{{#no}}x{{/no}}' },
        listUnsubscribe: 'https://example.org/u?e={{email}}&t={{t}}',
        listUnsubscribePost: true,
      },
      { variables: { id: 5, t: 'a b>,<https://evil.example/' } },
    );
    const email = await read(bytes);
    expect(headerOf(email, 'X-Campaign')).toBe('c-5');
    expect(headerOf(email, 'Precedence')).toBe('bulk');
    expect(headerOf(email, 'X-Empty')).toBeUndefined();
    expect(headerOf(email, 'List-Unsubscribe')).toBe(
      '<https://example.org/u?e=ann@example.com&t=a%20b%3E,%3Chttps://evil.example/>',
    );
    expect(headerOf(email, 'List-Unsubscribe-Post')).toBe('List-Unsubscribe=One-Click');
  });

  it('leaves structured header values of ASCII as they are, folded', async () => {
    const id = `"News of ${'long '.repeat(30)}" <news.example.org>`;
    const { bytes } = render({ headers: { 'List-ID': id, 'X-Data': '{"a":1}' } });
    expect(bytes.toString()).toContain('\r\nX-Data: {"a":1}\r\n');
    expect(bytes.toString().replaceAll('\r\n ', ' ')).toContain(`List-ID: ${id}\r\n`);
  });

  it('has no header line of white space only, which some readers take for the end of the header', () => {
    const wide = `a${' '.repeat(300)}b`;
    const [header] = render({ subject: wide, headers: { 'X-Wide': wide } }, { name: wide })
      .bytes.toString()
      .split('\r\n\r\n');
    expect(header?.split('\r\n').filter((line) => line.trim() === '')).toEqual([]);
    expect(header).toContain('MIME-Version');
  });

  it('may list several ways to unsubscribe', async () => {
    const list = '<mailto:u@example.org?subject=u>, <https://example.org/{{id}}>';
    const email = await read(render({ listUnsubscribe: list }, { variables: { id: 5 } }).bytes);
    expect(headerOf(email, 'List-Unsubscribe')).toBe(
      '<mailto:u@example.org?subject=u>, <https://example.org/5>',
    );
  });

  it('says when it needs SMTPUTF8', async () => {
    expect(render({}, { address: 'ann@münchen.de' })).toMatchObject({
      smtputf8: false,
      to: 'ann@xn--mnchen-3ya.de',
    });
    expect(render({}, { address: 'josé@example.com' }).smtputf8).toBe(true);
    expect(render({ from: 'josé@example.org' }).smtputf8).toBe(true);
    const email = await read(render({}, { address: 'josé@example.com' }).bytes);
    expect(email.to?.[0]?.address).toBe('josé@example.com');
  });

  it('has the same bytes whenever and by whomever it is rendered', () => {
    const spec = { html: '<p>é {{name}}</p>', attachments: [{ filename: 'a.txt', content: base64('a') }] };
    const one = compileMessage({ ...SPEC, ...spec });
    const first = one.render(COPY).bytes;
    one.render({ ...COPY, name: 'Жанна '.repeat(30), messageId: messageIdOf(BATCH, 8, 'example.org') });
    expect(one.render(COPY).bytes.equals(first)).toBe(true);
    expect(
      compileMessage({ ...SPEC, ...spec })
        .render(COPY)
        .bytes.equals(first),
    ).toBe(true);
  });

  it('has boundaries that are fixed within a batch and differ between batches', () => {
    const boundaryOf = (messageId: string) =>
      /boundary="([^"]+)"/.exec(`${render({ html: 'x' }, { messageId }).bytes}`)?.[1];
    const boundary = boundaryOf(messageIdOf(BATCH, 1, 'example.org'));
    expect(boundary).toBeDefined();
    expect(boundaryOf(messageIdOf(BATCH, 2, 'example.org'))).toBe(boundary);
    expect(boundaryOf(messageIdOf(BATCH.replace('abcd', 'abce'), 1, 'example.org'))).not.toBe(boundary);
  });

  it('is compared with what the composer itself would stream', async () => {
    const part = fc.oneof(fc.string({ unit: 'binary', maxLength: 300 }), fc.lorem({ maxCount: 60 }));
    await fc.assert(
      fc.asyncProperty(
        part,
        part,
        fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 3 }),
        async (text, html, files) => {
          const lines = (body: string) => body.replaceAll('\0', '').replace(/\r\n|\r|\n/g, '\r\n');
          const compose = () =>
            new MailComposer({
              from: 'a@example.org',
              text: lines(text),
              html: lines(html),
              messageId: '<1@example.org>',
              date: COPY.date,
              attachments: files.map((file, i) => ({
                filename: `${i}.bin`,
                content: Buffer.from(file),
                cid: i ? '' : 'x',
              })),
              baseBoundary: 'b',
            }).compile();
          expect(treeBytes(compose()).toString()).toBe((await compose().build()).toString());
        },
      ),
      { numRuns: 150 },
    );
  });
});

describe('whatever is written into a message', () => {
  const unicode = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 200 }),
    fc.string({ unit: 'grapheme', maxLength: 200 }),
    fc.string({ maxLength: 200 }),
    fc.lorem({ maxCount: 100 }),
    fc.constantFrom(
      'a\r\nBcc: evil@example.com',
      'a\n\n<b>body',
      '.\r\n.',
      '=?utf-8?q?x?=',
      ' '.repeat(300),
      '\r',
      '--=_mutirao',
    ),
    fc
      .tuple(fc.constantFrom('é', 'x', '=', '.', ' ', '日本', '😀', '\u2028'), fc.nat(1500))
      .map(([c, n]) => c.repeat(n)),
  );
  const file = fc.record({
    name: fc.string({ unit: 'grapheme', minLength: 1, maxLength: 60 }),
    data: fc.uint8Array(),
  });
  const SINGLE_LINE = /[\0-\x1f\x7f-\x9f\u2028\u2029]+/g;
  const inHeader = (text: string) =>
    text
      .replace(SINGLE_LINE, ' ')
      .replace(/[ \t]{20,}/g, ' ')
      .trim()
      .toWellFormed();
  const inBody = (text: string) =>
    text
      .replaceAll('\0', '')
      .replace(/\r\n|\r/g, '\n')
      .toWellFormed();
  const lines = (text: string | undefined) => (text ?? '').replace(/\r\n/g, '\n').replace(/\n+$/, '');
  /** Readers differ in what white space they keep in a header; here only that no word is lost or joined counts. */
  const words = (text: string | undefined) => (text ?? '').split(/\s+/u).filter(Boolean);

  it('comes out as it went in, and nothing else comes out', async () => {
    const compiled = compileMessage({
      from: 'news@example.org',
      subject: 'S {{v}}',
      text: 'T {{v}}|',
      html: '<p>{{{v}}}</p>',
      headers: { 'X-Value': 'H {{v}}' },
    });
    await fc.assert(
      fc.asyncProperty(unicode, unicode, async (value, name) => {
        const recipient = { ...COPY, name, variables: { v: value } };
        if (/^[ -~]*$/.test(inHeader(value)) && /[!-~]{901}/.test(inHeader(value))) {
          expect(() => compiled.render(recipient)).toThrow(MessageError);
          expect(compiled.checkRecipient(recipient)).toBeDefined();
          return;
        }
        const { bytes } = compiled.render(recipient);
        checkBytes(bytes);
        const email = await read(bytes);
        expect(words(email.subject)).toEqual(words(`S ${inHeader(value)}`));
        expect(words(decodeWords(headerOf(email, 'X-Value') ?? ''))).toEqual(words(`H ${inHeader(value)}`));
        expect(lines(email.text)).toBe(lines(`T ${inBody(value)}|`));
        expect(lines(email.html)).toBe(lines(`<p>${inBody(value)}</p>`));
        expect(email.to?.map((to) => to.address)).toEqual(['ann@example.com']);
        expect([email.cc, email.bcc, email.attachments]).toEqual([undefined, undefined, []]);
        expect(email.headers.map((header) => header.key).sort()).toEqual(
          ['content-type', 'date', 'from', 'message-id', 'mime-version', 'subject', 'to', 'x-value'].sort(),
        );
      }),
      { numRuns: 400 },
    );
  });

  it('is the content of the attachments, byte for byte', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(file, { maxLength: 4 }), async (files) => {
        const attachments = files.map(({ name, data }) => ({
          filename: name.replace(/[\p{Cc}\u2028\u2029/\\]/gu, '_'),
          content: Buffer.from(data).toString('base64'),
        }));
        const email = await read(render({ attachments }).bytes);
        expect(email.attachments.map((attachment) => attachment.content)).toEqual(
          attachments.map((a) => a.content),
        );
        expect(email.attachments.map((a) => words(a.filename ?? ''))).toEqual(
          attachments.map((a) => words(a.filename)),
        );
      }),
      { numRuns: 150 },
    );
  });
});

describe('a message is refused', () => {
  it.each<[string, Partial<MessageSpec>, RegExp]>([
    ['text', { text: undefined }, /text or html/],
    ['text', { text: '', html: '' }, /text or html/],
    ['text', { text: 'a\n{{#x}}' }, /line 2/],
    ['html', { html: '{{> p}}' }, /partials/],
    ['subject', { subject: 'a\r\nBcc: b@example.com' }, /line break/],
    ['subject', { subject: 'a\0' }, /control character/],
    ['from', { from: 'nobody' }, /no @/],
    ['from', { from: 'A\r\nBcc: b@example.com <a@example.org>' }, /line break/],
    ['from', { from: 'a@example.org, b@example.org' }, /not a list/],
    ['replyTo', { replyTo: 'A <a@example>' }, /no dot/],
    ['headers', { headers: { 'X A': '1' } }, /not a field name/],
    ['headers', { headers: { 'X-A: b\r\nBcc': '1' } }, /not a field name/],
    ['headers', { headers: { '': '1' } }, /not a field name/],
    ['headers', { headers: { 'X-É': '1' } }, /not a field name/],
    ['headers.x-a', { headers: { 'X-A': '1', 'x-a': '2' } }, /twice/],
    ['headers.X-A', { headers: { 'X-A': 'a\r\nBcc: b@example.com' } }, /line break/],
    ['headers.X-A', { headers: { 'X-A': '{{' } }, /not closed/],
    ...[
      'From',
      'to',
      'CC',
      'Bcc',
      'Subject',
      'Date',
      'message-ID',
      'MIME-Version',
      'Content-Type',
      'Content-X',
      'Sender',
    ].map((name): [string, Partial<MessageSpec>, RegExp] => [
      `headers.${name}`,
      { headers: { [name]: 'x' } },
      /written from/,
    ]),
    ...['Return-Path', 'Received', 'DKIM-Signature', 'Reply-To', 'Resent-To', 'ARC-Seal'].map(
      (name): [string, Partial<MessageSpec>, RegExp] => [
        `headers.${name}`,
        { headers: { [name]: 'x' } },
        /written from/,
      ],
    ),
    [
      'headers.List-Unsubscribe',
      { headers: { 'List-Unsubscribe': '<https://a.example/>' }, listUnsubscribe: 'https://b.example/' },
      /written from/,
    ],
    ['listUnsubscribe', { listUnsubscribe: 'example.org' }, /URL/],
    ['listUnsubscribe', { listUnsubscribe: 'javascript:{{x}}' }, /must start with/],
    ['listUnsubscribePost', { listUnsubscribePost: true }, /needs listUnsubscribe/],
    ['listUnsubscribePost', { listUnsubscribePost: true, listUnsubscribe: 'mailto:u@example.org' }, /https/],
    ['attachments[0].content', { attachments: [{ filename: 'a', content: 'not base64!' }] }, /base64/],
    ['attachments[0].content', { attachments: [{ filename: 'a', content: 'YWJ' }] }, /base64/],
    [
      'attachments[1].filename',
      {
        attachments: [
          { filename: 'a', content: '' },
          { filename: 'a\r\nb', content: '' },
        ],
      },
      /line/,
    ],
    ['attachments[0].filename', { attachments: [{ filename: '../a', content: '' }] }, /slash/],
    ['attachments[0].filename', { attachments: [{ filename: '', content: '' }] }, /characters/],
    [
      'attachments[0].cid',
      { attachments: [{ filename: 'a', content: '', cid: 'a>\r\nX: b' }] },
      /Content-ID/,
    ],
    [
      'attachments[0].contentType',
      { attachments: [{ filename: 'a', content: '', contentType: 'a/b\r\nX: c' }] },
      /content type/,
    ],
    [
      'attachments[0].contentType',
      { attachments: [{ filename: 'a', content: '', contentType: 'message/rfc822' }] },
      /message/,
    ],
    [
      'attachments[0].contentType',
      { attachments: [{ filename: 'a', content: '', contentType: 'multipart/mixed; boundary=x' }] },
      /multipart/,
    ],
  ])('at %s: %j', (field, spec, message) => {
    expect(errorOf(spec)).toMatchObject({ name: 'MessageError', code: 'MESSAGE_INVALID', field });
    expect(errorOf(spec).message).toMatch(message);
  });

  it('for a recipient who lacks what it needs', () => {
    const compiled = compileMessage({
      ...SPEC,
      text: '{{a}} {{email}} {{#b}}{{c}}{{/b}}',
      headers: { 'X-D': '{{d.e}}' },
      listUnsubscribe: '{{url}}',
    });
    expect(compiled.required).toEqual(['name', 'a', 'url', 'd.e']);
    const all = { a: '', d: { e: 1 }, url: 'https://example.org/' };
    const reason = (change: object) => compiled.checkRecipient({ ...COPY, variables: all, ...change });
    expect(reason({})).toBeUndefined();
    expect(reason({ variables: { ...all, a: null } })).toBe('missing variable "a"');
    expect(reason({ variables: { ...all, d: {} } })).toBe('missing variable "d.e"');
    expect(reason({ variables: undefined })).toBe('missing variable "a"');
    expect(reason({ name: undefined })).toBe('missing variable "name"');
    expect(reason({ name: undefined, variables: { ...all, name: 'x' } })).toBeUndefined();
    expect(reason({ address: 'a@b' })).toBe('the domain has no dot');
    expect(reason({ name: 'a\r\nBcc: b@example.com' })).toMatch(/line break/);
    expect(reason({ name: 'a'.repeat(300) })).toMatch(/longer than/);
    expect(reason({ variables: { ...all, url: 'nowhere' } })).toMatch(/URL/);
    expect(reason({ variables: { ...all, d: { e: 'x'.repeat(2000) } } })).toMatch(/without a space/);
  });

  it('for a recipient for whom its lists grow without bound', () => {
    const compiled = compileMessage({ ...SPEC, text: '{{#l}}{{#l}}{{#l}}x{{/l}}{{/l}}{{/l}}' });
    expect(compiled.checkRecipient({ ...COPY, variables: { l: new Array(100).fill(1) } })).toMatch(/steps/);
  });

  it('for a copy without a proper Message-ID, Date or address', () => {
    for (const copy of [
      { messageId: 'x' },
      { messageId: '<a@b>\r\nBcc: c@example.com' },
      { date: new Date(Number.NaN) },
      { address: 'a@b\r\nRCPT TO:<c@example.com>' },
    ]) {
      expect(() => render({}, copy)).toThrow(MessageError);
    }
  });
});

describe('the last gate', () => {
  it.each(['a\0\r\n', 'a\nb\r\n', 'a\rb\r\n', 'a\r\r\n', 'a', `${'x'.repeat(999)}\r\n`, '\n', 'a\r\n\r'])(
    'stops %j',
    (text) => {
      expect(() => checkBytes(Buffer.from(text))).toThrow(MessageError);
    },
  );

  it.each(['\r\n', 'a\r\n\r\nb\r\n', `${'x'.repeat(998)}\r\n`])('lets %j pass', (text) => {
    expect(() => checkBytes(Buffer.from(text))).not.toThrow();
  });
});

describe('a message from the wire', () => {
  it('is the same message', async () => {
    const spec = specOf({
      FROM: 'a@example.org',
      REPLY_TO: 'b@example.org',
      SUBJECT: 'S',
      TEXT: 'T',
      HTML: 'H',
      HEADERS: { 'X-A': '1' },
      LIST_UNSUBSCRIBE: 'https://example.org/',
      ONE_CLICK: true,
      ATTACHMENTS: [{ FILENAME: 'f.bin', CONTENT_TYPE: 'a/b', CONTENT: 'YQ==', CID: 'c' }],
    });
    expect(spec).toEqual({
      from: 'a@example.org',
      replyTo: 'b@example.org',
      subject: 'S',
      text: 'T',
      html: 'H',
      headers: { 'X-A': '1' },
      listUnsubscribe: 'https://example.org/',
      listUnsubscribePost: true,
      attachments: [{ filename: 'f.bin', contentType: 'a/b', content: 'YQ==', cid: 'c' }],
    });
    expect((await read(compileMessage(spec).render(COPY).bytes)).subject).toBe('S');
  });
});
