const LESS = 0x3c;
const GREATER = 0x3e;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const AT = 0x40;
const COLON = 0x3a;
const SPACE = 0x20;
const DELETE = 0x7f;

/** RFC 5321 §4.5.3.1.3 allows 256 octets; some senders exceed it and relays commonly take it. */
const MAX_PATH_BYTES = 512;

/** A `<path>` of MAIL or RCPT, and where the command's parameters begin. `address` is '' for `<>`. */
export interface ParsedPath {
  readonly address: string;
  readonly ascii: boolean;
  readonly next: number;
}

/**
 * Reads the path at `start` of a command line that ends before `end` (RFC 5321 §4.1.2), source route taken off.
 * Returns null when it is none: no angle brackets, control characters, no `@`, too long.
 */
export function parsePath(line: Buffer, start: number, end: number): ParsedPath | null {
  let at = start;
  while (at < end && line[at] === SPACE) at += 1;
  if (line[at] !== LESS) return null;
  at += 1;
  let from = at;
  let quoted = false;
  let ascii = true;
  let lastAt = -1;
  for (; at < end; at += 1) {
    const byte = line[at] as number;
    if (byte < SPACE || byte === DELETE) return null;
    if (byte > DELETE) ascii = false;
    else if (quoted) {
      if (byte === BACKSLASH) at += 1;
      else if (byte === QUOTE) quoted = false;
    } else if (byte === QUOTE) quoted = true;
    else if (byte === AT) lastAt = at;
    else if (byte === COLON && line[from] === AT) from = at + 1;
    else if (byte === SPACE) return null;
    else if (byte === GREATER) break;
  }
  if (at >= end || at - from > MAX_PATH_BYTES) return null;
  const next = at + 1;
  if (next < end && line[next] !== SPACE) return null;
  if (at === from) return { address: '', ascii, next };
  if (lastAt <= from || lastAt === at - 1) return null;
  return { address: line.toString(ascii ? 'latin1' : 'utf8', from, at), ascii, next };
}
