/** Encoded bytes that can be put behind others, and what must be known of their lines to do so. */
export interface FixedLines {
  readonly bytes: Buffer;
  /** Columns of the first line, a soft line break not counted. */
  readonly head: number;
  /** Columns of the last line, the one that goes on behind these bytes. */
  readonly tail: number;
  /** Whether there is a line break between the first and the last. */
  readonly breaks: boolean;
}

/** A fixed text as the encoders know it. */
export interface FixedPiece {
  /** Starts with the second half of a CRLF, when what stands before it ends with the first. */
  readonly startsWithLf: boolean;
  readonly endsWithCr: boolean;
  /** As it is. Only where it is plain. */
  readonly plain: FixedLines;
  /** From the start of a line, with white space at its end as it is. */
  readonly quotedPrintable: FixedLines;
  readonly utf8: Buffer;
  /** Whole groups of three bytes, from the start of a line, without the first `skip` bytes and the `base64Rest`. */
  base64(skip: number): FixedLines;
  /** Bytes at the end that make no group of three after `skip` bytes were taken at the start. */
  base64Rest(skip: number): number;
}

/** @param softBreaks whether an `=` at the end of the first line is none of its columns */
export function linesOf(bytes: Buffer, softBreaks: boolean): FixedLines {
  const first = bytes.indexOf('\r\n');
  if (first < 0) return { bytes, head: bytes.length, tail: bytes.length, breaks: false };
  const head = softBreaks && bytes[first - 1] === 0x3d ? first - 1 : first;
  return { bytes, head, tail: bytes.length - (bytes.lastIndexOf('\r\n') + 2), breaks: true };
}
