/** How much of a message is searched for its Message-ID. Headers beyond 64 KiB are no mail worth counting. */
const MAX_HEADER_BYTES = 64 * 1024;

/** RFC 5322 §2.1.1: a line has at most 998 octets. */
const MAX_MESSAGE_ID_BYTES = 998;

const CR = 0x0d;
const LF = 0x0a;
const SPACE = 0x20;
const TAB = 0x09;
const NAME = Buffer.from('message-id:');

/**
 * Finds the Message-ID in a message that arrives in any pieces.
 *
 * States: undecided (what was read is kept, at most 64 KiB, because the header went on) → found, or known to be
 * missing (then nothing is kept, nor looked at any more). In the ordinary case the first piece decides, and nothing
 * is copied.
 */
export class MessageIdScan {
  #found: string | undefined;
  #kept: Buffer[] = [];
  #keptBytes = 0;
  /** What is kept is searched anew when it has doubled: so often that little is kept, so seldom that it costs little. */
  #searchAtBytes = 0;

  /** Takes the message's next bytes, `bytes[start, stop)`. */
  read(bytes: Buffer, start: number, stop: number): void {
    if (this.#found !== undefined || start === stop) return;
    const end = Math.min(stop, start + MAX_HEADER_BYTES - this.#keptBytes);
    if (this.#keptBytes === 0) this.#found = searchMessageId(bytes, start, end, false);
    if (this.#found === undefined) this.#keep(bytes, start, end);
  }

  /** The message is over. Its Message-ID, angle brackets included; empty when there is none. */
  end(): string {
    if (this.#found === undefined) this.#search(true);
    return this.#found ?? '';
  }

  #keep(bytes: Buffer, start: number, end: number): void {
    if (start === end) return;
    const isFirst = this.#keptBytes === 0;
    this.#kept.push(Buffer.from(bytes.subarray(start, end)));
    this.#keptBytes += end - start;
    if (isFirst) this.#searchAtBytes = 2 * this.#keptBytes;
    else if (this.#keptBytes >= this.#searchAtBytes) this.#search(false);
  }

  #search(isWhole: boolean): void {
    const header = this.#kept.length === 1 ? (this.#kept[0] as Buffer) : Buffer.concat(this.#kept);
    this.#found = searchMessageId(header, 0, header.length, isWhole);
    this.#kept = this.#found === undefined ? [header] : [];
    this.#searchAtBytes = 2 * header.length;
  }
}

/** Finds the Message-ID field's value in the header section of `bytes[start, end)`. Empty when there is none. */
export function findMessageId(bytes: Buffer, start: number, end: number): string {
  return searchMessageId(bytes, start, end, true) ?? '';
}

/** As `findMessageId`; undefined when bytes behind `end` could still change the answer, unless that is the whole. */
function searchMessageId(bytes: Buffer, start: number, end: number, isWhole: boolean): string | undefined {
  let at = start;
  while (at < end) {
    const first = bytes[at] as number;
    if (first === CR || first === LF) return '';
    if ((first | 0x20) === 0x6d && isMessageIdName(bytes, at, end)) {
      return unfoldedValue(bytes, at + NAME.length, end, isWhole);
    }
    while (at < end && bytes[at] !== LF) at += 1;
    at += 1;
  }
  return isWhole ? '' : undefined;
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
function unfoldedValue(bytes: Buffer, start: number, end: number, isWhole: boolean): string | undefined {
  let from = start;
  while (from < end && isBlankOrFold(bytes, from, end)) from += 1;
  let to = from;
  while (to < end && to - from < MAX_MESSAGE_ID_BYTES && !endsToken(bytes[to] as number)) to += 1;
  // A line's last LF may turn out to be a fold, and a token that reaches the end may go on.
  const mayGoOn = to === end || (from === to && to === end - 1);
  if (mayGoOn && to - from < MAX_MESSAGE_ID_BYTES && !isWhole) return undefined;
  return bytes.toString('latin1', from, to);
}

function isBlankOrFold(bytes: Buffer, at: number, end: number): boolean {
  const byte = bytes[at];
  if (byte === SPACE || byte === TAB || byte === CR) return true;
  if (byte !== LF || at + 1 >= end) return false;
  const next = bytes[at + 1];
  return next === SPACE || next === TAB;
}

function endsToken(byte: number): boolean {
  return byte === SPACE || byte === TAB || byte === CR || byte === LF;
}
