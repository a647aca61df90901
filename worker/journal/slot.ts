import { BLOCK_HEAD, sealBlock } from './blocks.ts';
import type { JournalFile } from './file.ts';
import type { RecordWriter } from './records.ts';

const NOUGHTS = Buffer.alloc(64 * 1024);

/** One of the two files of a journal: blocks, and behind them noughts, which are room that a full disk can't take away. */
export class Slot {
  readonly #file: JournalFile;
  /** Where the next block goes. */
  #end: number;
  /** Beyond, there are only noughts. */
  #used: number;

  constructor(file: JournalFile) {
    this.#file = file;
    this.#end = file.size;
    this.#used = file.size;
  }

  get end(): number {
    return this.#end;
  }

  /** Bytes that can be appended without asking for more of the disk. */
  get room(): number {
    return Math.max(0, this.#file.size - this.#end);
  }

  /** All there is, noughts included. */
  readAll(): Buffer {
    return this.#file.read(this.#file.size);
  }

  /** The blocks written since `begin`. */
  readBlocks(): Buffer {
    return this.#file.read(this.#end);
  }

  /** Starts anew with this block. If it fails, what was here before is gone, and nothing here can be read. */
  begin(block: RecordWriter): void {
    this.#fill(0, this.#used);
    this.#end = 0;
    this.#used = 0;
    this.append(block);
  }

  append(block: RecordWriter): void {
    const { bytes, end } = block;
    sealBlock(bytes, end);
    this.#used = Math.max(this.#used, this.#end + end);
    this.#file.write(bytes, end, this.#end);
    this.#end += end;
  }

  /** Makes sure that `bytes` are the file's own. */
  reserve(bytes: number): void {
    if (this.#file.size < bytes) this.#fill(this.#file.size, bytes);
  }

  /** What is here is out of date: nobody is to take it for the journal. */
  retire(): void {
    this.#fill(0, BLOCK_HEAD);
  }

  close(): void {
    this.#file.close();
  }

  #fill(from: number, to: number): void {
    for (let at = from; at < to; at += NOUGHTS.length)
      this.#file.write(NOUGHTS, Math.min(NOUGHTS.length, to - at), at);
  }
}
