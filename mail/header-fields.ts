import { encodedWords, qWords } from './encoded-word.ts';
import { MessageError } from './message-error.ts';

/** Header fields a batch may add. */
const MAX_HEADERS = 64;
/** RFC 5322 §2.1.1 would allow more; no field of this world has a longer name. */
const MAX_NAME_CHARS = 70;
/** A rendered field value, in characters. */
export const MAX_HEADER_CHARS = 10_000;
/** The longest run without a space in a value of ASCII: it cannot be folded, and a line ends at 998. */
const MAX_UNFOLDABLE_CHARS = 900;
/** A value that is not longer can be written, whatever it is; in characters. */
export const SAFE_CHARS = MAX_UNFOLDABLE_CHARS;

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

/** A rendered field value as it is written: no ends of white space, no run that would fold to an empty line. */
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
 * A value as it is written into a field, encoded but not folded; empty when the field is left out. The composer by itself
 * would make an encoded word of every value with a quote in it, which spoils structured fields (`List-ID: "News"
 * <news.example.org>`) and JSON: what is plain already goes out as it is. And it would pass on what looks like an encoded
 * word, which the reader then decodes to something nobody has seen: that is encoded.
 *
 * @param field for the error, as in the spec
 * @throws MessageError
 */
export function encodedValue(field: string, rendered: string): string {
  const value = tidyValue(rendered);
  const problem = valueProblem(value);
  if (problem !== undefined) throw new MessageError(field, problem);
  if (value.includes('=?')) return qWords(value);
  return isAscii(value) ? value : encodedWords(value);
}

function isAscii(value: string): boolean {
  return !/[^\t\x20-\x7e]/.test(value);
}
