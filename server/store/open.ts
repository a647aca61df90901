import { mkdirSync } from 'node:fs';
import { folderNotWritable } from './errors.ts';
import type { StoreLogger } from './operations/tidying.ts';
import { openPostgresStore } from './postgres/postgres-store.ts';
import { openSqliteStore } from './sqlite/sqlite-store.ts';
import type { Store } from './store.ts';

export interface StoreChoice {
  /** `sqlite`, or the address of a PostgreSQL database. */
  readonly store: string;
  /** Data folder. Whatever the store, it holds the identity of the server; it is made when it is not there. */
  readonly folder: string;
  readonly logger?: StoreLogger;
  /** ms since the epoch. */
  readonly now?: () => number;
}

/**
 * The store that the settings name, not started.
 * @throws StoreError STORE_NOT_WRITABLE when the data folder cannot be made
 */
export function openStore({ store, folder, logger, now }: StoreChoice): Store {
  if (store === 'sqlite') return openSqliteStore({ folder, logger, now });
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw folderNotWritable(folder, error);
  }
  return openPostgresStore({ url: store, logger, now });
}
