import type { ReceivedBody } from './contract.ts';
import { MessageIdScan } from './message-id.ts';

/** The end of the data: a line that holds a single dot (RFC 5321 §4.1.1.4). Bare LFs never end it. */
const END_OF_DATA = Buffer.from('\r\n.\r\n');
/** The CRLF before the dot belongs to the message. */
const FINAL_DOT_BYTES = 3;

const CR = 0x0d;
const DOT = 0x2e;

/**
 * Receives the body of one message in any chunks: finds its end, counts its bytes, finds its Message-ID and, when
 * asked to, keeps its bytes.
 *
 * State: how many bytes of `CRLF . CRLF` the data seen so far ends with. The body begins as if a CRLF had just been
 * read (the one of the DATA command), so that a message may be empty.
 *
 * In the ordinary case a message is whole in one chunk: then nothing is copied.
 */
export class BodyReader implements ReceivedBody {
  readonly #keep: boolean;
  readonly #maxBytes: number;
  readonly #scan = new MessageIdScan();
  #matched = 2;
  #ended = false;
  #size = 0;
  #messageId = '';
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
    const end = this.#findEnd(chunk, start);
    const stop = end === -1 ? chunk.length : end;
    this.#size += stop - start;
    this.#scan.read(chunk, start, stop);
    this.#remember(chunk, start, stop);
    if (end === -1) return stop;
    this.#ended = true;
    this.#messageId = this.#scan.end();
    this.#size -= FINAL_DOT_BYTES;
    return stop;
  }

  /** The message as its sender composed it: dot-stuffing undone (RFC 5321 §4.5.2). Empty unless kept. */
  content(): Buffer {
    const wire = Buffer.concat(this.#pieces);
    this.#pieces = [];
    return unstuff(wire.subarray(0, Math.max(0, wire.length - FINAL_DOT_BYTES)));
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
    if (!this.#keep) return;
    if (this.#size <= this.#maxBytes + FINAL_DOT_BYTES)
      this.#pieces.push(Buffer.from(chunk.subarray(start, stop)));
    else this.#pieces = [];
  }
}

/** One step of the automaton that recognises `CRLF . CRLF`. */
function nextMatched(matched: number, byte: number): number {
  if (byte === (END_OF_DATA[matched] as number)) return matched + 1;
  return byte === CR ? 1 : 0;
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
