import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { folderNotWritable, StoreError } from '../errors.ts';
import { sqliteCode } from './failure.ts';
import { FolderLock } from './folder-lock.ts';
import { MIGRATIONS } from './schema.ts';

/** Name of the store in its folder. */
export const FILE_NAME = 'mutirao.db';

/**
 * How long a statement waits for a reader or writer of another process (a backup, `sqlite3`), ms. The whole server waits
 * with it.
 */
const BUSY_TIMEOUT_MS = 1_000;

/** Pages of the write-ahead log after which they are copied into the file, within a commit; 16 MiB. */
const CHECKPOINT_PAGES = 4_000;

/** Size to which the log is cut back after a checkpoint, bytes. */
const LOG_LIMIT_BYTES = 64 * 1024 * 1024;

/** Page cache, KiB. */
const CACHE_KIB = 16 * 1024;

/** SQLITE_CORRUPT and SQLITE_NOTADB: what stands in the file, not whether it can be written. */
const UNREADABLE_CODES: ReadonlySet<number> = new Set([11, 26]);

export interface Connection {
  readonly database: DatabaseSync;
  readonly file: string;
  close(): void;
}

/**
 * Takes the folder for this process, and opens its store in the newest form.
 * @throws StoreError STORE_IN_USE, STORE_NOT_WRITABLE, STORE_DAMAGED, STORE_TOO_NEW.
 */
export function connect(folder: string): Connection {
  const file = join(folder, FILE_NAME);
  let lock: FolderLock | undefined;
  let database: DatabaseSync | undefined;
  try {
    // It holds addresses of people: for the owner's eyes only.
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    lock = FolderLock.take(folder);
    database = new DatabaseSync(file, { timeout: BUSY_TIMEOUT_MS });
    tune(database);
    migrate(database, file);
  } catch (error) {
    database?.close();
    lock?.release();
    if (error instanceof StoreError) throw error;
    if (!UNREADABLE_CODES.has(sqliteCode(error) ?? 0)) throw folderNotWritable(folder, error);
    throw new StoreError(
      'STORE_DAMAGED',
      `${file} cannot be read (${(error as Error).message}); restore it from a backup, or choose another --data folder`,
      { cause: error },
    );
  }
  return {
    database,
    file,
    close() {
      database.close();
      lock.release();
    },
  };
}

/** What is acknowledged survives a power cut: every commit is on the disk (FULL) before it counts. */
function tune(database: DatabaseSync): void {
  database.exec(`
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    PRAGMA wal_autocheckpoint = ${CHECKPOINT_PAGES};
    PRAGMA journal_size_limit = ${LOG_LIMIT_BYTES};
    PRAGMA cache_size = -${CACHE_KIB};
    PRAGMA temp_store = MEMORY;
  `);
}

function migrate(database: DatabaseSync, file: string): void {
  database.exec('BEGIN IMMEDIATE');
  const { user_version: version } = database.prepare('PRAGMA user_version').get() as { user_version: number };
  if (version > MIGRATIONS.length) {
    throw new StoreError(
      'STORE_TOO_NEW',
      `${file} was written by a newer version (its format is ${version}, this version knows ${MIGRATIONS.length}); ` +
        'start the newer version, or choose another --data folder',
    );
  }
  for (const step of MIGRATIONS.slice(version)) database.exec(step);
  // Written even if it is the same, so that a disk that cannot be written is found here and not at the first batch.
  database.exec(`PRAGMA user_version = ${MIGRATIONS.length}`);
  database.exec('COMMIT');
}
