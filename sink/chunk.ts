/** What one BDAT announced, while its bytes arrive (RFC 3030 §2). */
export interface Chunk {
  readonly size: number;
  /** Whether the message ends with it. */
  readonly last: boolean;
  /** Bytes still to come. */
  left: number;
  /** Said once all its bytes were read and discarded; undefined: they belong to the message. */
  readonly refusal: string | undefined;
}

/** Reads what follows the verb: ` <size>[ LAST]`. Null when it is something else: then nobody knows what follows. */
export function parseBdat(line: Buffer, start: number, end: number): { size: number; last: boolean } | null {
  const match = /^ +(\d{1,16})( +LAST)? *$/i.exec(line.toString('latin1', start, end));
  if (match === null) return null;
  const size = Number(match[1]);
  return Number.isSafeInteger(size) ? { size, last: match[2] !== undefined } : null;
}
