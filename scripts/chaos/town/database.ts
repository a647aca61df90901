import { openSqliteStore, type Store } from '../../../server/store/index.ts';
import type { StoreKind } from '../options.ts';
import type { Victim } from './actor.ts';

/** Where the servers of a town keep what they know. */
export interface Database {
  /** The process that is killed and started again; absent: there is none. */
  readonly actor?: Victim;
  readonly port?: number;
  start(): Promise<void>;
  /** Flags of a server. `port`: where it reaches the database, when that is a process. */
  serverArgs(dataFolder: string, port: number | undefined): readonly string[];
  /** All stores, once the servers with these data folders have stopped. Not started. */
  stores(dataFolders: readonly string[]): readonly Store[];
  stop(): Promise<void>;
}

/** Each server has a file of its own. */
export class OwnFiles implements Database {
  async start(): Promise<void> {}

  serverArgs(): readonly string[] {
    return [];
  }

  stores(dataFolders: readonly string[]): readonly Store[] {
    return dataFolders.map((folder) => openSqliteStore({ folder }));
  }

  async stop(): Promise<void> {}
}

/** The database of a town. */
export function databaseFor(kind: StoreKind, _folder: string): Database {
  switch (kind) {
    case 'sqlite':
      return new OwnFiles();
    case 'postgres':
      throw new Error('there is no store on PostgreSQL yet');
    default:
      return kind satisfies never;
  }
}
