import type { ByteWriter } from './byte-writer.ts';
import type { FixedPiece } from './fixed-lines.ts';

/** RFC 2045 §6.8. */
const MAX_COLUMNS = 76;
const SLICE_CHARS = 4096;
/** UTF-8 has 3 bytes for a character at most, base64 makes 4 of 3, and every 76th is followed by a line break. */
const BYTES_PER_CHAR = 5;
const SPARE_BYTES = 16;
/** A fixed text below this is encoded again: two short lines would cost more. */
const SHORT_BYTES = 48;

const ALPHABET = Buffer.from('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/');
const CR = 13;
const LF = 10;
const EQUALS = 61;

/**
 * Writes a part as base64 (RFC 2045 §6.8), piece by piece. Line ends of the text (CRLF, CR or LF) become CRLF, NULs are left
 * out, and a lone surrogate is U+FFFD. Up to two bytes wait for the ones that complete their group.
 *
 * A fixed text was encoded for each of the three places it can have in a group: it is copied to a line of its own.
 */
export class Base64Lines {
  readonly #out: ByteWriter;
  #column = 0;
  #afterCr = false;
  /** The bytes of the incomplete group, and how many. */
  #group = 0;
  #waiting = 0;

  constructor(out: ByteWriter) {
    this.#out = out;
  }

  fixed(text: FixedPiece): void {
    const { utf8 } = text;
    if (utf8.length === 0) return;
    const from = this.#afterCr && text.startsWithLf ? 2 : 0;
    this.#afterCr = text.endsWithCr;
    if (from > 0 || utf8.length < SHORT_BYTES) {
      this.utf8(from === 0 ? utf8 : utf8.subarray(from));
      return;
    }
    const skip = this.#waiting === 0 ? 0 : 3 - this.#waiting;
    this.utf8(utf8.subarray(0, skip));
    if (this.#column > 0) this.#out.crlf();
    const { bytes, tail } = text.base64(skip);
    this.#out.bytes(bytes);
    this.#column = tail;
    this.utf8(utf8.subarray(utf8.length - text.base64Rest(skip)));
  }

  /** Bytes as they are, line ends and all. */
  utf8(bytes: Uint8Array): void {
    const out = this.#out;
    out.reserve(bytes.length * 2 + SPARE_BYTES);
    for (let i = 0; i < bytes.length; i++) this.#byte(bytes[i] ?? 0);
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
    this.#out.reserve((to - from) * BYTES_PER_CHAR + SPARE_BYTES);
    for (let i = from; i < to; i++) {
      let code = text.charCodeAt(i);
      if (code === 0) continue;
      const afterCr = this.#afterCr;
      this.#afterCr = code === CR;
      if (code === CR || code === LF) {
        if (code === LF && afterCr) continue;
        this.#byte(CR);
        this.#byte(LF);
        continue;
      }
      if (code < 0x80) {
        this.#byte(code);
        continue;
      }
      if ((code & 0xf800) === 0xd800) {
        const next = code < 0xdc00 && i + 1 < to ? text.charCodeAt(i + 1) : 0;
        if ((next & 0xfc00) === 0xdc00) {
          code = 0x10000 + ((code & 0x3ff) << 10) + (next & 0x3ff);
          i++;
        } else code = 0xfffd;
      }
      if (code < 0x800) this.#byte(0xc0 | (code >> 6));
      else {
        if (code < 0x10000) this.#byte(0xe0 | (code >> 12));
        else {
          this.#byte(0xf0 | (code >> 18));
          this.#byte(0x80 | ((code >> 12) & 0x3f));
        }
        this.#byte(0x80 | ((code >> 6) & 0x3f));
      }
      this.#byte(0x80 | (code & 0x3f));
    }
  }

  /** The end of the part. */
  end(): void {
    if (this.#waiting === 0) return;
    const padding = 3 - this.#waiting;
    this.#out.reserve(SPARE_BYTES);
    while (this.#waiting > 0) this.#byte(0);
    this.#out.buffer.fill(EQUALS, this.#out.length - padding, this.#out.length);
  }

  /** There must be room. */
  #byte(byte: number): void {
    const group = (this.#group << 8) | byte;
    if (this.#waiting < 2) {
      this.#group = group;
      this.#waiting++;
      return;
    }
    this.#group = 0;
    this.#waiting = 0;
    const out = this.#out;
    const { buffer } = out;
    let at = out.length;
    if (this.#column >= MAX_COLUMNS) {
      buffer[at++] = CR;
      buffer[at++] = LF;
      this.#column = 0;
    }
    buffer[at] = ALPHABET[group >> 18] ?? 0;
    buffer[at + 1] = ALPHABET[(group >> 12) & 63] ?? 0;
    buffer[at + 2] = ALPHABET[(group >> 6) & 63] ?? 0;
    buffer[at + 3] = ALPHABET[group & 63] ?? 0;
    out.length = at + 4;
    this.#column += 4;
  }
}
