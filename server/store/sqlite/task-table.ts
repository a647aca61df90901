import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { rangesToText, textToRanges } from '../operations/range-text.ts';
import { isLive, type Task } from '../operations/task.ts';

interface TaskRow {
  readonly uuid: string;
  readonly batch: number;
  readonly worker: string;
  readonly relay: string;
  readonly claimed_at: number;
  readonly again: string;
  readonly fresh: string;
  readonly gone: string;
}

const COLUMNS = 'uuid, batch, worker, relay, claimed_at, again, fresh, gone';

/**
 * Tasks with their recipients as ranges. Live ones are kept in memory; what a group changed is written once, before its
 * commit, and forgotten when it is rolled back. Those that are over stay in the file for late reports.
 */
export class TaskTable {
  readonly #kept = new Map<string, Task>();
  readonly #changed = new Set<Task>();
  readonly #dirty = new Set<Task>();
  readonly #insert: StatementSync;
  readonly #update: StatementSync;
  readonly #byUuid: StatementSync;
  readonly #live: StatementSync;
  readonly #liveOf: StatementSync;
  readonly #nextBatch: StatementSync;
  readonly #forget: StatementSync;

  constructor(database: DatabaseSync) {
    this.#insert = database.prepare(`INSERT INTO task (${COLUMNS}, live) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 1)`);
    this.#update = database.prepare(
      'UPDATE task SET again = ?, fresh = ?, gone = ?, live = ? WHERE uuid = ?',
    );
    this.#byUuid = database.prepare(`SELECT ${COLUMNS} FROM task WHERE uuid = ?`);
    this.#live = database.prepare(`SELECT ${COLUMNS} FROM task WHERE live = 1 ORDER BY claimed_at, uuid`);
    this.#liveOf = database.prepare(`SELECT ${COLUMNS} FROM task WHERE live = 1 AND batch = ?`);
    this.#nextBatch = database.prepare('SELECT min(batch) AS batch FROM task WHERE batch > ?');
    this.#forget = database.prepare(`
      DELETE FROM task WHERE uuid IN (SELECT uuid FROM task WHERE batch = ? AND live = 0 LIMIT ?)`);
  }

  insert(task: Task): void {
    this.#insert.run(
      task.uuid,
      task.batch,
      task.worker,
      task.relay,
      task.claimedAt,
      rangesToText(task.again),
      rangesToText(task.fresh),
      rangesToText(task.gone),
    );
    this.#kept.set(task.uuid, task);
    this.#changed.add(task);
  }

  /** The task, live or over. Tell `change` before changing it. */
  find(uuid: string): Task | undefined {
    return this.#kept.get(uuid) ?? this.#keep(this.#byUuid.get(uuid) as unknown as TaskRow | undefined);
  }

  live(): readonly Task[] {
    return (this.#live.all() as unknown as TaskRow[]).map(read);
  }

  /** Live tasks of a batch, those changed in this group included. */
  liveOf(batch: number): readonly Task[] {
    const rows = this.#liveOf.all(batch) as unknown as TaskRow[];
    return rows.map((row) => this.#kept.get(row.uuid) ?? read(row)).filter(isLive);
  }

  /** Must be told before a task is changed. */
  change(task: Task): void {
    this.#kept.set(task.uuid, task);
    this.#changed.add(task);
    this.#dirty.add(task);
  }

  /** Batches that have tasks. */
  *batches(): Generator<number> {
    let last = -1;
    for (;;) {
      const { batch } = this.#nextBatch.get(last) as { batch: number | null };
      if (batch === null) return;
      yield batch;
      last = batch;
    }
  }

  /** Removes at most `limit` tasks of a batch that are over; tells how many. */
  forget(batch: number, limit: number): number {
    return Number(this.#forget.run(batch, limit).changes);
  }

  flush(): void {
    for (const task of this.#dirty) {
      this.#update.run(
        rangesToText(task.again),
        rangesToText(task.fresh),
        rangesToText(task.gone),
        isLive(task) ? 1 : 0,
        task.uuid,
      );
    }
    this.#dirty.clear();
  }

  committedGroup(): void {
    for (const task of this.#changed) if (!isLive(task)) this.#kept.delete(task.uuid);
    this.#changed.clear();
  }

  rolledBack(): void {
    for (const task of this.#changed) this.#kept.delete(task.uuid);
    this.#changed.clear();
    this.#dirty.clear();
  }

  #keep(row: TaskRow | undefined): Task | undefined {
    if (row === undefined) return undefined;
    const task = read(row);
    if (isLive(task)) this.#kept.set(task.uuid, task);
    return task;
  }
}

function read(row: TaskRow): Task {
  return {
    uuid: row.uuid,
    batch: row.batch,
    worker: row.worker,
    relay: row.relay,
    claimedAt: row.claimed_at,
    again: textToRanges(row.again),
    fresh: textToRanges(row.fresh),
    gone: textToRanges(row.gone),
  };
}
