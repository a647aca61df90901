import type { ByteWriter } from './byte-writer.ts';
import type { FixedPiece } from './fixed-lines.ts';

/** RFC 2045 §6.7 (5) allows 76, of which the last is for the `=` of a soft line break. */
const MAX_COLUMNS = 75;
/** How many characters are encoded between two looks at the room that is left. */
const SLICE_CHARS = 4096;
/** A character of the text takes 9 bytes at most, and a soft line break 3 of 70; and some for what stands before. */
const BYTES_PER_CHAR = 10;
const SPARE_BYTES = 64;

const HEX = Buffer.from('0123456789ABCDEF');
const CR = 13;
const LF = 10;
const SPACE = 32;
const TAB = 9;
const DOT = 46;
const EQUALS = 61;

/**
 * Writes a part as quoted-printable (RFC 2045 §6.7), piece by piece. Line ends of the text (CRLF, CR or LF) become CRLF, NULs
 * are left out, and a lone surrogate is U+FFFD. No line is longer than 76, none starts with a dot (so that the bytes
 * need no dot-stuffing, and a relay that stuffs wrongly cannot end a message), none ends with white space.
 *
 * A fixed text was encoded from the start of a line: it is copied behind what stands there when its first line fits, and
 * else behind a soft line break.
 */
export class QuotedPrintable {
  readonly #out: ByteWriter;
  #column = 0;
  /** A CR was written as a line end: an LF that comes now belongs to it. */
  #afterCr = false;

  constructor(out: ByteWriter) {
    this.#out = out;
  }

  fixed(text: FixedPiece): void {
    const out = this.#out;
    const { bytes, head, tail, breaks } = text.quotedPrintable;
    if (bytes.length === 0) return;
    let from = 0;
    if (text.startsWithLf) {
      if (this.#afterCr) from = 2;
      else this.#closeLine();
    } else if (bytes[0] === CR) this.#closeLine();
    out.reserve(bytes.length + 3);
    if (this.#column > 0 && this.#column + head > MAX_COLUMNS) this.#softBreak();
    out.buffer.set(from === 0 ? bytes : bytes.subarray(from), out.length);
    out.length += bytes.length - from;
    this.#column = breaks ? tail : this.#column + tail;
    this.#afterCr = text.endsWithCr;
  }

  value(text: string): void {
    for (let from = 0; from < text.length; ) {
      let to = Math.min(from + SLICE_CHARS, text.length);
      // A pair stays together.
      if (to < text.length && (text.charCodeAt(to) & 0xfc00) === 0xdc00) to++;
      this.#slice(text, from, to);
      from = to;
    }
  }

  #slice(text: string, from: number, to: number): void {
    const out = this.#out;
    out.reserve((to - from) * BYTES_PER_CHAR + SPARE_BYTES);
    const { buffer } = out;
    let at = out.length;
    let column = this.#column;
    let afterCr = this.#afterCr;
    for (let i = from; i < to; i++) {
      let code = text.charCodeAt(i);
      if (code === LF && afterCr) {
        afterCr = false;
        continue;
      }
      if (code === 0) continue;
      afterCr = false;
      if (code === CR || code === LF) {
        afterCr = code === CR;
        const last = buffer[at - 1];
        if (column > 0 && (last === SPACE || last === TAB)) at = escapeLast(buffer, at, column);
        buffer[at++] = CR;
        buffer[at++] = LF;
        column = 0;
        continue;
      }
      if (column >= MAX_COLUMNS) {
        at = softBreak(buffer, at);
        column = 0;
      }
      if (isLiteral(code) && !(code === DOT && column === 0)) {
        buffer[at++] = code;
        column++;
        continue;
      }
      let width = 3;
      if (code >= 0x80) {
        if ((code & 0xf800) === 0xd800) {
          const next = code < 0xdc00 && i + 1 < to ? text.charCodeAt(i + 1) : 0;
          if ((next & 0xfc00) === 0xdc00) {
            code = 0x10000 + ((code & 0x3ff) << 10) + (next & 0x3ff);
            i++;
          } else code = 0xfffd;
        }
        width = code < 0x800 ? 6 : code < 0x10000 ? 9 : 12;
      }
      if (column + width > MAX_COLUMNS) {
        at = softBreak(buffer, at);
        column = 0;
      }
      column += width;
      if (code < 0x80) at = escaped(buffer, at, code);
      else if (code < 0x800) at = escaped(buffer, at, 0xc0 | (code >> 6));
      else {
        if (code < 0x10000) at = escaped(buffer, at, 0xe0 | (code >> 12));
        else {
          at = escaped(buffer, at, 0xf0 | (code >> 18));
          at = escaped(buffer, at, 0x80 | ((code >> 12) & 0x3f));
        }
        at = escaped(buffer, at, 0x80 | ((code >> 6) & 0x3f));
      }
      if (code >= 0x80) at = escaped(buffer, at, 0x80 | (code & 0x3f));
    }
    out.length = at;
    this.#column = column;
    this.#afterCr = afterCr;
  }

  /** The end of the part. */
  end(): void {
    this.#closeLine();
  }

  /** What comes now is a line end. White space before it might get lost: it is encoded (RFC 2045 §6.7 (3)). */
  #closeLine(): void {
    const out = this.#out;
    const last = out.buffer[out.length - 1];
    const column = this.#column;
    this.#column = 0;
    if (column === 0 || (last !== SPACE && last !== TAB)) return;
    out.reserve(SPARE_BYTES);
    out.length = escapeLast(out.buffer, out.length, column);
  }

  #softBreak(): void {
    this.#out.length = softBreak(this.#out.buffer, this.#out.length);
    this.#column = 0;
  }
}

/** RFC 2045 §6.7 (2) and (3), without line ends: white space counts as literal until a line ends with it. */
function isLiteral(code: number): boolean {
  return (code >= SPACE && code <= 0x7e && code !== EQUALS) || code === TAB;
}

function escaped(buffer: Buffer, at: number, byte: number): number {
  buffer[at] = EQUALS;
  buffer[at + 1] = HEX[byte >> 4] ?? 0;
  buffer[at + 2] = HEX[byte & 15] ?? 0;
  return at + 3;
}

function softBreak(buffer: Buffer, at: number): number {
  buffer[at] = EQUALS;
  buffer[at + 1] = CR;
  buffer[at + 2] = LF;
  return at + 3;
}

/** Encodes the last byte of a line of so many columns, on a line of its own when it does not fit any more. */
function escapeLast(buffer: Buffer, at: number, column: number): number {
  const last = buffer[at - 1] ?? SPACE;
  const start = column + 2 > MAX_COLUMNS + 1 ? softBreak(buffer, at - 1) : at - 1;
  return escaped(buffer, start, last);
}
