import { setTimeout as wait } from 'node:timers/promises';
import pg from 'pg';
import { v7 as uuidv7 } from 'uuid';
import { PostgresStore } from '../../../server/store/index.ts';
import { testDatabase } from '../../support/postgres.ts';
import type { StoreFixture } from './fixture.ts';

export interface PostgresFixture extends StoreFixture {
  readonly url: string;
  /** Has a further store on the same database, under a name of its own; it is registered when it is started. */
  openAs(server: string): PostgresStore;
  open(): PostgresStore;
  /** Asks the database by a way of its own. */
  query(text: string, values?: unknown[]): Promise<pg.QueryResultRow[]>;
}

/** A lease that no test waits for. */
export const LEASE_MS = 60_000;

/** The worst moment for a database to fail: everything is written, and cannot be committed. */
const BREAKABLE = `
  CREATE TABLE IF NOT EXISTS public.breakage (broken bool NOT NULL);
  CREATE OR REPLACE FUNCTION public.break_commit() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    IF EXISTS (SELECT FROM public.breakage WHERE broken) THEN
      RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100';
    END IF;
    RETURN NULL;
  END $$;
  CREATE CONSTRAINT TRIGGER break_commit AFTER UPDATE OF group_no ON mutirao.server
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION public.break_commit();
  CREATE CONSTRAINT TRIGGER break_commit AFTER UPDATE ON mutirao.instance
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION public.break_commit();
  INSERT INTO public.breakage VALUES (false);`;

let database: Promise<string> | undefined;
let isBreakable = false;

/** A database of its own for the test file; every fixture is a server that nobody else is. */
export async function postgresFixture(): Promise<PostgresFixture> {
  database ??= testDatabase();
  const url = await database;
  const server = uuidv7();
  const side = new pg.Client({ connectionString: url });
  side.on('error', () => {});
  await side.connect();
  const query = async (text: string, values: unknown[] = []): Promise<pg.QueryResultRow[]> =>
    (await side.query(text, values)).rows;
  const openAs = (name: string): PostgresStore => new RegisteredStore(url, name);
  return {
    url,
    openAs,
    query,
    open: () => openAs(server),
    async failing(_store, work) {
      if (!isBreakable) await query(BREAKABLE);
      isBreakable = true;
      await query('UPDATE public.breakage SET broken = true');
      try {
        await work();
      } finally {
        await query('UPDATE public.breakage SET broken = false');
      }
    },
    async dispose() {
      await side.end();
      await wait(0);
    },
  };
}

/** What a server does in two steps. */
class RegisteredStore extends PostgresStore {
  readonly #server: string;

  constructor(url: string, server: string) {
    // The clock stands still, so that nothing is tidied away within a test.
    super({ url, now: () => 10_000 });
    this.#server = server;
  }

  override async start(): Promise<void> {
    await super.start();
    await this.register({ server: this.#server, url: 'ws://127.0.0.1:1', leaseMs: LEASE_MS });
  }
}
