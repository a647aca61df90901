import { closeSync, fstatSync, mkdirSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { basename, dirname, extname, join } from 'node:path';

/** The log file can't be opened at start. */
export class LogFileError extends Error {
  readonly code = 'LOG_FILE';

  constructor(path: string, cause: unknown) {
    const why = cause instanceof Error ? cause.message : String(cause);
    super(
      `The log file ${path} can't be written (${why}). Choose another with --log-file, or --log-file none.`,
      {
        cause,
      },
    );
    this.name = 'LogFileError';
  }
}

export interface RotatingFileOptions {
  readonly path: string;
  /** The file never grows beyond this, except for a single line that is longer. */
  readonly maxBytes: number;
  /** A file begun longer ago than this is put aside before the next line. */
  readonly maxAgeMs: number;
  /** How many files put aside are kept: `x.1.log` is the youngest. */
  readonly keep: number;
  /** Told once when writing begins to fail, and once when it works again with the number of lines lost. */
  readonly onTrouble?: (message: string) => void;
  readonly now?: () => number;
}

/** How long a file that can't be written (disk full, folder gone) is left alone before the next try. */
const RETRY_MS = 5_000;

/**
 * A file that is put aside when it gets too large or too old.
 *
 * - *open*: each line is written before `write` returns, so a crash or a hard exit loses nothing.
 * - *failing*: entered when a write or a rotation fails; lines are dropped and counted. Every `RETRY_MS` a
 *   line is the next try; success leads back to *open*.
 * - *closed*: entered by `close`; lines are ignored.
 *
 * It belongs to one process: two that share a path would put each other's files aside.
 */
export class RotatingFile {
  readonly #options: RotatingFileOptions;
  readonly #now: () => number;
  #descriptor: number | undefined;
  #size = 0;
  #begunAt = 0;
  #retryAt = 0;
  #lost = 0;
  #isClosed = false;

  /** @throws LogFileError when the file can't be opened for appending. */
  constructor(options: RotatingFileOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
    try {
      mkdirSync(dirname(options.path), { recursive: true });
      this.#open();
    } catch (error) {
      throw new LogFileError(options.path, error);
    }
  }

  write(line: string): void {
    if (this.#isClosed) return;
    if (this.#lost > 0 && this.#now() < this.#retryAt) {
      this.#lost += 1;
      return;
    }
    try {
      this.#append(Buffer.from(line));
    } catch (error) {
      this.#fail(error);
      return;
    }
    if (this.#lost === 0) return;
    this.#options.onTrouble?.(`The log file can be written again; ${this.#lost} lines are missing in it.`);
    this.#lost = 0;
  }

  close(): void {
    this.#isClosed = true;
    this.#release();
  }

  #append(bytes: Buffer): void {
    if (this.#descriptor === undefined) this.#open();
    if (this.#isDue(bytes.length)) this.#rotate();
    for (let written = 0; written < bytes.length; ) {
      const count = writeSync(this.#descriptor as number, bytes, written);
      written += count;
      this.#size += count;
    }
  }

  #isDue(bytes: number): boolean {
    if (this.#size === 0) return false;
    return (
      this.#size + bytes > this.#options.maxBytes || this.#now() - this.#begunAt >= this.#options.maxAgeMs
    );
  }

  #rotate(): void {
    this.#release();
    rmSync(this.#aside(this.#options.keep), { force: true });
    for (let index = this.#options.keep; index > 0; index--) {
      try {
        renameSync(this.#aside(index - 1), this.#aside(index));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      }
    }
    if (this.#options.keep === 0) rmSync(this.#options.path, { force: true });
    this.#open();
  }

  #aside(index: number): string {
    const { path } = this.#options;
    if (index === 0) return path;
    const extension = extname(path);
    return join(dirname(path), `${basename(path, extension)}.${index}${extension}`);
  }

  #open(): void {
    // Readable by its owner only: a log tells who sends to which provider.
    const descriptor = openSync(this.#options.path, 'a', 0o600);
    this.#descriptor = descriptor;
    const stat = fstatSync(descriptor);
    this.#size = stat.size;
    this.#begunAt = stat.size === 0 ? this.#now() : stat.birthtimeMs || stat.mtimeMs;
  }

  #fail(error: unknown): void {
    this.#release();
    this.#retryAt = this.#now() + RETRY_MS;
    this.#lost += 1;
    if (this.#lost > 1) return;
    this.#options.onTrouble?.(new LogFileError(this.#options.path, error).message);
  }

  #release(): void {
    if (this.#descriptor === undefined) return;
    const descriptor = this.#descriptor;
    this.#descriptor = undefined;
    closeSync(descriptor);
  }
}
