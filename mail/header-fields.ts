import { encodeWord } from 'nodemailer/lib/mime-funcs';
import { MessageError } from './message-error.ts';

/** Header fields a batch may add. */
const MAX_HEADERS = 64;
/** RFC 5322 §2.1.1 would allow more; no field of this world has a longer name. */
const MAX_NAME_CHARS = 70;
/** A rendered field value, in characters. */
export const MAX_HEADER_CHARS = 10_000;
/** The longest run without a space in a value of ASCII: it cannot be folded, and a line ends at 998. */
const MAX_UNFOLDABLE_CHARS = 900;

/** RFC 2047 §2 allows 75; the composer uses this, so that a field name fits before it. */
const ENCODED_WORD_CHARS = 52;

/** Fields that follow from other parts of the message, and those that only relays write. */
const RESERVED: ReadonlySet<string> = new Set([
  'from',
  'sender',
  'reply-to',
  'to',
  'cc',
  'bcc',
  'subject',
  'date',
  'message-id',
  'mime-version',
  'return-path',
  'received',
  'dkim-signature',
  'domainkey-signature',
  'authentication-results',
  'delivered-to',
  'apparently-to',
  'otp-token',
]);
const RESERVED_PREFIX = /^(?:content-|resent-|arc-|list-unsubscribe$|list-unsubscribe-post$)/;

/**
 * Checks the names of added fields: `ftext` of RFC 5322 §3.6.8, each once, none that is written by others.
 *
 * @param reservesUnsubscribe List-Unsubscribe is given by its own part of the spec
 * @throws MessageError
 */
export function checkHeaderNames(names: readonly string[], reservesUnsubscribe: boolean): void {
  if (names.length > MAX_HEADERS) throw new MessageError('headers', `more than ${MAX_HEADERS} fields`);
  const seen = new Set<string>();
  for (const name of names) {
    const field = `headers.${name.slice(0, MAX_NAME_CHARS)}`;
    if (name.length > MAX_NAME_CHARS || !/^[\x21-\x39\x3b-\x7e]+$/.test(name)) {
      throw new MessageError(
        'headers',
        `${JSON.stringify(name.slice(0, MAX_NAME_CHARS))} is not a field name`,
      );
    }
    const lower = name.toLowerCase();
    const isUnsubscribe = lower.startsWith('list-unsubscribe');
    if (RESERVED.has(lower) || (RESERVED_PREFIX.test(lower) && (!isUnsubscribe || reservesUnsubscribe))) {
      throw new MessageError(
        field,
        'this field is written from other parts of the message, or by relays only',
      );
    }
    if (seen.has(lower)) throw new MessageError(field, 'is given twice');
    seen.add(lower);
  }
}

/** A rendered field value as it goes to the composer: no ends of white space, no run that would fold to an empty line. */
export function tidyValue(value: string): string {
  return value.replace(/[ \t]{20,}/g, ' ').trim();
}

/** Why a rendered value cannot be sent, or undefined. */
export function valueProblem(value: string): string | undefined {
  if (value.length > MAX_HEADER_CHARS) return `is longer than ${MAX_HEADER_CHARS} characters`;
  // Beyond ASCII the composer makes encoded words of it, in pieces that fold (RFC 2047 §2).
  if (value.length <= MAX_UNFOLDABLE_CHARS || !isAscii(value)) return undefined;
  const longest = Math.max(...value.split(/\s/).map((word) => word.length));
  return longest > MAX_UNFOLDABLE_CHARS
    ? `has more than ${MAX_UNFOLDABLE_CHARS} characters without a space`
    : undefined;
}

/**
 * A field for the composer. It would make an encoded word of every value with a quote in it, which spoils structured
 * fields (`List-ID: "News" <news.example.org>`) and JSON: what is plain already goes out as it is, folded. And it would
 * pass on what looks like an encoded word, which the reader then decodes to something nobody has seen: that is encoded.
 */
export function composerField(key: string, value: string): ComposerField {
  if (value.includes('=?')) return prepared(key, encodeWord(value, 'Q', ENCODED_WORD_CHARS));
  return isAscii(value) ? prepared(key, value) : { key, value };
}

function prepared(key: string, value: string): ComposerField {
  return { key, value: { prepared: true, foldLines: true, value } };
}

export interface ComposerField {
  readonly key: string;
  readonly value: string | { readonly prepared: true; readonly foldLines: true; readonly value: string };
}

function isAscii(value: string): boolean {
  return !/[^\t\x20-\x7e]/.test(value);
}
