/** A relay that says more than this in one reply is not speaking SMTP, bytes. */
const MAX_REPLY_BYTES = 64 * 1024;

const LF = 0x0a;
const CR = 0x0d;
const HYPHEN = 0x2d;
const ZERO = 0x30;

/** One whole reply (RFC 5321 §4.2). The text is only made when somebody asks for it: most replies are a 250 that nobody reads. */
export interface Reply {
  /** Basic code; 0 when the line has none. */
  readonly code: number;
  /** All its lines, without the last line's end. */
  text(): string;
}

/** A relay's reply is no reply: too long. The session is over. */
export class ReplyError extends Error {
  override readonly name = 'ReplyError';
  readonly code = 'REPLY_INVALID';
}

/** Cuts what a relay sends into replies, however the bytes are split into chunks. */
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
      const isLast = bytes[line + 3] !== HYPHEN || end - line < 4;
      if (isLast) {
        each(replyOf(bytes, start, line, end));
        start = end + 1;
      }
      line = end + 1;
    }
    if (start < bytes.length) this.#keep(bytes.subarray(start));
  }

  #keep(rest: Buffer): void {
    if (rest.length > MAX_REPLY_BYTES)
      throw new ReplyError(`a reply is longer than ${MAX_REPLY_BYTES} bytes`);
    this.#rest = rest;
  }
}

function replyOf(bytes: Buffer, start: number, lastLine: number, end: number): Reply {
  const textEnd = bytes[end - 1] === CR ? end - 1 : end;
  return {
    code: codeAt(bytes, lastLine, textEnd),
    text: () => bytes.toString('utf8', start, textEnd).replaceAll('\r\n', '\n'),
  };
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
