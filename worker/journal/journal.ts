import { join } from 'node:path';
import { v7 as uuidv7 } from 'uuid';
import type { SmtpFact } from '../../mail/index.ts';
import type { Logger } from '../logger.ts';
import type { KnownTask, TaskRecord, WorkJournal } from '../tasks/contract.ts';
import { readBlocks } from './blocks.ts';
import { bootId } from './boot.ts';
import { type OpenJournalFile, openDiskFile } from './file.ts';
import { type OpenTask, openTasks, writeOpenTasks } from './open-tasks.ts';
import { type Head, type Predecessor, readPredecessor, recordsOf } from './predecessor.ts';
import { RecordWriter } from './records.ts';
import { Slot } from './slot.ts';

/** The two files, in the data folder. */
const FILES = ['worker-a.journal', 'worker-b.journal'];
/** What each file has of the disk from the start, bytes: about 20,000 mails until it is cleared of what is over. */
export const SLOT_BYTES = 512 * 1024;
/** When less than this is left, bytes, it is cleared. So much remains for what is under way should the disk be full. */
export const RESERVE_BYTES = 64 * 1024;

export interface JournalOptions {
  readonly folder: string;
  readonly logger: Logger;
  /** Replaces the disk. */
  readonly openFile?: OpenJournalFile;
  /** Replaces the name of this start of the machine. */
  readonly boot?: string;
}

/**
 * What this worker has begun and how it ended, for the process that comes after it should this one end without a word.
 *
 * Two files, of which one counts. Records are collected, and written at the end of the turn of the event loop in one block; `admits`
 * writes them at once for a mail that can't wait. When the file is nearly full, what is still open is written into the other one,
 * which counts from then on; as nearly always nearly all is over, that is little. Nothing is flushed to the disk: what the system has been given
 * survives this process. It may not survive the machine, hence a journal of before its last start is not believed, and the worker
 * is a new one. The server then reckons with all that may have been under way. The same goes for a journal that is damaged.
 *
 * - writable: the room in the file is enough for what is under way.
 * - short: it is not, and cannot be had. Nothing new is begun; what is under way is still written.
 * - broken: a write failed. What is to be written is kept; `sweep` tries it again.
 */
export class Journal implements WorkJournal {
  /** Name of the worker, the same as long as its journal is believed. */
  readonly worker: string;
  readonly known: readonly KnownTask[];
  readonly #logger: Logger;
  readonly #boot: string;
  readonly #writer = new RecordWriter();
  #slot: Slot;
  #other: Slot;
  #generation: number;
  #state: 'writable' | 'short' | 'broken' = 'writable';
  /** Blocks written: what is collected now goes into the next. */
  #blocks = 0;
  /** Where the file ends when nothing is open. */
  #emptyEnd = 0;
  #open: number;
  #nextNumber: number;
  #isScheduled = false;
  /** Wait for the write at the end of this turn. */
  #waiting: (() => void)[] = [];
  #isEnding = false;
  #isClosed = false;
  #changed: () => void = () => {};

  /** @throws when the files cannot be read, written or made */
  static open(options: JournalOptions): Journal {
    const slots = FILES.map(
      (name) => new Slot((options.openFile ?? openDiskFile)(join(options.folder, name))),
    );
    try {
      return new Journal(slots as [Slot, Slot], options);
    } catch (error) {
      for (const slot of slots) slot.close();
      throw error;
    }
  }

  private constructor(slots: readonly [Slot, Slot], { logger, boot = bootId() }: JournalOptions) {
    this.#logger = logger;
    this.#boot = boot;
    const before = readPredecessor(slots.map((slot) => slot.readAll()));
    const isBelieved = before.kind === 'known' && before.head.boot === boot;
    if (!isBelieved) this.#tellUnbelieved(before);
    const tasks: ReadonlyMap<number, OpenTask> = isBelieved ? before.tasks : new Map();
    const slot = before.kind === 'known' ? before.slot : 0;
    this.worker = isBelieved ? before.head.worker : uuidv7();
    this.#slot = slots[slot] as Slot;
    this.#other = slots[1 - slot] as Slot;
    this.#generation = before.kind === 'known' ? before.head.generation : 0;
    this.#open = tasks.size;
    this.#nextNumber = Math.max(0, ...tasks.keys()) + 1;
    this.known = [...tasks].map(([number, task]) => ({
      ...task,
      isSudden: before.kind === 'known' && !before.head.orderly,
      record: new Entry(this, task, number),
    }));
    this.#moveOver(tasks);
    this.#slot.reserve(SLOT_BYTES);
    this.#other.reserve(SLOT_BYTES);
  }

  get isWritable(): boolean {
    return this.#state === 'writable';
  }

  /** Tasks that are begun and not acknowledged to their end. */
  get open(): number {
    return this.#open;
  }

  watch(changed: () => void): void {
    this.#changed = changed;
  }

  record(id: string, origin: string): TaskRecord {
    return new Entry(this, { id, origin });
  }

  ticket(): number {
    return this.#blocks;
  }

  admits(ticket: number): boolean {
    return ticket < this.#blocks || this.flush();
  }

  afterWrite(callback: () => void): void {
    if (this.#isClosed) {
      callback();
      return;
    }
    this.#waiting.push(callback);
    this.#schedule();
  }

  /** Writes what is collected. @returns whether nothing is left to be written */
  flush(): boolean {
    if (this.#writer.isEmpty) return true;
    if (this.#state === 'broken' || this.#isClosed) return false;
    try {
      this.#write();
      return true;
    } catch (error) {
      this.#become('broken', error);
      return false;
    }
  }

  /** To be called now and then: tries again what failed, and empties a journal that has nothing to tell. */
  sweep(): void {
    if (this.#isClosed) return;
    const isIdle = this.#open === 0 && this.#slot.end > this.#emptyEnd;
    if (this.#state === 'writable' && !isIdle) return;
    try {
      if (!this.#writer.isEmpty) this.#write();
      if (isIdle || this.#slot.room < RESERVE_BYTES) this.#clear();
      this.#become('writable');
    } catch (error) {
      this.#become(this.#writer.isEmpty ? 'short' : 'broken', error);
    }
  }

  close(): void {
    if (this.#isClosed) return;
    if (this.flush()) this.#sayOrderly();
    this.#isClosed = true;
    this.#slot.close();
    this.#other.close();
  }

  /** For the entries: the writer, for one record. It is written in this turn. */
  collect(): RecordWriter {
    this.#schedule();
    return this.#writer;
  }

  /** For the entries: a task begins. @returns its number in this journal */
  begins(): number {
    this.#open++;
    return this.#nextNumber++;
  }

  /** For the entries: nothing of a task is open any more. */
  ended(): void {
    this.#open--;
  }

  #schedule(): void {
    if (this.#isScheduled || this.#isClosed) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.flush();
      const waiting = this.#waiting;
      this.#waiting = [];
      for (const callback of waiting) callback();
    });
  }

  #write(): void {
    if (this.#slot.room < this.#writer.end) this.#clear();
    this.#slot.append(this.#writer);
    this.#writer.clear();
    this.#blocks++;
    if (this.#slot.room >= RESERVE_BYTES || this.#state === 'short') return;
    try {
      this.#clear();
    } catch (error) {
      this.#become('short', error);
    }
  }

  /** Goes over to the other file with what is still open. */
  #clear(): void {
    if (this.#open === 0 && this.#writer.isEmpty) {
      this.#moveOver(new Map());
      return;
    }
    const { contents, end } = readBlocks(this.#slot.readBlocks());
    if (end !== 'orderly') throw new Error('what was written to the journal is not there any more');
    this.#moveOver(openTasks(recordsOf(contents)));
  }

  #moveOver(tasks: ReadonlyMap<number, OpenTask>): void {
    const { worker } = this;
    const generation = this.#generation + 1;
    const head: Head = { version: 1, generation, worker, boot: this.#boot, orderly: this.#isEnding };
    const block = new RecordWriter();
    block.text(JSON.stringify(head));
    writeOpenTasks(tasks, block);
    const needed = block.end + this.#writer.end + 2 * RESERVE_BYTES;
    this.#other.reserve(Math.max(SLOT_BYTES, needed));
    this.#other.begin(block);
    const old = this.#slot;
    this.#slot = this.#other;
    this.#other = old;
    this.#generation++;
    this.#emptyEnd = tasks.size === 0 ? this.#slot.end : 0;
    // The higher generation counts in any case; so a lower one is not believed when the higher one is damaged.
    old.retire();
  }

  #sayOrderly(): void {
    this.#isEnding = true;
    try {
      this.#clear();
    } catch (error) {
      this.#logger.warn(
        { err: error },
        'the journal could not be closed, and will tell the same all the same',
      );
    }
  }

  #become(state: 'writable' | 'short' | 'broken', error?: unknown): void {
    const before = this.#state;
    this.#state = state;
    if (before === state) return;
    if (state === 'writable') this.#logger.info({}, 'the journal can be written again, mail is sent again');
    else if (before === 'writable') {
      const cause = error instanceof Error ? error.message : String(error);
      this.#logger.error(
        { err: error },
        `the journal cannot be written, nothing new is sent until it can: ${cause}`,
      );
    }
    if ((before === 'writable') !== (state === 'writable')) this.#changed();
  }

  #tellUnbelieved(before: Predecessor): void {
    const consequence =
      'this is a new worker; what was under way is marked by its server when the lease ends';
    if (before.kind === 'unreadable')
      this.#logger.error({ why: before.why }, `the journal is damaged: ${consequence}`);
    else if (before.kind === 'known' && before.tasks.size > 0)
      this.#logger.warn(
        { tasks: before.tasks.size },
        `the machine was started anew, its journal may lack the last records: ${consequence}`,
      );
  }
}

/** A task in the journal. It has no record before something of it is begun. */
class Entry implements TaskRecord {
  readonly #journal: Journal;
  readonly #task: Pick<OpenTask, 'id' | 'origin'>;
  #number: number | undefined;

  constructor(journal: Journal, task: Pick<OpenTask, 'id' | 'origin'>, number?: number) {
    this.#journal = journal;
    this.#task = task;
    this.#number = number;
  }

  begun(seq: number): void {
    const writer = this.#journal.collect();
    if (this.#number === undefined) {
      this.#number = this.#journal.begins();
      writer.open(this.#number, this.#task.id, this.#task.origin);
    }
    writer.begun(this.#number, seq);
  }

  settled(seq: number, fact: SmtpFact, isSent: boolean): void {
    if (this.#number === undefined) return;
    if (isSent) this.#journal.collect().sent(this.#number, seq);
    else this.#journal.collect().fact(this.#number, seq, fact);
  }

  forgotten(): void {
    if (this.#number === undefined) return;
    this.#journal.collect().ended(this.#number);
    this.#journal.ended();
    this.#number = undefined;
  }
}
