import { closeSync, openSync, writeSync } from 'node:fs';
import type { ReceivedMessage } from './contract.ts';

/** Bytes that are collected before a write, and how long they wait at most. */
const WRITE_BYTES = 1024 ** 2;
const WRITE_AFTER_MS = 200;

/**
 * Appends messages to an mbox file (mboxrd: body lines that begin with any number of `>` and then `From ` get one
 * more `>`). Writes are synchronous, so that a slow disk slows the clients down and nothing piles up.
 */
export class MboxWriter {
  readonly #file: number;
  #pending: Buffer[] = [];
  #pendingBytes = 0;
  #timer: NodeJS.Timeout | undefined;
  #error: Error | undefined;
  #closed = false;

  /** Throws what `openSync` throws. */
  constructor(path: string) {
    this.#file = openSync(path, 'a');
  }

  /** Why messages are no longer stored, when they are not. */
  get error(): Error | undefined {
    return this.#error;
  }

  /** False when the file cannot be written: the message is not stored. */
  write(message: ReceivedMessage, receivedAt: Date): boolean {
    if (this.#error !== undefined) return false;
    const entry = mboxEntry(message, receivedAt);
    this.#pending.push(entry);
    this.#pendingBytes += entry.length;
    if (this.#pendingBytes >= WRITE_BYTES) this.#flush();
    else this.#timer ??= setTimeout(() => this.#flush(), WRITE_AFTER_MS);
    return this.#error === undefined;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#flush();
    closeSync(this.#file);
  }

  #flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const bytes = Buffer.concat(this.#pending);
    this.#pending = [];
    this.#pendingBytes = 0;
    try {
      for (let at = 0; at < bytes.length; ) at += writeSync(this.#file, bytes, at);
    } catch (error) {
      this.#error = error instanceof Error ? error : new Error(String(error));
    }
  }
}

/** One mbox entry. Lines end in LF, as mail programs expect of an mbox. */
export function mboxEntry(message: ReceivedMessage, receivedAt: Date): Buffer {
  const sender = message.from === '' ? 'MAILER-DAEMON' : message.from.replaceAll(/\s/g, '_');
  const head = [
    `From ${sender} ${asctime(receivedAt)}`,
    `X-Envelope-From: <${message.from}>`,
    ...message.to.map((recipient) => `X-Envelope-To: <${recipient}>`),
  ];
  const content = (message.content ?? Buffer.alloc(0)).toString('latin1');
  const quoted = content.replaceAll('\r\n', '\n').replaceAll(/^(>*From )/gm, '>$1');
  const end = quoted.endsWith('\n') ? '\n' : '\n\n';
  return Buffer.concat([Buffer.from(`${head.join('\n')}\n`), Buffer.from(`${quoted}${end}`, 'latin1')]);
}

/** `Thu Jan  1 00:00:00 1970`, in UTC. */
function asctime(date: Date): string {
  const [weekday, day, month, year, time] = date.toUTCString().replace(',', '').split(' ');
  return `${weekday} ${month} ${day?.replace(/^0/, ' ')} ${time} ${year}`;
}
