import type { ReceivedBody } from './contract.ts';
import { MessageIdScan } from './message-id.ts';

/**
 * Receives the body of one message in BDAT chunks (RFC 3030): counts its bytes, finds its Message-ID and, when asked
 * to, keeps its bytes. They are taken as they are: dots mean nothing, and lines need no ends.
 */
export class ChunkedBody implements ReceivedBody {
  readonly #keep: boolean;
  readonly #maxBytes: number;
  readonly #scan = new MessageIdScan();
  #size = 0;
  #pieces: Buffer[] = [];

  /** `maxBytes`: what exceeds it is counted but not kept. */
  constructor(keep: boolean, maxBytes: number) {
    this.#keep = keep;
    this.#maxBytes = maxBytes;
  }

  get size(): number {
    return this.#size;
  }

  get messageId(): string {
    return this.#scan.end();
  }

  /** Takes the body's next bytes, `bytes[start, stop)`. */
  read(bytes: Buffer, start: number, stop: number): void {
    this.#size += stop - start;
    this.#scan.read(bytes, start, stop);
    if (!this.#keep) return;
    if (this.#size <= this.#maxBytes) this.#pieces.push(Buffer.from(bytes.subarray(start, stop)));
    else this.#pieces = [];
  }

  content(): Buffer {
    const { length } = this.#pieces;
    const content = length === 1 ? (this.#pieces[0] as Buffer) : Buffer.concat(this.#pieces);
    this.#pieces = [];
    return content;
  }
}
