import { closeSync, openSync, writeSync } from 'node:fs';
import type { Rejection } from '../../client/index.ts';
import { CliError } from '../errors.ts';
import { count, oneLine } from '../format.ts';

/** Rejected rows that are shown; the others are only counted, or in the file. */
const SHOWN = 20;
/** Characters of a wrong address that are shown. */
const ADDRESS_CHARS = 60;

/** Tells of rejected rows: the first ones as lines, all of them in a file where one is asked for. */
export class RejectionReport {
  readonly #print: (line: string) => void;
  readonly #path: string | undefined;
  #file: number | undefined;
  #count = 0;

  /** @throws CliError when the file cannot be written */
  constructor(print: (line: string) => void, path: string | undefined) {
    this.#print = print;
    this.#path = path;
    this.#open();
  }

  add(rejection: Rejection): void {
    const origin = rejection.origin ?? `row ${rejection.row}`;
    if (this.#file !== undefined)
      writeSync(this.#file, csvLine([origin, rejection.address, rejection.reason]));
    if (this.#count++ >= SHOWN) return;
    const address = rejection.address === '' ? '' : `${oneLine(rejection.address, ADDRESS_CHARS)}: `;
    this.#print(`${origin}: ${address}${rejection.reason}`);
  }

  /** The submission begins again, and so do its rejections. */
  restart(): void {
    this.close();
    this.#open();
    this.#count = 0;
  }

  /** Says how many there are beyond those shown. */
  finish(): void {
    this.close();
    const more = this.#count - SHOWN;
    if (more <= 0) return;
    const where = this.#path === undefined ? '--rejected FILE writes all' : `all are in ${this.#path}`;
    this.#print(`… and ${count(more)} more rejected rows; ${where}`);
  }

  close(): void {
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
  }

  #open(): void {
    if (this.#path === undefined) return;
    try {
      this.#file = openSync(this.#path, 'w', 0o600);
    } catch (cause) {
      throw new CliError(
        `--rejected ${this.#path} cannot be written (${(cause as NodeJS.ErrnoException).code})`,
        { cause },
      );
    }
    writeSync(this.#file, csvLine(['row', 'address', 'reason']));
  }
}

/** RFC 4180. A cell that a spreadsheet would run as a formula is made text. */
function csvLine(cells: readonly string[]): string {
  const quoted = cells.map((cell) => {
    const safe = /^[=+\-@\t\r]/.test(cell) ? `'${cell}` : cell;
    return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  });
  return `${quoted.join(',')}\r\n`;
}
