import type { JournalFile } from '../../../worker/journal/file.ts';

/** Files in memory, which outlive processes. Noughts at their ends take no room. */
export class MemoryFiles {
  readonly #files = new Map<string, MemoryFile>();
  /** Every write fails. */
  isFull = false;

  readonly open = (path: string): JournalFile => {
    const known = this.#files.get(path);
    if (known !== undefined) return known;
    const file = new MemoryFile(this);
    this.#files.set(path, file);
    return file;
  };
}

class MemoryFile implements JournalFile {
  readonly #files: MemoryFiles;
  /** What is not noughts, and some room. */
  #data = Buffer.alloc(1_024);
  #used = 0;
  #size = 0;

  constructor(files: MemoryFiles) {
    this.#files = files;
  }

  get size(): number {
    return this.#size;
  }

  read(length: number): Buffer {
    const bytes = Buffer.alloc(Math.min(length, this.#size));
    this.#data.copy(bytes, 0, 0, Math.min(bytes.length, this.#used));
    return bytes;
  }

  write(bytes: Buffer, length: number, at: number): void {
    if (this.#files.isFull) throw Object.assign(new Error('ENOSPC: no space left'), { code: 'ENOSPC' });
    this.#size = Math.max(this.#size, at + length);
    const isNoughts = bytes.length >= NOUGHTS.length && bytes.compare(NOUGHTS, 0, length, 0, length) === 0;
    if (isNoughts) {
      if (at < this.#used) this.#data.fill(0, at, Math.min(this.#used, at + length));
      if (at + length >= this.#used) this.#used = Math.min(this.#used, at);
      return;
    }
    this.#makeRoom(at + length);
    bytes.copy(this.#data, at, 0, length);
    this.#used = Math.max(this.#used, at + length);
  }

  close(): void {}

  #makeRoom(needed: number): void {
    if (needed <= this.#data.length) return;
    const data = Buffer.alloc(2 * needed);
    this.#data.copy(data, 0, 0, this.#used);
    this.#data = data;
  }
}

const NOUGHTS = Buffer.alloc(64 * 1024);
