import { openPostgresStore, openSqliteStore, type Store } from '../../../server/store/index.ts';
import { LocalPostgres } from '../../support/postgres.ts';
import type { StoreKind } from '../options.ts';
import type { Victim } from './actor.ts';

/** Where the servers of a town keep what they know. */
export interface Database {
  /** The process that is killed and started again; absent: there is none. */
  readonly victim?: Victim;
  readonly port?: number;
  start(): Promise<void>;
  /** Flags of a server. `port`: where it reaches the database, when that is a process. */
  serverArgs(port: number | undefined): readonly string[];
  /**
   * Whether a server may end for this reason: it does at its start when its database cannot be reached. Whatever runs a server starts it again
   * then, and so do we.
   */
  excuses(end: string): boolean;
  /** All stores, once the servers with these data folders have stopped. Not started. */
  stores(dataFolders: readonly string[]): readonly Store[];
  stop(): Promise<void>;
}

/** The database of a town. */
export function databaseFor(kind: StoreKind): Database {
  switch (kind) {
    case 'sqlite':
      return new OwnFiles();
    case 'postgres':
      return new SharedDatabase();
    default:
      return kind satisfies never;
  }
}

/** Each server has a file of its own. */
class OwnFiles implements Database {
  async start(): Promise<void> {}

  serverArgs(): readonly string[] {
    return [];
  }

  excuses(): boolean {
    return false;
  }

  stores(dataFolders: readonly string[]): readonly Store[] {
    return dataFolders.map((folder) => openSqliteStore({ folder }));
  }

  async stop(): Promise<void> {}
}

const NAME = 'chaos';

/** All servers share one PostgreSQL. */
class SharedDatabase implements Database {
  #postgres: LocalPostgres | undefined;
  #victim: Victim | undefined;

  get victim(): Victim | undefined {
    return this.#victim;
  }

  get port(): number | undefined {
    return this.#postgres?.port;
  }

  async start(): Promise<void> {
    const postgres = await LocalPostgres.make();
    this.#postgres = postgres;
    this.#victim = victimOf(postgres);
    await postgres.database(NAME);
  }

  serverArgs(port: number | undefined): readonly string[] {
    return ['--store', this.#url(port), '--owner-lease', '3s'];
  }

  excuses(end: string): boolean {
    return /at its start: .*the store (\S+ cannot be opened|cannot do this now)/.test(end);
  }

  stores(): readonly Store[] {
    return [openPostgresStore({ url: this.#url(this.port) })];
  }

  async stop(): Promise<void> {
    await this.#postgres?.remove();
  }

  #url(port: number | undefined): string {
    const url = new URL(this.#postgres?.url(NAME) ?? '');
    url.port = String(port);
    return url.href;
  }
}

/** It ends with its town only, so that what it holds can be read when everybody else has stopped. */
function victimOf(postgres: LocalPostgres): Victim {
  let isRunning = true;
  return {
    name: 'database-1',
    get isRunning() {
      return isRunning;
    },
    async start() {
      if (isRunning) return;
      isRunning = true;
      await postgres.start();
    },
    async kill() {
      if (!isRunning) return;
      isRunning = false;
      await postgres.kill();
    },
    end: async () => {},
    freeze: () => postgres.freeze('SIGSTOP'),
    thaw: () => postgres.freeze('SIGCONT'),
    stop: async () => undefined,
    crash: () => undefined,
  };
}
