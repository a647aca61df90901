/** The end of the data: a line that holds a single dot (RFC 5321 §4.1.1.4). Bare LFs never end it. */
const END_OF_DATA = Buffer.from('\r\n.\r\n');

/** How much of a message is searched for its Message-ID. Headers beyond 64 KiB are no mail worth counting. */
const MAX_HEADER_BYTES = 64 * 1024;

/** RFC 5322 §2.1.1: a line has at most 998 octets. */
const MAX_MESSAGE_ID_BYTES = 998;

const CR = 0x0d;
const LF = 0x0a;
const DOT = 0x2e;
const SPACE = 0x20;
const TAB = 0x09;
const NAME = Buffer.from('message-id:');

/**
 * Receives the body of one message in any chunks: finds its end, counts its bytes, finds its Message-ID and, when
 * asked to, keeps its bytes.
 *
 * State: how many bytes of `CRLF . CRLF` the data seen so far ends with. The body begins as if a CRLF had just been
 * read (the one of the DATA command), so that a message may be empty.
 *
 * In the ordinary case a message is whole in one chunk: then nothing is copied.
 */
export class BodyReader {
  readonly #keep: boolean;
  readonly #maxBytes: number;
  #matched = 2;
  #ended = false;
  #size = 0;
  #messageId = '';
  #headers: Buffer[] = [];
  #headerBytes = 0;
  #pieces: Buffer[] = [];

  /** `maxBytes`: what exceeds it is counted but not kept. */
  constructor(keep: boolean, maxBytes: number) {
    this.#keep = keep;
    this.#maxBytes = maxBytes;
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** Bytes on the wire, without the final `. CRLF`. */
  get size(): number {
    return this.#size;
  }

  /** The Message-ID as it stands in the header, angle brackets included; empty when there is none. */
  get messageId(): string {
    return this.#messageId;
  }

  /** Takes the body's bytes of `chunk` from `start`; returns where the rest of the chunk (commands) begins. */
  read(chunk: Buffer, start: number): number {
    const first = this.#size === 0;
    const end = this.#findEnd(chunk, start);
    const stop = end === -1 ? chunk.length : end;
    this.#size += stop - start;
    if (end === -1) {
      this.#remember(chunk, start, stop);
      return stop;
    }
    this.#ended = true;
    if (first) {
      this.#messageId = findMessageId(chunk, start, stop);
    } else {
      this.#rememberHeader(chunk, start, stop);
      const headers = Buffer.concat(this.#headers);
      this.#messageId = findMessageId(headers, 0, headers.length);
      this.#headers = [];
    }
    if (this.#keep && this.#size <= this.#maxBytes)
      this.#pieces.push(Buffer.from(chunk.subarray(start, stop)));
    this.#size -= 3;
    return stop;
  }

  /** The message as its sender composed it: dot-stuffing undone (RFC 5321 §4.5.2). Empty unless kept. */
  content(): Buffer {
    const wire = Buffer.concat(this.#pieces);
    this.#pieces = [];
    return unstuff(wire.subarray(0, Math.max(0, wire.length - 3)));
  }

  /** Returns the index behind the end of the data, or -1 when it is not in this chunk. */
  #findEnd(chunk: Buffer, start: number): number {
    let at = start;
    while (this.#matched > 0 && at < chunk.length) {
      this.#matched = nextMatched(this.#matched, chunk[at] as number);
      at += 1;
      if (this.#matched === END_OF_DATA.length) return at;
    }
    if (at >= chunk.length) return -1;
    const found = chunk.indexOf(END_OF_DATA, at);
    if (found !== -1) return found + END_OF_DATA.length;
    for (let last = Math.max(at, chunk.length - END_OF_DATA.length + 1); last < chunk.length; last += 1) {
      this.#matched = nextMatched(this.#matched, chunk[last] as number);
    }
    return -1;
  }

  #remember(chunk: Buffer, start: number, stop: number): void {
    this.#rememberHeader(chunk, start, stop);
    if (!this.#keep) return;
    if (this.#size <= this.#maxBytes) this.#pieces.push(Buffer.from(chunk.subarray(start, stop)));
    else this.#pieces = [];
  }

  #rememberHeader(chunk: Buffer, start: number, stop: number): void {
    const room = MAX_HEADER_BYTES - this.#headerBytes;
    if (room <= 0) return;
    const piece = Buffer.from(chunk.subarray(start, Math.min(stop, start + room)));
    this.#headers.push(piece);
    this.#headerBytes += piece.length;
  }
}

/** One step of the automaton that recognises `CRLF . CRLF`. */
function nextMatched(matched: number, byte: number): number {
  if (byte === (END_OF_DATA[matched] as number)) return matched + 1;
  return byte === CR ? 1 : 0;
}

/** Finds the Message-ID field's value in the header section of `bytes[start, end)`. Empty when there is none. */
export function findMessageId(bytes: Buffer, start: number, end: number): string {
  let at = start;
  while (at < end) {
    const first = bytes[at] as number;
    if (first === CR || first === LF) return '';
    if ((first | 0x20) === 0x6d && isMessageIdName(bytes, at, end)) {
      return unfoldedValue(bytes, at + NAME.length, end);
    }
    while (at < end && bytes[at] !== LF) at += 1;
    at += 1;
  }
  return '';
}

function isMessageIdName(bytes: Buffer, at: number, end: number): boolean {
  if (at + NAME.length > end) return false;
  for (let index = 1; index < NAME.length; index += 1) {
    const expected = NAME[index] as number;
    const byte = bytes[at + index] as number;
    if (byte !== expected && (byte | 0x20) !== expected) return false;
  }
  return true;
}

/** Message-IDs are one token; it may be folded onto the next line (RFC 5322 §2.2.3). */
function unfoldedValue(bytes: Buffer, start: number, end: number): string {
  let from = start;
  while (from < end && isBlank(bytes, from)) from += 1;
  let to = from;
  while (to < end && to - from < MAX_MESSAGE_ID_BYTES && !isBlank(bytes, to)) to += 1;
  return bytes.toString('latin1', from, to);
}

function isBlank(bytes: Buffer, at: number): boolean {
  const byte = bytes[at];
  if (byte === SPACE || byte === TAB || byte === CR) return true;
  if (byte !== LF) return false;
  const next = bytes[at + 1];
  return next === SPACE || next === TAB;
}

/** Takes the first dot off every line that begins with one. */
export function unstuff(wire: Buffer): Buffer {
  let from = wire[0] === DOT ? 1 : 0;
  let dot = wire.indexOf('\r\n.', 0, 'latin1');
  if (dot === -1) return from === 0 ? wire : wire.subarray(from);
  const pieces: Buffer[] = [];
  while (dot !== -1) {
    pieces.push(wire.subarray(from, dot + 2));
    from = dot + 3;
    dot = wire.indexOf('\r\n.', from, 'latin1');
  }
  pieces.push(wire.subarray(from));
  return Buffer.concat(pieces);
}
