import type { SeqRanges } from '../../../protocol/index.ts';
import type { BatchRecord } from '../../batches/batch.ts';
import type { BatchDraft, PossibleDuplicate, StoredRecipient } from '../../batches/store.ts';
import type { Suspicion } from '../../dispatch/store.ts';
import { rangesToText } from '../operations/range-text.ts';
import {
  type ContentRows,
  type DuplicateRows,
  RANGES_PER_ROW,
  type RecipientRows,
  type SpanRows,
  type SpanState,
  type SuspicionRows,
  type Tables,
} from '../operations/tables.ts';
import { numberArray, textArray, withoutNul } from './array-text.ts';
import { BatchCache } from './batch-cache.ts';
import { Changes } from './changes.ts';
import { HistoryLog } from './history-log.ts';
import type { OwnedBatch } from './owned-batch.ts';
import { type Row, Scope } from './scope.ts';
import type { Step } from './statements.ts';
import { TaskCache } from './task-cache.ts';

/** Rows that are read with the group, once it is committed. */
export interface Reading {
  readonly step: Step;
  rows: readonly Row[] | undefined;
}

/**
 * What the operations work on: the batches of this server in memory, and the changes that the group made to them. An operation
 * is a synchronous function over it, as over the tables of SQLite; it may turn out that something must be read first (NotLoaded)
 * or committed first (CommitFirst), and then it is undone and run again.
 */
export class WorkingSet implements Tables {
  readonly #scope = new Scope();
  readonly #changes = new Changes(this.#scope);
  readonly batches = new BatchCache(this.#scope, this.#changes);
  readonly tasks = new TaskCache(this.#scope, this.batches);
  readonly history = new HistoryLog(this.#scope, this.#changes, this.batches);
  readonly spans: SpanRows = new Spans(this.#scope, this.batches);
  readonly contents: ContentRows = new Contents(this.#scope, this.#changes, this.batches);
  readonly duplicates: DuplicateRows = new Duplicates(this.#changes);
  readonly suspicions: SuspicionRows = new Suspicions(this.#changes);
  readonly recipients = new Recipients(this.#scope, this.#changes);

  /** Runs an operation on it; when it throws, nothing of it is left. */
  run<T>(operation: (tables: WorkingSet) => T, loaded: Map<string, unknown>): T {
    this.#scope.begin(loaded);
    this.batches.beginOperation();
    this.tasks.beginOperation();
    this.history.beginOperation();
    try {
      return operation(this);
    } catch (error) {
      this.#scope.undo();
      throw error;
    }
  }

  /** There is nothing to write. */
  get isClean(): boolean {
    return this.batches.isClean && this.#changes.isEmpty;
  }

  /** Bytes of recipients to be written. */
  get bytes(): number {
    return this.recipients.bytes;
  }

  /** The statements of the group behind its fence; its readings come last. */
  steps(): readonly Step[] {
    const news = notice(this.batches.news(), this.batches.server);
    return [...this.#changes.drain(), ...this.tasks.steps(), ...this.batches.steps(), ...news];
  }

  committed(): void {
    this.batches.committedGroup();
    this.tasks.committedGroup();
    this.#clear();
  }

  rolledBack(): void {
    this.#changes.drain();
    this.batches.rolledBack();
    this.tasks.rolledBack();
    this.#clear();
  }

  /** Batches that others own by now. */
  evict(batches: readonly OwnedBatch[]): void {
    for (const batch of batches) this.batches.evict(batch);
  }

  #clear(): void {
    this.history.clear();
    this.recipients.clear();
  }
}

function notice(batches: readonly string[], server: string | undefined): Step[] {
  if (batches.length === 0) return [];
  return [{ statement: 'notify', values: [textArray(batches.map((uuid) => `batch ${server} ${uuid}`))] }];
}

class Spans implements SpanRows {
  readonly #scope: Scope;
  readonly #batches: BatchCache;

  constructor(scope: Scope, batches: BatchCache) {
    this.#scope = scope;
    this.#batches = batches;
  }

  take(batch: number, state: SpanState, count: number): SeqRanges {
    const { [state]: spans } = this.#batches.byId(batch).spans;
    const taken = spans.take(count);
    this.#scope.onUndo(() => spans.add(taken));
    return taken;
  }

  add(batch: number, state: SpanState, ranges: SeqRanges): void {
    const spans = this.#batches.any(batch)?.spans[state];
    spans?.add(ranges);
    this.#scope.onUndo(() => spans?.cut(ranges));
  }

  cut(batch: number, state: SpanState, ranges: SeqRanges): SeqRanges {
    const { [state]: spans } = this.#batches.byId(batch).spans;
    const found = spans.cut(ranges);
    this.#scope.onUndo(() => spans.add(found));
    return found;
  }

  rename(batch: number, from: SpanState, to: SpanState): void {
    this.add(batch, to, this.take(batch, from, Number.MAX_SAFE_INTEGER));
  }
}

class Contents implements ContentRows {
  readonly #scope: Scope;
  readonly #changes: Changes;
  readonly #batches: BatchCache;
  /** Messages set by the group. */
  readonly #messages = new Map<number, BatchRecord['message']>();

  constructor(scope: Scope, changes: Changes, batches: BatchCache) {
    this.#scope = scope;
    this.#changes = changes;
    this.#batches = batches;
  }

  insert(batch: number, options: BatchDraft['options']): void {
    const opened = this.#batches.any(batch);
    if (opened !== undefined) opened.options = options;
    this.#changes.one('insert_content', [String(batch), withoutNul(JSON.stringify(options))]);
  }

  setMessage(batch: number, message: BatchRecord['message']): void {
    const { ATTACHMENTS, ...rest } = message;
    const attachments = ATTACHMENTS === undefined ? null : JSON.stringify(ATTACHMENTS);
    this.#changes.one('set_message', [String(batch), JSON.stringify(rest), attachments]);
    this.#messages.set(batch, message);
    this.#scope.onUndo(() => this.#messages.delete(batch));
  }

  /** Of a batch whose message was just set. */
  get(batch: number): Pick<BatchRecord, 'message' | 'options'> {
    const message = this.#messages.get(batch);
    const options = this.#batches.any(batch)?.options;
    this.#messages.delete(batch);
    if (message === undefined || options === undefined)
      throw new Error(`the content of batch ${batch} is not there`);
    return { message, options };
  }

  delete(batch: number): void {
    this.#changes.one('delete_content', [String(batch)]);
  }
}

/** The recipients as they were submitted. */
export class Recipients implements RecipientRows {
  readonly #scope: Scope;
  readonly #changes: Changes;
  #readings: Reading[] = [];
  #bytes = 0;

  constructor(scope: Scope, changes: Changes) {
    this.#scope = scope;
    this.#changes = changes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get readings(): readonly Reading[] {
    return this.#readings;
  }

  add(batch: number, from: number, recipients: readonly StoredRecipient[]): void {
    if (recipients.length === 0) return;
    const columns = [
      textArray(recipients.map(({ address }) => address)),
      textArray(recipients.map(({ name }) => name)),
      textArray(recipients.map(({ variables }) => variables)),
    ];
    for (const column of columns) this.#bytes += column.length;
    this.#changes.one('insert_recipients', [String(batch), String(from), ...columns]);
  }

  deleteBelow(batch: number, seq: number): void {
    this.#changes.one('delete_recipients', [String(batch), String(seq)]);
  }

  /** Reads the rows of these recipients with the group. */
  read(batch: number, ranges: SeqRanges): Reading {
    const values = [
      String(batch),
      numberArray(ranges.map(([f]) => f)),
      numberArray(ranges.map(([, t]) => t)),
    ];
    const reading: Reading = {
      step: { statement: 'recipients', values },
      rows: ranges.length === 0 ? [] : undefined,
    };
    if (ranges.length > 0) {
      this.#readings.push(reading);
      this.#scope.onUndo(() => {
        this.#readings = this.#readings.filter((other) => other !== reading);
      });
    }
    return reading;
  }

  clear(): void {
    this.#readings = [];
    this.#bytes = 0;
  }
}

class Duplicates implements DuplicateRows {
  readonly #changes: Changes;

  constructor(changes: Changes) {
    this.#changes = changes;
  }

  add(batch: number, { seqs, task, worker, relay, at, why }: Omit<PossibleDuplicate, 'id'>): void {
    for (let i = 0; i < seqs.length; i += RANGES_PER_ROW) {
      this.#changes.add(
        'insert_duplicates',
        ['number', 'text', 'text', 'text', 'number', 'text', 'text'],
        [batch, task, worker, relay, at, why, rangesToText(seqs.slice(i, i + RANGES_PER_ROW))],
      );
    }
  }
}

class Suspicions implements SuspicionRows {
  readonly #changes: Changes;

  constructor(changes: Changes) {
    this.#changes = changes;
  }

  save(batch: number, { seq, deaths, among, alone }: Suspicion & { readonly seq: number }): void {
    const numbers = ['number', 'number', 'number', 'number', 'number'] as const;
    this.#changes.add('save_suspicions', numbers, [batch, seq, deaths, among, alone]);
  }

  clear(batch: number, ranges: SeqRanges): void {
    for (const [from, to] of ranges) {
      this.#changes.one('clear_suspicions', [String(batch), String(from), String(to)]);
    }
  }
}
