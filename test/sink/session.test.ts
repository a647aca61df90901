import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { codesOf, converse, TestWorld, transaction } from './support.ts';

const EHLO = 'EHLO test.example\r\n';

describe('an SMTP session', () => {
  it('offers its extensions', () => {
    const dialogue = converse([EHLO], { starttls: true, auth: 'optional' });
    expect(dialogue).toBe(
      '220 sink.test ESMTP Mutirao sink\r\n250-sink.test\r\n250-PIPELINING\r\n250-SIZE 10000\r\n' +
        '250-ENHANCEDSTATUSCODES\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250-STARTTLS\r\n250 AUTH PLAIN LOGIN\r\n',
    );
  });

  it('does not offer what it shall not', () => {
    const dialogue = converse([EHLO], { pipelining: false, smtpUtf8: false, eightBitMime: false });
    expect(dialogue).not.toMatch(/PIPELINING|SMTPUTF8|8BITMIME|STARTTLS|AUTH/);
  });

  it('takes several messages sent ahead and answers in order', () => {
    const world = new TestWorld();
    const dialogue = converse(
      [EHLO + transaction('ana@x.example') + transaction('bob@x.example')],
      {},
      world,
    );
    expect(codesOf(dialogue)).toEqual(['220', '250', ...Array(2).fill(['250', '250', '354', '250']).flat()]);
    expect(world.tally.report()).toMatchObject({ messages: 2, uniqueRecipients: 2, duplicates: 0 });
  });

  it('answers the same however the input is cut into chunks', () => {
    const input = Buffer.from(
      [
        EHLO,
        'noop\r\nVRFY ana\r\nHELP\r\nXYZZY\r\n\r\n',
        transaction('ana@x.example'),
        'MAIL FROM:<a@x.example>\r\nRCPT TO:<4xx-ana@x.example>\r\nDATA\r\n',
        'RSET\r\n',
        transaction('dot452-ana@x.example'),
        'MAIL FROM:<a@x.example> SIZE=100 BODY=8BITMIME\r\nRCPT TO:<garbage-1@x>\r\nRCPT TO:<slow-1@x>\r\nDATA\r\n',
        '..dots\r\n.\n\r\n.\r\n',
        `${'x'.repeat(20_000)}\r\n`,
        'AUTH PLAIN\r\n*\r\n',
        'AUTH LOGIN\r\nYW5h\r\nc2VjcmV0\r\n',
        transaction('drop-after-dot-1@x.example'),
        'NOOP\r\n',
      ].join(''),
    );
    const world = new TestWorld();
    const whole = converse([input], { auth: 'optional' }, world);
    expect(codesOf(whole).at(-1)).toBe('[drop]');
    expect(whole).toContain('235 ');
    expect(world.contents).toContain('.dots\r\n\n\r\n');
    fc.assert(
      fc.property(fc.array(fc.nat(input.length), { maxLength: 40 }), (places) => {
        const edges = [0, ...places.toSorted((a, b) => a - b), input.length];
        const chunks = edges.slice(1).map((edge, index) => input.subarray(edges[index], edge));
        const other = new TestWorld();
        expect(converse(chunks, { auth: 'optional' }, other)).toBe(whole);
        expect(other.contents).toEqual(world.contents);
      }),
    );
    const bytes = [...input].map((byte) => Buffer.from([byte]));
    expect(converse(bytes, { auth: 'optional' })).toBe(whole);
  });

  it('never falls over what it reads', () => {
    const words = fc.constantFrom(
      ...[
        'EHLO a',
        'MAIL FROM:<a@b>',
        'RCPT TO:<a@b>',
        'DATA',
        'BDAT 3',
        'BDAT 0 LAST',
        '.',
        '\r\n',
        '\r',
        '\n',
        '\0',
        'AUTH PLAIN',
        '<',
        '"',
      ],
    );
    const noise = fc.array(fc.oneof(words, fc.string({ unit: 'binary', maxLength: 20 })));
    fc.assert(
      fc.property(noise, (parts) => {
        for (const line of converse(parts, { auth: 'optional', chunking: true }).split('\r\n').slice(0, -1)) {
          expect(line).toMatch(/^(\d{3}[ -]|\[)/);
        }
      }),
    );
  });

  it.each([
    ['MAIL before EHLO', 'MAIL FROM:<a@b.example>\r\n', '503'],
    ['RCPT before MAIL', `${EHLO}RCPT TO:<a@b.example>\r\n`, '503'],
    ['DATA before MAIL', `${EHLO}DATA\r\n`, '503'],
    ['DATA without a recipient', `${EHLO}MAIL FROM:<a@b>\r\nDATA\r\n`, '554'],
    ['DATA with an argument', `${EHLO}MAIL FROM:<a@b>\r\nRCPT TO:<a@b>\r\nDATA now\r\n`, '501'],
    ['a second MAIL', `${EHLO}MAIL FROM:<a@b>\r\nMAIL FROM:<a@b>\r\n`, '503'],
    ['the empty sender', `${EHLO}MAIL FROM:<>\r\n`, '250'],
    ['a blank after the colon', `${EHLO}MAIL FROM: <a@b>\r\n`, '250'],
    ['lower case', `${EHLO}mail from:<a@b>\r\nrcpt to:<c@d>\r\n`, '250'],
    ['lines that end in LF', `${EHLO}MAIL FROM:<a@b>\n`, '250'],
    ['no angle brackets', `${EHLO}MAIL FROM:a@b\r\n`, '501'],
    ['a control character', `${EHLO}MAIL FROM:<a\0@b>\r\n`, '501'],
    ['an address without @', `${EHLO}MAIL FROM:<a>\r\n`, '501'],
    ['an address without a domain', `${EHLO}MAIL FROM:<a@>\r\n`, '501'],
    ['an address with a blank', `${EHLO}MAIL FROM:<a b@c>\r\n`, '501'],
    ['an address with no end', `${EHLO}MAIL FROM:<a@b\r\n`, '501'],
    ['an address that is too long', `${EHLO}MAIL FROM:<${'a'.repeat(600)}@b>\r\n`, '501'],
    ['a quoted local part', `${EHLO}MAIL FROM:<"a >\\"b"@c>\r\n`, '250'],
    ['no recipient', `${EHLO}MAIL FROM:<a@b>\r\nRCPT TO:<>\r\n`, '501'],
    ['an unknown MAIL parameter', `${EHLO}MAIL FROM:<a@b> COLOUR=RED\r\n`, '555'],
    ['an unknown RCPT parameter', `${EHLO}MAIL FROM:<a@b>\r\nRCPT TO:<a@b> NOTIFY=NEVER\r\n`, '555'],
    ['a SIZE beyond the limit', `${EHLO}MAIL FROM:<a@b> SIZE=10001\r\n`, '552'],
    ['a SIZE at the limit', `${EHLO}MAIL FROM:<a@b> SIZE=10000\r\n`, '250'],
    ['UTF-8 without SMTPUTF8', `${EHLO}MAIL FROM:<á@b>\r\n`, '550'],
    ['UTF-8 with SMTPUTF8', `${EHLO}MAIL FROM:<á@b> SMTPUTF8\r\nRCPT TO:<é@b>\r\n`, '250'],
    ['a UTF-8 recipient without SMTPUTF8', `${EHLO}MAIL FROM:<a@b>\r\nRCPT TO:<é@b>\r\n`, '553'],
    ['a command that begins like another', `${EHLO}NOOPS\r\n`, '500'],
    ['AUTH that is not offered', `${EHLO}AUTH PLAIN AGFuYQBzZWNyZXQ=\r\n`, '502'],
    ['STARTTLS that is not offered', `${EHLO}STARTTLS\r\n`, '502'],
    ['EHLO without a name', 'EHLO\r\n', '501'],
    ['HELO', 'HELO test.example\r\n', '250'],
    ['QUIT', 'QUIT\r\n', '[end]'],
  ])('answers %s with the right code', (_what, input, code) => {
    expect(codesOf(converse([input])).at(-1)).toBe(code);
  });

  it('refuses SMTPUTF8 and 8BITMIME when they are not offered', () => {
    const settings = { smtpUtf8: false, eightBitMime: false };
    expect(codesOf(converse([`${EHLO}MAIL FROM:<a@b> SMTPUTF8\r\n`], settings)).at(-1)).toBe('555');
    expect(codesOf(converse([`${EHLO}MAIL FROM:<a@b> BODY=8BITMIME\r\n`], settings)).at(-1)).toBe('555');
  });

  it('refuses a message beyond SIZE at its dot, and goes on', () => {
    const world = new TestWorld();
    const long = `MAIL FROM:<a@b>\r\nRCPT TO:<a@b>\r\nDATA\r\n${'x'.repeat(10_001)}\r\n.\r\n`;
    const codes = codesOf(converse([EHLO + long + transaction('ana@x.example')], {}, world));
    expect(codes.slice(2)).toEqual(['250', '250', '354', '552', '250', '250', '354', '250']);
    expect(world.tally.report()).toMatchObject({ messages: 1, refused: 1 });
  });

  it('takes a line of 12,288 bytes, and skips a longer one without keeping it', () => {
    expect(codesOf(converse([`NOOP ${'x'.repeat(12_283)}\n`])).at(-1)).toBe('250');
    const chunks = Array<string>(1_000).fill('x'.repeat(1_000));
    expect(codesOf(converse([...chunks, '\r\nNOOP\r\n']))).toEqual(['220', '500', '250']);
  });

  it('takes at most 1,000 recipients of one message', () => {
    const recipients = Array.from({ length: 1_001 }, (_, index) => `RCPT TO:<r${index}@x>\r\n`).join('');
    const codes = codesOf(converse([`${EHLO}MAIL FROM:<a@b>\r\n${recipients}`]));
    expect(codes.slice(-2)).toEqual(['250', '452']);
  });

  it('sends a peer away that talks nonsense', () => {
    const codes = codesOf(converse(Array<string>(100).fill('GET / HTTP/1.1\r\n')));
    expect(codes.slice(-2)).toEqual(['421', '[end]']);
    expect(codes.filter((code) => code === '500')).toHaveLength(50);
  });

  it('counts one message for all its recipients', () => {
    const world = new TestWorld();
    const several = transaction('ana@x').replace('DATA', 'RCPT TO:<bob@x>\r\nRCPT TO:<5xx-eve@x>\r\nDATA');
    converse([EHLO + several], {}, world);
    expect(world.tally.report()).toMatchObject({
      messages: 1,
      uniqueRecipients: 2,
      refused: 1,
      deliveries: 2,
    });
  });

  it('says 452 when the message cannot be stored', () => {
    const world = new TestWorld();
    world.stores = false;
    expect(codesOf(converse([EHLO + transaction('ana@x')], {}, world)).at(-1)).toBe('452');
  });

  it('objects to commands sent ahead when PIPELINING is not offered', () => {
    const settings = { pipelining: false };
    expect(codesOf(converse([EHLO + transaction('ana@x')], settings)).slice(1)).toEqual([
      '250',
      '554',
      '[end]',
    ]);
    const polite = [
      EHLO,
      'MAIL FROM:<a@b>\r\n',
      'RCPT TO:<a@b>\r\n',
      'DATA\r\n',
      'Hello\r\n.\r\n',
      'QUIT\r\n',
    ];
    expect(codesOf(converse(polite, settings)).slice(-2)).toEqual(['221', '[end]']);
  });

  it('discards what was sent in clear behind STARTTLS', () => {
    const injected = `${EHLO}STARTTLS\r\nRSET\r\n${transaction('eve@x')}`;
    const codes = codesOf(converse([injected, 'NOOP\r\n'], { starttls: true }));
    expect(codes).toEqual(['220', '250', '220', '[tls]']);
  });

  it('greets with what it is told and serves nobody then', () => {
    const codes = codesOf(converse([EHLO, 'QUIT\r\n'], { greeting: 554 }));
    expect(codes).toEqual(['554', '503', '221', '[end]']);
    expect(codesOf(converse([EHLO], { greeting: 421 }))).toEqual(['421', '[end]']);
  });
});

describe('AUTH', () => {
  const plain = (text: string): string => Buffer.from(text).toString('base64');
  const optional = { auth: 'optional' } as const;

  it.each([
    ['PLAIN with its response', [`AUTH PLAIN ${plain('\0ana\0secret')}\r\n`], '235'],
    ['PLAIN in two lines', ['AUTH PLAIN\r\n', `${plain('\0ana\0secret')}\r\n`], '235'],
    ['LOGIN', ['AUTH LOGIN\r\n', `${plain('ana')}\r\n`, `${plain('secret')}\r\n`], '235'],
    ['LOGIN with its user', [`AUTH LOGIN ${plain('ana')}\r\n`, `${plain('secret')}\r\n`], '235'],
    ['a wrong password', [`AUTH PLAIN ${plain('\0ana\0wrong')}\r\n`], '535'],
    ['what is no base64', ['AUTH PLAIN ana!\r\n'], '501'],
    ['what is no PLAIN', [`AUTH PLAIN ${plain('ana')}\r\n`], '501'],
    ['a cancelled dialogue', ['AUTH LOGIN\r\n', '*\r\n'], '501'],
    ['an unknown mechanism', ['AUTH CRAM-MD5\r\n'], '504'],
    ['AUTH twice', Array<string>(2).fill(`AUTH PLAIN ${plain('\0ana\0secret')}\r\n`), '503'],
  ])('answers %s', (_what, lines, code) => {
    expect(codesOf(converse([EHLO, ...lines], optional)).at(-1)).toBe(code);
  });

  it('is required when told', () => {
    const required = { auth: 'required' } as const;
    expect(codesOf(converse([`${EHLO}MAIL FROM:<a@b>\r\n`], required)).at(-1)).toBe('530');
    const auth = `AUTH PLAIN ${plain('\0ana\0secret')}\r\n`;
    expect(codesOf(converse([`${EHLO}${auth}MAIL FROM:<a@b>\r\n`], required)).at(-1)).toBe('250');
  });

  it('fails always when told', () => {
    const auth = `AUTH PLAIN ${plain('\0ana\0secret')}\r\n`;
    expect(codesOf(converse([EHLO + auth], { ...optional, authFails: true })).at(-1)).toBe('535');
  });

  it('and MAIL wait for TLS when told', () => {
    const settings = { ...optional, starttls: true, requireTls: true };
    expect(converse([EHLO], settings)).not.toContain('AUTH');
    expect(codesOf(converse([`${EHLO}AUTH PLAIN ${plain('\0ana\0secret')}\r\n`], settings)).at(-1)).toBe(
      '502',
    );
    expect(codesOf(converse([`${EHLO}MAIL FROM:<a@b>\r\n`], settings)).at(-1)).toBe('530');
  });
});
