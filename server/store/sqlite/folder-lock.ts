import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { StoreError } from '../errors.ts';
import { sqliteCode } from './failure.ts';

const SQLITE_BUSY = 5;

/**
 * The right to be the only process on a data folder: an exclusive transaction on a database of its own, never ended. The
 * system releases it when the process dies, however it dies, so there is no stale lock to clear away. The store's own file
 * stays open to readers (backups, `sqlite3`).
 */
export class FolderLock {
  readonly #database: DatabaseSync;

  private constructor(database: DatabaseSync) {
    this.#database = database;
  }

  /** @throws StoreError STORE_IN_USE; an error of SQLite when the folder cannot be written. */
  static take(folder: string): FolderLock {
    const database = new DatabaseSync(join(folder, 'lock.db'), { timeout: 0 });
    try {
      database.exec('BEGIN EXCLUSIVE');
    } catch (error) {
      database.close();
      if (sqliteCode(error) !== SQLITE_BUSY) throw error;
      throw new StoreError(
        'STORE_IN_USE',
        `the data folder ${folder} is in use by another process; stop that one, or start this one with another --data folder`,
        { cause: error },
      );
    }
    return new FolderLock(database);
  }

  release(): void {
    this.#database.close();
  }
}
