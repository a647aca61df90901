import type { ByteWriter } from './byte-writer.ts';
import type { FixedPiece } from './fixed-lines.ts';

const CR = 13;
const LF = 10;

/**
 * Writes a part as it is (7bit), piece by piece, with CRLF for its line ends. That the pieces are fit for it was looked at
 * before (`encodingOf`).
 */
export class PlainLines {
  readonly #out: ByteWriter;
  #afterCr = false;

  constructor(out: ByteWriter) {
    this.#out = out;
  }

  fixed(text: FixedPiece): void {
    const { bytes } = text.plain;
    if (bytes.length === 0) return;
    this.#out.bytes(this.#afterCr && text.startsWithLf ? bytes.subarray(2) : bytes);
    this.#afterCr = text.endsWithCr;
  }

  value(text: string): void {
    const out = this.#out;
    out.reserve(text.length * 2);
    const { buffer } = out;
    let at = out.length;
    let afterCr = this.#afterCr;
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i);
      if (code === CR || code === LF) {
        if (code === CR || !afterCr) {
          buffer[at++] = CR;
          buffer[at++] = LF;
        }
      } else buffer[at++] = code;
      afterCr = code === CR;
    }
    out.length = at;
    this.#afterCr = afterCr;
  }

  /** The end of the part. */
  end(): void {}
}
