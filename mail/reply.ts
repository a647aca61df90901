/** Reading an SMTP reply (RFC 5321 §4.2) with its enhanced status code (RFC 2034, RFC 3463). */

/** A reply longer than this is cut before it is looked at: RFC 5321 §4.5.3.1.5 allows 512 octets a line. */
const MAX_REPLY_READ_CHARS = 8192;
/** What is kept of a reply in the store and in logs, in characters: one full reply line. */
export const MAX_REPLY_CHARS = 512;

export interface SmtpReply {
  /** Basic code, 200 to 599. */
  readonly basic: number;
  /** Class, subject and detail, e.g. `5.1.1`; undefined when the relay sent none. */
  readonly enhanced?: string;
  /** The text of all lines, joined by spaces, without the codes. */
  readonly text: string;
}

const REPLY_LINE = /^([2-5][0-9]{2})(?:([ -])(.*))?$/;
const ENHANCED_CODE = /^([245]\.[0-9]{1,3}\.[0-9]{1,3})(?:\s+|$)/;

/**
 * Reads a reply of one or several lines, with or without its line ends.
 *
 * Returns undefined for what is not an SMTP reply: no code, a code outside 2xx to 5xx, lines whose codes
 * differ (RFC 5321 §4.2.1 demands the same in all).
 */
export function parseReply(reply: string): SmtpReply | undefined {
  const lines = reply.slice(0, MAX_REPLY_READ_CHARS).split(/\r\n|\r|\n/);
  while (lines.length > 0 && lines.at(-1)?.trim() === '') lines.pop();
  let basic: string | undefined;
  let enhanced: string | undefined;
  const texts: string[] = [];
  for (const line of lines) {
    const match = REPLY_LINE.exec(line.trimEnd());
    if (match === null) return undefined;
    basic ??= match[1];
    if (match[1] !== basic) return undefined;
    let text = (match[3] ?? '').trim();
    const code = ENHANCED_CODE.exec(text);
    if (code !== null) {
      enhanced ??= code[1];
      text = text.slice(code[0].length);
    }
    if (text !== '') texts.push(text);
  }
  if (basic === undefined) return undefined;
  return { basic: Number(basic), enhanced, text: texts.join(' ') };
}

/** The reply as kept beside a recipient: one line, no control characters, at most `MAX_REPLY_CHARS`. */
export function replyForStore(reply: string): string {
  return bounded(oneLine(reply.slice(0, MAX_REPLY_READ_CHARS)));
}

/**
 * The reply as it may stand in a log: like `replyForStore`, with every address in it replaced by `<address>`.
 * Relays also quote the bare local part ("no user alice here"): give the recipient's address to mask that too.
 */
export function replyForLog(reply: string, recipient?: string): string {
  const read = reply.slice(0, MAX_REPLY_READ_CHARS);
  // A cut may have left half an address, which no pattern would recognise: drop the last word.
  const whole = read.length < reply.length ? read.replace(/\S+$/, '') : read;
  let text = oneLine(whole);
  const local = recipient?.slice(0, recipient.lastIndexOf('@'));
  if (recipient) text = text.replaceAll(recipient, '<address>');
  text = text
    .split(' ')
    .map((word) => (word.includes('@') ? word.replace(ADDRESS_IN_WORD, '<address>') : word))
    .join(' ');
  if (local && local.length >= 3) text = text.replaceAll(local, '<address>');
  return bounded(text.replaceAll('<<address>>', '<address>'));
}

/** Everything around an `@` up to what cannot belong to an address; quoted local parts fall to their words. */
const ADDRESS_IN_WORD = /[^<>()[\],;:]*@[^<>()[\],;:]*/g;

function oneLine(text: string): string {
  // C0 and C1 controls, line and paragraph separators, and the marks that turn the direction of text.
  return text.replace(/[\p{Cc}\p{Cf}\u2028\u2029\s]+/gu, ' ').trim();
}

function bounded(text: string): string {
  return text.length <= MAX_REPLY_CHARS ? text : `${text.slice(0, MAX_REPLY_CHARS - 1).toWellFormed()}…`;
}
