/** A Message-ID that says which recipient of which batch it belongs to (RFC 5322 §3.6.4). */
export interface MessageIdParts {
  readonly batch: string;
  readonly seq: number;
  readonly domain: string;
}

const MESSAGE_ID =
  /^<([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\.(0|[1-9][0-9]{0,14})@([a-z0-9.-]{1,255})>$/;

/**
 * `<batch.seq@domain>`: the same at every attempt, different for every recipient.
 *
 * @param domain the domain of the From address, in A-labels
 */
export function messageIdOf(batch: string, seq: number, domain: string): string {
  return `<${batch}.${seq}@${domain}>`;
}

/** What `messageIdOf` was given (lower-case UUIDs); undefined for a Message-ID of another kind. */
export function parseMessageId(messageId: string): MessageIdParts | undefined {
  const match = MESSAGE_ID.exec(messageId);
  return match ? { batch: match[1] ?? '', seq: Number(match[2]), domain: match[3] ?? '' } : undefined;
}

const MAX_SEQ_DIGITS = 15;
const ZERO = 48;
const NINE = 57;

/** The Message-IDs of one batch and sender, which differ in their seq only: each is recognised without being parsed. */
export class MessageIdFamily {
  readonly #start: string;
  readonly #end: string;

  constructor({ batch, domain }: MessageIdParts) {
    this.#start = `<${batch}.`;
    this.#end = `@${domain}>`;
  }

  /** Whether `parseMessageId` would find the same batch and domain. */
  isSibling(messageId: string): boolean {
    const from = this.#start.length;
    const to = messageId.length - this.#end.length;
    if (to <= from || to - from > MAX_SEQ_DIGITS) return false;
    if (!messageId.startsWith(this.#start) || !messageId.endsWith(this.#end)) return false;
    if (messageId.charCodeAt(from) === ZERO) return to - from === 1;
    for (let i = from; i < to; i++) {
      const code = messageId.charCodeAt(i);
      if (code < ZERO || code > NINE) return false;
    }
    return true;
  }
}
