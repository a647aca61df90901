import type { Duplex } from 'node:stream';
import { ByteWriter } from '../../mail/index.ts';

/** Pieces up to this size, bytes, are copied into one write; handing a larger one over as it is costs less than copying it. */
const COPIED_BYTES = 16 * 1024;

/** Where pieces are joined: what is handed to a connection is not touched again. */
const JOINED = new ByteWriter();

interface Piece {
  readonly content: string | Buffer;
  readonly encoding: 'latin1' | 'utf8' | undefined;
}

/**
 * What is written to a connection in one turn, joined into one write: the end of a mail and the envelope of the next go out in one
 * segment, and the runtime is called once for them.
 */
export class Outbox {
  readonly #socket: Duplex;
  #pieces: Piece[] = [];
  #isHeld = false;

  constructor(socket: Duplex) {
    this.#socket = socket;
  }

  text(content: string, encoding: 'latin1' | 'utf8'): void {
    this.#add({ content, encoding });
  }

  /** @returns false: the connection has enough for now, and says `drain` when it can take more */
  bytes(content: Buffer): boolean {
    if (content.length <= COPIED_BYTES) {
      this.#add({ content, encoding: undefined });
      return true;
    }
    this.#flush();
    return this.#socket.write(content);
  }

  /** Until `release`, small pieces wait. */
  hold(): void {
    this.#isHeld = true;
    this.#socket.cork();
  }

  release(): void {
    this.#isHeld = false;
    this.#flush();
    this.#socket.uncork();
  }

  /** What `write` hands over goes out together, also with what is held already. */
  together(write: () => void): void {
    if (this.#isHeld) {
      write();
      return;
    }
    this.hold();
    write();
    this.release();
  }

  #add(piece: Piece): void {
    this.#pieces.push(piece);
    if (!this.#isHeld) this.#flush();
  }

  #flush(): void {
    const pieces = this.#pieces;
    if (pieces.length === 0) return;
    this.#pieces = [];
    if (this.#socket.destroyed) return;
    for (const { content, encoding } of pieces) {
      if (typeof content !== 'string') JOINED.bytes(content);
      else if (encoding === 'utf8') JOINED.utf8(content);
      else JOINED.ascii(content);
    }
    this.#socket.write(JOINED.take());
  }
}
