import type { SmtpFact } from '../../../mail/index.ts';
import type { JournalFile, OpenJournalFile } from '../../../worker/journal/file.ts';
import { Journal } from '../../../worker/journal/journal.ts';
import { type Logger, SILENT } from '../../../worker/logger.ts';

export const BOOT = 'this start of the machine';
export const REFUSED: SmtpFact = { stage: 'rcpt', phase: 'replied', reply: '550 5.1.1 nobody – here' };
export const CUT: SmtpFact = { stage: 'dot', phase: 'sent-unconfirmed', error: 'the connection ended' };
export const SENT: SmtpFact = { stage: 'dot', phase: 'replied', reply: '250 ok' };

export const NAMES = ['worker-a.journal', 'worker-b.journal'] as const;

/** The files of a journal in memory: what is in them outlives the journal, as what the system has been given outlives a process. */
export class Files {
  readonly content = new Map<string, Buffer>();
  /** Bytes that all files may have. */
  limit = Number.POSITIVE_INFINITY;
  /** Writes fail whatever they are. */
  isBroken = false;
  writes = 0;

  readonly open: OpenJournalFile = (path): JournalFile => {
    const name = path.slice(path.lastIndexOf('/') + 1);
    const get = (): Buffer => this.content.get(name) ?? Buffer.alloc(0);
    if (!this.content.has(name)) this.content.set(name, Buffer.alloc(0));
    return {
      get size() {
        return get().length;
      },
      read: (length) => Buffer.from(get().subarray(0, length)),
      write: (bytes, length, at) => {
        this.writes++;
        if (this.isBroken) throw new Error('EIO: i/o error, write');
        const before = get();
        const others = this.size - before.length;
        const isFull = others + Math.max(before.length, at + length) > this.limit;
        // A full disk takes a part.
        const taken = isFull ? Math.max(0, Math.min(length, this.limit - others - at)) : length;
        const after = Buffer.alloc(Math.max(before.length, at + taken));
        before.copy(after);
        bytes.copy(after, at, 0, taken);
        this.content.set(name, after);
        if (isFull) throw new Error('ENOSPC: no space left on device, write');
      },
      close: () => {},
    };
  };

  get size(): number {
    let size = 0;
    for (const content of this.content.values()) size += content.length;
    return size;
  }

  /** As a process that ends without a word leaves them. */
  copy(): Files {
    const copy = new Files();
    for (const [name, content] of this.content) copy.content.set(name, Buffer.from(content));
    return copy;
  }

  /** The file that counts, or counted last. */
  get current(): string {
    const lengths = NAMES.map((name) => this.content.get(name)?.readUInt32LE(0) ?? 0);
    return (lengths[0] as number) > 0 ? NAMES[0] : NAMES[1];
  }
}

export const journalIn = (files: Files, logger: Logger = SILENT, boot = BOOT): Journal =>
  Journal.open({ folder: '/', logger, boot, openFile: files.open });

/** What a journal knows, as plain data. */
export function knownBy(journal: Journal) {
  const known = journal.known.map(({ id, origin, isSudden, begun, sent, facts }) => ({
    ...{ id, origin, isSudden },
    begun: [...begun].sort((a, b) => a - b),
    sent: [...sent].sort((a, b) => a - b),
    facts: [...facts].sort(([a], [b]) => a - b),
  }));
  return known.sort((a, b) => (a.id < b.id ? -1 : 1));
}
