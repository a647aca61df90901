/** A relay that says more than this in one reply is not speaking SMTP, bytes. */
export const MAX_REPLY_BYTES = 64 * 1024;

const LF = 0x0a;
const CR = 0x0d;
const HYPHEN = 0x2d;
const ZERO = 0x30;

/** One whole reply (RFC 5321 §4.2). */
export interface Reply {
  /** Basic code; 0 when a line has none, or not the same as the others (§4.2.1). */
  readonly code: number;
  /** All its lines, without the last line's end. Made when somebody asks: most replies are a 250 that nobody reads. */
  text(): string;
}

/** A relay's reply is no reply: too long. The session is over. */
export class ReplyError extends Error {
  override readonly name = 'ReplyError';
  readonly code = 'REPLY_INVALID';
}

/** Cuts what a relay sends into replies, however the bytes are split into chunks. A bare LF ends a line as CRLF does. */
export class ReplyReader {
  #rest: Buffer | undefined;

  /** Whether a reply has begun and not ended. */
  get isPartial(): boolean {
    return this.#rest !== undefined;
  }

  /** What has come of an unfinished reply. */
  get partial(): string {
    return this.#rest?.toString() ?? '';
  }

  /** Calls `each` for every reply that this chunk completes, in order. @throws ReplyError */
  read(chunk: Buffer, each: (reply: Reply) => void): void {
    const bytes = this.#rest === undefined ? chunk : Buffer.concat([this.#rest, chunk]);
    this.#rest = undefined;
    let start = 0;
    let line = 0;
    for (let end = bytes.indexOf(LF, line); end !== -1; end = bytes.indexOf(LF, line)) {
      if (end - start >= MAX_REPLY_BYTES) throw tooLong();
      if (!isContinued(bytes, line, end)) {
        each(new ReplyIn(bytes, start, line, end));
        start = end + 1;
      }
      line = end + 1;
    }
    if (bytes.length - start >= MAX_REPLY_BYTES) throw tooLong();
    if (start < bytes.length) this.#rest = bytes.subarray(start);
  }
}

const tooLong = (): ReplyError => new ReplyError(`a reply is longer than ${MAX_REPLY_BYTES} bytes`);

class ReplyIn implements Reply {
  readonly code: number;
  readonly #bytes: Buffer;
  readonly #start: number;
  readonly #end: number;

  /** @param lastLine where its last line begins; `end` is that line's LF */
  constructor(bytes: Buffer, start: number, lastLine: number, end: number) {
    this.#bytes = bytes;
    this.#start = start;
    this.#end = end > lastLine && bytes[end - 1] === CR ? end - 1 : end;
    const code = codeAt(bytes, lastLine, end);
    this.code = lastLine === start || saysOnly(code, bytes, start, lastLine) ? code : 0;
  }

  text(): string {
    return this.#bytes.toString('utf8', this.#start, this.#end).replaceAll('\r\n', '\n');
  }
}

/** Whether further lines follow: a code and a hyphen. Anything else is a line of its own, be it a reply or not. */
function isContinued(bytes: Buffer, line: number, end: number): boolean {
  return end - line >= 4 && bytes[line + 3] === HYPHEN && codeAt(bytes, line, end) !== 0;
}

/** Whether every line before the last begins with this code. */
function saysOnly(code: number, bytes: Buffer, start: number, lastLine: number): boolean {
  for (let line = start; line < lastLine; line = bytes.indexOf(LF, line) + 1)
    if (codeAt(bytes, line, lastLine) !== code) return false;
  return true;
}

/** Three digits, or 0. */
function codeAt(bytes: Buffer, at: number, end: number): number {
  if (end - at < 3) return 0;
  let code = 0;
  for (let i = at; i < at + 3; i++) {
    const digit = (bytes[i] as number) - ZERO;
    if (digit < 0 || digit > 9) return 0;
    code = code * 10 + digit;
  }
  return code;
}
