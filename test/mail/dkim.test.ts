import { createHash, createPublicKey, generateKeyPairSync, type KeyObject, verify } from 'node:crypto';
import fc from 'fast-check';
import DKIM from 'nodemailer/lib/dkim';
import { describe, expect, it } from 'vitest';
import { relaxedBodyHash } from '../../mail/dkim-canonical.ts';
import { compileMessage, DkimError, dkimSigner, messageIdOf, SIGNED_FIELDS } from '../../mail/index.ts';

const PEM = { type: 'pkcs8', format: 'pem' } as const;
const RSA = generateKeyPairSync('rsa', { modulusLength: 1024 });
const ED25519 = generateKeyPairSync('ed25519');
const NAMES = { domain: 'example.org', selector: 's1' };

const compiled = compileMessage({
  from: 'Jörg <news@example.org>',
  replyTo: 'help@example.org',
  subject: 'Hello {{a}}',
  text: '{{{a}}}',
  html: '<p>{{{b}}}</p>',
  headers: { 'List-ID': '"News  of   {{b}}" <news.example.org>', 'X-Other': '{{b}}' },
  listUnsubscribe: 'https://example.org/u/{{n}}',
  listUnsubscribePost: true,
});

function messageOf(a: string, b: string, n = 1, address = 'ann@example.com'): Buffer {
  return compiled.render({
    address,
    name: 'Ann',
    variables: { a, b, n },
    messageId: messageIdOf('018f2f3e-0000-7000-8000-00000000abcd', n, 'example.org'),
    date: new Date('2026-07-01T12:00:00Z'),
  }).bytes;
}

/** What nodemailer puts before the message. */
async function signatureOfNodemailer(message: Buffer, key: KeyObject): Promise<string> {
  const dkim = new DKIM({
    domainName: NAMES.domain,
    keySelector: NAMES.selector,
    privateKey: key.export(PEM).toString(),
    headerFieldNames: SIGNED_FIELDS.join(':'),
  });
  const pieces: Buffer[] = [];
  for await (const piece of dkim.sign(message)) pieces.push(piece as Buffer);
  const signed = Buffer.concat(pieces);
  expect(signed.subarray(signed.length - message.length).equals(message)).toBe(true);
  return signed.toString('latin1', 0, signed.length - message.length);
}

/** A verifier after RFC 6376 §6.1, for the form in which we sign. */
function verifies(signature: string, message: Buffer, key: KeyObject): boolean {
  const value = signature.slice(signature.indexOf(':') + 1);
  const tags = new Map(
    value
      .replace(/\s+/g, '')
      .split(';')
      .map((tag) => [tag.slice(0, tag.indexOf('=')), tag.slice(tag.indexOf('=') + 1)]),
  );
  const text = message.toString('latin1');
  const cut = text.indexOf('\r\n\r\n');
  const body = text
    .slice(cut + 4)
    .replace(/[ \t]+(?=\r\n)/g, '')
    .replace(/[ \t]+/g, ' ')
    .replace(/(?:\r\n)*$/, '\r\n');
  if (createHash('sha256').update(body, 'latin1').digest('base64') !== tags.get('bh')) return false;
  const relaxed = (name: string, raw: string) =>
    `${name}:${raw
      .replace(/\r\n/g, '')
      .replace(/[ \t]+/g, ' ')
      .replace(/^ | $/g, '')}`;
  const fields = text.slice(0, cut).split(/\r\n(?![ \t])/);
  const input = (tags.get('h') ?? '').split(':').map((name) => {
    const field = fields.findLast((one) => one.toLowerCase().startsWith(`${name}:`)) ?? '';
    return relaxed(name, field.slice(field.indexOf(':') + 1));
  });
  input.push(relaxed('dkim-signature', value.replace(/\bb=[^;]*$/, 'b=')));
  const data = Buffer.from(input.join('\r\n'), 'latin1');
  const bytes = Buffer.from(tags.get('b') ?? '', 'base64');
  if (tags.get('a') === 'rsa-sha256') return verify('sha256', data, key, bytes);
  return verify(null, createHash('sha256').update(data).digest(), key, bytes);
}

describe('a DKIM signature', () => {
  const text = fc.oneof(
    fc.string({ unit: 'grapheme', maxLength: 200 }),
    fc.string({ unit: fc.constantFrom('a', ' ', '\t', '\n', '=', 'é', '.'), maxLength: 200 }),
    fc.lorem({ maxCount: 60 }),
  );

  it('by an RSA key is that of nodemailer, byte for byte', async () => {
    const signer = dkimSigner({ ...NAMES, key: RSA.privateKey });
    await fc.assert(
      fc.asyncProperty(text, text, fc.nat(), async (a, b, n) => {
        const message = messageOf(a, b, n);
        const signature = signer(message).toString('latin1');
        expect(signature).toBe(await signatureOfNodemailer(message, RSA.privateKey));
        expect(verifies(signature, message, RSA.publicKey)).toBe(true);
      }),
      { numRuns: 100 },
    );
  });

  it('by an Ed25519 key verifies', () => {
    const signer = dkimSigner({ ...NAMES, key: ED25519.privateKey.export(PEM).toString() });
    fc.assert(
      fc.property(text, text, fc.nat(), (a, b, n) => {
        const message = messageOf(a, b, n);
        const signature = signer(message).toString('latin1');
        expect(signature).toMatch(
          /^DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed\/relaxed; d=example\.org;/,
        );
        expect(verifies(signature, message, ED25519.publicKey)).toBe(true);
      }),
      { numRuns: 200 },
    );
  });

  it.each(['subject', 'body', 'list-unsubscribe'])('does not verify when the %s was changed', (what) => {
    const message = messageOf('abc', 'xyz', 42);
    const changed = message.toString('latin1').replace(
      ...({
        subject: ['Hello abc', 'Hello abd'],
        body: ['<p>xyz', '<p>xyy'],
        'list-unsubscribe': ['/u/42', '/u/43'],
      }[what] as [string, string]),
    );
    for (const { privateKey, publicKey } of [RSA, ED25519]) {
      const signature = dkimSigner({ ...NAMES, key: privateKey })(message).toString('latin1');
      expect(verifies(signature, message, publicKey)).toBe(true);
      expect(verifies(signature, Buffer.from(changed, 'latin1'), publicKey)).toBe(false);
    }
  });

  it('is the same whenever the message is signed', () => {
    for (const { privateKey } of [RSA, ED25519]) {
      const [one, other] = [
        dkimSigner({ ...NAMES, key: privateKey }),
        dkimSigner({ ...NAMES, key: privateKey }),
      ];
      const message = messageOf('a', 'b');
      const first = one(message);
      one(messageOf('c', 'd'));
      expect(one(message)).toEqual(first);
      expect(other(message)).toEqual(first);
    }
  });

  it('covers the fields that are there, From always', () => {
    const fieldsOf = (headers?: string[]) => {
      const signature = dkimSigner({ ...NAMES, key: ED25519.privateKey, headers })(messageOf('a', 'b'));
      return /;h=([^;]*)/.exec(`${signature}`.replace(/\s/g, ''))?.[1];
    };
    expect(fieldsOf()).toBe(
      'from:reply-to:subject:date:message-id:to:mime-version:content-type:list-id:list-unsubscribe:list-unsubscribe-post',
    );
    expect(fieldsOf(['Subject', 'X-Other', 'X-None', 'subject'])).toBe('from:subject:x-other');
  });

  it('of an international address is over its bytes', () => {
    const message = messageOf('a', 'b', 1, 'josé@example.com');
    const signature = dkimSigner({ ...NAMES, key: ED25519.privateKey })(message).toString('latin1');
    expect(verifies(signature, message, ED25519.publicKey)).toBe(true);
  });

  it('of a domain that is not ASCII names its A-labels', () => {
    const signature = dkimSigner({ ...NAMES, domain: 'Bücher.example', key: ED25519.privateKey })(
      messageOf('a', 'b'),
    );
    expect(`${signature}`).toContain(' d=xn--bcher-kva.example;');
  });

  it.each([
    ['key', 'nonsense', /not a private key/],
    ['key', createPublicKey(RSA.publicKey.export({ type: 'spki', format: 'pem' })), /must be a private key/],
    ['key', generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey, /RSA or Ed25519/],
    ['key', generateKeyPairSync('rsa', { modulusLength: 512 }).privateKey, /shorter/],
    ['domain', 'example.org; x=1', /domain/],
    ['domain', 'org', /domain/],
    ['selector', 's1; x', /selector/],
    ['selector', '', /selector/],
    ['headers', ['Subject\r\nX'], /name of a field/],
    ['headers', ['a:b'], /name of a field/],
    ['headers', ['a;b'], /name of a field/],
  ])('is refused with a wrong %s', (option, value, message) => {
    const make = () => dkimSigner({ ...NAMES, key: ED25519.privateKey, [option]: value });
    expect(make).toThrow(DkimError);
    expect(make).toThrow(message);
  });
});

describe('the hash of a relaxed body', () => {
  const sha256 = (text: string) => createHash('sha256').update(text).digest('base64');

  it.each([
    ['', ''],
    ['\r\n\r\n', ''],
    [' \t\r\n \r\n', ''],
    ['a', 'a\r\n'],
    ['a\r\n\r\n\r\n', 'a\r\n'],
    [' C \r\nD \t E\r\n\r\n\r\n', ' C\r\nD E\r\n'],
    ['\r\n\r\na\r\n', '\r\n\r\na\r\n'],
    ['a \r\n\r\n b', 'a\r\n\r\n b\r\n'],
    ['a\r\n  ', 'a\r\n'],
  ])('of %j is that of %j', (body, relaxed) => {
    expect(relaxedBodyHash(Buffer.from(body))).toBe(sha256(relaxed));
  });

  it('is the one of the example in RFC 6376 A.2', () => {
    const body = 'Hi.\r\n\r\nWe lost the game.  Are you hungry yet?\r\n\r\nJoe.\r\n';
    expect(relaxedBodyHash(Buffer.from(body))).toBe('2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=');
  });
});
