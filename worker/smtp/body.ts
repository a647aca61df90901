import type { Readable, Writable } from 'node:stream';

/** Bytes handed over at a time: what is larger than this waits for the connection to take the piece before. */
const PIECE_BYTES = 64 * 1024;

/**
 * A message in the form in which SMTPConnection takes a stream. It calls `pipe` once, when the relay has answered DATA with
 * 354, and ends the data with the dot when the stream ends. `lastPiece` is called right before the last piece is handed over:
 * from then on the final dot may reach the relay. A real Readable would do the same in four events more per message.
 */
export function bodyOf(bytes: Uint8Array, begins: () => void, lastPiece: () => void): Readable {
  const body = {
    pipe(target: Writable): Writable {
      begins();
      let at = 0;
      const more = (): void => {
        while (bytes.length - at > PIECE_BYTES) {
          const piece = bytes.subarray(at, at + PIECE_BYTES);
          at += PIECE_BYTES;
          if (!target.write(piece)) {
            target.once('drain', more);
            return;
          }
        }
        lastPiece();
        target.end(bytes.subarray(at));
      };
      more();
      return target;
    },
  };
  return body as unknown as Readable;
}
