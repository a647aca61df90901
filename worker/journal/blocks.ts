import { crc32 } from 'node:zlib';

/**
 * A block is what one write brings: its length, the same inverted, the CRC-32 of its content (all u32, little endian), and the
 * content. A length of nought ends the file, which holds noughts from there on: room that is the journal's already.
 */
export const BLOCK_HEAD = 12;

/** Writes the head of a block whose content is `bytes` from BLOCK_HEAD to `end`. */
export function sealBlock(bytes: Buffer, end: number): void {
  const length = end - BLOCK_HEAD;
  bytes.writeUInt32LE(length, 0);
  bytes.writeUInt32LE(~length >>> 0, 4);
  bytes.writeUInt32LE(crc32(bytes.subarray(BLOCK_HEAD, end)), 8);
}

/**
 * How the blocks end. `torn`: the last write did not come to its end, and nothing depended on it yet. `damaged`: something is behind
 * a block that cannot be read, so that what is in between is lost.
 */
export type BlocksEnd = 'orderly' | 'torn' | 'damaged';

export interface Blocks {
  readonly contents: readonly Buffer[];
  readonly end: BlocksEnd;
}

/** Reads block after block. */
export function readBlocks(file: Buffer): Blocks {
  const contents: Buffer[] = [];
  let at = 0;
  while (at + BLOCK_HEAD <= file.length) {
    const length = file.readUInt32LE(at);
    const isHeadWhole = ~length >>> 0 === file.readUInt32LE(at + 4);
    if (!isHeadWhole) return { contents, end: endOf(file, at, at + BLOCK_HEAD) };
    const end = at + BLOCK_HEAD + length;
    const content = file.subarray(at + BLOCK_HEAD, end);
    if (end > file.length || crc32(content) !== file.readUInt32LE(at + 8))
      return { contents, end: endOf(file, at, end) };
    contents.push(content);
    at = end;
  }
  return { contents, end: endOf(file, at, file.length) };
}

/** What the bytes from `at` on are, where there is no block: nothing but noughts behind `torn` means that nothing followed. */
function endOf(file: Buffer, at: number, torn: number): BlocksEnd {
  const last = lastByte(file);
  if (last < at) return 'orderly';
  return last < torn ? 'torn' : 'damaged';
}

/** Where the last byte is that is not nought; -1: there is none. */
function lastByte(file: Buffer): number {
  let at = file.length - 1;
  while (at >= 0 && file[at] === 0) at--;
  return at;
}
