import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { openSqliteStore, SqliteStore } from '../../../server/store/index.ts';
import type { StoreFixture } from './fixture.ts';

/** IOERR (10) with its detail in the second byte. */
const SQLITE_IOERR_FSYNC = 1034;

export interface SqliteFixture extends StoreFixture {
  readonly folder: string;
  open(): SqliteStore;
}

/** A data folder of its own under the system's folder for temporary files. */
export async function sqliteFixture(): Promise<SqliteFixture> {
  const folder = await mkdtemp(join(tmpdir(), 'mutirao-store-'));
  return {
    folder,
    // Stands still, so that nothing is tidied away within a test.
    open: () => openSqliteStore({ folder, now: () => 10_000 }),
    async failing(store, work) {
      if (!(store instanceof SqliteStore)) throw new TypeError('not a store of this fixture');
      const repair = store.withConnection(breakCommits);
      try {
        await work();
      } finally {
        repair();
      }
    },
    dispose: () => rm(folder, { recursive: true, force: true }),
  };
}

/** The worst moment for a disk to fail: everything is written, and cannot be committed. */
function breakCommits(database: DatabaseSync): () => void {
  const real = database.exec;
  database.exec = (sql) => {
    if (sql === 'COMMIT') throw Object.assign(new Error('disk I/O error'), { errcode: SQLITE_IOERR_FSYNC });
    real.call(database, sql);
  };
  return () => {
    database.exec = real;
  };
}
