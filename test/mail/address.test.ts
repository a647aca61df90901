import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseAddress, parseMailbox } from '../../mail/index.ts';

function accepted(text: string) {
  const parsed = parseAddress(text);
  if (!parsed.ok) throw new Error(`refused ${JSON.stringify(text)}: ${parsed.reason}`);
  return parsed;
}

function reasonFor(text: string): string {
  const parsed = parseAddress(text);
  return parsed.ok ? `accepted as ${parsed.address}` : parsed.reason;
}

describe('an address', () => {
  it('keeps its local part and gets its domain in lower case', () => {
    expect(accepted('Ann.Lee+news@Example.COM')).toEqual({
      ok: true,
      address: 'Ann.Lee+news@example.com',
      local: 'Ann.Lee+news',
      domain: 'example.com',
      key: 'ann.lee+news@example.com',
      smtputf8: false,
    });
  });

  it('gets an international domain as A-labels, in whatever form it was written', () => {
    for (const domain of [
      'münchen.de',
      'MÜNCHEN.de',
      'mu\u0308nchen.de',
      'xn--mnchen-3ya.de',
      'XN--MNCHEN-3YA.DE',
    ]) {
      expect(accepted(`a@${domain}`).address).toBe('a@xn--mnchen-3ya.de');
    }
  });

  it('may have a UTF-8 local part, and says that it needs SMTPUTF8', () => {
    expect(accepted('josé@example.com')).toMatchObject({ address: 'josé@example.com', smtputf8: true });
    expect(accepted('用户@例え.jp')).toMatchObject({ address: '用户@xn--r8jz45g.jp', smtputf8: true });
  });

  it('may have a quoted local part', () => {
    expect(accepted('"a b"@example.com').address).toBe('"a b"@example.com');
    expect(accepted('"a@b"@example.com').domain).toBe('example.com');
    expect(accepted('"a\\"b"@example.com').local).toBe('"a\\"b"');
  });

  it('has the same key as another that means the same mailbox', () => {
    const key = accepted('ann.lee@example.com').key;
    for (const other of ['Ann.Lee@EXAMPLE.com', '"ann.lee"@example.com'])
      expect(accepted(other).key).toBe(key);
    expect(accepted('jose\u0301@example.com').key).toBe(accepted('JOSÉ@example.com').key);
    expect(accepted('"a b"@example.com').key).not.toBe(accepted('ab@example.com').key);
  });

  it('may be at localhost, and at no other single label', () => {
    expect(accepted('root@localhost').domain).toBe('localhost');
    expect(reasonFor('root@example')).toBe('the domain has no dot');
  });

  it.each([
    ['', 'the address is empty'],
    ['ann', 'the address has no @'],
    ['@example.com', 'nothing stands before the @'],
    ['ann@', 'nothing stands after the @'],
    ['a@b@example.com', 'the address has more than one @'],
    ['a b@example.com', 'the address contains a space'],
    [' ann@example.com', 'the address contains a space'],
    ['ann@example.com ', 'the address contains a space'],
    ['ann@exam ple.com', 'the address contains a space'],
    ['ann\u00a0lee@example.com', 'the address contains a space'],
    ['a\r\nRCPT TO:<b@example.com>@example.com', 'the address contains a control character'],
    ['ann@example.com\n', 'the address contains a control character'],
    ['ann\0@example.com', 'the address contains a control character'],
    ['ann\u0085@example.com', 'the address contains a control character'],
    ['.ann@example.com', 'the part before the @ has a dot at its start or end or two in a row'],
    ['ann.@example.com', 'the part before the @ has a dot at its start or end or two in a row'],
    ['an..n@example.com', 'the part before the @ has a dot at its start or end or two in a row'],
    ['<ann@example.com>', 'the part before the @ contains a character that is not allowed'],
    ['Ann,bob@example.com', 'the part before the @ contains a character that is not allowed'],
    ['a\u202eb@example.com', 'the part before the @ contains a character that is not allowed'],
    ['a\ud800@example.com', 'the part before the @ contains a character that is not allowed'],
    ['"a"b"@example.com', 'the quoted part before the @ is not valid'],
    ['"a\\"@example.com', 'the quoted part before the @ is not valid'],
    ['ann@[127.0.0.1]', 'address literals are not accepted as a domain'],
    ['ann@127.0.0.1', 'the domain is an IP address'],
    ['ann@example.com.', 'the domain is not valid'],
    ['ann@.example.com', 'the domain is not valid'],
    ['ann@example..com', 'the domain is not valid'],
    ['ann@-example.com', 'the domain is not valid'],
    ['ann@example-.com', 'the domain is not valid'],
    ['ann@exa_mple.com', 'the domain is not valid'],
    ['ann@ex%61mple.com', 'the domain is not valid'],
    ['ann@example.com/x', 'the domain is not valid'],
    ['ann@example.com:25', 'the domain is not valid'],
    ['ann@xn--zzzzzzz99999--.com', 'the domain is not valid'],
    [`ann@${'a'.repeat(64)}.com`, 'the domain is not valid'],
    [`${'a'.repeat(65)}@example.com`, 'the part before the @ is longer than 64 octets'],
    [`${'é'.repeat(33)}@example.com`, 'the part before the @ is longer than 64 octets'],
    [`ann@${'a.'.repeat(130)}com`, 'the address is longer than 254 octets'],
    [`${'a'.repeat(64)}@${'ü.'.repeat(25)}com`, 'the address is longer than 254 octets'],
  ])('%j is refused: %s', (text, reason) => {
    expect(reasonFor(text)).toBe(reason);
  });

  it('is, once accepted, safe to write into a command and read back to itself', () => {
    const piece = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 20 }),
      fc.constantFrom('a', '.', '@', '"', '\\', 'ü', ' '),
    );
    const addressLike = fc
      .tuple(fc.array(piece, { maxLength: 5 }), fc.array(piece, { maxLength: 5 }))
      .map(([local, domain]) => `${local.join('')}@${domain.join('')}.com`);
    fc.assert(
      fc.property(fc.oneof(addressLike, fc.emailAddress(), fc.string({ unit: 'binary' })), (text) => {
        const parsed = parseAddress(text);
        if (!parsed.ok) return;
        expect(parsed.address).not.toMatch(/[\x00-\x1f\x7f-\x9f]/);
        expect(Buffer.byteLength(parsed.address)).toBeLessThanOrEqual(254);
        expect(parsed.domain).toMatch(/^[a-z0-9.-]+$/);
        expect(parseAddress(parsed.address)).toEqual(parsed);
        expect(accepted(parsed.address).key).toBe(parsed.key);
        if (!parsed.local.startsWith('"')) expect(parsed.address).not.toMatch(/[\s<>,;:()[\]\\"]/);
      }),
      { numRuns: 2000 },
    );
  });

  it('is accepted whenever it is an ordinary one', () => {
    fc.assert(
      fc.property(fc.emailAddress({ size: 'small' }), (text) => {
        if (text.length <= 254 && text.indexOf('@') <= 64) expect(reasonFor(text)).toContain('accepted');
      }),
    );
  });
});

describe('a sender', () => {
  it.each([
    ['ann@Example.com', '', 'ann@example.com'],
    ['<ann@example.com>', '', 'ann@example.com'],
    ['Ann Lee <ann@example.com>', 'Ann Lee', 'ann@example.com'],
    ['"Lee, Ann" <ann@example.com>', 'Lee, Ann', 'ann@example.com'],
    ['Åsa Öberg <news@åsa.example>', 'Åsa Öberg', 'news@xn--sa-xia.example'],
    ['N <"a b"@example.com>', 'N', '"a b"@example.com'],
  ])('%j is read as name %j and address %j', (text, name, address) => {
    expect(parseMailbox(text)).toMatchObject({ name, address });
  });

  it.each([
    '',
    'Ann',
    'ann@example.com, bob@example.com',
    'Friends: ann@example.com;',
    'Ann <ann@example>',
    'Ann <ann@example.com',
    'Ann\r\nBcc: bob@example.com <ann@example.com>',
    'Ann <ann@example.com>\n',
    'ann@example.com bob@example.com',
    'Ann <bob@example.com> <ann@example.com>',
    'a'.repeat(1000),
  ])('%j is refused', (text) => {
    expect(() => parseMailbox(text)).toThrow(expect.objectContaining({ code: 'ADDRESS_INVALID' }));
  });
});
