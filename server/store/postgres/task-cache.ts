import { rangesToText } from '../operations/range-text.ts';
import type { TaskRows } from '../operations/tables.ts';
import { isLive, type Task } from '../operations/task.ts';
import { numberArray, textArray } from './array-text.ts';
import type { BatchCache } from './batch-cache.ts';
import { taskOf } from './owned-batch.ts';
import type { Scope } from './scope.ts';
import type { Step } from './statements.ts';

/**
 * The tasks of the batches in memory. Those that are out are in memory with their batch; those that are over are read when
 * somebody reports late. What a group changed is written once, with the group.
 */
export class TaskCache implements TaskRows {
  readonly #scope: Scope;
  readonly #batches: BatchCache;
  /** Changed in this group. */
  readonly #dirty = new Map<string, Task>();
  #touched = new Set<Task>();

  constructor(scope: Scope, batches: BatchCache) {
    this.#scope = scope;
    this.#batches = batches;
  }

  /** To be called when an operation begins. */
  beginOperation(): void {
    this.#touched = new Set();
  }

  insert(task: Task): void {
    const batch = this.#batches.byId(task.batch);
    this.#dirty.set(task.uuid, task);
    batch.live.set(task.uuid, task);
    this.#batches.tasks.set(task.uuid, task);
    this.#scope.onUndo(() => {
      this.#dirty.delete(task.uuid);
      batch.live.delete(task.uuid);
      this.#batches.tasks.delete(task.uuid);
    });
  }

  find(uuid: string): Task | undefined {
    const known = this.#batches.tasks.get(uuid) ?? this.#dirty.get(uuid);
    if (known !== undefined) return known;
    const task = this.#scope.need(`task ${uuid}`, async (read) => {
      const [row] = await read('task', [uuid]);
      return row === undefined ? null : taskOf(row);
    });
    if (task === null) return undefined;
    // One that is out comes with its batch.
    return this.#batches.byId(task.batch).live.get(uuid) ?? task;
  }

  liveOf(batch: number): readonly Task[] {
    return [...this.#batches.byId(batch).live.values()].filter(isLive);
  }

  change(task: Task): void {
    if (this.#touched.has(task)) return;
    this.#touched.add(task);
    const { again, fresh, gone } = task;
    const wasDirty = this.#dirty.has(task.uuid);
    this.#dirty.set(task.uuid, task);
    this.#scope.onUndo(() => {
      Object.assign(task, { again, fresh, gone });
      if (!wasDirty) this.#dirty.delete(task.uuid);
    });
  }

  steps(): readonly Step[] {
    if (this.#dirty.size === 0) return [];
    const tasks = [...this.#dirty.values()];
    const texts = (pick: (task: Task) => string): string => textArray(tasks.map(pick));
    return [
      {
        statement: 'set_tasks',
        values: [
          texts((task) => task.uuid),
          numberArray(tasks.map((task) => task.batch)),
          texts((task) => task.worker),
          texts((task) => task.relay),
          numberArray(tasks.map((task) => task.claimedAt)),
          numberArray(tasks.map((task) => (isLive(task) ? 1 : 0))),
          texts((task) => rangesToText(task.again)),
          texts((task) => rangesToText(task.fresh)),
          texts((task) => rangesToText(task.gone)),
        ],
      },
    ];
  }

  committedGroup(): void {
    for (const task of this.#dirty.values()) {
      if (isLive(task)) continue;
      this.#batches.tasks.delete(task.uuid);
      this.#batches.inMemory(task.batch)?.live.delete(task.uuid);
    }
    this.#dirty.clear();
  }

  /** Their batches leave memory, and take them along. */
  rolledBack(): void {
    this.#dirty.clear();
  }
}
