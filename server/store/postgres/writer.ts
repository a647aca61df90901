import { setTimeout as wait } from 'node:timers/promises';
import { Client, type ClientConfig } from 'pg';
import { StoreError } from '../errors.ts';
import { ended } from './ended.ts';
import { isConnectionLoss, storageFailure } from './failure.ts';
import { Pipeline, Preparation } from './pipeline.ts';
import type { Row } from './scope.ts';
import type { StatementName, Step } from './statements.ts';

/** No statement takes longer; a group of writes that waits for a lock ends with it, ms. */
export const STATEMENT_TIMEOUT_MS = 10_000;

/** How long an answer is waited for over a line that says nothing, ms: more than a statement may take. */
export const ANSWER_WITHIN_MS = 12_000;

/**
 * When the connection is lost between a group of writes and its answer, it is not known whether the group was committed. How
 * long it is tried to find out, before the group is given up, ms: longer than a restart of PostgreSQL takes.
 */
export const RESOLVE_WITHIN_MS = 20_000;

/** Between two attempts to connect meanwhile, ms. */
const RETRY_MS = 200;

/**
 * The session of the connection that writes. The statements are few and always want the index: the plans do not depend on
 * statistics, which lag behind a batch that is being sent.
 */
export const SESSION = `
  SET synchronous_commit = on;
  SET statement_timeout = ${STATEMENT_TIMEOUT_MS};
  SET lock_timeout = ${STATEMENT_TIMEOUT_MS / 2};
  SET idle_in_transaction_session_timeout = ${STATEMENT_TIMEOUT_MS};
  SET plan_cache_mode = force_generic_plan;
  SET enable_seqscan = off;
  SET enable_hashjoin = off;
  SET enable_mergejoin = off;
  SET enable_material = off;
  SET enable_bitmapscan = off;
  SET default_transaction_isolation = 'read committed';
  SET jit = off;`;

export interface Patience {
  readonly answerWithinMs?: number;
  readonly resolveWithinMs?: number;
}

/** Whom the connection writes for. */
export interface Name {
  readonly server: string;
  readonly incarnation: string;
}

/** What became of a group. `rows` is absent when the answer was lost on the way, and only the commit is known. */
export interface Written {
  readonly rows?: readonly Row[][];
}

/** Nobody knows whether this group was committed. */
export class Unresolved extends StoreError {
  readonly groupNo: number;

  constructor(groupNo: number, cause: unknown) {
    super(
      'STORE_UNAVAILABLE',
      'the connection to PostgreSQL was lost while it was to store this; try again',
      { cause },
    );
    this.groupNo = groupNo;
  }
}

/** Another process runs under this server's name. */
export function nameLost(cause?: unknown): StoreError {
  return new StoreError(
    'NOT_OWNER',
    'another process has taken over the name of this server in the store; stop one of them',
    { cause },
  );
}

/**
 * The one connection over which this server writes, made anew when it is lost. Groups are numbered, and their number is stored
 * with them: after a loss the new connection first fences off the old one, then asks for the number of the last group, and so
 * learns whether the one that got no answer was committed.
 *
 * Unconnected → connected ⇄ lost → closed. One call at a time.
 */
export class Writer {
  readonly #config: ClientConfig;
  readonly #answerWithinMs: number;
  readonly #resolveWithinMs: number;
  #client: Client | undefined;
  #name: Name | undefined;
  #session = '0';
  #groupNo = 0;
  #lastCommitted = 0;
  #closed = false;

  constructor(
    config: ClientConfig,
    { answerWithinMs = ANSWER_WITHIN_MS, resolveWithinMs = RESOLVE_WITHIN_MS }: Patience = {},
  ) {
    this.#config = config;
    this.#answerWithinMs = answerWithinMs;
    this.#resolveWithinMs = resolveWithinMs;
  }

  get name(): Name | undefined {
    return this.#name;
  }

  /** The number that the next group will have. */
  get nextGroupNo(): number {
    return this.#groupNo + 1;
  }

  /** The last group that is known to be committed; after `connect`, the one that the database tells. */
  get lastCommitted(): number {
    return this.#lastCommitted;
  }

  /** From now on it writes for this server. @throws StoreError */
  async enrol(name: Name): Promise<void> {
    this.#name = name;
    this.#groupNo = 0;
    try {
      await this.#beginSession(await this.connect());
    } catch (error) {
      throw storageFailure(error) ?? error;
    }
  }

  /** The connection, made when there is none. @throws what pg says, StoreError NOT_OWNER */
  async connect(): Promise<Client> {
    if (this.#closed)
      throw new StoreError('STORE_UNAVAILABLE', 'the store is closed; the server is stopping');
    if (this.#client !== undefined) return this.#client;
    const client = new Client(this.#config);
    const lost = (): void => {
      if (this.#client === client) this.#client = undefined;
    };
    client.on('error', lost);
    client.on('end', lost);
    try {
      await client.connect();
      await client.query(SESSION);
      await new Promise<void>((resolve, reject) => {
        client.query(new Preparation((error) => (error === undefined ? resolve() : reject(error))));
      });
      if (this.#name !== undefined) await this.#beginSession(client);
    } catch (error) {
      void client.end().catch(() => {});
      throw error;
    }
    this.#client = client;
    return client;
  }

  /** Reads what is committed. */
  async read(statement: StatementName, values: readonly (string | null)[]): Promise<Row[]> {
    const [rows = []] = await this.#send(await this.connect(), [{ statement, values }]);
    return rows;
  }

  /**
   * Writes a group, in one transaction and one way there and back.
   * @throws StoreError NOT_OWNER, Unresolved; what pg says when nothing was changed
   */
  async write(steps: readonly Step[], fenced: { ids: string; epochs: string }): Promise<Written> {
    const client = await this.connect();
    const name = this.#name;
    if (name === undefined) throw new StoreError('NOT_OWNER', 'this server is not registered with its store');
    const groupNo = ++this.#groupNo;
    const values = [name.server, name.incarnation, this.#session, String(groupNo), fenced.ids, fenced.epochs];
    try {
      const [, ...rows] = await this.#send(client, [{ statement: 'fence', values }, ...steps]);
      this.#lastCommitted = groupNo;
      return { rows };
    } catch (error) {
      if (!isConnectionLoss(error)) throw error;
      if (await this.#wasCommitted(groupNo, error)) return {};
      throw (
        storageFailure(error) ??
        new StoreError('STORE_UNAVAILABLE', 'the connection was lost', { cause: error })
      );
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    const client = this.#client;
    this.#client = undefined;
    if (client !== undefined) await ended(client.end());
  }

  /** @throws Unresolved */
  async #wasCommitted(groupNo: number, cause: unknown): Promise<boolean> {
    const deadline = performance.now() + this.#resolveWithinMs;
    for (;;) {
      try {
        await this.connect();
        return this.#lastCommitted >= groupNo;
      } catch (error) {
        if (this.#closed || storageFailure(error) === undefined || performance.now() > deadline) {
          throw new Unresolved(groupNo, cause);
        }
      }
      await wait(RETRY_MS);
    }
  }

  /** From here on nothing that an older connection still has under way is committed. */
  async #beginSession(client: Client): Promise<void> {
    const name = this.#name;
    if (name === undefined) return;
    await client.query(`SET application_name = ${client.escapeLiteral(applicationName(name.server))}`);
    const { rows } = await client.query<{ session: string; group_no: string }>(
      `UPDATE mutirao.server SET session = session + 1 WHERE uuid = $1 AND incarnation = $2 RETURNING session, group_no`,
      [name.server, name.incarnation],
    );
    const [row] = rows;
    if (row === undefined) throw nameLost();
    this.#session = row.session;
    this.#lastCommitted = Number(row.group_no);
  }

  #send(client: Client, steps: readonly Step[]): Promise<readonly Row[][]> {
    return new Promise((resolve, reject) => {
      const silence = setTimeout(() => this.#drop(client), this.#answerWithinMs);
      const done = (error: unknown, rows: readonly Row[][]): void => {
        clearTimeout(silence);
        if (error === undefined) {
          resolve(rows);
          return;
        }
        if (isConnectionLoss(error)) this.#drop(client);
        reject(error);
      };
      client.query(new Pipeline(steps, done));
    });
  }

  #drop(client: Client): void {
    if (this.#client === client) this.#client = undefined;
    // What is under way there ends with an error.
    (
      client as Client & { connection: { stream: { destroy(error?: Error): void } } }
    ).connection.stream.destroy(new Error('the connection was silent for too long'));
  }
}

/** How the sessions of a server can be told in pg_stat_activity. */
export function applicationName(server: string): string {
  return `mutirao ${server}`;
}
