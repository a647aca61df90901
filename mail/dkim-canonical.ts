import { hash } from 'node:crypto';

const CR = 13;
const LF = 10;
const SPACE = 32;
const TAB = 9;

/** The header fields of a message by their names in lower case; of several with one name the last. Values as latin1. */
export type HeaderFields = ReadonlyMap<string, string>;

/** A message cut at the empty line: its fields and where its body starts. Line ends are CRLF. */
export function readHeader(message: Buffer): { readonly fields: HeaderFields; readonly bodyStart: number } {
  const end = message.indexOf('\r\n\r\n');
  const header = message.toString('latin1', 0, end < 0 ? message.length : end);
  const fields = new Map<string, string>();
  for (const field of header.replace(/\r\n(?=[ \t])/g, '').split('\r\n')) {
    const colon = field.indexOf(':');
    if (colon > 0) fields.set(field.slice(0, colon).trimEnd().toLowerCase(), field.slice(colon + 1));
  }
  return { fields, bodyStart: end < 0 ? message.length : end + 4 };
}

/** A field as it is signed, without its line end (RFC 6376 §3.4.2): the value unfolded, white space as single spaces. */
export function relaxedField(name: string, value: string): string {
  return `${name}:${value.replace(/[ \t]+/g, ' ').replace(/^ | $/g, '')}`;
}

/** The SHA-256 of a body, relaxed, as base64. */
export function relaxedBodyHash(body: Buffer): string {
  return hash('sha256', relaxedBody(body), 'base64');
}

/**
 * A body as it is signed (RFC 6376 §3.4.4): no white space at the ends of lines, other white space as single spaces, no
 * empty lines at the end. Line ends are CRLF; an unfinished last line gets one. Most of a body is that already.
 */
function relaxedBody(body: Buffer): Buffer {
  const from = firstOddSpace(body);
  // A line end that is added is all that can make it longer.
  const relaxed = from === body.length && endsLine(body, from) ? body : Buffer.allocUnsafe(body.length + 2);
  let length = from;
  if (relaxed !== body) {
    body.copy(relaxed, 0, 0, from);
    length = relaxSpaces(body, from, relaxed);
    if (length > 0 && !endsLine(relaxed, length)) {
      relaxed[length++] = CR;
      relaxed[length++] = LF;
    }
  }
  while (length > 2 && endsLine(relaxed, length - 2)) length -= 2;
  return relaxed.subarray(0, length === 2 ? 0 : length);
}

function endsLine(bytes: Buffer, length: number): boolean {
  return length >= 2 && bytes[length - 1] === LF && bytes[length - 2] === CR;
}

/** Where the first white space is that is not a single space within a line. */
function firstOddSpace(body: Buffer): number {
  for (let i = 0; i < body.length; i++) {
    const byte = body[i] ?? 0;
    if (byte > SPACE) continue;
    if (byte === TAB) return i;
    if (byte !== SPACE) continue;
    const next = body[i + 1] ?? CR;
    if (next === SPACE || next === TAB || next === CR) return i;
  }
  return body.length;
}

/** Writes the rest of a body to the same place of `relaxed`, and returns where it ends there. */
function relaxSpaces(body: Buffer, from: number, relaxed: Buffer): number {
  let length = from;
  let space = false;
  for (let i = from; i < body.length; i++) {
    const byte = body[i] ?? 0;
    if (byte === SPACE || byte === TAB) {
      space = true;
      continue;
    }
    if (space && !(byte === CR && body[i + 1] === LF)) relaxed[length++] = SPACE;
    space = false;
    relaxed[length++] = byte;
  }
  return length;
}
