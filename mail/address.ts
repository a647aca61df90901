import { domainToASCII } from 'node:url';
import addressparser from 'nodemailer/lib/addressparser';

/** RFC 5321 §4.5.3.1, in octets. A path is 256 with its angle brackets. */
const MAX_LOCAL_OCTETS = 64;
const MAX_DOMAIN_OCTETS = 255;
const MAX_ADDRESS_OCTETS = 254;
/** A From line longer than this is nobody's name; RFC 5322 §2.1.1 ends a line at 998. */
const MAX_MAILBOX_CHARS = 998;

export interface ParsedAddress {
  readonly ok: true;
  /** As given, with the domain in lower case and in A-labels. This, and nothing else, goes into RCPT. */
  readonly address: string;
  /** The local part as given, with its quotes when it has them. */
  readonly local: string;
  /** Lower case, A-labels. */
  readonly domain: string;
  /**
   * Equal for addresses that are meant to be one: whole in lower case (RFC 5321 lets local parts differ by case,
   * in practice none do), NFC, without needless quotes.
   */
  readonly key: string;
  /** The local part is not ASCII: the relay must offer SMTPUTF8 (RFC 6531). */
  readonly smtputf8: boolean;
}

export interface RefusedAddress {
  readonly ok: false;
  /** One short stable sentence; never contains the address. */
  readonly reason: string;
}

const refused = (reason: string): RefusedAddress => ({ ok: false, reason });

const EMPTY = refused('the address is empty');
const CONTROL = refused('the address contains a control character');
const SPACE = refused('the address contains a space');
const NO_AT = refused('the address has no @');
const MANY_AT = refused('the address has more than one @');
const NO_LOCAL = refused('nothing stands before the @');
const NO_DOMAIN = refused('nothing stands after the @');
const LONG_ADDRESS = refused(`the address is longer than ${MAX_ADDRESS_OCTETS} octets`);
const LONG_LOCAL = refused(`the part before the @ is longer than ${MAX_LOCAL_OCTETS} octets`);
const BAD_DOTS = refused('the part before the @ has a dot at its start or end or two in a row');
const BAD_LOCAL = refused('the part before the @ contains a character that is not allowed');
const BAD_QUOTES = refused('the quoted part before the @ is not valid');
const LITERAL = refused('address literals are not accepted as a domain');
const BAD_DOMAIN = refused('the domain is not valid');
const SINGLE_LABEL = refused('the domain has no dot');
const IP_DOMAIN = refused('the domain is an IP address');

/** A plain address: dot-atom, two labels or more, ASCII. Linear: no alternative overlaps. */
const PLAIN =
  /^([\w!#$%&'*+/=?^`{|}~-]+(?:\.[\w!#$%&'*+/=?^`{|}~-]+)*)@((?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63})$/i;
const ATEXT_RUN = /^[\w!#$%&'*+/=?^`{|}~-]+$/;
const QUOTED_LOCAL = /^"(?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\[\x20-\x7e])*"$/;
const LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
const CONTROL_CHARACTER = /[\x00-\x1f\x7f-\x9f]/;
/** Beyond ASCII: letters, marks, numbers, punctuation and symbols, as RFC 6532 has it, but nothing invisible. */
const VISIBLE_NON_ASCII = /^[^\p{C}\p{Z}]+$/u;

/**
 * Reads the address of a recipient (addr-spec only, no display name) by RFC 5321 §4.1.2, with RFC 6531 for the local
 * part and IDNA for the domain. A result and not an exception: it runs on millions of rows, of which some are wrong.
 */
export function parseAddress(text: string): ParsedAddress | RefusedAddress {
  if (text.length <= MAX_ADDRESS_OCTETS) {
    const plain = PLAIN.exec(text);
    const local = plain?.[1];
    if (local !== undefined && local.length <= MAX_LOCAL_OCTETS) {
      const domain = (plain?.[2] ?? '').toLowerCase();
      return {
        ok: true,
        address: `${local}@${domain}`,
        local,
        domain,
        key: text.toLowerCase(),
        smtputf8: false,
      };
    }
  }
  return parseCarefully(text);
}

function parseCarefully(text: string): ParsedAddress | RefusedAddress {
  if (text === '') return EMPTY;
  // Before anything looks at the text closely: what is this long is no address, in octets even less.
  if (text.length > MAX_ADDRESS_OCTETS) return LONG_ADDRESS;
  if (CONTROL_CHARACTER.test(text)) return CONTROL;
  const at = text.lastIndexOf('@');
  if (at < 0) return /\s/.test(text) ? SPACE : NO_AT;
  const local = text.slice(0, at);
  const localProblem = checkLocal(local);
  if (localProblem !== undefined) return localProblem;
  const domain = readDomain(text.slice(at + 1));
  if (typeof domain !== 'string') return domain;
  const address = `${local}@${domain}`;
  if (Buffer.byteLength(address) > MAX_ADDRESS_OCTETS) return LONG_ADDRESS;
  return {
    ok: true,
    address,
    local,
    domain,
    key: `${withoutNeedlessQuotes(local).normalize('NFC').toLowerCase().normalize('NFC')}@${domain}`,
    smtputf8: /[^\0-\x7f]/.test(local),
  };
}

function checkLocal(local: string): RefusedAddress | undefined {
  if (local === '') return NO_LOCAL;
  if (Buffer.byteLength(local) > MAX_LOCAL_OCTETS) return LONG_LOCAL;
  if (local.startsWith('"')) return QUOTED_LOCAL.test(local) ? undefined : BAD_QUOTES;
  if (/\s/.test(local)) return SPACE;
  if (local.includes('@')) return MANY_AT;
  for (const atom of local.split('.')) {
    if (atom === '') return BAD_DOTS;
    for (const run of atom.match(/[\0-\x7f]+|[^\0-\x7f]+/gu) ?? []) {
      if (!ATEXT_RUN.test(run) && !(VISIBLE_NON_ASCII.test(run) && !/[\0-\x7f]/.test(run))) return BAD_LOCAL;
    }
  }
  return undefined;
}

/** The domain in lower case and A-labels, or why not. */
function readDomain(given: string): string | RefusedAddress {
  if (given === '') return NO_DOMAIN;
  if (given.startsWith('[')) return LITERAL;
  if (/\s/.test(given)) return SPACE;
  // domainToASCII reads a URL's host: it would decode %41 and cut at a slash. Let it see names only.
  if (/[^a-z0-9.\-\u0080-\u{10ffff}]/iu.test(given)) return BAD_DOMAIN;
  const plain = given.toLowerCase();
  if (plain === 'localhost') return plain;
  const domain = /[^\0-\x7f]/.test(plain) ? domainToASCII(plain) : plain;
  if (domain === '' || domain.length > MAX_DOMAIN_OCTETS) return BAD_DOMAIN;
  const labels = domain.split('.');
  if (!labels.every((label) => LABEL.test(label))) return BAD_DOMAIN;
  if (labels.length < 2) return SINGLE_LABEL;
  // No top-level domain is a number, and 10.0.0.1 is an address of another kind.
  if (/^\d+$/.test(labels.at(-1) ?? '')) return IP_DOMAIN;
  return domain;
}

/** `"ann.lee"` is `ann.lee` (RFC 5321 §4.1.2: quotes are not part of the name). */
function withoutNeedlessQuotes(local: string): string {
  if (!local.startsWith('"')) return local;
  const inner = local.slice(1, -1).replace(/\\(.)/g, '$1');
  return inner.split('.').every((atom) => ATEXT_RUN.test(atom)) ? inner : local;
}

/** A From or Reply-To that cannot be used. */
export class AddressError extends Error {
  override readonly name = 'AddressError';
  readonly code = 'ADDRESS_INVALID';
}

export interface Mailbox {
  /** Display name, unquoted; empty when there is none. */
  readonly name: string;
  readonly address: string;
  readonly local: string;
  readonly domain: string;
  readonly smtputf8: boolean;
}

/**
 * Reads one mailbox, `ann@example.com` or `Ann Lee <ann@example.com>` (RFC 5322 §3.4; no lists, no groups).
 *
 * @throws AddressError saying what is wrong; it does not repeat the address
 */
export function parseMailbox(text: string): Mailbox {
  if (text.length > MAX_MAILBOX_CHARS) throw new AddressError(`longer than ${MAX_MAILBOX_CHARS} characters`);
  if (CONTROL_CHARACTER.test(text)) throw new AddressError('contains a line break or a control character');
  const entries = addressparser(text);
  const entry = entries[0];
  if (entry === undefined) throw new AddressError('is empty');
  if (entries.length > 1) throw new AddressError('must be one mailbox, not a list');
  if (entry.group !== undefined) throw new AddressError('must be one mailbox, not a group');
  // The library mends what it finds. What is sent from must be what was written, so it has to be there as it is.
  const trimmed = text.trim();
  const written = trimmed.endsWith('>') ? trimmed.slice(trimmed.lastIndexOf('<') + 1, -1).trim() : trimmed;
  const parsed = parseAddress(written);
  if (!parsed.ok) throw new AddressError(parsed.reason);
  if (entry.address !== written) throw new AddressError('must be "address" or "Name <address>"');
  return {
    name: entry.name ?? '',
    address: parsed.address,
    local: parsed.local,
    domain: parsed.domain,
    smtputf8: parsed.smtputf8,
  };
}
