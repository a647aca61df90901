import { Buffer } from 'node:buffer';
import { MAX_ADDRESS_CHARS, type RejectedRow } from '../protocol/index.ts';
import type { Rejection, Row, Rows } from './recipients.ts';

/** Recipients in one frame: enough to make the frame's own cost small, few enough to keep two of them cheap to hold. */
export const CHUNK_RECIPIENTS = 2_000;
/** Bytes of one frame's recipients: half of MAX_FRAME_BYTES. The row that goes beyond opens the next frame. */
export const CHUNK_BYTES = 512 * 1024;
/** Largest single row, bytes of its JSON: with what a frame may already hold it stays below MAX_FRAME_BYTES. */
const ROW_BYTES = 384 * 1024;
/** Longest display name (RFC 5322 §2.1.1 ends a line at 998), characters. */
const NAME_CHARS = 1_000;
/** Characters of a wrong address that are repeated in a rejection. */
const SHOWN_CHARS = 200;

interface Place {
  readonly row: number;
  readonly origin?: string;
}

/** Recipients ready to be sent, each already as JSON, and where each one came from. */
export class Chunk {
  readonly #json: string[] = [];
  readonly #places: Place[] = [];
  /** Recipients in the chunks before: the server counts rows from 1 over what it was sent. */
  readonly #base: number;
  #bytes = 0;

  constructor(base: number) {
    this.#base = base;
  }

  get size(): number {
    return this.#json.length;
  }

  hasRoomFor(bytes: number): boolean {
    return this.size < CHUNK_RECIPIENTS && this.#bytes + bytes <= CHUNK_BYTES;
  }

  add(json: string, bytes: number, place: Place): void {
    this.#json.push(json);
    this.#places.push(place);
    this.#bytes += bytes + 1;
  }

  /** The RECIPIENTS frame. */
  frame(req: number): string {
    return `{"CLIENT":"RECIPIENTS","REQ":${req},"RECIPIENTS":[${this.#json.join(',')}]}`;
  }

  /** A rejection by the server, with the row's own number and origin. */
  locate({ ROW, ADDRESS, REASON }: RejectedRow): Rejection {
    const place = this.#places[ROW - 1 - this.#base];
    const origin = place?.origin === undefined ? {} : { origin: place.origin };
    return { row: place?.row ?? ROW, address: ADDRESS, reason: REASON, ...origin };
  }
}

/**
 * Packs rows into chunks of bounded size, reading ahead no further than the row that opens the next chunk. Rows that no
 * frame can carry go to `onRejected` instead, so that they do not stop the others.
 */
export async function* chunksOf(
  rows: Rows,
  onRejected: (rejection: Rejection) => void,
): AsyncGenerator<Chunk> {
  let row = 0;
  let sent = 0;
  let chunk = new Chunk(sent);
  for await (const input of rows) {
    row++;
    const origin = input.origin === undefined ? {} : { origin: input.origin };
    const written = write(input);
    if (!written.ok) {
      const address = typeof input.address === 'string' ? input.address.slice(0, SHOWN_CHARS) : '';
      onRejected({ row, address, reason: written.reason, ...origin });
      continue;
    }
    const { json, bytes } = written;
    if (!chunk.hasRoomFor(bytes)) {
      sent += chunk.size;
      yield chunk;
      chunk = new Chunk(sent);
    }
    chunk.add(json, bytes, { row, ...origin });
  }
  if (chunk.size > 0) yield chunk;
}

type Written =
  | { readonly ok: true; readonly json: string; readonly bytes: number }
  | { readonly ok: false; readonly reason: string };

/** The row as JSON; or what would make the server refuse the whole frame, or is already known to be wrong. */
function write(input: Row): Written {
  if ('problem' in input) return { ok: false, reason: input.problem };
  const { address, name, variables } = input;
  if (typeof address !== 'string') return { ok: false, reason: 'the row has no address' };
  if (address.length > MAX_ADDRESS_CHARS) {
    return { ok: false, reason: `the address is longer than ${MAX_ADDRESS_CHARS} characters` };
  }
  if ((name?.length ?? 0) > NAME_CHARS) {
    return { ok: false, reason: `the name is longer than ${NAME_CHARS} characters` };
  }
  let json: string;
  try {
    json = JSON.stringify({ ADDRESS: address, NAME: name, VARIABLES: variables });
  } catch (error) {
    return { ok: false, reason: `the variables cannot be written as JSON: ${(error as Error).message}` };
  }
  const bytes = Buffer.byteLength(json);
  if (bytes > ROW_BYTES) return { ok: false, reason: `the row is larger than ${ROW_BYTES / 1024} KiB` };
  return { ok: true, json, bytes };
}
