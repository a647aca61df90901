import { Pool, type PoolConfig, type QueryResultRow } from 'pg';
import { ended } from './ended.ts';
import { storageFailure } from './failure.ts';

/** Connections for readers, besides the one that writes and the one that listens. */
const MAX_CONNECTIONS = 5;

/** An idle connection is closed after this time, ms. */
const IDLE_MS = 30_000;

/**
 * The connections for everything that is not a group of writes. Who finds all of them busy for too long is told
 * STORE_UNAVAILABLE.
 */
export class Reader {
  readonly #pool: Pool;

  constructor(config: PoolConfig) {
    this.#pool = new Pool({ max: MAX_CONNECTIONS, idleTimeoutMillis: IDLE_MS, ...config });
    // A connection that is lost while nobody uses it; the next one to ask gets another.
    this.#pool.on('error', () => {});
  }

  /** @throws StoreError STORE_UNAVAILABLE; what pg says of a wrong statement */
  async rows<T extends QueryResultRow>(text: string, values: readonly unknown[] = []): Promise<T[]> {
    try {
      const { rows } = await this.#pool.query<T>(text, [...values]);
      return rows;
    } catch (error) {
      throw storageFailure(error) ?? error;
    }
  }

  async close(): Promise<void> {
    await ended(this.#pool.end());
  }
}
