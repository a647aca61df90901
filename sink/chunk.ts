import type { Transaction } from './transaction.ts';

/** The answer to DATA and BDAT when every recipient was refused (RFC 5321 §3.3). */
export const NO_RECIPIENTS = '554 5.5.1 No valid recipients\r\n';

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

/** Why the bytes of a BDAT that comes now will be read for nothing, if they will (RFC 3030 §2). */
export function bdatRefusal(transaction: Transaction | undefined, isOffered: boolean): string | undefined {
  if (!isOffered) return '502 5.5.1 CHUNKING is not offered\r\n';
  if (transaction === undefined) return '503 5.5.1 Need MAIL and RCPT first\r\n';
  if (transaction.failed) return '503 5.5.1 The message has failed already; need RSET\r\n';
  return transaction.to.length === 0 ? NO_RECIPIENTS : undefined;
}
