import { closeSync, fstatSync, openSync, readSync, writeSync } from 'node:fs';
import type { ReceivedMessage } from './contract.ts';

const LF = 0x0a;

/** One line of a sink's record: one recipient of one accepted message. */
export interface RecordedDelivery {
  /** With its angle brackets; empty when the message has none. */
  readonly messageId: string;
  readonly recipient: string;
  /** When it was accepted, ms since the epoch. */
  readonly at: number;
}

/**
 * Appends what a sink accepts to a file, each message before its reply is begun: what a client was told is in the file, also when
 * the sink is killed in between (`kill -9`; a power cut is not covered, nothing is synced). A line that a kill has torn stays
 * alone on its line.
 */
export class RecordWriter {
  readonly #file: number;
  #error: Error | undefined;
  #isClosed = false;

  /** Throws what `openSync` throws. */
  constructor(path: string) {
    this.#file = openSync(path, 'a+');
    if (endsTorn(this.#file)) this.#append('\n');
  }

  /** Why messages are no longer recorded, when they are not. */
  get error(): Error | undefined {
    return this.#error;
  }

  /** False when the file cannot be written: the message is not accepted, and neither is any after it. */
  write({ messageId, to }: ReceivedMessage, at: number): boolean {
    if (this.#error !== undefined) return false;
    let lines = '';
    for (const recipient of to) lines += `${JSON.stringify({ messageId, recipient, at })}\n`;
    this.#append(lines);
    return this.#error === undefined;
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    closeSync(this.#file);
  }

  #append(text: string): void {
    const bytes = Buffer.from(text);
    try {
      for (let written = 0; written < bytes.length; ) written += writeSync(this.#file, bytes, written);
    } catch (error) {
      this.#error = error instanceof Error ? error : new Error(String(error));
    }
  }
}

/** Reads a record. What is torn was never answered, and is left out. */
export function* readRecord(text: string): Generator<RecordedDelivery> {
  for (const line of text.split('\n')) {
    try {
      if (line !== '') yield JSON.parse(line) as RecordedDelivery;
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
    }
  }
}

function endsTorn(file: number): boolean {
  const { size } = fstatSync(file);
  if (size === 0) return false;
  const last = Buffer.alloc(1);
  readSync(file, last, 0, 1, size - 1);
  return last[0] !== LF;
}
