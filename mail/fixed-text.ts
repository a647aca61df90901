import { Base64Lines } from './base64-lines.ts';
import { ByteWriter } from './byte-writer.ts';
import { type FixedLines, type FixedPiece, linesOf } from './fixed-lines.ts';
import { latinMargin } from './latin.ts';
import { QuotedPrintable } from './quoted-printable.ts';
import type { TextPart } from './template-program.ts';

/** A line of 7bit, RFC 2045 §2.7 would allow 998: longer ones are encoded, as the composer does it. */
export const MAX_PLAIN_COLUMNS = 76;

/**
 * A fixed stretch of a body's template: encoded once, in each encoding when it is first asked for, and from then on
 * copied. The text has CRLF, CR or LF for its line ends, its encoded forms have CRLF.
 */
export class FixedText implements TextPart, FixedPiece {
  readonly kind = 'text';
  readonly text: string;
  /** May stand in a part that is not encoded, as far as that can be said of a stretch. */
  readonly isPlain: boolean;
  readonly startsWithLf: boolean;
  readonly endsWithCr: boolean;
  /** Latin letters less everything beyond ASCII: what the choice between quoted-printable and base64 goes by. */
  readonly latinMargin: number;
  readonly #lines: string;
  #plain: FixedLines | undefined;
  #quotedPrintable: FixedLines | undefined;
  readonly #base64: (FixedLines | undefined)[] = [];
  #utf8: Buffer | undefined;

  constructor(text: string) {
    this.text = text;
    this.#lines = text.replaceAll('\0', '').replace(/\r\n|\r|\n/g, '\r\n');
    this.startsWithLf = text.startsWith('\n');
    this.endsWithCr = text.endsWith('\r');
    this.latinMargin = latinMargin(text);
    this.isPlain = isPlainText(this.#lines);
  }

  get plain(): FixedLines {
    this.#plain ??= linesOf(Buffer.from(this.#lines, 'latin1'), false);
    return this.#plain;
  }

  get quotedPrintable(): FixedLines {
    if (this.#quotedPrintable === undefined) {
      const out = new ByteWriter();
      new QuotedPrintable(out).value(this.#lines);
      this.#quotedPrintable = linesOf(out.take(), true);
    }
    return this.#quotedPrintable;
  }

  get utf8(): Buffer {
    this.#utf8 ??= Buffer.from(this.#lines);
    return this.#utf8;
  }

  base64(skip: number): FixedLines {
    let lines = this.#base64[skip];
    if (lines === undefined) {
      const { utf8 } = this;
      const out = new ByteWriter();
      new Base64Lines(out).utf8(utf8.subarray(skip, utf8.length - this.base64Rest(skip)));
      lines = linesOf(out.take(), false);
      this.#base64[skip] = lines;
    }
    return lines;
  }

  base64Rest(skip: number): number {
    return (this.utf8.length - skip) % 3;
  }
}

/** ASCII without control characters, its inner lines short enough and none of them starting with a dot. */
function isPlainText(lines: string): boolean {
  if (/[^\t\r\n\x20-\x7f]/.test(lines)) return false;
  return lines
    .split('\r\n')
    .every((line, index) => line.length <= MAX_PLAIN_COLUMNS && (index === 0 || !line.startsWith('.')));
}
