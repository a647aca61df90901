import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openSqliteStore, SqliteStore } from '../../../server/store/index.ts';
import type { StoreFixture } from './fixture.ts';

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
      store.withConnection((database) => database.exec('PRAGMA query_only = ON'));
      try {
        await work();
      } finally {
        store.withConnection((database) => database.exec('PRAGMA query_only = OFF'));
      }
    },
    dispose: () => rm(folder, { recursive: true, force: true }),
  };
}
