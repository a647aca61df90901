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
