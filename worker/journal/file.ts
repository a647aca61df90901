import { closeSync, constants, fstatSync, openSync, readSync, writeSync } from 'node:fs';

/** What the journal needs of a file. All of it is synchronous and throws what the system says. */
export interface JournalFile {
  /** Bytes that are the file's own. */
  readonly size: number;
  read(length: number): Buffer;
  /** Writes the first `length` bytes. */
  write(bytes: Buffer, length: number, at: number): void;
  close(): void;
}

export type OpenJournalFile = (path: string) => JournalFile;

/** Opens a file, or makes an empty one. */
export const openDiskFile: OpenJournalFile = (path) => new DiskFile(path);

class DiskFile implements JournalFile {
  readonly #fd: number;
  #size: number;

  constructor(path: string) {
    this.#fd = openSync(path, constants.O_RDWR | constants.O_CREAT, 0o600);
    this.#size = fstatSync(this.#fd).size;
  }

  get size(): number {
    return this.#size;
  }

  read(length: number): Buffer {
    const bytes = Buffer.alloc(Math.min(length, this.#size));
    let at = 0;
    while (at < bytes.length) {
      const read = readSync(this.#fd, bytes, at, bytes.length - at, at);
      if (read === 0) break;
      at += read;
    }
    return bytes;
  }

  write(bytes: Buffer, length: number, at: number): void {
    let written = 0;
    // A disk that becomes full takes a part.
    while (written < length) written += writeSync(this.#fd, bytes, written, length - written, at + written);
    this.#size = Math.max(this.#size, at + length);
  }

  close(): void {
    closeSync(this.#fd);
  }
}
