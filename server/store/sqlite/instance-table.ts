import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { InstanceRecord, StorePlace } from '../../instance/store.ts';

interface InstanceRow {
  readonly epoch: number;
  readonly host: string | null;
  readonly place: string;
  readonly path: string;
  readonly alive_at: number;
}

/** The last run of a server on this file. */
export class InstanceTable {
  readonly #last: StatementSync;
  readonly #begin: StatementSync;
  readonly #touch: StatementSync;

  constructor(database: DatabaseSync) {
    this.#last = database.prepare('SELECT epoch, host, place, path, alive_at FROM instance');
    this.#begin = database.prepare(`
      INSERT INTO instance (only, epoch, host, place, path, alive_at) VALUES (1, 1, ?, ?, ?, ?)
      ON CONFLICT (only) DO UPDATE SET epoch = epoch + 1, host = excluded.host, place = excluded.place,
        path = excluded.path, alive_at = excluded.alive_at
      RETURNING epoch`);
    this.#touch = database.prepare('UPDATE instance SET alive_at = ?');
  }

  last(): InstanceRecord | undefined {
    const row = this.#last.get() as InstanceRow | undefined;
    if (row === undefined) return undefined;
    const { epoch, host, place: id, path, alive_at: aliveAt } = row;
    return { epoch, place: { id, path }, host: host ?? undefined, aliveAt };
  }

  begin({ id, path }: StorePlace, host: string | undefined, now: number): number {
    return (this.#begin.get(host ?? null, id, path, now) as { epoch: number }).epoch;
  }

  touch(now: number): void {
    this.#touch.run(now);
  }
}
