import { Base64Lines } from './base64-lines.ts';
import type { ByteWriter } from './byte-writer.ts';
import { FixedText, MAX_PLAIN_COLUMNS } from './fixed-text.ts';
import { latinMargin } from './latin.ts';
import { PlainLines } from './plain-lines.ts';
import { QuotedPrintable } from './quoted-printable.ts';
import type { Template } from './template.ts';
import { type Contexts, piecesOf, type TemplateParts } from './template-program.ts';

/** Content-Transfer-Encoding, RFC 2045 §6. */
export type TransferEncoding = '7bit' | 'quoted-printable' | 'base64';

/** What one recipient's text or html consists of: fixed texts of the template and values. */
export type BodyPieces = readonly (FixedText | string)[];

/** The template of a text or html part with its fixed texts ready to be encoded. */
export class Body {
  readonly #template: Template;
  readonly #parts: TemplateParts<FixedText>;
  readonly hasSections: boolean;

  constructor(template: Template) {
    this.#template = template;
    this.#parts = withFixedTexts(template.parts);
    this.hasSections = template.parts.some((part) => part.kind === 'section');
  }

  /** @throws TemplateError `TEMPLATE_TOO_LARGE` */
  pieces(contexts: Contexts): BodyPieces {
    return piecesOf(this.#parts, this.#template.mode, contexts);
  }
}

function withFixedTexts(parts: TemplateParts): TemplateParts<FixedText> {
  return parts.map((part) => {
    if (part.kind === 'text') return new FixedText(part.text);
    return part.kind === 'section' ? { ...part, parts: withFixedTexts(part.parts) } : part;
  });
}

/** Nothing would be in the part: then there is no such part. */
export function isEmpty(pieces: BodyPieces): boolean {
  return pieces.every((piece) => /^\0*$/.test(typeof piece === 'string' ? piece : piece.text));
}

/** What the composer would choose, but that a line which starts with a dot is reason enough to encode. */
export function encodingOf(pieces: BodyPieces): TransferEncoding {
  return isPlain(pieces) ? '7bit' : latinPrevails(pieces) ? 'quoted-printable' : 'base64';
}

export function writeBody(out: ByteWriter, encoding: TransferEncoding, pieces: BodyPieces): void {
  const lines = linesIn(encoding, out);
  for (const piece of pieces) {
    if (typeof piece === 'string') lines.value(piece);
    else lines.fixed(piece);
  }
  lines.end();
}

function linesIn(encoding: TransferEncoding, out: ByteWriter): PlainLines | QuotedPrintable | Base64Lines {
  switch (encoding) {
    case '7bit':
      return new PlainLines(out);
    case 'quoted-printable':
      return new QuotedPrintable(out);
    case 'base64':
      return new Base64Lines(out);
  }
}

/** ASCII without control characters, in short lines, none of which starts with a dot. */
function isPlain(pieces: BodyPieces): boolean {
  let column = 0;
  for (const piece of pieces) {
    if (typeof piece === 'string') {
      for (let i = 0; i < piece.length; i++) {
        const code = piece.charCodeAt(i);
        if (code === 13 || code === 10) column = 0;
        else if (code > 0x7f || (code < 0x20 && code !== 9) || (code === 0x2e && column === 0)) return false;
        else if (++column > MAX_PLAIN_COLUMNS) return false;
      }
    } else {
      if (!piece.isPlain || (column === 0 && piece.text.startsWith('.'))) return false;
      const { head, tail, breaks } = piece.plain;
      if (column + head > MAX_PLAIN_COLUMNS) return false;
      column = breaks ? tail : column + tail;
    }
  }
  return true;
}

/** More Latin letters than characters beyond ASCII, which quoted-printable makes three to six times longer. */
function latinPrevails(pieces: BodyPieces): boolean {
  let margin = 0;
  let valueChars = 0;
  for (const piece of pieces) {
    if (typeof piece === 'string') valueChars += piece.length;
    else margin += piece.latinMargin;
  }
  // The values cannot change what the fixed texts say, mostly.
  if (margin > valueChars) return true;
  if (margin + valueChars <= 0) return false;
  for (const piece of pieces) if (typeof piece === 'string') margin += latinMargin(piece);
  return margin > 0;
}
